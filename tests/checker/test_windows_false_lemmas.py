"""What would be accepted if a lemma of docs/theory/windows.md were replaced by a false version of it.

Every false version is an engine that follows it.  It accepts a certificate that both true engines refuse, and
somewhere a stationary policy, or an expectation that can be computed, shows that what it accepts is false.
"""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from legal_games import with_legal_sets
from random_games import random_game
from windows_certificates import equal_or_not, mixed_forms, revealing, two_observations, unreachable_nodes
from windows_oracle import Oracle

from certify import checker
from certify.checker.fast.windows import FastWindows
from certify.checker.kinds import windows as kind
from certify.checker.reading.envelope import Failed
from certify.checker.reading.game import game_of
from certify.checker.reading.windows import WindowProcess, read_symbols
from certify.games.builtin import builtin
from certify.games.canonical import sha256_of
from certify.games.export import game_to_json
from certify.games.model import Game
from certify.games.objective import for_objective
from certify.games.reachability import restrict_to_reachable
from certify.thresholds.structural import structural_thresholds
from certify.thresholds.windows.approx_sweeps import Contradiction, Localised
from certify.thresholds.windows.beliefs import Beliefs
from certify.thresholds.windows.tables import Tables

FOLDER = Path(__file__).resolve().parent.parent / "certificates" / "windows" / "invalid"


def load(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return document


def hashed(game: Game) -> dict[str, Any]:
    """A game as certificates carry it."""
    data = game_to_json(game)
    return {"game": data, "game_sha256": sha256_of(data)}


def last_interval(document: dict[str, Any], engine_class: type) -> tuple[Any, tuple[Fraction, Fraction], list[Any]]:
    """An engine, the ends of the last interval and its steps."""
    game, proof = game_of(document), document["proof"]
    process = WindowProcess(game, proof["k"], read_symbols(proof["symbols"], game, proof["k"]))
    low, high, steps, _ = kind._read_interval(proof["intervals"][-1], "", process, proof["unit"])
    return engine_class(process, proof["unit"]), (low, high), steps


def first_step(engine_class: type, document: dict[str, Any], mimic: bool | None = None) -> bool:
    """Whether an engine accepts the first step of the last interval, in one form throughout if given."""
    engine, beta, steps = last_interval(document, engine_class)
    i, depth, bounds, forms = steps[0]
    engine.begin(*beta)
    try:
        engine.step(i, depth, bounds, forms if mimic is None else [[mimic] * len(row) for row in forms])
    except Failed:
        return False
    return True


def left_out(document: dict[str, Any], engine_class: type, game: Game) -> float:
    """How far a stationary policy at the last interval's upper end lies outside the boxes of the first step that all
    the steps of the interval leave, as an engine accepts them."""
    engine, ends, steps = last_interval(document, engine_class)
    engine.begin(*ends)
    for step in steps:
        engine.step(*step)
    oracle, worst = Oracle(game), 0.0
    policies = oracle.stationary(float(ends[1]), np.random.default_rng(0), starts=3)
    for i, policy in itertools.product(range(oracle.n), policies):
        (x,), box = oracle.own[i][0], engine.boxes[1][i]
        worst = max(worst, float((box.low[0] - policy[i, x]).max()), float((policy[i, x] - box.high[0]).max()))
    return worst


def log_ratio(game: Game, beta: float, agent: int, pair: tuple[int, int], number: int = 0) -> float:
    """log pi(a) - log pi(b) at the agent's first history number `number`, in a stationary policy."""
    oracle = Oracle(game)
    (policy, *_) = oracle.stationary(beta, np.random.default_rng(0), starts=1)
    row = policy[agent, oracle.own[agent][0][number]]
    return float(np.log(row[pair[0]] / row[pair[1]]))


def claimed(document: dict[str, Any], pair: int) -> float:
    """The bound of the last interval's first step for its first window."""
    step = document["proof"]["intervals"][-1]["steps"][0]
    return float(step["log_ratio"][0][pair] * 2.0 ** document["proof"]["unit"])


class NodeByNode(FastWindows):
    """The smaller form at each node."""

    def _direct(self, u: int, i: int) -> np.ndarray:
        return np.minimum(super()._direct(u, i), super()._mimic(u, i))

    def _mimic(self, u: int, i: int) -> np.ndarray:
        return self._direct(u, i)


class ZeroBeyond(FastWindows):
    """Values 0 at nodes that play itself does not reach."""

    def _values(self, u: int) -> tuple[np.ndarray, np.ndarray]:
        reached = np.arange(len(self.process.levels[u].nodes)) < self.process.levels[u].reachable
        high, low = (np.where(reached, x, 0.0) for x in super()._values(u))
        return high, low


class AddedUp(FastWindows):
    """Differences of chances that lead to one node are added up."""

    def __init__(self, process: WindowProcess, unit: int) -> None:
        super().__init__(process, unit)
        exact = process.mimic

        def merged(u: int, i: int) -> Any:
            def total(row: Any) -> Any:
                found: dict[int, Fraction] = {}
                for to, d in row:
                    found[to] = found.get(to, Fraction(0)) + d
                return list(found.items())

            return [[[total(row) for row in node] for node in pair] for pair in exact(u, i)]

        self.process.mimic = merged  # type: ignore[method-assign]


@pytest.mark.parametrize("name", ["form_chosen_at_each_end_direct", "form_chosen_at_each_end_mimic"])
def test_the_smaller_form_at_each_end(name: str) -> None:
    """What the smaller of X2 and X3 at each end would give is below a stationary policy; no form proves it."""
    document = load(name)
    assert not any(first_step(FastWindows, document, mimic) for mimic in (False, True))
    assert log_ratio(mixed_forms(), 0.41, 0, (0, 1)) > 0.02 > claimed(document, 0)


def test_values_of_nodes_that_only_comparisons_reach() -> None:
    document = load("unreachable_nodes_left_out")
    assert first_step(ZeroBeyond, document) and not first_step(FastWindows, document)
    assert log_ratio(unreachable_nodes(), 1.0, 0, (0, 1)) > 4.99 > claimed(document, 0)


def test_differences_of_one_node_added_up() -> None:
    assert left_out(load("differences_of_one_node_added_up"), AddedUp, two_observations()) > 1e-6


def test_initial_observations_ignored() -> None:
    """The false rule takes the mean over all initial observations: that of the game without them."""
    document, game = load("initial_observation_ignored"), revealing()
    blind = replace(game, start=tuple((s, (), p) for s, _, p in game.start))
    false = document | hashed(blind)
    step = document["proof"]["intervals"][-1]["steps"][0]
    one = {**step, "log_ratio": step["log_ratio"][:1], "mimic": step["mimic"][:1]}
    false["proof"] = {**document["proof"], "intervals": [{"beta": ["0", "1"], "steps": [one], "constants": []}]}
    process = WindowProcess(game_of(false), 0, read_symbols(document["proof"]["symbols"], game_of(false), 0))
    engine = FastWindows(process, document["proof"]["unit"])
    engine.begin(Fraction(0), Fraction(1))
    engine.step(0, 0, one["log_ratio"], one["mimic"])  # accepted
    assert not first_step(FastWindows, document)
    assert log_ratio(game, 1.0, 0, (0, 1)) > 0.99 > claimed(document, 0)


def test_the_smaller_form_at_each_node() -> None:
    assert left_out(load("smaller_form_at_each_node"), NodeByNode, builtin("dectiger", horizon=2)) > 1e-6


@pytest.mark.parametrize("name", ["differences_of_one_node_added_up", "smaller_form_at_each_node"])
def test_true_engines_refuse_them_at_a_bound(name: str) -> None:
    found = checker.check_certificate(load(name), engine="fast").failed_step
    assert found is not None and found["why"] == "a bound on a log-ratio is not proved"


def test_blocks_conditioned_at_their_own_times() -> None:
    """Agent 1 plays two bits; agent 0's window tells whether they are equal.  With kappa = 1 if so, 0 else, and bits
    at random, E[(G_0 + G_1)^2 kappa] = 2 (G = 1, -1).  Given the first bit E[kappa] is 1/2, given both it is at most
    1: blocks conditioned at their own times would be allowed 1 + 1/2.  Rule W5 allows 1 for each."""
    game = game_of(hashed(equal_or_not()))
    engine = FastWindows(WindowProcess(game, 1, [[[0, 1]], [[0], [1]]]), -24)
    engine.begin(Fraction(0), Fraction(1))
    level = engine.process.levels[3]
    kappa = np.array([float(w[-1] == 0) for w in level.windows[0][: level.used[0]]])
    bits = [(x, y) for x in (1, -1) for y in (1, -1)]
    exact = sum((x + y) ** 2 * (x == y) for x, y in bits) / 4
    at_own_times = [sum(x == y for first, y in bits if first == x) / 2 for x in (1, -1)]
    assert exact == 2 > 1 + max(at_own_times)
    allowed = engine._chain(3, 0, kappa, 1)
    assert exact <= 2 * allowed <= 2 + 1e-9


def test_mimicking_under_the_local_bonus() -> None:
    """Nobody is optimal there: to play on as if one had done something else proves that no stationary policy exists,
    though floats find one, and without it the boxes hold it."""
    game = for_objective(random_game(np.random.default_rng(0), horizon=2), "local")
    beta, oracle = 1 / float(structural_thresholds(game)[0].alpha_star), Oracle(game)
    tables = Tables(game, 1)
    found = Localised.whole(tables, Beliefs(tables), np.array([beta]))
    for _ in range(8):
        found.sweep()
    policies = oracle.stationary(beta, np.random.default_rng(0), starts=2)
    assert policies and max(oracle.outside(policy, found) for policy in policies) < 1e-6
    tables.flows_back = True  # values still without entropies
    found = Localised.whole(tables, Beliefs(tables), np.array([beta]))
    with pytest.raises(Contradiction):
        for _ in range(8):
            found.sweep()


def test_what_a_reference_pays_left_out() -> None:
    """Without the logarithms of the reference in U and X2 boxes miss the stationary policy."""
    game = restrict_to_reachable(for_objective(with_legal_sets(random_game(np.random.default_rng(4)), 8), "kl"))
    beta, oracle, tables = 1.0, Oracle(game), Tables(game, 1)
    policies = oracle.stationary(beta, np.random.default_rng(0), starts=2)
    found = Localised.whole(tables, Beliefs(tables), np.array([beta]))
    for _ in range(8):
        found.sweep()
    assert policies and max(oracle.outside(policy, found) for policy in policies) < 1e-6
    worst = 0.0
    for level in tables.levels:
        level.tilt = np.zeros_like(level.tilt)
    found = Localised.whole(tables, Beliefs(tables), np.array([beta]))
    try:
        for _ in range(8):
            found.sweep()
        worst = max(oracle.outside(policy, found) for policy in policies)
    except Contradiction:
        worst = np.inf
    assert worst > 1e-3
