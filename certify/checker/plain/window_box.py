"""Boxes of one window's probabilities in whole numbers, for proofs by windows (docs/certificate-windows.md): their
vertices, bounds of entropies in them, sums that they bound from above.

A probability n stands for n 2^-PLACES, any other value for n 2^-BITS.  Standard library only.
"""

from __future__ import annotations

import itertools
from functools import cached_property

from certify.checker.numbers.fixed_point import (
    BITS,
    LARGEST_EXPONENT,
    ONE,
    ceil_div,
    ceil_shift,
    exp_bounds,
    log_bounds,
)
from certify.checker.reading.windows import Level

PLACES = 40  # boxes lie on the grid of 2^-PLACES
WHOLE = 1 << PLACES


class Vertex:
    """A vertex of box and simplex: `chances` in units of 2^-PLACES, `linear` an upper and `entropy` a lower bound of
    its entropy."""

    def __init__(self, chances: tuple[int, ...], linear: list[int]) -> None:
        self.chances = chances
        self.linear = ceil_shift(sum(c * x for c, x in zip(chances, linear, strict=True)), PLACES)
        self.entropy = sum(-c * log_bounds(c << (BITS - PLACES))[1] >> PLACES for c in chances if c)


class Box:
    """low <= pi <= high for one window, whole numbers in units of 2^-PLACES."""

    def __init__(self, low: list[int], high: list[int]) -> None:
        self.low, self.high = low, high

    @cached_property
    def logs(self) -> list[int]:
        """At least -log c for a positive vector c of sum at most 1 near the middle of the box."""
        room = sum(h - lo for lo, h in zip(self.low, self.high, strict=True))
        left = WHOLE - sum(self.low)
        centre = [lo + (left * (h - lo) // room if room else 0) for lo, h in zip(self.low, self.high, strict=True)]
        centre = [max(1, c - 1) for c in centre]
        while sum(centre) > WHOLE:  # a subdistribution is needed
            centre = [max(1, c - len(centre)) for c in centre]
        return [-log_bounds(c << (BITS - PLACES))[0] for c in centre]

    @cached_property
    def chords(self) -> list[tuple[int, int]]:
        """Per action (k, slope) with -p log p >= k + slope p in the box: concave, so it is enough at both ends."""
        found = []
        for ends in zip(self.low, self.high, strict=True):
            first, last = (-c * log_bounds(c << (BITS - PLACES))[1] >> PLACES if c else 0 for c in ends)
            slope = ((last - first) << PLACES) // max(ends[1] - ends[0], 1)
            found.append(
                (min(h - ceil_shift(slope * c, PLACES) for h, c in zip((first, last), ends, strict=True)), slope)
            )
        return found

    def filled(self, more: list[int], x: list[int]) -> list[int]:
        """At least the largest sum p (x + more), one for each part of x with all actions: filled up from `low`, the
        best actions first."""
        found = []
        for start in range(0, len(x), len(more)):
            y = [a + b for a, b in zip(x[start : start + len(more)], more, strict=True)]
            total, rest = sum(p * v for p, v in zip(self.low, y, strict=True)), WHOLE - sum(self.low)
            for a in sorted(range(len(y)), key=y.__getitem__, reverse=True):
                step = min(self.high[a] - self.low[a], rest)
                total, rest = total + step * y[a], rest - step
            found.append(ceil_shift(total, PLACES))
        return found

    @cached_property
    def vertices(self) -> list[Vertex]:
        """All vertices of box and simplex, filled up from `low` in every order of the actions."""
        found = set()
        for order in itertools.permutations(range(len(self.low))):
            p, rest = list(self.low), WHOLE - sum(self.low)
            for a in order:
                step = min(self.high[a] - self.low[a], rest)
                p[a] += step
                rest -= step
            found.add(tuple(p))
        return [Vertex(p, self.logs) for p in sorted(found)]

    def shrunk(self, bounds: dict[tuple[int, int], int]) -> Box:
        """With log pi(a) - log pi(b) <= bounds[a, b] where there is one (rule W3)."""
        actions = range(len(self.low))
        low, high = list(self.low), list(self.high)
        limit = LARGEST_EXPONENT * ONE
        for a in actions:
            small = sum(
                exp_bounds(min(limit, -bounds[a, b]))[0]
                for b in actions
                if b != a and bounds.get((a, b), limit) < limit
            )
            high[a] = min(high[a], ceil_div(ONE << PLACES, ONE + small))
            rest = [b for b in actions if b != a and high[b]]  # the others that are played
            if all(bounds.get((b, a), limit) < limit for b in rest):
                large = sum(exp_bounds(bounds[b, a])[1] for b in rest)
                low[a] = max(low[a], (ONE << PLACES) // (ONE + large))
        for _ in range(2):
            low = [max(lo, WHOLE - sum(high) + high[a]) for a, lo in enumerate(low)]
            high = [min(h, WHOLE - sum(low) + low[a]) for a, h in enumerate(high)]
        return Box(low, high)

    def empty(self) -> bool:
        """Whether it holds no distribution."""
        crossed = any(lo > h for lo, h in zip(self.low, self.high, strict=True))
        return crossed or not sum(self.low) <= WHOLE <= sum(self.high)

    @property
    def choice(self) -> bool:
        """Whether more than one action is played."""
        return sum(map(bool, self.high)) > 1

    def largest_product(self) -> int:
        """At least p (1 - p), p the probability of a set of actions, in units of 2^-2 PLACES: p or 1 - p is at least
        the largest lower end."""
        p = max(WHOLE // 2, *self.low)
        return p * (WHOLE - p)

    def products(self, pairs: list[tuple[int, int]]) -> list[int]:
        """At least pi(a) pi(b) per pair, in units of 2^-2 PLACES."""
        return [min(self.high[a] * self.high[b], self.largest_product()) for a, b in pairs]


def whole(level: Level, i: int) -> list[Box]:
    """Boxes of every legal policy where histories are, of the uniform one, up to the grid, elsewhere."""
    found = []
    for w, row in enumerate(level.rows[i]):
        count = sum(map(bool, row))
        ends = (0, WHOLE) if w < level.used[i] and count > 1 else (WHOLE // count, ceil_div(WHOLE, count))
        found.append(Box(*([end if p else 0 for p in row] for end in ends)))
    return found


def nested(boxes: list[Box], x: list[int]) -> int:
    """At least the largest sum p x over policies in the boxes, x over joint actions: agent by agent from the last on,
    each as if it knew what those before it do; of one agent exact but for rounding."""
    for box in reversed(boxes):
        x = box.filled([0] * len(box.low), x)
    return x[0]
