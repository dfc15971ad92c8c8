"""What the stored numbers of a batch stand for: a value v for every number of its rounding cell
[v − outer, v + inner], widened by the user's bound on its error (docs/recipes.md; docs/theory/entropy.md#rounding).
"""

from __future__ import annotations

import numpy as np

from certify.bounds.rounding import UNIT as U
from certify.entropy.balls import GROW, Balls
from certify.entropy.dump import Column, Dump
from certify.entropy.formats import FloatFormat
from certify.entropy.rows import RowFigures
from certify.entropy.spans import Span
from certify.errors import InputError

CHUNK = 1 << 14  # tokens that are worked on together: their arrays stay in the cache
_EXPONENT, _SIGNIFICAND = 0x7FF << 52, (1 << 52) - 1


def stored_span(column: Column, error: float = 0.0) -> Span:
    """What a stored column stands for: every value's rounding cell, widened by `error` on both sides.

    >>> from certify.entropy.formats import BFLOAT16
    >>> cell = stored_span(Column(np.array([-33.0]), BFLOAT16))
    >>> float(cell.low[0]), float(cell.high[0])
    (-33.125, -32.875)
    """
    values = column.values
    outer, inner = half_cells(values, column.format)
    below, above = np.where(values > 0, inner, outer), np.where(values > 0, outer, inner)
    if error:
        below, above = (below + error) * GROW, (above + error) * GROW
    # exact for 16 and 32 bits; float64 needs the room for one rounding, which 2 U |v| is
    slack = 0.0 if column.format is not None and not error else 2 * U * np.abs(values)
    return Span(values - below - slack, values + above + slack)


def half_cells(values: np.ndarray, format_: FloatFormat | None) -> tuple[np.ndarray, np.ndarray]:
    """(outer, inner) half widths of the rounding cells, away from 0 and towards 0; float64 where `format_` is None.

    Read off the exponent bits: 2^(e − precision), half of that towards 0 below a power of two.  For float64 the cells
    of numbers below 2^-900 are those of 2^-900, which is wider than they are.
    """
    precision, smallest = (53, -900) if format_ is None else (format_.precision, format_.smallest_exponent)
    bits = np.ascontiguousarray(values).view(np.int64)
    exponent = np.maximum(bits & _EXPONENT, (smallest + 1023) << 52)
    outer = (exponent - (precision << 52)).view(np.float64)
    power_of_two = ((bits & _SIGNIFICAND) == 0) & (exponent > (smallest + 1023) << 52)
    return outer, np.where(power_of_two, outer / 2, outer)


def log_probabilities(dump: Dump, figures: RowFigures | Balls | None, error: float) -> Span | None:
    """log π of the sampled tokens: what is stored, or else what the logits give."""
    column = dump.get("logp_train")
    if column is not None:
        return stored_span(column, error)
    if figures is None:
        return None
    x = figures if isinstance(figures, Balls) else figures.log_pi
    rad = (x.rad + error) * GROW
    return Span(x.mid - rad - U * np.abs(x.mid), x.mid + rad + U * np.abs(x.mid))


def needed_log_probabilities(dump: Dump, new: Span | None, why: str) -> Span:
    """`new`, found by `log_probabilities`.  Raises `InputError` where there are none."""
    if new is None:
        raise InputError(dump.path.name, f"no log-probabilities, needed for {why}", "add a column logp_train or logits")
    return new
