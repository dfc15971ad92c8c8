"""The contraction under the local bonus: its bound against the map itself on random policies, and shown
able to fail; fixed points against independent iterations."""

import doctest
from fractions import Fraction

import numpy as np
import pytest

from certify.bounds.local_bonus import local_bonus_q
from certify.errors import InputError
from certify.games import load
from certify.games.tree import unroll
from certify.thresholds import local_bonus
from certify.thresholds.local_bonus import influence, local_contraction, local_stationary_point
from certify.thresholds.shapes import shape_of

GAMES = [
    ("lever:2", None),
    ("climbing", None),
    ("two-stage-lever", None),
    ("tiny-hanabi:E", None),
    ("dectiger", 2),
    ("recycling", 2),
]


def test_doctests():
    assert doctest.testmod(local_bonus).failed == 0


def random_policy(tree, generator, spread):
    def row(shape):
        p = np.exp(spread * generator.normal(size=shape))
        return p / p.sum(-1, keepdims=True)

    return [[row(table.shape) for table in levels] for levels in tree.uniform()]


def excess(name, horizon, scale, trials=40):
    """The largest (change of Q^R's differences) / (scale L delta) met on random pairs of policies."""
    game = load(name, horizon=horizon)
    tree, shape = unroll(game, cluster=False), shape_of(game)
    keys, table = shape.keys(), np.array([[float(e) for e in row] for row in influence(shape)])
    generator, worst = np.random.default_rng(7), 0.0
    for trial in range(trials):
        spread = (0.02, 0.3, 2.0)[trial % 3]
        first, step = random_policy(tree, generator, spread), random_policy(tree, generator, spread / 4)
        second = [
            [p * s / (p * s).sum(-1, keepdims=True) for p, s in zip(a, b, strict=True)]
            for a, b in zip(first, step, strict=True)
        ]
        delta = np.array([np.ptp(np.log(second[i][t] / first[i][t]), axis=-1).max() for i, t in keys])
        q = [local_bonus_q(tree, policy) for policy in (first, second)]
        for (i, t), allowed in zip(keys, scale * table @ delta, strict=True):
            middle = [(np.asarray(b[i, t].lower) + np.asarray(b[i, t].upper)) / 2 for b in q]
            moved = np.ptp(middle[1] - middle[0], axis=-1).max()
            worst = max(worst, moved / allowed if allowed > 0 else (0.0 if moved < 1e-9 else np.inf))
    return worst


@pytest.mark.parametrize(("name", "horizon"), GAMES)
def test_the_bound_holds_on_random_policies(name, horizon):
    assert excess(name, horizon, 1.0) <= 1 + 1e-9


def test_a_smaller_bound_would_not_hold():
    assert excess("lever:2", None, 0.9) > 1


@pytest.mark.parametrize(("name", "horizon"), GAMES)
def test_the_vector_proves_the_bound(name, horizon):
    game = load(name, horizon=horizon)
    found = local_contraction(game)
    for k, (row, (i, _)) in enumerate(zip(influence(shape_of(game)), found.keys, strict=True)):
        assert (
            sum(e * y for e, y in zip(row, found.vector, strict=True))
            <= found.alpha * game.weights[i] * found.vector[k]
        )


@pytest.mark.parametrize(("name", "horizon"), GAMES)
def test_iterations_from_elsewhere_end_within_the_radius(name, horizon):
    game = load(name, horizon=horizon)
    found = local_contraction(game)
    point = local_stationary_point(game, 2 * found.alpha, found)
    policy = random_policy(point.tree, np.random.default_rng(3), 3.0)
    for _ in range(80):
        policy = local_bonus._approx_image(point.tree, game, policy, float(point.alpha))
    for i, levels in enumerate(policy):
        for t, table in enumerate(levels):
            assert np.abs(table - point.policy[i][t]).max() <= float(point.radius) / 4 + 1e-12


def test_single_agent_has_no_threshold_to_speak_of(tmp_path):
    path = tmp_path / "alone.json"
    path.write_text('{"kind": "one-shot", "payoff": [3, 1, 0]}', encoding="utf-8")
    assert local_contraction(load(str(path))).alpha == 0


def test_at_the_bound_nothing_is_claimed():
    game = load("lever:2")
    with pytest.raises(InputError, match="above 1/2"):
        local_stationary_point(game, Fraction(1, 2), local_contraction(game))
