"""Float64 bounds at one policy: J, return, entropy, reach, Q and gradient (docs/theory/objective.md#the-objective,
docs/theory/objective.md#stationary-policies).

Way 1 of three.  The tables hold nonnegative (shifted) rewards, so every quantity is a sum of
products of nonnegative numbers.  With X the defect of `tables.roundings` roundings plus the
defect of every policy factor on a path, a computed part y^ satisfies |y - y^| <= X/(1-X) y^.
Logarithms: -log of the exact policy is l^ (1 + 10u) + e with |e| <= epsilon = 1.01 * policy
defect (d log p = dp/p); quantities are linear in them with nonnegative coefficients, so the e add
at most epsilon * (the coefficients' sum), a constant of the game.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from certify.bounds.policy import Layout, Point
from certify.bounds.recursion import Backward, backward, class_reach, forward, split, weighted_values
from certify.bounds.rounding import UNIT, defect, log, widened
from certify.bounds.tables import Tables


@dataclass(frozen=True, eq=False)
class PointValues:
    """What the recursions give at a point, all nonnegative, and how far off they may be.

    own : (N,) alpha w max(0, -log p^).  reach : per depth (E,).  d : (rows,).
    relative : X/(1 - X).  epsilon : absolute error of a logarithm beyond its relative one.
    alpha : the temperature.  inside : whether `back` pays alpha w H in later steps (not where the
    bonus is local).
    """

    tables: Tables
    policy: np.ndarray
    own: np.ndarray
    back: Backward
    reach: list[np.ndarray]
    d: np.ndarray
    relative: float
    epsilon: float
    alpha: float
    inside: bool

    @cached_property
    def weighted(self) -> np.ndarray:
        """(N,) d Q of the shifted rewards and, if `inside`, of the bonuses."""
        return weighted_values(self.tables, self.back, self.reach, len(self.policy))


def point_values(tables: Tables, layout: Layout, point: Point, alpha: float, *, inside: bool = True) -> PointValues:
    """Run the recursions; the caller has asked `tables.suit`."""
    p = point.approx
    factors_on_a_path = len(layout.blocks) + 3
    relative = widened(defect(tables.roundings, factors_on_a_path * point.defect))
    own = log(p)
    np.negative(own, out=own)
    np.maximum(own, 0.0, out=own)  # the exact one is never negative
    own *= alpha * tables.entry_weight
    factors = [split(level, p) for level in tables.levels]
    back = backward(tables, factors, layout.row_sums(p * own) if inside else None)
    reach = forward(tables, factors)
    d = class_reach(tables, reach, layout.number_of_rows)
    return PointValues(tables, p, own, back, reach, d, relative, 1.02 * point.defect, alpha, inside)


def expected_value(tables: Tables, at: PointValues) -> tuple[float, float]:
    """J_alpha at the start as (mid, radius)."""
    shifted, shift = float(np.dot(tables.initial, at.back.V[0])), tables.float_shift[0]
    # the subtraction's own rounding and the rounded shift: 4 u of both magnitudes is enough
    radius = (at.relative + 8 * UNIT) * shifted + 8 * UNIT * abs(shift)
    return shifted + shift, (radius + at.alpha * at.epsilon * tables.entropy_mass[0]) * (1 + 8 * UNIT)


def expected_reward(tables: Tables, at: PointValues) -> tuple[float, float]:
    """The expected return as (mid, radius): the rewards backwards once more, alone."""
    shifted = float(np.dot(tables.initial, backward(tables, at.back.factors, None).V[0]))
    shift = tables.float_shift[0]
    return shifted + shift, ((at.relative + 8 * UNIT) * shifted + 8 * UNIT * abs(shift)) * (1 + 8 * UNIT)


def expected_entropy(tables: Tables, layout: Layout, at: PointValues) -> tuple[float, float]:
    """The weighted entropy, without alpha, as (mid, radius): the bonuses alone."""
    minus_log = np.maximum(-log(at.policy), 0.0)
    row_entropy = layout.row_sums(at.policy * minus_log) * tables.row_weight
    back = backward(tables, at.back.factors, row_entropy, rewarded=False)
    entropy = float(np.dot(tables.initial, back.V[0]))
    return entropy, (at.relative * entropy + at.epsilon * tables.entropy_mass[0]) * (1 + 8 * UNIT)


def q_values(tables: Tables, layout: Layout, at: PointValues) -> tuple[np.ndarray, np.ndarray]:
    """(N,) Q(x, a) as (mid, radius): Q_alpha if `at.inside`, the reward part alone otherwise."""
    shifted = at.weighted / at.d[layout.row_of_entry]
    # numerator and denominator each have the defect
    radius = (2.02 * at.relative + 8 * UNIT) * shifted + 8 * UNIT * np.abs(tables.row_shift)
    if at.inside:
        radius += (1.01 * at.alpha * at.epsilon) * tables.entry_mass_after
    return shifted + tables.row_shift, radius


def gradient(tables: Tables, layout: Layout, at: PointValues) -> tuple[np.ndarray, np.ndarray]:
    """(N,) gamma^t d pi (Q - alpha w log pi - mean) as (mid, radius).

    Q is Q_alpha for dJ/dtheta (`at.inside`), the reward part for the local bonus.  The shift of the
    rewards cancels: it is the same for every action.
    """
    d = at.d.take(layout.row_of_entry)
    advantage = d * at.own
    advantage += at.weighted
    mean = layout.row_sums(at.policy * advantage).take(layout.row_of_entry)
    scale = tables.entry_discount * at.policy
    mid = scale * (advantage - mean)
    # a log's epsilon enters once directly and once through the mean, and likewise inside Q^H
    radius = np.add(advantage, mean, out=mean)
    radius *= at.relative + 8 * UNIT
    d *= tables.entry_mass if at.inside else tables.entry_weight
    d *= 2.02 * at.alpha * at.epsilon
    radius += d
    radius *= scale
    radius *= 1 + 8 * UNIT
    return mid, radius
