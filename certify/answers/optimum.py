"""`certify.optimum`: the unique stationary policy at one temperature or along an interval of them,
enclosed and checked; below the threshold the branch that continues it (docs/theory/objective.md#stationary-policies,
docs/theory/localisation.md#lossless-clustering, docs/theory/hessian.md#the-rate, docs/theory/continuation.md#branches).

As everywhere, what is proposed here becomes a result only once the independent checker accepts it.
"""

from __future__ import annotations

import itertools
import json
import os
import time
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np

from certify import checker
from certify.answers.optimum_result import Naming, OptimumResult
from certify.answers.threshold import threshold as find_threshold
from certify.answers.threshold_result import ThresholdResult
from certify.bounds.enclosure import Enclosure
from certify.bounds.policy import layout_of
from certify.certificates.optimum import optimum_certificate
from certify.certificates.symmetry import map_to_json
from certify.certificates.threshold import cover_certificate
from certify.checker.numbers.interval import BITS
from certify.checker.reading.envelope import Failed, read_file
from certify.checker.reading.game import read_game
from certify.checker.reading.process import build_process
from certify.checker.stationary import krawczyk
from certify.errors import InputError, Undecided
from certify.exact import parse_rational
from certify.games import Game, game_sha256, load
from certify.games.canonical import game_to_json
from certify.games.histories import histories
from certify.games.objective import for_objective
from certify.games.tree import DEFAULT_MAX_ENTRIES, Tree, unroll
from certify.run import Run
from certify.stationary.approx_rate import approx_rate
from certify.stationary.branch_pieces import UNIT_BITS, Image, Path, Piece, Stopped
from certify.stationary.enclosed import Enclosed, enclose
from certify.stationary.greedy import greedy_return, greedy_rows
from certify.symmetry.group import symmetries
from certify.symmetry.histories import fixed_subspace
from certify.thresholds.cover import Stalled, find_cover
from certify.thresholds.index_tables import Plan

Progress = Callable[[str], None]

_HOTTEST = Fraction(10**100)  # searches run in floats
_RATE_LOGITS = 700  # of the whole table: for larger ones no rate is computed
_ABOVE = Fraction(15, 16)  # of the threshold's beta: where the principal branch is begun
_BELOW = Fraction(9, 10)  # of the temperature asked for: no threshold below it is looked for
_RATE_PART = 1 - 2.0**-18  # of the float rate that is claimed first


def optimum(
    game: Game | str,
    alpha: Fraction | int | str | tuple,
    *,
    horizon: int | None = None,
    threshold: ThresholdResult | dict | str | os.PathLike[str] | None = None,
    time_limit: float = 300.0,
    width: Fraction | str = Fraction(1, 20),
    max_entries: int = DEFAULT_MAX_ENTRIES,
    progress: Progress = lambda text: None,
) -> OptimumResult:
    """The certified stationary policy at `alpha`.

    Parameters
    ----------
    game : a `Game`, a path or the name of a built-in (then with `horizon`).
    alpha : an exact temperature, or two (a pair, or text "LO:HI") for the path between them.
    threshold : a threshold certificate of this game (a result, a document, a path); computed if None.
    time_limit : seconds.  width : of a probability's enclosure along a path, at most.

    Raises `InputError` for bad input and for a threshold of another game.

    >>> result = optimum("lever:3:1/2", Fraction(1))
    >>> result.status, result.kind, result.greedy["agent1:"], result.greedy_return
    ('proved', 'unique', ('0', '1'), Fraction(1, 2))
    """
    began = time.monotonic()
    game = for_objective(load(game, horizon=horizon) if isinstance(game, str) else game, "entropy")
    low, high = read_temperatures(alpha)
    widest = parse_rational(width, "width")
    if not 0 < widest <= 1:
        raise InputError("width", f"{width}", "use a number in (0, 1]")
    tree = unroll(game, max_entries=max_entries)
    size = layout_of(tree).size - layout_of(tree).number_of_rows
    if size > krawczyk.MAX_COORDINATES:
        return OptimumResult(
            "undecided",
            None,
            Enclosure(low, high),
            game_sha256=game_sha256(game),
            horizon=game.horizon,
            seconds=time.monotonic() - began,
            reason=f"{size} log-ratios after clustering, a Krawczyk step is "
            f"made for at most {krawczyk.MAX_COORDINATES}",
        )
    document, alpha_star = _threshold(game, tree, low, threshold, time_limit / 2, max_entries, progress)
    search = _Search(tree, document, alpha_star, low, high, float(widest), began + time_limit, progress)
    return replace(
        search.result(),
        alpha_star=alpha_star,
        game_sha256=game_sha256(game),
        horizon=game.horizon,
        seconds=time.monotonic() - began,
    )


def read_temperatures(alpha: Any) -> tuple[Fraction, Fraction]:
    """The smallest and the largest temperature that "A", "LO:HI", a number or a pair of them means."""
    parts = alpha.split(":") if isinstance(alpha, str) else alpha if isinstance(alpha, (tuple, list)) else [alpha]
    if len(parts) not in (1, 2):
        raise InputError("alpha", f"{alpha!r}", "give one temperature, or two as LO:HI")
    numbers = [parse_rational(part, "alpha") for part in parts]
    if not 0 < numbers[0] <= numbers[-1]:
        raise InputError("alpha", f"{alpha}", "use positive temperatures, the smaller one first")
    if numbers[0] < 1 / _HOTTEST or numbers[-1] > _HOTTEST:
        raise InputError("alpha", f"{alpha} is out of range", "use temperatures between 1e-100 and 1e100")
    return numbers[0], numbers[-1]


def _threshold(
    game: Game, tree: Tree, alpha: Fraction, given: Any, time_limit: float, max_entries: int, progress: Progress
) -> tuple[dict[str, Any], Fraction]:
    """A threshold certificate of `game` and its alpha_star.

    The one given, or the cheapest that reaches `alpha`, if any does.
    """
    if given is not None:
        return _given_threshold(game, given)
    found = find_threshold(game, method="structural", progress=progress)
    if found.status != "proved" or found.alpha_star > alpha:
        progress(f"covering every temperature from {float(alpha):.6g} on")
        try:
            run = Run.lasting(time_limit / 2, progress=progress)
            nodes = find_cover(Plan(tree), 1 / alpha, run=run)
            return cover_certificate(game, nodes, []), alpha
        except Stalled:
            sharper = find_threshold(
                game,
                rtol=Fraction(1, 20),
                time_limit=time_limit / 2,
                alpha_min=alpha * _BELOW,
                max_entries=max_entries,
                progress=progress,
            )
        if sharper.status == "proved" and (found.status != "proved" or sharper.alpha_star < found.alpha_star):
            found = sharper
    if found.status != "proved":
        raise InputError(game.name, f"no threshold was proved ({found.reason})", "give one by --threshold")
    return found.document, found.alpha_star


def _given_threshold(game: Game, given: Any) -> tuple[dict[str, Any], Fraction]:
    where, document = "threshold", given
    if isinstance(given, ThresholdResult):
        document = given.document
    elif isinstance(given, (str, os.PathLike)):
        where = str(given)
        try:
            document = read_file(given)
        except ValueError as error:
            raise InputError(
                where, str(error).removeprefix(f"{where}: "), "give a certificate that `certify threshold` wrote"
            ) from None
    if not isinstance(document, dict) or document.get("kind") != "threshold":
        raise InputError(where, "not a threshold certificate", "give one that `certify threshold -o` wrote")
    if document.get("game_sha256") != game_sha256(game):
        raise InputError(where, "a certificate of another game", "name the game, horizon and discount that it is about")
    try:
        return document, parse_rational(document["claim"]["alpha_star"], where)
    except (KeyError, TypeError):
        raise InputError(
            where, "no alpha_star in its claim", "give a certificate that `certify threshold` wrote, unaltered"
        ) from None


class _Search:
    """Proposals for one tree and one interval of temperatures, and the certificate made of them."""

    def __init__(
        self,
        tree: Tree,
        threshold: dict[str, Any],
        alpha_star: Fraction,
        low: Fraction,
        high: Fraction,
        widest: float,
        deadline: float,
        progress: Progress,
    ) -> None:
        self.tree, self.threshold, self.alpha_star = tree, threshold, alpha_star
        self.low, self.high, self.widest, self.deadline, self.progress = low, high, widest, deadline, progress
        self.unique, self.point = low >= alpha_star, low == high
        try:
            self.process = build_process(read_game(game_to_json(tree.game)))
        except Failed as large:
            raise InputError(tree.game.name, str(large), "use a shorter horizon") from None
        self.path = Path(tree, self._prove)
        self.layout = layout_of(tree)
        self.naming = Naming(tree)

    def _prove(self, piece: dict[str, Any]) -> Image | None:
        """The checker's image of a proposed piece, None where it does not verify."""
        data = {key: value for key, value in piece.items() if key != "beta"}
        try:
            box, inverse = krawczyk.read_box(data, self.process, UNIT_BITS, "piece")
            image = krawczyk.verify_krawczyk(self.process, [Fraction(b) for b in piece["beta"]], box, inverse)
        except (Failed, checker.Malformed):
            return None
        return [[(Fraction(z.lo, 1 << BITS), Fraction(z.hi, 1 << BITS)) for z in row] for row in image]

    def result(self) -> OptimumResult:
        kind = "unique" if self.unique else "principal branch"
        blank = OptimumResult("undecided", kind, Enclosure(self.low, self.high))
        last = None
        try:
            pieces, last = self._pieces()
        except Stopped as stopped:
            reached = 1 / stopped.reached
            why = (
                stopped.why
                if not stopped.pieces
                else (
                    f"{stopped.why}; followed down to alpha = {float(reached):.6g}, uniqueness is proved from "
                    f"{float(self.alpha_star):.6g} on"
                )
            )
            blank = replace(blank, reached=reached, reason=why)
            if self.point or reached >= self.high:
                return blank
            pieces, self.low = stopped.pieces, reached  # what is proved of the path
            blank = replace(blank, alpha=Enclosure(self.low, self.high))
        try:
            return self._certified(blank, pieces, last)
        except Undecided as why:
            return replace(blank, reason=str(why))

    def _certified(self, blank: OptimumResult, pieces: list[Piece], last: np.ndarray | None) -> OptimumResult:
        """The result that the checker accepts; `last` is the policy at the smallest temperature in floats."""
        if self.point:
            enclosed = [enclose(self.tree, len(pieces) - 1, pieces[-1], self.low, self.high)]
        else:
            enclosed = [
                enclose(self.tree, k, p, self.low, self.high)
                for k, p in enumerate(pieces)
                if p.low < p.high and p.high > 1 / self.high
            ][::-1]
        generators, orbit = self._symmetries(enclosed[0]) if self.point else ((), None)
        rows = greedy_rows(_ends(enclosed[0]), orbit) if self.point else None
        exact = greedy_return(self.tree, rows) if rows else None
        proposal = {
            "alpha": (self.low, self.high),
            "unique": self.unique,
            "greedy": rows,
            "greedy_return": exact,
            "generators": [map_to_json(g) for g in generators],
        }
        rate = self._approx_rate(last) if self.point else None
        for part in (_RATE_PART, 0.5, None):
            claimed = None if rate is None or part is None or rate <= 0 else Fraction(f"{rate * part:.9g}")
            document = optimum_certificate(self.tree.game, self.threshold, pieces, enclosed, rate=claimed, **proposal)
            self.progress("checking the certificate")
            verdict = checker.check_certificate(json.loads(json.dumps(document)), progress=self.progress)
            if verdict.valid or claimed is None or verdict.failed_step.get("step") != "rate":
                break
        if not verdict.valid:
            return replace(
                blank, engine=verdict.engine, reason=f"the checker does not confirm the search: {verdict.failed_step}"
            )
        reason = blank.reason
        if self.point and claimed is None:
            reason = (
                f"no rate: {self.tree.policy_parameters} logits, the limit is {_RATE_LOGITS}"
                if self.tree.policy_parameters > _RATE_LOGITS
                else "no positive rate is proved"
            )
        proved = self.naming.enclosed(
            replace(
                blank,
                status="proved",
                rate=claimed,
                engine=verdict.engine,
                document=document,
                reached=self.low,
                reason=reason,
            ),
            enclosed,
        )
        return proved if rows is None else self.naming.greedy(proved, rows, orbit, exact)

    def _pieces(self) -> tuple[list[Piece], np.ndarray]:
        """The pieces of the certificate, and the log-ratios of the policy at the smallest temperature in floats."""
        # a little above the threshold, where the policy may be degenerate
        first = 1 / self.high if self.unique else min(1 / self.high, _ABOVE / self.alpha_star)
        goal = 1 / self.low
        z = self.path.start(first)
        if z is None:
            raise Stopped(
                first, "no stationary policy was found in floats: it may be degenerate, or too near the boundary", []
            )
        if first == goal:
            return [self._narrow(goal, z)], z
        if self.point or not self.unique:
            pieces = self._chain(first, min(goal, 1 / self.high), z, float("inf")) if first < 1 / self.high else []
            if pieces:
                z = self._floats(pieces[-1])
            if not self.point:
                try:
                    tail = self._chain(1 / self.high, goal, z, self.widest)
                except Stopped as stopped:
                    raise Stopped(stopped.reached, stopped.why, pieces + stopped.pieces) from None
                return pieces + tail, z
            return [*pieces[:-1], self._narrow(goal, z)], z
        return self._chain(first, goal, z, self.widest), z

    def _chain(self, low: Fraction, high: Fraction, z: np.ndarray, widest: float) -> list[Piece]:
        return self.path.chain(
            low, high, z, linked=not self.unique, widest=widest, deadline=self.deadline, progress=self.progress
        )

    def _narrow(self, beta: Fraction, z: np.ndarray) -> Piece:
        piece = self.path.point(beta, z)
        if piece is None:
            raise Stopped(beta, "no narrow box around the policy is proved: it may be degenerate", [])
        return piece

    def _floats(self, piece: Piece) -> np.ndarray:
        """The middle of a piece as log-ratios against the last action."""
        flat = [float((low + high) / 2) - float(sum(row[-1])) / 2 for row in piece.image for low, high in row]
        return np.array(flat)[self.path.eq.entry]

    def _symmetries(self, enclosed: Enclosed) -> tuple[tuple, list[list[int]] | None]:
        """Generators and the orbits of entries, where they could explain a tie."""
        if all(len(row.actions) == 1 for row in greedy_rows(_ends(enclosed))):
            return (), None
        self.progress("looking for symmetries that explain ties")
        generators = symmetries(self.tree.game, max_nodes=20_000).generators
        entry = fixed_subspace(self.tree, generators).entry_orbit
        ends = [*self.layout.row_start.tolist(), self.layout.size]
        return generators, [entry[a:b].tolist() for a, b in itertools.pairwise(ends)]

    def _approx_rate(self, z: np.ndarray) -> float | None:
        if self.tree.policy_parameters > _RATE_LOGITS:
            return None
        policy = self.path.eq.nested(z)
        raw = unroll(self.tree.game, cluster=False)
        table = raw.uniform()
        for i, rows in enumerate(self.naming.histories):
            for mine, other in zip(histories(raw, i), rows, strict=True):
                table[i][mine.depth][mine.class_index] = policy[i][other.depth][other.class_index]
        return approx_rate(raw, table, self.low)


def _ends(enclosed: Enclosed) -> list[list[tuple[Fraction, Fraction]]]:
    return [[(p.lower, p.upper) for p in row] for row in enclosed.policy]
