"""The bias that rounding a log-probability puts on an importance ratio, and the probability that
rounding alone crosses the clip range (docs/theory/entropy.md#rounding).

A stored value v stands for ℓ in its cell [v − outer, v + inner] (v <= 0), of width w.  Rounding
the new side multiplies the ratio by e^δ, δ = v − ℓ, rounding the old side by e^{−δ}.  For errors
uniform on the cell, with sinhc(t) = sinh(t)/t,

    new side   E e^δ   = e^{(outer − inner)/2} sinhc(w/2)
    old side   E e^{−δ} = e^{(inner − outer)/2} sinhc(w/2)
    both, independent, from one cell: the product sinhc(w/2)² > 1.

`Upward` is a statement about uniform errors.  If ℓ has density ∝ e^{cℓ} inside a cell with
outer = inner = u/2, the new side's factor is sinhc((1 − c)u/2)/sinhc(cu/2).  sinhc is even and
increasing in |t|, so this is > 1 iff |1 − c| > |c| iff c < 1/2, is 1 at c = 1/2 and < 1 for
c > 1/2: for probabilities uniform on [0, 1] (c = 1) rounding the new side alone is biased
*downward*.  The old side's factor is sinhc((1 + c)u/2)/sinhc(cu/2): > 1 iff c > −1/2.  Both
together are always > 1: log sinhc is strictly convex.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from flint import arb

from certify.entropy.dump import Column
from certify.entropy.enclosure import RationalEnclosure, ball, enclosure, working_precision
from certify.entropy.formats import FloatFormat, nonpositive_cells
from certify.entropy.stored import CHUNK, half_cells
from certify.errors import InputError

SIDES = ("new", "old", "both")


def log_sinhc(t: arb) -> arb:
    """log(sinh t / t) for t >= 0, relatively sharp down to the smallest t.

    Below 2^-20 by t²/6 − t⁴/180 ≤ log sinhc t ≤ t²/6, from sinh t / t = Π_k (1 + t²/(kπ)²) and
    x − x²/2 ≤ log(1 + x) ≤ x.
    """
    if t.is_zero():
        return arb(0)
    if t < ball(Fraction(1, 2**20)):
        square = t * t
        return (square / 6 - square * square / 180).union(square / 6)
    if t < 1:
        return (((t.exp() - (-t).exp()) / 2) / t).log()
    return t + (-(-2 * t).exp()).log1p() - (2 * t).log()


def log_bias(outer: Fraction, inner: Fraction, side: str) -> arb:
    """log of the mean factor on the ratio for errors uniform on the cell; see the module.

    >>> bool(log_bias(Fraction(1, 8), Fraction(1, 8), "new") > 0)
    True
    """
    even = log_sinhc((ball(outer) + ball(inner)) / 2)
    if side == "both":
        return 2 * even
    shift = (ball(outer) - ball(inner)) / 2
    return even + shift if side == "new" else even - shift


def density_log_bias(width: Fraction, c: Fraction, side: str) -> arb:
    """log of the mean factor for a symmetric cell and log-probability density ∝ e^{cℓ} in it.

    >>> bool(density_log_bias(Fraction(1, 4), Fraction(1), "new") < 0)
    True
    """
    half = ball(width) / 2
    base = log_sinhc(abs(ball(c)) * half)
    new, old = log_sinhc(abs(ball(1 - c)) * half) - base, log_sinhc(abs(ball(1 + c)) * half) - base
    return {"new": new, "old": old, "both": new + old}[side]


def density_direction(c: Fraction, side: str) -> str:
    """`upward`, `downward` or `none`: the direction of the bias under density e^{cℓ}, any cell width.

    >>> density_direction(Fraction(0), "new"), density_direction(Fraction(1), "new")
    ('upward', 'downward')
    """
    margin = {"new": Fraction(1, 2) - c, "old": c + Fraction(1, 2), "both": Fraction(1)}[side]
    return "upward" if margin > 0 else "downward" if margin < 0 else "none"


def crossing_probability(width: Fraction, eps: Fraction, above: bool) -> arb:
    """P(e^d > 1 + ε) (or P(e^d < 1 − ε)) for d the difference of two errors uniform on one cell.

    d is triangular on (−w, w) whatever the cell's asymmetry, so the probability is
    (w − t)²/(2w²) where t = |log(1 ± ε)| < w, else 0.

    >>> abs(crossing_probability(Fraction(1, 4), Fraction(1, 10), True) - arb(0.1914)) < arb(1e-4)
    True
    """
    if eps < 0 or (not above and eps > 1):
        raise InputError("eps", f"{eps}", "use a clip range epsilon from 0 to 1")
    if not above and eps == 1:
        return arb(0)
    t = ball(1 + eps).log() if above else -ball(1 - eps).log()
    w = ball(width)
    if t >= w:
        return arb(0)
    share = (w - t) / w
    if not t < w:
        share = share.max(arb(0))
    return share * share / 2


@dataclass(frozen=True, eq=False)
class CellTable:
    """Every finite stored value <= 0 of a format, its cell, and the log-bias of each distinct cell.

    `values`, `outer`, `inner`, `cell` are arrays with one entry per code; `cell` numbers the
    distinct cells, and `log_bias[side][cell]` encloses log E of the ratio's factor.
    """

    format: FloatFormat
    values: np.ndarray
    outer: np.ndarray
    inner: np.ndarray
    cell: np.ndarray
    log_bias: dict[str, tuple[RationalEnclosure, ...]]


@working_precision()
def cell_table(format_: FloatFormat) -> CellTable:
    """The exact mean of e^δ over the rounding cell of every stored value <= 0 (three ways).

    bfloat16 has 32,641 codes and about 510 distinct cells: one arb evaluation per cell and side.
    """
    values, outer, inner = nonpositive_cells(format_)
    pairs, cell = np.unique(np.stack([outer, inner]), axis=1, return_inverse=True)
    shapes = [(Fraction(float(o)), Fraction(float(i))) for o, i in pairs.T]
    bias = {side: tuple(enclosure(log_bias(o, i, side)) for o, i in shapes) for side in SIDES}
    return CellTable(format_, values, outer, inner, cell.reshape(-1), bias)


@dataclass(frozen=True)
class BinadeRow:
    """One binade [−2^{k+1}, −2^k): spacing u, bias factors sinhc(u/2) and its square, crossings.

    `crossing` maps each ε to (P above 1 + ε, P below 1 − ε).
    """

    exponent: int
    spacing: Fraction
    one_side: RationalEnclosure
    both_sides: RationalEnclosure
    crossing: dict[Fraction, tuple[RationalEnclosure, RationalEnclosure]]


@working_precision()
def binade_row(format_: FloatFormat, exponent: int, eps: tuple[Fraction, ...]) -> BinadeRow:
    """The row of one binade for errors uniform on its interior cells.

    >>> from certify.entropy.formats import BFLOAT16
    >>> binade_row(BFLOAT16, 5, (Fraction(1, 5),)).spacing
    Fraction(1, 4)
    """
    spacing = Fraction(format_.spacing(exponent))
    log_factor = log_sinhc(ball(spacing) / 2)
    crossing = {
        e: (enclosure(crossing_probability(spacing, e, True)), enclosure(crossing_probability(spacing, e, False)))
        for e in eps
    }
    return BinadeRow(exponent, spacing, enclosure(log_factor.exp()), enclosure((2 * log_factor).exp()), crossing)


def uniform_bias(new: Column, old: Column, active: np.ndarray) -> tuple[float, float]:
    """Mean over the tokens of E e^{δ_new − δ_old} − 1 for errors uniform on both cells, independent: float ends.

    The factor of a cell depends on its two half widths only: one arb evaluation per pair of cells that occurs
    (`log_bias`).
    """
    (a, new_cells), (b, old_cells) = (_cell_kinds(column, active) for column in (new, old))
    counts = np.bincount(a * len(old_cells) + b, minlength=len(new_cells) * len(old_cells))
    with working_precision():
        new_logs = [log_bias(o, i, "new") for o, i in new_cells]
        old_logs = [log_bias(o, i, "old") for o, i in old_cells]
        total = arb(0)
        for k in np.flatnonzero(counts):
            total += int(counts[k]) * ((new_logs[k // len(old_cells)] + old_logs[k % len(old_cells)]).exp() - 1)
        found = enclosure(total / int(active.sum()))
    return float(np.nextafter(float(found.lower), -np.inf)), float(np.nextafter(float(found.upper), np.inf))


def _cell_kinds(column: Column, active: np.ndarray) -> tuple[np.ndarray, list[tuple[Fraction, Fraction]]]:
    """Which kind of cell every unmasked token is in, and the (outer, inner) of every kind that occurs."""
    values = column.values if active.all() else column.values[active]
    kind = np.empty(len(values), dtype=np.int16)
    for start in range(0, len(values), CHUNK):
        outer, inner = half_cells(values[start : start + CHUNK], column.format)
        kind[start : start + CHUNK] = (outer.view(np.int64) >> 52) * 2 + (inner < outer)
    present = np.flatnonzero(np.bincount(kind, minlength=4096))
    number_of = np.zeros(4096, dtype=np.int32)
    number_of[present] = np.arange(len(present))
    cells = []
    for k in present:
        outer_end = Fraction(2) ** (int(k) // 2 - 1023)
        cells.append((outer_end, outer_end / (2 if k % 2 else 1)))
    return number_of[kind], cells
