"""From proposals to a certificate that the independent checker accepts.

A certificate says one thing that matters, alpha*, and carries others beside it: the lower end of the bracket,
the symmetry group, moduli of strong concavity.  What is refused of those is left out and the rest is checked
again; a refused cover is only a search that went wrong, and the next proposal is tried.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

from certify import checker
from certify.answers.ladder import Ladder, Proposal
from certify.certificates import threshold as certificates
from certify.certificates.symmetry import evidence
from certify.certificates.units import restated
from certify.errors import InputError
from certify.run import OutOfTime, Run
from certify.thresholds.concavity import strong_concavity
from certify.thresholds.cover_tree import Node, restrict, steps_of
from certify.thresholds.localisation import Localisation
from certify.thresholds.shapes import Shape, shape_of
from certify.thresholds.step_size import MOST_ROWS, Sizes, StepSize, sizes_of, step_size
from certify.thresholds.structural_form import Structural
from certify.thresholds.windows.search import Windows

NO_MORE = "no time left to check a longer cover"
LOWER_END, SYMMETRY, ASCENT = "lower end", "symmetry group", "step size"
_SYMMETRY_ENTRIES = 20_000  # transitions and rewards up to which a certificate carries the symmetry group
_GRACE = 0.8  # seconds that a check may still take after an interruption
_TIMED = (100, 400)  # steps of the parts of a cover of which a check is timed, ...
_PACED = 0.1  # ... until it has taken this part of what is left
_MARGIN, _FURTHER = 1.3, 0.7  # what checks may take beyond it; of one process's work, what each further core does
_CHECKED = 0.9  # of the time that is left for a check: the rest is for that of the next proposal, which is cheaper
# the first part of the step that a checker names -> what of the certificate it is about
_PARTS = {
    "multiplicity": LOWER_END,
    "claim.alpha_multiple": LOWER_END,
    "claim.alpha_two_maxima": LOWER_END,
    "symmetry": SYMMETRY,
    "claim.ascent": ASCENT,
}


@dataclass(frozen=True)
class Certified:
    """A certificate that the checker accepted, and the proposal that it was made from."""

    choice: Proposal
    document: dict[str, Any]
    modulus: Fraction | None
    engine: str

    @property
    def method(self) -> str:
        """How the threshold was found, in the words of the interface."""
        if isinstance(self.choice, Windows):
            return f"windows (k = {self.choice.k})"
        if not isinstance(self.choice, Localisation):
            return f"structural ({self.choice.form})"
        branched = any(node.split is not None and "agent" in node.split for node in self.choice.nodes)
        return "search" if branched else "localisation"


def refused_part(failed_step: dict[str, Any]) -> str | None:
    """What of a threshold certificate a failed step is about, beside its alpha*; None: alpha* itself, or unknown.

    >>> refused_part({"step": "multiplicity.witness.policies[0]", "why": "..."})
    'lower end'
    """
    step = str(failed_step.get("step", ""))
    return next((part for name, part in _PARTS.items() if step.startswith(name)), None)


def _steps(choice: Proposal) -> int:
    """How many steps of a cover have to be checked, 0 for other proofs."""
    return steps_of(choice.nodes) if isinstance(choice, Localisation) else 0


def _first(nodes: list[Node], steps: int) -> list[Node]:
    """The part of a cover up to some beta that has about so many steps; the whole where it has no more."""
    taken = 0
    for node in sorted(nodes, key=lambda node: node.high):
        taken += steps_of([node])
        if taken >= steps and node.close is not None and node.high < nodes[0].high:
            return restrict(nodes, node.high)
    return nodes


class Drafts:
    """Certificates for what a ladder proposes."""

    def __init__(self, ladder: Ladder, run: Run) -> None:
        """`run` bounds the checks."""
        self.ladder, self.run, self.question = ladder, run, ladder.question
        self.below, self.notes = ladder.below, list(ladder.notes)
        self.safe: Certified | None = None
        self.without_symmetry = self.without_ascent = False

    def secure(self) -> None:
        """Check the structural threshold while there is time, where there is a limit: what comes after it may take
        all that is left."""
        if self.run.limited:
            self.safe = self._bare(self.run)

    def pace(self, cover: Localisation) -> Callable[[int], bool]:
        """Whether there would be time to check a cover of so many steps, from the time that parts of one take; what is
        checked thereby is there if nothing better is."""
        known, self.below = [(0, 0.0)], self.ladder.below
        for steps in _TIMED if self.run.limited else ():
            nodes = _first(cover.nodes, steps)
            choice = Localisation(1 / nodes[0].high, nodes, cover.automorphisms)
            document, start = self._document(choice, [])[0], time.monotonic()
            try:
                with self.run.part(_PACED).stage("timing a check"):
                    # by the engine that takes long covers: the plain one, which takes short ones, is ten times slower
                    verdict = self._verdict(document, workers=1, engine="fast")
                    if verdict.valid and (self.safe is None or choice.alpha_star < self.safe.choice.alpha_star):
                        self.safe = Certified(choice, document, None, verdict.engine)
            except OutOfTime:
                if self.run.interrupted:
                    raise
                if len(known) == 1:  # not even this part: what is found gets all the time that is left
                    return self._no_more
                break
            known.append((steps_of(nodes), time.monotonic() - start))
            if known[-1][1] > _PACED * self.run.left() or nodes is cover.nodes:
                break
        (few, short), (many, long) = known[-2:] if len(known) > 1 else [(0, 0.0), (1, 0.0)]
        each = max(0.0, long - short) / (many - few or 1)
        once = max(0.0, long - each * many)
        each *= _MARGIN / (1 + _FURTHER * (min(self.run.workers, os.cpu_count() or 1) - 1))

        return lambda steps: self.run.left() >= once + each * steps or self._no_more(steps)

    def _no_more(self, _: int) -> bool:
        """False, and a note that says why."""
        if NO_MORE not in self.ladder.notes:
            self.ladder.notes.append(NO_MORE)
        return False

    def best(self) -> Certified | None:
        """The sharpest certificate that the checker accepts, once the ladder has been climbed; `notes` say what it
        refused.

        Raises `InputError` for a `--modulus-at` below it.
        """
        proposals = sorted(self.ladder.proposals, key=lambda c: c.alpha_star)
        self.below, self.notes = self.ladder.below, list(self.ladder.notes)
        run = Run.lasting(_GRACE, progress=self.run.progress) if self.run.interrupted else self.run
        refused = None
        safe, pace = self.safe, 0.0  # seconds for a step of a cover, at least
        for choice in proposals:
            steps, start = _steps(choice), time.monotonic()
            if safe is not None and choice.alpha_star > safe.choice.alpha_star:
                break
            if pace * steps > run.left():
                self.notes.append(f"no time left to check alpha* = {float(choice.alpha_star):.6g}")
                continue
            part = run.part(_CHECKED) if choice is not proposals[-1] else run
            try:
                with part.stage(f"checking the certificate of alpha* = {float(choice.alpha_star):.6g}"):
                    found, failed = self._certified(choice, run)
            except OutOfTime as over:
                self.notes.append(str(over))
                pace = max(pace, (time.monotonic() - start) / steps) if steps else pace
                if run.interrupted:
                    run = Run.lasting(_GRACE, progress=self.run.progress)
                continue
            if found is not None:
                if refused:
                    self.notes.append(f"the checker does not confirm a sharper certificate: {refused}")
                return found
            refused = refused or failed
        if safe is None and refused:
            self.notes = [f"the checker does not confirm the search: {refused}"]
        return safe

    def _bare(self, run: Run) -> Certified | None:
        """The structural threshold alone, so that there is something to say when the time is over."""
        structural = next((p for p in self.ladder.proposals if isinstance(p, Structural)), None)
        if structural is None:
            return None
        try:
            with run.stage("checking the structural threshold"):
                bare = certificates.structural_certificate(self.question.game, structural, self._search)
                document = self._restated(certificates.with_ascent(bare, self._ascent(structural.alpha_star)))
                verdict = self._verdict(document)
        except OutOfTime:
            return None
        return Certified(structural, document, structural.modulus, verdict.engine) if verdict.valid else None

    def _certified(self, choice: Proposal, run: Run) -> tuple[Certified | None, dict[str, Any] | None]:
        """A certificate of one proposal, or the step at which the last attempt failed."""
        concavity = self._concavity(choice)
        while True:
            document, modulus = self._document(choice, concavity)
            run.progress("checking the certificate")
            verdict = self._verdict(document)
            if verdict.valid:
                return Certified(choice, document, modulus, verdict.engine), None
            if self._left_out(verdict.failed_step):
                continue
            if not concavity:
                return None, verdict.failed_step
            concavity = []

    def _left_out(self, failed: dict[str, Any] | None) -> bool:
        """Leave out what of the lower end or the symmetries was refused; False where it was something else."""
        part = refused_part(failed or {})
        if part == LOWER_END and self.below is not None:
            self.below = self.below.unlabelled()
        elif part == SYMMETRY and not self.without_symmetry:
            self.without_symmetry = True
        elif part == ASCENT and not self.without_ascent:
            self.without_ascent = True
        else:
            return False
        self.notes.append(f"the checker does not confirm the {part} as found: {failed}")
        return True

    def _concavity(self, choice: Proposal) -> list[Any]:
        """Proposed moduli at the threshold and at the temperatures that were asked for."""
        if not isinstance(choice, Localisation) or not self.question.game.flows_back:
            return []  # nothing is concave under the local bonus
        alphas = [choice.alpha_star, *self.question.modulus_at]
        if min(alphas) < choice.alpha_star:
            raise InputError(
                "--modulus-at", f"{min(alphas)} is below alpha* = {choice.alpha_star}", "ask at temperatures above it"
            )
        found = [strong_concavity(self.ladder.plan, choice.nodes, a) for a in dict.fromkeys(alphas)]
        return [c for c in found if c is not None]

    def _document(self, choice: Proposal, concavity: list[Any]) -> tuple[dict[str, Any], Fraction | None]:
        """The certificate with what is still believed, and the modulus that it claims at alpha*."""
        game = self.question.game
        if isinstance(choice, Localisation):
            document = certificates.cover_certificate(
                game, choice.nodes, concavity, automorphisms=choice.automorphisms, search=self._search
            )
            modulus = next((c.modulus for c in concavity if c.alpha == choice.alpha_star), None)
        elif isinstance(choice, Windows):
            document, modulus = certificates.windows_certificate(game, choice, self._search), None
        else:
            document, modulus = certificates.structural_certificate(game, choice, self._search), choice.modulus
        below = self.below if self.below is not None and self.below.alpha_multiple < choice.alpha_star else None
        group = None if self.without_symmetry else self._symmetry
        document = certificates.with_evidence(document, below, group)
        return self._restated(certificates.with_ascent(document, self._ascent(choice.alpha_star))), modulus

    def _ascent(self, alpha_star: Fraction) -> StepSize | None:
        """The largest step of gradient ascent from `alpha_star` on."""
        if self.without_ascent or self.question.game.objective == "local" or sum(map(len, self._sizes)) > MOST_ROWS:
            return None
        return step_size(self._shape, self._sizes, alpha_star)

    @cached_property
    def _shape(self) -> Shape:
        return shape_of(self.question.game)

    @cached_property
    def _sizes(self) -> Sizes:
        return sizes_of(self.question.game)

    def _restated(self, document: dict[str, Any]) -> dict[str, Any]:
        """The document about the game in its own units."""
        return restated(document, self.question.asked_about, self.question.unit)

    @property
    def _search(self) -> dict[str, str]:
        return {"tool": "certify", "method": self.question.method, "rtol": str(self.question.rtol)}

    @cached_property
    def _symmetry(self) -> dict[str, Any] | None:
        """Evidence for the automorphism group, of games small enough for it to be a side dish."""
        game = self.question.game
        entries = sum(len(row) for row in game.transition.values()) + len(game.reward)
        return evidence(game) if entries <= _SYMMETRY_ENTRIES else None

    def _verdict(self, document: dict[str, Any], workers: int | None = None, engine: str = "auto") -> checker.Verdict:
        document = json.loads(json.dumps(document))
        return checker.check_certificate(document, engine=engine, workers=workers or self.run.workers, budget=math.inf)
