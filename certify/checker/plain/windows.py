"""Verifies proofs by windows in whole numbers: rules W4 to W7, which make the policy unique, on the bounds of W1 to W3
(docs/certificate-windows.md).  Numbers as in `window_bounds`.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import permutations
from math import isqrt
from typing import Any

from certify.checker.numbers.fixed_point import BITS, ONE, ceil_div, ceil_shift, up
from certify.checker.numbers.linear import front
from certify.checker.plain.window_bounds import FINE, Table, WindowBounds
from certify.checker.plain.window_box import PLACES, Box, nested
from certify.checker.reading.envelope import Failed


class PlainWindows(WindowBounds):
    """An engine: `begin` a node, `step` by step, then `finish`.  Raises `Failed`."""

    name = "stdlib"

    def finish(self, constants: dict[tuple[int, int], dict[str, Any]]) -> None:
        """Verify the constants of every (agent, depth) with a choice and that all multipliers stay positive."""
        process = self.process
        penalty = [[0] * process.n for _ in range(process.game.horizon + 1)]
        for u in range(process.game.horizon, 0, -1):
            level, left, squares = process.levels[u], {}, {}
            for i in range(process.n):
                if level.shape[i] == 1:
                    continue
                given = constants[i, u - 1]
                left[i] = [ONE - x - penalty[u][i] for x in self._same(u, i, given["same"])]
                left[i] = [c if self.boxes[u][i][w].choice else ONE for w, c in enumerate(left[i])]
                if min(left[i]) <= 0:
                    raise Failed("a multiplier is not positive", agent=i, depth=u - 1)
                if given["groups"]:
                    squares[i] = self._squares(u, i, given)
            for i, square in squares.items():
                given = constants[i, u - 1]
                for lag, cost in self._costs(u, i, given["groups"], square[0], left[i]):
                    for j in range(process.n):
                        if j != i:
                            penalty[u - lag][j] += up(cost / self.weights[j])
                if not process.game.flows_back:
                    kappa = Fraction(max(self._kappa(i, square[1], given["own"], left[i])), ONE)
                    for lag in range(1, u):
                        penalty[u - lag][i] += up(self.gamma**lag * kappa / self.weights[i])

    def _squares(self, u: int, i: int, given: dict[str, Any]) -> tuple[list[list[int]], list[int]]:
        """[lag class][window] -> f^2 in units of 2^-BITS, the last class for all later lags; and [window] -> e^2/4, the
        spread of the means that the local bonus adds to f^2."""
        level = self.process.levels[u]
        pairs = list(permutations(range(level.shape[i]), 2))
        payoffs = [self._direct(u, i, end) for end in range(len(self.ends))]
        best: list[int] = []
        if given["variance"] is not None:
            best = [self._mantissa(m) for m in given["variance"]]
            for payoff, reference in zip(payoffs, given["reference"], strict=False):  # one where both ends are the same
                for w, square in enumerate(best):
                    if not self._lag_one(u, i, w, payoff, reference[w], square):
                        raise Failed("a variance is not proved", agent=i, depth=u - 1, window=w)
        found = []
        for lookback, rows in enumerate(given["ranges"]):
            squares, means = [], []
            for w, row in enumerate(rows):
                products = self.boxes[u][i][w].products(pairs)
                for p, m in enumerate(row):
                    for payoff in payoffs if products[p] else ():
                        value = self._best(u, i, payoff[p], w, lookback)
                        if not self._mean_below(u, i, lookback, w, value, self._mantissa(m)):
                            raise Failed("a range is not proved", agent=i, depth=u - 1, window=w, lookback=lookback)
                ends = [(m, row[pairs.index((b, a))]) for m, (a, b) in zip(row, pairs, strict=True)]
                squares.append(_spread([self._mantissa(m + back) for m, back in ends], products))
                means.append(_spread([self._mantissa(max(m, back)) for m, back in ends], products))
            best = list(map(min, best, squares)) if best else squares
            found.append(best)
        if not self.process.game.flows_back:
            found = [[f + e for f, e in zip(row, means, strict=True)] for row in found]
        return found, means

    def _lag_one(
        self, u: int, i: int, w: int, payoff: list[list[list[int]]], reference: list[int], square: int
    ) -> bool:
        """Rule W4, variance, at own window w."""
        process, trail = self.process, self.process.trail(u, i, self.process.lookback(u))
        pairs = list(permutations(range(process.levels[u].shape[i]), 2))
        products = self.boxes[u][i][w].products(pairs)
        best = [self._best(u, i, x, w) for x in payoff]
        x = {}
        for n, table in enumerate(trail.back[0]):
            for o, row in enumerate(table[w]):
                terms = []
                for chances in row:
                    denominator, items = self._row(chances)
                    likely = sum(p for _, p in items)
                    if not likely:
                        terms.append(0)
                        continue
                    middle = [ceil_div(sum(p * part.get((n, to), 0) for to, p in items), likely) for part in best]
                    phi = 0
                    for (a, b), q, m, r in zip(pairs, products, middle, reference, strict=True):
                        r = self._mantissa(r)
                        zeta = max(abs(m - r), abs(middle[pairs.index((b, a))] + r))
                        phi += ceil_shift(q * zeta * zeta, BITS + 2 * PLACES)
                    terms.append(ceil_div(likely * ((ceil_div(phi, 2) - square) << FINE), denominator))
                x[n, o] = self._choose(u - 1, i, o, terms)
        return self._walked(u, i, trail, w, x, 1)

    def _same(self, u: int, i: int, given: dict[int, list[int]]) -> list[int]:
        """[window] -> the shares of the same-time terms of agent i together, verified (rule W6)."""
        process, level = self.process, self.process.levels[u]
        total = [0] * level.used[i]
        for j in range(process.n):
            if j == i or level.shape[j] == 1:
                continue
            scale = self.weights[i] * self.weights[j]
            for w, m in enumerate(given[j]):
                share = self._mantissa(m)
                for end in range(len(self.ends)):
                    value = {
                        key: ceil_div(_root(ceil_shift(square, BITS)) * ONE, down_root(scale))
                        for key, square in self._interactions(u, i, j, w, end).items()
                    }
                    if not self._mean_below(u, i, process.lookback(u), w, value, share):
                        raise Failed("a share of the same time is not proved", agent=i, depth=u - 1, other=j, window=w)
                total[w] += share
        return total

    def _interactions(self, u: int, i: int, j: int, w: int, end: int) -> Table:
        """{(start, others' window): sigma^2 in units of 2^-2 BITS} at own window w (rule W6)."""
        process, level = self.process, self.process.levels[u]
        trail, ahead = process.trail(u, i, process.lookback(u)), self._ahead(u, end)
        highs = [[high for _, high in row] for row in ahead]
        lows = [[-low for low, _ in row] for row in ahead]
        found = {}
        for n in range(len(trail.starts)):
            for o, windows in enumerate(level.others[i]):
                high = self._averaged(u, i, trail, highs, (n, w, o))
                if high is None:
                    continue
                low = self._averaged(u, i, trail, lows, (n, w, o))
                assert low is not None
                agents = [x for x in range(process.n) if x != i]
                boxes = {x: self.boxes[u][x][level.place[x][v]] for x, v in zip(agents, windows, strict=True)}
                boxes[i] = self.boxes[u][i][w]
                above = _two_agents(level.shape, i, j, high, boxes)
                below = [[-x for x in row] for row in _two_agents(level.shape, i, j, low, boxes)]
                found[n, o] = _sigma_squared(above, below, boxes[i], boxes[j])
        return found

    def _costs(
        self, u: int, i: int, groups: list[tuple[int, list[int]]], squares: list[list[int]], left: list[int]
    ) -> list[tuple[int, Fraction]]:
        """Rules W5 and W7: what agent i at level u costs an agent of weight 1 earlier, [(lag, cost)]."""
        costs = []
        for number, (begin, shares) in enumerate(groups):
            end = groups[number + 1][0] - 1 if number + 1 < len(groups) else u - 1
            square = squares[min(begin, len(squares)) - 1]
            chain = Fraction(self._chain(u, i, self._kappa(i, square, shares, left), begin), ONE)
            costs += [(lag, self.gamma**lag * chain) for lag in range(begin, end + 1)]
        return costs

    def _kappa(self, i: int, square: list[int], shares: list[int], left: list[int]) -> list[int]:
        return [
            up(Fraction(f, ONE) / (self.weights[i] * self._exact(share) * Fraction(c, ONE)))
            for f, share, c in zip(square, shares, left, strict=True)
        ]

    def _chain(self, u: int, i: int, kappa: list[int], steps: int) -> int:
        """sup E[kappa(own window at u) | node, others' actions, `steps` levels earlier]."""
        process = self.process
        value = [kappa[w] for _, w in process.own_pairs(u, i)]
        for v in range(u - 1, u - 1 - steps, -1):
            table, new = process.own(v, i), []
            for k, (_, w) in enumerate(process.own_pairs(v, i)):
                columns = []
                for c in range(len(table[k][0])):
                    means = [self._mean(row[c], value.__getitem__) for row in table[k]]
                    columns.append(nested([self.boxes[v][i][w]], means))
                new.append(max(columns))
            value = new
        return max(value)


def _two_agents(shape: tuple[int, ...], i: int, j: int, x: list[int], boxes: dict[int, Box]) -> list[list[int]]:
    """[a_i][a_j] -> at least the mean of x over the others' policies; x a list over joint actions."""
    table, size = front(x, shape, (i, j)), len(x) // (shape[i] * shape[j])
    rest = [boxes[k] for k in range(len(shape)) if k not in (i, j)]
    cells = [nested(rest, table[k : k + size]) for k in range(0, len(x), size)]
    return [cells[k : k + shape[j]] for k in range(0, len(cells), shape[j])]


def _spread(width: list[int], products: list[int]) -> int:
    """min(sum q x^2 / 8, max x^2 / 16) over the pairs that occur, x = max(0, width)."""
    square = [(q, max(0, x) ** 2) for q, x in zip(products, width, strict=True) if q]
    total = sum(ceil_shift(q * x, BITS + 2 * PLACES) for q, x in square)
    return min(ceil_div(total, 8), ceil_div(ceil_shift(max([x for _, x in square], default=0), BITS), 16))


def _sigma_squared(above: list[list[int]], below: list[list[int]], mine: Box, theirs: Box) -> int:
    """The smaller of both bounds of rule W6, squared, in units of 2^-2 BITS; `below` <= U <= `above`."""
    rows, columns = ([a for a, high in enumerate(box.high) if high] for box in (mine, theirs))
    middle = [[(x + y) // 2 for x, y in zip(*pair, strict=True)] for pair in zip(above, below, strict=True)]
    # any shifts of rows and columns will do: means in the upper ends of the boxes
    down_columns = [
        sum(high * x for high, x in zip(mine.high, column, strict=True)) // sum(mine.high)
        for column in zip(*middle, strict=True)
    ]
    along_rows = [
        sum(theirs.high[b] * (row[b] - down_columns[b]) for b in columns) // sum(theirs.high) for row in middle
    ]
    total = 0
    for a in rows:
        for b in columns:
            shift = down_columns[b] + along_rows[a]
            entry = max(above[a][b] - shift, shift - below[a][b])
            total += mine.high[a] * theirs.high[b] * entry * entry
    frobenius = ceil_shift(total, 2 * PLACES)
    widest = 0
    for a, c in permutations(rows, 2):
        for b, d in permutations(columns, 2):
            widest = max(widest, above[a][b] - below[c][b] - below[a][d] + above[c][d])
    capped = ceil_shift(widest * widest * mine.largest_product() * theirs.largest_product(), 4 * PLACES)
    return min(frobenius, capped)


def _root(square: int) -> int:
    """At least the square root of square 2^-BITS."""
    return isqrt((square << BITS) - 1) + 1 if square else 0


def down_root(x: Fraction) -> int:
    """At most the square root of a rational, as a fixed-point number."""
    return isqrt((x.numerator << 2 * BITS) // x.denominator)
