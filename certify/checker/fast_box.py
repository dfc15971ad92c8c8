"""Boxes of policies on the grid 2^-52 (docs/certificate-format.md, 4.2 to 4.4): bounds, centres and
vertices are multiples of 2^-52 in [0, 1], so every sum of a distribution is exact in float64 and no
policy carries an error.  A `BlockBox` holds all classes of one agent at one depth and is immutable.
"""

from __future__ import annotations

import itertools
from fractions import Fraction
from functools import cached_property

import numpy as np

from certify.checker.envelope import Failed
from certify.checker.fast_numbers import EXP_ERROR, GROW, LARGEST_EXPONENT, UNIT, Ball, exp, log, log_error, slop

GRID = 2.0**52
MOST_ACTIONS = 16  # of a block whose vertices are enumerated


def grid_down(x: Fraction) -> float:
    """The largest grid number <= x, clipped to [0, 1].

    >>> grid_down(Fraction(1, 2)), grid_down(Fraction(-1))
    (0.5, 0.0)
    """
    return min(max(x * 2**52 // 1, 0), 2**52) / GRID


def grid_up(x: Fraction) -> float:
    """The smallest grid number >= x, clipped to [0, 1]."""
    return min(max(-(-x * 2**52 // 1), 0), 2**52) / GRID


class BlockBox:
    """lower <= pi <= upper for the classes of one agent at one depth; both arrays (classes, actions)."""

    def __init__(self, lower: np.ndarray, upper: np.ndarray) -> None:
        self.lower, self.upper = lower, upper
        lower.flags.writeable = upper.flags.writeable = False

    @property
    def actions(self) -> int:
        return self.lower.shape[1]

    @classmethod
    def whole(cls, classes: int, actions: int) -> BlockBox:
        """The whole policy space of a block list."""
        one = np.ones((classes, actions))
        return cls(one if actions == 1 else np.zeros((classes, actions)), np.ones((classes, actions)))

    @property
    def empty_class(self) -> int | None:
        """The first class whose box holds no distribution, or None.

        Sums of multiples of 2^-52 are exact up to 2, and beyond 2 rounding cannot bring them back.
        """
        bad = (self.lower > self.upper).any(1) | (self.lower.sum(1) > 1) | (self.upper.sum(1) < 1)
        return int(np.argmax(bad)) if bad.any() else None

    def intersected(self, lower: np.ndarray, upper: np.ndarray) -> BlockBox:
        """The box cut with [lower, upper], then twice l_a = max(l_a, 1 - sum of the other u), u_a alike."""
        lower, upper = np.maximum(self.lower, lower), np.minimum(self.upper, upper)
        for _ in range(2):
            lower = np.maximum(lower, 1 - others_sum(upper))
            upper = np.minimum(upper, 1 - others_sum(lower))
        return BlockBox(lower, np.maximum(upper, 0.0))

    @cached_property
    def centre(self) -> np.ndarray:
        """c = l + theta (u - l) on the grid, sum exactly 1, inside a box that is not empty, and positive
        wherever u is (whatever rounding leaves over is dealt out within the box)."""
        room = self.upper - self.lower
        total = room.sum(1, keepdims=True)
        missing = 1 - self.lower.sum(1, keepdims=True)
        share = np.divide(missing, total, out=np.zeros_like(total), where=total > 0)
        c = self.lower + np.minimum(np.floor(share * room * GRID) / GRID, room)
        c = np.where((c == 0) & (self.upper > 0), 1 / GRID, c)
        for row in np.flatnonzero(c.sum(1) != 1):
            _settle(c[row], self.lower[row], self.upper[row])
        if not ((c.sum(1) == 1) & (c > 0).all(1) & (c >= self.lower).all(1) & (c <= self.upper).all(1)).all():
            raise Failed("a box on the boundary of the policy space has no centre with full support")
        return c

    @cached_property
    def log_centre(self) -> Ball:
        """log c."""
        value = log(self.centre)
        return Ball(value, log_error(value))

    @cached_property
    def entropy(self) -> Ball:
        """H(c) for every class."""
        terms = -self.centre * self.log_centre.mid
        rad = (self.centre * (self.log_centre.rad + 4 * UNIT * np.abs(self.log_centre.mid))).sum(1)
        return Ball(terms.sum(1), (rad + (self.actions + 4) * UNIT * terms.sum(1)) * GROW)

    @cached_property
    def vertices(self) -> np.ndarray:
        """The vertices of box and simplex, (classes, vertices, actions), repeated where a class has fewer.

        At a vertex all coordinates but one (`free`) are at an end; the free one closes the sum.
        """
        A = self.actions
        if A > MOST_ACTIONS:
            raise Failed(f"{A} actions: more vertices than the fast engine enumerates")
        found: list[np.ndarray] = []
        at_upper = np.array(list(itertools.product((False, True), repeat=A - 1)), dtype=bool)
        at_upper = at_upper.reshape(2 ** (A - 1), A - 1)
        for low, up in zip(self.lower, self.upper):
            candidates = []
            for free in range(A):
                rest = [a for a in range(A) if a != free]
                corner = np.zeros((len(at_upper), A))
                corner[:, rest] = np.where(at_upper, up[rest], low[rest])
                corner[:, free] = 1 - corner.sum(1)
                candidates.append(corner[(corner[:, free] >= low[free]) & (corner[:, free] <= up[free])])
            found.append(np.unique(np.concatenate(candidates), axis=0))
            if not len(found[-1]):
                raise Failed("an empty box has no vertices")
        most = max(map(len, found))
        return np.stack([v[np.minimum(np.arange(most), len(v) - 1)] for v in found])

    @cached_property
    def offsets(self) -> np.ndarray:
        """v - c, exact."""
        return self.vertices - self.centre[:, None]

    @cached_property
    def divergence(self) -> np.ndarray:
        """An upper bound of KL(v || c) for every vertex, (classes, vertices)."""
        v = self.vertices
        log_v = log(np.where(v > 0, v, 1.0))
        log_c = self.log_centre.mid[:, None]
        error = log_error(log_v) + log_error(log_c) + slop(self.actions) * (np.abs(log_v) + np.abs(log_c))
        return np.maximum((v * (log_v - log_c)).sum(2) + (v * error).sum(2) * GROW, 0.0) + UNIT

    @cached_property
    def largest_divergence(self) -> float:
        return float(self.divergence.max())


def others_sum(x: np.ndarray) -> np.ndarray:
    """Sum over the other actions, added up afresh for each action (a difference would not be exact)."""
    A = x.shape[1]
    return np.stack([x[:, [b for b in range(A) if b != a]].sum(1) for a in range(A)], axis=1)


def _settle(c: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> None:
    """Moves entries of c within [lower, upper], the largest rooms first, until the sum is 1."""
    missing = 1 - c.sum()
    for a in np.argsort(-(upper - c if missing > 0 else c - lower)):
        if missing > 0:
            change = min(missing, upper[a] - c[a])
        else:
            change = -min(-missing, c[a] - max(lower[a], min(1 / GRID, upper[a])))
        c[a] += change
        missing -= change


def box_of_log_ratios(bounds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Enclosing grid bounds (lower, upper) of the policies with log pi(a) - log pi(b) <= bounds[., a, b].

    `bounds` (classes, actions, actions) may hold +inf (no bound); the diagonal is not read.
    pi(a) <= 1/(1 + sum_b exp(-M_ab)), pi(a) >= 1/(1 + sum_b exp(M_ba)); an exponential is bounded by
    its value at the clipped exponent, below -690 by 0 from below, above 690 by infinity.
    """
    A = bounds.shape[1]
    off = ~np.eye(A, dtype=bool)

    def exponential(x: np.ndarray, up: bool) -> np.ndarray:
        value = exp(np.clip(x, -LARGEST_EXPONENT, LARGEST_EXPONENT))
        value = value * (1 + 2 * EXP_ERROR) if up else value * (1 - 2 * EXP_ERROR)
        outside = x > LARGEST_EXPONENT if up else x < -LARGEST_EXPONENT
        return np.where(off, np.where(outside, np.inf if up else 0.0, value), 0.0)

    slack = (A + 8) * UNIT
    upper = 1 / (1 + exponential(-bounds, up=False).sum(2)) * (1 + slack)
    lower = 1 / (1 + exponential(bounds, up=True).sum(1)) * (1 - slack)
    return np.floor(np.maximum(lower, 0) * GRID) / GRID, np.minimum(np.ceil(upper * GRID) / GRID, 1.0)
