"""A-priori rounding bounds for float64 arrays, and a vectorised logarithm with a proved error.

No directed rounding is used.  What is assumed: IEEE binary64 +, -, *, / and sqrt rounded to
nearest, sums in any order, fused or not, as numpy, BLAS and LAPACK perform them (no Strassen).

Notation: u = 2^-53.  A computed x^ has *defect* X < 1 with respect to a true x >= 0 when
x / x^ lies in [1 - X, 1/(1 - X)].  Then
  - one rounding is a factor 1 + d, |d| <= u, hence a defect of at most u/(1 - u) < 1.01 u, and
    rounding a rational to nearest likewise;
  - defects of factors and of later roundings add: (1 - X)(1 - Y) >= 1 - (X + Y);
  - the sum of nonnegative terms with defect X has defect X plus one rounding for each addition
    of two nonzero numbers that a term passes through, at most the number of nonzero terms;
    adding zeros is exact.
So a sum of products of nonnegative numbers, k roundings deep, has defect 1.01 k u (the a-priori
bound gamma_k; N. Higham, Accuracy and Stability of Numerical Algorithms, section 3.1).
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

UNIT = 2.0**-53
LOG_ROUNDINGS = 10  # `log` has a relative error of at most this many units
LARGEST_DEFECT = 2.0**-20  # beyond it float64 bounds would be worthless: callers then use arb

# ln 2 = _LN2_HI + _LN2_LO (1 + d): k _LN2_HI is exact for |k| < 2^20 (the two constants of fdlibm).
_LN2_HI = float.fromhex("0x1.62e42fee00000p-1")
_LN2_LO = float.fromhex("0x1.a39ef35793c76p-33")
_SQRT_HALF = math.sqrt(0.5)
_SERIES = tuple(1.0 / (2 * k + 1) for k in range(10, -1, -1))


def defect(roundings: int, extra: float = 0.0) -> float:
    """The defect of a nonnegative sum of products, `roundings` deep, whose data add `extra`.

    Raises `ValueError` above 2^-20.

    >>> defect(100) < 1.2e-14
    True
    """
    total = (1.02 * roundings * UNIT + extra) * (1 + 8 * UNIT)
    if not total <= LARGEST_DEFECT:
        raise ValueError(f"a defect of {total} is too large for float64 bounds")
    return total


def widened(defect_: float) -> float:
    """`r` with `|x - x^| <= r x^` for every x^ of that defect: X/(1 - X), rounded up.

    >>> widened(0.0)
    0.0
    """
    return defect_ / (1.0 - defect_) * (1 + 8 * UNIT)


def float_up(value: Fraction | int) -> float:
    """The nearest float64 that is not below `value`.

    >>> Fraction(float_up(Fraction(1, 10))) >= Fraction(1, 10)
    True
    """
    rounded = float(value)
    return rounded if Fraction(rounded) >= value else math.nextafter(rounded, math.inf)


def float_down(value: Fraction | int) -> float:
    """The nearest float64 that is not above `value`."""
    return -float_up(-value)


def log(p: np.ndarray) -> np.ndarray:
    """Natural logarithm, elementwise, of positive finite float64 numbers: relative error <= 10 u.

    Write p = m 2^k with m in [sqrt(1/2), sqrt 2) (exact up to the choice at the ends, which only
    has to keep |s| <= 0.1716), s = (m - 1)/(m + 1), z = s^2 <= 0.02945 and
    log m = 2 s sum_j z^j/(2j + 1).  m - 1 is exact (Sterbenz), so s has a relative error of 2 u and
    z of 5 u (to first order).  The terms after j = 10 add at most z^11/(23 (1 - z)) < 1e-17 < u/10.
    Horner's rule on positive coefficients: term j passes 2j + 1 roundings, has j factors z and one
    rounded coefficient, so the sum's relative error is at most
    u (1 + sum_{j>0} z^j (7j + 2)/(2j + 1)) < 1.1 u.  Hence log m has a relative error below
    (2 + 1.1 + 0.1 + 1) u < 5 u.  For k = 0 that is all.  Otherwise |log p| >= 0.3465 >= |log m|
    (to 1 part in 10^3), k _LN2_HI is exact, |k _LN2_LO| < 2.1e-7 carries a relative error of 3 u,
    and two additions remain: in all at most (5 + 1 + 1) 1.01 u + 1e-6 u < 10 u of |log p|.

    >>> bool(abs(log(np.array([2.0]))[0] - 0.6931471805599453) < 1e-15)
    True
    """
    m, k = np.frexp(p)
    low = m < _SQRT_HALF
    m = np.where(low, m + m, m)
    k = (k - low).astype(np.float64)
    s = (m - 1.0) / (m + 1.0)
    z = s * s
    series = np.full_like(z, _SERIES[0])
    for coefficient in _SERIES[1:]:
        series *= z
        series += coefficient
    s += s
    series *= s
    series += k * _LN2_LO
    series += k * _LN2_HI
    return series


def outward(mid: np.ndarray, radius: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Float64 arrays (lower, upper) that contain [mid - radius, mid + radius] exactly.

    One addition errs by at most half a unit in the last place, which one `nextafter` covers.

    >>> low, high = outward(np.array([1.0]), np.array([2.0**-60]))
    >>> bool(low[0] < 1.0 < high[0])
    True
    """
    lower, upper = mid - radius, mid + radius
    if isinstance(lower, np.ndarray):  # in place: large matrices would pay for two more copies
        return np.nextafter(lower, -np.inf, out=lower), np.nextafter(upper, np.inf, out=upper)
    return np.nextafter(lower, -np.inf), np.nextafter(upper, np.inf)
