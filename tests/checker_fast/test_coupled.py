"""The coupled form where there is nothing to couple, and alone against policies of extreme boxes."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from certify.checker import check_certificate, coupled
from certify.checker.cover import Step
from certify.checker.fast_copies import Copies
from certify.checker.game import read_game
from certify.checker.process import build_process
from certify.checker.stdlib import StdlibEngine
from certify.games.canonical import game_to_json
from random_games import random_game

from checker_fast.reference import engine_for


def without_influence(initial: bool):
    """Two steps of a game in which no action changes what comes next."""
    game = random_game(np.random.default_rng(1), states=1, observations=1, initial_observations=initial)
    return build_process(read_game(game_to_json(game)))


@pytest.mark.parametrize("initial", [False, True])
def test_actions_that_change_nothing_leave_nothing_to_couple(initial):
    """No joint class one step further has weight in a difference: verdicts, not exceptions, in both engines."""
    process = without_influence(initial)
    betas = (Fraction(0), Fraction(1, 2))
    for engine in (engine_for(process), StdlibEngine()):
        engine.begin(process)
        for m, holds in ((200, True), (-5, False)):
            step = Step(0, 0, ((m, m),) * process.classes[0][0])
            assert engine.apply_step(engine.initial_box(), step, betas, -4)[0] is holds, engine.name


NEEDS_IT = Path(__file__).resolve().parent.parent / "certificates" / "valid" / "two_steps_coupled.json"


def test_without_the_coupled_form_its_certificate_is_refused(monkeypatch):
    """So the attacks on it (tests/make_coupled_attacks.py) are attacks on that form."""
    certificate = json.loads(NEEDS_IT.read_text())
    forms = Copies.forms
    monkeypatch.setattr(Copies, "forms", lambda self, agent, depth: [
        "separate" if form == "coupled" else form for form in forms(self, agent, depth)])
    monkeypatch.setattr(coupled.Coupled, "bound", lambda self, q, bare, slopes: 2**200)
    for engine in ("stdlib", "fast"):
        failed = check_certificate(certificate, engine).failed_step
        assert (failed["node"], failed["step"]) == (0, 2), engine
