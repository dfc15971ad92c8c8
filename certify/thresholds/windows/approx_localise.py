"""Bounds on log-ratios of stationary policies, window by window (floats, proposals only).

Rule W3 of docs/certificate-windows.md: E[X | x] <= bound for every history x with a given window,
by one recursion backwards along the own symbols of the window; here with a search for the least bound.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from certify.thresholds.windows.approx_values import MOST_VERTICES, Box, best_rows
from certify.thresholds.windows.beliefs import Beliefs, Trail
from certify.thresholds.windows.tables import Level, Tables

TINY = 1e-300
First = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


Partners = np.ndarray | list[tuple[np.ndarray, np.ndarray]]


def others_vertices(level: Level, agent: int, boxes: list[Box]) -> Partners:
    """[joint window of the others, vertex, joint action of the others]: products of their vertices.  Where somebody
    has many actions, per partner the ends of its boxes instead, [joint window, action]."""
    side = level.sides[agent]
    agents = [j for j in range(len(boxes)) if j != agent]
    if max(level.shape) > MOST_VERTICES:
        rows = [
            [{w: k for k, w in enumerate(level.windows[j])}[ws[p]] for ws in side.others] for p, j in enumerate(agents)
        ]
        return [(boxes[j].low[row], boxes[j].high[row]) for j, row in zip(agents, rows, strict=True)]
    result = np.ones((len(side.others), 1, 1))
    for position, j in enumerate(agents):
        index = {w: k for k, w in enumerate(level.windows[j])}
        v = boxes[j].vertices[[index[w[position]] for w in side.others]]
        product = np.einsum("kva,kwb->kvwab", result, v)
        result = product.reshape(len(side.others), product.shape[1] * product.shape[2], -1)
    return result


@dataclass
class Past:
    """What the recursion needs: the tables, the posteriors and, per level and agent, the others' vertices."""

    tables: Tables
    beliefs: Beliefs
    vertices: list[list[Partners]]

    @classmethod
    def of(cls, tables: Tables, beliefs: Beliefs, boxes: list[list[Box]]) -> Past:
        """`boxes[level][agent]`; level 0 has one action."""
        vertices = [
            [others_vertices(level, i, boxes[u]) for i in range(tables.n)] for u, level in enumerate(tables.levels)
        ]
        return cls(tables, beliefs, vertices)

    def renew(self, u: int, boxes: list[Box]) -> None:
        """Take over new boxes of a level."""
        for i in range(self.tables.n):
            self.vertices[u][i] = others_vertices(self.tables.levels[u], i, boxes)

    def choose(self, u: int, i: int, x: np.ndarray) -> np.ndarray:
        """max over the others' policies of sum p x; x [..., others' window, their action]."""
        q = self.vertices[u][i]
        if isinstance(q, list):
            return _nested(q, x, x)[0]
        parts = _parts(x)
        best = _mixed(parts, q, 0)
        for v in range(1, q.shape[1]):
            best = np.maximum(best, _mixed(parts, q, v))
        return best

    def choose_both(self, u: int, i: int, x: np.ndarray, also: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """`choose`, and sum p `also` at the maximising p."""
        return self._choose_both(u, i, _parts(x), _parts(also))

    def _choose_both(
        self, u: int, i: int, x: list[np.ndarray], also: list[np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray]:
        q = self.vertices[u][i]
        if isinstance(q, list):
            both = np.broadcast_arrays(np.stack(x, -1), np.stack(also, -1))
            return _nested(q, both[0], both[1])
        best, chosen = _mixed(x, q, 0), _mixed(also, q, 0)
        for v in range(1, q.shape[1]):
            value = _mixed(x, q, v)
            larger = value > best
            best = np.where(larger, value, best)
            chosen = np.where(larger, _mixed(also, q, v), chosen)
        return best, chosen

    def trail(self, top: int, i: int, lookback: int) -> Trail:
        """The `Trail` of agent i."""
        return self.beliefs.trail(top, i, lookback)

    def averaged(self, top: int, i: int, lookback: int, x: np.ndarray) -> np.ndarray:
        """[end, reachable node, pair, others' action] -> their means [end, pair, start, own window, others' window,
        action] given the window's beginning and the joint symbols."""
        nodes = self.tables.levels[top].sides[i].nodes
        taken = x[:, np.where(nodes >= 0, nodes, 0)]
        return np.einsum("nwos,ewospa->epnwoa", self.trail(top, i, lookback).belief, taken, optimize=True)

    def least(self, top: int, i: int, lookback: tuple[int, int], guess: np.ndarray, first: First) -> np.ndarray:
        """The least bound per leading axes and own window, by Newton's method (from below after one step).

        first(bound) : payoff minus bound, and likelihood, [..., start, own window, others' window], at level
        top - lookback[0]; the recursion goes on to level top - lookback[1].
        """
        trail, bound = self.trail(top, i, lookback[1]), guess
        possible = trail.possible[:, None, :]
        for attempt in range(40):
            x, n = first(bound)
            for steps in range(lookback[0] + 1, lookback[1] + 1):
                x, n = self._choose_both(top - steps, i, *(trail.back[steps - 1].means(y) for y in (x, n)))
            step = np.where(possible & (n > TINY), x / np.maximum(n, TINY), -np.inf).max((-1, -3))
            step = np.where(np.isfinite(step), step, 0.0)
            bound = bound + (step if attempt == 0 else np.maximum(step, 0.0))
            if not (np.abs(step) > 1e-10 * (1 + np.abs(bound))).any():
                break
        return bound

    def least_mean(self, top: int, i: int, lookback: int, value: np.ndarray, guess: np.ndarray | None) -> np.ndarray:
        """The least bounds of E[value | x], value [..., start, own window, others' window] at level `top` itself."""
        together = self.trail(top, i, lookback).together
        if guess is None:
            guess = np.where(together, value, np.inf).min((-1, -3))

        def first(bound: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            here = np.where(together, value - bound[..., None, :, None], 0.0)
            return here, np.broadcast_to(together * 1.0, here.shape)

        return self.least(top, i, (0, lookback), guess, first)

    def least_payoff(self, top: int, i: int, lookback: int, x: np.ndarray, guess: np.ndarray | None) -> np.ndarray:
        """The least bounds of E[x | history], [end, pair, own window]; x [end, node, pair, others' action]."""
        return self.least_mean(top, i, lookback, self.choose(top, i, self.averaged(top, i, lookback, x)), guess)


def _parts(x: np.ndarray) -> list[np.ndarray]:
    """[..., action] -> one array per action: numpy sums short last axes slowly."""
    return [np.ascontiguousarray(x[..., a]) for a in range(x.shape[-1])]


def _mixed(x: list[np.ndarray], q: np.ndarray, v: int) -> np.ndarray:
    """Sum over actions of vertex v of q [others' window, vertex, action] times x."""
    found = x[0] * q[:, v, 0]
    for a in range(1, len(x)):
        found += x[a] * q[:, v, a]
    return found


def _nested(q: list[tuple[np.ndarray, np.ndarray]], x: np.ndarray, also: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The largest sum p x and sum p `also`, partner by partner from the last on, each as if it knew what those before
    it do."""
    sizes = [low.shape[-1] for low, _ in q]
    x, also = (y.reshape(*y.shape[:-1], *sizes) for y in (x, also))
    for position, ends in reversed(list(enumerate(q))):
        low, high = (y.reshape(len(y), *(1,) * position, -1) for y in ends)
        p = best_rows(low, high, x)
        x, also = (p * x).sum(-1), (p * also).sum(-1)
    return x, also


def by_agent(level: Level, agent: int, u: np.ndarray) -> np.ndarray:
    """[end, node, joint action] -> [end, node, own action, others' joint action]."""
    x = np.moveaxis(u.reshape(*u.shape[:2], *level.shape), 2 + agent, 2)
    return x.reshape(*x.shape[:3], -1)


def pairs_of(actions: int) -> tuple[list[int], list[int], list[int]]:
    """The ordered pairs (a, b), a != b, a major: all a, all b, and where (b, a) stands."""
    pairs = [(a, b) for a in range(actions) for b in range(actions) if a != b]
    return [a for a, _ in pairs], [b for _, b in pairs], [pairs.index((b, a)) for a, b in pairs]


def direct_payoff(level: Level, agent: int, high: np.ndarray, low: np.ndarray) -> np.ndarray:
    """X1: upper U(a) minus lower U(b), [end, reachable node, pair, others' actions]."""
    first, second, _ = pairs_of(level.shape[agent])
    up, down = (by_agent(level, agent, x[:, : level.reachable]) for x in (high, low))
    return up[:, :, first] - down[:, :, second]


def mimic_payoff(
    level: Level, agent: int, beta: np.ndarray, gamma: float, later_high: np.ndarray, later_low: np.ndarray
) -> np.ndarray:
    """X2: after b, play on as if it had been a; [end, reachable node, pair, others' actions]."""
    first, second, _ = pairs_of(level.shape[agent])
    reward = by_agent(level, agent, (beta[:, None, None] * level.reward + level.tilt)[:, : level.reachable])
    links = level.sides[agent].mimic
    assert links is not None
    change = links.change(later_high, later_low)
    return reward[:, :, first] - reward[:, :, second] + gamma * np.moveaxis(change, 1, 2)
