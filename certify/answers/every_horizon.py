"""Thresholds that hold with every number of steps: the structural form, then windows (docs/thresholds.md)."""

from __future__ import annotations

import json
import math
import time
from dataclasses import replace
from fractions import Fraction
from typing import Any

from certify import checker
from certify.answers.ladder import Question
from certify.answers.threshold_result import ThresholdResult
from certify.certificates import threshold as certificates
from certify.certificates.units import restated
from certify.errors import InputError
from certify.run import OutOfTime, Run
from certify.thresholds.endless_form import Endless, endless_form
from certify.thresholds.windows.endless import endless_thresholds

_SEARCHED = 0.7  # part of the time for the search
_GRACE = 2.0  # seconds for what is quick to check, once the time is over
_Proposal = tuple[str, Fraction, dict[str, Any]]  # method, alpha*, certificate
_Proved = tuple[str, Fraction, dict[str, Any], str]  # the same and the engine that accepts it


def every_horizon(question: Question, run: Run) -> ThresholdResult:
    """The sharpest threshold for every horizon that the checker accepts."""
    began, unit = time.monotonic(), question.unit
    found = endless_form(question.game)
    proposals: list[_Proposal] = []
    notes: list[str] = []
    safe: _Proved | None = None
    if question.method != "windows":  # first, so that there is something to say when the time is over
        structural = "structural (endless)", found.alpha_star * unit, _structural(question, found)
        safe, run = _verified([structural], notes, run)
    part = run.part(_SEARCHED, least=1.0)
    if question.method != "structural":
        try:
            for sharper in endless_thresholds(question.game, found.alpha_star, float(question.rtol), part):
                search = {"tool": "certify", "method": f"windows (k = {sharper.k})"}
                document = certificates.endless_windows_certificate(question.game, sharper, search)
                document = restated(document, question.asked_about, unit)
                proposals.append((f"windows (k = {sharper.k})", sharper.alpha_star * unit, document))
        except InputError as error:
            if question.method == "windows":
                raise
            notes.append(str(error))
        if part.left() <= 0:
            notes.append(f"{part.reason()} while comparing windows")
    if run.interrupted:
        run = Run.lasting(_GRACE, progress=run.progress)
    sharpest, run = _verified(proposals[::-1], notes, run)
    proved = sharpest or safe
    return ThresholdResult(
        status="undecided" if proved is None else "proved",
        alpha_star=None if proved is None else proved[1],
        alpha_multiple=None,
        method=question.method if proved is None else proved[0],
        game_sha256=question.game_sha256,
        horizon=None,
        policy_parameters=None,
        seconds=time.monotonic() - began,
        forms={"endless": found.alpha_star * unit},
        reason="; ".join(notes) or ("" if proved else "nothing was proved within the limits"),
        engine="" if proved is None else proved[3],
        document=None if proved is None else proved[2],
    )


def _verified(proposals: list[_Proposal], notes: list[str], run: Run) -> tuple[_Proved | None, Run]:
    """The first one that the checker accepts, and the run that is left; `notes` take what it refuses."""
    for method, alpha, document in proposals:
        try:
            with run.stage(f"checking the certificate of alpha* = {float(alpha):.6g}"):
                verdict = checker.check_certificate(json.loads(json.dumps(document)), budget=math.inf)
        except OutOfTime as over:
            notes.append(str(over))
            run = Run.lasting(_GRACE, progress=run.progress)
            continue
        if verdict.valid:
            return (method, alpha, document, verdict.engine), run
        notes.append(f"the checker does not confirm alpha* = {float(alpha):.6g}: {verdict.failed_step}")
    return None, run


def _structural(question: Question, found: Endless) -> dict[str, Any]:
    unit = question.unit
    found = replace(
        found,
        alpha_star=found.alpha_star * unit,
        upper=tuple(x * unit for x in found.upper),
        lower=tuple(x * unit for x in found.lower),
    )
    search = {"tool": "certify", "method": "structural"}
    return certificates.endless_certificate(question.asked_about, found, search)
