"""REPO and its variants as changes of the advantage, and REPO's first-order-neutral β* (docs/theory/entropy.md#repo;
definitions after arXiv 2603.11682, read second-hand).

With L = log π + H:  REPO uses A − βL, REPO-D the same with β = ζ E_π[π A L], REPO-R rescales
positive and negative advantages by log π.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from flint import arb

from certify.bounds.arb_numbers import square
from certify.entropy.enclosure import RationalEnclosure, ball, dot
from certify.entropy.policy import Numbers, Policy, StatePolicy
from certify.errors import InputError


def first_order_loss(policy: Policy, advantages: Sequence[Numbers]) -> arb:
    """Σ_s d(s)² (E[πAL] − E[A] E[πL]): the entropy lost per unit step by expected REINFORCE.

    One d(s) is the weight of the state's entropy, the other that of its gradient.
    """
    return _weighted(policy, [_loss(s, row) for s, row in zip(policy, advantages, strict=True)])


def _loss(state: StatePolicy, row: Numbers) -> arb:
    balls = state.balls()
    weighted = [p * p * x for p, x in zip(balls.pi, balls.centred, strict=True)]
    mean = dot(balls.pi, [ball(a) for a in row])
    return dot(weighted, [ball(a) - mean for a in row])


def _weighted(policy: Policy, values: Sequence[arb]) -> arb:
    return sum((square(ball(s.weight)) * v for s, v in zip(policy, values, strict=True)), arb(0))


def entropy_gradient_norm(policy: Policy) -> arb:
    """Σ_s d(s)² E[πL²] = ‖∇H‖²: what one unit of β adds to the first-order entropy change."""
    return _weighted(
        policy, [dot((p * p for p in b.pi), (x * x for x in b.centred)) for b in (s.balls() for s in policy)]
    )


def neutral_beta(policy: Policy, advantages: Sequence[Numbers]) -> arb:
    """β* = (E[πAL] − E[A]E[πL]) / E[πL²]: with it the first-order entropy change is exactly 0.

    Raises `InputError` where every state is uniform: there L = 0 and β* is 0/0.

    >>> from certify.entropy.policy import policy_from_json
    >>> policy = policy_from_json(["1/2", "1/4", "1/4"])
    >>> neutral_beta(policy, (tuple(map(RationalEnclosure.of, (1, 0, -1))),)) > 0
    True
    """
    if all(s.exactly_uniform for s in policy):
        raise InputError("beta", "β* is 0/0 at the uniform policy (L = 0 there)", "give beta as a number")
    return first_order_loss(policy, advantages) / entropy_gradient_norm(policy)


def repo_advantages(policy: Policy, advantages: Sequence[Numbers], beta: arb) -> list[tuple[arb, ...]]:
    """A − βL in every state."""
    return [
        tuple(ball(a) - beta * x for a, x in zip(row, s.balls().centred, strict=True))
        for s, row in zip(policy, advantages, strict=True)
    ]


def rescaled_advantages(
    policy: Policy, advantages: Sequence[Numbers], zeta: Fraction, clamp: Fraction | None
) -> list[tuple[arb, ...]]:
    """REPO-R: max(0, A(1 − ζ log π)) for A > 0, min(0, A(1 + ζ log π)) for A < 0, 0 for A = 0.

    `clamp` c replaces log π by max(log π, −c); one public implementation uses 20.
    """
    return [
        tuple(_rescaled(a, x, zeta, clamp) for a, x in zip(row, s.balls().log_pi, strict=True))
        for s, row in zip(policy, advantages, strict=True)
    ]


def _rescaled(advantage: RationalEnclosure, log_pi: arb, zeta: Fraction, clamp: Fraction | None) -> arb:
    if clamp is not None:
        log_pi = log_pi.max(-ball(clamp))
    parts = []
    if advantage.upper > 0:
        positive = ball(RationalEnclosure(max(advantage.lower, Fraction(0)), advantage.upper))
        parts.append((positive * (1 - ball(zeta) * log_pi)).max(arb(0)))
    if advantage.lower < 0:
        negative = ball(RationalEnclosure(advantage.lower, min(advantage.upper, Fraction(0))))
        parts.append((negative * (1 + ball(zeta) * log_pi)).min(arb(0)))
    if not parts:
        return arb(0)
    return parts[0] if len(parts) == 1 else parts[0].union(parts[1])
