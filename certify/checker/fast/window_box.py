"""Boxes of the probabilities at all windows of one agent at one level, in floats on a grid, for proofs by windows
(docs/certificate-windows.md).
"""

from __future__ import annotations

import itertools

import numpy as np

from certify.checker.fast.numbers import EXP_ERROR, UNIT, exp, inflated, log, log_error
from certify.checker.reading.windows import MAX_VERTEX_ACTIONS, Level

GRID = 2.0**-40  # ends of boxes are multiples: sums and differences of them are exact
LEAST = 2.0**-60  # of a probability in a centre


class Box:
    """low <= pi <= high per window on the grid, and what is needed of it: exact vertices, an upper bound `linear` of
    the entropy and a lower bound `entropy`, both per vertex, and bounds of p (1 - p)."""

    def __init__(self, low: np.ndarray, high: np.ndarray) -> None:
        self.low, self.high = low, high
        width = (high - low).sum(1, keepdims=True)
        share = np.clip((1 - low.sum(1, keepdims=True)) / np.maximum(width, GRID), 0, 1)
        centre = np.maximum(low + share * (high - low), LEAST)
        centre = centre / (centre.sum(1, keepdims=True) * (1 + 2.0**-40))  # positive, sum at most 1
        logs = log(centre)
        self.logs = inflated(-logs + log_error(logs), 1)
        if low.shape[1] <= MAX_VERTEX_ACTIONS:
            self.vertices = _vertices(low, high)
            self.linear = np.einsum("wva,wa->wv", self.vertices, inflated(self.logs, low.shape[1]))
            self.entropy = -inflated(_of_entropy(self.vertices).sum(-1), low.shape[1])
        # -p log p is concave: at least fixed + slope p if that holds at both ends of the box
        first, last = -_of_entropy(low), -_of_entropy(high)
        self.slope = (last - first) / np.maximum(high - low, GRID)
        least = np.minimum(first - self.slope * low, last - self.slope * high)
        least = least - 16 * UNIT * (np.abs(first) + np.abs(last) + np.abs(self.slope))
        self.fixed = -inflated(-least, low.shape[1] + 2).sum(-1)
        # a set of actions, or the others, has at least the probability of the most probable one
        middle = np.maximum(0.5, low.max(1))
        self.largest_product = middle * (1 - middle) * (1 + 4 * UNIT)

    @classmethod
    def whole(cls, level: Level, i: int) -> Box:
        """Every legal policy where histories are, the uniform one, up to the grid, elsewhere."""
        legal = np.array([[p > 0 for p in row] for row in level.rows[i]])
        share = legal / legal.sum(1, keepdims=True)
        low, high = np.floor(share / GRID) * GRID, np.ceil(share / GRID) * GRID
        free = (legal.sum(1) > 1) & (np.arange(len(legal)) < level.used[i])
        low[free], high[free] = 0.0, legal[free]
        return cls(low, high)

    def shrunk(self, bound: np.ndarray) -> Box:
        """With log pi(a) - log pi(b) <= bound[w, a, b] (inf: none) at the first windows (rule W3)."""
        used, actions = len(bound), bound.shape[1]
        off = ~np.eye(actions, dtype=bool)
        finite = np.isfinite(bound)
        small = np.where(off & finite, exp(np.where(finite, -bound, 0.0)), 0.0)
        played = off & (self.high[:used, :, None] > 0)
        large = np.where(played, np.where(finite, exp(np.where(finite, bound, 0.0)), np.inf), 0.0)
        high = 1 / (1 + small.sum(-1) * (1 - 2 * EXP_ERROR))
        with np.errstate(over="ignore"):
            low = 1 / (1 + np.swapaxes(large, -1, -2).sum(-1) * (1 + 2 * EXP_ERROR))
        # off by less than 2^-45 each: a grid step has room for 2^-5 of one
        low = np.maximum(self.low[:used], np.floor(np.maximum(low / GRID - 2.0**-5, 0)) * GRID)
        high = np.minimum(self.high[:used], np.ceil(high / GRID + 2.0**-5) * GRID)
        for _ in range(2):
            low = np.maximum(low, 1 - (high.sum(-1, keepdims=True) - high))
            high = np.minimum(high, 1 - (low.sum(-1, keepdims=True) - low))
        return Box(np.concatenate([low, self.low[used:]]), np.concatenate([high, self.high[used:]]))

    def empty(self) -> bool:
        return bool((self.low > self.high).any() or (self.low.sum(1) > 1).any() or (self.high.sum(1) < 1).any())


def _of_entropy(p: np.ndarray) -> np.ndarray:
    """Upper bounds of p log p."""
    logs = log(np.where(p > 0, p, 1.0))
    return inflated(inflated(logs + log_error(logs), 1) * p, 1)


def filled(low: np.ndarray, high: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Upper bound of the largest sum p x along the last axis, low <= p <= high of sum 1: filled up from `low`, the best
    actions first.  p is exact, on the grid."""
    x = inflated(x, x.shape[-1])
    order = np.argsort(-x, axis=-1)
    room = 1 - low.sum(-1, keepdims=True)
    low, width, x = (np.take_along_axis(np.broadcast_to(y, x.shape), order, -1) for y in (low, high - low, x))
    p = low + np.clip(room - (np.cumsum(width, -1) - width), 0, width)
    found: np.ndarray = (p * x).sum(-1)
    return found


def _vertices(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """[window, vertex, action], exact: filled up from `low` in every order of the actions; some occur twice."""
    found = []
    for order in itertools.permutations(range(low.shape[1])):
        p, rest = low.copy(), 1 - low.sum(1)
        for a in order:
            step = np.minimum(high[:, a] - low[:, a], rest)
            p[:, a] += step
            rest = rest - step
        found.append(p)
    stacked = np.stack(found, 1)
    if low.shape[1] <= 2:
        return stacked
    distinct = [np.unique(v, axis=0) for v in stacked]
    most = max(map(len, distinct))
    return np.stack([np.concatenate([v, np.repeat(v[:1], most - len(v), 0)]) for v in distinct])
