"""Bounds of values and log-ratios by windows in whole numbers, one loop after the other: rules W1 to W3
(docs/certificate-windows.md).

A value n stands for n 2^-BITS, a probability of a box for n 2^-PLACES; sums and products are exact, what is rounded is
rounded to the side named `up` or `down`.  Standard library only.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from itertools import permutations, product
from math import lcm, prod
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
from certify.checker.plain.window_box import PLACES, Box, nested, whole
from certify.checker.reading.envelope import Failed
from certify.checker.reading.windows import Trail, WindowProcess

Range = tuple[int, int]  # at most and at least
Row = tuple[int, list[tuple[int, int]]]  # denominator, (target, numerator)
Table = dict[tuple[int, int], int]  # by start and others' window

FINE = 40  # the recursion over windows, whose numbers carry likelihoods, has so many more bits


class WindowBounds:
    """Boxes of policies that shrink: `begin` a node, then `step` by step.  Raises `Failed`."""

    def __init__(self, process: WindowProcess, unit: int) -> None:
        self.process, self.unit = process, unit
        self.weights, self.gamma = process.game.weights, process.game.discount
        self.pays = [w if process.game.flows_back else Fraction(0) for w in self.weights]  # for entropy, in values
        self._rows: dict[Any, Any] = {}

    def _row(self, row: Any, factor: Fraction | int = 1) -> Row:
        """(denominator, [(target, numerator)]) of [(target, rational)] times `factor`, kept per list."""
        key = id(row), factor
        if key not in self._rows:
            items = [(to, p * factor) for to, p in (row.items() if isinstance(row, dict) else row)]
            denominator = lcm(*(p.denominator for _, p in items)) if items else 1
            numerators = [(to, p.numerator * (denominator // p.denominator)) for to, p in items]
            self._rows[key] = (denominator, numerators, row)  # the row itself, so that its id stays taken
        found: Row = self._rows[key][:2]
        return found

    def _mean(self, row: Any, x: Callable[[int], int], factor: Fraction | int = 1) -> int:
        """At least the sum of chances times `factor` times x(target)."""
        denominator, items = self._row(row, factor)
        return ceil_div(sum(n * x(to) for to, n in items), denominator)

    def _mantissa(self, m: int) -> int:
        return m << (BITS + self.unit)

    def _exact(self, m: int) -> Fraction:
        return Fraction(m) * Fraction(2) ** self.unit

    # The walk ----------------------------------------------------------------------------------

    def begin(self, low: Fraction, high: Fraction) -> None:
        """The whole policy space for beta in [low, high]."""
        self.ends = [low] if low == high else [low, high]
        self.boxes = [[whole(level, i) for i in range(self.process.n)] for level in self.process.levels]
        self.ahead: dict[tuple[int, int], list[list[Range]]] = {}  # by level and end, as `values`
        self.values: dict[tuple[int, int], list[Range]] = {}
        self.products: dict[tuple[int, int, int], list[list[int]]] = {}  # of vertices, by level, agent, others' window

    def step(self, i: int, depth: int, bounds: list[list[int | None]], mimic: list[list[bool]]) -> None:
        """Rule W3: verify log-ratio bounds of agent i, then shrink its boxes."""
        u = depth + 1
        level, w_i = self.process.levels[u], self.weights[i]
        pairs = list(permutations(range(level.shape[i]), 2))
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
        # what depends on boxes of level u
        self.ahead = {key: x for key, x in self.ahead.items() if key[0] >= u}
        self.values = {key: x for key, x in self.values.items() if key[0] > u}
        self.products = {key: x for key, x in self.products.items() if key[0] != u}

    # Values (W1, W2) ---------------------------------------------------------------------------

    def _ahead(self, u: int, end: int) -> list[list[Range]]:
        """[node][joint action] -> (at most, at least) U."""
        if (u, end) not in self.ahead:
            level, beta = self.process.levels[u], self.ends[end]
            later = self._values(u + 1, end) if u < self.process.game.horizon else None
            follow = self.process.follow(u) if later else []
            table = []
            for e, node in enumerate(level.nodes):
                row = []
                for k, (least, most) in enumerate(self.process.rewards(level, node, beta)):
                    low, high = down(least), up(most)
                    if later:
                        low -= self._mean(follow[e][k], lambda to: -later[to][0], self.gamma)
                        high += self._mean(follow[e][k], lambda to: later[to][1], self.gamma)
                    row.append((low, high))
                table.append(row)
            self.ahead[u, end] = table
        return self.ahead[u, end]

    def _values(self, u: int, end: int) -> list[Range]:
        """[node] -> (at most, at least) V."""
        if (u, end) not in self.values:
            level, ahead = self.process.levels[u], self._ahead(u, end)
            shift = PLACES * self.process.n
            joint = list(product(*(range(size) for size in level.shape)))
            table = []
            for e, (_, windows) in enumerate(level.nodes):
                boxes = [self.boxes[u][i][level.place[i][w]] for i, w in enumerate(windows)]
                lows, highs = [], []
                if level.nested:
                    lows, highs = ([x] for x in self._nested_values(boxes, ahead[e]))
                for chosen in product(*(box.vertices for box in boxes)) if not level.nested else ():
                    chances = [prod(part) for part in product(*(v.chances for v in chosen))]
                    low = sum(c * x for c, (x, _) in zip(chances, ahead[e], strict=True))
                    high = sum(c * x for c, (_, x) in zip(chances, ahead[e], strict=True))
                    least = sum(down(w * Fraction(v.entropy, ONE)) for w, v in zip(self.pays, chosen, strict=True))
                    most = sum(up(w * Fraction(v.linear, ONE)) for w, v in zip(self.pays, chosen, strict=True))
                    lows.append((low >> shift) + least)
                    highs.append(ceil_shift(high, shift) + most)
                allowed = [all(b.high[a] for b, a in zip(boxes, c, strict=True)) for c in joint]
                soft = self._soft([x for (_, x), good in zip(ahead[e], allowed, strict=True) if good])
                table.append((min(lows), min(soft, max(highs))))
            self.values[u, end] = table
        return self.values[u, end]

    def _soft(self, x: list[int]) -> int:
        """At least w log sum exp(x / w), w the largest weight."""
        w, top = max(self.weights), max(x)
        limit = LARGEST_EXPONENT * ONE
        total = sum(exp_bounds(max(-limit, -((top - y) * w.denominator // w.numerator)))[1] for y in x)
        return top + up(w * Fraction(log_bounds(total)[1], ONE))

    def _nested_values(self, boxes: list[Box], ahead: list[Range]) -> Range:
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
            for a, b in permutations(range(level.shape[i]), 2)
        ]

    def _mimic(self, u: int, i: int, end: int) -> list[list[list[int]]]:
        """X2: the same from the reward difference and the change of what comes next, own windows remembering a."""
        level, places = self.process.levels[u], self._places(u, i)
        later = self._values(u + 1, end) if u < self.process.game.horizon else None
        change = self.process.mimic(u, i) if later else []
        table = []
        for p, (a, b) in enumerate(permutations(range(level.shape[i]), 2)):
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
        if (u, i, o) not in self.products:
            self.products[u, i, o] = [
                [prod(part) for part in product(*(v.chances for v in chosen))]
                for chosen in product(*(box.vertices for box in self._partners(u, i, o)))
            ]
        return self.products[u, i, o]

    def _partners(self, u: int, i: int, o: int) -> list[Box]:
        level = self.process.levels[u]
        agents = [j for j in range(self.process.n) if j != i]
        return [self.boxes[u][j][level.place[j][w]] for j, w in zip(agents, level.others[i][o], strict=True)]

    def _choose(self, u: int, i: int, o: int, x: list[int]) -> int:
        """At least max over the others' policies of sum p x, x a list over their joint actions."""
        if self.process.levels[u].nested:
            return nested(self._partners(u, i, o), x)
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
