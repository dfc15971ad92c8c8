"""Interval arithmetic in whole numbers: [lo, hi]·2^-BITS, every operation
rounded outward, with exp and log whose error bounds are proved below.

Standard library only.  An interval stands for every real number between its ends.  Sums are exact;
a product or quotient is rounded down at the lower end and up at the upper end (Python's // is floor
division, and -(-a // b) its ceiling).

log.  For x = m 2^e with 1 <= m < 2: log x = e log 2 + 2 atanh t, t = (m − 1)/(m + 1) in [0, 1/3).
atanh t = Σ t^(2i+1)/(2i+1); the lower bound sums N terms, each rounded down, with t rounded down;
the upper bound rounds t and every term up and adds the tail, which is at most
t^(2N+1)/((2N+1)(1 − t²)) <= (9/8) t^(2N+1)/(2N+1) and t^(2N+1) <= 3^-(2N+1).
log 2 = 2 atanh(1/3).

exp.  x = k log 2 + r: any whole k will do, r is an interval, and |r| < 1 is asserted.  With
s = r/2^HALVINGS, e^s = Σ s^i/i! over i < N plus a remainder of absolute value at most
2|s|^N/N! (a geometric series of ratio < 1/2), summed in outward interval arithmetic; then e^s is
squared HALVINGS times.  exp is increasing, so ends are treated one by one.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from functools import cache

from certify.checker.reading.envelope import Failed

BITS = 256
ONE = 1 << BITS
_TERMS_LOG = 90  # 3^-181 < 2^-286
_HALVINGS = 12
_TERMS_EXP = 24  # (2^-12)^24 / 24! < 2^-360


class Unbounded(Failed):
    """A division by an interval that holds 0, or the logarithm of one that is not positive: nothing is shown."""

    def __init__(self, why: str) -> None:
        super().__init__(why, step="arithmetic")


class Interval:
    """The reals from lo·2^-BITS to hi·2^-BITS (whole numbers lo <= hi).

    >>> third = Interval.of(Fraction(1, 3))
    >>> third.positive(), third.hi - third.lo
    (True, 1)
    """

    __slots__ = ("hi", "lo")

    def __init__(self, lo: int, hi: int) -> None:
        self.lo, self.hi = lo, hi

    @classmethod
    def of(cls, low: Fraction | int, high: Fraction | int | None = None) -> Interval:
        """The narrowest interval that holds the rationals low..high."""
        bottom, top = Fraction(low), Fraction(low if high is None else high)
        return cls(bottom.numerator * ONE // bottom.denominator, -(-top.numerator * ONE // top.denominator))

    def __add__(self, other: Interval) -> Interval:
        return Interval(self.lo + other.lo, self.hi + other.hi)

    def __sub__(self, other: Interval) -> Interval:
        return Interval(self.lo - other.hi, self.hi - other.lo)

    def __neg__(self) -> Interval:
        return Interval(-self.hi, -self.lo)

    def __mul__(self, other: Interval) -> Interval:
        products = (self.lo * other.lo, self.lo * other.hi, self.hi * other.lo, self.hi * other.hi)
        return Interval(min(products) >> BITS, -(-max(products) >> BITS))

    def __truediv__(self, other: Interval) -> Interval:
        if other.lo <= 0 <= other.hi:
            raise Unbounded("division by an interval that holds 0")
        pairs = [(a, b) for a in (self.lo, self.hi) for b in (other.lo, other.hi)]
        return Interval(min(a * ONE // b for a, b in pairs), max(-(-a * ONE // b) for a, b in pairs))

    def square(self) -> Interval:
        """x² of every x in the interval (not the product of two of them)."""
        low, high = sorted((abs(self.lo), abs(self.hi)))
        if self.lo <= 0 <= self.hi:
            low = 0
        return Interval(low * low >> BITS, -(-high * high >> BITS))

    def positive(self) -> bool:
        """Every number in the interval is above 0."""
        return self.lo > 0

    def hull(self, other: Interval) -> Interval:
        """The narrowest interval that holds both."""
        return Interval(min(self.lo, other.lo), max(self.hi, other.hi))

    def within(self, low: Fraction, high: Fraction) -> bool:
        """The interval lies within the rationals [low, high]."""
        return Fraction(self.lo, ONE) >= low and Fraction(self.hi, ONE) <= high


ZERO = Interval(0, 0)
UNIT = Interval(ONE, ONE)


def total(items: Iterable[Interval]) -> Interval:
    """Σ of intervals."""
    result = ZERO
    for item in items:
        result = result + item
    return result


def _atanh(t: Interval) -> Interval:
    """atanh of an interval 0 <= t <= 1/3 (up to the rounding of its ends)."""
    square = t * t
    power, result = t, ZERO
    for i in range(_TERMS_LOG):
        result = result + Interval(power.lo // (2 * i + 1), -(-power.hi // (2 * i + 1)))
        power = power * square
    return Interval(result.lo, result.hi + (power.hi * 9 // 8) // (2 * _TERMS_LOG + 1) + 1)


@cache
def log_two() -> Interval:
    """log 2."""
    value = _atanh(Interval.of(Fraction(1, 3)))
    return value + value


def _log_point(n: int) -> Interval:
    """log(n·2^-BITS) for a whole number n > 0."""
    e = n.bit_length() - 1
    one = 1 << e
    # t = (n − 2^e)/(n + 2^e), rounded both ways
    t = Interval(((n - one) << BITS) // (n + one), -(-((n - one) << BITS) // (n + one)))
    value = _atanh(t)
    shift, two = e - BITS, log_two()
    scaled = Interval(min(shift * two.lo, shift * two.hi), max(shift * two.lo, shift * two.hi))
    return value + value + scaled


def log(x: Interval) -> Interval:
    """log of an interval of positive numbers; `Unbounded` otherwise."""
    if x.lo <= 0:
        raise Unbounded("logarithm of an interval that is not positive")
    low = _log_point(x.lo)
    return low if x.lo == x.hi else Interval(low.lo, _log_point(x.hi).hi)


def _exp_point(n: int) -> Interval:
    """exp(n·2^-BITS) for a whole number n."""
    two = log_two()
    k = n // two.lo
    r = Interval(n, n) - Interval(min(k * two.lo, k * two.hi), max(k * two.lo, k * two.hi))
    if not (r.lo > -ONE and r.hi < ONE):
        raise Unbounded("an exponent beyond the checker's range")
    s = Interval(r.lo >> _HALVINGS, -(-r.hi >> _HALVINGS))
    term, result = UNIT, UNIT
    for i in range(1, _TERMS_EXP):
        term = term * s
        term = Interval(term.lo // i, -(-term.hi // i))
        result = result + term
    rest = 2 * max(abs(term.lo), abs(term.hi)) // _TERMS_EXP + 1  # |s| < 1 and one more factor s/N
    result = Interval(result.lo - rest, result.hi + rest)
    for _ in range(_HALVINGS):
        result = result.square()
    if k >= 0:
        return Interval(result.lo << k, result.hi << k)
    return Interval(result.lo >> -k, -(-result.hi >> -k))


def exp(x: Interval) -> Interval:
    """exp of an interval (its numbers below 2^20, or the result would fill the memory)."""
    if x.hi > ONE << 20:
        raise Unbounded("an exponent beyond the checker's range")
    if x.hi < -(ONE << 20):
        return Interval(0, 1)
    low = _exp_point(max(x.lo, -(ONE << 20)))
    low = Interval(0, low.hi) if x.lo < -(ONE << 20) else low
    return low if x.lo == x.hi else Interval(low.lo, _exp_point(x.hi).hi)
