"""Checks an exhaustive rounding table (docs/theory/entropy.md#rounding).

Everything is recomputed from the definition of the format: every stored value and its rounding
cell, the mean of e^δ over each cell, crossing probabilities, the counts over all 2^23 float32
numbers of a binade (by their low bits), and the clip decision of every stored difference (by the
two real thresholds between which RN(exp d) decides wrongly).  An enclosure in the certificate is
accepted when the checker's own enclosure lies within it.
"""

from bisect import bisect_left, bisect_right
from collections import Counter
from fractions import Fraction
from typing import Any

from certify.checker.entropy.input import larger, span
from certify.checker.numbers.interval import BITS, UNIT, ZERO, Interval, exp, log
from certify.checker.reading.envelope import MAX_INTEGER, Failed, Malformed, array, envelope, integer, rational, record
from certify.checker.verdict import Proof, Run

FORMATS = {"bfloat16": (8, 127), "float16": (11, 15)}  # significand bits, largest exponent
SIDES = ("new", "old", "both")


class Format:
    """The finite values of a 16-bit format, from its significand bits and largest exponent."""

    def __init__(self, name: Any) -> None:
        if not isinstance(name, str) or name not in FORMATS:
            raise Malformed("claim.format", "neither bfloat16 nor float16")
        self.precision, self.largest = FORMATS[name]
        self.smallest = 1 - self.largest

    def spacing(self, exponent: int) -> Fraction:
        """Distance of neighbours in the binade of that exponent."""
        return Fraction(2) ** (max(exponent, self.smallest) - self.precision + 1)

    def magnitudes(self) -> list[Fraction]:
        """All finite values >= 0, ascending, and one spacing beyond the last."""
        values = [k * self.spacing(self.smallest) for k in range(2 ** (self.precision - 1))]
        for exponent in range(self.smallest, self.largest + 1):
            step = self.spacing(exponent)
            values += [k * step for k in range(2 ** (self.precision - 1), 2**self.precision)]
        return [*values, values[-1] + self.spacing(self.largest)]


def log_sinhc(t: Fraction) -> tuple[Fraction, Fraction]:
    """(lower, upper), rationals or an interval, of log(sinh t / t) for a rational t >= 0.

    Below 2^-20: t²/6 − t⁴/180 <= log sinhc t <= t²/6 (product formula of sinh).
    """
    if t < Fraction(1, 2**20):
        square = t * t
        return square / 6 - square * square / 180, square / 6
    x = Interval.of(t)
    found = log((exp(x) - exp(-x)) / (x + x)) if t < 1 else x + log(UNIT - exp(-(x + x))) - log(x + x)
    return Fraction(found.lo, 1 << BITS), Fraction(found.hi, 1 << BITS)


def check_table(certificate: Any, run: Run) -> Proof:
    """The `Proof` of a certificate of kind "entropy-table"; raises `Failed` at the first entry that does not hold."""
    lists = ("cells", "binades", "counted", "decisions")
    envelope(certificate, ("claim", "eps", "nonpositive", "above_minus_64", *lists))
    name = record(certificate["claim"], "claim", ("format",))["format"]
    form = Format(name)
    eps = [rational(e, "eps") for e in array(certificate["eps"], "eps")]
    if any(not 0 < e < 1 for e in eps):
        raise Malformed("eps", "not numbers in (0, 1)")
    magnitudes = form.magnitudes()
    steps = _check_cells(certificate, magnitudes)
    for item in array(certificate["binades"], "binades"):
        _check_binade(item, form, eps)
    for item in array(certificate["counted"], "counted"):
        _check_counted(item, form, eps)
    signed = sorted([-v for v in magnitudes[:-1]] + magnitudes[:-1])
    for item in array(certificate["decisions"], "decisions"):
        _check_decisions(item, magnitudes, signed)
    steps += sum(len(certificate[key]) for key in lists[1:])
    return Proof((f"rounding table of {name}: {steps} entries hold",), steps)


def _holds(low: Fraction, high: Fraction, claimed: Any, where: str) -> None:
    """The numbers low..high lie within the claimed enclosure."""
    a, b = span(claimed, where)
    if not a <= low <= high <= b:
        raise Failed("the claimed enclosure does not hold the recomputed one", step=where)


def _inside(x: Interval, claimed: Any, where: str) -> None:
    _holds(Fraction(x.lo, 1 << BITS), Fraction(x.hi, 1 << BITS), claimed, where)


def _check_cells(certificate: Any, magnitudes: list[Fraction]) -> int:
    cells: Counter[tuple[Fraction, Fraction]] = Counter()
    for k, value in enumerate(magnitudes[:-1]):
        inner = (value - magnitudes[k - 1]) / 2 if k else Fraction(0)
        cells[(magnitudes[k + 1] - value) / 2, inner] += 1
    cells[Fraction(0), Fraction(0)] += 1  # +0 stores 0 only; −0 has the cell above
    if integer(certificate["nonpositive"], "nonpositive", 0, MAX_INTEGER) != sum(cells.values()):
        raise Failed("the number of stored values <= 0 is wrong", step="cells")
    above = bisect_left(magnitudes, 64) - 1
    if integer(certificate["above_minus_64"], "above_minus_64", 0, MAX_INTEGER) != above:
        raise Failed("the number of stored values in (-64, 0) is wrong", step="cells")
    listed: Counter[tuple[Fraction, Fraction]] = Counter()
    for k, item in enumerate(array(certificate["cells"], "cells")):
        where = f"cell {k}"
        record(item, where, ("outer", "inner", "codes", "log_bias"))
        outer, inner = (rational(item[key], where) for key in ("outer", "inner"))
        listed[outer, inner] += integer(item["codes"], where, 1, MAX_INTEGER)
        low, high = log_sinhc((outer + inner) / 2)
        shift = (outer - inner) / 2
        bias = record(item["log_bias"], where, SIDES)
        for side, ends in zip(
            SIDES, ((low + shift, high + shift), (low - shift, high - shift), (2 * low, 2 * high)), strict=True
        ):
            _holds(*ends, bias[side], f"{where}, {side}")
    if listed != cells:
        raise Failed("the cells listed are not those of the format", step="cells")
    return len(cells)


def _crossing_threshold(eps: Fraction, above: bool) -> Interval:
    limit = log(Interval.of(1 + eps if above else 1 - eps))
    return limit if above else -limit


def _check_binade(item: Any, form: Format, eps: list[Fraction]) -> None:
    record(item, "binade", ("exponent", "spacing", "one_side", "both_sides", "crossing"))
    exponent = integer(item["exponent"], "binade", form.smallest, form.largest)
    where = f"binade {exponent}"
    width = form.spacing(exponent)
    if rational(item["spacing"], where) != width:
        raise Failed("the spacing is wrong", step=where)
    factor = exp(Interval.of(*log_sinhc(width / 2)))
    _inside(factor, item["one_side"], f"{where}, one side")
    _inside(factor * factor, item["both_sides"], f"{where}, both sides")
    for e, pair in zip(eps, _pairs(item, eps, where), strict=True):
        for above, claimed in zip((True, False), pair, strict=True):
            share = larger(Interval.of(width) - _crossing_threshold(e, above), ZERO) / Interval.of(width)
            _inside(share.square() * Interval.of(Fraction(1, 2)), claimed, f"{where}, crossing {e}")


def _pairs(item: Any, eps: list[Fraction], where: str) -> list[list[Any]]:
    """One pair (above, below) per eps."""
    return [array(pair, where, 2) for pair in array(item["crossing"], where, len(eps))]


def _error_counts(precision: int) -> Counter[int]:
    """How many of the 2^23 significands in (2^23, 2^24] have each rounding error, in units.

    A significand is q·2^s + low, s = 24 − precision.  Its magnitude goes down for low < 2^(s−1), up
    above, to even at the tie; the numbers are negative, so a magnitude that goes down is an error
    of +low.  (2^24 stands for 2^23: low = 0 in both.)
    """
    s = 24 - precision
    half, kinds = 1 << (s - 1), 1 << (precision - 2)  # as many even as odd q
    counts: Counter[int] = Counter()
    for low in range(1 << s):
        for odd in (0, 1):
            down = low < half or (low == half and not odd)
            counts[low if down else low - (1 << s)] += kinds
    return counts


def _check_counted(item: Any, form: Format, eps: list[Fraction]) -> None:
    record(item, "counted binade", ("exponent", "mean_factor", "mean_error", "crossing"))
    exponent = integer(item["exponent"], "counted binade", max(form.smallest, -126), form.largest - 1)
    where = f"counted binade {exponent}"
    unit = Fraction(2) ** (exponent - 23)
    counts = _error_counts(form.precision)
    size = 1 << 23
    if rational(item["mean_error"], where) != sum(j * c for j, c in counts.items()) * unit / size:
        raise Failed("the mean error is wrong", step=where)
    _inside(_mean_factor(counts, unit, size), item["mean_factor"], f"{where}, mean factor")
    first, last = min(counts), max(counts)
    upto: list[int] = []
    running = 0
    for j in range(first, last + 1):
        running += counts[j]
        upto.append(running)
    for e, pair in zip(eps, _pairs(item, eps, where), strict=True):
        for above, claimed in zip((True, False), pair, strict=True):
            t = _crossing_threshold(e, above) / Interval.of(unit)
            gap = (t.lo >> BITS) + 1
            if gap != (t.hi >> BITS) + 1:
                raise Failed("a clip limit is too close to a rounding error", step=where)
            beyond = sum(counts[j] * upto[j - gap - first] for j in range(first + gap, last + 1))
            if rational(claimed, where) != Fraction(beyond, size * size):
                raise Failed("the counted share is wrong", step=f"{where}, crossing {e}")


def _mean_factor(counts: Counter[int], unit: Fraction, size: int) -> Interval:
    """Σ c_j e^{j·unit} / size, by geometric sums over runs of equal counts."""
    ratio = exp(Interval.of(unit))
    result, start = ZERO, min(counts)
    while start <= max(counts):
        end = start
        while counts[end + 1] == counts[start]:
            end += 1
        length = end - start + 1
        geometric = (exp(Interval.of(length * unit)) - UNIT) / (ratio - UNIT)
        result = result + Interval.of(counts[start]) * exp(Interval.of(start * unit)) * geometric
        start = end + 1
    return result / Interval.of(size)


_DECIDED = ("above_exact", "lost_above", "gained_above", "below_exact", "lost_below", "gained_below")


def _check_decisions(item: Any, magnitudes: list[Fraction], signed: list[Fraction]) -> None:
    record(item, "decisions", ("eps_low", "eps_high", *_DECIDED, "changed"))
    low, high = rational(item["eps_low"], "decisions"), rational(item["eps_high"], "decisions")
    where = f"decisions {low}, {high}"
    if not (0 < low < 1 and 0 < high < magnitudes[-1] - 1):
        raise Malformed(where, "out of range")
    # RN(x) > 1 + ε iff x is above the midpoint of the last stored value <= 1 + ε and the next one
    last = bisect_right(magnitudes, 1 + high) - 1
    first = bisect_left(magnitudes, 1 - low)
    above, stored_above = (_count_above(signed, m) for m in (1 + high, (magnitudes[last] + magnitudes[last + 1]) / 2))
    below, stored_below = (_count_above(signed, m) for m in (1 - low, (magnitudes[first - 1] + magnitudes[first]) / 2))
    lost_above, lost_below = stored_above - above, below - stored_below
    found = [len(signed) - above, lost_above, -lost_above, below, lost_below, -lost_below]
    for key, value in zip(_DECIDED, found, strict=True):
        if integer(item[key], where, 0, MAX_INTEGER) != max(0, value):
            raise Failed(f"{key} is {max(0, value)}", step=where)
    changed = sorted(
        set(signed[min(above, stored_above) : max(above, stored_above)])
        | set(signed[min(below, stored_below) : max(below, stored_below)])
    )
    if [rational(d, where) for d in array(item["changed"], where)] != changed:
        raise Failed("the differences whose decision changes are others", step=where)


def _count_above(signed: list[Fraction], limit: Fraction) -> int:
    """The index of the first stored d with e^d > limit; no d lies within the enclosure of its log."""
    threshold = log(Interval.of(limit))
    low = bisect_left(signed, Fraction(threshold.lo, 1 << BITS))
    if low != bisect_right(signed, Fraction(threshold.hi, 1 << BITS)):
        raise Failed("a stored difference is too close to a clip limit", step="decisions")
    return low
