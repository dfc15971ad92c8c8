"""The coupled form where there is nothing to couple, against policies of extreme boxes, and in certificates."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from engines import apply_step
from fast_reference import bounds, climbed, engine_for, gaps, random_policy, sample
from random_games import random_game

from certify.checker import check_certificate
from certify.checker.cover.tree import Step
from certify.checker.fast import copies as fast_copies
from certify.checker.fast import coupled as fast_coupled
from certify.checker.fast.box import GRID, BlockBox
from certify.checker.fast.copies import Copies
from certify.checker.fast.numbers import Ball
from certify.checker.fast.step import ordered_pairs
from certify.checker.plain import coupled
from certify.checker.plain.engine import StdlibEngine
from certify.checker.reading.game import read_game
from certify.checker.reading.process import build_process
from certify.games.canonical import game_to_json


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
            assert apply_step(engine, engine.initial_box(), step, betas, -4)[0] is holds, engine.name


NEEDS_IT = Path(__file__).resolve().parents[2] / "certificates" / "valid" / "two_steps_coupled.json"


def test_without_the_coupled_form_its_certificate_is_refused(monkeypatch):
    """So the attacks on it (tests/make_coupled_attacks.py) are attacks on that form."""
    certificate = json.loads(NEEDS_IT.read_text())
    forms = Copies.forms
    monkeypatch.setattr(
        Copies,
        "forms",
        lambda self, agent, depth: ["separate" if form == "coupled" else form for form in forms(self, agent, depth)],
    )
    monkeypatch.setattr(coupled.Coupled, "bound", lambda self, q, slopes: 2**200)
    for engine in ("stdlib", "fast"):
        failed = check_certificate(certificate, engine).failed_step
        assert (failed["node"], failed["step"]) == (0, 2), engine


def two_agents(rng: np.random.Generator, horizon: int):
    """A process in which the coupled form has something to do."""
    while True:
        process = build_process(
            read_game(
                game_to_json(
                    random_game(
                        rng,
                        horizon=horizon,
                        actions=[int(m) for m in rng.integers(2, 6 - horizon, 2)],
                        observations=[int(m) for m in rng.integers(1, 3, 2)],
                        states=2,
                        initial_observations=bool(rng.random() < 0.3),
                        discount=bool(rng.random() < 0.5),
                        weights=bool(rng.random() < 0.5),
                    )
                )
            )
        )
        if max(map(len, process.joint)) * max(map(len, process.joint_actions)) <= 200:
            return process


def extreme_box(rng: np.random.Generator, process):
    """Blocks around a vertex or a random policy, each tiny, wide, whole or a single point, some cut off at it."""
    found = []
    for depth in random_policy(rng, process, float(rng.choice([0.1, 1.0, 5.0]))):
        row = []
        for pi in depth:
            K, A = pi.shape
            near = np.where(rng.random((K, 1)) < 0.4, 0.999 * np.eye(A)[rng.integers(A, size=K)] + 0.001 / A, pi)
            radius = rng.choice([1e-12, 1e-4, 0.1, 0.5, 1.0], size=(K, 1))
            low = np.maximum(np.floor((near - radius) * GRID) / GRID, 0.0)
            high = np.minimum(np.ceil((near + radius) * GRID) / GRID, 1.0)
            low = np.where(rng.random((K, 1)) < 0.2, np.floor(near * GRID / 2) / GRID, low)  # half of it at least
            point = np.full((K, A), np.floor(GRID / A) / GRID)
            point[:, 0] += 1 - point.sum(1)
            pinned = rng.random((K, 1)) < 0.2
            row.append(BlockBox(np.where(pinned, point, low), np.where(pinned, point, high)))
        found.append(tuple(row))
    return tuple(found)


def overruns(seed: int, horizon: int, games: int, enough: int = 10**9, form: str = "coupled") -> tuple[int, float]:
    """How many differences of Q exceed the least bound by the coupled form, or that with replies, and the smallest
    distance to one."""
    rng = np.random.default_rng(seed)
    found, nearest = 0, np.inf
    for _ in range(games):
        process = two_agents(rng, horizon)
        box, beta = extreme_box(rng, process), Fraction(int(rng.choice([0, 1, 30, 100, 1000, 10**5])), 100)
        engine, agent, t = engine_for(process), int(rng.integers(2)), int(rng.integers(horizon - 1))
        width = 200.0 * (1 + float(beta))
        high = np.full((process.classes[t][agent], process.actions[t][agent] * (process.actions[t][agent] - 1)), width)
        low = -high
        for _ in range(40):
            middle = (low + high) / 2
            holds = (bounds(engine, box, agent, t, (beta,), middle, form) <= 0).all(2)
            low, high = np.where(holds, low, middle), np.where(holds, middle, high)
        a, b = ordered_pairs(process.actions[t][agent])
        rooms = []
        for _ in range(4):
            gap = gaps(process, sample(rng, box), box, agent, t, float(beta), (form,))
            rooms.append(float(np.nanmin(high - gap[:, a, b], initial=np.inf)))
        for _ in range(2):
            k, pair = (int(rng.integers(n)) for n in high.shape)
            best = climbed(rng, process, box, agent, t, k, a[pair], b[pair], float(beta), way=(form,))
            rooms.append(high[k, pair] - best)
        found += sum(room < -1e-9 * (1 + float(beta)) for room in rooms)
        nearest = min(nearest, *rooms)
        if found >= enough:
            break
    return found, nearest


@pytest.mark.parametrize("form", ["coupled", "replies"])
@pytest.mark.parametrize("horizon, games", [(2, 12), (3, 4)])
def test_no_policy_of_an_extreme_box_exceeds_the_bound(horizon, games, form):
    found, nearest = overruns(5, horizon, games, form=form)
    assert found == 0
    assert nearest < 1e-4


BROKEN = {
    "what the other's policy adds by itself forgotten": (2, "_linear", lambda true: lambda *a: 0 * true(*a)),
    "a sign of D forgotten": (2, "_reached", lambda true: lambda *a: (lambda r: r._replace(d=np.abs(r.d)))(true(*a))),
    "what is left of V forgotten": (3, "_left", lambda true: lambda *a: 0 * true(*a)),
}


@pytest.mark.parametrize("name", BROKEN)
def test_the_same_policies_exceed_a_broken_bound(monkeypatch, name):
    horizon, attribute, broken = BROKEN[name]
    monkeypatch.setattr(fast_coupled, attribute, broken(getattr(fast_coupled, attribute)))
    assert overruns(5, horizon, 60, enough=1)[0] > 0


def without_own(model, after):
    """A model with the slopes 0 that another one lacks."""
    return model._replace(
        slopes={key: s if key in after.slopes else Ball(0 * s.mid, s.rad) for key, s in model.slopes.items()}
    )


BROKEN_REPLIES = {
    "own policies after a forgotten": (
        2,
        "reply_differences",
        lambda true: lambda *a: true(*a[:3], without_own(*a[3:]), a[4]),
    ),
    "others' policies after b forgotten": (
        2,
        "reply_differences",
        lambda true: lambda *a: true(*a[:4], a[4]._replace(slopes={})),
    ),
    "centres of the other agent": (
        2,
        "value_model",
        lambda true: lambda *a: true(*a[:4], *(None if agent is None else 1 - agent for agent in a[4:])),
    ),
}


@pytest.mark.parametrize("name", BROKEN_REPLIES)
def test_the_same_policies_exceed_a_broken_bound_with_replies(monkeypatch, name):
    horizon, attribute, broken = BROKEN_REPLIES[name]
    monkeypatch.setattr(fast_copies, attribute, broken(getattr(fast_copies, attribute)))
    assert overruns(5, horizon, 60, enough=1, form="replies")[0] > 0
