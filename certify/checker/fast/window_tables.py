"""Chances of proofs by windows as padded arrays of floats (docs/certificate-windows.md)."""

from __future__ import annotations

import itertools
from fractions import Fraction
from typing import Any

import numpy as np

from certify.checker.fast.numbers import LARGEST_NUMBER, SMALLEST_CHANCE, inflated
from certify.checker.reading.envelope import Failed
from certify.checker.reading.windows import Trail, WindowProcess


def as_float(x: Fraction) -> float:
    """The nearest float; `Failed` where sums and products could overflow, or vanish and so prove anything."""
    if x and not SMALLEST_CHANCE <= abs(x) <= LARGEST_NUMBER:
        raise Failed(f"a number that is not between {SMALLEST_CHANCE} and {LARGEST_NUMBER}, which floats do not hold")
    return float(x)


class Links:
    """Sums over what may follow, padded with chance 0."""

    def __init__(self, shape: tuple[int, ...], rows: list[list[tuple[int, Fraction]]]) -> None:
        self.width = max([1, *map(len, rows)])
        target, chance = np.zeros((len(rows), self.width), dtype=np.int64), np.zeros((len(rows), self.width))
        for k, row in enumerate(rows):
            for b, (to, p) in enumerate(row):
                target[k, b], chance[k, b] = to, as_float(p)
        self.target, self.chance = target.reshape(*shape, self.width), chance.reshape(*shape, self.width)

    def mean(self, x: np.ndarray) -> np.ndarray:
        """Upper bound of the sums of chance (nonnegative) times x [..., target]."""
        return np.einsum("...b,...b->...", self.chance, inflated(x, self.width)[..., self.target])


def links(exact: list) -> Links:
    """`Links` of lists nested to the depth of (first, second[, third]) with rows of (target, chance)."""
    shape, rows = [len(exact)], exact
    while rows and rows[0] and isinstance(rows[0][0], list):
        shape.append(len(rows[0]))
        rows = [part for row in rows for part in row]
    return Links(tuple(shape), rows)


class FloatTrail:
    """A `Trail` in floats: belief [start, own, others, state], chance per level [start, own, others, action, slot]."""

    def __init__(self, exact: Trail, process: WindowProcess, u: int, i: int, lookback: int) -> None:
        level = process.levels[u]
        starts, own, others = len(exact.starts), level.used[i], len(level.others[i])
        which = {s: k for k, s in enumerate(level.states)}
        self.belief = np.zeros((starts, own, others, len(level.states)))
        self.nodes = np.zeros((own, others, len(level.states)), dtype=np.int64)
        for w, o in itertools.product(range(own), range(others)):
            windows = level.others[i][o]
            joint = (*windows[:i], level.windows[i][w], *windows[i:])
            for s, k in which.items():
                node = level.index.get((s, joint), 0)
                self.nodes[w, o, k] = node if node < level.reachable else 0
        for (n, w, o), chances in _entries(exact.belief, 3):
            for s, b in chances.items():
                self.belief[n, w, o, which[s]] = as_float(b)
        self.together = self.belief.sum(-1) > 0
        self.chance, self.slot = [], []
        for steps, table in enumerate(exact.back):
            before = process.levels[u - steps - 1]
            shape = (len(before.others[i]), len(process.others_actions(u - steps - 1, i)))
            slots: dict[tuple[int, int], dict[int, int]] = {}
            for (_, _, o, c), row in _entries(table, 4):
                place = slots.setdefault((o, c), {})
                for to in row:
                    place.setdefault(to, len(place))
            depth = max([1, *map(len, slots.values())])
            slot = np.zeros((*shape, depth), dtype=np.int64)
            chance = np.zeros((starts, own, *shape, depth))
            for (o, c), place in slots.items():
                for to, d in place.items():
                    slot[o, c, d] = to
            for (n, w, o, c), row in _entries(table, 4):
                for to, p in row.items():
                    chance[n, w, o, c, slots[o, c][to]] = as_float(p)
            self.chance.append(chance)
            self.slot.append(slot)
        self.possible = np.zeros((starts, len(process.levels[u - lookback].others[i])), dtype=bool)
        for n, o in exact.possible:
            self.possible[n, o] = True

    def averaged(self, x: np.ndarray) -> np.ndarray:
        """Upper bounds of means: [end, node, pair, action] -> [end, pair, start, own, others, action]."""
        taken = inflated(x, self.belief.shape[-1])[:, self.nodes]
        return np.einsum("nwos,ewospa->epnwoa", self.belief, taken)


def _entries(nested: list, depth: int) -> Any:
    """(indices, item) of lists nested `depth` deep."""
    if depth == 0:
        yield (), nested
        return
    for k, part in enumerate(nested):
        for place, item in _entries(part, depth - 1):
            yield (k, *place), item
