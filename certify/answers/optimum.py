"""`certify.optimum`: the unique stationary policy at one temperature or along an interval of them,
enclosed and checked; below the threshold the branch that continues it (docs/theory/objective.md#stationary-policies,
docs/theory/localisation.md#lossless-clustering, docs/theory/hessian.md#the-rate, docs/theory/continuation.md#branches).

As everywhere, what is proposed here becomes a result only once the independent checker accepts it.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, TypedDict, Unpack

from certify.answers.optimum_draft import OptimumDraft
from certify.answers.optimum_result import OptimumResult, in_original_units, with_step
from certify.answers.optimum_search import BranchSearch, Span
from certify.answers.optimum_threshold import KnownThreshold, find_threshold, given_threshold
from certify.answers.threshold_result import ThresholdResult
from certify.bounds.enclosure import Enclosure
from certify.bounds.policy import layout_of
from certify.errors import InputError, Undecided
from certify.exact import exact_number, positive_number, significant_text, whole_number
from certify.games import Game, as_game, game_sha256
from certify.games.objective import for_objective
from certify.games.tree import DEFAULT_MAX_ENTRIES, Tree, unroll
from certify.games.units import divided, unit_of
from certify.memory import Memory
from certify.run import OutOfTime, Progress, Run, quiet
from certify.stationary.branch_pieces import Stopped
from certify.stationary.piece_proof import MAX_RATIOS

_HOTTEST = Fraction(10**100)  # in units of the payoffs: searches run in floats
_THRESHOLD_PART = 0.5  # of the time, where a threshold has to be found first
_GRACE = 0.8  # seconds for the check of what is proved after an interruption


class OptimumOptions(TypedDict, total=False):
    """What `optimum` takes beside the game and the temperature, all of it optional.

    horizon : of a sequential game.  objective : "entropy", "kl" or "local", as for `certify.threshold`.
    threshold : a threshold certificate of this game (a result, a
    document, a path); computed if None.  time_limit : seconds.  width : of a probability's enclosure
    along a path, at most.  max_entries : of the largest depth of the tree.  memory : of one process at most, like
    "1 GB".  progress : called with a line now and then.
    """

    horizon: int | None
    objective: str
    threshold: ThresholdResult | dict[str, Any] | str | os.PathLike[str] | None
    time_limit: Fraction | float | str | None
    width: Fraction | float | str
    max_entries: int
    memory: int | str | None
    progress: Progress


@dataclass(frozen=True)
class _Options:
    """The same with its defaults; an option of another name is a `TypeError`."""

    horizon: int | None = None
    objective: str = "entropy"
    threshold: Any = None
    time_limit: Fraction | float | str | None = 300.0
    width: Fraction | float | str = Fraction(1, 20)
    max_entries: int = DEFAULT_MAX_ENTRIES
    memory: int | str | None = None
    progress: Progress = quiet


def optimum(game: Any, alpha: Fraction | float | str | tuple, **options: Unpack[OptimumOptions]) -> OptimumResult:
    """The certified stationary policy at `alpha`.

    Parameters
    ----------
    game : a `Game`, a path, the name of a built-in, or payoffs as nested lists or an array.
    alpha : an exact temperature, or two (a pair, or text "LO:HI") for the path between them.
    options : see `OptimumOptions`.

    Raises `InputError` for bad input and for a threshold of another game.

    >>> result = optimum("lever:3:1/2", Fraction(1))
    >>> result.status, result.kind, result.greedy["agent1:"], result.greedy_return
    ('proved', 'unique', ('0', '1'), Fraction(1, 2))
    """
    began = time.monotonic()
    asked = _Options(**options)
    limit = asked.time_limit
    seconds = None if limit is None else float(positive_number(limit, "--time-limit", "number of seconds"))
    run = Run.lasting(seconds, progress=asked.progress)
    max_entries = whole_number(asked.max_entries, "--max-entries")
    played = for_objective(as_game(game, asked.horizon), asked.objective)
    unit = unit_of(played)
    low, high = (a / unit for a in read_temperatures(alpha, unit))
    game_in_units = divided(played, unit)
    widest = exact_number(asked.width, "--width")
    if not 0 < widest <= 1:
        raise InputError("--width", f"{asked.width}", "use a number in (0, 1]")
    found = OptimumResult("undecided", None, Enclosure(low, high))
    try:
        with run.stage("unrolling the game"):
            tree = unroll(game_in_units, max_entries=max_entries, memory=Memory.of(asked.memory))
        size = layout_of(tree).size - layout_of(tree).number_of_rows
        if size > MAX_RATIOS:
            why = f"{size} log-ratios after clustering, a Krawczyk step is made for at most {MAX_RATIOS}"
            found = replace(found, reason=why)
        else:
            known = _threshold(played, unit, tree, low, asked, run)
            span = Span(low, high, known.alpha_star, float(widest))
            found = replace(_followed(tree, span, known, (played, unit), run), alpha_star=known.alpha_star)
    except OutOfTime as over:
        found = replace(found, reason=str(over))
    found = in_original_units(found, unit)
    asked_for = Enclosure(low * unit, high * unit)
    if found.status == "proved" and (found.alpha.lower, found.alpha.upper) != (asked_for.lower, asked_for.upper):
        found = replace(found, status="partial")
    return replace(
        with_step(found),
        asked=asked_for,
        objective=played.objective,
        game_sha256=game_sha256(played),
        horizon=played.horizon,
        seconds=time.monotonic() - began,
    )


def _threshold(game: Game, unit: Fraction, tree: Tree, alpha: Fraction, asked: _Options, run: Run) -> KnownThreshold:
    """A threshold of the tree's game, which is `game` in units."""
    if asked.threshold is not None:
        return given_threshold(game, asked.threshold).divided(tree.game, unit)
    part = run.part(_THRESHOLD_PART)
    with part.stage("looking for a threshold"):
        return find_threshold(tree, alpha, asked.max_entries, part, Memory.of(asked.memory))


def _followed(
    tree: Tree, span: Span, known: KnownThreshold, original: tuple[Game, Fraction], run: Run
) -> OptimumResult:
    """What is proved of the branch over the span, as far as it was followed; `original` is the game in its own
    units, and the unit of the tree's payoffs."""
    kind = "unique" if span.unique else "principal branch"
    blank = OptimumResult("undecided", kind, Enclosure(span.low, span.high))
    search = BranchSearch(tree, span, run)
    low, last = span.low, None
    try:
        pieces, last = search.pieces()
    except Stopped as stopped:
        reached = 1 / stopped.reached
        why = stopped.why
        if stopped.pieces:
            why += (
                f"; followed down to alpha = {float(reached):.6g}, "
                f"uniqueness is proved from {float(span.alpha_star):.6g} on"
            )
        blank = replace(blank, reached=reached, reason=why)
        if span.point or reached >= span.high:
            return blank
        pieces, low = stopped.pieces, reached  # what is proved of the path
        blank = replace(blank, alpha=Enclosure(low, span.high))
    left = run if run.left() > 0 else Run.lasting(_GRACE, progress=run.progress)
    try:
        return OptimumDraft(search, known.document, original, left).result(blank, pieces, low, last)
    except Undecided as why:
        return replace(blank, reason=str(why))
    except OutOfTime as over:
        return replace(blank, reason=f"{blank.reason}; {over}".removeprefix("; "))


def read_temperatures(alpha: Any, unit: Fraction = Fraction(1)) -> tuple[Fraction, Fraction]:
    """The smallest and the largest temperature that "A", "LO:HI", a number or a pair of them means, for payoffs of
    the size of `unit`."""
    parts = alpha.split(":") if isinstance(alpha, str) else alpha if isinstance(alpha, (tuple, list)) else [alpha]
    if len(parts) not in (1, 2):
        raise InputError("alpha", f"{alpha!r}", "give one temperature, or two as LO:HI")
    numbers = [exact_number(part, "alpha") for part in parts]
    if not 0 < numbers[0] <= numbers[-1]:
        raise InputError("alpha", f"{alpha}", "use positive temperatures, the smaller one first")
    if numbers[0] < unit / _HOTTEST or numbers[-1] > unit * _HOTTEST:
        least, most = (significant_text(unit * power, up=True) for power in (1 / _HOTTEST, _HOTTEST))
        raise InputError("alpha", f"{alpha} is out of range", f"use temperatures between {least} and {most}")
    return numbers[0], numbers[-1]
