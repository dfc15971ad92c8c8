"""Whole arrays of balls (midpoint, radius) in float64, with radii that are proved to hold every
rounding error: the fast lane for thousands of policies (docs/theory/entropy.md#finite-steps; numerics).

What is trusted: IEEE 754 double precision, round to nearest, for + − × ÷ on array elements, and
exact `ldexp`, `frexp`, `rint`.  numpy's exp and log are not used.  With U = 2^-53 one operation
has |fl(x) − x| ≤ U|x| ≤ U(1 + 2U)|fl(x)|, plus at most 2^-1075 where products underflow.  A radius
is a sum of non-negative terms made with at most 8 roundings, so multiplying it by GROW = 1 + 2^-48
more than covers its own rounding; TINY = 2^-1000 covers underflow.  A midpoint or radius that
overflows becomes inf or nan, and no comparison with it is ever true: undecided, never wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from certify.bounds.rounding import UNIT as U

GROW = 1 + 2.0**-48
TINY = 2.0**-1000


@dataclass(frozen=True, eq=False)
class Balls:
    """Arrays `mid`, `rad` of one shape: the true values lie within mid ± rad.

    >>> x = Balls.exact([1.0, 2.0]) / Balls.exact([3.0, 3.0])
    >>> bool(np.all(abs(x.mid * 3 - [1, 2]) < 1e-15)), bool(np.all(x.rad < 1e-16))
    (True, True)
    """

    mid: np.ndarray
    rad: np.ndarray

    @classmethod
    def exact(cls, values: np.ndarray | list | float) -> Balls:
        """float64 values taken as the exact numbers that they are."""
        mid = np.asarray(values, dtype=np.float64)
        return cls(mid, np.zeros_like(mid))

    @property
    def magnitude(self) -> np.ndarray:
        """Upper bounds of |x|."""
        return (np.abs(self.mid) + self.rad) * GROW

    def __neg__(self) -> Balls:
        return Balls(-self.mid, self.rad)

    def __add__(self, other: Balls) -> Balls:
        mid = self.mid + other.mid
        return Balls(mid, (self.rad + other.rad + U * np.abs(mid)) * GROW)

    def __sub__(self, other: Balls) -> Balls:
        return self + (-other)

    def __mul__(self, other: Balls) -> Balls:
        # |xy − ab| ≤ (|a| + r)s + |b|r for |x − a| ≤ r, |y − b| ≤ s
        mid = self.mid * other.mid
        rad = (np.abs(self.mid) + self.rad) * other.rad + np.abs(other.mid) * self.rad + U * np.abs(mid)
        return Balls(mid, rad * GROW + TINY)

    def __truediv__(self, other: Balls) -> Balls:
        # |x/y − a/b| ≤ (r + |a/b| s)/(|b| − s); a divisor that may be 0 gives radius inf
        mid = self.mid / other.mid
        room = (np.abs(other.mid) - other.rad) * (1 - 2.0**-48)
        room = np.where(room > 0, room, 0.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            rad = (self.rad + np.abs(mid) * other.rad) / room + U * np.abs(mid)
        return Balls(mid, rad * GROW + TINY)

    def shifted(self, constant: np.ndarray) -> Balls:
        """x − constant, the constant exact."""
        mid = self.mid - constant
        return Balls(mid, (self.rad + U * np.abs(mid)) * GROW)

    def sum(self) -> Balls:
        """Sums along the last axis, which stays with length 1; any summation order is covered."""
        n = self.mid.shape[-1]
        mid = self.mid.sum(axis=-1, keepdims=True)
        spread = self.rad.sum(axis=-1, keepdims=True) + (n + 1) * U * np.abs(self.mid).sum(axis=-1, keepdims=True)
        return Balls(mid, spread * (1 + (n + 8) * 2.0**-50))

    def signs(self) -> np.ndarray:
        """1 or −1 where the sign is proved, 0 where it is not (int8)."""
        return (self.mid > self.rad).astype(np.int8) - (self.mid < -self.rad).astype(np.int8)


def upper_sum(values: np.ndarray) -> np.ndarray:
    """Upper bounds of sums of non-negative numbers along the last axis (kept, length 1)."""
    n = values.shape[-1]
    return values.sum(axis=-1, keepdims=True) * (1 + (n + 8) * 2.0**-51)


def number(value: Fraction) -> Balls:
    """A rational as a ball of shape (1,)."""
    mid = np.array([float(value)])
    return Balls(mid, np.abs(mid) * 2 * U + TINY if Fraction(float(value)) != value else np.zeros(1))


def segment_sum(x: Balls, segment: np.ndarray, count: int) -> Balls:
    """Sums over segments (numbers 0..count−1 per entry), as balls (count,); any order of summation."""
    mid = np.bincount(segment, weights=x.mid, minlength=count)
    size = np.bincount(segment, minlength=count).max(initial=0)
    rad = np.bincount(segment, weights=x.rad + (size + 2) * U * np.abs(x.mid), minlength=count)
    return Balls(mid, rad * (1 + (size + 8) * 2.0**-50) + TINY)


def root(x: Balls) -> Balls:
    """Square roots of numbers that are at least 0 (np.sqrt is rounded correctly, IEEE 754)."""
    mid = np.sqrt(np.maximum(x.mid, 0.0))
    sure = x.mid > x.rad
    rad = np.where(sure, x.rad / np.where(sure, mid, 1.0), np.sqrt(np.maximum(x.mid, 0.0) + x.rad))
    return Balls(mid, (rad + 2 * U * mid) * GROW + TINY)


def at(x: Balls, index: np.ndarray | slice) -> Balls:
    """The entries at `index`."""
    return Balls(x.mid[index], x.rad[index])


def off_mean(x: Balls) -> Balls:
    """x − mean x, along one axis."""
    count = len(x.mid)
    return x - segment_sum(x, np.zeros(count, dtype=np.int64), 1) / Balls.exact([float(count)])


def zeroed(x: Balls, where: np.ndarray) -> Balls:
    """The same, exactly 0 at `where`."""
    return Balls(np.where(where, 0.0, x.mid), np.where(where, 0.0, x.rad))
