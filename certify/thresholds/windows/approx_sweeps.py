"""Boxes that hold every stationary policy for an interval of beta: sweeps from the last step to the first.

Every sweep is a list of steps (rule W3) that a checker repeats.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from certify.thresholds.windows.approx_localise import Past, direct_payoff, mimic_payoff, pairs_of
from certify.thresholds.windows.approx_values import MOST_ACTIONS, Box, ahead, node_values
from certify.thresholds.windows.beliefs import Beliefs
from certify.thresholds.windows.tables import Tables

UNIT = 24  # log-ratios and constants are multiples of 2^-UNIT
SCALE = 2.0**UNIT
LARGEST = 60.0  # a bound on a log-ratio above this is none
IDLE = 0.003  # a step that narrows a box by no more than this part is left out
ROUGH = 0.3  # steps before going on to an earlier level narrow some box by at least this part
MOST_LOCAL = 12  # passes over a level and what it looks back to


def above(bound: np.ndarray) -> np.ndarray:
    """Whole numbers of units of 2^-UNIT with room for a checker's rounding."""
    return np.asarray(np.ceil((bound + 1e-12 * np.abs(bound)) * SCALE + 1))


@dataclass
class Step:
    """Bounds m / 2^UNIT per window and pair, with the form that gives each (False: direct, True: mimicking)."""

    agent: int
    depth: int
    bounds: list[list[int | None]]
    mimic: list[list[bool]]


@dataclass
class Localised:
    """Boxes [level][agent] for beta in `beta` (its ends), and the steps that lead there.

    values[level] : bounds (upper, lower) of values for the boxes of that level and all later ones, None where they
    are out of date.  stale[level][agent] : by which part boxes that a choice depends on have narrowed since its own
    step; `ahead[level][agent]` : how wide the values of what follows were then.
    """

    tables: Tables
    beta: np.ndarray
    boxes: list[list[Box]]
    past: Past
    steps: list[Step] = field(default_factory=list)
    guesses: dict = field(default_factory=dict)
    values: list[tuple[np.ndarray, np.ndarray] | None] = field(default_factory=list)
    stale: np.ndarray = field(default_factory=lambda: np.zeros(0))
    ahead: dict[tuple[int, int], np.ndarray] = field(default_factory=dict)

    @classmethod
    def whole(cls, tables: Tables, beliefs: Beliefs, beta: np.ndarray) -> Localised:
        """The whole policy space."""
        boxes = []
        for level in tables.levels:
            row = []
            for i in range(tables.n):
                if level.shape[i] > MOST_ACTIONS:
                    raise ValueError(f"more than {MOST_ACTIONS} actions")
                row.append(Box.whole(level.legal[i], len(level.sides[i].windows)))
            boxes.append(row)
        found = cls(tables, beta, boxes, Past.of(tables, beliefs, boxes))
        found.values = [None] * (tables.horizon + 1)
        found.stale = np.full((tables.horizon + 1, tables.n), np.inf)
        return found

    def advance(self, check: Callable[[], None]) -> None:
        """Boxes from the last step to the first, each with those that its windows look back to: what comes later is
        narrow before anything earlier is tried, so that the work grows like the horizon, not like its square."""
        for u in range(self.tables.horizon, 0, -1):
            for _ in range(MOST_LOCAL):
                check()
                if self.renew(range(u, max(u - self.tables.lookback(u), 1) - 1, -1), ROUGH) < ROUGH:
                    break

    def sweep(self) -> float:
        """One pass over everything from the last step to the first; returns the largest narrowing of a box, relative
        to its width."""
        return self.renew(range(self.tables.horizon, 0, -1), 0.0)

    def renew(self, levels: range, least: float) -> float:
        """Steps at these levels, in their order, wherever what they depend on has narrowed by at least this part."""
        gain = 0.0
        for u in levels:
            for i in range(self.tables.n):
                if self.tables.levels[u].shape[i] > 1 and self._changed(u, i) >= least:
                    gain = max(gain, self._step(u, i))
        return gain

    def later(self, u: int) -> tuple[np.ndarray, np.ndarray] | tuple[None, None]:
        """Bounds of the values at level u + 1, [end, node]."""
        if u == self.tables.horizon:
            return None, None
        first = next(v for v in range(u + 1, self.tables.horizon + 2) if v > self.tables.horizon or self.values[v])
        for v in range(first - 1, u, -1):
            level = self.tables.levels[v]
            self.values[v] = node_values(level, self.boxes[v], self.tables.pays, *self.now(v))
        found = self.values[u + 1]
        assert found is not None
        return found

    def now(self, u: int) -> tuple[np.ndarray, np.ndarray]:
        """Bounds of U at level u, [end, node, joint action]."""
        high, low = (ahead(self.tables.levels[u], self.beta, self.tables.gamma, x) for x in self.later(u))
        return high, low

    def _changed(self, u: int, i: int) -> float:
        high, low = self.later(u)
        if high is None or low is None or (u, i) not in self.ahead:
            return float(self.stale[u, i])
        before = self.ahead[u, i]
        return max(float(self.stale[u, i]), float(((before - (high - low)) / np.maximum(before, 1e-12)).max()))

    def _step(self, u: int, i: int) -> float:
        level, tables = self.tables.levels[u], self.tables
        side, later = level.sides[i], self.later(u)
        bound = self._bound(u, i, direct_payoff(level, i, *self.now(u)), "direct")
        mimic = np.zeros(bound.shape, dtype=bool)
        if later[0] is not None and tables.flows_back:
            other = self._bound(u, i, mimic_payoff(level, i, self.beta, tables.gamma, *later), "mimic")
            mimic = other < bound
            bound = np.where(mimic, other, bound)
        if later[0] is not None:
            self.ahead[u, i] = later[0] - later[1]
        self.stale[u, i] = 0.0
        whole = above(bound.T / tables.weights[i])  # [window, pair]
        first, second, _ = pairs_of(level.shape[i])
        legal = level.legal[i][: len(side.windows)]
        whole = np.where(legal[:, first] & legal[:, second], whole, np.inf)
        matrix = np.zeros((len(side.windows), level.shape[i], level.shape[i]))
        matrix[:, first, second] = np.where(whole > LARGEST * SCALE, np.inf, whole / SCALE)
        old = self.boxes[u][i]
        new = old.shrunk(matrix)
        if new.empty():
            raise Contradiction
        used = len(side.windows)
        change = ((old.high - old.low) - (new.high - new.low))[:used].max(1)
        gain = float((change / np.maximum((old.high - old.low)[:used].max(1), 1e-9)).max())
        if gain > IDLE:
            self.boxes[u][i] = new
            self.past.renew(u, self.boxes[u])
            self._spread(u, i, gain)
            bounds = [[None if m > LARGEST * SCALE else int(m) for m in row] for row in whole]
            self.steps.append(Step(i, u - 1, bounds, mimic.T.tolist()))
        return gain

    def _spread(self, u: int, i: int, gain: float) -> None:
        """Note who depends on a box that has narrowed: the others at its step, later ones whose windows reach back,
        all earlier ones by the values."""
        for v in range(1, u + 1):
            self.values[v] = None
        for v in range(u, self.tables.horizon + 1):
            if v - self.tables.lookback(v) <= u:
                self.stale[v] += gain * (np.arange(self.tables.n) != i)

    def _bound(self, u: int, i: int, x: np.ndarray, form: str) -> np.ndarray:
        """[pair, window]: the larger one of both ends."""
        found = self.past.least_payoff(u, i, self.tables.lookback(u), x, self.guesses.get((u, i, form)))
        self.guesses[u, i, form] = found
        return found.max(0)


class Contradiction(Exception):
    """A box became empty: rounding, or a fault; nothing is claimed."""
