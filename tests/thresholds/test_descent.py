"""Localisation that is stopped and goes on ends where one that never was does; `auto` lets it go on in large trees."""

from __future__ import annotations

from fractions import Fraction

import pytest

from certify.answers import ladder
from certify.answers.ladder import Ladder, Question
from certify.games import builtin
from certify.games.tree import unroll
from certify.run import OutOfTime, Run
from certify.thresholds.index_tables import Plan
from certify.thresholds.localisation import Descent, localise


class Stops:
    """Of a run: every third line is the last."""

    def __init__(self) -> None:
        self.lines = self.stopped = 0

    def __call__(self, line: str) -> None:
        if line.startswith("stopped"):
            self.stopped += 1
            return
        self.lines += 1
        if self.lines % 3 == 0:
            raise OutOfTime


@pytest.mark.parametrize("least", [Fraction(0), Fraction(9, 10)])
def test_stops_do_not_change_what_is_found(least: Fraction) -> None:
    plan, start = Plan(unroll(builtin("lever:3"))), Fraction(2, 3)
    least *= start
    whole = localise(plan, start, least=least, rtol=0.1)
    descent, stops = Descent(plan, start, least=least, rtol=0.1), Stops()
    for _ in range(200):
        descent.go(Run(progress=stops))
        if descent.finished:
            break
    assert descent.finished and stops.stopped
    assert [(c.alpha_star, c.nodes) for c in descent.covers] == [(c.alpha_star, c.nodes) for c in whole]


@pytest.mark.parametrize("large", [True, False])
def test_auto_goes_on_with_it_where_branch_and_bound_has_no_chance(
    monkeypatch: pytest.MonkeyPatch, large: bool
) -> None:
    """GridSmall with three steps ended at .76 in 300 s, where localisation alone had .334."""
    goes, searches = [], []
    real = Descent.go

    def go(descent: Descent, run: Run) -> None:
        goes.append(descent)
        if len(goes) > 1:
            real(descent, Run())

    monkeypatch.setattr(Descent, "go", go)
    monkeypatch.setattr(ladder, "sharpen", lambda *given, **options: searches.append(given) or [])
    monkeypatch.setattr(ladder, "_SMALL", 0 if large else 10**9)
    monkeypatch.setattr(Ladder, "_windows", lambda climbing, run: None)
    monkeypatch.setattr(Ladder, "_from_below", lambda climbing, first: (None, ""))
    climbed = Ladder(Question(builtin("lever:3"), "auto", Fraction(1, 10), (), None, 10**6), Run())
    climbed.climb()
    assert len(goes) == (2 if large else 1) and all(descent is goes[0] for descent in goes)
    assert any(p in goes[0].covers for p in climbed.proposals) == large
    assert len(searches) == 1
