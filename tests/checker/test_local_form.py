"""The form of the local bonus in both engines: on tiny boxes decided like points, on wide ones proved only where
sampled policies have it positive; a form with another share of the logarithms, or without own pairs, is noticed."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction as F

import numpy as np
import pytest
from checker.fast.test_steps import plain_box
from engines import definite
from fast_reference import box_around, engine_for, random_policy, sample
from local_certificates import legal, uneven
from random_games import random_game

from certify.checker.fast import definite as fast_definite
from certify.checker.plain.engine import StdlibEngine
from certify.checker.reading.game import read_game
from certify.checker.reading.process import build_process
from certify.games.canonical import game_to_json
from certify.games.objective import for_objective
from certify.games.tree import unroll
from certify.thresholds.approx_definite import Hessian
from certify.thresholds.approx_step import Step
from certify.thresholds.approx_support import Block
from certify.thresholds.index_tables import Plan

BETAS = (F(1, 100), F(1, 20), F(1, 5))


def games():
    rng = np.random.default_rng(17)
    yield from (uneven(), legal())
    for horizon, agents in ((2, 2), (3, 2), (2, 1), (2, 3)):
        yield random_game(rng, agents=agents, horizon=horizon, discount=F(3, 4), weights=True)


CASES = [for_objective(game, "local") for game in games()]
FEW = CASES[:2]
SIZES = [pytest.param(FEW, id="few"), pytest.param(CASES, id="all", marks=pytest.mark.slow)]


def checked(game):
    """The checker's process of a game, as a certificate of the local bonus has it."""
    restated = json.loads(json.dumps(game_to_json(game)))
    return build_process(replace(read_game(restated), flows_back=False))


def smallest(plan: Plan, policy, beta: F) -> float:
    """The least eigenvalue on tangent directions of the form at a policy, by the search's floats, whose formula
    tests/thresholds/test_local.py compares with the Jacobian."""
    agents, horizon = plan.agents, plan.horizon
    box = [[Block(policy[t][i][None], policy[t][i][None]) for t in range(horizon)] for i in range(agents)]
    form = Hessian(Step(plan, box, np.array([float(beta)]))).form(own=False)
    whole = np.diag(form.diagonal[0]) - form.middle[0]
    rows = (form.block[:, None] == np.arange(form.block[-1] + 1)).astype(float)
    rows = rows / np.linalg.norm(rows, axis=0)
    basis = np.linalg.svd(np.eye(len(whole)) - rows @ rows.T)[0][:, : len(whole) - rows.shape[1]]
    return float(np.linalg.eigvalsh(basis.T @ whole @ basis)[0])


def limit(plan: Plan, policy) -> F:
    """The beta, below 100, at which the form begins to be indefinite, nearly."""
    low, high = F(1, 1000), F(1, 1000)
    while smallest(plan, policy, high) > 0 and high < 100:
        low, high = high, 2 * high
    for _ in range(12):
        middle = (low + high) / 2
        low, high = (middle, high) if smallest(plan, policy, middle) > 0 else (low, middle)
    return high


def interior(rng, process, radius):
    policy = [[0.7 * pi + 0.3 / pi.shape[1] for pi in depth] for depth in random_policy(rng, process, 0.3)]
    return policy, box_around(policy, radius)


def disagreements(cases, engines=("fast", "stdlib")) -> tuple[int, set[bool]]:
    """On boxes of radius 1e-9: how often a verdict is not the sign of the least eigenvalue, and the verdicts."""
    rng, wrong, verdicts = np.random.default_rng(5), 0, set()
    for game in cases:
        process, plan = checked(game), Plan(unroll(game))
        _, box = interior(rng, process, 1e-9)
        centre = [[block.centre for block in depth] for depth in box]
        critical = limit(plan, centre)
        for factor in (F(1, 2), F(97, 100), F(103, 100), F(2)):
            beta = round(critical * factor, 6)
            least = smallest(plan, centre, beta)
            if abs(least) < 1e-7:
                continue
            for name in engines:
                engine, where = engine_for(process), box
                if name == "stdlib":
                    engine = StdlibEngine()
                    engine.begin(process)
                    where = plain_box(engine, process, box)
                found = definite(engine, where, (beta,))[0]
                wrong += found is not bool(least > 0)
                verdicts.add(found)
    return wrong, verdicts


@pytest.mark.parametrize("cases", SIZES)
def test_tiny_boxes_are_decided_like_points(cases) -> None:
    assert disagreements(cases) == (0, {True, False})


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_another_share_of_the_logarithms_is_noticed(monkeypatch: pytest.MonkeyPatch, share: float) -> None:
    honest = fast_definite.Interval.scaled
    monkeypatch.setattr(
        fast_definite.Interval, "scaled", lambda self, factor: honest(self, share if factor == 0.5 else factor)
    )
    assert disagreements(FEW, ("fast",))[0] > 0


@pytest.mark.parametrize("cases", SIZES)
def test_proved_forms_are_positive_at_sampled_policies(cases) -> None:
    rng, proved = np.random.default_rng(9), 0
    for game in cases:
        process, plan = checked(game), Plan(unroll(game))
        for radius in (0.01, 0.05):
            _, box = interior(rng, process, radius)
            for beta in BETAS:
                if definite(engine_for(process), box, (beta,))[0]:
                    proved += 1
                    assert all(smallest(plan, sample(rng, box), beta) > -1e-9 for _ in range(4))
    assert proved > 2 * len(cases)
