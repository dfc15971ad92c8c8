"""Windows for every horizon at once, against all stationary policies of single horizons, and what false rules take."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from endless_certificates import alternating, by_windows, window_games
from multistart import distinct_policies
from observed_games import Markov, observed_game

from certify import checker
from certify.checker.fast.endless import FastEndless
from certify.checker.kinds.endless_windows import _read_interval
from certify.checker.reading.endless import BLANK, EndlessProcess
from certify.checker.reading.envelope import Failed
from certify.checker.reading.game import game_of
from certify.checker.reading.windows import read_symbols
from certify.checker.verdict import Unable
from certify.games.builtin import builtin
from certify.games.canonical import game_to_json, sha256_of
from certify.games.model import Game
from certify.games.tree import unroll
from certify.thresholds.index_tables import Plan
from certify.thresholds.windows.search import Search

FOLDER = Path(__file__).resolve().parent.parent / "certificates" / "endless"
ROOM = 1e-9


def hashed(game: Game) -> dict[str, Any]:
    """A game as certificates carry it."""
    data = game_to_json(game)
    return {"game": data, "game_sha256": sha256_of(data)}


def load(name: str, kind: str = "valid") -> dict[str, Any]:
    document: dict[str, Any] = json.loads((FOLDER / kind / f"{name}.json").read_text(encoding="utf-8"))
    return document


def replayed(document: dict[str, Any], engine_class: type = FastEndless, n: int = -1) -> tuple[Any, list[Fraction]]:
    """An engine after an interval, as it accepts it, and the interval's ends."""
    proof, game = document["proof"], game_of(document)
    symbols = read_symbols(proof["symbols"], game, proof["k"])
    process = EndlessProcess(game, proof["k"], symbols, proof["last"], proof["before"])
    low, high, steps, claim, constants, price = _read_interval(proof["intervals"][n], "", process, proof["unit"])
    engine = engine_class(process, proof["unit"])
    engine.begin(low, high)
    engine.suppose(claim)
    for step in steps:
        engine.step(*step)
    engine.close()
    engine.verify(constants, price)
    return engine, [low, high]


def outside(engine: Any, policy: list, horizon: int) -> float:
    """How far a policy of (step, state) leaves the boxes; the last symbol of a window shows the state."""
    worst, process = -1.0, engine.process
    level = process.levels[1]
    for t, rows in enumerate(policy):
        u = max(process.game.horizon - (horizon - t) + 1, process.common)
        for s, windows in level.nodes[: level.reachable]:
            for i, window in enumerate(windows):
                if not window or (window[-1] == BLANK) == (t == 0):
                    box, w = engine.boxes[u][i], level.place[i][window]
                    row = rows[i][s]
                    worst = max(worst, float((box.low[w] - row).max()), float((row - box.high[w]).max()))
    return worst


@pytest.mark.parametrize("k", [0, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.slow), pytest.param(3, marks=pytest.mark.slow)])
def test_every_stationary_policy_of_every_horizon_lies_in_the_boxes(seed: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    game = observed_game(rng, horizon=1, discount=Fraction(1, 2), bound=2)
    document = by_windows(game, k)
    assert checker.check_certificate(document).valid
    engine, ends = replayed(document)
    for horizon in (1, 2, 4, 7, 12):
        markov = Markov(replace(game, horizon=horizon))
        for beta in (float(ends[0]), float(sum(ends) / 2), float(ends[1])):
            policies = markov.stationary(beta, rng, starts=4)
            assert len(policies) == 1
            assert outside(engine, policies[0], horizon) <= ROOM


@pytest.mark.parametrize(("name", "game", "k"), list(window_games()), ids=lambda x: x if isinstance(x, str) else "")
def test_single_horizons_show_one_policy_and_smaller_thresholds(name: str, game: Game, k: int) -> None:
    """At alpha_star multistart finds one policy where trees are small, and windows of one horizon prove it."""
    alpha = float(Fraction(load(name)["claim"]["alpha_star"]))
    rng = np.random.default_rng(0)
    for horizon in (1, 2, 3):
        one = replace(game, horizon=horizon)
        if horizon < 3 or len(game.agents) == 2:
            assert distinct_policies(Plan(unroll(one)), alpha, rng, starts=2) <= 1
    assert Search(replace(game, horizon=4), min(k, 1)).single(alpha * 1.01)


class Unproved(FastEndless):
    """What is supposed need not follow."""

    def close(self) -> None:
        self.claim = list(self.boxes[self.process.common])
        super().close()


def test_what_is_supposed_must_follow() -> None:
    """Suppose that everybody plays at random later on: all steps are verified, and what follows for a step
    before is not that."""
    document = load("windows_supposed_without_proof", "invalid")
    with pytest.raises(Failed, match="do not follow"):
        replayed(document)
    proof, game = document["proof"], game_of(document)
    process = EndlessProcess(game, 0, read_symbols(proof["symbols"], game, proof["k"]), proof["last"], proof["before"])
    low, high, steps, claim, *_ = _read_interval(proof["intervals"][-1], "", process, proof["unit"])
    engine = Unproved(process, proof["unit"])
    engine.begin(low, high)
    engine.suppose(claim)
    for step in steps:
        engine.step(*step)
    assert (engine.boxes[process.common][0].high > engine.claim[0].high).any()  # not what was supposed
    engine.close()


class NotTied(FastEndless):
    """Values between need not meet those of the last steps."""

    def _later(self, u: int) -> tuple[np.ndarray, np.ndarray]:
        return self.limits if u == self.process.common else super()._later(u)


def test_values_between_must_meet_those_of_the_last_steps() -> None:
    """Of the alternating game, where one last step has a box of its own: values of two steps, less those of all, are
    no constant; the true rule has room for it, the false one has not."""
    game = alternating()
    markov = Markov(game)
    found = {}
    for engine_class in (FastEndless, NotTied):
        data = hashed(game)
        process = EndlessProcess(game_of(data), 0, [[[0], [0]], [[0], [0]]], 1, 1)
        engine = engine_class(process, -24)
        engine.begin(Fraction(0), Fraction(1, 10))
        half = [([[2**23] * 2], [[2**23] * 2])] * 2
        engine.suppose(half)
        high, low = engine._later(process.common)
        uniform = [[np.full((2, 2), 0.5)] * 2]
        exact = markov.values(uniform, 0.1)[0]
        # some constant must bring the values of one step between the bounds
        found[engine_class] = float((exact - high[1]).max() + (-exact - low[1]).max())
    assert found[FastEndless] <= ROOM < 0.1 < found[NotTied]


def test_the_plain_engine_says_that_it_does_not_verify_them() -> None:
    with pytest.raises(Unable, match="fast engine"):
        checker.check_certificate(load("windows_one"), engine="stdlib")


@pytest.mark.slow
def test_figures_of_recycling() -> None:
    """At most 4.2 for every horizon (docs/windows.md); 50 steps alone have about 1.9."""
    from certify.thresholds.windows.endless import EndlessSearch

    search = EndlessSearch(builtin("recycling", horizon=1, discount="9/10"), 1)
    assert search.single(4.2)
