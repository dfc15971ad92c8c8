"""`certify.anneal`: train hot, cool down slowly: how far do all seeds stay together, and what does the policy earn
there (docs/annealing.md, docs/theory/annealing.md).

As everywhere, what is proposed here becomes a result only once the independent checker accepts it.
"""

from __future__ import annotations

import itertools
import json
import math
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, TypedDict, Unpack

import numpy as np

from certify import checker
from certify.answers.anneal_result import AnnealResult, Station, in_units
from certify.answers.ladder import Question
from certify.answers.optimum import read_temperatures
from certify.answers.optimum_result import Naming, OptimumResult
from certify.answers.optimum_threshold import KnownThreshold, given_threshold
from certify.answers.threshold import answered
from certify.answers.threshold_result import ThresholdResult
from certify.bounds.enclosure import Enclosure
from certify.bounds.policy import layout_of
from certify.certificates.anneal import AnnealClaim, Breaking, StationClaim, anneal_certificate
from certify.certificates.symmetry import map_to_json
from certify.certificates.units import restated
from certify.errors import InputError, Undecided
from certify.exact import exact_number, positive_number, simplest_between, whole_number
from certify.games import Game, as_game, game_sha256
from certify.games.objective import for_objective
from certify.games.tree import DEFAULT_MAX_ENTRIES, Tree, unroll
from certify.games.units import divided, unit_of
from certify.memory import Memory
from certify.run import OutOfTime, Progress, Run, quiet
from certify.stationary.approx_critical import Critical, approx_critical, approx_uphill
from certify.stationary.branch_pieces import BranchPath, Piece, Stopped
from certify.stationary.enclosed import enclose
from certify.stationary.greedy import greedy_return, greedy_rows
from certify.stationary.multiplicity import reward_range
from certify.stationary.piece_proof import MAX_RATIOS
from certify.stationary.symmetric_pieces import SymmetricPath
from certify.symmetry.group import symmetries
from certify.symmetry.histories import entry_permutation, fixed_subspace
from certify.symmetry.maps import identity_map

_THRESHOLD_PART, _FOLLOWING_PART = 0.35, 0.6  # of the time
_THRESHOLD_RTOL = Fraction(1, 20)
_HOT = 2  # times the threshold: where cooling begins
_ABOVE = Fraction(17, 16)  # times the threshold: the least temperature at which a chain begins
_COLD = Fraction(1, 2)  # of the threshold: where it ends if nothing happens and nobody says where
_COLDEST = 1000  # the payoff range less many: no critical temperature is looked for below
_STATIONS = 9
_NODES = 20_000  # of the search for symmetries
_GRACE = 2.0  # seconds for the check of what is proved after an interruption


class AnnealOptions(TypedDict, total=False):
    """What `anneal` takes beside the game, all of it optional.

    alpha : the hottest and the coldest temperature, a pair or text "HI:LO"; None: from twice the threshold down to the
    critical temperature, or to half the threshold where none is found.  rtol : of the bracket, hi/lo - 1.
    stations : temperatures to report; None: nine from the hottest to the last.
    horizon, objective ("entropy" or "kl"), threshold, time_limit, max_entries, memory, progress : as for `optimum`.
    """

    alpha: Any
    rtol: Fraction | float | str
    stations: Sequence[Fraction | float | str] | None
    horizon: int | None
    objective: str
    threshold: ThresholdResult | dict[str, Any] | str | os.PathLike[str] | None
    time_limit: Fraction | float | str | None
    max_entries: int
    memory: int | str | None
    progress: Progress


@dataclass(frozen=True)
class _Options:
    """The same with its defaults; an option of another name is a `TypeError`."""

    alpha: Any = None
    rtol: Fraction | float | str = Fraction(1, 100)
    stations: Sequence[Fraction | float | str] | None = None
    horizon: int | None = None
    objective: str = "entropy"
    threshold: Any = None
    time_limit: Fraction | float | str | None = 300.0
    max_entries: int = DEFAULT_MAX_ENTRIES
    memory: int | str | None = None
    progress: Progress = quiet


def anneal(game: Any, **options: Unpack[AnnealOptions]) -> AnnealResult:
    """The branch of the unique policy as the temperature falls, down to where it ceases to be a nondegenerate maximum.

    Parameters
    ----------
    game : a `Game`, a path, the name of a built-in, or payoffs as nested lists or an array.
    options : see `AnnealOptions`.

    Raises `InputError` for bad input and for a threshold of another game.

    >>> result = anneal("lever:2")
    >>> result.status, result.kind, result.critical.lower < Fraction(1, 2) < result.critical.upper
    ('proved', 'symmetry-breaking', True)
    """
    began = time.monotonic()
    asked = _Options(**options)
    limit = asked.time_limit
    seconds = None if limit is None else float(positive_number(limit, "--time-limit", "number of seconds"))
    run = Run.lasting(seconds, progress=asked.progress)
    rtol = exact_number(asked.rtol, "--rtol")
    if not Fraction(1, 10_000) <= rtol <= 1:
        raise InputError("--rtol", f"{asked.rtol}", "use a number in [1/10000, 1]")
    max_entries = whole_number(asked.max_entries, "--max-entries")
    if asked.objective == "local":
        raise InputError("objective", "the local bonus has no J to be a maximum of", "use entropy or kl")
    played = for_objective(as_game(game, asked.horizon), asked.objective)
    unit = unit_of(played)
    ends = None if asked.alpha is None else _ends(asked.alpha, unit)
    wanted = (
        None
        if asked.stations is None
        else [positive_number(a, "--stations", "temperature") / unit for a in asked.stations]
    )
    found = AnnealResult("undecided")
    try:
        with run.stage("unrolling the game"):
            tree = unroll(divided(played, unit), max_entries=max_entries, memory=Memory.of(asked.memory))
        size = layout_of(tree).size - layout_of(tree).number_of_rows
        if size > MAX_RATIOS:
            why = f"{size} log-ratios after clustering, a Krawczyk step is made for at most {MAX_RATIOS}"
            found = replace(found, reason=why)
        else:
            known = _threshold(played, unit, tree, asked, run)
            cooling = _Cooling(tree, known, (played, unit), run, rtol)
            found = cooling.result(ends, wanted)
    except OutOfTime as over:
        found = replace(found, reason=str(over))
    return replace(
        in_units(found, unit),
        objective=played.objective,
        game_sha256=game_sha256(played),
        horizon=played.horizon,
        seconds=time.monotonic() - began,
    )


def _ends(alpha: Any, unit: Fraction) -> tuple[Fraction, Fraction]:
    """(hottest, coldest) of "HI:LO" or a pair."""
    parts = alpha.split(":") if isinstance(alpha, str) else list(alpha) if isinstance(alpha, (tuple, list)) else [alpha]
    if len(parts) != 2:
        raise InputError("--alpha", f"{alpha}", "give two temperatures, the hotter one first: HI:LO")
    if exact_number(parts[0], "--alpha") <= exact_number(parts[1], "--alpha"):
        raise InputError("--alpha", f"{alpha}", "give the hotter temperature first: HI:LO")
    low, high = read_temperatures(tuple(reversed(parts)), unit)
    return high / unit, low / unit


def _threshold(game: Game, unit: Fraction, tree: Tree, asked: _Options, run: Run) -> KnownThreshold:
    """A threshold of the tree's game, which is `game` in units."""
    if asked.threshold is not None:
        return given_threshold(game, asked.threshold).divided(tree.game, unit)
    part = run.part(_THRESHOLD_PART)
    with part.stage("looking for a threshold"):
        question = Question(tree.game, "auto", _THRESHOLD_RTOL, (), None, asked.max_entries, Memory.of(asked.memory))
        found = answered(question, part)
    if found.document is None or found.alpha_star is None:
        raise InputError(tree.game.name, f"no threshold was proved ({found.reason})", "give one by --threshold")
    return KnownThreshold(found.document, found.alpha_star)


class _Cooling:
    """One branch, followed downwards: pieces, stations, and what happens at the end."""

    def __init__(
        self, tree: Tree, known: KnownThreshold, original: tuple[Game, Fraction], run: Run, rtol: Fraction
    ) -> None:
        self.tree, self.known, self.original, self.run, self.rtol = tree, known, original, run, rtol
        self.path = BranchPath(tree)
        legal = all(level.all_legal for level in tree.levels)
        with run.stage("looking for symmetries"):
            group = symmetries(tree.game, max_nodes=_NODES).generators
        identity = identity_map(tree.game).key
        self.maps = [g for g in group if g.key != identity] if legal else []
        self.generators = tuple(map_to_json(g) for g in self.maps)
        self.orbit = fixed_subspace(tree, tuple(self.maps)).entry_orbit
        self.symmetric = SymmetricPath(tree, np.asarray(self.orbit))
        self.pieces: list[Piece] = []
        self.marks: list[tuple[Fraction, int]] = []  # station temperatures and their pieces

    def result(self, ends: tuple[Fraction, Fraction] | None, wanted: list[Fraction] | None) -> AnnealResult:
        """Everything that is proved of cooling from the first of `ends` to the second."""
        star = self.known.alpha_star
        hot = star * _HOT if ends is None else ends[0]
        start = max(hot, star * _ABOVE)
        z = self._begun(start)
        if z is None:
            return self._undecided("no stationary policy was found in floats where the branch begins")
        coldest = reward_range(self.tree) / _COLDEST if ends is None else ends[1]
        with self.run.stage("looking for the critical temperature"):
            near = approx_critical(self.symmetric, z, 1 / float(start), 1 / float(coldest), self.run)
        if near.kind == "none":
            low = high = star * _COLD if ends is None else ends[1]
        else:
            low, high = self._bracket(near)
        reason = self._follow(z, start, min(hot, start), high, wanted)
        breaking = None
        if reason is None and near.kind == "symmetry-breaking":
            breaking = self._below(low, high)
            if breaking is None:
                reason = (
                    f"near alpha = {near.alpha:.6g} the branch ceases to be a maximum in floats; this is not proved"
                )
        elif reason is None and near.kind == "fold":
            reason = f"near alpha = {near.alpha:.6g} the branch seems to turn back (a fold); this is not proved"
        if breaking is None:
            low = high = 1 / self.pieces[-1].high if self.pieces else high
        return self._checked((low, high), breaking, start, reason)

    def _undecided(self, why: str) -> AnnealResult:
        return AnnealResult("undecided", reason=why, alpha_star=self.known.alpha_star)

    def _begun(self, start: Fraction) -> np.ndarray | None:
        z = self.path.start(1 / start)
        return None if z is None else self.symmetric.newton(self.symmetric.symmetrised(z), 1 / start)

    def _bracket(self, near: Critical) -> tuple[Fraction, Fraction]:
        """Short rationals on both sides of a temperature, hi/lo within the tolerance."""
        at, part = Fraction(near.alpha), self.rtol / 8
        return (
            simplest_between(at * (1 - 2 * part), at * (1 - part)),
            simplest_between(at * (1 + part), at * (1 + 2 * part)),
        )

    def _follow(
        self, z: np.ndarray, start: Fraction, hot: Fraction, high: Fraction, wanted: list[Fraction] | None
    ) -> str | None:
        """Pieces from `start` to `high` with narrow ones at the stations; why it ended earlier, or None."""
        stops = (
            _stations(hot, high) if wanted is None else sorted({a for a in wanted if high <= a <= start}, reverse=True)
        )
        part = self.run.part(_FOLLOWING_PART)
        beta = 1 / start
        for alpha in [*stops, *([] if stops and stops[-1] == high else [high])]:
            try:
                with part.stage("following the branch"):
                    goal = 1 / alpha
                    if goal > beta or not self.pieces:
                        chain = self._chain(beta, goal, z, part)
                        self.pieces += chain
                        z = self._middle(self.pieces[-1])
                    beta = goal
                    narrow = self.path.point(goal, z)
            except Stopped as stopped:
                self.pieces += stopped.pieces
                return stopped.why
            except OutOfTime as over:
                return str(over)
            if narrow is None:
                return f"no narrow box is proved at alpha = {float(alpha):.6g}"
            self.pieces.append(narrow)
            if alpha in stops:
                self.marks.append((alpha, len(self.pieces) - 1))
        return None

    def _chain(self, beta: Fraction, goal: Fraction, z: np.ndarray, run: Run) -> list[Piece]:
        if beta == goal:
            joint = self.path.point(beta, z, refine=False)
            if joint is None:
                raise Stopped(beta, "no narrow box is proved where the branch begins", [])
            return [joint]
        return self.path.chain(beta, goal, z, linked=True, widest=math.inf, run=run)

    def _middle(self, piece: Piece) -> np.ndarray:
        """The middle of a narrow piece as log-ratios against the last action."""
        flat = [float((low + high) / 2 - sum(row[-1]) / 2) for row in piece.image for low, high in row]
        ratios: np.ndarray = np.array(flat)[self.path.eq.entry]
        return ratios

    def _below(self, low: Fraction, high: Fraction) -> Breaking | None:
        """The branch among symmetric policies from `high` to `low`, and directions uphill there."""
        z = self.symmetric.symmetrised(self._middle(self.pieces[-1]))
        try:
            with self.run.stage("following the symmetric branch"):
                pieces = self.symmetric.chain(1 / high, 1 / low, z, linked=True, widest=math.inf, run=self.run)
        except (Stopped, OutOfTime):
            return None
        images = [entry_permutation(self.tree, g) for g in self.maps]
        directions = approx_uphill(self.tree, self._middle(pieces[-1]), float(low), images)
        return Breaking(pieces, directions) if directions else None

    def _checked(
        self, bracket: tuple[Fraction, Fraction], breaking: Breaking | None, start: Fraction, reason: str | None
    ) -> AnnealResult:
        """What the checker accepts of it."""
        if not self.pieces:
            return self._undecided(reason or "nothing was proved")
        orbit = self._orbit_by_row()
        claims = []
        for alpha, k in self.marks:
            try:
                enclosed = enclose(self.tree, k, self.pieces[k], alpha, alpha)
            except Undecided as why:
                reason = reason or str(why)
                continue
            rows = greedy_rows([[(p.lower, p.upper) for p in row] for row in enclosed.policy], orbit)
            claims.append(StationClaim(enclosed, rows, greedy_return(self.tree, rows)))
        claim = AnnealClaim(bracket, claims, self.generators, breaking)
        document = restated(anneal_certificate(self.tree.game, self.known.document, self.pieces, claim), *self.original)
        run = self.run if self.run.left() > _GRACE else Run.lasting(None, progress=self.run.progress)
        run.progress("checking the certificate")
        verdict = checker.check_certificate(json.loads(json.dumps(document)), progress=run.progress, budget=math.inf)
        if not verdict.valid:
            return replace(
                self._undecided(f"the checker does not confirm the search: {verdict.failed_step}"),
                engine=verdict.engine,
            )
        return AnnealResult(
            "proved" if reason is None else "partial",
            "none-down-to" if breaking is None else "symmetry-breaking",
            Enclosure(*bracket),
            () if breaking is None else tuple(sorted(breaking.directions)),
            self.generators,
            tuple(self._station(c, orbit) for c in claims),
            start,
            self.known.alpha_star,
            _step_size(document),
            len(self.pieces) + (0 if breaking is None else len(breaking.pieces)),
            engine=verdict.engine,
            reason=reason or "",
            document=document,
        )

    def _orbit_by_row(self) -> list[list[int]]:
        layout = layout_of(self.tree)
        starts = [*layout.row_start.tolist(), layout.size]
        return [np.asarray(self.orbit)[a:b].tolist() for a, b in itertools.pairwise(starts)]

    def _station(self, claim: StationClaim, orbit: list[list[int]]) -> Station:
        """A station by the names of infosets and actions."""
        naming, alpha = Naming(self.tree), claim.enclosed.low
        blank = naming.enclosed(OptimumResult("proved", None, Enclosure(alpha, alpha)), [claim.enclosed])
        found = naming.greedy(blank, list(claim.greedy), orbit, claim.greedy_return)
        assert found.value is not None and found.return_ is not None and found.entropy is not None
        return Station(
            alpha,
            found.value,
            found.return_,
            found.entropy,
            found.policy,
            found.greedy,
            found.greedy_return,
            found.ties,
        )


def _step_size(document: dict[str, Any]) -> Fraction | None:
    """The step of gradient ascent at the threshold inside, in the units of the document."""
    ascent = document["proof"]["threshold"]["claim"].get("ascent")
    return None if ascent is None else Fraction(ascent["step_size"])


def _stations(hot: Fraction, cold: Fraction) -> list[Fraction]:
    """Temperatures from `hot` to `cold`, evenly spread on a logarithmic axis, short ones between the two ends.

    >>> [str(a) for a in _stations(Fraction(8), Fraction(1))]
    ['8', '6', '14/3', '11/3', '11/4', '11/5', '5/3', '4/3', '1']
    """
    found = [hot]
    for k in range(1, _STATIONS - 1):
        at = Fraction(float(hot) * (float(cold) / float(hot)) ** (k / (_STATIONS - 1)))
        found.append(simplest_between(at * Fraction(97, 100), at * Fraction(103, 100)))
    return [a for a in dict.fromkeys(found) if a > cold] + [cold]
