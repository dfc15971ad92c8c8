"""Counting instead of modelling: every float32 log-probability of a binade is rounded, and every
stored difference d is exponentiated and compared with the clip range (docs/theory/entropy.md#rounding).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from flint import arb

from certify.entropy.enclosure import RationalEnclosure, ball, enclosure, working_precision
from certify.entropy.formats import FLOAT32, FloatFormat
from certify.entropy.transcendental import exp_points
from certify.errors import InputError, Undecided


@dataclass(frozen=True, eq=False)
class BinadeCount:
    """The rounding errors of all 2^23 float32 numbers in [−2^{k+1}, −2^k).

    `counts[j]` of them have (rounded − number) = (j + first) · unit, unit the float32 spacing.
    """

    exponent: int
    unit: Fraction
    first: int
    counts: np.ndarray

    @property
    def total(self) -> int:
        """How many floats were counted."""
        return int(self.counts.sum())

    @working_precision()
    def mean_factor(self) -> RationalEnclosure:
        """The mean of e^δ over all of them."""
        unit, mean = ball(self.unit), arb(0)
        for j in np.flatnonzero(self.counts):
            mean += int(self.counts[j]) * (unit * (int(j) + self.first)).exp()
        return enclosure(mean / self.total)

    def mean_error(self) -> Fraction:
        """The mean of δ itself, exactly (0 where rounding is fair)."""
        index = np.arange(len(self.counts), dtype=np.int64) + self.first
        return Fraction(int((index * self.counts).sum()), self.total) * self.unit

    @working_precision()
    def crossing(self, eps: Fraction, above: bool) -> Fraction:
        """The share of pairs (new, old) of them with e^{δ_new − δ_old} beyond 1 ± ε, exactly.

        The errors are integers j·unit and log(1 ± ε)/unit is not, so a threshold settles a pair.
        """
        if not above and eps >= 1:
            return Fraction(0)
        t = ball(1 + eps).log() if above else -ball(1 - eps).log()
        threshold = (t / ball(self.unit)).floor().unique_fmpz()
        if threshold is None:
            raise Undecided("the clip limit is too close to a multiple of the spacing")
        gap = int(threshold) + 1  # δ_new − δ_old >= gap units (above), <= −gap units (below)
        size = len(self.counts)
        if gap >= size:
            return Fraction(0)
        # counts reversed in sign serve both sides: the number of pairs with difference >= gap
        below = np.cumsum(self.counts)
        pairs = int((self.counts[gap:] * below[: size - gap]).sum())
        return Fraction(pairs, self.total * self.total)


def count_binade(format_: FloatFormat, exponent: int) -> BinadeCount:
    """Round all 2^23 float32 numbers of [−2^{k+1}, −2^k) to `format_` and count the errors.

    The binade must be a normal one of both formats.

    >>> from certify.entropy.formats import BFLOAT16
    >>> count_binade(BFLOAT16, 5).total == 2**23
    True
    """
    if not format_.smallest_exponent <= exponent < min(format_.largest_exponent, FLOAT32.largest_exponent):
        raise InputError("binade", f"exponent {exponent}", f"use a normal binade of {format_.name}")
    significands = np.arange(2**23 + 1, 2**24 + 1, dtype=np.int64)
    numbers = np.ldexp(-significands.astype(np.float64), exponent - 23)
    errors = np.ldexp(format_.round(numbers) - numbers, 23 - exponent).astype(np.int64)  # exact
    first = int(errors.min())
    return BinadeCount(exponent, Fraction(2) ** (exponent - 23), first, np.bincount(errors - first))


def rounded_exponentials(format_: FloatFormat) -> tuple[np.ndarray, np.ndarray]:
    """(d, RN(exp d)) for every code d of a 16-bit format, correctly rounded, proved.

    float64 balls settle nearly all; where a ball holds a rounding boundary, arb decides at rising
    precision (exp of a nonzero rational is irrational, so it is never a tie).  exp(±inf), nan as
    IEEE 754 has them.
    """
    differences = format_.decode(format_.codes())
    with np.errstate(invalid="ignore"):
        balls = exp_points(np.where(np.isfinite(differences), differences, 0.0))
        # mid ± rad rounded once more, so one further ulp outward
        low = format_.round(np.nextafter(balls.mid - balls.rad, -np.inf))
        high = format_.round(np.nextafter(balls.mid + balls.rad, np.inf))
    result = np.where(low == high, low, np.nan)
    result[differences > 700] = np.inf
    result[differences < -700] = 0.0
    result[np.isnan(differences)] = np.nan
    for k in np.flatnonzero((low != high) & (np.abs(differences) <= 700)):
        result[k] = _round_exp(format_, Fraction(float(differences[k])))
    return differences, result


def _round_exp(format_: FloatFormat, d: Fraction) -> float:
    if d == 0:
        return 1.0
    for bits in (128, 256, 1024, 4096):
        with working_precision(bits):
            found = enclosure(ball(d).exp())
        low, high = format_.round_exact(found.lower), format_.round_exact(found.upper)
        if low == high:
            return float("inf") if low is None else float(low)
    raise Undecided(f"exp({d}) is within 2^-4000 of a rounding boundary")


@dataclass(frozen=True)
class ClipCount:
    """How many stored differences d are clipped exactly, and how many decisions rounding changes.

    `above_exact`: finite d with e^d > 1 + ε; `lost_above`: those of them with RN(e^d) <= 1 + ε;
    `gained_above`: e^d <= 1 + ε but RN(e^d) > 1 + ε.  The same below 1 − ε.  `changed` lists the d.
    """

    eps_low: Fraction
    eps_high: Fraction
    above_exact: int
    lost_above: int
    gained_above: int
    below_exact: int
    lost_below: int
    gained_below: int
    changed: tuple[Fraction, ...]


@working_precision()
def clip_decisions(table: tuple[np.ndarray, np.ndarray], eps_low: Fraction, eps_high: Fraction) -> ClipCount:
    """Compare RN(exp d) with the exact clip range [1 − ε_low, 1 + ε_high] for every finite d.

    `table` is what `rounded_exponentials` returns.
    """
    if not 0 <= eps_low < 1 or eps_high < 0:
        raise InputError("eps", f"{eps_low}, {eps_high}", "use 0 <= eps_low < 1 and eps_high >= 0")
    d, rounded = table
    finite = np.isfinite(d)
    d, rounded = d[finite], rounded[finite]
    above = _beyond(d, 1 + eps_high, +1)
    below = _beyond(d, 1 - eps_low, -1)
    stored_above = rounded > _float_floor(1 + eps_high)  # a float exceeds x iff it exceeds x's floor float
    stored_below = -rounded > _float_floor(-(1 - eps_low))
    changed = (above != stored_above) | (below != stored_below)
    return ClipCount(
        eps_low,
        eps_high,
        int(above.sum()),
        int((above & ~stored_above).sum()),
        int((~above & stored_above).sum()),
        int(below.sum()),
        int((below & ~stored_below).sum()),
        int((~below & stored_below).sum()),
        tuple(sorted({Fraction(float(x)) for x in d[changed]})),
    )


def _beyond(d: np.ndarray, limit: Fraction, sign: int) -> np.ndarray:
    """sign·d > sign·log(limit), proved for every entry."""
    if limit == 1:
        return sign * d > 0
    threshold = enclosure(sign * ball(limit).log())
    certain = sign * d > _float_floor(threshold.upper)
    if np.any(certain != (sign * d > _float_floor(threshold.lower))):
        raise Undecided("a stored difference lies within the enclosure of the clip limit's logarithm")
    return certain


def _float_floor(value: Fraction) -> float:
    """The largest float64 that is at most `value`."""
    nearest = float(value)
    return nearest if Fraction(nearest) <= value else float(np.nextafter(nearest, -np.inf))
