"""Verifies proofs by windows in float64 with proved error bounds: rules W4 to W7, which make the policy unique, on the
bounds of W1 to W3 (docs/certificate-windows.md).  Numbers as in `window_bounds`.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from certify.checker.fast.numbers import UNIT, inflated
from certify.checker.fast.window_bounds import WindowBounds, pairs_of
from certify.checker.fast.window_box import filled
from certify.checker.fast.window_tables import links
from certify.checker.reading.envelope import Failed


class FastWindows(WindowBounds):
    """An engine: `begin` a node, `step` by step, then `finish`.  Raises `Failed`."""

    name = "fast"

    def finish(self, constants: dict[tuple[int, int], dict[str, Any]]) -> None:
        """Verify the constants of every (agent, depth) with a choice and that all multipliers stay positive."""
        p = self.process
        penalty = np.zeros((p.game.horizon + 1, p.n))
        for u in range(p.game.horizon, 0, -1):
            level = p.levels[u]
            left, squares = {}, {}
            for i in range(p.n):
                if level.shape[i] == 1:
                    continue
                given = constants[i, u - 1]
                left[i] = 1 - self._same(u, i, given["same"]) - penalty[u, i]
                left[i] = left[i] - 16 * UNIT * (2 + np.abs(left[i]))
                left[i] = np.where((self.boxes[u][i].high[: level.used[i]] > 0).sum(1) > 1, left[i], 1.0)
                if not (left[i] > 0).all():
                    raise Failed("a multiplier is not positive", agent=i, depth=u - 1)
                if given["groups"]:
                    squares[i] = self._squares(u, i, given)
            for i, square in squares.items():
                given = constants[i, u - 1]
                costs = [
                    (lag, cost, j)
                    for lag, cost in self._costs(u, i, given["groups"], square[:-1], left[i])
                    for j in range(p.n)
                    if j != i
                ]
                if not p.game.flows_back:
                    largest = self._kappa(i, square[-1], given["own"], left[i]).max()
                    costs += [(lag, self._lagged(lag, largest), i) for lag in range(1, u)]
                for lag, cost, j in costs:
                    penalty[u - lag, j] += cost / self.weights[j]
                    penalty[u - lag, j] *= 1 + 8 * UNIT

    def _squares(self, u: int, i: int, given: dict[str, Any]) -> list[np.ndarray]:
        """f^2 for each lag class 1, 2, .. (the last one counts for all later lags), and then e^2/4, the spread of the
        means that the local bonus adds to f^2."""
        level = self.process.levels[u]
        first, second, back = pairs_of(level.shape[i])
        box = self.boxes[u][i]
        high = box.high[: level.used[i]]
        product = np.minimum(inflated(high[:, first] * high[:, second], 1), box.largest_product[: level.used[i], None])
        best = np.full(level.used[i], np.inf)
        if given["variance"] is not None:
            best = np.array(given["variance"], dtype=float) * self.scale
            if not self._lag_one(u, i, np.array(given["reference"], dtype=float) * self.scale, best, product):
                raise Failed("a variance is not proved", agent=i, depth=u - 1)
        found = []
        x = self._direct(u, i)
        for lookback, rows in enumerate(given["ranges"]):
            bound = np.array(rows, dtype=float) * self.scale
            trail = self._trail(u, i, lookback)
            value = self._choose(u, i, trail.averaged(x))
            if not (self._mean_below(u, i, lookback, value, bound.T) | (product.T == 0)).all():
                raise Failed("a range is not proved", agent=i, depth=u - 1, lookback=lookback)
            best = np.minimum(best, _spread(inflated(bound + bound[:, back], 1), product))
            means = _spread(np.maximum(bound, bound[:, back]), product)
            found.append(best)
        if not self.process.game.flows_back:
            found = [inflated(f + means, 1) for f in found]
        return [*found, means]

    def _lag_one(self, u: int, i: int, reference: np.ndarray, square: np.ndarray, product: np.ndarray) -> bool:
        """Rule W4, variance: reference [end, window, pair]."""
        trail = self._trail(u, i, self.process.lookback(u))
        _, _, back = pairs_of(self.process.levels[u].shape[i])
        best = self._best(u, i, self._direct(u, i))
        chance, slot = trail.chance[0], trail.slot[0]
        likely = chance.sum(-1)
        some = likely > 0
        sums = np.einsum("nwoad,epnwoad->epnwoa", chance, inflated(best, chance.shape[-1])[..., slot])
        middle = inflated(np.where(some, sums / np.where(some, likely, 1.0), 0.0), chance.shape[-1] + 2)
        r = np.moveaxis(reference, 2, 1)[:, :, None, :, None, None]
        above, below = middle - r, middle[:, back] + r
        pay = 4 * UNIT * (np.abs(middle) + np.abs(r))
        zeta = np.maximum(np.abs(above) + pay, np.abs(below) + pay[:, back])
        phi = np.einsum("wp,epnwoa->enwoa", product, inflated(zeta**2, product.shape[1])) / 2
        x = likely * np.where(some, inflated(inflated(phi, 2) - square[:, None, None], 1), 0.0)
        x = self._choose(u - 1, i, inflated(x, chance.shape[-1] + 2))
        return bool(self._walked(u, i, trail, x, 1).all())

    def _same(self, u: int, i: int, given: dict[int, list[int]]) -> np.ndarray:
        """The shares of the same-time terms of agent i, [window], verified (rule W6)."""
        p, level = self.process, self.process.levels[u]
        total = np.zeros(level.used[i])
        for j in range(p.n):
            if j == i or level.shape[j] == 1:
                continue
            share = np.array(given[j], dtype=float) * self.scale
            size = self._interaction(u, i, j) / np.sqrt(self.weights[i] * self.weights[j])
            if not self._mean_below(u, i, p.lookback(u), inflated(size, 8), share).all():
                raise Failed("a share of the same time is not proved", agent=i, depth=u - 1, other=j)
            total = inflated(total + share, 1)
        return total

    def _interaction(self, u: int, i: int, j: int) -> np.ndarray:
        """Upper bound of sigma (rule W6): [end, start, own window, others' windows]."""
        level = self.process.levels[u]
        trail = self._trail(u, i, self.process.lookback(u))
        agents = [x for x in range(self.process.n) if x != i]
        where = {
            x: np.array([level.place[x][ws[position]] for ws in level.others[i]]) for position, x in enumerate(agents)
        }
        bounds = []
        for x in self._ahead(u):
            y = trail.averaged(x[:, : level.reachable, None, :])[:, 0]  # [end, start, own, others, joint action]
            y = np.moveaxis(y.reshape(*y.shape[:4], *level.shape), (4 + i, 4 + j), (4, 5))
            for k in agents:
                if k != j:
                    box, y = self.boxes[u][k], np.moveaxis(y, 6, -1)
                    shape = (len(where[k]), *(1,) * (y.ndim - 5), -1)
                    y = filled(box.low[where[k]].reshape(shape), box.high[where[k]].reshape(shape), y)
            bounds.append(y)
        high, low = bounds[0], -bounds[1]
        mine, theirs = self.boxes[u][i].high[: level.used[i]], self.boxes[u][j].high[where[j]]
        centre, size = (high + low) / 2, np.abs(high) + np.abs(low)
        radius = np.maximum(high - low, 0) / 2 + 8 * UNIT * size
        rows = (np.einsum("wa,enwoab->enwob", mine, centre) / mine.sum(1)[:, None, None])[..., None, :]
        columns = (np.einsum("ob,enwoab->enwoa", theirs, centre - rows) / theirs.sum(1)[:, None])[..., None]
        shifted = centre - rows - columns  # any rows and columns will do
        entry = np.abs(shifted) + radius + 16 * UNIT * (size + np.abs(rows) + np.abs(columns))
        square = np.einsum("wa,ob,enwoab->enwo", mine, theirs, entry**2)
        widest = np.zeros(square.shape)
        for (a, c), (b, d) in itertools.product(
            itertools.combinations(range(level.shape[i]), 2), itertools.combinations(range(level.shape[j]), 2)
        ):
            above = high[..., a, b] - low[..., c, b] - low[..., a, d] + high[..., c, d]
            below = high[..., c, b] + high[..., a, d] - low[..., a, b] - low[..., c, d]
            pay = 8 * UNIT * (size[..., a, b] + size[..., c, b] + size[..., a, d] + size[..., c, d])
            played = (mine[:, [a, c]].min(1) > 0)[:, None] & (theirs[:, [b, d]].min(1) > 0)
            widest = np.where(played, np.maximum(widest, np.maximum(above, below) + pay), widest)
        caps = self.boxes[u][i].largest_product[: level.used[i], None] * self.boxes[u][j].largest_product[where[j]]
        return np.minimum(np.sqrt(square), widest * np.sqrt(caps)) * (1 + 256 * UNIT)

    def _costs(
        self, u: int, i: int, groups: list[tuple[int, list[int]]], squares: list[np.ndarray], left: np.ndarray
    ) -> list[tuple[int, float]]:
        """Rules W5 and W7: what agent i at level u costs an agent of weight 1 earlier, [(lag, cost)]."""
        costs = []
        for number, (begin, shares) in enumerate(groups):
            end = groups[number + 1][0] - 1 if number + 1 < len(groups) else u - 1
            square = squares[min(begin, len(squares)) - 1]
            chain = self._chain(u, i, self._kappa(i, square, shares, left), begin)
            costs += [(lag, self._lagged(lag, chain)) for lag in range(begin, end + 1)]
        return costs

    def _kappa(self, i: int, square: np.ndarray, shares: list[int], left: np.ndarray) -> np.ndarray:
        share = np.array(shares, dtype=float) * self.scale
        found: np.ndarray = square / (self.weights[i] * share * left) * (1 + 32 * UNIT)
        return found

    def _lagged(self, lag: int, cost: float) -> float:
        return float(self.gamma**lag * cost * (1 + (lag + 32) * UNIT))

    def _chain(self, u: int, i: int, kappa: np.ndarray, steps: int) -> float:
        """sup E[kappa(own window at u) | node, others' actions, `steps` levels earlier]."""
        p = self.process
        value = kappa[[w for _, w in p.own_pairs(u, i)]]
        for v in range(u - 1, u - 1 - steps, -1):
            own = self._table(p.own(v, i), links)  # [pair, own action, others' action]
            expected = own.mean(value)
            box, w = self.boxes[v][i], [w for _, w in p.own_pairs(v, i)]
            value = filled(box.low[w][:, None], box.high[w][:, None], np.swapaxes(expected, 1, 2)).max(1)
        return float(value.max())


def _spread(width: np.ndarray, product: np.ndarray) -> np.ndarray:
    """min(sum q x^2 / 8, max x^2 / 16) over the pairs that occur, x = max(0, width): [window]."""
    x = np.where(product > 0, np.maximum(width, 0), 0)
    found: np.ndarray = np.minimum((product * x**2).sum(1) / 8, x.max(1) ** 2 / 16) * (1 + 64 * UNIT)
    return found
