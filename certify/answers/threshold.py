"""The Python calls behind the commands: results are frozen, exact numbers are `Fraction`s.

What a search proposes becomes a result only after the independent checker has accepted the
certificate: nothing is ever reported as proved on the word of the code that found it.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any

from certify import checker
from certify.certificates import threshold as certificates
from certify.certificates.multiplicity import Evidence
from certify.certificates.symmetry import evidence
from certify.certificates.writing import save_document
from certify.errors import InputError, Undecided
from certify.exact import parse_rational
from certify.games import Game, game_sha256, load
from certify.games.tree import DEFAULT_MAX_ENTRIES, Tree, unroll
from certify.stationary.multiplicity import find_multiplicity, reward_range
from certify.thresholds import structural
from certify.thresholds.branch_and_bound import alpha_floor, sharpen
from certify.thresholds.checkpoint import Checkpoint
from certify.thresholds.concavity import strong_concavity
from certify.thresholds.index_tables import Plan
from certify.thresholds.localisation import Localisation, localise

METHODS = ("auto", "structural", "localisation", "search")
DEFAULT_SECONDS = 300.0
_COARSE = Fraction(1, 10)  # the resolution of localisation where branch and bound follows ...
_SMALL = 2000  # ... in trees of at most so many rewards
_SEARCHED = 0.75  # part of a time limit that goes into the search: what it finds is still to be checked
_SYMMETRY_ENTRIES = 20_000  # transitions up to which a certificate carries the symmetry group
Progress = Callable[[str], None]


def _quiet(text: str) -> None:
    """The progress of a call that nobody watches."""


@dataclass(frozen=True)
class ThresholdResult:
    """What `threshold` found.

    status : "proved" (the checker accepted the certificate) or "undecided" (`reason` says why).
    alpha_star : uniqueness is proved for every alpha >= alpha_star.  alpha_multiple : at least two
    stationary policies are proved to exist there (None: none was proved).  ratio : their quotient.
    alpha_two_maxima : two strict local maxima are proved to exist there.
    modulus : a certified lower bound on alpha - lambda_max(M) at alpha_star, on the region named in
    the certificate.  forms : alpha_star of every structural form that was tried.
    """

    status: str
    alpha_star: Fraction | None
    alpha_multiple: Fraction | None
    method: str
    game_sha256: str | None
    horizon: int
    policy_parameters: int | None
    seconds: float
    modulus: Fraction | None = None
    forms: dict[str, Fraction] = field(default_factory=dict)
    reason: str = ""
    engine: str = ""
    document: dict[str, Any] | None = field(default=None, repr=False)
    certificate: str | None = None
    alpha_two_maxima: Fraction | None = None

    @property
    def ratio(self) -> float | None:
        """alpha_star / alpha_multiple as a float, None while one of them is not proved."""
        if self.alpha_star is None or self.alpha_multiple is None:
            return None
        return float(self.alpha_star / self.alpha_multiple)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the certificate as JSON; raises `InputError` where there is none or it cannot be written."""
        return save_document(self.document, path)


def threshold(
    game: Game | str,
    *,
    horizon: int | None = None,
    method: str = "auto",
    rtol: Fraction | float | str = Fraction(1, 100),
    time_limit: float | None = None,
    modulus_at: list[Fraction | str] | None = None,
    workers: int = 1,
    alpha_min: Fraction | str | None = None,
    max_entries: int = DEFAULT_MAX_ENTRIES,
    executor: Executor | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    progress: Progress = _quiet,
) -> ThresholdResult:
    """A certified temperature above which the stationary policy is unique, and a bracket around it.

    Parameters
    ----------
    game : a `Game`, a path or the name of a built-in (then with `horizon`).
    method : "structural" (docs/theory/structural.md); "localisation" (docs/theory/localisation.md,
        docs/theory/hessian.md#theorem-b); "search" (branch and bound, docs/theory/continuation.md#covers, between
        localisation and the largest temperature at which several stationary policies are proved); "auto":
        the cheapest first, then sharper until the bracket is within `rtol` or `time_limit` has passed; the best wins.
    rtol : for localisation the resolution in alpha, for a bracket its ratio minus 1.
    time_limit : seconds, three quarters of them for the search, the rest is kept for the check of what it
        finds; None means 300 for "auto" and "search", no limit otherwise.
    modulus_at : further temperatures >= alpha_star at which to certify strong concavity.
    workers, executor : processes for branch and bound and for the check, or any `concurrent.futures`
        executor for branch and bound.
    alpha_min : nothing is searched below (default: payoff range / 1000).
    checkpoint : a file that keeps what the search has found; where it exists, the search goes on from it.

    Raises `InputError` for bad input.

    >>> result = threshold("lever:2", method="structural")
    >>> result.status, result.alpha_star
    ('proved', Fraction(1, 2))
    """
    if isinstance(game, str):
        game = load(game, horizon=horizon)
    if method not in METHODS:
        raise InputError("--method", f"{method!r}", f"choose from {', '.join(METHODS)}")
    tolerance = parse_rational(str(rtol), "--rtol")
    if not 0 < tolerance <= 10:
        raise InputError("--rtol", f"{rtol}", "use a number in (0, 10]")
    least = None if alpha_min is None else parse_rational(str(alpha_min), "--alpha-min")
    if least is not None and least <= 0:
        raise InputError("--alpha-min", f"{alpha_min}", "use a positive temperature")
    wanted = [parse_rational(str(a), "--modulus-at") for a in modulus_at or []]
    if time_limit is None and method in ("auto", "search"):
        time_limit = DEFAULT_SECONDS
    about = {
        "game_sha256": game_sha256(game),
        "method": method,
        "rtol": str(tolerance),
        "alpha_min": alpha_min and str(least),
    }
    book = Checkpoint(checkpoint, about)
    with _executor(workers, executor) as pool:
        return _Thresholds(
            game, method, tolerance, time_limit, wanted, least, max_entries, pool, workers, book, progress
        ).result()


def structural_threshold(text: str, progress: Progress = _quiet) -> ThresholdResult:
    """The structural threshold of every game within bare parameters.

    >>> structural_threshold("n=2,h=1,actions=2,return=0:1").alpha_star
    Fraction(1, 2)
    """
    began = time.monotonic()
    shape, parameters = structural.parse_parameters(text)
    forms = sorted(
        (structural.general(shape, form) for form in ("theorem-B", "theorem-D-prime")), key=lambda s: s.alpha_star
    )
    document = certificates.parameters_certificate(parameters, forms[0], {"tool": "certify", "method": "structural"})
    return _verified(
        document,
        ThresholdResult(
            "proved",
            forms[0].alpha_star,
            None,
            f"structural ({forms[0].form})",
            None,
            shape.horizon,
            None,
            0.0,
            forms[0].modulus,
            {s.form: s.alpha_star for s in forms},
        ),
        began,
        progress,
    )


@contextlib.contextmanager
def _executor(workers: int, executor: Executor | None) -> Iterator[Executor | None]:
    if executor is not None or workers == 1:
        yield executor
        return
    # an interruption is for this process, which then tells the others to stop
    pool = ProcessPoolExecutor(workers, initializer=signal.signal, initargs=(signal.SIGINT, signal.SIG_IGN))
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


class _Thresholds:
    """One call of `threshold`: the ladder of methods and what each has proved."""

    def __init__(
        self,
        game: Game,
        method: str,
        rtol: Fraction,
        time_limit: float | None,
        modulus_at: list[Fraction],
        alpha_min: Fraction | None,
        max_entries: int,
        executor: Executor | None,
        workers: int,
        checkpoint: Checkpoint,
        progress: Progress,
    ) -> None:
        self.game, self.method, self.rtol, self.modulus_at = game, method, rtol, modulus_at
        self.alpha_min, self.max_entries, self.executor, self.progress = alpha_min, max_entries, executor, progress
        self.workers, self.checkpoint = workers, checkpoint
        self.began = time.monotonic()
        self.deadline = math.inf if time_limit is None else self.began + _SEARCHED * time_limit
        self.search = {"tool": "certify", "method": method, "rtol": str(rtol)}
        self.reason = ""
        self.below: Evidence | None = None
        self.known_below = self._known_below()
        self.tree: Tree | None = None

    def result(self) -> ThresholdResult:
        forms = structural.structural_thresholds(self.game)
        self.forms = {s.form: s.alpha_star for s in forms}
        self.progress(f"structural: alpha* = {float(forms[0].alpha_star):.6g} ({forms[0].form})")
        proposals: list[structural.Structural | Localisation] = [] if self.method == "localisation" else [forms[0]]
        if self.method != "structural":
            try:
                proposals += self._climb_down(forms[0].alpha_star)
            except InputError as error:
                if self.method == "localisation":
                    raise
                self.reason = str(error)
        # the sharpest that the checker accepts; what it refuses is only a search that went wrong
        failed = None
        interrupted = False
        for choice in sorted(proposals, key=lambda c: c.alpha_star):
            if interrupted and isinstance(choice, Localisation):
                continue
            self.progress("checking the certificate")
            try:
                verdict, document, modulus = self._certify(choice)
            except KeyboardInterrupt:  # what is cheap to check is left
                interrupted, self.reason = (
                    True,
                    f"interrupted while alpha* = {float(choice.alpha_star):.6g} was being checked",
                )
                continue
            while not verdict.valid and self.below is not None and "multiplicity" in str(verdict.failed_step):
                # the lower end is refused: it may stand without its labels, or the upper end by itself
                self.reason = f"the checker does not confirm the lower end as it was found: {verdict.failed_step}"
                self.below = self.below.unlabelled()
                verdict, document, modulus = self._certify(choice)
            if verdict.valid:
                if failed:
                    self.reason = f"the checker does not confirm a sharper certificate: {failed}"
                return self._proved(choice, document, modulus, verdict.engine)
            failed = verdict.failed_step
        self.reason = (
            f"the checker does not confirm the search: {failed}"
            if failed
            else self.reason or "nothing was proved within the limits"
        )
        return self._outcome("undecided", None, None, None, self.method, "")

    def _climb_down(self, start: Fraction) -> list[Localisation]:
        """What localisation and branch and bound propose, in the order in which they were found."""
        self.tree = unroll(self.game, max_entries=self.max_entries)
        sharp = self.method in ("auto", "search")
        if sharp:
            try:
                self._from_below()
            except KeyboardInterrupt:  # keep what is proved: here the structural threshold
                self.reason = "interrupted"
                return []
            if self._close_enough(start):
                return []
        # where branch and bound has a chance, localisation only gives it a start
        small = sum(level.reward.size for level in self.tree.levels) <= _SMALL
        rtol = max(self.rtol, _COARSE) if sharp and small else self.rtol
        limit = (
            None
            if math.isinf(self.deadline)
            else max(1.0, (self.deadline - time.monotonic()) * (0.4 if sharp else 1.0))
        )
        found = self._localised(start, float(rtol), limit)
        proposals = list(found)
        if not found:
            self.reason = "localisation proved nothing within its limits"
        best = min([start] + [p.alpha_star for p in proposals])
        if sharp and not self._close_enough(best):
            multiple = None if self.below is None else self.below.alpha_multiple
            floor, known = alpha_floor(multiple, self._least())
            proposals += sharpen(
                self._plan,
                found[-1] if found else None,
                best,
                floor,
                rtol=float(self.rtol),
                known=known,
                executor=self.executor,
                deadline=None if math.isinf(self.deadline) else self.deadline,
                checkpoint=self.checkpoint,
                progress=self.progress,
            )
        return proposals

    def _localised(self, start: Fraction, rtol: float, limit: float | None) -> list[Localisation]:
        known = self.checkpoint.covers("localisation")
        if known is not None:
            return [Localisation(1 / nodes[0].high, nodes) for nodes in known]
        found = localise(
            self._plan, start, least=min(self._least(), start), rtol=rtol, time_limit=limit, progress=self.progress
        )
        self.checkpoint.save_covers("localisation", [cover.nodes for cover in found])
        return found

    def _from_below(self) -> None:
        if self.known_below is not None:
            self.below, self.reason = self.known_below
            return
        self._search_below()
        self.checkpoint.save("below", {"evidence": self.below and self.below.as_json(), "reason": self.reason})

    def _known_below(self) -> tuple[Evidence | None, str] | None:
        """What a checkpoint knows of the lower end: evidence or the reason why there is none."""
        known = self.checkpoint.stage("below")
        if known is None:
            return None
        try:
            return known["evidence"] and Evidence.from_json(known["evidence"]), known["reason"]
        except (KeyError, TypeError, ValueError):
            raise self.checkpoint.damaged() from None

    def _search_below(self) -> None:
        limit = 60.0 if math.isinf(self.deadline) else max(1.0, 0.2 * (self.deadline - time.monotonic()))
        try:
            found = find_multiplicity(
                self.tree,
                rtol=min(self.rtol / 20, Fraction(1, 2000)),
                time_limit=limit,
                alpha_min=self._least(),
                progress=self.progress,
            )
            self.below = None if found is None else Evidence.of(found)
        except (InputError, Undecided) as error:
            self.reason = f"no multiplicity proved: {error}"

    def _least(self) -> Fraction:
        return self.alpha_min or reward_range(self.tree) / 1000 or Fraction(1, 1000)

    def _close_enough(self, alpha: Fraction) -> bool:
        if self.below is None:
            return alpha <= self._least()
        return alpha <= self.below.alpha_multiple * (1 + self.rtol)

    def _certify(self, choice: structural.Structural | Localisation):
        """(verdict, certificate, modulus) of a proposal; a claim beside the main one does not cost it."""
        document, modulus, beside = self._document(choice, concave=True)
        verdict = checker.check_certificate(json.loads(json.dumps(document)), workers=self.workers)
        if not verdict.valid and beside:
            document, modulus, _ = self._document(choice, concave=False)
            verdict = checker.check_certificate(json.loads(json.dumps(document)), workers=self.workers)
        return verdict, document, modulus

    def _document(self, choice: structural.Structural | Localisation, *, concave: bool):
        """The certificate, the modulus that it claims at alpha_star, and whether a cover comes with such claims."""
        concavity = []
        if isinstance(choice, Localisation):
            alphas = [choice.alpha_star, *self.modulus_at]
            if min(alphas) < choice.alpha_star:
                raise InputError(
                    "--modulus-at",
                    f"{min(alphas)} is below alpha* = {choice.alpha_star}",
                    "ask at temperatures above it",
                )
            if concave:
                found = [strong_concavity(self._plan, choice.nodes, a) for a in dict.fromkeys(alphas)]
                concavity = [c for c in found if c is not None]
            document = certificates.cover_certificate(self.game, choice.nodes, concavity, search=self.search)
            modulus = next((c.modulus for c in concavity if c.alpha == choice.alpha_star), None)
        else:
            document, modulus = certificates.structural_certificate(self.game, choice, self.search), choice.modulus
        below = self.below if self.below is not None and self.below.alpha_multiple < choice.alpha_star else None
        return certificates.with_evidence(document, below, self._symmetry), modulus, bool(concavity)

    @cached_property
    def _plan(self) -> Plan:
        return Plan(self.tree)

    @cached_property
    def _symmetry(self) -> dict[str, Any] | None:
        """Evidence for the automorphism group, of games small enough for it to be a side dish."""
        entries = sum(len(row) for row in self.game.transition.values())
        return evidence(self.game) if entries <= _SYMMETRY_ENTRIES else None

    def _proved(self, choice, document, modulus, engine: str) -> ThresholdResult:
        if isinstance(choice, Localisation):
            branched = any(node.split is not None and "agent" in node.split for node in choice.nodes)
            used = "search" if branched else "localisation"
        else:
            used = f"structural ({choice.form})"
        return self._outcome("proved", choice.alpha_star, document, modulus, used, engine)

    def _outcome(
        self, status: str, alpha: Fraction | None, document, modulus, used: str, engine: str
    ) -> ThresholdResult:
        if self.checkpoint.trouble:
            self.reason = f"{self.reason}; the checkpoint {self.checkpoint.trouble}".lstrip("; ")
        claim = {} if document is None else document["claim"]
        lower = {
            key: Fraction(claim[key]) if claim.get(key) else None for key in ("alpha_multiple", "alpha_two_maxima")
        }
        return ThresholdResult(
            status,
            alpha,
            lower["alpha_multiple"],
            used,
            game_sha256(self.game),
            self.game.horizon,
            _parameters(self.game, self.tree),
            time.monotonic() - self.began,
            modulus,
            self.forms,
            self.reason,
            engine,
            document,
            alpha_two_maxima=lower["alpha_two_maxima"],
        )


def _verified(document: dict[str, Any], result: ThresholdResult, began: float, progress: Progress) -> ThresholdResult:
    """`result`, if the independent checker accepts `document`; undecided otherwise."""
    progress("checking the certificate")
    verdict = checker.check_certificate(json.loads(json.dumps(document)))
    changes: dict[str, Any] = {"seconds": time.monotonic() - began, "document": document, "engine": verdict.engine}
    if not verdict.valid:
        changes |= {
            "status": "undecided",
            "alpha_star": None,
            "modulus": None,
            "document": None,
            "reason": f"the checker does not confirm the search: {verdict.failed_step}",
        }
    return replace(result, **changes)


def _parameters(game: Game, tree: Tree | None, limit: int = 200_000) -> int | None:
    """Logits of the whole table, where the tree is at hand or cheap to make."""
    if tree is None:
        try:
            tree = unroll(game, max_entries=limit)
        except InputError:
            return None
    return tree.policy_parameters


def check(path: str | os.PathLike[str], engine: str = "auto", workers: int = 1) -> checker.Verdict:
    """The independent checker's verdict on a certificate file; `InputError` if it is malformed.

    `workers` processes share the verification of a cover.
    """
    try:
        return checker.check_file(path, engine=engine, workers=workers)
    except ValueError as error:
        raise InputError(str(path), str(error), "give a certificate that `certify` wrote, unaltered") from None
