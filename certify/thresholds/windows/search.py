"""A threshold from windows: the least temperature found at single points, then a cover of all larger ones
by intervals of beta, each with steps and constants that a checker repeats (docs/windows.md).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from certify.errors import InputError
from certify.games.model import Game
from certify.run import Run
from certify.thresholds.windows.approx_finish import Constants, Finisher
from certify.thresholds.windows.approx_sweeps import Contradiction, Localised, Step
from certify.thresholds.windows.approx_values import MOST_ACTIONS
from certify.thresholds.windows.beliefs import Beliefs
from certify.thresholds.windows.tables import Tables, TooLarge

MOST_SWEEPS = 300
STUCK = 3e-3  # a sweep that narrows no log-ratio by more than this part ends the sweeps
EAGER = 0.2  # below this, uniqueness is tried between sweeps
SHRINK, GROW = 0.5, 1.8  # widths of intervals, relative to beta
LEAST_WIDTH = 1e-3
MOST_NODES = 20_000  # of a level; checkers take no more
LARGEST = 3  # windows tried


@dataclass(frozen=True)
class Interval:
    """Uniqueness for beta in [low, high]: steps from the whole policy space, and constants at the end."""

    low: Fraction
    high: Fraction
    steps: list[Step]
    constants: list[Constants]


@dataclass(frozen=True)
class Windows:
    """A threshold with what proves it: windows of length k, symbols and intervals that cover [0, 1/alpha_star]."""

    alpha_star: Fraction
    k: int
    symbols: tuple[tuple[tuple[int, ...], ...], ...]
    intervals: tuple[Interval, ...]


class Search:
    """One game with windows of one length."""

    def __init__(self, game: Game, k: int, run: Run | None = None, limit: int = MOST_NODES) -> None:
        self.run = run or Run()
        self.tables = Tables(game, k, limit)
        self.beliefs = Beliefs(self.tables)

    def holds(self, low: Fraction, high: Fraction) -> Interval | None:
        """`Interval` if uniqueness is found on [low, high]."""
        ends = [float(high)] if low == high else [float(low), float(high)]
        found = Localised.whole(self.tables, self.beliefs, np.array(ends))
        tried = math.inf
        for _ in range(MOST_SWEEPS):
            self.run.check()
            try:
                gain = found.sweep()
            except Contradiction:
                return None
            if gain < STUCK or (gain < EAGER and gain < 0.3 * tried):
                tried = gain
                finisher = Finisher(found)
                if finisher.holds():
                    return Interval(low, high, found.steps, finisher.listed())
                if gain < STUCK:
                    return None
        return None

    def single(self, alpha: float) -> bool:
        """Whether uniqueness is found at one temperature."""
        beta = Fraction(1 / alpha)
        return self.holds(beta, beta) is not None

    def least(self, above: float, rtol: float, floor: float) -> float:
        """The least temperature found below `above`, at single points; `above` itself if none is."""
        low, high, factor = floor, above, 2.0
        while high / factor > floor and self.single(high / factor):
            high /= factor
        low = max(floor, high / factor)
        while high / low > 1 + rtol:
            middle = math.sqrt(low * high)
            if self.single(middle):
                high = middle
            else:
                low = middle
            self.run.progress(f"windows of length {self.tables.k}: at single temperatures down to {high:.5g}")
        return high

    def cover(self, alpha: float) -> Windows | None:
        """Intervals that cover [0, 1/alpha'] for the least alpha' >= alpha that works out (at most 12 % above)."""
        for slack in (0.002, 0.006, 0.012, 0.02, 0.035, 0.06, 0.12):
            star = short_above(alpha * (1 + slack))
            intervals = self._covered(1 / star)
            if intervals is not None:
                return Windows(star, self.tables.k, self.tables.symbols, tuple(intervals))
        return None

    def _covered(self, top: Fraction) -> list[Interval] | None:
        high, width = top, 0.04
        found: list[Interval] = []
        while high > 0:
            low = Fraction(0) if width > 0.85 else Fraction(round(high * (1 - Fraction(width)) * 2**40), 2**40)
            interval = self.holds(low, high)
            if interval is None:
                width *= SHRINK
                if width < LEAST_WIDTH:
                    return None
                continue
            found.insert(0, interval)
            self.run.progress(
                f"windows of length {self.tables.k}: unique from alpha = {float(1 / high):.6g} on ({len(found)})"
            )
            high, width = low, min(1.0, width * GROW)
        return found


def short_above(alpha: float) -> Fraction:
    """A short rational at or above `alpha`, within one part in 10^4."""
    scale = Fraction(10) ** (4 - math.floor(math.log10(alpha)))
    return Fraction(math.ceil(Fraction(alpha) * scale)) / scale


def windows_thresholds(
    game: Game,
    start: Fraction,
    *,
    rtol: float = 0.01,
    floor: float = 0.0,
    largest_k: int = LARGEST,
    run: Run | None = None,
) -> Iterator[Windows]:
    """Thresholds from windows of length 0, 1, ..., each below the one before; `start` is where the search begins.

    Ends at `largest_k`, at the horizon and where a table would grow too large.  Untrusted.  Raises `InputError`
    where a game has too many actions or states, and `OutOfTime` with the run.

    >>> from certify.games.builtin import builtin
    >>> [float(w.alpha_star) < 1.1 for w in windows_thresholds(builtin("lever:2"), Fraction(2))]
    [True]
    """
    run = run or Run()
    best, floor = float(start), max(floor, float(start) / 1e5)
    actions = max(len(game.actions_at(i, t)) for i in range(game.number_of_agents) for t in range(game.horizon))
    if game.reference:
        raise InputError(game.name, "a reference policy", "windows are for the entropy objective")
    if actions > MOST_ACTIONS:
        raise InputError(game.name, f"{actions} actions", f"windows are for up to {MOST_ACTIONS} actions an agent")
    for k in range(min(largest_k, game.horizon - 1) + 1):
        try:
            search = Search(game, k, run)
        except TooLarge as error:
            if k == 0:
                raise InputError(game.name, str(error), "use the structural method") from None
            run.progress(str(error))
            return
        alpha = search.least(best, rtol, floor)
        if alpha > best / (1 + rtol):
            continue
        result = search.cover(alpha)
        if result is not None and result.alpha_star < best:
            best = float(result.alpha_star)
            run.found(above=best)
            yield result
