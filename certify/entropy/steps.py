"""From advantages to a direction u in logit space: expected and sampled softmax policy gradients
(docs/theory/entropy.md#first-order).  Everything that an algorithm does to the advantages happens before this.
"""

from __future__ import annotations

from collections.abc import Sequence

from flint import arb

from certify.entropy.dynamics import Direction
from certify.entropy.enclosure import ball, dot
from certify.entropy.policy import Policy
from certify.errors import InputError

Balls = tuple[arb, ...]


def expected_gradient(
    policy: Policy, advantages: Sequence[Balls], *, neutral: bool = False, average: str = "all actions"
) -> Direction:
    """u_s = d(s) π ∘ (A − E_π A): the gradient of Σ_s d(s) E_π[A] with A held fixed.

    Source: ∂E_π[A]/∂θ_a = Σ_k π_k A_k (1[k = a] − π_a) (policy gradient theorem, one state).
    A constant added to A (a baseline) drops out.
    """
    rows = []
    for state, row in zip(policy, advantages, strict=True):
        pi = state.balls().pi
        mean = dot(pi, row)
        weight = ball(state.weight)
        rows.append(tuple(weight * p * (a - mean) for p, a in zip(pi, row, strict=True)))
    return Direction(tuple(rows), neutral, average)


def check_sample(policy: Policy, state: int, actions: Sequence[int]) -> None:
    """`InputError` unless `state` is a state of `policy` and all `actions` are actions there."""
    if not 0 <= state < len(policy):
        raise InputError("parameter state", f"{state}", f"number states from 0 to {len(policy) - 1}")
    last = policy[state].size - 1
    if not all(0 <= k <= last for k in actions):
        raise InputError("sampled actions", f"{max(actions)} is not an action", f"number actions from 0 to {last}")


def sampled_gradient(policy: Policy, state: int, actions: Sequence[int], advantages: Sequence[arb]) -> Direction:
    """u = (1/G) Σ_i A_i (e_{k_i} − π) for the G sampled `actions` of one state; 0 in other states.

    Source: the score function of a softmax, ∂ log π(k)/∂θ = e_k − π.
    """
    pi = policy[state].balls().pi
    total = sum(advantages, arb(0))
    direction = [-p * total for p in pi]
    for k, a in zip(actions, advantages, strict=True):
        direction[k] += a
    rows = [(arb(0),) * s.size for s in policy]
    rows[state] = tuple(x / len(actions) for x in direction)
    return Direction(tuple(rows), average="the given sample")
