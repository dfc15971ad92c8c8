"""Enclosures with rational ends, and the way to and from arb balls: numbers enter exactly, are
computed with in balls at a stated precision, and leave as a pair of rationals that provably
holds the true value (numerics of docs/theory/entropy.md#finite-steps).
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import _GeneratorContextManager
from dataclasses import dataclass
from fractions import Fraction

from flint import arb

from certify.bounds import arb_numbers
from certify.bounds.enclosure import Enclosure
from certify.errors import Undecided
from certify.exact import rational_text

PRECISION = 128  # bits; a scalar arb operation costs the same at 53 and at 256


def working_precision(bits: int = PRECISION) -> _GeneratorContextManager[None]:
    """Arb works with `bits` bits inside (a context manager, or a decorator); restored afterwards."""
    return arb_numbers.working_precision(bits)


@dataclass(frozen=True, order=True)
class RationalEnclosure(Enclosure):
    """The closed interval [lower, upper] with rational ends; exact where they agree.

    >>> RationalEnclosure.of(Fraction(1, 3)).exact, RationalEnclosure(Fraction(0), Fraction(1)).width
    (True, Fraction(1, 1))
    """

    lower: Fraction
    upper: Fraction

    def __post_init__(self) -> None:
        if self.lower > self.upper:
            raise ValueError(f"empty enclosure [{self.lower}, {self.upper}]")

    @classmethod
    def of(cls, value: Fraction | int) -> RationalEnclosure:
        """The enclosure of one exact number."""
        return cls(Fraction(value), Fraction(value))

    @property
    def exact(self) -> bool:
        """Whether the two ends coincide."""
        return self.lower == self.upper

    def outward(self, bits: int = 64) -> RationalEnclosure:
        """The same with both ends rounded outward to `bits` significant bits: short numbers for files.

        >>> RationalEnclosure.of(Fraction(1, 3)).outward(2).texts()
        ['1/4', '3/8']
        """
        return RationalEnclosure(_floor(self.lower, bits), -_floor(-self.upper, bits))

    def texts(self) -> list[str]:
        """`[lower, upper]` as the exact "p/q" strings of the JSON interface."""
        return [rational_text(self.lower), rational_text(self.upper)]


def _floor(value: Fraction, bits: int) -> Fraction:
    if value == 0:
        return value
    shift = bits - (abs(value.numerator).bit_length() - value.denominator.bit_length())
    scale = Fraction(2) ** shift
    return (value * scale).__floor__() / scale


def ball(value: Enclosure | Fraction | int) -> arb:
    """An arb ball that holds `value`, at the working precision."""
    if isinstance(value, Enclosure):
        if value.lower != value.upper:
            return arb_numbers.ball(value.lower, value.upper)
        return arb_numbers.to_arb(Fraction(value.lower))
    return arb_numbers.to_arb(Fraction(value))


def enclosure(value: arb) -> RationalEnclosure:
    """The rational interval that an arb ball stands for; `Undecided` where it is not finite.

    >>> enclosure(arb(1) / 4).texts()
    ['1/4', '1/4']
    """
    ends = arb_numbers.arb_ends(value)
    if ends is None:
        raise Undecided("a ball grew beyond every bound; narrow the input or raise the precision")
    return RationalEnclosure(*ends)


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
