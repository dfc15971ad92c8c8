"""Verifies proofs by windows in whole numbers, one loop after the other (docs/certificate-windows.md).

A value n stands for n 2^-BITS, a probability of a box for n 2^-PLACES; sums and products are exact, what is rounded is
rounded to the side named `up` or `down`.  Standard library only.
"""

from __future__ import annotations

import itertools
from fractions import Fraction
from functools import cached_property
from math import isqrt, lcm, prod
from typing import Any

from certify.checker.numbers.fixed_point import (
    BITS,
    LARGEST_EXPONENT,
    ONE,
    ceil_div,
    ceil_shift,
    down,
    exp_bounds,
    log_bounds,
    up,
)
from certify.checker.reading.envelope import Failed
from certify.checker.reading.windows import Level, Trail, WindowProcess

Range = tuple[int, int]  # at most and at least
Row = tuple[int, list[tuple[int, int]]]  # denominator, (target, numerator)
Table = dict[tuple[int, int], int]  # by start and others' window

ONE_EXACTLY = Fraction(1)
PLACES = 40  # boxes lie on the grid of 2^-PLACES
WHOLE = 1 << PLACES
FINE = 40  # the recursion over windows, whose numbers carry likelihoods, has so many more bits


class PlainWindows:
    """An engine: `begin` a node, `step` by step, then `finish`.  Raises `Failed`."""

    name = "stdlib"

    def __init__(self, process: WindowProcess, unit: int) -> None:
        self.process, self.unit = process, unit
        self.weights, self.gamma = process.game.weights, process.game.discount
        self.pays = [w if process.game.flows_back else Fraction(0) for w in self.weights]  # for entropy, in values
        self._rows: dict[Any, Any] = {}
        self.known: dict[Any, Any] = {}
        self.ends: list[Fraction] = []
        self.boxes: list[list[list[_Box]]] = []

    def _row(self, row: Any, factor: Fraction = ONE_EXACTLY) -> Row:
        """(denominator, [(target, numerator)]) of [(target, rational)] times `factor`, kept per list."""
        key = id(row), factor
        if key not in self._rows:
            items = [(to, p * factor) for to, p in (row.items() if isinstance(row, dict) else row)]
            denominator = lcm(*(p.denominator for _, p in items)) if items else 1
            numerators = [(to, p.numerator * (denominator // p.denominator)) for to, p in items]
            self._rows[key] = (denominator, numerators, row)  # the row itself, so that its id stays taken
        found: Row = self._rows[key][:2]
        return found

    def _mantissa(self, m: int) -> int:
        return m << (BITS + self.unit)

    # The walk ----------------------------------------------------------------------------------

    def begin(self, low: Fraction, high: Fraction) -> None:
        """The whole policy space for beta in [low, high]."""
        self.ends = [low] if low == high else [low, high]
        self.boxes = [[_whole(level, i) for i in range(self.process.n)] for level in self.process.levels]
        self.known = {}

    def _forget(self, u: int) -> None:
        """Drops what depends on boxes of level u."""
        kept = {"ahead": range(u, len(self.boxes)), "values": range(u + 1, len(self.boxes) + 1)}
        self.known = {
            key: x for key, x in self.known.items() if (key[1] != u if key[0] == "others" else key[1] in kept[key[0]])
        }

    def step(self, i: int, depth: int, bounds: list[list[int | None]], mimic: list[list[bool]]) -> None:
        """Rule W3: verify log-ratio bounds of agent i, then shrink its boxes."""
        u = depth + 1
        level, w_i = self.process.levels[u], self.weights[i]
        pairs = _pairs(level.shape[i])
        wanted = {(w, p): m for w, row in enumerate(bounds) for p, m in enumerate(row) if m is not None}
        for end in range(len(self.ends)):
            for form in (False, True):
                keys = {(w, p) for w, p in wanted if mimic[w][p] == form}
                if not keys:
                    continue
                payoff = self._mimic(u, i, end) if form else self._direct(u, i, end)
                for w, p in sorted(keys):
                    best = self._best(u, i, payoff[p], w)
                    target = down(w_i * self._exact(wanted[w, p]))
                    if not self._mean_below(u, i, self.process.lookback(u), w, best, target):
                        raise Failed(
                            "a bound on a log-ratio is not proved",
                            agent=i,
                            depth=depth,
                            window=w,
                            actions=list(pairs[p]),
                        )
        for w, row in enumerate(bounds):
            box = self.boxes[u][i][w].shrunk(
                {pair: self._mantissa(m) for pair, m in zip(pairs, row, strict=True) if m is not None}
            )
            if box.empty():
                raise Failed("a box without policies", agent=i, depth=depth)
            self.boxes[u][i][w] = box
        self._forget(u)

    def _exact(self, m: int) -> Fraction:
        return Fraction(m) * Fraction(2) ** self.unit

    # Values (W1, W2) ---------------------------------------------------------------------------

    def _ahead(self, u: int, end: int) -> list[list[Range]]:
        """[node][joint action] -> (at most, at least) U."""
        key = "ahead", u, end
        if key not in self.known:
            level, beta = self.process.levels[u], self.ends[end]
            later = self._values(u + 1, end) if u < self.process.game.horizon else None
            follow = self.process.follow(u) if later else []
            table = []
            for e, node in enumerate(level.nodes):
                row = []
                for k, (least, most) in enumerate(self.process.rewards(level, node, beta)):
                    low, high = down(least), up(most)
                    if later:
                        denominator, items = self._row(follow[e][k], self.gamma)
                        low += sum(n * later[to][0] for to, n in items) // denominator
                        high += ceil_div(sum(n * later[to][1] for to, n in items), denominator)
                    row.append((low, high))
                table.append(row)
            self.known[key] = table
        found: Any = self.known[key]
        return found

    def _values(self, u: int, end: int) -> list[Range]:
        """[node] -> (at most, at least) V."""
        key = "values", u, end
        if key not in self.known:
            level, ahead = self.process.levels[u], self._ahead(u, end)
            shift = PLACES * self.process.n
            joint = list(itertools.product(*(range(size) for size in level.shape)))
            table = []
            for e, (_, windows) in enumerate(level.nodes):
                boxes = [self.boxes[u][i][level.place[i][w]] for i, w in enumerate(windows)]
                lows, highs = [], []
                if level.nested:
                    lows, highs = ([x] for x in self._nested_values(boxes, ahead[e]))
                for chosen in itertools.product(*(box.vertices for box in boxes)) if not level.nested else ():
                    chances = [prod(part) for part in itertools.product(*(v.chances for v in chosen))]
                    low = sum(c * x for c, (x, _) in zip(chances, ahead[e], strict=True))
                    high = sum(c * x for c, (_, x) in zip(chances, ahead[e], strict=True))
                    least = sum(down(w * Fraction(v.entropy, ONE)) for w, v in zip(self.pays, chosen, strict=True))
                    most = sum(up(w * Fraction(v.linear, ONE)) for w, v in zip(self.pays, chosen, strict=True))
                    lows.append((low >> shift) + least)
                    highs.append(ceil_shift(high, shift) + most)
                allowed = [all(b.high[a] for b, a in zip(boxes, c, strict=True)) for c in joint]
                soft = self._soft([x for (_, x), good in zip(ahead[e], allowed, strict=True) if good])
                table.append((min(lows), min(soft, max(highs))))
            self.known[key] = table
        found: Any = self.known[key]
        return found

    def _soft(self, x: list[int]) -> int:
        """At least w log sum exp(x / w), w the largest weight."""
        w, top = max(self.weights), max(x)
        limit = LARGEST_EXPONENT * ONE
        total = sum(exp_bounds(max(-limit, -((top - y) * w.denominator // w.numerator)))[1] for y in x)
        return top + up(w * Fraction(log_bounds(total)[1], ONE))

    def _nested_values(self, boxes: list[_Box], ahead: list[Range]) -> Range:
        """(at most, at least) V at a node, agent by agent from the last one on."""
        most, least, fixed = [x for _, x in ahead], [-x for x, _ in ahead], Fraction(0)
        for box, w in zip(reversed(boxes), reversed(self.pays), strict=True):
            chords = box.chords
            most = box.filled([up(w * Fraction(x, ONE)) for x in box.logs], most)
            least = box.filled([up(-w * Fraction(slope, ONE)) for _, slope in chords], least)
            fixed += w * Fraction(sum(k for k, _ in chords), ONE)
        return down(fixed) - least[0], most[0]

    # Payoffs -----------------------------------------------------------------------------------

    def _places(self, u: int, i: int) -> list[list[int]]:
        """[own action][others' action] -> number of the joint action."""
        level = self.process.levels[u]
        index = {a: k for k, a in enumerate(level.actions)}
        others = self.process.others_actions(u, i)
        return [[index[(*c[:i], a, *c[i:])] for c in others] for a in self.process.own_actions(u, i)]

    def _direct(self, u: int, i: int, end: int) -> list[list[list[int]]]:
        """X1: [pair][reachable node][others' action], at least upper U(a) - lower U(b)."""
        level, ahead, places = self.process.levels[u], self._ahead(u, end), self._places(u, i)
        return [
            [
                [ahead[e][x][1] - ahead[e][y][0] for x, y in zip(places[a], places[b], strict=True)]
                for e in range(level.reachable)
            ]
            for a, b in _pairs(level.shape[i])
        ]

    def _mimic(self, u: int, i: int, end: int) -> list[list[list[int]]]:
        """X2: the same from the reward difference and the change of what comes next, own windows remembering a."""
        level, places = self.process.levels[u], self._places(u, i)
        later = self._values(u + 1, end) if u < self.process.game.horizon else None
        change = self.process.mimic(u, i) if later else []
        table = []
        for p, (a, b) in enumerate(_pairs(level.shape[i])):
            nodes = []
            for e in range(level.reachable):
                rewards, row = self.process.rewards(level, level.nodes[e], self.ends[end]), []
                for c, (x, y) in enumerate(zip(places[a], places[b], strict=True)):
                    value = up(rewards[x][1] - rewards[y][0])
                    if later:
                        denominator, items = self._row(change[p][e][c], self.gamma)
                        value += ceil_div(sum(n * later[to][1 if n > 0 else 0] for to, n in items), denominator)
                    row.append(value)
                nodes.append(row)
            table.append(nodes)
        return table

    # The recursion (W3) ------------------------------------------------------------------------

    def _others(self, u: int, i: int, o: int) -> list[list[int]]:
        """Products of vertices of the others' boxes at joint window o: lists over their joint actions."""
        key = "others", u, i, o
        if key not in self.known:
            self.known[key] = [
                [prod(part) for part in itertools.product(*(v.chances for v in chosen))]
                for chosen in itertools.product(*(box.vertices for box in self._partners(u, i, o)))
            ]
        return self.known[key]

    def _partners(self, u: int, i: int, o: int) -> list[_Box]:
        level = self.process.levels[u]
        agents = [j for j in range(self.process.n) if j != i]
        return [self.boxes[u][j][level.place[j][w]] for j, w in zip(agents, level.others[i][o], strict=True)]

    def _choose(self, u: int, i: int, o: int, x: list[int]) -> int:
        """At least max over the others' policies of sum p x, x a list over their joint actions."""
        if self.process.levels[u].nested:
            return _nested(self._partners(u, i, o), x)
        best = max(sum(c * y for c, y in zip(q, x, strict=True)) for q in self._others(u, i, o))
        return ceil_shift(best, PLACES * (self.process.n - 1))

    def _averaged(
        self, u: int, i: int, trail: Trail, x: list[list[int]], place: tuple[int, int, int]
    ) -> list[int] | None:
        """Means of x [node][action] over the posterior: a list over the actions, rounded up; None where none is."""
        n, w, o = place
        chances = trail.belief[n][w][o]
        if not chances:
            return None
        level = self.process.levels[u]
        others = level.others[i][o]
        windows = (*others[:i], level.windows[i][w], *others[i:])
        denominator, items = self._row(chances)
        rows = [(x[level.index[s, windows]], b) for s, b in items]
        return [ceil_div(sum(b * row[c] for row, b in rows), denominator) for c in range(len(rows[0][0]))]

    def _best(self, u: int, i: int, x: list[list[int]], w: int, lookback: int | None = None) -> Table:
        """{(start, others' window): the largest mean of x over the others' policies} at own window w."""
        lookback = self.process.lookback(u) if lookback is None else lookback
        trail = self.process.trail(u, i, lookback)
        found = {}
        for n in range(len(trail.starts)):
            for o in range(len(self.process.levels[u].others[i])):
                means = self._averaged(u, i, trail, x, (n, w, o))
                if means is not None:
                    found[n, o] = self._choose(u, i, o, means)
        return found

    def _mean_below(self, u: int, i: int, lookback: int, w: int, value: Table, target: int) -> bool:
        """Whether E[value | x] <= target is proved for own window w; value {(start, others' window)}."""
        trail = self.process.trail(u, i, lookback)
        return self._walked(u, i, trail, w, {key: (x - target) << FINE for key, x in value.items()}, 0)

    def _walked(self, u: int, i: int, trail: Trail, w: int, x: Table, done: int) -> bool:
        for steps in range(done, len(trail.back)):
            before = u - steps - 1
            new = {}
            for n, table in enumerate(trail.back[steps]):
                for o, row in enumerate(table[w]):
                    means = []
                    for chances in row:
                        denominator, items = self._row(chances)
                        means.append(ceil_div(sum(p * x.get((n, to), 0) for to, p in items), denominator))
                    new[n, o] = self._choose(before, i, o, means)
            x = new
        return all(x.get(key, 0) <= 0 for key in trail.possible)

    # Uniqueness (W4 to W7) ---------------------------------------------------------------------

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
        pairs = _pairs(level.shape[i])
        best: list[int] = []
        if given["variance"] is not None:
            best = [self._mantissa(m) for m in given["variance"]]
            for end in range(len(self.ends)):
                payoff = self._direct(u, i, end)
                for w, square in enumerate(best):
                    if not self._lag_one(u, i, w, payoff, given["reference"][end][w], square):
                        raise Failed("a variance is not proved", agent=i, depth=u - 1, window=w)
        found = []
        payoffs = [self._direct(u, i, end) for end in range(len(self.ends))]
        for lookback, rows in enumerate(given["ranges"]):
            means = []
            for w, row in enumerate(rows):
                products = self.boxes[u][i][w].products(pairs)
                for p, m in enumerate(row):
                    for payoff in payoffs if products[p] else ():
                        value = self._best(u, i, payoff[p], w, lookback)
                        if not self._mean_below(u, i, lookback, w, value, self._mantissa(m)):
                            raise Failed("a range is not proved", agent=i, depth=u - 1, window=w, lookback=lookback)
                ends = [(m, row[pairs.index((b, a))]) for m, (a, b) in zip(row, pairs, strict=True)]
                square = _spread([self._mantissa(m + back) for m, back in ends], products)
                means.append(_spread([self._mantissa(max(m, back)) for m, back in ends], products))
                if w < len(best):
                    best[w] = min(best[w], square)
                else:
                    best.append(square)
            found.append(list(best))
        if not self.process.game.flows_back:
            found = [[f + e for f, e in zip(row, means, strict=True)] for row in found]
        return found, means

    def _lag_one(
        self, u: int, i: int, w: int, payoff: list[list[list[int]]], reference: list[int], square: int
    ) -> bool:
        """Rule W4, variance, at own window w."""
        process, trail = self.process, self.process.trail(u, i, self.process.lookback(u))
        pairs = _pairs(process.levels[u].shape[i])
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
        lookback = process.lookback(u)
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
                    if not self._mean_below(u, i, lookback, w, value, share):
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
                    means = []
                    for row in table[k]:
                        denominator, items = self._row(row[c])
                        means.append(ceil_div(sum(p * value[to] for to, p in items), denominator))
                    columns.append(_nested([self.boxes[v][i][w]], means))
                new.append(max(columns))
            value = new
        return max(value)


def _two_agents(shape: tuple[int, ...], i: int, j: int, x: list[int], boxes: dict[int, _Box]) -> list[list[int]]:
    """[a_i][a_j] -> at least the mean of x over the others' policies; x a list over joint actions."""
    table = dict(zip(itertools.product(*map(range, shape)), x, strict=True))
    rest = [k for k in range(len(shape)) if k not in (i, j)]
    result = []
    for a in range(shape[i]):
        row = []
        for b in range(shape[j]):
            values = []
            for actions in itertools.product(*(range(shape[k]) for k in rest)):
                joint = {i: a, j: b, **dict(zip(rest, actions, strict=True))}
                values.append(table[tuple(joint[k] for k in range(len(shape)))])
            row.append(_nested([boxes[k] for k in rest], values))
        result.append(row)
    return result


def _nested(boxes: list[_Box], x: list[int]) -> int:
    """At least the largest sum p x over policies in the boxes, x over joint actions: agent by agent from the last on,
    each as if it knew what those before it do; of one agent exact but for rounding."""
    for box in reversed(boxes):
        x = box.filled([0] * len(box.low), x)
    return x[0]


def _spread(width: list[int], products: list[int]) -> int:
    """min(sum q x^2 / 8, max x^2 / 16) over the pairs that occur, x = max(0, width)."""
    square = [(q, max(0, x) ** 2) for q, x in zip(products, width, strict=True) if q]
    total = sum(ceil_shift(q * x, BITS + 2 * PLACES) for q, x in square)
    return min(ceil_div(total, 8), ceil_div(ceil_shift(max([x for _, x in square], default=0), BITS), 16))


def _sigma_squared(above: list[list[int]], below: list[list[int]], mine: _Box, theirs: _Box) -> int:
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
    for a, c in itertools.permutations(rows, 2):
        for b, d in itertools.permutations(columns, 2):
            widest = max(widest, above[a][b] - below[c][b] - below[a][d] + above[c][d])
    capped = ceil_shift(widest * widest * mine.largest_product() * theirs.largest_product(), 4 * PLACES)
    return min(frobenius, capped)


def _root(square: int) -> int:
    """At least the square root of square 2^-BITS."""
    root = isqrt(square << BITS)
    return root if root * root == square << BITS else root + 1


def down_root(x: Fraction) -> int:
    """At most the square root of a rational, as a fixed-point number."""
    return isqrt((x.numerator << 2 * BITS) // x.denominator)


class _Vertex:
    """A vertex of box and simplex: `chances` in units of 2^-PLACES, `linear` an upper and `entropy` a lower bound of
    its entropy."""

    __slots__ = ("chances", "entropy", "linear")

    def __init__(self, chances: tuple[int, ...], linear: list[int]) -> None:
        self.chances = chances
        self.linear = ceil_shift(sum(c * x for c, x in zip(chances, linear, strict=True)), PLACES)
        self.entropy = sum(-c * log_bounds(c << (BITS - PLACES))[1] >> PLACES for c in chances if c)


class _Box:
    """low <= pi <= high for one window, whole numbers in units of 2^-PLACES."""

    def __init__(self, low: list[int], high: list[int]) -> None:
        self.low, self.high = low, high
        self._vertices: list[_Vertex] | None = None

    @cached_property
    def logs(self) -> list[int]:
        """At least -log c for a positive vector c of sum at most 1 near the middle of the box."""
        room = sum(h - lo for lo, h in zip(self.low, self.high, strict=True))
        left = WHOLE - sum(self.low)
        centre = [lo + (left * (h - lo) // room if room else 0) for lo, h in zip(self.low, self.high, strict=True)]
        centre = [max(1, c - 1) for c in centre]
        while sum(centre) > WHOLE:  # a subdistribution is needed
            centre = [max(1, c - len(centre)) for c in centre]
        return [-log_bounds(c << (BITS - PLACES))[0] for c in centre]

    @cached_property
    def chords(self) -> list[tuple[int, int]]:
        """Per action (k, slope) with -p log p >= k + slope p in the box: concave, so it is enough at both ends."""
        found = []
        for ends in zip(self.low, self.high, strict=True):
            first, last = (-c * log_bounds(c << (BITS - PLACES))[1] >> PLACES if c else 0 for c in ends)
            slope = ((last - first) << PLACES) // max(ends[1] - ends[0], 1)
            found.append(
                (min(h - ceil_shift(slope * c, PLACES) for h, c in zip((first, last), ends, strict=True)), slope)
            )
        return found

    def filled(self, more: list[int], x: list[int]) -> list[int]:
        """At least the largest sum p (x + more), one for each part of x with all actions: filled up from `low`, the
        best actions first."""
        found = []
        for start in range(0, len(x), len(more)):
            y = [a + b for a, b in zip(x[start : start + len(more)], more, strict=True)]
            total, rest = sum(p * v for p, v in zip(self.low, y, strict=True)), WHOLE - sum(self.low)
            for a in sorted(range(len(y)), key=y.__getitem__, reverse=True):
                step = min(self.high[a] - self.low[a], rest)
                total, rest = total + step * y[a], rest - step
            found.append(ceil_shift(total, PLACES))
        return found

    @property
    def vertices(self) -> list[_Vertex]:
        """All vertices of box and simplex, filled up from `low` in every order of the actions."""
        if self._vertices is None:
            left, linear = WHOLE - sum(self.low), self.logs
            found = set()
            for order in itertools.permutations(range(len(self.low))):
                p, rest = list(self.low), left
                for a in order:
                    step = min(self.high[a] - self.low[a], rest)
                    p[a] += step
                    rest -= step
                found.add(tuple(p))
            self._vertices = [_Vertex(p, linear) for p in sorted(found)]
        return self._vertices

    def shrunk(self, bounds: dict[tuple[int, int], int]) -> _Box:
        """With log pi(a) - log pi(b) <= bounds[a, b] where there is one (rule W3)."""
        actions = range(len(self.low))
        low, high = list(self.low), list(self.high)
        limit = LARGEST_EXPONENT * ONE
        for a in actions:
            small = sum(
                exp_bounds(min(limit, -bounds[a, b]))[0]
                for b in actions
                if b != a and bounds.get((a, b), limit) < limit
            )
            high[a] = min(high[a], ceil_div(ONE << PLACES, ONE + small))
            rest = [b for b in actions if b != a and high[b]]  # the others that are played
            if all(bounds.get((b, a), limit) < limit for b in rest):
                large = sum(exp_bounds(bounds[b, a])[1] for b in rest)
                low[a] = max(low[a], (ONE << PLACES) // (ONE + large))
        for _ in range(2):
            low = [max(lo, WHOLE - sum(high) + high[a]) for a, lo in enumerate(low)]
            high = [min(h, WHOLE - sum(low) + low[a]) for a, h in enumerate(high)]
        return _Box(low, high)

    def empty(self) -> bool:
        return any(lo > h for lo, h in zip(self.low, self.high, strict=True)) or not sum(self.low) <= WHOLE <= sum(
            self.high
        )

    @property
    def choice(self) -> bool:
        return sum(map(bool, self.high)) > 1

    def largest_product(self) -> int:
        """At least p (1 - p), p the probability of a set of actions, in units of 2^-2 PLACES: p or 1 - p is at least
        the largest lower end."""
        p = max(WHOLE // 2, *self.low)
        return p * (WHOLE - p)

    def products(self, pairs: list[tuple[int, int]]) -> list[int]:
        """At least pi(a) pi(b) per pair, in units of 2^-2 PLACES."""
        return [min(self.high[a] * self.high[b], self.largest_product()) for a, b in pairs]


def _whole(level: Level, i: int) -> list[_Box]:
    """Boxes of every legal policy where histories are, of the uniform one, up to the grid, elsewhere."""
    found = []
    for w, row in enumerate(level.rows[i]):
        count = sum(map(bool, row))
        ends = (0, WHOLE) if w < level.used[i] and count > 1 else (WHOLE // count, ceil_div(WHOLE, count))
        found.append(_Box(*([end if p else 0 for p in row] for end in ends)))
    return found


def _pairs(actions: int) -> list[tuple[int, int]]:
    """Ordered pairs (a, b), a != b, a major."""
    return [(a, b) for a in range(actions) for b in range(actions) if a != b]
