"""The clustered process: known class counts, agreement with the unclustered one, order of classes."""

from fractions import Fraction

import numpy as np
import pytest
from sampling import action_values, random_game, reach, values

from certify.checker.reading.game import read_game
from certify.checker.reading.process import build_process
from certify.games import builtin
from certify.games.canonical import game_to_json


def process_of(name, horizon=None, clustering=True):
    return build_process(read_game(game_to_json(builtin(name, horizon))), clustering)


@pytest.mark.parametrize(
    "name, horizon, clustering, classes",
    [
        ("dectiger", 4, True, ((1, 1), (3, 3), (9, 9), (27, 27))),
        ("dectiger", 3, False, ((1, 1), (6, 6), (36, 36))),
        ("lever:10:9/10", None, True, ((1, 1),)),
        ("match:3x3x3", None, True, ((1, 1, 1),)),
        ("lewis:3", None, False, ((3, 1), (9, 3))),
    ],
)
def test_class_counts(name, horizon, clustering, classes):
    assert process_of(name, horizon, clustering).classes == classes


@pytest.mark.parametrize(
    "name, horizon", [("dectiger", 3), ("recycling", 3), ("lewis:2", None), ("tiny-hanabi:E", None)]
)
@pytest.mark.parametrize("clustering", [True, False])
def test_probabilities_are_distributions(name, horizon, clustering):
    process = process_of(name, horizon, clustering)
    assert sum(process.start) == 1 and min(process.start) > 0
    for t in range(process.horizon - 1):
        for rows in process.following[t]:
            assert all(sum(p for _, p in row) == 1 and min(p for _, p in row) > 0 for row in rows)
        met = {to for rows in process.following[t] for row in rows for to, _ in row}
        assert met == set(range(len(process.joint[t + 1])))
    for t in range(process.horizon):
        assert list(process.joint[t]) == sorted(process.joint[t])
        for i in range(process.agents):
            assert {e[i] for e in process.joint[t]} == set(range(process.classes[t][i]))


def test_predecessors_follow_first_appearance():
    process = process_of("dectiger", 3)
    for t in (1, 2):
        for i in (0, 1):
            lines = process.predecessor[t][i]
            assert list(lines) == sorted(lines) and len(lines) == process.classes[t][i]
    # listening keeps the two observations apart, opening a door does not
    assert process.predecessor[1][0] == ((0, 0), (0, 0), (0, 1))


def mirrored_game():
    """Agent 0's two observations carry the same news, so its two histories are one class."""
    game = random_game(11, states=1)
    for _, _, row in game["emission"]:
        parts = {}
        for o, p in row:
            parts[o[1]] = parts.get(o[1], 0) + Fraction(p)
        row[:] = [[[o0, o1], str(p * Fraction(k, 3))] for o1, p in parts.items() for o0, k in ((0, 1), (1, 2))]
    return game


def test_clustering_merges_what_is_proportional_and_nothing_else():
    game = mirrored_game()
    clustered, full = build_process(read_game(game)), build_process(read_game(game), False)
    assert full.classes[1] == (4, 4)
    assert clustered.classes[1][0] < 4
    unrelated = read_game(random_game(12))
    assert build_process(unrelated).classes == build_process(unrelated, False).classes


def test_values_agree_with_the_unclustered_process():
    """Policies that play alike on a class have the same Q at all its histories, the class's own."""
    game = game_to_json(builtin("dectiger", 3))
    clustered, full = build_process(read_game(game)), build_process(read_game(game), False)
    rng = np.random.default_rng(1)
    policy = [[[rng.dirichlet(np.ones(3)) for _ in range(count)] for count in counts] for counts in clustered.classes]
    beta = Fraction(1, 10)
    # classes of the full process's histories, by walking both processes along children (k, a, o)
    where = walk(game, clustered, full)
    spread = [[[policy[t][i][where[t][i][k]] for k in range(full.classes[t][i])] for i in (0, 1)] for t in range(3)]
    merged, apart = (
        (values(process, played, beta)[0], reach(process, played))
        for process, played in ((clustered, policy), (full, spread))
    )
    for t in range(3):
        for i in (0, 1):
            for k in range(full.classes[t][i]):
                expected = action_values(clustered, policy, beta, i, t, where[t][i][k], merged)
                found = action_values(full, spread, beta, i, t, k, apart)
                assert found - found.mean() == pytest.approx(expected - expected.mean(), abs=1e-9)


def walk(game, clustered, full):
    """The class of every history of the full process: joint transitions are matched by probability and order."""
    where = [[{0: 0}, {0: 0}]]
    for t in range(2):
        layer = [{}, {}]
        for e, classes in enumerate(full.joint[t]):
            merged = clustered.joint[t].index(tuple(where[t][i][k] for i, k in enumerate(classes)))
            for a in range(len(full.joint_actions[t])):
                mass = {}
                for to, p in full.following[t][e][a]:
                    for i in (0, 1):
                        mass.setdefault((i, full.joint[t + 1][to][i]), Fraction(0))
                        mass[i, full.joint[t + 1][to][i]] += p
                options = [set(), set()]
                for to, _ in clustered.following[t][merged][a]:
                    for i in (0, 1):
                        options[i].add(clustered.joint[t + 1][to][i])
                for i in (0, 1):
                    own = sorted(x for j, x in mass if j == i)
                    targets = sorted(options[i])
                    for number, x in enumerate(own):
                        layer[i][x] = targets[number if len(targets) == len(own) else 0]
        where.append(layer)
    return where
