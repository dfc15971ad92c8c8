"""Bounds of values and log-ratios by windows in float64 with proved error bounds: rules W1 to W3
(docs/certificate-windows.md).

Only upper bounds are computed: a lower bound is minus an upper bound of the negative.  `inflated`
pays for rounding: a float sum of nonnegative float weights times inflated numbers is an
upper bound of the exact sum.  Weights carry a few relative roundings of their own, for which `inflated`
has room.  Arrays begin with the ends of the interval of beta.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from certify.checker.fast.numbers import EXP_ERROR, MOST_AGENTS, UNIT, exp, inflated, log, log_error, slop
from certify.checker.fast.window_box import Box, filled
from certify.checker.fast.window_tables import FloatTrail, as_float, links
from certify.checker.reading.envelope import Failed
from certify.checker.reading.windows import Level, WindowProcess

LARGEST = 600.0  # a log-ratio bound beyond is none


class WindowBounds:
    """Boxes of policies that shrink: `begin` a node, then `step` by step.  Raises `Failed`."""

    def __init__(self, process: WindowProcess, unit: int) -> None:
        self.process, self.scale = process, 2.0**unit
        self._tables: dict[Any, Any] = {}
        self._kept: list[Any] = []  # keeps what `_tables` is keyed by alive

    # Tables in floats ------------------------------------------------------------------------

    def _table(self, exact: Any, make: Any) -> Any:
        if id(exact) not in self._tables:
            self._kept.append(exact)
            self._tables[id(exact)] = make(exact)
        return self._tables[id(exact)]

    def _trail(self, u: int, i: int, lookback: int) -> FloatTrail:
        trail = self.process.trail(u, i, lookback)
        found: FloatTrail = self._table(trail, lambda t: FloatTrail(t, self.process, u, i, lookback))
        return found

    # The walk --------------------------------------------------------------------------------

    def begin(self, low: Fraction, high: Fraction) -> None:
        """The whole policy space for beta in [low, high]."""
        p = self.process
        if p.n > MOST_AGENTS:
            raise Failed(f"more than {MOST_AGENTS} agents")
        self.weights = [as_float(w) for w in p.game.weights]
        self.pays = [w * p.game.flows_back for w in self.weights]  # for entropy, in values
        self.gamma = as_float(p.game.discount)
        self.ends = [low] if low == high else [low, high]
        self.rewards: dict[int, tuple[np.ndarray, np.ndarray]] = {}  # by level
        self.boxes = [[Box.whole(level, i) for i in range(p.n)] for level in p.levels]
        self.vertices: dict[tuple[int, int], np.ndarray] = {}
        self.values: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        self.ahead: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    def step(self, i: int, depth: int, bounds: list[list[int | None]], mimic: list[list[bool]]) -> None:
        """Rule W3: verify log-ratio bounds of agent i, then shrink its boxes."""
        u = depth + 1
        level = self.process.levels[u]
        first, second, _ = pairs_of(level.shape[i])
        numbers = np.array([[np.inf if m is None else m for m in row] for row in bounds], dtype=float) * self.scale
        numbers[numbers > LARGEST] = np.inf
        numbers = np.maximum(numbers, -LARGEST)
        form = np.array(mimic, dtype=bool)
        wanted = np.isfinite(numbers)
        target = np.where(wanted, numbers, 0.0) * self.weights[i]
        target = (target - 4 * UNIT * np.abs(target)).T  # [pair, window]
        for chosen, payoff in ((~form & wanted, self._direct), (form & wanted, self._mimic)):
            if chosen.any():
                x = payoff(u, i)
                verified = self._mean_below(u, i, self.process.lookback(u), self._best(u, i, x), target)
                failed = (~verified).any(0) & chosen.T
                if failed.any():
                    pair, window = np.argwhere(failed)[0]
                    raise Failed(
                        "a bound on a log-ratio is not proved",
                        agent=i,
                        depth=depth,
                        window=int(window),
                        actions=[first[pair], second[pair]],
                    )
        matrix = np.zeros((len(numbers), level.shape[i], level.shape[i]))
        matrix[:, first, second] = numbers
        self.boxes[u][i] = self.boxes[u][i].shrunk(matrix)
        if self.boxes[u][i].empty():
            raise Failed("a box without policies", agent=i, depth=depth)
        for j in range(self.process.n):
            self.vertices.pop((u, j), None)
        for v in range(u, 0, -1):
            self.values.pop(v, None)
            self.ahead.pop(v - 1, None)

    # Values (W1, W2) -------------------------------------------------------------------------

    def _rewards(self, u: int) -> tuple[np.ndarray, np.ndarray]:
        """Upper bounds of what a step pays and of its negative: [end, node, joint action]."""
        level = self.process.levels[u]
        if id(level) not in self.rewards:
            rewards = self.process.rewards
            found = np.array(
                [
                    [[(as_float(y), as_float(-x)) for x, y in rewards(level, e, beta)] for e in level.nodes]
                    for beta in self.ends
                ]
            )
            self.rewards[id(level)] = inflated(found[..., 0], 1), inflated(found[..., 1], 1)
        return self.rewards[id(level)]

    def _ahead(self, u: int) -> tuple[np.ndarray, np.ndarray]:
        """Upper bounds of U and of -U: [end, node, joint action]."""
        if u not in self.ahead:
            self.ahead[u] = self._rewards(u)
            if u < self.process.game.horizon:
                self.ahead[u] = self._led(u, self._later(u))
        return self.ahead[u]

    def _led(self, u: int, later: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """`_ahead` for bounds of what is worth one step later."""
        follow = self._table(self.process.follow(u), links)
        high, low = (
            inflated(r + inflated(self.gamma * follow.mean(v), 3), 1)
            for r, v in zip(self._rewards(u), later, strict=True)
        )
        return high, low

    def _later(self, u: int) -> tuple[np.ndarray, np.ndarray]:
        """Upper bounds of V and of -V one step after level u: [end, node]."""
        return self._values(u + 1)

    def _values(self, u: int) -> tuple[np.ndarray, np.ndarray]:
        """Upper bounds of V and of -V: [end, node]."""
        if u not in self.values:
            self.values[u] = self._worth(u, self.boxes[u], self._ahead(u))
        return self.values[u]

    def _worth(self, u: int, boxes: list[Box], ahead: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """`_values` for boxes of level u and bounds of U."""
        level = self.process.levels[u]
        count = len(level.nodes)
        result = []
        allowed = np.ones((count, 1))
        for i, box in enumerate(boxes):
            w = [level.place[i][ws[i]] for _, ws in level.nodes]
            allowed = (allowed[:, :, None] * (box.high[w] > 0)[:, None, :]).reshape(count, -1)
        for x, upper in zip(ahead, (True, False), strict=True):
            bound = (self._nested_values if level.nested else self._vertex_values)(u, boxes, x, upper)
            result.append(np.minimum(bound, self._soft(x, allowed)) if upper else bound)
        return result[0], result[1]

    def _vertex_values(self, u: int, boxes: list[Box], x: np.ndarray, upper: bool) -> np.ndarray:
        """Upper bound of V, or of -V, over products of vertices."""
        level = self.process.levels[u]
        count = len(level.nodes)
        x, more = x.reshape(*x.shape[:2], 1, *level.shape), np.zeros((count, 1))
        for i, box in enumerate(boxes):
            w = np.array([level.place[i][ws[i]] for _, ws in level.nodes])
            x = np.einsum("nva,enca...->envc...", box.vertices[w], inflated(x, level.shape[i]))
            x = x.reshape(x.shape[0], count, -1, *level.shape[i + 1 :])
            extra = inflated((box.linear if upper else -box.entropy) * self.pays[i], 2)[w]
            more = inflated(extra[:, :, None] + more[:, None, :], 1).reshape(count, -1)
        found: np.ndarray = inflated(x + more, 1).max(-1)
        return found

    def _soft(self, x: np.ndarray, allowed: np.ndarray) -> np.ndarray:
        """Upper bound of w log sum exp(x / w) over the joint actions that boxes allow, w at least every weight."""
        w = max(self.weights) * (1 + 2 * UNIT)
        top = x.max(-1, keepdims=True)
        z = np.maximum((x - top) / w, -LARGEST) * (1 - 4 * UNIT)
        total = (exp(z) * allowed).sum(-1) * (1 + 2 * EXP_ERROR + slop(x.shape[-1]))
        logs = log(total)
        return inflated(top[..., 0] + inflated((logs + log_error(logs)) * w, 3), 1)

    def _nested_values(self, u: int, boxes: list[Box], x: np.ndarray, upper: bool) -> np.ndarray:
        """The same agent by agent from the last one on."""
        level = self.process.levels[u]
        x = x.reshape(*x.shape[:2], *level.shape)
        for i in reversed(range(self.process.n)):
            box, w = boxes[i], np.array([level.place[i][ws[i]] for _, ws in level.nodes])
            slope, fixed = (box.logs, 0.0 * box.fixed) if upper else (-box.slope, -box.fixed)
            shape = (1, len(w), *(1,) * (x.ndim - 3), -1)
            x = inflated(x + inflated(self.pays[i] * slope, 2)[w].reshape(shape), 1)
            x = filled(box.low[w].reshape(shape), box.high[w].reshape(shape), x)
            x = inflated(x + inflated(self.pays[i] * fixed, 2)[w].reshape(shape[:-1]), 1)
        return x

    # Payoffs ---------------------------------------------------------------------------------

    def _direct(self, u: int, i: int) -> np.ndarray:
        """X1: upper U(a) - lower U(b), [end, reachable node, pair, others' action]."""
        level = self.process.levels[u]
        first, second, _ = pairs_of(level.shape[i])
        up, down = (_by_agent(level, i, x[:, : level.reachable]) for x in self._ahead(u))
        return inflated(up[:, :, first] + down[:, :, second], 1)

    def _mimic(self, u: int, i: int) -> np.ndarray:
        """X2: reward difference and the change of what comes next, own windows remembering a."""
        level = self.process.levels[u]
        first, second, _ = pairs_of(level.shape[i])
        up, down = (_by_agent(level, i, x[:, : level.reachable]) for x in self._rewards(u))
        result = inflated(up[:, :, first] + down[:, :, second], 1)
        if u < self.process.game.horizon:
            change = self._table(self.process.mimic(u, i), links)  # [pair, node, others' action]
            up, down = (inflated(v, change.width + 2)[..., change.target] for v in self._later(u))
            more = (np.abs(change.chance) * np.where(change.chance > 0, up, down)).sum(-1)
            result = inflated(result + inflated(self.gamma * np.moveaxis(more, 1, 2), 3), 1)
        return result

    # The recursion (W3) ----------------------------------------------------------------------

    def _others(self, u: int, i: int) -> np.ndarray:
        """[others' windows, vertex, their joint action]: products of vertices."""
        if (u, i) not in self.vertices:
            level = self.process.levels[u]
            agents = [j for j in range(self.process.n) if j != i]
            q = np.ones((len(level.others[i]), 1, 1))
            for position, j in enumerate(agents):
                v = self.boxes[u][j].vertices[[level.place[j][ws[position]] for ws in level.others[i]]]
                q = np.einsum("kva,kwb->kvwab", q, v).reshape(len(q), q.shape[1] * v.shape[1], -1)
            self.vertices[u, i] = q
        return self.vertices[u, i]

    def _choose(self, u: int, i: int, x: np.ndarray) -> np.ndarray:
        """Upper bound of max over the others' policies of sum p x; x [..., others' windows, action]."""
        level = self.process.levels[u]
        if level.nested:
            agents = [j for j in range(self.process.n) if j != i]
            x = x.reshape(*x.shape[:-1], *(level.shape[j] for j in agents))
            for position, j in reversed(list(enumerate(agents))):
                w = [level.place[j][ws[position]] for ws in level.others[i]]
                shape = (len(w), *(1,) * position, -1)
                x = filled(self.boxes[u][j].low[w].reshape(shape), self.boxes[u][j].high[w].reshape(shape), x)
            return x
        q = self._others(u, i)
        return np.einsum("...oa,ova->...ov", inflated(x, q.shape[-1] + self.process.n), q).max(-1)

    def _best(self, u: int, i: int, x: np.ndarray) -> np.ndarray:
        """Given start and joint symbols, the largest mean over policies: [end, pair, start, own, others]."""
        trail = self._trail(u, i, self.process.lookback(u))
        return self._choose(u, i, trail.averaged(x))

    def _mean_below(self, u: int, i: int, lookback: int, value: np.ndarray, target: np.ndarray) -> np.ndarray:
        """Whether E[value | x] <= target is proved, [..., window]; value [.., start, own, others]."""
        trail = self._trail(u, i, lookback)
        x = inflated(value, 1) - target[..., None, :, None]
        return self._walked(u, i, trail, np.where(trail.together, inflated(x, 1), 0.0), 0)

    def _walked(self, u: int, i: int, trail: FloatTrail, x: np.ndarray, done: int) -> np.ndarray:
        for steps in range(done, len(trail.chance)):
            chance, slot = trail.chance[steps], trail.slot[steps]
            x = np.einsum("nwoad,...nwoad->...nwoa", chance, inflated(x, chance.shape[-1])[..., slot])
            x = self._choose(u - steps - 1, i, x)
        proved: np.ndarray = np.all(np.where(trail.possible[:, None, :], x, 0.0) <= 0, axis=(-1, -3))
        return proved


def pairs_of(actions: int) -> tuple[list[int], list[int], list[int]]:
    """Ordered pairs (a, b), a != b, a major: all a, all b, and the place of (b, a)."""
    pairs = [(a, b) for a in range(actions) for b in range(actions) if a != b]
    return [a for a, _ in pairs], [b for _, b in pairs], [pairs.index((b, a)) for a, b in pairs]


def _by_agent(level: Level, i: int, x: np.ndarray) -> np.ndarray:
    """[end, node, joint action] -> [end, node, own action, others' joint action]."""
    y = np.moveaxis(x.reshape(*x.shape[:2], *level.shape), 2 + i, 2)
    return y.reshape(*y.shape[:3], -1)
