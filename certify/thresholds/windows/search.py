"""A threshold from windows: intervals of beta from 0 upwards, each as wide as it goes, with steps and constants that a
checker repeats (docs/windows.md).
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from certify.errors import InputError
from certify.games.model import Game
from certify.run import OutOfTime, Run
from certify.thresholds.windows.approx_finish import Constants, Finisher
from certify.thresholds.windows.approx_sweeps import Contradiction, Localised, Step
from certify.thresholds.windows.approx_values import MOST_ACTIONS
from certify.thresholds.windows.beliefs import Beliefs
from certify.thresholds.windows.tables import Tables, TooLarge

MOST_SWEEPS = 300
SETTLED = 0.004  # sweeps end where none narrows a box by this part
SLOW = 0.03  # below this, they end where the form is not going to fit; above it, boxes may yet collapse
MANY, FEW = 50, 4  # times what a first interval takes: about what a search takes, and what must be left to begin one
MOST_INTERVALS = 400
BEGINNING, COARSE, COARSELY = 0.2, 0.2, 3  # of the time that is left; rtol and intervals of a beginning
EAGER = 0.2  # below this, uniqueness is tried after every sweep
SPARE, CAREFUL = 1 / 3, 1.3  # of the time to search there is so much more for the check; how much dearer it may be
CHECKED = 0.7  # seconds of a check per second spent on the intervals that it repeats
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
    """One game with windows of one length: intervals of beta from 0 upwards, each as wide as it goes, so that what
    is found counts whenever the search ends."""

    def __init__(self, game: Game, k: int, run: Run | None = None, limit: int = MOST_NODES) -> None:
        began = time.monotonic()
        self.run = run or Run()
        self.tables, self.beliefs = self._made(game, k, limit)
        self.intervals: list[Interval] = []
        self.building = time.monotonic() - began  # seconds
        self.seconds = 0.0  # spent on the intervals
        self.first = 0.0  # spent on the first one
        self.width = 0.0  # what the next one is tried with, 0 before the first one

    def _made(self, game: Game, k: int, limit: int) -> tuple[Tables, Beliefs]:
        tables = Tables(game, k, limit)
        return tables, Beliefs(tables)

    @property
    def reached(self) -> Fraction:
        """The largest beta that is covered."""
        return self.intervals[-1].high if self.intervals else Fraction(0)

    @property
    def alpha_star(self) -> Fraction:
        """A short temperature at or above the lowest one that is covered."""
        return short_above(float(1 / self.reached) * (1 + 1e-12))

    def tried(self, low: Fraction, high: Fraction, *, patient: bool = True) -> tuple[Interval | None, float]:
        """Uniqueness on [low, high], if it is found, and how large the form was: what must be below 1, roughly
        proportional to `high` (inf: unknown).  Without patience, slow sweeps end where it looks hopeless."""
        ends = [float(high)] if low == high else [float(low), float(high)]
        found = Localised.whole(self.tables, self.beliefs, np.array(ends))
        sizes: list[float] = []
        try:
            found.advance(self.run.check)
            gain = 1.0
            for sweep in range(MOST_SWEEPS):
                self.run.check()
                if gain < EAGER or sweep % 3 == 0:
                    finisher = Finisher(found)
                    if finisher.holds():
                        return Interval(low, high, found.steps, finisher.listed()), finisher.size()
                    sizes.append(finisher.size())
                    if gain < SETTLED or (not patient and gain < SLOW and _hopeless(sizes)):
                        break
                gain = found.renew(range(self.tables.horizon, 0, -1), SETTLED)
        except Contradiction:
            return None, math.inf
        return None, sizes[-1] if sizes else math.inf

    def single(self, alpha: float) -> bool:
        """Whether uniqueness is found at one temperature."""
        beta = Fraction(1 / alpha)
        return self.tried(beta, beta)[0] is not None

    def climb(
        self, known: float, rtol: float, floor: float = 0.0, *, spare: float = math.inf, most: int = MOST_INTERVALS
    ) -> None:
        """Further intervals until alpha = `floor`, or until none of width `rtol` is found, or there are `most`;
        `known` is a temperature above which there may be uniqueness.  Ends where a check (by CHECKED) would take
        more than what is left of the run and `spare` seconds.  What is found until the run is over stays.
        """
        width, failed, patient = (self.width or 1 / known), False, False
        while not floor or self.reached < 1 / Fraction(floor):
            check = CAREFUL * (CHECKED * self.seconds + self.building)
            if len(self.intervals) >= most or check > spare + (self.run.left() if self.run.limited else 0):
                return
            low, began = self.reached, time.monotonic()
            high = _short(float(low) + width)
            least = rtol * float(low) if low else 1e-4 / known
            interval, size = self.tried(low, high, patient=patient)
            if interval is None:
                if width <= least:
                    if patient:
                        return
                    patient = True
                    continue
                width, failed = max(width * (0.6 if size < 1.3 else 0.4), least), True
                continue
            self.intervals.append(interval)
            self.seconds += time.monotonic() - began
            self.first = self.first or self.seconds
            # sizes grow faster than beta from 0 on; later on, one just below 1 says little: sweeps end where it is
            factor = max(0.8 / size, 1.0 if failed else 1.25) if low else max(0.33 / size, 0.6)
            width, failed = max(width * min(factor, 3.0), rtol * float(high)), False
            self.width = width
            so_far = f"unique from alpha = {float(1 / high):.6g} on ({len(self.intervals)})"
            self.run.progress(f"windows of length {self.tables.k}: {so_far}")

    def result(self) -> Windows | None:
        """What the intervals prove."""
        if not self.intervals:
            return None
        return Windows(self.alpha_star, self.tables.k, self.tables.symbols, tuple(self.intervals))


def _hopeless(sizes: list[float]) -> bool:
    """Whether what falls like this will not come below 1."""
    if len(sizes) < 3 or not math.isfinite(sizes[-3]):
        return False
    fall, before = sizes[-2] - sizes[-1], sizes[-3] - sizes[-2]
    ratio = min(fall / before, 0.9) if before > 0 else 0.5
    return sizes[-1] - 1.5 * max(fall, 0.002) / (1 - max(ratio, 0.3)) > 1


def _short(beta: float) -> Fraction:
    """A short fraction near `beta`, to 24 bits."""
    shift = 24 - math.frexp(beta)[1]
    return Fraction(round(math.ldexp(beta, shift)), 1) / (Fraction(2) ** shift)


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

    Ends at `largest_k`, at the horizon and where a table would grow too large.  Where the run is limited, short
    windows are left out if longer ones will be done in time.  Untrusted.  Raises `InputError`
    where a game has too many actions or states, and `OutOfTime` with the run, after what was found by then.

    >>> from certify.games.builtin import builtin
    >>> [float(w.alpha_star) < 1.1 for w in windows_thresholds(builtin("lever:2"), Fraction(2))]
    [True]
    """
    run = run or Run()
    # where nothing interacts any temperature would do; below, floats and the numbers of certificates end
    stakes = game.horizon * float(max(map(abs, game.reward.values()), default=0))
    best, floor = float(start), max(floor, float(start) / 1e5, stakes / 1e4)
    actions = max(len(game.actions_at(i, t)) for i in range(game.number_of_agents) for t in range(game.horizon))
    if actions > MOST_ACTIONS:
        raise InputError(game.name, f"{actions} actions", f"windows are for up to {MOST_ACTIONS} actions an agent")
    largest_k = min(largest_k, game.horizon - 1)
    spare = run.left() * SPARE if run.limited else math.inf
    for search, at_length in _searches(game, largest_k, run, best):
        over = None
        if at_length:
            try:
                search.climb(best, rtol, floor, spare=spare)
            except OutOfTime as error:
                over = error
        result = search.result()
        if result is not None and result.alpha_star < best:
            best = float(result.alpha_star)
            run.found(above=best)
            yield result
        if over is not None:
            raise over


def _searches(game: Game, largest_k: int, run: Run, known: float) -> Iterator[tuple[Search, bool]]:
    """Searches with longer and longer windows, and whether each is to go on as far as it gets.  Where there is a
    limit, short windows are left out if the next longer ones will be done in the time that is left."""
    try:
        search = Search(game, 0, run)
    except TooLarge as error:
        raise InputError(game.name, str(error), "use the structural method") from None
    growth: float = math.prod(len({x for row in agent for x in row}) for agent in search.tables.symbols)
    before: Search | None = None  # the one before, where it has only begun
    while True:
        k = search.tables.k
        if run.limited:
            _begin(search, known)
            yield search, False
        expected = growth * (search.first + search.building)
        long = run.limited and MANY * search.first > run.left() / (1 + CHECKED)
        at_length = long or not run.limited or k == largest_k or FEW * expected > run.left()
        if before is not None and at_length and (long or MANY * before.first < run.left() / 3):
            yield before, True  # what shorter windows give for sure, before what longer ones may
        if at_length:
            yield search, True
        if k == largest_k or (run.limited and FEW * expected > run.left()):
            return
        before = None if at_length else search
        if search.intervals:
            known = float(1 / search.reached)
        nodes = len(search.tables.levels[-1].nodes)
        try:
            search = Search(game, k + 1, run)
        except TooLarge as error:
            run.progress(str(error))
            largest_k = k
            continue
        growth = len(search.tables.levels[-1].nodes) / nodes


def _begin(search: Search, known: float) -> None:
    """A few coarse intervals: what is known if nothing else will be, and how long the others will take."""
    if not search.intervals:
        whole = search.run
        search.run = whole.part(BEGINNING)
        try:
            search.climb(known, COARSE, most=COARSELY)
        except OutOfTime:
            whole.check()
        finally:
            search.run = whole
