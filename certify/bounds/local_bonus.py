"""The PPO-style local entropy bonus: a separate vector field (docs/theory/local-bonus.md).

Its bonus ignores the visitation: the field is gamma^t d(x) pi(a|x) (Q^R - alpha w log pi - mean),
with the reward-to-go Q^R in place of Q_alpha.  It is in general no gradient, and its stationary
points are pi = softmax(Q^R / (alpha w)).  No theorem on J_alpha applies to it.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from certify.bounds.arb_evaluate import arb_evaluate
from certify.bounds.evaluate import check_alpha, float_values
from certify.bounds.point import gradient, q_values
from certify.bounds.policy import Blocks, Point, layout_of, read_policy
from certify.bounds.rounding import outward
from certify.errors import InputError
from certify.games.tree import Tree


def local_bonus_field(tree: Tree, policy: Any, alpha: Fraction | int) -> Blocks:
    """(N,) enclosure of d theta / d tau under the local bonus, at one policy.

    Raises `InputError` as `evaluate` does, and for a `PolicyBox`.

    >>> from certify.games.builtin import builtin
    >>> from certify.games.tree import unroll
    >>> tree = unroll(builtin("lever:2"))
    >>> local_bonus_field(tree, tree.uniform(), 1).contains(0)
    True
    """
    return _local(tree, policy, alpha)[1]


def local_bonus_q(tree: Tree, policy: Any) -> Blocks:
    """(N,) enclosure of the reward-to-go Q^R(x, a) at one policy (raises as above)."""
    return _local(tree, policy, 1)[0]


def _local(tree: Tree, policy: Any, alpha: Fraction | int) -> tuple[Blocks, Blocks]:
    alpha = check_alpha(alpha)
    layout = layout_of(tree)
    read = read_policy(tree, policy)
    if not isinstance(read, Point):
        raise InputError("policy", "a box of policies", "give one policy: the local field is enclosed at points")
    ready = float_values(tree, layout, read, alpha, inside=False)
    if ready is None:
        found = arb_evaluate(tree, policy, alpha).to_floats()
        q, field = (found[k] for k in ("q_reward", "local_gradient"))
        return Blocks(q.lower, q.upper, layout), Blocks(field.lower, field.upper, layout)
    tables, at = ready
    return (
        Blocks(*outward(*q_values(tables, layout, at)), layout),
        Blocks(*outward(*gradient(tables, layout, at)), layout),
    )
