"""exp and log of whole float64 arrays with proved error bounds, from + − × ÷ alone (numerics:
numpy's own exp and log carry no guarantee).

log.  `bounds.rounding.log`, proved there: relative error at most LOG_ROUNDINGS · U for positive
normal numbers.

exp.  k = rint(x/log 2), r = (x − k LN2_HIGH) − k LN2_LOW: |r| < 0.3467 with absolute error
< 0.35U + 0.35U + |k|(2^-86 + 2^-33 U) < 0.8U for |x| ≤ 700.  p(r) = Σ_{i≤13} r^i/i!; cut off:
|r|^14/14!·1.03 < 0.04U.  Horner h_i = c_i + r h_{i+1}, |h_i| ≤ 1.42 c_i, the error E_i (in U):
E_i ≤ [c_i rounded] c_i + 0.3467 E_{i+1} + 0.3467·1.42 c_{i+1} + 1.42 c_i, c_0, c_1, c_2 exact:
E_3 < 0.7, E_2 < 1.1, E_1 < 2.1, E_0 < 2.7, relatively 2.7/0.707 < 3.9.  Together with the
reduction and the cut: < 5U relatively.  2^k p is exact in the normal range.  Claimed: 8U
relatively.  (Coefficients enter as the doubles nearest to 1/i!.)
LN2_HIGH has 32 bits, so k LN2_HIGH is exact; LN2_LOW = fl(log 2 − LN2_HIGH) is within 2^-86.
"""

from __future__ import annotations

from math import factorial

import numpy as np

from certify.bounds import rounding
from certify.bounds.rounding import LOG_ROUNDINGS
from certify.entropy.balls import GROW, TINY, Balls, U

_LN2_HIGH = float.fromhex("0x1.62e42feep-1")  # the first 32 bits of log 2
_LN2_LOW = float.fromhex("0x1.a39ef35793c76p-33")  # log 2 minus them, to nearest
_EXP_COEFFICIENTS = [1 / factorial(i) for i in range(14)]
_LARGEST_EXPONENT = 700.0


def log_points(x: np.ndarray) -> Balls:
    """log of exact positive normal float64 values; nan with radius inf for anything else.

    >>> y = log_points(np.array([2.0]))
    >>> bool(abs(y.mid[0] - 0.6931471805599453) <= y.rad[0] + 1e-16)
    True
    """
    valid = (x >= 2.0**-1022) & (x < np.inf)
    mid = rounding.log(np.where(valid, x, 1.0))
    rad = LOG_ROUNDINGS * U * np.abs(mid) * GROW + TINY
    return Balls(np.where(valid, mid, np.nan), np.where(valid, rad, np.inf))


def exp_points(x: np.ndarray) -> Balls:
    """exp of exact float64 values with |x| <= 700; nan with radius inf beyond.

    >>> y = exp_points(np.array([1.0]))
    >>> bool(abs(y.mid[0] - 2.718281828459045) <= y.rad[0] + 1e-15)
    True
    """
    valid = np.abs(x) <= _LARGEST_EXPONENT
    x = np.where(valid, x, 0.0)
    k = np.rint(x * 1.4426950408889634)
    r = (x - k * _LN2_HIGH) - k * _LN2_LOW
    p = np.full_like(r, _EXP_COEFFICIENTS[-1])
    for c in reversed(_EXP_COEFFICIENTS[:-1]):
        p = c + r * p
    mid = np.ldexp(p, k.astype(np.int32))
    return Balls(np.where(valid, mid, np.nan), np.where(valid, 8 * U * GROW * mid, np.inf))


def exp(x: Balls) -> Balls:
    """exp of balls: e^m (e^r − 1) ≤ e^m r (1 + r) for r ≤ 1 is added to the radius; inf beyond."""
    point = exp_points(x.mid)
    growth = np.where(x.rad <= 1, x.rad * (1 + x.rad), np.inf)
    return Balls(point.mid, (point.rad + (point.mid + point.rad) * growth) * GROW)


def log(x: Balls) -> Balls:
    """log of balls of positive numbers: |log y − log m| ≤ r/(m − r) for |y − m| ≤ r; inf beyond."""
    point = log_points(x.mid)
    room = (x.mid - x.rad) * (1 - 2.0**-48)
    with np.errstate(divide="ignore", invalid="ignore"):
        slack = np.where(room > 0, x.rad / np.where(room > 0, room, 1.0), np.inf)
    return Balls(point.mid, (point.rad + slack) * GROW)
