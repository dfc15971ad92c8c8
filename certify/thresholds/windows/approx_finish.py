"""Uniqueness from conditional covariances (floats, proposals only): rules W4 to W7 of
docs/certificate-windows.md.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np

from certify.thresholds.windows.approx_localise import TINY, direct_payoff, pairs_of
from certify.thresholds.windows.approx_sweeps import SCALE, Localised, above
from certify.thresholds.windows.approx_values import Box, best_rows


@dataclass
class Constants:
    """What one (agent, step) contributes, whole numbers in units of 2^-UNIT unless said otherwise.

    ranges[l][w][pair] : bounds of E[q_a - q_b] given the state l steps earlier.  reference[end][w][pair] and
    variance[w] : the constant of lag 1, None where no use is made of it.  same[j][w] : the share of the
    same-time terms with agent j.  groups : (first lag, shares per window) in order.  own : shares per window of the
    agent's own past under the local bonus.
    """

    agent: int
    depth: int
    ranges: list[list[list[int]]]
    reference: list[list[list[int]]] | None
    variance: list[int] | None
    same: dict[int, list[int]]
    groups: list[tuple[int, list[int]]]
    own: list[int] | None = None


class Finisher:
    """Constants for boxes that hold every stationary policy, and the recursion that must stay positive."""

    def __init__(self, found: Localised) -> None:
        self.found, self.tables, self.past = found, found.tables, found.past
        self.squares: dict[tuple[int, int], list[np.ndarray]] = {}  # f^2 per lag class, [window]
        self.means: dict[tuple[int, int], np.ndarray] = {}  # e^2/4, which the local bonus adds to f^2
        self.same: dict[tuple[int, int], np.ndarray] = {}
        self.constants: dict[tuple[int, int], Constants] = {}

    def holds(self) -> bool:
        """Whether every multiplier stays positive; fills `constants`."""
        for u in range(self.tables.horizon, 0, -1):
            self._measure(u)
        return self._multipliers() > 1e-6

    def _measure(self, u: int) -> None:
        """All constants of level u but the groups of lags."""
        tables = self.tables
        up, down = self.found.now(u)
        for i in range(tables.n):
            self.constants[u, i] = Constants(i, u - 1, [], None, None, {}, [])
        self._same_time(u, up, down)
        for i in range(tables.n):
            if u > 1 and tables.levels[u].shape[i] > 1:
                self._ranges(u, i, up, down)
                if tables.lookback(u) > 0:
                    self._lag_one(u, i, up, down)

    def listed(self) -> list[Constants]:
        """The constants of all choices, earlier steps first."""
        choices = [key for key in sorted(self.constants) if self.tables.levels[key[0]].shape[key[1]] > 1]
        return [self.constants[key] for key in choices]

    # Lags ------------------------------------------------------------------------------------

    def _products(self, u: int, i: int) -> np.ndarray:
        """Bounds of pi(a) pi(b) per window and ordered pair."""
        level, box = self.tables.levels[u], self.found.boxes[u][i]
        used = len(level.sides[i].windows)
        first, second, _ = pairs_of(level.shape[i])
        return np.minimum(box.high[:used, first] * box.high[:used, second], largest_product(box)[:used, None])

    def _lookbacks(self, u: int) -> range:
        """How many steps back ranges may begin: not before the start."""
        return range(min(self.tables.k, u - 2) + 1)

    def _ranges(self, u: int, i: int, up: np.ndarray, down: np.ndarray) -> None:
        level = self.tables.levels[u]
        x = direct_payoff(level, i, up, down)
        _, _, back = pairs_of(level.shape[i])
        products, guesses = self._products(u, i), self.found.guesses
        squares: list[np.ndarray] = []
        for lookback in self._lookbacks(u):
            key = (u, i, "range", lookback)
            guesses[key] = bound = self.past.least_payoff(u, i, lookback, x, guesses.get(key))
            whole = above(bound.max(0).T)
            self.constants[u, i].ranges.append(whole.astype(int).tolist())
            square = spread((whole + whole[:, back]) / SCALE, products)
            squares.append(np.minimum(square, squares[-1]) if squares else square)
            self.means[u, i] = spread(np.maximum(whole, whole[:, back]) / SCALE, products)
        self.squares[u, i] = squares

    def _lag_one(self, u: int, i: int, up: np.ndarray, down: np.ndarray) -> None:
        """The variance of what the others' last action tells, given where the window began."""
        level, past, lookback, guesses = self.tables.levels[u], self.past, self.tables.lookback(u), self.found.guesses
        trail = past.trail(u, i, lookback)
        back = trail.back[0]
        _, _, reverse = pairs_of(level.shape[i])
        best = past.choose(u, i, past.averaged(u, i, lookback, direct_payoff(level, i, up, down)))
        bound = past.least_mean(u, i, lookback, best, guesses.get((u, i, "middle")))
        guesses[u, i, "middle"] = bound
        likely = back.chance.sum(-1)  # [start, own window, others' window, their action]
        sums = np.einsum("nwoad,epnwoad->epnwoa", back.chance, best[..., back.slot])
        middle = np.where(likely > 0, sums / np.where(likely > 0, likely, 1), 0)
        # the reference: the middle of what a window leaves
        reference = np.rint((bound - bound[:, reverse]) / 2 * SCALE)  # [end, pair, window]
        r = reference[:, :, None, :, None, None] / SCALE
        zeta = np.where(likely > 0, np.maximum(np.abs(middle - r), np.abs(middle[:, reverse] + r)), 0)
        phi = 0.5 * np.einsum("wp,epnwoa->enwoa", self._products(u, i), zeta**2)

        def first(bound: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            x = likely * (phi - bound[:, None, :, None, None])
            return past.choose_both(u - 1, i, x, np.broadcast_to(likely, x.shape))

        key = (u, i, "lag")
        guess = guesses.get(key, np.zeros((len(phi), phi.shape[2])))
        guesses[key] = bound = past.least(u, i, (1, lookback), guess, first)
        whole = above(np.maximum(bound, 0).max(0))
        squares = self.squares[u, i]
        if (whole / SCALE < squares[0]).any():
            self.constants[u, i].variance = whole.astype(int).tolist()
            self.constants[u, i].reference = reference.swapaxes(1, 2).astype(int).tolist()
            squares[0] = np.minimum(squares[0], whole / SCALE)
            for k in range(1, len(squares)):
                squares[k] = np.minimum(squares[k], squares[k - 1])

    # The same time ---------------------------------------------------------------------------

    def _same_time(self, u: int, up: np.ndarray, down: np.ndarray) -> None:
        level, tables, past = self.tables.levels[u], self.tables, self.past
        for i in range(tables.n):
            self.same[u, i] = np.zeros(len(level.sides[i].windows))
        chosen = [i for i in range(tables.n) if level.shape[i] > 1]
        lookback, guesses = tables.lookback(u), self.found.guesses
        for i, j in itertools.permutations(chosen, 2):
            size = self._interaction(u, i, j, up, down) / np.sqrt(tables.weights[i] * tables.weights[j])
            key = (u, i, "same", j)
            guesses[key] = bound = past.least_mean(u, i, lookback, size, guesses.get(key))
            whole = above(np.maximum(bound, 0).max(0))
            self.constants[u, i].same[j] = whole.astype(int).tolist()
            self.same[u, i] = self.same[u, i] + whole / SCALE

    def _interaction(self, u: int, i: int, j: int, up: np.ndarray, down: np.ndarray) -> np.ndarray:
        """sigma of rule W6 as agent i sees it: [end, start, own window, others' window]."""
        level, boxes = self.tables.levels[u], self.found.boxes[u]
        side, belief = level.sides[i], self.past.trail(u, i, self.tables.lookback(u)).belief
        taken = np.where(side.nodes >= 0, side.nodes, 0)
        high, low = (np.einsum("nwos,ewosa->enwoa", belief, x[:, taken], optimize=True) for x in (up, down))
        agents = [x for x in range(self.tables.n) if x != i]
        windows = {
            x: np.array([{w: k for k, w in enumerate(level.windows[x])}[ws[p]] for ws in side.others])
            for p, x in enumerate(agents)
        }
        for x, pick in ((high, np.max), (low, np.min)):
            y = np.moveaxis(x.reshape(*x.shape[:4], *level.shape), (4 + i, 4 + j), (4, 5))
            for k in agents:
                if k != j:  # averaged over its policies: the extreme vertex
                    y = np.moveaxis(y, 6, -1)
                    shape = (-1, *(1,) * (y.ndim - 5), y.shape[-1])
                    low_end, high_end = (end[windows[k]].reshape(shape) for end in (boxes[k].low, boxes[k].high))
                    y = (best_rows(low_end, high_end, y if pick is np.max else -y) * y).sum(-1)
            high, low = (y, low) if pick is np.max else (high, y)
        first, second = boxes[i].high[: len(side.windows)], boxes[j].high[windows[j]]
        middle, radius = (high + low) / 2, (high - low) / 2
        middle = middle - (np.einsum("wa,enwoab->enwob", first, middle) / first.sum(1)[:, None, None])[..., None, :]
        middle = middle - (np.einsum("ob,enwoab->enwoa", second, middle) / second.sum(1)[:, None])[..., None]
        square = np.einsum("wa,ob,enwoab->enwo", first, second, (np.abs(middle) + radius) ** 2)
        widest = np.zeros(square.shape)
        rows, columns = (list(itertools.combinations(range(level.shape[x]), 2)) for x in (i, j))
        for (a1, a2), (b1, b2) in itertools.product(rows, columns):
            above = high[..., a1, b1] - low[..., a2, b1] - low[..., a1, b2] + high[..., a2, b2]
            below = low[..., a1, b1] - high[..., a2, b1] - high[..., a1, b2] + low[..., a2, b2]
            played = (first[:, [a1, a2]].min(1) > 0)[:, None] & (second[:, [b1, b2]].min(1) > 0)
            widest = np.where(played, np.maximum(widest, np.maximum(above, -below)), widest)
        caps = largest_product(boxes[i])[: len(side.windows), None] * largest_product(boxes[j])[windows[j]]
        return np.minimum(np.sqrt(square), widest * np.sqrt(caps))

    # Multipliers -----------------------------------------------------------------------------

    def _multipliers(self, whole: float = 1.0) -> float:
        """The least multiplier, with `whole` in place of 1; below 1e-6 some are not positive."""
        tables = self.tables
        penalty = np.zeros((tables.horizon + 1, tables.n))
        least = np.inf
        for u in range(tables.horizon, 0, -1):
            level = tables.levels[u]
            left = [whole - self.same[u, i] - penalty[u, i] for i in range(tables.n)]
            left = [np.where(level.legal[i][: len(c)].sum(1) > 1, c, whole) for i, c in enumerate(left)]
            least = min([least, *(float(c.min()) for i, c in enumerate(left) if level.shape[i] > 1)])
            if least <= 1e-6:
                return least
            for i in range(tables.n):
                if (u, i) in self.squares:
                    self._spread(u, i, left[i], penalty)
        return least

    def size(self) -> float:
        """What must be below 1: the least number in place of 1 with which all multipliers stay positive."""
        low, high = 0.0, 1.0
        while self._multipliers(high) <= 1e-6:
            low, high = high, 2 * high
            if high > 1e3:
                return math.inf
        while high - low > 0.004 * high:
            middle = (low + high) / 2
            low, high = (low, middle) if self._multipliers(middle) > 1e-6 else (middle, high)
        return high

    def _spread(self, u: int, i: int, left: np.ndarray, penalty: np.ndarray) -> None:
        """Adds what (u, i) costs the other agents earlier, with the cheapest grouping of lags."""
        tables = self.tables
        squares, own = self.squares[u, i], np.zeros(len(left))
        lags = u - 1
        count = min(len(squares), lags)
        gamma = tables.gamma
        if not tables.flows_back:
            means = self.means[u, i]
            squares = [f + means for f in squares]
            roots = np.sqrt(means) / np.maximum(np.sqrt(means) + sum(map(np.sqrt, squares[:1])), TINY)
            own = np.clip(np.ceil(roots * SCALE), 1, SCALE - count)
            self.constants[u, i].own = own.astype(int).tolist()
            largest = float((means / (tables.weights[i] * own / SCALE * left)).max())
            for lag in range(1, u):
                penalty[u - lag, i] += gamma**lag * largest / tables.weights[i]
        best: tuple[float, np.ndarray, list] | None = None
        chains: dict[bytes, list[float]] = {}
        for cuts in itertools.product((False, True), repeat=count - 1):
            begins = [1] + [k + 2 for k, cut in enumerate(cuts) if cut]
            ends = [b - 1 for b in begins[1:]] + [lags]
            roots = [np.sqrt(squares[b - 1]) for b in begins]
            total = sum(roots)
            shares = [np.where(total > 0, r / np.where(total > 0, total, 1), 1 / len(begins)) for r in roots]
            whole = [np.maximum(np.floor(s * (SCALE - own)), 1) for s in shares]
            excess = np.maximum(sum(whole) - (SCALE - own), 0)
            whole[int(np.argmax([w.min() for w in whole]))] -= excess
            costs = np.zeros(tables.horizon + 1)
            for b, e, w in zip(begins, ends, whole, strict=True):
                kappa = squares[b - 1] / (tables.weights[i] * w / SCALE * left)
                chain = self._chain(u, i, kappa, b, chains)
                for lag in range(b, e + 1):
                    costs[u - lag] += gamma**lag * chain
            if best is None or costs.sum() < best[0]:
                best = (
                    float(costs.sum()),
                    costs,
                    [(b, w.astype(int).tolist()) for b, w in zip(begins, whole, strict=True)],
                )
        if best is None:
            return
        self.constants[u, i].groups = best[2]
        for j in range(tables.n):
            if j != i:
                penalty[:, j] += best[1] / tables.weights[j]

    def _chain(self, u: int, i: int, kappa: np.ndarray, steps: int, known: dict[bytes, list[float]]) -> float:
        """sup E[kappa(own window at u) | node and the others' actions, `steps` earlier] (rule W5)."""
        if (kappa == kappa[0]).all():
            return float(kappa[0])
        tables = self.tables
        value = kappa[tables.levels[u].sides[i].own_windows]
        for v in range(u - 1, u - 1 - steps, -1):
            side = tables.levels[v].sides[i]
            assert side.own_next is not None
            expected = np.swapaxes(side.own_next.mean(value), 1, 2)  # [own half, others' action, own action]
            box = self.found.boxes[v][i]
            low, high = (end[side.own_windows][:, None] for end in (box.low, box.high))
            value = (best_rows(low, high, expected) * expected).sum(-1).max(1)
        return float(value.max())


def largest_product(box: Box) -> np.ndarray:
    """Per window a bound of p (1 - p), p the probability of any set of actions: it or the rest has the largest."""
    p = np.maximum(0.5, box.low.max(1))
    return np.asarray(p * (1 - p))


def spread(width: np.ndarray, product: np.ndarray) -> np.ndarray:
    """min(sum of product width^2 / 8, max width^2 / 16) over the pairs that occur, negative widths as 0: [window]."""
    x = np.where(product > 0, np.maximum(width, 0), 0)
    return np.asarray(np.minimum((product * x**2).sum(1) / 8, x.max(1) ** 2 / 16))
