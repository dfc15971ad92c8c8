"""Intervals in float64, `low` <= true value <= `high` per entry: exponentials, logarithms of limits, differences, all
outward (docs/theory/entropy.md#rounding).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from certify.bounds.rounding import UNIT as U
from certify.entropy.balls import TINY, Balls
from certify.entropy.enclosure import ball, enclosure, working_precision
from certify.entropy.transcendental import exp as exp_of_balls
from certify.entropy.transcendental import exp_points

_SLACK = 1 + 2.0**-45
_FARTHEST = 700.0  # beyond it an exponential is 0 from below, or infinite from above


@dataclass(frozen=True, eq=False)
class Span:
    """Arrays `low` <= true value <= `high`."""

    low: np.ndarray
    high: np.ndarray

    def ball(self) -> Balls:
        """The same as midpoints and radii."""
        mid = self.low + (self.high - self.low) / 2
        return Balls(mid, np.maximum(self.high - mid, mid - self.low) * _SLACK + TINY)


def exp_span(x: Span) -> Span:
    """[e^low, e^high], outward: one exponential at the middle and e^{±w} by their series for w <= 1."""
    mid = x.low + (x.high - x.low) / 2
    w = np.maximum(x.high - mid, mid - x.low) * _SLACK + TINY
    if not ((w <= 1) & (np.abs(mid) < _FARTHEST - 1)).all():
        ends = [exp_of_balls(Balls.exact(np.clip(side, -_FARTHEST, _FARTHEST))) for side in (x.low, x.high)]
        low, high = np.maximum(ends[0].mid - ends[0].rad, 0.0), ends[1].mid + ends[1].rad
        return Span(np.where(x.low < -_FARTHEST, 0.0, low), np.where(x.high > _FARTHEST, np.inf, high))
    middle = exp_points(mid).mid
    half = w * w * 0.5
    # e^-w >= 1 − w + w²/2 − w³/6, e^w <= 1 + w + w²/2 + w³/4 for w <= 1; 2^-45 covers 8 U and the roundings
    return Span(
        middle * (1 - w + half - half * w / 3) * (1 - 2.0**-45), middle * (1 + w + half + half * w / 2) * (1 + 2.0**-45)
    )


@working_precision()
def log_ends(value: Fraction) -> tuple[float, float]:
    """Floats (low, high) around log(value); −inf twice for value <= 0."""
    if value <= 0:
        return -np.inf, -np.inf
    if value == 1:
        return 0.0, 0.0
    found = enclosure(ball(value).log())
    low, high = float(found.lower), float(found.upper)
    return float(np.nextafter(low, -np.inf)), float(np.nextafter(high, np.inf))


def outward(low: Fraction, high: Fraction) -> tuple[float, float]:
    """Floats below and above two rationals."""
    return float(np.nextafter(float(low), -np.inf)) if low > 0 else 0.0, float(np.nextafter(float(high), np.inf))


def difference(a: Span, b: Span) -> Span:
    """a − b, outward."""
    low, high = a.low - b.high, a.high - b.low
    return Span(low - 2 * U * np.abs(low), high + 2 * U * np.abs(high))


def span_at(x: Span, index: np.ndarray | slice) -> Span:
    """The entries at `index`."""
    return Span(x.low[index], x.high[index])
