"""Enclosures with rational ends, and the way to and from arb balls: numbers enter exactly, are
computed with in balls at a stated precision, and leave as a pair of rationals that provably
holds the true value (numerics of theory, section 10).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction

from flint import arb, ctx, fmpq

from certify.errors import Undecided
from certify.exact import rational_text

PRECISION = 128  # bits; a scalar arb operation costs the same at 53 and at 256


@contextmanager
def working_precision(bits: int = PRECISION) -> Iterator[None]:
    """Arb works with `bits` bits inside (a context manager, or a decorator); restored afterwards."""
    with ctx.workprec(bits):
        yield


@dataclass(frozen=True, order=True)
class Enclosure:
    """The closed interval [lower, upper] with rational ends; exact where they agree.

    >>> Enclosure.of(Fraction(1, 3)).exact, Enclosure(Fraction(0), Fraction(1)).width
    (True, Fraction(1, 1))
    """

    lower: Fraction
    upper: Fraction

    def __post_init__(self) -> None:
        if self.lower > self.upper:
            raise ValueError(f"empty enclosure [{self.lower}, {self.upper}]")

    @classmethod
    def of(cls, value: Fraction | int) -> Enclosure:
        return cls(Fraction(value), Fraction(value))

    @property
    def exact(self) -> bool:
        return self.lower == self.upper

    @property
    def width(self) -> Fraction:
        return self.upper - self.lower

    def __contains__(self, value: Fraction | int) -> bool:
        return self.lower <= value <= self.upper

    def texts(self) -> list[str]:
        """`[lower, upper]` as the exact "p/q" strings of the JSON interface."""
        return [rational_text(self.lower), rational_text(self.upper)]


def ball(value: Enclosure | Fraction | int) -> arb:
    """An arb ball that holds `value`, at the working precision."""
    if isinstance(value, Enclosure):
        if not value.exact:
            return ball(value.lower).union(ball(value.upper))
        value = value.lower
    value = Fraction(value)
    return arb(fmpq(value.numerator, value.denominator))


def _fraction(exact: arb) -> Fraction:
    mantissa, exponent = exact.man_exp()
    mantissa, exponent = int(mantissa), int(exponent)
    return Fraction(mantissa << exponent) if exponent >= 0 else Fraction(mantissa, 1 << -exponent)


def enclosure(value: arb) -> Enclosure:
    """The rational interval that an arb ball stands for, outward; `Undecided` where it is not finite.

    >>> enclosure(arb(1) / 4).texts()
    ['1/4', '1/4']
    """
    if not value.is_finite():
        raise Undecided("a ball grew beyond every bound; narrow the input or raise the precision")
    return Enclosure(_fraction(value.lower()), _fraction(value.upper()))


def dot(left: Iterable[arb], right: Iterable[arb]) -> arb:
    """Σ left·right in balls."""
    total = arb(0)
    for x, y in zip(left, right, strict=True):
        total += x * y
    return total


def sign_of(value: arb) -> int | None:
    """1, 0 or -1 where the ball proves the sign; None where it does not.

    >>> sign_of(arb(2)), sign_of(arb(0)), sign_of(arb(0, 1)) is None
    (1, 0, True)
    """
    if value > 0:
        return 1
    if value < 0:
        return -1
    return 0 if value.is_zero() else None
