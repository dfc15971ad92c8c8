"""Verifies proofs by windows about every horizon at once (docs/certificate-windows.md, "Every horizon")."""

from __future__ import annotations

from typing import Any

import numpy as np

from certify.checker.fast.numbers import UNIT, inflated
from certify.checker.fast.window_box import Box
from certify.checker.fast.windows import FastWindows
from certify.checker.reading.endless import EndlessProcess
from certify.checker.reading.envelope import Failed

PASSES = 60  # of the operator of values
ROOM = 1e-9  # relative, for the rounding of one more


class FastEndless(FastWindows):
    """`begin`, `suppose` boxes for the steps between, `step` by step, `close`, then `finish`.  Raises `Failed`."""

    process: EndlessProcess

    def suppose(self, claim: list[tuple[list[list[int]], list[list[int]]]]) -> None:
        """Rule E1: `limits`, upper bounds of V and of -V at any step with these boxes, up to one number for each."""
        self.claim = []
        for ends, box in zip(claim, self.boxes[1], strict=True):
            low, high = (np.array(rows, dtype=float) * self.scale for rows in ends)
            self.claim.append(
                Box(np.concatenate([low, box.low[len(low) :]]), np.concatenate([high, box.high[len(low) :]]))
            )
        if any(box.empty() for box in self.claim):
            raise Failed("a claim without policies")
        if self.gamma == 1:
            raise Failed("a discount that rounds to 1")
        later = self.gamma / (1 - self.gamma)
        limits = [np.zeros((len(self.ends), len(self.process.levels[1].nodes)))] * 2
        for _ in range(PASSES):  # a search: what it finds is verified
            new = self._worth(1, self.claim, self._led(1, (limits[0], limits[1])))
            limits = [y - later * (x - y).min(1, keepdims=True) for x, y in zip(limits, new, strict=True)]
        high, low = (x + ROOM * (1 + np.abs(x).max()) for x in limits)
        self.limits = high, low
        for x, y in zip(self._worth(1, self.claim, self._led(1, self.limits)), self.limits, strict=True):
            if not (x <= y).all():
                raise Failed("values do not reproduce themselves")

    def _later(self, u: int) -> tuple[np.ndarray, np.ndarray]:
        """Rule E2: before the steps between, whatever their number."""
        high, low = self._values(u + 1)
        if u != self.process.common:
            return high, low
        gap = sum(
            (x - y + 4 * UNIT * (np.abs(x) + np.abs(y))).max(1, keepdims=True)
            for x, y in zip((high, low), self.limits, strict=True)
        )
        return inflated(self.limits[0] + np.maximum(gap, 0), 8), self.limits[1]

    def _choose(self, u: int, i: int, x: np.ndarray) -> np.ndarray:
        return super()._choose(max(u, 0), i, x)

    def close(self) -> None:
        """Rule E3: what was supposed follows, and so the boxes of `common` hold at every step before the last ones."""
        common = self.process.common
        for i, (found, claim) in enumerate(zip(self.boxes[common], self.claim, strict=True)):
            if (found.low < claim.low).any() or (found.high > claim.high).any():
                raise Failed("the boxes that were supposed do not follow", agent=i)
        for u in range(common):
            self.boxes[u] = self.boxes[common]
        self.vertices.clear()

    def verify(self, constants: dict[tuple[int, int], dict[str, Any]], price: list[float]) -> None:
        """Rule E4: all multipliers stay positive, if later steps never cost agent i more than price[i]."""
        p = self.process
        cost = [0.0] * p.n
        for u in range(p.game.horizon, p.common - 1, -1):
            if u == p.common:
                if not all(x <= y for x, y in zip(cost, price, strict=True)):
                    raise Failed("a price is too low", depth=u - 1)
                cost = list(price)
            left = {i: self._left(u, i, constants[i, u - 1], cost[i]) for i in range(p.n) if p.levels[u].shape[i] > 1}
            new = list(cost)
            for i, y in left.items():
                given = constants[i, u - 1]
                ((_, one),) = self._costs(u, i, given["groups"], self._squares(u, i, given)[:-1], y)[:1]
                for j in range(p.n):
                    if j != i:  # `one` is gamma times the cost
                        new[j] += one / (self.gamma * self.weights[j]) * (1 + 8 * UNIT)
            cost = [self.gamma * x * (1 + 8 * UNIT) for x in new]
        if not all(x <= y for x, y in zip(cost, price, strict=True)):  # what is not a number covers nothing
            raise Failed("a price does not cover itself", depth=p.common - 1)

    def _left(self, u: int, i: int, given: dict[str, Any], cost: float) -> np.ndarray:
        left = 1 - self._same(u, i, given["same"]) - cost
        left = left - 16 * UNIT * (2 + np.abs(left))
        if not (left > 0).all():
            raise Failed("a multiplier is not positive", agent=i, depth=u - 1)
        return left
