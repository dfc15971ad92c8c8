"""Windows at horizons whose histories nobody enumerates, where floats know all there is to know: everybody sees the
state, so policies of (step, state) are stationary among all policies, and each step is a game of one step.

At every temperature they must lie in the boxes and their values between the bounds; at and above alpha_star there
must be one of them.  Bounds that are a little too narrow are noticed.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from observed_games import Markov, Policy, observed_game

from certify.certificates.threshold import windows_certificate
from certify.checker import check_certificate
from certify.checker.fast.windows import FastWindows
from certify.checker.kinds.windows import _read_interval
from certify.checker.reading.game import game_of
from certify.checker.reading.windows import WindowProcess, read_symbols
from certify.games.model import Game
from certify.thresholds.structural import structural_thresholds
from certify.thresholds.windows.approx_sweeps import Localised
from certify.thresholds.windows.search import Search

ROOM = 1e-9  # for the floats that solve the games

LONG = [
    (6, {"discount": Fraction(9, 10)}),
    pytest.param(10, {"actions": (3, 2)}, marks=pytest.mark.slow),
    pytest.param(10, {"states": 3, "discount": Fraction(4, 5)}, marks=pytest.mark.slow),
    pytest.param(20, {"discount": Fraction(9, 10)}, marks=pytest.mark.slow),
    pytest.param(6, {"actions": (2, 2, 2), "bound": 2}, marks=pytest.mark.slow),
]


def outside(policy: Policy, boxes: list, windows: list) -> float:
    """How far a policy of (step, state) leaves the boxes [level][agent]: a window's last symbol names the state."""
    worst = -1.0
    for u, rows in enumerate(policy, start=1):
        for i, row in enumerate(rows):
            for w, state in enumerate(windows[u][i]):
                low, high = boxes[u][i].low[w], boxes[u][i].high[w]
                worst = max(worst, float((low - row[state]).max()), float((row[state] - high).max()))
    return worst


def last_states(game: Game, levels: list, used: list) -> list:
    """[level][agent][window] -> the state that the window's last symbol shows."""
    shown = []
    for level, counts in zip(levels, used, strict=True):
        state: list[dict] = [{} for _ in game.agents]
        for s, ws in level.nodes[: level.reachable]:
            for i, w in enumerate(ws):
                state[i].setdefault(w, set()).add(s)
        assert all(len(seen) == 1 for row in state[:] for seen in row.values() if level is not levels[0])
        shown.append([[min(state[i][w]) for w in level.windows[i][: counts[i]]] for i in range(len(game.agents))])
    return shown


def replayed(document: dict, n: int) -> tuple[FastWindows, list]:
    """The fast engine after all steps of interval n, and the interval's ends."""
    proof, game = document["proof"], game_of(document)
    process = WindowProcess(game, proof["k"], read_symbols(proof["symbols"], game, proof["k"]))
    low, high, steps, _ = _read_interval(proof["intervals"][n], "", process, proof["unit"])
    engine = FastWindows(process, proof["unit"])
    engine.begin(low, high)
    for step in steps:
        engine.step(*step)
    return engine, [low, high]


@pytest.mark.parametrize(("horizon", "kind"), LONG)
def test_certified_thresholds_against_all_policies_of_step_and_state(horizon: int, kind: dict) -> None:
    rng = np.random.default_rng(horizon)
    game = observed_game(rng, horizon=horizon, **kind)
    markov, search = Markov(game), Search(game, 1)
    start = float(structural_thresholds(game)[0].alpha_star)
    search.climb(start, 0.5, start / 30)
    found = search.result()
    assert found is not None
    document = windows_certificate(game, found)
    assert check_certificate(document, engine="fast").valid
    for n in range(len(document["proof"]["intervals"])):
        engine, ends = replayed(document, n)
        levels = engine.process.levels
        shown = last_states(game, levels, [level.used for level in levels])
        for part in (0.0, 0.4, 1.0):
            beta = float(ends[0] + (ends[1] - ends[0]) * Fraction(part))
            policies = markov.stationary(beta, rng, starts=4)
            assert len(policies) == 1
            assert outside(policies[0], engine.boxes, shown) <= ROOM
            # for any policy in the boxes, at both ends: the values lie between the bounds
            for e, end in enumerate(ends):
                values = markov.values(policies[0], float(end))
                for u in range(1, horizon + 1):
                    above, below = engine._values(u)
                    states = [s for s, _ in levels[u].nodes[: levels[u].reachable]]
                    exact = values[u - 1][states]
                    assert (exact <= above[e][: len(states)] + ROOM).all()
                    assert (exact >= -below[e][: len(states)] - ROOM).all()


@pytest.mark.parametrize(
    ("horizon", "seed"), [(6, 2), *(pytest.param(h, s, marks=pytest.mark.slow) for h in (10, 20) for s in (1, 2, 3))]
)
def test_where_there_are_several_all_lie_in_the_boxes_and_nothing_is_claimed(horizon: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    game = observed_game(rng, horizon=horizon, discount=Fraction(9, 10))
    markov, search = Markov(game), Search(game, 1)
    shown = last_states(game, search.tables.levels, [[len(s.windows) for s in x.sides] for x in search.tables.levels])
    several = 0
    for alpha in (0.3, 1.0):
        policies = markov.stationary(1 / alpha, rng, starts=6)
        several += len(policies) > 1
        found = Localised.whole(search.tables, search.beliefs, np.array([1 / alpha]))
        for _ in range(10):
            found.sweep()
        assert all(outside(policy, found.boxes, shown) <= 1e-6 for policy in policies)
        assert len(policies) <= 1 or not search.single(alpha)
    assert several


def test_the_comparison_can_fail() -> None:
    """Boxes cut by a part of their width lose a policy, and a temperature of two policies shows both of them."""
    rng = np.random.default_rng(2)
    game = observed_game(rng, horizon=6, discount=Fraction(9, 10))
    markov, search = Markov(game), Search(game, 1)
    found = Localised.whole(search.tables, search.beliefs, np.array([1.0]))
    for _ in range(15):
        found.sweep()
    shown = last_states(game, search.tables.levels, [[len(s.windows) for s in x.sides] for x in search.tables.levels])
    policies = markov.stationary(1.0, rng, starts=8)
    assert len(policies) > 1
    for row in found.boxes:
        for box in row:
            box.high[:] = box.high - 0.3 * (box.high - box.low)
    assert max(outside(policy, found.boxes, shown) for policy in policies) > 1e-3
