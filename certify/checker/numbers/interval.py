"""Interval arithmetic in whole numbers: [lo, hi]·2^-BITS, every operation rounded outward.

Standard library only.  An interval stands for every real number between its ends.  Sums are exact;
a product or quotient is rounded down at the lower end and up at the upper end (Python's // is floor
division, and -(-a // b) its ceiling).  exp and log are increasing: `fixed_point` bounds them at the ends.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

from certify.checker.numbers.fixed_point import LARGEST_EXPONENT, LONGEST, exp_bounds, log_bounds
from certify.checker.reading.envelope import Failed

BITS = 256
ONE = 1 << BITS


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


def log(x: Interval) -> Interval:
    """log of an interval of positive numbers; `Unbounded` otherwise."""
    if x.lo <= 0 or x.hi.bit_length() >= LONGEST:
        raise Unbounded("logarithm of an interval that is not positive, or of a number beyond the checker's range")
    low, high = log_bounds(x.lo, BITS)
    return Interval(low, high if x.lo == x.hi else log_bounds(x.hi, BITS)[1])


def exp(x: Interval) -> Interval:
    """exp of an interval; `Unbounded` if its numbers are not all below 2^14."""
    if x.hi > LARGEST_EXPONENT << BITS:
        raise Unbounded("an exponent beyond the checker's range")
    low, high = exp_bounds(x.lo, BITS)
    return Interval(low, high if x.lo == x.hi else exp_bounds(x.hi, BITS)[1])
