"""Verifies proofs by windows in float64 with proved error bounds (docs/certificate-windows.md).

Only upper bounds are computed: a lower bound is minus an upper bound of the negative.  `inflated`
pays for rounding: a float sum of nonnegative float weights times inflated numbers is an
upper bound of the exact sum.  Weights carry a few relative roundings of their own, for which `inflated`
has room.  Arrays begin with the ends of the interval of beta.
"""

from __future__ import annotations

import itertools
from fractions import Fraction
from typing import Any

import numpy as np

from certify.checker.fast.numbers import (
    EXP_ERROR,
    LARGEST_NUMBER,
    MOST_AGENTS,
    SMALLEST_CHANCE,
    UNIT,
    exp,
    inflated,
    log,
    log_error,
    slop,
)
from certify.checker.reading.envelope import Failed
from certify.checker.reading.windows import MAX_VERTEX_ACTIONS, Level, Trail, WindowProcess

GRID = 2.0**-40  # ends of boxes are multiples: sums and differences of them are exact
LARGEST = 600.0  # a log-ratio bound beyond is none
LEAST = 2.0**-60  # of a probability in a centre


class FastWindows:
    """An engine: `begin` a node, `step` by step, then `finish`.  Raises `Failed`."""

    name = "fast"

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

    def _trail(self, u: int, i: int, lookback: int) -> _Trail:
        trail = self.process.trail(u, i, lookback)
        found: _Trail = self._table(trail, lambda t: _Trail(t, self.process, u, i, lookback))
        return found

    # The walk --------------------------------------------------------------------------------

    def begin(self, low: Fraction, high: Fraction) -> None:
        """The whole policy space for beta in [low, high]."""
        p = self.process
        if p.n > MOST_AGENTS:
            raise Failed(f"more than {MOST_AGENTS} agents")
        self.weights = [_float(w) for w in p.game.weights]
        self.pays = [w * p.game.flows_back for w in self.weights]  # for entropy, in values
        self.gamma = _float(p.game.discount)
        self.ends = [low] if low == high else [low, high]
        self.rewards: dict[int, tuple[np.ndarray, np.ndarray]] = {}  # by level
        self.boxes = [[_Box.whole(level, i) for i in range(p.n)] for level in p.levels]
        self.vertices: dict[tuple[int, int], np.ndarray] = {}
        self.values: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        self.ahead: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    def step(self, i: int, depth: int, bounds: list[list[int | None]], mimic: list[list[bool]]) -> None:
        """Rule W3: verify log-ratio bounds of agent i, then shrink its boxes."""
        u = depth + 1
        level = self.process.levels[u]
        first, second, _ = _pairs(level.shape[i])
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
            found = np.array(
                [
                    [[(_float(y), _float(-x)) for x, y in self.process.rewards(level, e, beta)] for e in level.nodes]
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
        follow = self._table(self.process.follow(u), _links)
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

    def _worth(self, u: int, boxes: list[_Box], ahead: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
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

    def _vertex_values(self, u: int, boxes: list[_Box], x: np.ndarray, upper: bool) -> np.ndarray:
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

    def _nested_values(self, u: int, boxes: list[_Box], x: np.ndarray, upper: bool) -> np.ndarray:
        """The same agent by agent from the last one on."""
        level = self.process.levels[u]
        x = x.reshape(*x.shape[:2], *level.shape)
        for i in reversed(range(self.process.n)):
            box, w = boxes[i], np.array([level.place[i][ws[i]] for _, ws in level.nodes])
            slope, fixed = (box.logs, 0.0 * box.fixed) if upper else (-box.slope, -box.fixed)
            shape = (1, len(w), *(1,) * (x.ndim - 3), -1)
            x = inflated(x + inflated(self.pays[i] * slope, 2)[w].reshape(shape), 1)
            x = _filled(box.low[w].reshape(shape), box.high[w].reshape(shape), x)
            x = inflated(x + inflated(self.pays[i] * fixed, 2)[w].reshape(shape[:-1]), 1)
        return x

    # Payoffs ---------------------------------------------------------------------------------

    def _direct(self, u: int, i: int) -> np.ndarray:
        """X1: upper U(a) - lower U(b), [end, reachable node, pair, others' action]."""
        level = self.process.levels[u]
        first, second, _ = _pairs(level.shape[i])
        up, down = (_by_agent(level, i, x[:, : level.reachable]) for x in self._ahead(u))
        return inflated(up[:, :, first] + down[:, :, second], 1)

    def _mimic(self, u: int, i: int) -> np.ndarray:
        """X2: reward difference and the change of what comes next, own windows remembering a."""
        level = self.process.levels[u]
        first, second, _ = _pairs(level.shape[i])
        up, down = (_by_agent(level, i, x[:, : level.reachable]) for x in self._rewards(u))
        result = inflated(up[:, :, first] + down[:, :, second], 1)
        if u < self.process.game.horizon:
            change = self._table(self.process.mimic(u, i), _links)  # [pair, node, others' action]
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
                x = _filled(self.boxes[u][j].low[w].reshape(shape), self.boxes[u][j].high[w].reshape(shape), x)
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

    def _walked(self, u: int, i: int, trail: _Trail, x: np.ndarray, done: int) -> np.ndarray:
        for steps in range(done, len(trail.chance)):
            chance, slot = trail.chance[steps], trail.slot[steps]
            x = np.einsum("nwoad,...nwoad->...nwoa", chance, inflated(x, chance.shape[-1])[..., slot])
            x = self._choose(u - steps - 1, i, x)
        proved: np.ndarray = np.all(np.where(trail.possible[:, None, :], x, 0.0) <= 0, axis=(-1, -3))
        return proved

    # Uniqueness (W4 to W7) -------------------------------------------------------------------

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
        _, _, back = _pairs(level.shape[i])
        box = self.boxes[u][i]
        high = box.high[: level.used[i]]
        first, second, _ = _pairs(level.shape[i])
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
        _, _, back = _pairs(self.process.levels[u].shape[i])
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
                    y = _filled(box.low[where[k]].reshape(shape), box.high[where[k]].reshape(shape), y)
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
            own = self._table(p.own(v, i), _links)  # [pair, own action, others' action]
            expected = own.mean(value)
            box, w = self.boxes[v][i], [w for _, w in p.own_pairs(v, i)]
            value = _filled(box.low[w][:, None], box.high[w][:, None], np.swapaxes(expected, 1, 2)).max(1)
        return float(value.max())


def _float(x: Fraction) -> float:
    """The nearest float; `Failed` where sums and products could overflow, or vanish and so prove anything."""
    if x and not SMALLEST_CHANCE <= abs(x) <= LARGEST_NUMBER:
        raise Failed(f"a number that is not between {SMALLEST_CHANCE} and {LARGEST_NUMBER}, which floats do not hold")
    return float(x)


class _Links:
    """Sums over what may follow, padded with chance 0."""

    def __init__(self, shape: tuple[int, ...], rows: list[list[tuple[int, Fraction]]]) -> None:
        self.width = max([1, *map(len, rows)])
        target, chance = np.zeros((len(rows), self.width), dtype=np.int64), np.zeros((len(rows), self.width))
        for k, row in enumerate(rows):
            for b, (to, p) in enumerate(row):
                target[k, b], chance[k, b] = to, _float(p)
        self.target, self.chance = target.reshape(*shape, self.width), chance.reshape(*shape, self.width)

    def mean(self, x: np.ndarray) -> np.ndarray:
        """Upper bound of the sums of chance (nonnegative) times x [..., target]."""
        return np.einsum("...b,...b->...", self.chance, inflated(x, self.width)[..., self.target])


def _links(exact: list) -> _Links:
    """`_Links` of lists nested to the depth of (first, second[, third]) with rows of (target, chance)."""
    shape, rows = [len(exact)], exact
    while rows and rows[0] and isinstance(rows[0][0], list):
        shape.append(len(rows[0]))
        rows = [part for row in rows for part in row]
    return _Links(tuple(shape), rows)


class _Trail:
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
                self.belief[n, w, o, which[s]] = _float(b)
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
                    chance[n, w, o, c, slots[o, c][to]] = _float(p)
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


class _Box:
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
    def whole(cls, level: Level, i: int) -> _Box:
        """Every legal policy where histories are, the uniform one, up to the grid, elsewhere."""
        legal = np.array([[p > 0 for p in row] for row in level.rows[i]])
        share = legal / legal.sum(1, keepdims=True)
        low, high = np.floor(share / GRID) * GRID, np.ceil(share / GRID) * GRID
        free = (legal.sum(1) > 1) & (np.arange(len(legal)) < level.used[i])
        low[free], high[free] = 0.0, legal[free]
        return cls(low, high)

    def shrunk(self, bound: np.ndarray) -> _Box:
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
        return _Box(np.concatenate([low, self.low[used:]]), np.concatenate([high, self.high[used:]]))

    def empty(self) -> bool:
        return bool((self.low > self.high).any() or (self.low.sum(1) > 1).any() or (self.high.sum(1) < 1).any())


def _of_entropy(p: np.ndarray) -> np.ndarray:
    """Upper bounds of p log p."""
    logs = log(np.where(p > 0, p, 1.0))
    return inflated(inflated(logs + log_error(logs), 1) * p, 1)


def _filled(low: np.ndarray, high: np.ndarray, x: np.ndarray) -> np.ndarray:
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


def _pairs(actions: int) -> tuple[list[int], list[int], list[int]]:
    """Ordered pairs (a, b), a != b, a major: all a, all b, and the place of (b, a)."""
    pairs = [(a, b) for a in range(actions) for b in range(actions) if a != b]
    return [a for a, _ in pairs], [b for _, b in pairs], [pairs.index((b, a)) for a, b in pairs]


def _by_agent(level: Level, i: int, x: np.ndarray) -> np.ndarray:
    """[end, node, joint action] -> [end, node, own action, others' joint action]."""
    y = np.moveaxis(x.reshape(*x.shape[:2], *level.shape), 2 + i, 2)
    return y.reshape(*y.shape[:3], -1)


def _spread(width: np.ndarray, product: np.ndarray) -> np.ndarray:
    """min(sum q x^2 / 8, max x^2 / 16) over the pairs that occur, x = max(0, width): [window]."""
    x = np.where(product > 0, np.maximum(width, 0), 0)
    found: np.ndarray = np.minimum((product * x**2).sum(1) / 8, x.max(1) ** 2 / 16) * (1 + 64 * UNIT)
    return found
