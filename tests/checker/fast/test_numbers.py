"""The fast engine's log and exp against arb, and its sums of products against exact rationals."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from flint import arb, ctx
from scipy.sparse import csr_array

from certify.checker.fast import numbers as fast_numbers
from certify.checker.fast.models import averaged
from certify.checker.fast.numbers import EXP_ERROR, LARGEST_EXPONENT, Ball, exp, inflated, log, log_error, slop


def worst_ratio(points: np.ndarray, values: np.ndarray, errors: np.ndarray, exact: str) -> float:
    """The largest (true error)/(stated error)."""
    old, ctx.prec = ctx.prec, 160
    try:
        return max(
            float(abs(getattr(arb(float(x)), exact)() - arb(float(v))).upper()) / e
            for x, v, e in zip(points, values, errors, strict=True)
        )
    finally:
        ctx.prec = old


def log_points() -> np.ndarray:
    rng = np.random.default_rng(1)
    near_one = 1 + rng.normal(size=1500) * 2.0 ** -rng.integers(1, 52, 1500)
    powers = 2.0 ** np.arange(-52.0, 5)
    return np.concatenate(
        [
            np.exp(rng.uniform(-700, 700, 1500)),
            near_one[near_one > 0],
            rng.random(1500),
            powers,
            np.nextafter(powers, 0),
            np.sqrt(0.5) * powers,
        ]
    )


def exp_points() -> np.ndarray:
    rng = np.random.default_rng(2)
    half = np.log(2) * (np.arange(-900, 900) + 0.5)
    tiny = rng.normal(size=500) * 2.0 ** -rng.integers(1, 60, 500)
    return np.concatenate(
        [
            rng.uniform(-LARGEST_EXPONENT, LARGEST_EXPONENT, 2000),
            rng.normal(size=2000),
            half,
            np.nextafter(half, 0),
            tiny,
            [0.0, -LARGEST_EXPONENT, LARGEST_EXPONENT],
        ]
    )


def test_log_is_within_its_error():
    x = log_points()
    value = log(x)
    assert worst_ratio(x, value, log_error(value), "log") < 0.5


def test_exp_is_within_its_error():
    x = exp_points()
    assert worst_ratio(x, exp(x), EXP_ERROR * exp(x), "exp") < 0.5


@pytest.mark.parametrize("function, points, exact", [(log, log_points, "log"), (exp, exp_points, "exp")])
def test_the_same_comparison_notices_a_short_series(monkeypatch, function, points, exact):
    table = "_ATANH" if function is log else "_EXP"
    monkeypatch.setattr(fast_numbers, table, getattr(fast_numbers, table)[:-6])
    x = points()
    value = function(x)
    error = log_error(value) if function is log else EXP_ERROR * value
    assert worst_ratio(x, value, error, exact) > 1


def exact_average(weights: np.ndarray, x: np.ndarray) -> list[Fraction]:
    return [sum((Fraction(w) * Fraction(v) for w, v in zip(row, x, strict=True)), Fraction(0)) for row in weights]


def cancelling(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Weights and numbers whose products nearly cancel."""
    w = rng.random((40, 60)) * (rng.random((40, 60)) < 0.6)
    x = rng.normal(size=60) * 10.0 ** rng.integers(-12, 4, 60)
    return w, x - (w[0] @ x) / max(w[0].sum(), 1e-9)


def test_averages_hold_the_exact_sum():
    rng = np.random.default_rng(3)
    for _ in range(10):
        w, x = cancelling(rng)
        ball = averaged(csr_array(w), Ball(x, np.zeros(60)), 60)
        upper = csr_array(w) @ inflated(x, 60)
        for exact, mid, rad, up in zip(exact_average(w, x), ball.mid, ball.rad, upper, strict=True):
            assert abs(exact - Fraction(mid)) <= Fraction(rad)
            assert exact <= Fraction(up)


def test_averages_without_the_slop_miss_it():
    rng = np.random.default_rng(3)
    w, x = cancelling(rng)
    assert any(exact > Fraction(up) for exact, up in zip(exact_average(w, x), csr_array(w) @ x, strict=True))


def test_sums_over_zeros_are_exactly_zero():
    assert inflated(np.zeros(3), 5).tolist() == [0, 0, 0]
    assert slop(1) > 0
