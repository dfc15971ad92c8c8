"""`--method windows`, and `auto` where a tree would be too large."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from random_games import random_game

import certify
from certify.answers import ladder
from certify.answers.ladder import Ladder, Question
from certify.errors import InputError
from certify.games import builtin
from certify.run import OutOfTime, Run
from certify.thresholds.localisation import Localisation, localise
from certify.thresholds.windows.search import Windows


def test_windows_are_a_method() -> None:
    found = certify.threshold(builtin("dectiger", horizon=2), method="windows", rtol="1/2")
    assert found.status == "proved"
    assert found.method.startswith("windows (k = ")
    assert found.document["proof"]["type"] == "windows"
    assert float(found.alpha_star) < 60


def test_auto_compares_windows_where_the_tree_is_too_large() -> None:
    found = certify.threshold(builtin("recycling", horizon=2), max_entries=3, rtol="1/2", time_limit=1200)
    assert found.status == "proved"
    assert found.method.startswith("windows")
    assert "entries" in found.reason or "max" in found.reason


def test_auto_goes_on_with_windows_where_unrolling_takes_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(*_: Any, **__: Any) -> None:
        raise OutOfTime("out of time while unrolling the game")

    monkeypatch.setattr(ladder, "unroll", slow)
    found = certify.threshold(builtin("recycling", horizon=2), rtol="1/2", time_limit=1200)
    assert found.status == "proved"
    assert found.method.startswith("windows")
    assert "unrolling" in found.reason


def test_auto_proves_something_with_more_actions_than_boxes_take(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(ladder.Ladder, "_windows", lambda self, run: asked.append(run))
    game = random_game(np.random.default_rng(1), actions=12)
    found = certify.threshold(game, rtol="1/2", time_limit=600)
    assert found.status == "proved" and asked
    assert "12 actions" in found.reason


def test_windows_alone_say_what_they_cannot_do() -> None:
    with pytest.raises(InputError, match="13 actions"):
        certify.threshold(builtin("lever:13"), method="windows")


@pytest.mark.parametrize("finished", [True, False])
def test_windows_follow_a_localisation_that_had_not_the_time_it_wanted(
    monkeypatch: pytest.MonkeyPatch, finished: bool
) -> None:
    """A cover was found, but coarse: where the clock was the reason, windows are tried, and go below it."""

    def coarse(climbed: Ladder, start: Fraction) -> tuple[list[Localisation], bool]:
        return localise(climbed.plan, start, least=start, rtol=0.5)[:1], finished

    monkeypatch.setattr(Ladder, "_localised", coarse)
    monkeypatch.setattr(ladder, "sharpen", lambda *args, **options: [])
    question = Question(builtin("lever:3"), "auto", Fraction(1, 100), (), None, 10**6)
    climbed = Ladder(question, Run())
    climbed.climb()
    assert any(isinstance(found, Localisation) for found in climbed.proposals)
    windows = [found for found in climbed.proposals if isinstance(found, Windows)]
    assert bool(windows) is not finished
    best = min(found.alpha_star for found in climbed.proposals if isinstance(found, Localisation))
    assert all(found.alpha_star < best for found in windows)
