"""Windows for every horizon at once, discount below 1 (docs/theory/windows.md#all-horizons-at-once; floats, proposals).

Steps are counted from the end.  Each of the last ones has boxes of its own; all earlier ones share a box per window,
shown by induction: if it holds nearer to the end, it holds at a step, and this is a proof by windows about that step
and a few before it, where anything is allowed at first.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from certify.errors import InputError
from certify.games.model import Game, JointAction
from certify.run import OutOfTime, Run
from certify.thresholds.windows.approx_finish import Constants, Finisher
from certify.thresholds.windows.approx_localise import Past
from certify.thresholds.windows.approx_sweeps import SCALE, Contradiction, Localised, Step
from certify.thresholds.windows.approx_values import MOST_ACTIONS, Box, ahead, node_values
from certify.thresholds.windows.beliefs import Beliefs
from certify.thresholds.windows.search import MOST_NODES, SETTLED, Search
from certify.thresholds.windows.seen import Node, Window, WindowedGame
from certify.thresholds.windows.symbols import lossless_symbols
from certify.thresholds.windows.tables import Level, Tables, TooLarge

BLANK = -1  # the symbol of a step before the start, which leaves the state as it is
PASSES = 60  # of the operator of values
MOST_CLAIMS = 8  # tried one after the other
SLACK = 0.03  # of its width, and three times of the widest, that a claim is wider than what followed before
SWEEPS = 40
LONGEST = 2  # windows tried
LAST = 4  # steps at the end that have boxes of their own


class EndlessTables(Tables):
    """One level for all steps of all horizons: what any number of steps can reach.  `levels[u]` is that level for
    u = 0 .. `last` + `before` + 1: the `last` steps at the end, then `common` = `before` + 1, which stands for any
    step before them, and the `before` steps before that."""

    def __init__(self, game: Game, k: int, last: int, before: int, limit: int = 100_000) -> None:
        self.limit, self.last, self.before, self.common = limit, last, before, before + 1
        WindowedGame.__init__(self, game, k, last + before + 1, lossless_symbols(game, k > 0), kept=k)
        first = frozenset((s, ((BLANK,) * k,) * self.n) for s, _, _ in game.start)
        reached = self._closure(first)
        beside = {
            e2
            for e in reached
            for a in self.actions(1)
            for b in self._believed(a, self.actions(1))
            for e2, _ in self._after(1, e, a, b)
        }
        closed = reached | self._closure(frozenset(beside))
        level = self._level(1, reached, closed, None)
        self._linked(level)
        self.levels = [level] * (self.horizon + 1)

    def _closure(self, nodes: frozenset[Node]) -> frozenset[Node]:
        found, new = set(nodes), set(nodes)
        while new:
            new = {e2 for e in new for a in self.actions(1) for e2, _ in self._after(1, e, a)} - found
            found |= new
            if len(found) > self.limit:
                raise TooLarge(f"more than {self.limit} nodes with windows of length {self.k}")
        return frozenset(found)

    def _linked(self, level: Level) -> None:
        """The level follows itself."""
        again = self._level(1, frozenset(level.nodes[: level.reachable]), frozenset(level.nodes), level)
        level.follow = again.follow
        for side, other in zip(level.sides, again.sides, strict=True):
            side.mimic, side.own_next = other.mimic, other.own_next

    def extended(self, level: int, window: Window, symbol: int) -> Window:
        """The last k symbols."""
        return (*window, symbol)[len(window) + 1 - self.k :]

    def lookback(self, level: int) -> int:
        """Always k: blanks stand before the start."""
        return self.k

    def actions(self, level: int) -> list[JointAction]:
        """The same at every step."""
        return list(self.game.joint_actions_at(0))

    def own_actions(self, level: int, agent: int) -> list[int]:
        """The same at every step."""
        return list(self.game.actions_at(agent, 0))


class EndlessBeliefs(Beliefs):
    """Posteriors with blanks before the start."""

    def _kernel(self, level: int, i: int, symbol: int, others: tuple[int, ...]) -> dict[tuple[int, ...], np.ndarray]:
        if symbol == BLANK:
            return {(BLANK,) * (self.tables.n - 1): np.eye(self.states)}
        return super()._kernel(1, i, symbol, others)

    def _joint_kernel(self, level: int, symbols: tuple[int, ...]) -> np.ndarray:
        others = tuple(0 if x == BLANK else self._first[j, x][0] for j, x in enumerate(symbols) if j > 0)
        found = self._kernel(1, 0, symbols[0], others)
        return found.get(symbols[1:], np.zeros((self.states, self.states)))

    def vectors(self, start: int, joint: tuple[Window, ...]) -> np.ndarray:
        """As for any level: there is one."""
        return super().vectors(1, joint)

    def trail(self, top: int, i: int, lookback: int) -> Any:
        """The same from every level."""
        if (i, lookback) not in self._trails:
            self._trails[i, lookback] = self._trail(lookback + 1, i, lookback)
        return self._trails[i, lookback]


class EndlessPast(Past):
    """Steps before level 0 are as level 0."""

    def choose(self, u: int, i: int, x: np.ndarray) -> np.ndarray:
        """`Past.choose`."""
        return super().choose(max(u, 0), i, x)

    def _choose_both(
        self, u: int, i: int, x: list[np.ndarray], also: list[np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray]:
        return super()._choose_both(max(u, 0), i, x, also)


class EndlessLocalised(Localised):
    """`claim` : boxes per agent that hold at every step between `common` and the last ones; `limits` : values that
    they bound, up to one number per horizon, (upper, lower) [end, node]; None: as if there were no such steps."""

    claim: list[Box] | None = None
    limits: tuple[np.ndarray, np.ndarray] | None = None

    @classmethod
    def whole(cls, tables: Tables, beliefs: Beliefs, beta: np.ndarray) -> EndlessLocalised:
        """The whole policy space."""
        found = super().whole(tables, beliefs, beta)
        assert isinstance(found, EndlessLocalised)
        found.past = EndlessPast(found.past.tables, found.past.beliefs, found.past.vertices)
        return found

    def suppose(self, claim: list[Box]) -> None:
        """Take boxes as given for every step between."""
        assert isinstance(self.tables, EndlessTables)
        self.claim = claim
        level, gamma = self.tables.levels[1], self.tables.gamma
        top = bottom = np.zeros((len(self.beta), len(level.nodes)))
        for _ in range(PASSES):
            up, down = (ahead(level, self.beta, gamma, x) for x in (top, bottom))
            new = node_values(level, claim, self.tables.pays, up, down)
            gain = (top - new[0]).min(1, keepdims=True), (bottom - new[1]).max(1, keepdims=True)
            top, bottom = (x - gamma / (1 - gamma) * g for x, g in zip(new, gain, strict=True))
        room = 2e-9 * (1 + max(np.abs(top).max(), np.abs(bottom).max()))
        self.limits = top + room, bottom - room

    def later(self, u: int) -> Any:
        """`Localised.later`, and before the steps between what holds for any number of them."""
        high, low = super().later(u)
        assert isinstance(self.tables, EndlessTables)
        if u != self.tables.common or self.limits is None or high is None or low is None:
            return high, low
        top, bottom = self.limits
        gap = (high - top).max(1, keepdims=True) + (bottom - low).max(1, keepdims=True)
        return top + np.maximum(gap, 0), bottom

    def settle(self, check: Any) -> None:
        """Sweeps until little changes."""
        self.advance(check)
        for _ in range(SWEEPS):
            check()
            if self.renew(range(self.tables.horizon, 0, -1), SETTLED) < SETTLED:
                return

    def close(self) -> None:
        """What is shown for `common` holds at every step before the last ones."""
        assert isinstance(self.tables, EndlessTables)
        for u in range(self.tables.common):
            self.boxes[u] = list(self.boxes[self.tables.common])
            self.past.renew(u, self.boxes[u])


class EndlessFinisher(Finisher):
    """One group of lags; what later steps cost an agent at any step before the last ones is at most `price`."""

    price: np.ndarray

    def holds(self) -> bool:
        """Whether every multiplier stays positive; fills `constants`."""
        tables = self.tables
        assert isinstance(tables, EndlessTables)
        for u in range(tables.horizon, tables.before, -1):
            self._measure(u)
        for (_, i), part in self.constants.items():
            part.groups = [(1, [int(SCALE)] * len(tables.levels[1].sides[i].windows))]
        return self._multipliers() > 1e-6

    def _lookbacks(self, u: int) -> range:
        return range(self.tables.k + 1)

    def _multipliers(self, whole: float = 1.0) -> float:
        tables = self.tables
        assert isinstance(tables, EndlessTables)
        price, least = np.zeros(tables.n), np.inf
        for u in range(tables.horizon, tables.common, -1):
            cost, left = self._cost(u, price, whole)
            least = min(least, left)
            if left <= 1e-6:
                return left
            price = tables.gamma * (price + cost)
        for _ in range(1_000):
            cost, left = self._cost(tables.common, price, whole)
            if left <= 1e-6:
                return left
            new = tables.gamma * (price + cost)
            if (new <= price * (1 - 1e-6) - 1e-9).all():
                self.price = price
                return min(least, left)
            price = np.maximum(price, new * (1 + 1e-4) + 1e-7)
        return 0.0

    def _cost(self, u: int, price: np.ndarray, whole: float) -> tuple[np.ndarray, float]:
        """What level u costs each agent one step earlier, and the least multiplier."""
        tables = self.tables
        cost, least = np.zeros(tables.n), np.inf
        for i in range(tables.n):
            if tables.levels[u].shape[i] == 1:
                continue
            left = whole - self.same[u, i] - price[i]
            least = min(least, float(left.min()))
            if least <= 1e-6:
                break
            kappa = self.squares[u, i][0] / (tables.weights[i] * left)
            chain = self._chain(u, i, kappa, 1, {})
            for j in range(tables.n):
                if j != i:
                    cost[j] += chain / tables.weights[j]
        return cost, least


@dataclass(frozen=True)
class EndlessInterval:
    """Uniqueness for beta in [low, high]: `claim` boxes per agent, steps and constants as in `Interval`, and the most
    that later steps cost an agent."""

    low: Fraction
    high: Fraction
    claim: list[tuple[list[list[int]], list[list[int]]]]
    steps: list[Step]
    constants: list[Constants]
    price: list[int]


@dataclass(frozen=True)
class EndlessWindows:
    """A threshold for every horizon with what proves it."""

    alpha_star: Fraction
    k: int
    symbols: tuple[tuple[tuple[int, ...], ...], ...]
    last: int
    before: int
    intervals: tuple[EndlessInterval, ...]


class EndlessSearch(Search):
    """`Search` for every horizon."""

    tables: EndlessTables

    def __init__(self, game: Game, k: int, run: Run | None = None, limit: int = MOST_NODES, last: int = LAST) -> None:
        self.last = last
        super().__init__(game, k, run, limit)

    def _made(self, game: Game, k: int, limit: int) -> tuple[Tables, Beliefs]:
        tables = EndlessTables(game, k, self.last, k + 1, limit)
        return tables, EndlessBeliefs(tables)

    def tried(self, low: Fraction, high: Fraction, *, patient: bool = True) -> tuple[Any, float]:
        """As `Search.tried`."""
        ends = np.array([float(high)] if low == high else [float(low), float(high)])
        claim: list[Box] | None = None
        try:
            for _ in range(MOST_CLAIMS if patient else MOST_CLAIMS // 2):
                found = EndlessLocalised.whole(self.tables, self.beliefs, ends)
                if claim is not None:
                    found.suppose(claim)
                found.settle(self.run.check)
                boxes = found.boxes[self.tables.common]
                if claim is not None and all(_within(x, y) for x, y in zip(boxes, claim, strict=True)):
                    found.close()
                    finisher = EndlessFinisher(found)
                    if finisher.holds():
                        return self._interval(low, high, found, finisher), finisher.size()
                    return None, finisher.size()
                sides = self.tables.levels[1].sides
                claim = [_wider(x, y, len(s.windows)) for x, y, s in zip(boxes, claim or boxes, sides, strict=True)]
        except Contradiction:
            return None, math.inf
        return None, math.inf

    def _interval(
        self, low: Fraction, high: Fraction, found: EndlessLocalised, finisher: EndlessFinisher
    ) -> EndlessInterval:
        assert found.claim is not None
        claim = []
        for box, side in zip(found.claim, self.tables.levels[1].sides, strict=True):
            ends = (box.low[: len(side.windows)], box.high[: len(side.windows)])
            low_end, high_end = (np.rint(x * SCALE).astype(int).tolist() for x in ends)
            claim.append((low_end, high_end))
        price = [int(np.ceil(x * SCALE)) + 1 for x in finisher.price]
        return EndlessInterval(low, high, claim, found.steps, finisher.listed(), price)

    def endless(self) -> EndlessWindows | None:
        """What the intervals prove."""
        if not self.intervals:
            return None
        tables = self.tables
        intervals: tuple[Any, ...] = tuple(self.intervals)
        return EndlessWindows(self.alpha_star, tables.k, tables.symbols, tables.last, tables.before, intervals)


def endless_thresholds(game: Game, start: Fraction, rtol: float, run: Run) -> Iterator[EndlessWindows]:
    """Thresholds for every horizon from windows of length 0, 1, ..., each below the one before, while `run` lasts.

    An interruption is noted in `run`, and ends them with what is found.  Raises `InputError` where a game has too many
    actions or states.

    >>> from certify.games.builtin import builtin
    >>> game = builtin("recycling", horizon=1, discount="1/2")
    >>> float(next(endless_thresholds(game, Fraction(27), 0.5, Run())).alpha_star) < 9
    True
    """
    best = float(start)
    if max(len(actions) for actions in game.actions) > MOST_ACTIONS:
        raise InputError(game.name, "too many actions", f"windows are for up to {MOST_ACTIONS} actions an agent")
    for k in range(LONGEST + 1):
        try:
            with run.stage("comparing windows"):
                search = EndlessSearch(game, k, run)
        except OutOfTime:
            return
        except TooLarge as error:
            if k == 0:
                raise InputError(game.name, str(error), "use the structural method") from None
            return
        over = False
        try:
            with run.stage("comparing windows"):
                search.climb(best, rtol, spare=run.left() / 3)
        except OutOfTime:
            over = True
        found = search.endless()
        if found is not None and found.alpha_star < best:
            best = float(found.alpha_star)
            yield found
        if over:
            return


def _within(inner: Box, outer: Box) -> bool:
    return bool((inner.low >= outer.low).all() and (inner.high <= outer.high).all())


def _wider(first: Box, second: Box, used: int) -> Box:
    """A box with room around both, on the grid of constants, at the windows that histories have."""
    low, high = np.minimum(first.low, second.low), np.maximum(first.high, second.high)
    width = high - low
    room = SLACK * (width + 3 * width.max(0)) + 1e-6
    low, high = np.maximum(low - room, 0), np.minimum(high + room, 1)
    low, high = np.floor(low * SCALE) / SCALE, np.ceil(high * SCALE) / SCALE
    low[used:], high[used:] = first.low[used:], first.high[used:]
    return Box(low, high)
