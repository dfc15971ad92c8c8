"""J_alpha, return, entropy, reach, Q and gradient of a policy or of a box of policies, enclosed.

docs/theory/objective.md#the-objective, docs/theory/objective.md#stationary-policies.  The ladder of costs: float64
with a-priori bounds (`point`, and `interval_values` for boxes); where its range does not suffice, arb (`arb_evaluate`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import Any

from certify.bounds.arb_evaluate import arb_evaluate
from certify.bounds.enclosure import Enclosure
from certify.bounds.interval_values import interval_values
from certify.bounds.point import (
    PointValues,
    expected_entropy,
    expected_reward,
    expected_value,
    gradient,
    point_values,
    q_values,
)
from certify.bounds.policy import Blocks, Layout, Point, layout_of, read_policy
from certify.bounds.rounding import UNIT, outward
from certify.bounds.tables import Tables, tables_of
from certify.errors import InputError
from certify.games.tree import Tree

LEAST_ROOM = 10.0  # binary digits per block, below which boxes are evaluated in arb


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Enclosures of everything first-order, at a policy or for every policy of a box.

    `reward`, `entropy`, `reach` and `q` are computed when they are first asked for, where that
    costs anything beyond `value` and `gradient`.

    Attributes
    ----------
    value : J_alpha.  reward : the expected discounted return.  entropy : E sum_t gamma^t sum_i
        w_i H(pi_i), without alpha.  (`Enclosure`s of floats; value = reward + alpha entropy; for the objective kl the
        entropy is minus the divergence from the reference, but for `q`, which leaves its constant out.)
    reach : d(x) per class; `reach[i, t].lower` is (K_i,).
    q : Q_alpha(x, a), value from step t on if agent i plays a at x, entropies of later steps
        included; `q[i, t].lower` is (K_i, A_i).  gradient : dJ_alpha/dtheta_{x,a}, likewise.
    arithmetic : "float64" or "arb", the one that gave the bounds.
    """

    value: Enclosure
    gradient: Blocks
    arithmetic: str
    _others: Callable[[str], Any] = field(repr=False)  # name -> one of the four below

    @cached_property
    def reward(self) -> Enclosure:
        """The expected discounted return."""
        reward: Enclosure = self._others("reward")
        return reward

    @cached_property
    def entropy(self) -> Enclosure:
        """The expected weighted entropy, without alpha."""
        entropy: Enclosure = self._others("entropy")
        return entropy

    @cached_property
    def reach(self) -> Blocks:
        """d(x) per class."""
        reach: Blocks = self._others("reach")
        return reach

    @cached_property
    def q(self) -> Blocks:
        """Q_alpha(x, a) per entry."""
        q: Blocks = self._others("q")
        return q


def check_alpha(alpha: Fraction | int) -> Fraction:
    """`alpha` as a `Fraction`; raises `InputError` unless it is exact and positive."""
    if isinstance(alpha, (bool, float)) or not isinstance(alpha, (int, Fraction)):
        raise InputError("alpha", f"{alpha!r} is not an exact number", "use a Fraction, like Fraction(17, 2)")
    if alpha <= 0:
        raise InputError("alpha", f"a temperature of {alpha}", "use a positive number")
    return Fraction(alpha)


def evaluate(tree: Tree, policy: Any, alpha: Fraction | int) -> Evaluation:
    """Rigorous enclosures at `policy` (see `certify.bounds.policy` for what it may be).

    On a clustered tree classes take the place of AOHs: theta_{x,a} is then the logit of a class.
    Raises `InputError` for a policy that does not fit the tree and for alpha <= 0.

    >>> from certify.games.builtin import builtin
    >>> from certify.games.tree import unroll
    >>> tree = unroll(builtin("lever:2"))
    >>> result = evaluate(tree, tree.uniform(), Fraction(1))
    >>> result.reward.contains(Fraction(1, 2)), result.gradient.contains(0)
    (True, True)
    """
    alpha = check_alpha(alpha)
    layout = layout_of(tree)
    read = read_policy(tree, policy)
    ready = None if tree.constant else float_values(tree, layout, read, alpha)
    if ready is None:
        return _from_arb(tree, layout, policy, alpha)
    tables, at = ready
    if at is not None:
        return _from_point(tables, layout, at)
    found = interval_values(tables, layout, read, alpha)
    return Evaluation(found["value"], found["gradient"], "float64", found.__getitem__)


def float_values(
    tree: Tree, layout: Layout, read: Any, alpha: Fraction, *, inside: bool = True
) -> tuple[Tables, PointValues | None] | None:
    """Tables and, at a point, its values; None where float64's range does not suffice.

    `inside`: whether later entropies are paid (`point.PointValues`).
    """
    if tree.tilted:
        return None  # logarithms of a reference are arb's: they may have either sign
    try:
        tables, temperature = tables_of(tree), float(alpha)
    except OverflowError:
        return None
    if not isinstance(read, Point):
        return (tables, None) if tables.fits and tables.room(len(layout.blocks)) >= LEAST_ROOM else None
    if not tables.suit(read.approx, temperature, layout.block_start):
        return None
    return tables, point_values(tables, layout, read, temperature, inside=inside)


def _from_point(tables: Tables, layout: Layout, at: PointValues) -> Evaluation:
    value = _scalar(*expected_value(tables, at))
    slope = Blocks(*outward(*gradient(tables, layout, at)), layout)
    return Evaluation(value, slope, "float64", _OthersAtPoint(tables, layout, at))


@dataclass(frozen=True, eq=False)
class _OthersAtPoint:
    """What an evaluation at a point gives when it is asked for."""

    tables: Tables
    layout: Layout
    at: PointValues

    def __call__(self, name: str) -> Enclosure:
        tables, layout, at = self.tables, self.layout, self.at
        if name == "reward":
            return _scalar(*expected_reward(tables, at))
        if name == "entropy":
            return _scalar(*expected_entropy(tables, layout, at))
        if name == "reach":
            return Blocks(*outward(at.d, at.relative * (1 + 8 * UNIT) * at.d), layout, per_row=True)
        return Blocks(*outward(*q_values(tables, layout, at)), layout)


def _scalar(mid: float, radius: float) -> Enclosure:
    return Enclosure(math.nextafter(mid - radius, -math.inf), math.nextafter(mid + radius, math.inf))


def _from_arb(tree: Tree, layout: Layout, policy: Any, alpha: Fraction) -> Evaluation:
    found = arb_evaluate(tree, policy, alpha).to_floats()
    for name in ("reach", "q", "gradient"):
        found[name] = Blocks(found[name].lower, found[name].upper, layout, per_row=name == "reach")
    return Evaluation(found["value"], found["gradient"], "arb", found.__getitem__)
