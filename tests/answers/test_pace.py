"""Branch and bound goes on as long as there would be time to check what it finds."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest

from certify import checker
from certify.answers import drafts
from certify.answers.ladder import Ladder, Question
from certify.certificates import threshold as certificates
from certify.games import builtin
from certify.games.tree import unroll
from certify.run import OutOfTime, Run
from certify.stationary.approx_equations import ApproxEquations
from certify.stationary.approx_search import ApproxSearch, scanned
from certify.thresholds import branch_and_bound, contraction, localisation
from certify.thresholds.contraction import Outcome, replayed, whole_space
from certify.thresholds.cover import Effort, Stalled, find_cover
from certify.thresholds.cover_tree import steps_of
from certify.thresholds.index_tables import Plan
from certify.thresholds.localisation import Localisation
from certify.thresholds.structural import structural_forms

TRUE_CHECK = checker.check_certificate
ONCE, EACH = 3.0, 0.01  # seconds of a check: what it takes anyhow, and for a step


class Clock:
    """A clock that only checks move."""

    def __init__(self, now: float) -> None:
        self.now = now

    def monotonic(self) -> float:
        """Its time."""
        return self.now

    def checking(self, document: dict[str, Any], engine: str = "auto", **_: Any) -> checker.Verdict:
        """A check that takes its time: ten times as much where a short cover is left to the plain engine."""
        nodes = document["proof"]["nodes"]
        self.now += ONCE + EACH * sum(len(node["steps"]) + 1 for node in nodes) * (1 if engine == "fast" else 10)
        return TRUE_CHECK(document, engine)


@pytest.fixture(scope="module")
def plan() -> Plan:
    return Plan(unroll(builtin("dectiger", horizon=2)))


@pytest.fixture(scope="module")
def cover(plan: Plan) -> Localisation:
    """A cover of more steps than are timed."""
    return Localisation(Fraction(16), find_cover(plan, Fraction(1, 16), effort=Effort(branch=True)))


def paced(
    cover: Localisation, monkeypatch: pytest.MonkeyPatch, left: float, workers: int = 1
) -> tuple[Callable[[int], bool], Ladder]:
    question = Question(builtin("dectiger", horizon=2), "search", Fraction(1, 100), (), None, 10**6)
    run = Run.lasting(1e6, workers=workers)
    clock = Clock(run.deadline - left)
    monkeypatch.setattr(time, "monotonic", clock.monotonic)
    monkeypatch.setattr(checker, "check_certificate", clock.checking)
    ladder = Ladder(question, run)
    before = clock.now
    enough = drafts.Drafts(ladder, run).pace(cover)
    clock.now = before  # what timing took is another matter
    return enough, ladder


def test_a_pace_is_what_a_step_takes_beside_what_a_check_takes_anyhow(
    cover: Localisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    enough, ladder = paced(cover, monkeypatch, left=1000.0)
    most = int((1000 - ONCE) / (EACH * drafts._MARGIN))
    assert enough(most - 100) and not ladder.notes
    assert not enough(most + 100) and ladder.notes == [drafts.NO_MORE]
    assert not enough(most + 100) and ladder.notes == [drafts.NO_MORE]


def test_what_was_checked_to_time_it_is_there_if_nothing_better_is(
    cover: Localisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run.lasting(1e6)
    question = Question(builtin("dectiger", horizon=2), "search", Fraction(1, 100), (), None, 10**6)
    ladder = Ladder(question, run, proposals=[cover, next(iter(structural_forms(question.game)))])
    found = drafts.Drafts(ladder, run)
    found.pace(cover)
    assert found.safe is not None and cover.alpha_star <= found.safe.choice.alpha_star < 60

    def slow(*_: Any) -> None:
        raise OutOfTime("out of time")

    monkeypatch.setattr(found, "_certified", slow)
    assert found.best() is found.safe and found.safe.method == "localisation"
    assert TRUE_CHECK(found.safe.document).valid


def test_where_not_even_a_part_can_be_checked_nothing_more_is_searched(
    cover: Localisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    def over(*_: Any, **__: Any) -> None:
        raise OutOfTime("out of time")

    monkeypatch.setattr(checker, "check_certificate", over)
    run = Run.lasting(1e6)
    ladder = Ladder(Question(builtin("dectiger", horizon=2), "search", Fraction(1, 100), (), None, 10**6), run)
    assert not drafts.Drafts(ladder, run).pace(cover)(1) and ladder.notes == [drafts.NO_MORE]


def test_processes_share_steps(cover: Localisation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    most = int((1000 - ONCE) / (EACH * drafts._MARGIN))
    for workers in (2, 8):  # eight on two cores are not faster than two
        enough, _ = paced(cover, monkeypatch, left=1000.0, workers=workers)
        assert enough(int(1.5 * most)) and not enough(2 * most)


def test_parts_that_are_timed_are_covers(cover: Localisation) -> None:
    game = builtin("dectiger", horizon=2)
    for steps in (1, 150):
        nodes = drafts._first(cover.nodes, steps)
        assert steps <= steps_of(nodes) < steps_of(cover.nodes)
        document = certificates.cover_certificate(game, nodes, [])
        assert checker.check_certificate(document).valid
    assert drafts._first(cover.nodes, 10**6) is cover.nodes


def test_a_search_ends_where_its_tree_is_too_long_to_check(plan: Plan) -> None:
    effort = Effort(branch=True, affordable=lambda steps: steps < 300)
    with pytest.raises(Stalled, match="no time to check more") as stalled:
        find_cover(plan, Fraction(2, 25), effort=effort)
    assert 0 < stalled.value.reached < Fraction(2, 25)


def test_branch_and_bound_keeps_what_there_is_time_to_check(plan: Plan, cover: Localisation) -> None:
    asked = []

    def pace(known: Localisation) -> Callable[[int], bool]:
        asked.append(known)
        return lambda steps: steps < steps_of(cover.nodes) + 150

    floor = branch_and_bound.Floor(Fraction(14), True)
    found = branch_and_bound.sharpen(plan, cover, Fraction(16), floor, pace=pace)
    assert asked == [cover]
    whole = branch_and_bound.sharpen(plan, cover, Fraction(16), floor)
    assert whole[-1].alpha_star < found[-1].alpha_star < 16
    assert steps_of(found[-1].nodes) < steps_of(cover.nodes) + 300


@pytest.mark.parametrize("over", [OutOfTime, KeyboardInterrupt])
def test_covers_found_before_a_check_is_timed_stay(over: type[BaseException], plan: Plan) -> None:
    def pace(_: Localisation) -> Callable[[int], bool]:
        raise over

    run = Run()
    found = branch_and_bound.sharpen(
        plan, None, Fraction(40), branch_and_bound.Floor(Fraction(20), True), pace=pace, run=run
    )
    assert len(found) == 1 and 20 < found[0].alpha_star < 40
    assert run.interrupted == (over is KeyboardInterrupt)


def test_a_stalled_box_leaves_out_steps_that_gain_nothing(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    task = contraction.Task(1 / 12.2, 1 / 12.1, whole_space(plan))
    lean = contraction.contract(plan, [task], least_gain=0.0005)[0]
    monkeypatch.setattr(contraction, "_spare", lambda box, outcome: None)
    full = contraction.contract(plan, [task], least_gain=0.0005)[0]
    assert full.kind == lean.kind == "stalled" and lean.soft is not None
    count = len(lean.steps)
    assert count < len(full.steps) and lean.steps == full.steps[:count]

    def width(outcome: Outcome) -> float:
        return sum(float((upper - lower).sum()) for row in outcome.box for lower, upper in row)

    assert width(lean) <= 1.01 * width(full)
    assert width(Outcome("stalled", [], replayed(task.box, lean.steps[:-1]))) > 1.01 * width(full)


def test_the_lower_end_is_looked_for_where_a_contraction_stalls_first(
    plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Uniqueness is not monotone: one temperature that stalls between others that close is not passed over."""
    tried = []

    def closes(_: Plan, beta: Fraction, run: Run) -> bool:
        tried.append(1 / beta)
        return not 5 < 1 / beta < 7

    monkeypatch.setattr(localisation, "point_closes", closes)
    levels = list(itertools.islice(scanned(Fraction(20)), 8))
    assert localisation.first_stall(plan, levels, Run()) == tried[-1] == Fraction(20) * Fraction(4, 5) ** 5
    assert localisation.first_stall(plan, levels[:5], Run()) is None

    def over(*_: Any) -> bool:
        raise OutOfTime("out of time")

    monkeypatch.setattr(localisation, "point_closes", over)
    assert localisation.first_stall(plan, levels, Run()) == 20


def test_the_scan_begins_where_it_is_told(plan: Plan) -> None:
    eq = ApproxEquations(plan.tree)
    levels = []
    for first in (None, 12.8):
        search = ApproxSearch(eq, 20.0, 19.0 if first is None else 12.0, first=first, run=Run())
        search.level = lambda alpha, **_: levels.append(alpha)  # type: ignore[method-assign,assignment]
        search._scan()
    assert levels == [20.0, 12.8]
