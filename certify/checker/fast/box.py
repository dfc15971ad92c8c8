"""Boxes of policies on the grid 2^-52 (docs/certificate-format.md, 4.2 to 4.4): bounds, centres and
vertices are multiples of 2^-52 in [0, 1], so every sum of a distribution is exact in float64 and no
policy carries an error.  A `BlockBox` holds all classes of one agent at one depth and is immutable.
"""

from __future__ import annotations

import functools
import itertools
from fractions import Fraction
from functools import cached_property

import numpy as np

from certify.checker.fast.numbers import EXP_ERROR, GROW, LARGEST_EXPONENT, UNIT, Ball, exp, log, log_error, slop
from certify.checker.reading.envelope import Failed

GRID = 2.0**52
MOST_ACTIONS = 16  # of a block whose vertices are enumerated
CORNERS = 2**19  # tried in one go


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
        """The number of actions."""
        return self.lower.shape[1]

    @classmethod
    def whole(cls, classes: int, actions: int) -> BlockBox:
        """The whole policy space of a block list."""
        one = np.ones((classes, actions))
        return cls(one if actions == 1 else np.zeros((classes, actions)), np.ones((classes, actions)))

    @cached_property
    def empty(self) -> bool:
        """Whether some class's box holds no distribution.

        Sums of multiples of 2^-52 are exact up to 2, and beyond 2 rounding cannot bring them back.
        """
        one = _ones(self.actions)
        return bool(
            np.count_nonzero(self.lower > self.upper) or self.lower.dot(one).max() > 1 or self.upper.dot(one).min() < 1
        )

    def intersected(self, lower: np.ndarray, upper: np.ndarray) -> BlockBox:
        """The box cut with [lower, upper], then twice l_a = max(l_a, 1 - sum of the other u), u_a alike.

        Sums over the other actions are added up afresh for each action: a difference would not be exact.
        """
        one, others = _ones(self.actions), _others(self.actions)
        lower, upper = np.maximum(self.lower, lower), np.minimum(self.upper, upper)
        for _ in range(2):
            lower = np.maximum(lower, one - upper.dot(others))
            upper = np.minimum(upper, one - lower.dot(others))
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
        c = _settled(np.where((c == 0) & (self.upper > 0), 1 / GRID, c), self.lower, self.upper)
        if not ((c.sum(1) == 1) & (c > 0).all(1) & (c >= self.lower).all(1) & (c <= self.upper).all(1)).all():
            raise Failed("a box on the boundary of the policy space has no centre with full support")
        return c

    @cached_property
    def pinned(self) -> BlockBox:
        """The box that holds the centre alone: its own centre, and its only vertex."""
        return BlockBox(self.centre, self.centre)

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
        """The vertices of box and simplex, (classes, vertices, actions), the last repeated where a class has fewer."""
        if self.actions > MOST_ACTIONS:
            raise Failed(f"{self.actions} actions: more vertices than the fast engine enumerates")
        size = max(1, CORNERS // 2**self.actions)
        found = [_vertices(self.lower[k : k + size], self.upper[k : k + size]) for k in range(0, len(self.lower), size)]
        counts = np.concatenate([c for c, _ in found])
        if not counts.all():
            raise Failed("an empty box has no vertices")
        first = np.cumsum(counts) - counts
        return np.concatenate([v for _, v in found])[
            first[:, None] + np.minimum(np.arange(counts.max())[None], counts[:, None] - 1)
        ]

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
    def largest_divergence(self) -> np.ndarray:
        """The largest of every class."""
        return self.divergence.max(1)


@functools.cache
def _ones(A: int) -> np.ndarray:
    return np.ones(A)


@functools.cache
def _others(A: int) -> np.ndarray:
    return 1.0 - np.eye(A)


def _vertices(lower: np.ndarray, upper: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How many vertices every class has, and all of them, class by class.

    At a vertex all coordinates but one (`free`) are at an end and the free one closes the sum.  To meet each
    once: a vertex with every coordinate at an end counts for free = 0, a coordinate with equal ends as lower.
    """
    A = lower.shape[1]
    at_upper = np.array(list(itertools.product((False, True), repeat=A - 1)), dtype=bool).reshape(2 ** (A - 1), A - 1)
    classes, found = [], []
    for free in range(A):
        rest = [a for a in range(A) if a != free]
        low, up = lower[:, None, rest], upper[:, None, rest]
        corner = np.where(at_upper, up, low)
        last = 1 - corner.sum(2)
        below, above = lower[:, free, None], upper[:, free, None]
        counts = (below <= last) & (last <= above) if free == 0 else (below < last) & (last < above)
        counts &= ~(at_upper & (low == up)).any(2)
        k, which = np.nonzero(counts)
        vertex = np.empty((len(k), A))
        vertex[:, rest], vertex[:, free] = corner[k, which], last[k, which]
        classes.append(k)
        found.append(vertex)
    k = np.concatenate(classes)
    return np.bincount(k, minlength=len(lower)), np.concatenate(found)[np.argsort(k, kind="stable")]


def _settled(c: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> np.ndarray:
    """c with entries moved within [lower, upper], the largest rooms first, until the sums are 1."""
    missing = 1 - c.sum(1)
    up, down = upper - c, c - np.maximum(lower, np.minimum(1 / GRID, upper))
    order = np.argsort(-np.where(missing[:, None] > 0, up, c - lower), axis=1)
    rows = np.arange(len(c))
    for a in order.T:
        change = np.where(missing > 0, np.minimum(missing, up[rows, a]), -np.minimum(-missing, down[rows, a]))
        c[rows, a] += change
        missing -= change
    return c


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
