"""Thresholds by windows: floats try to refute them, by a second policy, by a policy outside its box, by a Hessian
that is not definite; and the checker confirms what the search proposes."""

from __future__ import annotations

import json
from fractions import Fraction

import numpy as np
import pytest
from legal_games import with_legal_sets
from multistart import distinct_policies
from random_games import random_game
from windows_oracle import Oracle

from certify.certificates.threshold import windows_certificate
from certify.checker import check_certificate
from certify.checker.reading import windows as reading
from certify.errors import InputError
from certify.games import builtin
from certify.games.model import Game
from certify.games.objective import for_objective
from certify.games.reachability import restrict_to_reachable
from certify.games.tree import unroll
from certify.run import OutOfTime, Run
from certify.thresholds.index_tables import Plan
from certify.thresholds.structural import structural_thresholds
from certify.thresholds.windows import approx_localise, approx_values
from certify.thresholds.windows.approx_finish import Finisher
from certify.thresholds.windows.approx_sweeps import Localised
from certify.thresholds.windows.approx_values import node_values, soft_maximum
from certify.thresholds.windows.beliefs import Beliefs
from certify.thresholds.windows.search import Search, windows_thresholds
from certify.thresholds.windows.symbols import lossless_symbols
from certify.thresholds.windows.tables import Tables

KINDS = (
    {"horizon": 2},
    {"horizon": 3, "observations": 1},
    {"horizon": 2, "initial_observations": True},
    {"horizon": 2, "agents": 3, "observations": 1},
    {"horizon": 2, "agents": 3, "observations": (2, 1, 1), "weights": True},
    {"horizon": 3, "actions": 3, "observations": 1, "available": True},
    {"horizon": 2, "actions": (3, 2), "discount": True, "weights": True},
)

OBJECTIVES = ("entropy", "kl", "local")
# every kind of game once with the entropy, some with the others; all and once more in `make test-all`
QUICK = {"kl": (0, 2), "local": (0, 3)}  # seeds
CASES = [
    pytest.param(seed, objective, marks=[pytest.mark.slow] * (seed not in QUICK.get(objective, range(len(KINDS)))))
    for objective in OBJECTIVES
    for seed in range(2 * len(KINDS))
]


def game_of(seed: int, objective: str = "entropy") -> tuple[Game, np.random.Generator]:
    """Legal sets wherever the objective knows them and no action sets are drawn."""
    rng = np.random.default_rng(2_000 + seed)
    game = random_game(rng, **KINDS[seed % len(KINDS)])
    if objective != "entropy" and game.available is None:
        game = with_legal_sets(game, seed + 5)
    return restrict_to_reachable(for_objective(game, objective)), rng


@pytest.mark.parametrize(("seed", "objective"), CASES)
def test_thresholds_are_confirmed_and_withstand_multistart(seed: int, objective: str) -> None:
    game, rng = game_of(seed, objective)
    start = 2 * structural_thresholds(game)[0].alpha_star
    if objective != "entropy":  # with legal sets some games have agents that do not meet, and any temperature will do
        start = max(start, Fraction(30))
    found = list(windows_thresholds(game, start, rtol=0.3, largest_k=1))
    assert found
    document = windows_certificate(game, found[-1])
    verdict = check_certificate(document, engine="fast")
    assert verdict.valid, verdict.failed_step
    plan = Plan(unroll(game))
    for factor in (1.0, 1.5):
        assert distinct_policies(plan, factor * float(found[-1].alpha_star), rng, starts=3) <= 1


@pytest.mark.parametrize(("seed", "objective"), CASES)
@pytest.mark.parametrize("k", [pytest.param(0, marks=pytest.mark.slow), 1])
def test_every_stationary_policy_lies_in_its_box_and_has_a_definite_hessian_where_it_is_claimed(
    seed: int, k: int, objective: str
) -> None:
    """At temperatures with and without several stationary policies, against a second implementation."""
    game, rng = game_of(seed, objective)
    tables = Tables(game, min(k, game.horizon - 1))
    oracle = Oracle(game)
    start = float(structural_thresholds(game)[0].alpha_star)
    for part in (0.03, 0.3):
        beta = 1 / (part * start)
        found = Localised.whole(tables, Beliefs(tables), np.array([beta]))
        for _ in range(8):
            found.sweep()
        finisher = Finisher(found)
        holds = finisher.holds()
        policies = oracle.stationary(beta, rng, starts=3)
        assert not holds or len(policies) <= 1
        for policy in policies:
            assert oracle.outside(policy, found) < 1e-5
            if holds:
                assert oracle.largest_eigenvalue(policy, beta) < 1
                oracle.check_constants(policy, beta, finisher)


def test_the_comparison_can_fail() -> None:
    """Boxes that are a little too small are noticed."""
    game, rng = game_of(0)
    tables, oracle = Tables(game, 1), Oracle(game)
    beta = 30 / float(structural_thresholds(game)[0].alpha_star)
    found = Localised.whole(tables, Beliefs(tables), np.array([beta]))
    for _ in range(12):
        found.sweep()
    (policy, *_) = oracle.stationary(beta, rng, starts=1)
    for row in found.boxes:
        for box in row:
            box.high[:] = box.high - 0.6 * (box.high - box.low)
    assert oracle.outside(policy, found) > 1e-5


def test_figures_of_recycling() -> None:
    """h = 2: at most 1.13 (docs/windows.md), with both engines."""
    (found, *_) = sorted(
        windows_thresholds(builtin("recycling", horizon=2), Fraction(9)), key=lambda found: found.alpha_star
    )
    assert float(found.alpha_star) <= 1.13


def test_symbols_of_dectiger() -> None:
    symbols = lossless_symbols(builtin("dectiger", horizon=3))
    assert [len({x for row in agent for x in row}) for agent in symbols] == [3, 3]


def test_a_search_ends_with_its_run() -> None:
    with pytest.raises(OutOfTime):
        list(windows_thresholds(builtin("dectiger", horizon=4), Fraction(549), run=Run.lasting(0)))


def test_a_search_that_the_clock_ends_keeps_what_it_has_covered() -> None:
    told, found = [], []

    def progress(text: str) -> None:
        told.append(text)
        if len(told) == 3:
            raise OutOfTime("over")

    game = builtin("dectiger", horizon=2)
    with pytest.raises(OutOfTime):
        for windows in windows_thresholds(game, Fraction(167), run=Run(progress=progress)):
            found.append(windows)
    assert len(found) == 1 and len(found[0].intervals) == 3
    assert check_certificate(windows_certificate(game, found[0]), engine="fast").valid


def test_a_limited_search_begins_with_short_windows_and_goes_on_with_long_ones() -> None:
    found = list(windows_thresholds(builtin("recycling", horizon=2), Fraction(9), rtol=0.2, run=Run.lasting(600)))
    assert [windows.k for windows in found] == sorted(windows.k for windows in found)
    assert found[-1].k == 1 and float(found[-1].alpha_star) < 1.5


def test_too_many_actions_are_one_line() -> None:
    with pytest.raises(InputError, match="13 actions"):
        list(windows_thresholds(builtin("lever:13"), Fraction(1)))


@pytest.mark.parametrize(
    ("seed", "objective"), [(0, "kl"), pytest.param(4, "entropy", marks=pytest.mark.slow), (0, "local")]
)
def test_many_actions_are_filled_up_agent_by_agent(seed: int, objective: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same games as if their actions were too many for vertices: values are no sharper, boxes hold what they must,
    and the checker agrees."""
    game, rng = game_of(seed, objective)
    tables, oracle = Tables(game, 1), Oracle(game)
    beta = 3 / float(structural_thresholds(game)[0].alpha_star)

    def localised() -> Localised:
        found = Localised.whole(tables, Beliefs(tables), np.array([beta]))
        for _ in range(4):
            found.sweep()
        return found

    exact = localised()
    monkeypatch.setattr(approx_values, "MOST_VERTICES", 1)
    monkeypatch.setattr(approx_localise, "MOST_VERTICES", 1)
    for u in range(1, game.horizon + 1):
        ends = exact.now(u)
        rows = tables.levels[u], exact.boxes[u], tables.pays
        nested = approx_values.node_values(*rows, *ends)
        monkeypatch.setattr(approx_values, "MOST_VERTICES", 6)
        vertices = approx_values.node_values(*rows, *ends)
        monkeypatch.setattr(approx_values, "MOST_VERTICES", 1)
        assert (nested[0] >= vertices[0] - 1e-9).all() and (nested[1] <= vertices[1] + 1e-9).all()
    found = localised()
    for policy in oracle.stationary(beta, rng, starts=2):
        assert oracle.outside(policy, found) < 1e-5
    monkeypatch.setattr(reading, "MAX_VERTEX_ACTIONS", 1)
    (threshold, *_) = list(windows_thresholds(game, Fraction(30), rtol=0.5, largest_k=1))
    for engine in ("fast", "stdlib"):
        verdict = check_certificate(windows_certificate(game, threshold), engine=engine)
        assert verdict.valid, verdict.failed_step


@pytest.mark.parametrize("alpha", [400.0])
def test_long_horizons_against_policies_of_windows(alpha: float) -> None:
    """A horizon whose histories nobody enumerates: policies of windows are a subset, so a second one would refute."""
    search = Search(builtin("dectiger", horizon=12), 1)
    assert search.single(alpha)
    assert Oracle.window_policies(search.tables, 1 / alpha, np.random.default_rng(0)) == 1


@pytest.mark.parametrize("name", ["dectiger", "action sets"])
def test_kl_with_fixed_sets_is_the_entropy(name: str) -> None:
    """Byte for byte, but for what the objective is called."""
    game = builtin("dectiger", horizon=2) if name == "dectiger" else game_of(5)[0]
    texts = []
    for objective in ("entropy", "kl"):
        search = Search(for_objective(game, objective), 1)
        start = float(structural_thresholds(game)[0].alpha_star)
        search.climb(start, 0.1, start)
        found = search.result()
        assert found is not None
        document = windows_certificate(for_objective(game, objective), found)
        assert document.pop("objective") == ("visitation" if objective == "entropy" else "kl")
        texts.append(json.dumps(document))
    assert texts[0] == texts[1]


def test_values_lie_below_their_soft_maximum_and_the_largest_weight_is_needed() -> None:
    """Rule W2 against random policies inside boxes; with the least weight in place of the largest it is false."""
    rng = np.random.default_rng(5)
    game = random_game(rng, horizon=1, agents=2, actions=(3, 2), weights=True)
    tables = Tables(game, 0)
    level = tables.levels[1]
    found = Localised.whole(tables, Beliefs(tables), np.array([0.1]))
    high, low = found.now(1)
    top, _ = node_values(level, found.boxes[1], tables.pays, high, low)
    values = []
    for _ in range(2_000):
        first, second = rng.dirichlet(np.full(3, 5.0)), rng.dirichlet(np.full(2, 5.0))
        entropy = -sum(w * (p * np.log(p)).sum() for w, p in zip(tables.weights, (first, second), strict=True))
        values.append(high[0] @ np.outer(first, second).ravel() + entropy)
    assert (np.max(values, 0) <= top[0] + 1e-12).all()
    wrong = soft_maximum(high, np.ones((1, 6)), min(tables.weights))
    assert (np.max(values, 0) > wrong[0]).any()
