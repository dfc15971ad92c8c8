"""`certify.threshold`: a certified temperature above which the stationary policy is unique.

What a search proposes becomes a result only after the independent checker has accepted the
certificate: nothing is ever reported as proved on the word of the code that found it.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, TypedDict, Unpack

from certify import checker
from certify.answers.drafts import Certified, Drafts
from certify.answers.every_horizon import every_horizon
from certify.answers.ladder import NOT_LOCALISED, Ladder, Question
from certify.answers.threshold_result import PotentialOf, ThresholdResult
from certify.certificates import threshold as certificates
from certify.checkpoint import Checkpoint
from certify.errors import InputError
from certify.exact import exact_number, positive_number, significant_text, whole_number
from certify.games import Game, as_game
from certify.games.objective import for_objective
from certify.games.tree import DEFAULT_MAX_ENTRIES, Tree, unroll
from certify.games.units import power_of_ten
from certify.memory import Memory
from certify.run import OutOfTime, Progress, Run, helpers, quiet
from certify.thresholds.general_forms import general
from certify.thresholds.row_form import row_form
from certify.thresholds.shapes import parse_parameters
from certify.thresholds.step_size import MOST_ROWS, sizes_of_parameters, step_size

METHODS = ("auto", "structural", "windows", "localisation", "search")
DEFAULT_SECONDS = 300.0
EVERY = "inf"  # the horizon that stands for all of them
_SEARCHED = 0.75  # part of a time limit that goes into the search: what it finds is still to be checked
_SEARCHED_ONE_SHOT = 0.6  # ... where two agents play once: a check takes about half as long as the search did
_COUNTED = 200_000  # entries of a tree that is unrolled only to count its logits
_COUNTING = 1.0  # seconds for it


class ThresholdOptions(TypedDict, total=False):
    """What `threshold` takes beside the game, all of it optional.

    horizon : of a sequential game; "inf" for a threshold that holds with every number of steps (discount below 1).
    objective : "entropy"; "kl" to the game's reference, uniform on the legal actions unless it names one
        (docs/theory/legal-actions.md#kl-to-a-reference); "local", the bonus of PPO, whose flow is no gradient flow:
        uniqueness is proved, and where flows end (docs/theory/local-bonus.md).
    method : "structural" (docs/theory/structural.md); "windows" (long horizons, docs/windows.md);
        "localisation" (docs/theory/localisation.md,
        docs/theory/hessian.md#theorem-b); "search" (branch and bound, docs/theory/continuation.md#covers, between
        localisation and the largest temperature at which several stationary policies are proved); "auto":
        the cheapest first, then sharper until the bracket is within `rtol` or `time_limit` has passed; the best wins.
    rtol : for localisation the resolution in alpha, for a bracket its ratio minus 1.
    time_limit : seconds, three quarters of them for the search (three fifths where two agents play once), the rest
        is kept for the check of what it finds; None means 300 for "auto" and "search", no limit otherwise.
    modulus_at : further temperatures >= alpha_star at which to certify strong concavity.
    workers, executor : processes for branch and bound and for the check, or any `concurrent.futures`
        executor for branch and bound.
    alpha_min : nothing is searched below (default: payoff range / 1000).
    max_entries : of the largest depth of the tree.
    memory : of one process at most, like "1 GB" (default: no bound; docs/thresholds.md#memory).
    checkpoint : a file that keeps what the search has found; where it exists, the search goes on from it.
    progress : called with a line now and then.
    """

    horizon: int | str | None
    objective: str
    method: str
    rtol: Fraction | float | str
    time_limit: Fraction | float | str | None
    modulus_at: Sequence[Fraction | float | str] | Fraction | float | str | None
    workers: int
    alpha_min: Fraction | float | str | None
    max_entries: int
    memory: int | str | None
    executor: Executor | None
    checkpoint: str | os.PathLike[str] | None
    progress: Progress


@dataclass(frozen=True)
class _Options:
    """The same with its defaults; an option of another name is a `TypeError`."""

    horizon: int | str | None = None
    objective: str = "entropy"
    method: str = "auto"
    rtol: Fraction | float | str = Fraction(1, 100)
    time_limit: Fraction | float | str | None = None
    modulus_at: Sequence[Fraction | float | str] | Fraction | float | str | None = None
    workers: int = 1
    alpha_min: Fraction | float | str | None = None
    max_entries: int = DEFAULT_MAX_ENTRIES
    memory: int | str | None = None
    executor: Executor | None = None
    checkpoint: str | os.PathLike[str] | None = None
    progress: Progress = quiet

    @property
    def steps(self) -> int | None:
        """The horizon as a number, where it is one."""
        if isinstance(self.horizon, str):
            raise InputError("horizon", f"{self.horizon!r}", 'use a whole number, or "inf"')
        return self.horizon

    def question(self, game: Game) -> Question:
        """What is asked about `game`; raises `InputError` for options out of range."""
        if self.method not in METHODS:
            raise InputError("--method", f"{self.method!r}", f"choose from {', '.join(METHODS)}")
        tolerance = exact_number(self.rtol, "--rtol")
        if not 0 < tolerance <= 10:
            raise InputError("--rtol", f"{self.rtol}", "use a number in (0, 10]")
        least = None if self.alpha_min is None else positive_number(self.alpha_min, "--alpha-min", "temperature")
        given: Any = [] if self.modulus_at is None else self.modulus_at
        wanted = tuple(
            positive_number(a, "--modulus-at", "temperature") for a in (given if _is_list(given) else [given])
        )
        if wanted and self.method in ("structural", "windows"):
            why = f"a certificate by {self.method} holds no modulus but that at alpha*"
            raise InputError("--modulus-at", why, "leave it out, or use --method localisation")
        if wanted and not game.flows_back:
            raise InputError("--modulus-at", "no modulus: the local bonus is no gradient", "leave it out")
        entries = whole_number(self.max_entries, "--max-entries")
        return Question(game, self.method, tolerance, wanted, least, entries, Memory.of(self.memory))

    def run(self, began: float, executor: Executor | None, question: Question) -> Run:
        """The run that answers it."""
        limit = self.time_limit
        seconds = None if limit is None else float(positive_number(limit, "--time-limit", "number of seconds"))
        if seconds is None and question.sharp:
            seconds = DEFAULT_SECONDS
        about = {
            "game_sha256": question.game_sha256,
            **({} if question.game.objective == "entropy" else {"objective": question.game.objective}),
            "method": question.method,
            "rtol": str(question.rtol),
            "alpha_min": None if question.alpha_min is None else str(question.alpha_min),
        }
        run = Run.lasting(seconds, workers=whole_number(self.workers, "--workers"), progress=self.progress)
        return replace(
            run,
            deadline=run.deadline - (time.monotonic() - began),
            executor=executor,
            checkpoint=Checkpoint(self.checkpoint, about),
        )


def threshold(game: Any, **options: Unpack[ThresholdOptions]) -> ThresholdResult:
    """A certified temperature above which the stationary policy is unique, and a bracket around it.

    Parameters
    ----------
    game : a `Game`, a path, the name of a built-in, or payoffs as nested lists or an array.
    options : see `ThresholdOptions`.

    Raises `InputError` for bad input.

    >>> result = threshold("lever:2", method="structural")
    >>> result.status, result.alpha_star
    ('proved', Fraction(1, 2))
    """
    began = time.monotonic()
    asked = _Options(**options)
    if asked.horizon == EVERY:
        return _every_horizon(game, asked)
    question = asked.question(for_objective(as_game(game, asked.steps), asked.objective)).in_units()
    with helpers(1 if asked.executor is not None else whole_number(asked.workers, "--workers")) as pool:
        run = asked.run(began, asked.executor or pool, question)
        return replace(answered(question, run), seconds=time.monotonic() - began)


def _every_horizon(game: Any, asked: _Options) -> ThresholdResult:
    began = time.monotonic()
    if asked.modulus_at:
        raise InputError("--modulus-at", "no modulus is proved for every horizon", "leave it out")
    if asked.checkpoint is not None:
        raise InputError("--checkpoint", "the search for every horizon keeps none", "leave it out")
    if asked.alpha_min is not None:
        raise InputError("--alpha-min", "the search for every horizon has no lower end", "use --time-limit or --rtol")
    question = asked.question(for_objective(as_game(game, 1), asked.objective)).in_units()
    if asked.method not in ("auto", "structural", "windows"):
        raise InputError("--horizon inf", f"--method {asked.method}", "use auto, structural or windows")
    limit = DEFAULT_SECONDS if asked.time_limit is None else asked.time_limit
    run = Run.lasting(float(positive_number(limit, "--time-limit", "number of seconds")), progress=asked.progress)
    return replace(every_horizon(question, run), seconds=time.monotonic() - began)


def answered(question: Question, run: Run) -> ThresholdResult:
    """The answer to a question that has been read: what other answers ask within a run of their own."""
    began = time.monotonic()
    once = question.game.horizon == 1 and question.game.number_of_agents == 2
    ladder = Ladder(question, run.part(_SEARCHED_ONE_SHOT if once else _SEARCHED))
    drafts = Drafts(ladder, run)
    ladder.climb(drafts.secure, drafts.pace)
    best = drafts.best()
    notes = drafts.notes if best is None else _kept(drafts.notes, best, ladder)
    if best is not None:
        proved = {Fraction(item["alpha"]) for item in best.document["claim"].get("strong_concavity", [])}
        left = [a * question.unit for a in question.modulus_at if a * question.unit not in proved]
        notes = [*notes, *(f"no modulus is proved at {significant_text(a, up=True)}" for a in left)]
    if run.checkpoint.trouble:
        notes = [*notes, f"the checkpoint {run.checkpoint.trouble}"]
    parameters = _parameters(question.game, ladder.tree, run)
    if notes and question.unit != 1:
        notes = [*notes, f"temperatures named here are in units of {significant_text(question.unit, up=True)}"]
    reason = "; ".join(dict.fromkeys(notes)) or ("" if best is not None else "nothing was proved within the limits")
    return _result(question, best, ladder, reason, (parameters, time.monotonic() - began))


def _is_list(value: Any) -> bool:
    return not isinstance(value, str) and hasattr(value, "__iter__")


def _kept(notes: list[str], best: Certified, ladder: Ladder) -> list[str]:
    """The notes that still say something beside a threshold that is proved."""
    if not best.method.startswith("structural"):
        notes = [note for note in notes if note != NOT_LOCALISED]  # another method did what it could not
    missed = [p.alpha_star for p in ladder.proposals if p.alpha_star < best.choice.alpha_star]
    unchecked = f"alpha* = {float(min(missed)):.6g} was found and not confirmed" if missed else ""
    return [*notes, unchecked] if unchecked and not any("does not confirm" in n for n in notes) else notes


def _result(
    question: Question, best: Certified | None, ladder: Ladder, reason: str, measured: tuple[int | None, float]
) -> ThresholdResult:
    parameters, seconds = measured
    claim, unit = {} if best is None else best.document["claim"], question.unit
    multiple, two = (Fraction(claim[k]) if claim.get(k) else None for k in ("alpha_multiple", "alpha_two_maxima"))
    return ThresholdResult(
        status="undecided" if best is None else "proved",
        alpha_star=None if best is None else best.choice.alpha_star * unit,
        alpha_multiple=multiple,
        method=question.method if best is None else best.method,
        game_sha256=question.game_sha256,
        objective=question.game.objective,
        horizon=question.game.horizon,
        policy_parameters=parameters,
        seconds=seconds,
        modulus=None if best is None or best.modulus is None else best.modulus * unit,
        forms={form.form: form.alpha_star * unit for form in ladder.forms},
        reason=reason,
        engine="" if best is None else best.engine,
        document=None if best is None else best.document,
        alpha_two_maxima=two,
        potential_of=None if best is None else PotentialOf.said_in(best.document, best.document),
        step_size=_ascent(claim, "step_size"),
        step_growth=_ascent(claim, "growth"),
    )


def _ascent(claim: dict[str, Any], name: str) -> Fraction | None:
    """A number of what a claim says of gradient ascent."""
    return Fraction(claim["ascent"][name]) if "ascent" in claim else None


def _parameters(game: Game, tree: Tree | None, run: Run) -> int | None:
    """Logits of the whole table, where the tree is at hand or cheap to make."""
    if tree is None:
        try:
            with run.within(_COUNTING).stage("counting the logits"):
                tree = unroll(game, max_entries=_COUNTED)
        except (InputError, OutOfTime):
            return None
    return tree.policy_parameters


def structural_threshold(text: str, progress: Progress = quiet) -> ThresholdResult:
    """The structural threshold of every game within bare parameters.

    >>> structural_threshold("n=2,h=1,actions=2,return=0:1").alpha_star
    Fraction(1, 2)
    """
    began = time.monotonic()
    if not isinstance(text, str):
        raise InputError("parameters", f"a {type(text).__name__}", "write n=2,h=80,actions=20,return=0:25")
    shape, parameters = parse_parameters(text)
    unit = power_of_ten(shape.widths)
    shape = replace(shape, widths=tuple(width / unit for width in shape.widths))
    rows = row_form(shape)
    found = [*(general(shape, form) for form in ("theorem-B", "theorem-D-prime")), *([] if rows is None else [rows])]
    found = [replace(form, alpha_star=form.alpha_star * unit) for form in found]
    best = min(found, key=lambda s: s.alpha_star)
    ascent = None
    if len(shape.keys()) <= MOST_ROWS:  # in units, too: the matrix scales with them
        ascent = step_size(shape, sizes_of_parameters(shape), best.alpha_star / unit)
    if ascent is not None:
        ascent = replace(ascent, step=ascent.step / unit)
    document = certificates.with_ascent(
        certificates.parameters_certificate(parameters, best, {"tool": "certify", "method": "structural"}), ascent
    )
    progress("checking the certificate")
    verdict = checker.check_certificate(json.loads(json.dumps(document)), budget=math.inf)
    return ThresholdResult(
        status="proved" if verdict.valid else "undecided",
        alpha_star=best.alpha_star if verdict.valid else None,
        alpha_multiple=None,
        method=f"structural ({best.form})",
        game_sha256=None,
        horizon=shape.horizon,
        policy_parameters=None,
        seconds=time.monotonic() - began,
        modulus=best.modulus if verdict.valid else None,
        forms={s.form: s.alpha_star for s in sorted(found, key=lambda s: s.alpha_star)},
        reason="" if verdict.valid else f"the checker does not confirm the search: {verdict.failed_step}",
        engine=verdict.engine,
        document=document if verdict.valid else None,
        step_size=_ascent(document["claim"], "step_size") if verdict.valid else None,
        step_growth=_ascent(document["claim"], "growth") if verdict.valid else None,
    )
