"""exp and log of whole float64 arrays with proved error bounds, from + − × ÷ alone (numerics:
numpy's own exp and log carry no guarantee).

log.  x = 2^e m with √½ ≤ m < √2 (up to rounding of √½, which moves nothing below by more than
2^-52).  f = m − 1 is exact (Sterbenz).  s = f/(2 + f) has relative error ≤ 2U + U², |s| ≤ 0.1716.
log m = 2s(1 + z q(z)), z = s² (relative error ≤ 5.1U), q(z) = Σ_{i<11} z^i/(2i + 3); what is cut
off is ≤ z^12/25/(1 − z) < 2^-126 relatively.  By Horner, each step adds relative errors ≤ 2U to a
sum of positive terms whose inner part carries weight ≤ 3z/5 < 0.018, plus 1U for the rounded
coefficient, so q is relatively within 3.3U, zq within 9.5U, and 1 + zq (zq < 0.0102) within
1.1U.  With s and the product: log m within (2 + 1.1 + 1)U < 5U relatively.  LN2_HIGH has 32 bits,
so e·LN2_HIGH is exact; LN2_LOW = fl(log 2 − LN2_HIGH) is within 2^-86; two additions and one
product add ≤ U(|e LN2_LOW| + 2|sum| + ...).  Claimed: |error| ≤ 8U(|log m| + |result|) + |e| 2^-80.

exp.  k = rint(x/log 2), r = (x − k LN2_HIGH) − k LN2_LOW: |r| < 0.3467 with absolute error
< 0.35U + 0.35U + |k|(2^-86 + 2^-33 U) < 0.8U for |x| ≤ 700.  p(r) = Σ_{i≤13} r^i/i!; cut off:
|r|^14/14!·1.03 < 0.04U.  Horner h_i = c_i + r h_{i+1}, |h_i| ≤ 1.42 c_i, the error E_i (in U):
E_i ≤ [c_i rounded] c_i + 0.3467 E_{i+1} + 0.3467·1.42 c_{i+1} + 1.42 c_i, c_0, c_1, c_2 exact:
E_3 < 0.7, E_2 < 1.1, E_1 < 2.1, E_0 < 2.7, relatively 2.7/0.707 < 3.9.  Together with the
reduction and the cut: < 5U relatively.  2^k p is exact in the normal range.  Claimed: 8U
relatively.  (Coefficients enter as the doubles nearest to 1/i!, 1/(2i + 3).)
"""

from __future__ import annotations

from math import factorial

import numpy as np

from certify.entropy.balls import GROW, TINY, Balls, U

_LN2_HIGH = float.fromhex("0x1.62e42feep-1")  # the first 32 bits of log 2
_LN2_LOW = float.fromhex("0x1.a39ef35793c76p-33")  # log 2 minus them, to nearest
_LOG_COEFFICIENTS = [1 / (2 * i + 3) for i in range(11)]
_EXP_COEFFICIENTS = [1 / factorial(i) for i in range(14)]
_LARGEST_EXPONENT = 700.0


def log_points(x: np.ndarray) -> Balls:
    """log of exact positive normal float64 values; nan with radius inf for anything else.

    >>> y = log_points(np.array([2.0]))
    >>> bool(abs(y.mid[0] - 0.6931471805599453) <= y.rad[0] + 1e-16)
    True
    """
    valid = (x >= 2.0**-1022) & (x < np.inf)
    m, e = np.frexp(np.where(valid, x, 1.0))
    small = m < 0.7071067811865476
    m = np.where(small, 2 * m, m)
    e = (e - small).astype(np.float64)
    f = m - 1.0
    s = f / (2.0 + f)
    z = s * s
    q = np.full_like(z, _LOG_COEFFICIENTS[-1])
    for c in reversed(_LOG_COEFFICIENTS[:-1]):
        q = c + z * q
    log_m = 2.0 * (s * (1.0 + z * q))
    mid = e * _LN2_HIGH + (log_m + e * _LN2_LOW)
    rad = (8 * U * (np.abs(log_m) + np.abs(mid)) + np.abs(e) * 2.0**-80) * GROW + TINY
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
