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
from certify.bounds.recursion import Backward, backward, class_reach, forward, weighted_values
from certify.bounds.rounding import UNIT, defect, log, widened
from certify.bounds.tables import Tables


@dataclass(frozen=True, eq=False)
class PointValues:
    """What the recursions give at a point, all nonnegative, and how far off they may be.

    minus_log : (N,) max(0, -log p^).  reach : per depth (E,).  d : (rows,).
    relative : X/(1 - X).  epsilon : absolute error of a logarithm beyond its relative one.
    """

    tables: Tables
    policy: np.ndarray
    minus_log: np.ndarray
    back: Backward
    reach: list[np.ndarray]
    d: np.ndarray
    relative: float
    epsilon: float

    @cached_property
    def weighted(self) -> np.ndarray:
        """(2, N) d Q of the shifted rewards and of the entropies."""
        return weighted_values(self.tables, self.back, self.reach, len(self.policy))


def point_values(tables: Tables, layout: Layout, point: Point) -> PointValues:
    """Run the recursions; the caller has asked `tables.suit`."""
    p = point.approx
    factors_on_a_path = len(layout.blocks) + 3
    relative = widened(defect(tables.roundings, factors_on_a_path * point.defect))
    minus_log = np.maximum(-log(p), 0.0)  # the exact one is never negative
    row_entropy = layout.row_sums(p * minus_log) * tables.row_weight
    back = backward(tables, p, row_entropy)
    reach = forward(tables, back.factors)
    d = class_reach(tables, reach, layout.number_of_rows)
    return PointValues(tables, p, minus_log, back, reach, d, relative, 1.02 * point.defect)


def expected_values(tables: Tables, at: PointValues) -> tuple[tuple[float, float], tuple[float, float]]:
    """((return, radius), (entropy term, radius)) at the start."""
    shifted, entropy = (float(np.dot(tables.initial, at.back.V[0][k])) for k in range(2))
    shift = tables.float_shift[0]
    # the subtraction's own rounding and the rounded shift: 4 u of both magnitudes is enough
    radius = (at.relative + 8 * UNIT) * shifted + 8 * UNIT * abs(shift)
    entropy_radius = (at.relative * entropy + at.epsilon * tables.entropy_mass[0]) * (1 + 8 * UNIT)
    return (shifted + shift, radius), (entropy, entropy_radius)


def q_values(tables: Tables, layout: Layout, at: PointValues, alpha: float) -> tuple[np.ndarray, np.ndarray]:
    """(N,) Q_alpha(x, a) as (mid, radius); `alpha = 0` gives the reward part alone."""
    d = at.d[layout.row_of_entry]
    shifted = (at.weighted[0] + alpha * at.weighted[1]) / d
    # numerator and denominator each have the defect
    radius = (2.02 * at.relative + 8 * UNIT) * shifted + 8 * UNIT * np.abs(tables.row_shift)
    radius += (1.01 * alpha * at.epsilon) * tables.entry_mass_after
    return shifted + tables.row_shift, radius


def gradient(
    tables: Tables, layout: Layout, at: PointValues, alpha: float, alpha_inside: float
) -> tuple[np.ndarray, np.ndarray]:
    """(N,) gamma^t d pi (Q - alpha w log pi - mean) as (mid, radius).

    Q is Q^R + alpha_inside Q^H: alpha_inside = alpha for dJ/dtheta, 0 for the local bonus.  The
    shift of the rewards cancels: it is the same for every action.
    """
    d = at.d[layout.row_of_entry]
    weight = alpha * tables.entry_weight
    advantage = at.weighted[0] + d * weight * at.minus_log
    if alpha_inside:
        advantage += alpha_inside * at.weighted[1]
    mean = layout.row_sums(at.policy * advantage)[layout.row_of_entry]
    scale = tables.entry_discount * at.policy
    # a log's epsilon enters once directly and once through the mean, and likewise inside Q^H
    radius = (at.relative + 8 * UNIT) * (advantage + mean)
    radius += 2.02 * at.epsilon * d * (weight + alpha_inside * tables.entry_mass_after)
    return scale * (advantage - mean), scale * radius * (1 + 8 * UNIT)
