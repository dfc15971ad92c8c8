"""The ladder of methods behind `certify.threshold`: the cheapest first, then sharper, each a proposal only.

Structural forms (docs/theory/structural.md), windows where a tree would be too large (docs/windows.md),
several policies from below (docs/theory/continuation.md#from-below)
and localisation (docs/theory/localisation.md, docs/theory/hessian.md#theorem-b), branch and bound between the two
(docs/theory/continuation.md#covers).  Nothing here is believed: `answers.drafts` has the checker decide.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from itertools import takewhile

from certify.answers.carried import symmetries_of
from certify.certificates.multiplicity import Evidence
from certify.errors import InputError, Undecided
from certify.games import Game, game_sha256
from certify.games.tree import Tree, unroll
from certify.games.units import divided, unit_of
from certify.memory import NO_BOUND, Memory
from certify.run import OutOfTime, Run
from certify.stationary.approx_search import scanned
from certify.stationary.multiplicity import find_multiplicity, reward_range
from certify.thresholds.branch_and_bound import Floor, Pace, sharpen, unhurried
from certify.thresholds.index_tables import Plan
from certify.thresholds.kept_covers import LOCALISATION, check_kept, keep_covers, kept_covers
from certify.thresholds.localisation import Descent, Localisation, first_stall
from certify.thresholds.loops import HOW
from certify.thresholds.room import check_room
from certify.thresholds.step_rule import hurried, timed
from certify.thresholds.structural import structural_forms
from certify.thresholds.structural_form import Structural
from certify.thresholds.windows.search import Windows, windows_thresholds

_COARSE = Fraction(1, 10)  # the resolution of localisation where branch and bound follows ...
_SMALL = 2000  # ... in trees of at most so many rewards
_BELOW_PART, _BELOW_SECONDS = 0.12, 60.0  # of the search that goes into the lower end; where there is no limit
_SCREENING_PART = 0.05  # of the time, for a hint where to look for the lower end
_LOCALISATION_PART = 0.4  # of the rest, where branch and bound follows
_UNROLLING_PART = 0.25  # of the time, where windows can take the place of a tree
_SEARCHED = 0.95  # of the rest, for branch and bound: a quarter of the whole is kept for the check anyhow, and more
# where one that was timed says so
_FURTHER_PART = 0.5  # of the rest, for a localisation that goes on in a large tree: its check takes about as long
_WINDOWS_PART = 0.6  # of the rest, where localisation found nothing
_LEAST = 1.0  # seconds for a stage, however little is left
_BELOW_RTOL = Fraction(1, 2000)

NOT_LOCALISED = "localisation proved nothing within its limits"

Proposal = Structural | Windows | Localisation


@dataclass(frozen=True)
class Question:
    """What `certify.threshold` was asked, read and checked.

    unit : payoffs of `game` and all temperatures are in this unit of the game that was asked about, `original`
    (None: `game` itself).
    """

    game: Game
    method: str
    rtol: Fraction
    modulus_at: tuple[Fraction, ...]
    alpha_min: Fraction | None
    max_entries: int
    memory: Memory = NO_BOUND
    unit: Fraction = Fraction(1)
    original: Game | None = None

    @property
    def asked_about(self) -> Game:
        """The game in its own units."""
        return self.original or self.game

    @cached_property
    def game_sha256(self) -> str:
        """The hash of the game in its own units."""
        return game_sha256(self.asked_about)

    def in_units(self) -> Question:
        """The same question with payoffs of everyday size."""
        unit = unit_of(self.game)
        if unit == 1:
            return self
        return replace(
            self,
            game=divided(self.game, unit),
            modulus_at=tuple(alpha / unit for alpha in self.modulus_at),
            alpha_min=None if self.alpha_min is None else self.alpha_min / unit,
            unit=unit,
            original=self.game,
        )

    @property
    def sharp(self) -> bool:
        """Whether branch and bound may be tried."""
        return self.method in ("auto", "search")


@dataclass
class Ladder:
    """One climb down the ladder: `proposals`, the evidence `below`, the structural `forms`, and in `notes` why
    something was left out.

    `climb` fills them; what it has found by the time that the run is over stays.
    """

    question: Question
    run: Run
    forms: list[Structural] = field(default_factory=list)
    proposals: list[Proposal] = field(default_factory=list)
    below: Evidence | None = None
    notes: list[str] = field(default_factory=list)
    tree: Tree | None = None  # not where structural forms are all that is asked for
    _descent: Descent | None = None
    _cut: bool = False  # branch and bound had no more time

    def climb(self, secure: Callable[[], None] = lambda: None, pace: Pace = unhurried) -> None:
        """Everything that the method and the clock allow; `secure` is called between what is proposed at once and
        what may take all the time; `pace` tells branch and bound what there would be time to check.

        Raises `InputError` where the method needs a tree and the game is too large for one.
        """
        check_kept(self.run.checkpoint)
        known = self._known_below()
        try:
            self._structural()
            if self.question.method != "structural":
                secure()
            if self.question.method == "windows":
                self._windows(self.run)
            elif self.question.method != "structural":
                self._sharper(known, pace)
        except OutOfTime as over:
            self.notes.append(str(over))
        except InputError as error:
            if self.question.method in ("localisation", "windows"):
                raise
            self.notes.append(str(error))
        if (self._cut or self.run.left() <= 0) and "plan" in self.__dict__ and hurried(self.plan):
            self.notes.append(HOW)

    @cached_property
    def plan(self) -> Plan:
        """The index tables of the tree; raises `InputError` where there is no memory for what is done with them."""
        return timed(check_room(Plan(self._tree, self.question.memory)), self.run)

    @property
    def _tree(self) -> Tree:
        if self.tree is None:
            raise InputError(self.question.game.name, "no tree", "use a method other than structural")
        return self.tree

    def _structural(self) -> None:
        try:
            with self.run.stage("deriving the structural threshold"):
                for form in structural_forms(self.question.game):
                    self.forms.append(form)
        except OutOfTime:
            if self.run.interrupted or not self.forms:
                raise
        self.forms.sort(key=lambda form: form.order)
        self.run.found(above=float(self.forms[0].alpha_star))
        self.run.progress(f"structural: alpha* = {float(self.forms[0].alpha_star):.6g} ({self.forms[0].form})")
        if self.question.method not in ("localisation", "windows"):
            self.proposals.append(self.forms[0])

    def _sharper(self, known: tuple[Evidence | None, str] | None, pace: Pace) -> None:
        """Localisation and branch and bound, in the order in which they find."""
        question, start = self.question, self.forms[0].alpha_star
        part = self.run.part(_UNROLLING_PART, least=_LEAST) if question.method == "auto" else self.run
        try:
            with part.stage("unrolling the game"):
                self.tree = unroll(question.game, max_entries=question.max_entries, memory=question.memory)
        except (InputError, OutOfTime) as error:
            if question.method != "auto" or self.run.left() <= 0:
                raise
            self.notes.append(str(error))
            self._windows(self.run)
            return
        if question.sharp:
            self.below, note = known if known is not None else self._from_below(self._one_policy_down_to(start))
            if note:
                self.notes.append(note)
            if self._close_enough(start):
                return
        try:
            found, finished = self._localised(start)
        except InputError as error:  # too many actions for boxes: windows may do
            if question.method != "auto":
                raise
            self.notes.append(str(error))
            self._windows(self.run)
            return
        if not found:
            self.notes.append(NOT_LOCALISED)
        self.proposals += found
        if question.method == "auto" and not (found and finished):
            # what localisation had no time to sharpen windows may reach sooner
            self._windows(self.run.part(_WINDOWS_PART, least=_LEAST))
            if self._descent is not None and not self._small:  # ... and in a large tree it gets on further than boxes
                found = self._localised_further(self._descent, found)
        best = min([start, *(p.alpha_star for p in self.proposals)])
        if question.sharp and not self._close_enough(best):
            multiple = None if self.below is None else self.below.alpha_multiple
            part = self.run.part(_SEARCHED, least=_LEAST)
            # the search stops by itself when its part is over; the alarm of the whole rings later
            with self.run.stage("searching by branch and bound"):
                self.proposals += sharpen(
                    self.plan,
                    found[-1] if found else None,
                    best,
                    Floor.of(multiple, self._least(), float(question.rtol)),
                    symmetries=symmetries_of(self._tree),
                    pace=pace,
                    run=part,
                )
            self._cut = part.left() <= 0

    def _windows(self, run: Run) -> None:
        """Thresholds by windows: no history is enumerated."""
        start = min(found.alpha_star for found in (*self.forms, *self.proposals))
        try:
            with run.stage("comparing windows"):
                least = float(self.question.alpha_min or 0)
                for found in windows_thresholds(
                    self.question.game, start, rtol=float(self.question.rtol), floor=least, run=run
                ):
                    self.proposals.append(found)
        except OutOfTime as over:
            self.notes.append(str(over))
        except InputError as error:
            if self.question.method == "windows":
                raise
            self.notes.append(str(error))

    def _localised(self, start: Fraction) -> tuple[list[Localisation], bool]:
        """Covers by localisation, and whether it had the time it wanted; where branch and bound has a chance, it only
        gives that a start."""
        book, question = self.run.checkpoint, self.question
        kept = kept_covers(book, LOCALISATION)
        if kept is not None:
            return [Localisation(1 / nodes[0].high, nodes) for nodes in kept], True
        part = self.run.part(_LOCALISATION_PART, least=_LEAST) if question.sharp else self.run
        with part.stage("localising the stationary policies"):
            rtol = max(question.rtol, _COARSE) if question.sharp and self._small else question.rtol
            self._descent = Descent(self.plan, start, least=min(self._least(), start), rtol=float(rtol))
            self._descent.go(part)
        keep_covers(book, [cover.nodes for cover in self._descent.covers])
        return self._descent.covers, self._descent.finished

    def _one_policy_down_to(self, start: Fraction) -> Fraction:
        """In floats, at the temperatures of the scan for several: it need not look where a contraction closes.  Where
        it does is no half-line, so that every one of them is tried."""
        if self.question.game.horizon == 1:
            return start
        part, least = self.run.part(_SCREENING_PART), self._least()
        try:
            with part.stage("localising the stationary policies"):
                stalls = first_stall(self.plan, takewhile(lambda alpha: alpha > least, scanned(start)), part)
                return least if stalls is None else stalls
        except (InputError, OutOfTime):
            return start

    def _localised_further(self, descent: Descent, before: list[Localisation]) -> list[Localisation]:
        """All covers once localisation has had what is left for a search."""
        part = self.run.part(_FURTHER_PART, least=_LEAST)
        with self.run.stage("localising the stationary policies"):
            descent.go(part)
        found = descent.covers
        self.proposals += [cover for cover in found if cover not in before]
        keep_covers(self.run.checkpoint, [cover.nodes for cover in found])
        return found

    @cached_property
    def _small(self) -> bool:
        """Whether branch and bound has a chance."""
        return sum(level.reward.size for level in self.plan.levels) <= _SMALL

    def _known_below(self) -> tuple[Evidence | None, str] | None:
        """What a checkpoint knows of the lower end: evidence or the reason why there is none."""
        book = self.run.checkpoint
        known = book.stage("below")
        if known is None:
            return None
        try:
            return known["evidence"] and Evidence.from_json(known["evidence"]), known["reason"]
        except (KeyError, TypeError, ValueError):
            raise book.damaged() from None

    def _from_below(self, first: Fraction) -> tuple[Evidence | None, str]:
        """Evidence for the lower end of the bracket, looked for from a temperature downwards, or the reason why there
        is none."""
        evidence, note = None, ""
        seconds = max(_LEAST, _BELOW_PART * self.run.left()) if self.run.limited else _BELOW_SECONDS
        try:
            with self.run.stage("looking for several stationary policies"):
                found = find_multiplicity(
                    self._tree,
                    rtol=min(self.question.rtol / 20, _BELOW_RTOL),
                    time_limit=seconds,
                    alpha_min=self._least(),
                    first=first,
                    run=self.run,
                    memory=self.question.memory,
                )
                evidence = None if found is None else Evidence.of(found)
        except (InputError, Undecided) as error:
            note = f"no multiplicity proved: {error}"
        self.run.checkpoint.save("below", {"evidence": evidence and evidence.as_json(), "reason": note})
        return evidence, note

    def _least(self) -> Fraction:
        """The temperature below which nothing is looked for."""
        return self.question.alpha_min or reward_range(self._tree) / 1000 or Fraction(1, 1000)

    def _close_enough(self, alpha: Fraction) -> bool:
        if self.below is None:
            return alpha <= self._least()
        return alpha <= self.below.alpha_multiple * (1 + self.question.rtol)
