"""Boxes that hold every stationary policy for an interval of beta: sweeps from the last step to the first.

Every sweep is a list of steps (rule W3) that a checker repeats.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from certify.thresholds.windows.approx_localise import Past, direct_payoff, mimic_payoff, pairs_of
from certify.thresholds.windows.approx_values import MOST_ACTIONS, Box, ahead, node_values
from certify.thresholds.windows.beliefs import Beliefs
from certify.thresholds.windows.tables import Tables

UNIT = 24  # log-ratios and constants are multiples of 2^-UNIT
SCALE = 2.0**UNIT
LARGEST = 60.0  # a bound on a log-ratio above this is none


@dataclass
class Step:
    """Bounds m / 2^UNIT per window and pair, with the form that gives each (False: direct, True: mimicking)."""

    agent: int
    depth: int
    bounds: list[list[int | None]]
    mimic: list[list[bool]]


@dataclass
class Localised:
    """Boxes [level][agent] for beta in `beta` (its ends), and the steps that lead there."""

    tables: Tables
    beta: np.ndarray
    boxes: list[list[Box]]
    past: Past
    steps: list[Step] = field(default_factory=list)
    guesses: dict = field(default_factory=dict)

    @classmethod
    def whole(cls, tables: Tables, beliefs: Beliefs, beta: np.ndarray) -> Localised:
        """The whole policy space."""
        boxes = []
        for level in tables.levels:
            row = []
            for i in range(tables.n):
                if level.shape[i] > MOST_ACTIONS:
                    raise ValueError(f"more than {MOST_ACTIONS} actions")
                row.append(Box.whole(len(level.windows[i]), len(level.sides[i].windows), level.shape[i]))
            boxes.append(row)
        return cls(tables, beta, boxes, Past.of(tables, beliefs, boxes))

    def sweep(self) -> float:
        """One pass from the last step to the first; returns the largest narrowing of a log-ratio's two bounds,
        relative to what they leave."""
        tables = self.tables
        high: np.ndarray | None = None
        low: np.ndarray | None = None
        gain = 0.0
        for u in range(tables.horizon, 0, -1):
            level = tables.levels[u]
            up, down = (ahead(level, self.beta, tables.gamma, later) for later in (high, low))
            for i in range(tables.n):
                if level.shape[i] > 1:
                    gain = max(gain, self._step(u, i, (up, down), (high, low)))
            high, low = node_values(level, self.boxes[u], tables.weights, up, down)
        return gain

    def _step(self, u: int, i: int, now: tuple, later: tuple) -> float:
        level, tables = self.tables.levels[u], self.tables
        side = level.sides[i]
        bound = self._bound(u, i, direct_payoff(level, i, *now), "direct")
        mimic = np.zeros(bound.shape, dtype=bool)
        if later[0] is not None:
            other = self._bound(u, i, mimic_payoff(level, i, self.beta, tables.gamma, *later), "mimic")
            mimic = other < bound
            bound = np.where(mimic, other, bound)
        whole = np.ceil(bound.T / tables.weights[i] * SCALE + 1)  # [window, pair]
        first, second, _ = pairs_of(level.shape[i])
        matrix = np.zeros((len(side.windows), level.shape[i], level.shape[i]))
        matrix[:, first, second] = np.where(whole > LARGEST * SCALE, np.inf, whole / SCALE)
        old = self.boxes[u][i]
        new = old.shrunk(matrix)
        if new.empty():
            raise Contradiction
        used = len(side.windows)
        change = ((old.high - old.low) - (new.high - new.low))[:used].max(1)
        gain = float((change / np.maximum((old.high - old.low)[:used].max(1), 1e-9)).max())
        if gain > 0:
            self.boxes[u][i] = new
            self.past.renew(u, self.boxes[u])
            bounds = [[None if m > LARGEST * SCALE else int(m) for m in row] for row in whole]
            self.steps.append(Step(i, u - 1, bounds, mimic.T.tolist()))
        return gain

    def _bound(self, u: int, i: int, x: np.ndarray, form: str) -> np.ndarray:
        """[pair, window]: the larger one of both ends."""
        found = self.past.least_payoff(u, i, self.tables.lookback(u), x, self.guesses.get((u, i, form)))
        self.guesses[u, i, form] = found
        return found.max(0)


class Contradiction(Exception):
    """A box became empty: rounding, or a fault; nothing is claimed."""
