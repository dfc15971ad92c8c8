"""The a-priori bounds and the vectorised logarithm against arb at 200 bits."""

from fractions import Fraction

import flint
import numpy as np
import pytest

from certify.bounds import rounding
from certify.bounds.arb_numbers import working_precision
from certify.bounds.rounding import LOG_ROUNDINGS, UNIT, defect, float_down, float_up, log, outward, widened


def numbers(rng: np.random.Generator) -> np.ndarray:
    near_one = 1.0 + np.concatenate([-(2.0 ** -np.arange(1, 54)), 2.0 ** -np.arange(1, 53)])
    edges = np.array(
        [
            np.sqrt(0.5),
            np.nextafter(np.sqrt(0.5), 0),
            np.nextafter(np.sqrt(0.5), 1),
            np.sqrt(2.0),
            0.5,
            2.0,
            5e-324,
            2.3e-308,
            1.7e308,
            1 / 3,
            np.nextafter(1, 0),
            np.nextafter(1, 2),
        ]
    )
    return np.concatenate(
        [near_one, edges, rng.random(4000), 10.0 ** rng.uniform(-300, 300, 2000), 1 + rng.normal(size=1000) * 1e-3]
    )


def errors_in_units(p: np.ndarray, values: np.ndarray) -> np.ndarray:
    with working_precision(200):
        exact = [flint.arb(float(v)).log() for v in p]
        return np.array(
            [
                float(abs((flint.arb(float(y)) - x) / x).mid()) / UNIT if not x.is_zero() else abs(y)
                for x, y in zip(exact, values, strict=True)
            ]
        )


def test_log_is_within_its_proved_error():
    p = numbers(np.random.default_rng(0))
    errors = errors_in_units(p, log(p))
    assert errors.max() <= LOG_ROUNDINGS
    assert log(np.array([1.0]))[0] == 0.0
    assert errors.max() > 0.5  # the test sees real errors: a claim of half a unit would fail


def test_a_shorter_series_breaks_the_claim(monkeypatch):
    monkeypatch.setattr(rounding, "_SERIES", rounding._SERIES[4:])
    p = numbers(np.random.default_rng(0))
    assert errors_in_units(p, log(p)).max() > LOG_ROUNDINGS


def test_the_two_parts_of_log_two():
    with working_precision(300):
        exact = flint.arb(2).log()
        high, low = flint.arb(rounding._LN2_HI), flint.arb(rounding._LN2_LO)
        assert abs((exact - high) / low - 1) < flint.arb(UNIT)
    assert float.fromhex("0x1p+32") * rounding._LN2_HI % 1 == 0  # 32 bits: k times it is exact


def test_defects_of_long_products_hold():
    rng = np.random.default_rng(1)
    for _ in range(200):
        factors = rng.random(rng.integers(2, 60))
        computed, exact = 1.0, Fraction(1)
        for v in factors:
            computed, exact = computed * v, exact * Fraction(float(v))
        assert abs(exact - Fraction(computed)) <= Fraction(widened(defect(len(factors)))) * Fraction(computed)


def test_defect_refuses_what_it_cannot_bound():
    with pytest.raises(ValueError, match="too large"):
        defect(2**40)


def test_outward_and_directed_floats():
    rng = np.random.default_rng(2)
    mid, radius = rng.normal(size=300), rng.random(300) * 10.0 ** rng.integers(-30, 2, 300)
    low, high = outward(mid, radius)
    for m, r, lo, up in zip(mid, radius, low, high, strict=True):
        assert Fraction(lo) <= Fraction(m) - Fraction(r) and Fraction(m) + Fraction(r) <= Fraction(up)
    third = Fraction(1, 3)
    assert Fraction(float_down(third)) < third < Fraction(float_up(third))
    assert float_down(Fraction(1, 4)) == float_up(Fraction(1, 4)) == 0.25
