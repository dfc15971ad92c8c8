"""The contraction under the local bonus: its bound against the map itself on random policies, and shown
able to fail."""

import doctest

import numpy as np
import pytest

from certify.bounds.local_bonus import local_bonus_q
from certify.games import load
from certify.games.arrays import from_array
from certify.games.tree import unroll
from certify.thresholds import local_forms as forms
from certify.thresholds.local_forms import CONTRACTION, influence, local_forms
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
    assert doctest.testmod(forms).failed == 0


def random_policy(tree, generator, spread):
    def row(shape):
        p = np.exp(spread * generator.normal(size=shape))
        return p / p.sum(-1, keepdims=True)

    return [[row(table.shape) for table in levels] for levels in tree.uniform()]


def excess(name, horizon, scale, trials=40):
    """The largest (change of Q^R's differences) / (scale L delta) met on random pairs of policies."""
    game = load(name, horizon=horizon)
    tree, shape = unroll(game, cluster=False), shape_of(game)
    keys, table = shape.keys(), np.array([[float(e) for e in row] for row in influence(shape, CONTRACTION)])
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


def test_single_agent_has_no_threshold_to_speak_of() -> None:
    game = from_array([3, 1, 0])
    assert all(form.largest_sum == 0 for form in local_forms(game))
