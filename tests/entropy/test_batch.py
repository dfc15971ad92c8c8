"""Vectorised signs: the float64 balls hold exact values, the signs agree with arb, and a radius that
is too small is caught."""

import random
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from flint import arb

from certify.bounds.arb_numbers import to_arb, working_precision
from certify.entropy import batch
from certify.entropy.algorithms import direction
from certify.entropy.balls import Balls
from certify.entropy.batch import batch_signs
from certify.entropy.dynamics import EntropyPath
from certify.entropy.enclosure import RationalEnclosure
from certify.entropy.policy import StatePolicy
from certify.entropy.sign import certify_sign
from certify.entropy.transcendental import exp, exp_points, log_points
from certify.errors import InputError


def exact_balls(values):
    return [to_arb(Fraction(float(v))) for v in values]


@pytest.mark.parametrize(
    ("function", "reference", "sample"),
    [
        (
            exp_points,
            lambda x: x.exp(),
            lambda g: np.concatenate(
                [g.uniform(-700, 700, 4000), g.normal(size=4000), g.normal(size=500) * 1e-9, [0.0, 700.0, -700.0]]
            ),
        ),
        (
            log_points,
            lambda x: x.log(),
            lambda g: np.concatenate(
                [
                    np.exp(g.uniform(-700, 700, 4000)),
                    1 + g.normal(size=2000) * 1e-7,
                    g.uniform(0.5, 2, 4000),
                    [1.0, 0.5, 2.0**-1022, 1.7e308],
                ]
            ),
        ),
    ],
)
def test_exp_and_log_hold_the_true_value(function, reference, sample):
    x = sample(np.random.default_rng(0))
    found = function(x)
    with working_precision(200):
        for value, mid, rad in zip(exact_balls(x), exact_balls(found.mid), exact_balls(found.rad), strict=True):
            assert abs(reference(value) - mid) <= rad
            # the proof's constant: 5U relatively, 8U claimed
            assert abs(reference(value) - mid) <= 5 * arb(2) ** -53 * abs(reference(value))


def test_arguments_out_of_range_decide_nothing():
    for bad in (exp_points(np.array([701.0, np.inf, np.nan])), log_points(np.array([0.0, -1.0, np.nan, 1e-310]))):
        assert np.all(np.isinf(bad.rad)) and not bad.signs().any()


def test_operations_hold_exact_results():
    rng = random.Random(5)
    values = [rng.uniform(-3, 3) * 10 ** rng.randint(-8, 8) for _ in range(300)]
    a, b = np.array(values[:150]), np.array(values[150:])
    radii = np.abs(a) * 1e-3
    left, right = Balls(a, radii), Balls(b, np.abs(b) * 1e-4)
    for name, result in {"+": left + right, "-": left - right, "*": left * right, "/": left / right}.items():
        for k in range(150):
            for corner in (-1, 1):
                x = Fraction(a[k]) + corner * Fraction(radii[k])
                y = Fraction(b[k]) - corner * Fraction(right.rad[k])
                exact = {"+": x + y, "-": x - y, "*": x * y, "/": x / y}[name]
                assert abs(exact - Fraction(result.mid[k])) <= Fraction(result.rad[k])
    total = left.sum()
    exact = sum(Fraction(x) + Fraction(r) for x, r in zip(a, radii, strict=True))
    assert abs(exact - Fraction(total.mid[0])) <= Fraction(total.rad[0])


def test_exp_of_balls_holds_both_ends():
    x = Balls(np.linspace(-5, 5, 50), np.linspace(1e-9, 0.9, 50))
    found = exp(x)
    with mpmath.workprec(120):
        for m, r, mid, rad in zip(x.mid, x.rad, found.mid, found.rad, strict=True):
            for end in (mpmath.mpf(m) - r, mpmath.mpf(m) + r):
                assert abs(mpmath.exp(end) - mid) <= rad


def instances(rng, count, actions):
    return rng.dirichlet(np.full(actions, 0.7), count) + 1e-9, rng.normal(size=(count, actions))


def arb_sign(weights, advantages, algorithm, step):
    with working_precision(128):
        exact = [Fraction(float(w)) for w in weights]
        policy = (StatePolicy(tuple(RationalEnclosure.of(w / sum(exact)) for w in exact)),)
        row = tuple(RationalEnclosure.of(Fraction(float(a))) for a in advantages)
        path = EntropyPath(policy, direction(algorithm, policy, (row,), {}))
        if step is None:
            return 1 if path.first_order() > 0 else -1
        return {"increases": 1, "decreases": -1, "undecided": 0}[certify_sign(path, Fraction(0), Fraction(step)).sign]


@pytest.mark.parametrize("algorithm", ["reinforce", "natural"])
@pytest.mark.parametrize("step", [None, 0.01, 0.5])
def test_signs_agree_with_arb(algorithm, step):
    weights, advantages = instances(np.random.default_rng(8), 150, 7)
    fast = batch_signs(weights, advantages, algorithm, step, fall_back=False)
    for b in range(len(weights)):
        slow = arb_sign(weights[b], advantages[b], algorithm, step)
        assert fast[b] in (0, slow)
        assert fast[b] or slow == 0 or step == 0.5  # a few long steps need arb's finer pieces
    assert np.count_nonzero(fast) >= 100


def test_fall_back_settles_what_float64_cannot():
    """Advantages that balance the covariance down to their own last bit."""
    weights = np.array([1.0, 2.0, 4.0])
    pi = weights / weights.sum()
    centred = np.log(pi) - (pi * np.log(pi)).sum()
    balanced = -pi[2] * centred[2] / (pi[0] * centred[0])  # Cov(log π, (x, 0, 1)) = 0
    rows = np.array([[np.nextafter(balanced, up), 0.0, 1.0] for up in (-np.inf, np.inf)])
    both = np.array([weights, weights])
    assert batch_signs(both, rows, "natural", fall_back=False).tolist() == [0, 0]
    settled = batch_signs(both, rows, "natural").tolist()
    assert 0 not in settled and settled == [arb_sign(weights, r, "natural", None) for r in rows]


def test_exact_ties_stay_undecided():
    assert batch_signs(np.ones((1, 3)), np.array([[1.0, 0.0, 2.0]])).tolist() == [0]


def test_huge_numbers_decide_nothing_wrong():
    weights = np.array([[1e300, 1e-300, 1.0], [1.0, 2.0, 3.0]])
    signs = batch_signs(
        weights, np.array([[1e200, -1e200, 0.0], [1e308, -1e308, 1e308]]), "natural", 0.01, fall_back=False
    )
    assert set(signs.tolist()) <= {-1, 0, 1}
    for b, s in enumerate(
        batch_signs(weights, np.array([[1e5, -1e5, 0.0], [1e5, 0.0, 1.0]]), "natural", fall_back=False)
    ):
        assert s in (0, arb_sign(weights[b], [[1e5, -1e5, 0.0], [1e5, 0.0, 1.0]][b], "natural", None))


def test_dropping_the_curvature_bound_is_caught(monkeypatch):
    """Falsification: without the bound on H'' the signs over (0, 2] are wrong somewhere."""
    monkeypatch.setattr(batch, "_slope_over", lambda pi, log_pi, spread, radius: batch._slope(pi, log_pi, spread))
    weights, advantages = instances(np.random.default_rng(8), 150, 7)
    fast = batch_signs(weights, advantages, "natural", 2.0, fall_back=False)
    assert any(fast[b] not in (0, arb_sign(weights[b], advantages[b], "natural", 2.0)) for b in range(150))


@pytest.mark.parametrize(
    "arguments",
    [
        (np.ones((2, 3)), np.ones((3, 2))),
        (np.array([[1.0, -1.0]]), np.ones((1, 2))),
        (np.array([[1.0, np.nan]]), np.ones((1, 2))),
        (np.ones((1, 2)), np.array([[np.inf, 0.0]])),
        (np.ones((1, 2)), np.ones((1, 2)), "adam"),
        (np.ones((1, 2)), np.ones((1, 2)), "natural", -0.1),
    ],
)
def test_bad_input(arguments):
    with pytest.raises(InputError):
        batch_signs(*arguments)
