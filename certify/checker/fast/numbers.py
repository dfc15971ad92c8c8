"""Float64 arithmetic with proved error bounds for the fast engine (docs/certificate-format.md, 4.4).

Rounding rule used everywhere: with u = 2^-53 every float operation is exact up to a relative u, so
a sum of k products in any order is within gamma_k = k u/(1 - k u) times the sum of the absolute
products.  `slop(k)` is more than twice gamma_(k+7), which also pays for weights that carry a few
relative roundings of their own and for the evaluation of the bound itself.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

UNIT = 2.0**-52  # twice the unit roundoff
GROW = 1 + 2.0**-20  # pays for the rounding of a bound that is itself a float sum of < 2^30 terms
TINY = 1e-150  # pays for underflow: fewer than 2^60 products, each off by at most 2^-1074
SMALLEST_CHANCE, LARGEST_NUMBER, MOST_AGENTS = 1e-100, 1e100, 7  # so that TINY, weighted, is still normal

_LN2 = 0.6931471805599453  # relative error below 0.4 u
_LN2_HIGH = 0.6931471804855391  # 33 bits: its multiples by abs(k) < 2^20 are exact
_LN2_LOW = 7.440617110012397e-11  # the rest, to 53 bits
_ATANH = [1.0 / (2 * j + 1) for j in range(13)]
_EXP = [1.0 / math.factorial(j) for j in range(15)]
LARGEST_EXPONENT = 690.0


class Ball(NamedTuple):
    """Numbers known up to a radius: abs(true - mid) <= rad; `rad` may lack trailing axes of `mid`,
    and then holds for all of them."""

    mid: np.ndarray
    rad: np.ndarray


def slop(terms: int) -> float:
    """A relative bound for the rounding of a sum of `terms` products (module docstring).

    >>> slop(9) == 25 * 2.0**-52
    True
    """
    return (terms + 16) * UNIT


def last_max(x: np.ndarray) -> np.ndarray:
    """x.max(-1): numpy reduces short last axes slowly."""
    found = x[..., 0]
    for k in range(1, x.shape[-1]):
        found = np.maximum(found, x[..., k])
    return found


def second_max(x: np.ndarray) -> np.ndarray:
    """x.max(1) by halves: numpy reduces an axis before a short one slowly.

    >>> second_max(np.array([[3.0, 1.0, 2.0]]))
    array([3.])
    """
    while x.shape[1] > 1:
        half = x.shape[1] // 2
        rest = x[:, 2 * half :]
        x = np.maximum(x[:, :half], x[:, half : 2 * half])
        if rest.shape[1]:
            x[:, :1] = np.maximum(x[:, :1], rest)
    return x[:, 0]


def inflated(x: np.ndarray, terms: int) -> np.ndarray:
    """x + slop(terms) abs(x), and a little more where x is not 0.

    With nonnegative weights W (`terms` of them, none between 0 and 1e-104), the float sum of W times this is an
    upper bound of the exact sum of W x; a sum over zeros stays exactly 0.
    """
    return x + slop(terms) * np.abs(x) + TINY * (x != 0)


def log(x: np.ndarray) -> np.ndarray:
    """log x for positive normal floats; abs(error) <= `log_error(result)`.

    x = m 2^k with m in [1/sqrt 2, sqrt 2), log m = 2 atanh s = 2 s sum s^(2j)/(2j+1) with
    s = (m-1)/(m+1), abs(s) <= 0.1716.  m - 1 is exact (Sterbenz), so s has relative error 2.1 u; the
    tail after 13 terms is below s^26/27/(1-s^2) < 1e-21 relative; the Horner sum starts from 1 and
    s^2 <= 0.03, so its relative error is below 2 u; together log m is within 6 u abs(log m) <= 2.1 u.
    k log 2 is within 1.5 u abs(k) log 2, the last sum adds u abs(result), and abs(k) log 2 <= abs(result) + 0.35:
    less than 4 u (1 + abs(result)), of which `log_error` is four times.
    """
    m, k = np.frexp(x)
    low = m < math.sqrt(0.5)
    m = np.where(low, 2 * m, m)
    k = k - low
    s = (m - 1) / (m + 1)
    z = s * s
    p = np.full_like(z, _ATANH[-1])
    for coefficient in _ATANH[-2::-1]:
        p *= z
        p += coefficient
    return k * _LN2 + 2 * s * p


def log_error(result: np.ndarray) -> np.ndarray:
    """A bound for the absolute error of `log` where it returned `result`."""
    return 8 * UNIT * (1 + np.abs(result))


EXP_ERROR = 16 * UNIT  # relative error of `exp`, with a factor of five to spare


def exp(x: np.ndarray) -> np.ndarray:
    """exp x for abs(x) <= `LARGEST_EXPONENT`, relative error below `EXP_ERROR`.

    k = round(x / log 2), abs(k) < 2^10, r = (x - k high) - k low: k high is exact, x - k high is off by at
    most 0.35 u (exact for abs(k) > 1 by Sterbenz), k low is below 1e-7, so r, abs(r) <= 0.35, is off by
    less than 0.8 u.  Taylor to degree 14 leaves 0.35^15/15! < 2e-19; its Horner evaluation
    is off by less than 2.7 u (each step keeps 0.35 of what came before); divided by e^-0.35 the total
    is below 6 u relative.  The scaling by 2^k is exact: results are normal.
    """
    k = np.rint(x * (1 / _LN2))
    r = (x - k * _LN2_HIGH) - k * _LN2_LOW
    p = np.full_like(r, _EXP[-1])
    for coefficient in _EXP[-2::-1]:
        p *= r
        p += coefficient
    return np.ldexp(p, k.astype(np.int64))
