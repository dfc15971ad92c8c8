"""Checks an exhaustive rounding table (docs/theory/entropy.md#rounding); standard library only.

Everything is recomputed from the definition of the format: every stored value and its rounding
cell, the mean of e^δ over each cell, crossing probabilities, the counts over all 2^23 float32
numbers of a binade (by their low bits), and the clip decision of every stored difference (by the
two real thresholds between which RN(exp d) decides wrongly).  An enclosure in the certificate is
accepted when the checker's own enclosure lies within it.
"""

from bisect import bisect_left, bisect_right
from collections import Counter
from fractions import Fraction

from certify.checker.entropy.input import field, number, span, whole
from certify.checker.kinds.symmetry import Malformed, Rejected
from certify.checker.numbers.interval import BITS, UNIT, ZERO, Interval, exp, log

FORMATS = {"bfloat16": (8, 127), "float16": (11, 15)}  # significand bits, largest exponent
SIDES = ("new", "old", "both")


class Format:
    """The finite values of a 16-bit format, from its significand bits and largest exponent."""

    def __init__(self, name):
        if name not in FORMATS:
            raise Malformed("claim: the format is bfloat16 or float16")
        self.precision, self.largest = FORMATS[name]
        self.smallest = 1 - self.largest

    def spacing(self, exponent):
        """Distance of neighbours in the binade of that exponent."""
        return Fraction(2) ** (max(exponent, self.smallest) - self.precision + 1)

    def magnitudes(self):
        """All finite values >= 0, ascending, and one spacing beyond the last."""
        values = [k * self.spacing(self.smallest) for k in range(2 ** (self.precision - 1))]
        for exponent in range(self.smallest, self.largest + 1):
            step = self.spacing(exponent)
            values += [k * step for k in range(2 ** (self.precision - 1), 2**self.precision)]
        return [*values, values[-1] + self.spacing(self.largest)]


def log_sinhc(t):
    """(lower, upper), rationals or an interval, of log(sinh t / t) for a rational t >= 0.

    Below 2^-20: t²/6 − t⁴/180 <= log sinhc t <= t²/6 (product formula of sinh).
    """
    if t < Fraction(1, 2**20):
        square = t * t
        return square / 6 - square * square / 180, square / 6
    x = Interval.of(t)
    if t < 1:
        found = log((exp(x) - exp(-x)) / (x + x))
    else:
        found = x + log(UNIT - exp(-(x + x))) - log(x + x)
    return Fraction(found.lo, 1 << BITS), Fraction(found.hi, 1 << BITS)


def check_table(certificate):
    """(claim in words, steps checked); raises `Rejected` at the first entry that does not hold."""
    claim = field(certificate, "claim", dict, "certificate")
    name = claim.get("format")
    form = Format(name if isinstance(name, str) else None)
    eps = [number(e, "eps") for e in field(certificate, "eps", list, "certificate")]
    if any(not 0 < e < 1 for e in eps):
        raise Malformed("eps: numbers in (0, 1)")
    magnitudes = form.magnitudes()
    steps = _check_cells(certificate, magnitudes)
    for item in field(certificate, "binades", list, "certificate"):
        _check_binade(item, form, eps)
        steps += 1
    for item in field(certificate, "counted", list, "certificate"):
        _check_counted(item, form, eps)
        steps += 1
    signed = sorted([-v for v in magnitudes[:-1]] + magnitudes[:-1])
    for item in field(certificate, "decisions", list, "certificate"):
        _check_decisions(item, magnitudes, signed)
        steps += 1
    return f"rounding table of {name}: {steps} entries hold", steps


def _holds(low, high, claimed, where):
    """The numbers low..high lie within the claimed enclosure."""
    a, b = span(claimed, where)
    if not a <= low <= high <= b:
        raise Rejected(where, "the claimed enclosure does not hold the recomputed one")


def _inside(x, claimed, where):
    _holds(Fraction(x.lo, 1 << BITS), Fraction(x.hi, 1 << BITS), claimed, where)


def _check_cells(certificate, magnitudes):
    cells = Counter()
    for k, value in enumerate(magnitudes[:-1]):
        inner = (value - magnitudes[k - 1]) / 2 if k else Fraction(0)
        cells[(magnitudes[k + 1] - value) / 2, inner] += 1
    cells[Fraction(0), Fraction(0)] += 1  # +0 stores 0 only; −0 has the cell above
    if field(certificate, "nonpositive", int, "certificate") != sum(cells.values()):
        raise Rejected("cells", "the number of stored values <= 0 is wrong")
    above = bisect_left(magnitudes, 64) - 1
    if field(certificate, "above_minus_64", int, "certificate") != above:
        raise Rejected("cells", "the number of stored values in (-64, 0) is wrong")
    listed = Counter()
    for k, item in enumerate(field(certificate, "cells", list, "certificate")):
        where = f"cell {k}"
        outer, inner = (number(field(item, key, str, where), where) for key in ("outer", "inner"))
        listed[outer, inner] += whole(item.get("codes"), where, 1)
        low, high = log_sinhc((outer + inner) / 2)
        shift = (outer - inner) / 2
        bias = field(item, "log_bias", dict, where)
        for side, ends in zip(SIDES, ((low + shift, high + shift), (low - shift, high - shift), (2 * low, 2 * high))):
            _holds(*ends, bias.get(side), f"{where}, {side}")
    if listed != cells:
        raise Rejected("cells", "the cells listed are not those of the format")
    return len(cells)


def _crossing_threshold(eps, above):
    limit = log(Interval.of(1 + eps if above else 1 - eps))
    return limit if above else -limit


def _check_binade(item, form, eps):
    exponent = field(item, "exponent", int, "binade")
    where = f"binade {exponent}"
    if not form.smallest <= exponent <= form.largest:
        raise Malformed(f"{where}: not a normal binade")
    width = form.spacing(exponent)
    if number(item.get("spacing"), where) != width:
        raise Rejected(where, "the spacing is wrong")
    factor = exp(Interval.of(*log_sinhc(width / 2)))
    _inside(factor, item.get("one_side"), f"{where}, one side")
    _inside(factor * factor, item.get("both_sides"), f"{where}, both sides")
    for e, pair in zip(eps, _pairs(item, eps, where)):
        for above, claimed in zip((True, False), pair):
            share = (Interval.of(width) - _crossing_threshold(e, above)).at_least(ZERO) / Interval.of(width)
            _inside(share.square() * Interval.of(Fraction(1, 2)), claimed, f"{where}, crossing {e}")


def _pairs(item, eps, where):
    pairs = field(item, "crossing", list, where)
    if len(pairs) != len(eps) or any(not isinstance(p, list) or len(p) != 2 for p in pairs):
        raise Malformed(f"{where}: one pair (above, below) per eps")
    return pairs


def _error_counts(precision):
    """How many of the 2^23 significands in (2^23, 2^24] have each rounding error, in units.

    A significand is q·2^s + low, s = 24 − precision.  Its magnitude goes down for low < 2^(s−1), up
    above, to even at the tie; the numbers are negative, so a magnitude that goes down is an error
    of +low.  (2^24 stands for 2^23: low = 0 in both.)
    """
    s = 24 - precision
    half, kinds = 1 << (s - 1), 1 << (precision - 2)  # as many even as odd q
    counts = Counter()
    for low in range(1 << s):
        for odd in (0, 1):
            down = low < half or (low == half and not odd)
            counts[low if down else low - (1 << s)] += kinds
    return counts


def _check_counted(item, form, eps):
    exponent = field(item, "exponent", int, "counted binade")
    where = f"counted binade {exponent}"
    if not max(form.smallest, -126) <= exponent < form.largest:
        raise Malformed(f"{where}: not a normal binade")
    unit = Fraction(2) ** (exponent - 23)
    counts = _error_counts(form.precision)
    size = 1 << 23
    if number(item.get("mean_error"), where) != sum(j * c for j, c in counts.items()) * unit / size:
        raise Rejected(where, "the mean error is wrong")
    _inside(_mean_factor(counts, unit, size), item.get("mean_factor"), f"{where}, mean factor")
    first, last = min(counts), max(counts)
    upto, running = [], 0
    for j in range(first, last + 1):
        running += counts[j]
        upto.append(running)
    for e, pair in zip(eps, _pairs(item, eps, where)):
        for above, claimed in zip((True, False), pair):
            t = _crossing_threshold(e, above) / Interval.of(unit)
            gap = (t.lo >> BITS) + 1
            if gap != (t.hi >> BITS) + 1:
                raise Rejected(where, "a clip limit is too close to a rounding error")
            beyond = sum(counts[j] * upto[j - gap - first] for j in range(first + gap, last + 1))
            if number(claimed, where) != Fraction(beyond, size * size):
                raise Rejected(f"{where}, crossing {e}", "the counted share is wrong")


def _mean_factor(counts, unit, size):
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


def _check_decisions(item, magnitudes, signed):
    low = number(field(item, "eps_low", str, "decisions"), "decisions")
    high = number(field(item, "eps_high", str, "decisions"), "decisions")
    where = f"decisions {low}, {high}"
    if not (0 < low < 1 and high > 0):
        raise Malformed(f"{where}: out of range")
    # RN(x) > 1 + ε iff x is above the midpoint of the last stored value <= 1 + ε and the next one
    last = bisect_right(magnitudes, 1 + high) - 1
    first = bisect_left(magnitudes, 1 - low)
    above, stored_above = (_count_above(signed, m) for m in (1 + high, (magnitudes[last] + magnitudes[last + 1]) / 2))
    below, stored_below = (_count_above(signed, m) for m in (1 - low, (magnitudes[first - 1] + magnitudes[first]) / 2))
    n = len(signed)
    expected = {
        "above_exact": n - above,
        "lost_above": max(0, stored_above - above),
        "gained_above": max(0, above - stored_above),
        "below_exact": below,
        "lost_below": max(0, below - stored_below),
        "gained_below": max(0, stored_below - below),
    }
    for key, value in expected.items():
        if whole(item.get(key), where) != value:
            raise Rejected(where, f"{key} is {value}")
    changed = sorted(
        set(signed[min(above, stored_above) : max(above, stored_above)])
        | set(signed[min(below, stored_below) : max(below, stored_below)])
    )
    if [number(d, where) for d in field(item, "changed", list, where)] != changed:
        raise Rejected(where, "the differences whose decision changes are others")


def _count_above(signed, limit):
    """The index of the first stored d with e^d > limit; no d lies within the enclosure of its log."""
    threshold = log(Interval.of(limit))
    low = bisect_left(signed, Fraction(threshold.lo, 1 << BITS))
    if low != bisect_right(signed, Fraction(threshold.hi, 1 << BITS)):
        raise Rejected("decisions", "a stored difference is too close to a clip limit")
    return low
