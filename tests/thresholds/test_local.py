"""The local bonus: the form that closes boxes against the Jacobian, structural forms and flows against samples,
brackets in both engines, falsified by multistart; and shown able to fail."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from fractions import Fraction as F
from typing import Any

import numpy as np
import pytest
from legal_games import MATCH, random_legal_game
from local_oracle import PlainFlow, local_fixed_point
from multistart import distinct_policies
from random_games import random_game

import certify
from certify.certificates.threshold import cover_certificate
from certify.checker import check_certificate
from certify.errors import InputError
from certify.games import Game, as_game, builtin, check_game
from certify.games.objective import for_objective
from certify.games.tree import unroll
from certify.run import Run
from certify.stationary.approx_equations import ApproxEquations
from certify.stationary.approx_policies import approx_newton
from certify.thresholds import approx_definite, contraction
from certify.thresholds.approx_step import Step
from certify.thresholds.approx_support import Block
from certify.thresholds.cover import Effort, find_cover
from certify.thresholds.index_tables import Plan
from certify.thresholds.local_forms import CONTRACTION, PLAIN, REGULAR, flow_forms, local_forms
from certify.thresholds.localisation import localise, round_up
from certify.thresholds.structural import structural_thresholds

ENGINES = ("stdlib", "fast")


def some_game(seed: int) -> Game:
    """Random games: one to three agents, one to three steps, weights, discounts, legal sets after observations."""
    rng = np.random.default_rng(5000 + seed)
    if seed % 3 == 2:
        game = replace(random_legal_game(seed), horizon=2)
        reward = {key: F(int(rng.integers(-6, 7))) for key in game.reward}
        game = check_game(replace(game, reward=reward, weights=(F(1), F(1, 2)), discount=F(1 + seed % 2, 2)))
    else:
        agents = 1 + seed % 4 if seed % 4 < 3 else 2
        game = random_game(
            rng,
            agents=agents,
            horizon=1 + (seed // 4) % (3 if agents < 3 else 2),
            actions=2 + (seed % 2 if agents < 3 else 0),
            initial_observations=bool((seed // 9) % 2),
            discount=True,
            weights=True,
            available=bool(seed % 2),
        )
    return for_objective(game, "local")


def jacobian_form(eq: ApproxEquations, z: np.ndarray, beta: float) -> np.ndarray:
    """The symmetric part of S W (I - DG) in log-ratios, from the equations alone."""
    pi, d = eq.policy(z[:, None])[:, 0][eq.entry], eq.reach(z)
    same = eq.row[:, None] == eq.row[None]
    spread = np.diag(pi) - np.outer(pi, pi) * same
    weight = eq.scale * eq.layout.discount[eq.entry].astype(float) * d
    found = weight[:, None] * (spread @ eq.linearised(z, beta)[1])
    return (found + found.T) / 2


def mismatch(game: Game, alpha: float, cluster: bool = True) -> float:
    """How far the form of the search is from that of the equations, at a stationary policy."""
    tree = unroll(game, cluster=cluster)
    eq, plan = ApproxEquations(tree), Plan(tree)
    z = approx_newton(eq, np.zeros(eq.size), 1 / alpha)
    assert z is not None
    wanted = jacobian_form(eq, z, 1 / alpha)
    box = [[Block(p[None], p[None]) for p in row] for row in eq.nested(z)]
    form = approx_definite.Hessian(Step(plan, box, np.array([1 / alpha]))).form(own=False)
    whole = np.diag(form.diagonal[0]) - form.middle[0]
    pi = eq.policy(z[:, None])[:, 0]
    row = eq.layout.row_of_entry
    v = (np.diag(pi) - np.outer(pi, pi) * (row[:, None] == row[None]))[:, eq.entry]
    return float(np.abs(v.T @ whole @ v - wanted).max() / np.abs(wanted).max())


@pytest.mark.parametrize("seed", [0, 2, 4, 5, 8, 11])
def test_the_form_is_that_of_the_equations(seed: int) -> None:
    game = some_game(seed)
    alpha = max(2 * float(structural_thresholds(game)[0].alpha_star), 1.0)
    assert mismatch(game, alpha) < 1e-10 and mismatch(game, alpha, cluster=False) < 1e-10


def test_another_form_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = approx_definite.Hessian._advantage
    monkeypatch.setattr(
        approx_definite.Hessian, "_advantage", lambda self, i, t, part, e: honest(self, i, t, 1.0 if part else part, e)
    )
    assert mismatch(for_objective(builtin("broadcast-channel", 2), "local"), 0.8) > 1e-3


@pytest.mark.parametrize("seed", [2, 5, 11])
def test_the_equations_are_those_of_the_definition(seed: int) -> None:
    game = some_game(seed)
    alpha = float(structural_thresholds(game)[0].alpha_star)
    policy = local_fixed_point(game, alpha, rounds=25)
    eq = ApproxEquations(unroll(game))
    z = approx_newton(eq, np.zeros(eq.size), 1 / alpha)
    assert z is not None
    first = eq.nested(z)
    level = eq.tree.levels[0]
    for i, table in enumerate(row[0] for row in first):  # a class plays a legal action under all of its names
        for o, k in enumerate(eq.tree.initial_child[i]):
            own = policy.get((i, ((None, o),) if game.start[0][1] else ()))
            if own is None or k < 0:
                continue
            for a, p in own.items():
                place = game.actions_at(i, 0).index(a)
                assert abs(table[k][level.stands_for[i][k] == place].sum() - p) < 1e-8


@pytest.mark.parametrize("seed", range(0, 12, 2))
def test_structural_forms_hold_at_the_stationary_policy(seed: int) -> None:
    """Regular: the form is definite at the temperature it names."""
    game = some_game(seed)
    found = next(form for form in local_forms(game) if form.form == REGULAR)
    eq = ApproxEquations(unroll(game))
    if eq.size:
        z = approx_newton(eq, np.zeros(eq.size), 1 / float(found.alpha_star))
        assert z is None or np.linalg.eigvalsh(jacobian_form(eq, z, 1 / float(found.alpha_star))).min() > 0


def steepest(name: str, horizon: int | None, part: float, trials: int = 60) -> float:
    """The largest <u, F'u> / |u|^2 of the plain flow met in the region of the theorem, at `part` of its temperature."""
    game = for_objective(builtin(name, horizon), "local")
    alpha = part * float(flow_forms(game)["plain"].alpha_star)
    flow, rng, worst = PlainFlow(unroll(game, cluster=False), alpha), np.random.default_rng(3), -np.inf
    width = float(max(certify.thresholds.shapes.shape_of(game).widths)) / alpha
    size = len(flow.row)
    for _ in range(trials):
        theta = flow.centred(rng.exponential(size=size))
        low = np.zeros(flow.rows)
        np.minimum.at(low, flow.row, theta)
        theta = theta * (width / np.maximum(-low, 1e-9))[flow.row]  # every row touches the edge
        u = flow.centred(rng.normal(size=size) * rng.exponential(size=size) ** 3)
        worst = max(worst, flow.push(theta, u) / float(u @ u))
    return worst


@pytest.mark.parametrize(("name", "horizon"), [("climbing", None), ("two-stage-lever", None), ("recycling", 2)])
def test_the_plain_flow_contracts_in_its_region(name: str, horizon: int | None) -> None:
    assert steepest(name, horizon, 1.0) < 0


def test_and_not_everywhere() -> None:
    assert steepest("climbing", None, 0.05) > 0


def test_trajectories_of_the_plain_flow_end_in_one_policy() -> None:
    game = for_objective(builtin("two-stage-lever"), "local")
    flow, rng = PlainFlow(unroll(game, cluster=False), float(flow_forms(game)["plain"].alpha_star)), None
    rng = np.random.default_rng(0)
    ends = []
    for _ in range(3):
        theta = flow.centred(3 * rng.normal(size=len(flow.row)))
        for _ in range(1500):
            theta = theta + 0.4 / flow.alpha * flow.field(theta).real
        ends.append(theta)
    assert max(np.abs(e - ends[0]).max() for e in ends) < 1e-3


def test_flows_and_forms_are_named_and_checked() -> None:
    found = certify.threshold("climbing", objective="local", method="structural")
    assert found.status == "proved" and found.objective == "local" and found.alpha_two_maxima is None
    verdict = check_certificate(json.loads(json.dumps(found.document)))
    assert verdict.valid and "with the local bonus" in verdict.claim
    assert "the natural gradient flow converges to it" in verdict.claim and "the plain gradient flow" in verdict.claim
    two = check_certificate(certify.threshold("lever:2", objective="local", method="structural").document)
    assert "the natural gradient flow, and the plain one" in two.claim
    assert found.document is not None and set(found.document["flows"]) == {"natural", "plain"}
    assert {CONTRACTION, REGULAR} < set(found.forms) and PLAIN not in found.forms


@pytest.mark.slow
def test_a_cover_in_both_engines() -> None:
    """And the cover of one objective proves nothing about the other."""
    game = builtin("recycling", 2, F(9, 10))
    found = {}
    for objective, alpha in (("local", F(2)), ("entropy", F(3, 2))):
        played = for_objective(game, objective)
        found[objective] = json.loads(
            json.dumps(cover_certificate(played, find_cover(Plan(unroll(played)), 1 / alpha), []))
        )
    for engine in ENGINES:
        for objective, name, other in (("local", "local", "visitation"), ("entropy", "visitation", "local")):
            document = found[objective]
            assert document["objective"] == name and check_certificate(document, engine).valid
            changed = {key: part for key, part in document.items() if key != "flows"} | {"objective": other}
            assert not check_certificate(changed, engine).valid


def test_several_policies_below() -> None:
    found = certify.threshold("lever:2", objective="local")
    assert found.ratio is not None and found.ratio < 1.01 and found.alpha_two_maxima is None
    verdict = check_certificate(json.loads(json.dumps(found.document)))
    assert verdict.valid and "there are several" in verdict.claim


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "discount", "lower"),
    [("dectiger", F(1), 11.98), ("recycling", F(9, 10), 1.09), ("broadcast-channel", F(1), 0.454)],
)
def test_brackets_of_benchmarks(name: str, discount: F, lower: float) -> None:
    found = certify.threshold(builtin(name, 2, discount), objective="local", rtol="1/20")
    assert found.ratio is not None and found.ratio <= 1.05 and float(found.alpha_multiple) > lower
    assert all(check_certificate(json.loads(json.dumps(found.document)), engine).valid for engine in ENGINES)


def test_legal_sets_that_depend_on_the_history() -> None:
    """Without rewards the uniform policy is the only one, whatever is legal: no entropy flows back."""
    free = certify.threshold(as_game(MATCH | {"reward": []}), objective="local")
    assert free.status == "proved" and free.alpha_star == F(1, 10**6)
    found = certify.threshold(as_game(MATCH), objective="local", rtol="1/20")
    assert found.ratio is not None and found.ratio <= 1.05
    assert all(check_certificate(json.loads(json.dumps(found.document)), engine).valid for engine in ENGINES)


def test_what_is_not_for_the_local_bonus() -> None:
    with pytest.raises(InputError, match="modulus"):
        certify.threshold("lever:2", objective="local", modulus_at=[2])


def counterexamples(seeds: range, lowered: float = 1.0) -> list[int]:
    """Seeds at whose certified threshold times `lowered`, or above it, multistart finds two stationary policies."""
    found = []
    for seed in seeds:
        game = some_game(seed)
        plan, start = Plan(unroll(game)), structural_thresholds(game)[0].alpha_star
        covers = localise(plan, start, rtol=0.5, run=Run.lasting(10))
        alpha = float(covers[-1].alpha_star if covers else start) * lowered
        rng = np.random.default_rng(seed)
        if any(distinct_policies(plan, alpha * factor, rng, starts=3) > 1 for factor in (1.0, 1.3)):
            found.append(seed)
    return found


def test_no_second_policy_at_certified_thresholds() -> None:
    assert counterexamples(range(3)) == []


@pytest.mark.slow
@pytest.mark.parametrize("group", range(50))
def test_no_second_policy_at_certified_thresholds_many(group: int) -> None:
    assert counterexamples(range(10 * group, 10 * group + 10)) == []


def test_a_weakened_bound_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a margin that is 1/2 too good the search closes recycling robots below their critical temperature 1.1, and
    multistart finds what it lost."""
    plan = Plan(unroll(for_objective(builtin("recycling", 2, F(9, 10)), "local")))
    alpha = round_up(1.05)
    assert distinct_policies(plan, float(alpha), np.random.default_rng(0), starts=12) > 1
    honest = contraction.approx_margin
    monkeypatch.setattr(
        contraction, "approx_margin", lambda form, *more: (honest(form, *more)[0] + 0.5, honest(form, *more)[1])
    )
    assert find_cover(plan, 1 / alpha, effort=Effort(branch=True, max_nodes=2000))


ATTACKS: dict[str, Any] = {
    "objective renamed to kl": lambda d: d.update(objective="kl"),
    "objective renamed": lambda d: d.update(objective="visitation"),
    "alpha lowered": lambda d: d["claim"].update(alpha_star=str(F(d["claim"]["alpha_star"]) * F(4, 5))),
    "a modulus": lambda d: d["claim"]["strong_concavity"].append(
        {"alpha": d["claim"]["alpha_star"], "modulus": "0", "node": 0, "steps": []}
    ),
    "a flow from lower": lambda d: d["flows"]["natural"].update(alpha="1/10"),
    "a plain flow as a natural one": lambda d: d["flows"]["plain"].update(d["flows"]["natural"]),
    "a vector with a zero": lambda d: d["flows"]["plain"]["vector"][0].__setitem__(0, "0"),
    "an unknown flow": lambda d: d["flows"].update(other=d["flows"]["plain"]),
    "a rotated legal set": lambda d: d["game"].update(reference=[[0, 0, [[0, "1/3"], [1, "2/3"]]]]),
}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    found = certify.threshold("two-stage-lever", objective="local", method="localisation", rtol="1/2")
    assert found.document is not None
    return json.loads(json.dumps(found.document))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("attack", ATTACKS)
def test_attacks(document: dict[str, Any], attack: str, engine: str) -> None:
    changed = copy.deepcopy(document)
    ATTACKS[attack](changed)
    changed["game_sha256"] = certify.games.canonical.sha256_of(changed["game"])
    try:
        verdict = check_certificate(changed, engine)
    except certify.checker.Malformed:
        return
    assert not verdict.valid
