"""exp and log against references of high precision, and directions of rounding."""

import random
from fractions import Fraction

import mpmath
import pytest

from certify.checker.numbers import fixed_point as dyadic
from certify.checker.numbers.fixed_point import BITS, ONE

ULPS = 3  # an enclosure is at most this wide, beyond relative errors for large exp


def samples(seed, count=400):
    rng = random.Random(seed)
    for _ in range(count):
        yield rng.randrange(1, 1 << rng.randrange(1, 3 * BITS))
    yield from (1, 2, ONE - 1, ONE, ONE + 1, 7 * ONE // 5, 7 * ONE // 5 + 1, 7 * ONE // 10, 1 << 4000)


@pytest.mark.parametrize("bits", [BITS, 256])
def test_log_encloses(bits):
    with mpmath.workprec(4800):
        for x in samples(1):
            low, high = dyadic.log_bounds(x << bits - BITS, bits)
            truth = mpmath.log(mpmath.mpf(x) / ONE) * 2**bits
            assert low <= truth <= high and high - low <= ULPS


@pytest.mark.parametrize("bits", [BITS, 256])
def test_exp_encloses(bits):
    with mpmath.workprec(2400):
        for x in samples(2):
            x = x % (60 * ONE)
            for y in (x, -x, x // 50, -x // 50, -x * 20):
                low, high = dyadic.exp_bounds(y << bits - BITS, bits)
                truth = mpmath.exp(mpmath.mpf(y) / ONE) * 2**bits
                assert low <= truth <= high
                assert high - low <= ULPS + truth * mpmath.mpf(2) ** -bits


def test_exp_far_out():
    assert dyadic.exp_bounds(-(10**9) * ONE) == (0, 1)
    for x in (0, -ONE, 1 << (1 << 15)):
        with pytest.raises(OverflowError):
            dyadic.log_bounds(x)
    assert dyadic.exp_bounds(0)[0] <= ONE <= dyadic.exp_bounds(0)[1]
    with pytest.raises(OverflowError):
        dyadic.exp_bounds(((1 << 14) + 1) * ONE)


def test_the_enclosures_would_not_hold_with_a_wrong_log_of_two(monkeypatch):
    """The comparison above can fail: a relative error of 2^-60 in log 2 is noticed."""
    right = dyadic.log_two(BITS + 32)
    monkeypatch.setattr(dyadic, "log_two", lambda work: right + (right >> 60 - 2))
    dyadic.log_bounds.cache_clear()
    try:
        with pytest.raises(AssertionError):
            test_log_encloses(BITS)
    finally:
        dyadic.log_bounds.cache_clear()


def test_rationals_round_outwards():
    rng = random.Random(3)
    for _ in range(200):
        x = Fraction(rng.randrange(-(10**9), 10**9), rng.randrange(1, 10**6))
        assert dyadic.down(x) <= x * ONE <= dyadic.up(x) <= dyadic.down(x) + 1
        n, d = rng.randrange(-(10**30), 10**30), rng.randrange(1, 10**12)
        assert Fraction(n, d) <= dyadic.ceil_div(n, d) < Fraction(n, d) + 1
        assert Fraction(n, 1 << 40) <= dyadic.ceil_shift(n, 40) < Fraction(n, 1 << 40) + 1
