"""bfloat16, float16 and float32 as exact sets of numbers: decoding, round to nearest even, and the
rounding cell of every stored value (docs/theory/entropy.md#rounding; IEEE 754-2019, sections 3 and 4.3.1).

Every stored value and every cell boundary of the three formats is a float64, so arrays of float64
hold them exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from certify.errors import InputError


@dataclass(frozen=True)
class FloatFormat:
    """A binary interchange format: `precision` counts the hidden bit, `bits` the whole code."""

    name: str
    bits: int
    precision: int

    @property
    def exponent_bits(self) -> int:
        """Bits of the exponent: all but the sign and the stored fraction."""
        return self.bits - self.precision

    @property
    def largest_exponent(self) -> int:
        """Exponent of the binade of the largest finite values."""
        return 2 ** (self.exponent_bits - 1) - 1

    @property
    def smallest_exponent(self) -> int:
        """Exponent of the smallest normal binade; below it values are subnormal."""
        return 1 - self.largest_exponent

    @property
    def largest(self) -> float:
        """The largest finite value."""
        return float((2 - 2.0 ** (1 - self.precision)) * 2.0**self.largest_exponent)

    def spacing(self, exponent: int) -> float:
        """Distance of neighbours in the binade [2^exponent, 2^(exponent + 1))."""
        return 2.0 ** (max(exponent, self.smallest_exponent) - self.precision + 1)

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """The values of `codes` as float64, infinities and nan included.

        >>> BFLOAT16.decode(np.array([0x3F80, 0xC000, 0x0001])).tolist()
        [1.0, -2.0, 9.183549615799121e-41]
        """
        codes = np.asarray(codes, dtype=np.int64)
        fraction_bits = self.precision - 1
        fraction = codes & ((1 << fraction_bits) - 1)
        exponent = (codes >> fraction_bits) & ((1 << self.exponent_bits) - 1)
        sign = np.where(codes >> (self.bits - 1), -1.0, 1.0)
        normal = exponent > 0
        significand = (fraction + normal * (1 << fraction_bits)).astype(np.float64)
        power = np.maximum(exponent, 1) + self.smallest_exponent - 1 - fraction_bits
        value = np.ldexp(significand, power.astype(np.int32))
        special = exponent == (1 << self.exponent_bits) - 1
        return sign * np.where(special, np.where(fraction == 0, np.inf, np.nan), value)

    def codes(self) -> np.ndarray:
        """All codes, for formats of 16 bits."""
        return np.arange(1 << self.bits, dtype=np.int64)

    def round(self, values: np.ndarray) -> np.ndarray:
        """Round float64 values to the format, to nearest, ties to even; beyond the range to ±inf.

        >>> BFLOAT16.round(np.array([1.00390625, 1.01171875, 1e39])).tolist()
        [1.0, 1.015625, inf]
        """
        values = np.asarray(values, dtype=np.float64)
        finite = np.isfinite(values)
        safe = np.where(finite, values, 0.0)
        _, exponent = np.frexp(safe)
        quantum = np.maximum(exponent - 1, self.smallest_exponent) - self.precision + 1
        # scaling by powers of two is exact here: |safe| / 2^quantum < 2^precision or is tiny
        rounded = np.ldexp(np.rint(np.ldexp(safe, -quantum)), quantum)
        rounded = np.where(np.abs(rounded) > self.largest, np.copysign(np.inf, safe), rounded)
        return np.where(finite, rounded, values)

    def round_exact(self, value: Fraction) -> Fraction | None:
        """The same for one rational; None where it overflows to an infinity.

        >>> BFLOAT16.round_exact(Fraction(1, 3))
        Fraction(171, 512)
        """
        if value == 0:
            return value
        magnitude = abs(value)
        exponent = magnitude.numerator.bit_length() - magnitude.denominator.bit_length()
        if Fraction(2) ** exponent > magnitude:
            exponent -= 1
        quantum = Fraction(2) ** (max(exponent, self.smallest_exponent) - self.precision + 1)
        rounded = round(value / quantum) * quantum  # Fraction's round is to nearest, ties to even
        return rounded if abs(rounded) <= Fraction(self.largest) else None

    def cell(self, value: Fraction) -> tuple[Fraction, Fraction]:
        """(outer, inner): numbers within `outer` away from 0 and `inner` towards 0 round to `value`.

        For 0 the cell is cut at 0 (log-probabilities are at most 0): inner = 0.  A power of two has
        inner = outer / 2 unless it is the smallest normal number.
        """
        if value == 0:
            return Fraction(self.spacing(self.smallest_exponent)) / 2, Fraction(0)
        magnitude = abs(value)
        exponent = magnitude.numerator.bit_length() - magnitude.denominator.bit_length()
        spacing = Fraction(self.spacing(exponent))
        power_of_two = (
            magnitude.numerator & (magnitude.numerator - 1) == 0
            and magnitude.denominator & (magnitude.denominator - 1) == 0
            and Fraction(2) ** exponent == magnitude
        )
        if not power_of_two and Fraction(2) ** exponent > magnitude:
            spacing = Fraction(self.spacing(exponent - 1))
        halved = power_of_two and exponent > self.smallest_exponent
        return spacing / 2, spacing / (4 if halved else 2)


BFLOAT16 = FloatFormat("bfloat16", 16, 8)
FLOAT16 = FloatFormat("float16", 16, 11)
FLOAT32 = FloatFormat("float32", 32, 24)
FORMATS = {f.name: f for f in (BFLOAT16, FLOAT16, FLOAT32)}


def find_format(name: str) -> FloatFormat:
    """The format of that name; `InputError` lists the known ones otherwise."""
    if name not in FORMATS:
        raise InputError("format", f"{name!r} is unknown", f"use one of {', '.join(FORMATS)}")
    return FORMATS[name]


def nonpositive_cells(format_: FloatFormat) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All finite stored values <= 0 with their cells: arrays (value, outer, inner), one per code.

    −0 is what negative numbers near 0 round to; +0 stores the number 0 only, so its cell is {0}.
    bfloat16 has 32,641 such codes, 17,023 of them in (−64, 0).
    """
    codes = np.concatenate([[0], np.arange(1 << (format_.bits - 1), 1 << format_.bits)])
    values = format_.decode(codes)
    finite = np.isfinite(values)
    values = values[finite]
    _, exponent = np.frexp(values)
    exponent = np.where(values == 0, format_.smallest_exponent, exponent - 1)
    quantum = np.maximum(exponent, format_.smallest_exponent) - format_.precision + 1
    outer = np.ldexp(0.5, quantum)
    mantissa, _ = np.frexp(np.abs(values))
    halved = (mantissa == 0.5) & (exponent > format_.smallest_exponent)
    inner = np.where(halved, outer / 2, outer)
    inner[values == 0] = 0.0
    outer[0] = 0.0  # the code of +0
    return values, outer, inner
