"""Verified definiteness of interval symmetric matrices by a shifted Cholesky factorisation.

S. M. Rump, Verification of positive definiteness, BIT 46 (2006).  `True` is a theorem about every
symmetric matrix within the radius; `False` claims nothing.  Trusted: IEEE binary64 and a
conventional (any order of sums, blocked or not, but no Strassen) Cholesky in LAPACK.
"""

from __future__ import annotations

import numpy as np
import scipy.linalg

from certify.bounds.rounding import UNIT

_UNDERFLOW = 2.0**-1074


def norm_upper(radius: np.ndarray) -> float:
    """An upper bound on the spectral norm of every symmetric matrix with |entries| <= radius.

    That norm is at most the spectral radius of `radius`, which Collatz and Wielandt bound by
    max_k (R y)_k / y_k for any y > 0 (docs/theory/hessian.md#interval-forms); n + 3 roundings of nonnegative numbers.

    >>> norm_upper(np.array([[0.0, 2.0], [2.0, 0.0]])) < 2.0001
    True
    """
    n = len(radius)
    if n == 0 or not radius.any():
        return 0.0
    y = np.ones(n)
    best = np.inf
    for _ in range(6):
        image = radius @ y
        best = min(best, float((image / y).max()))
        y = image / image.max() + 1e-3
    return best * (1 + 1.1 * (n + 4) * UNIT) + n * _UNDERFLOW


def is_positive_definite(mid: np.ndarray, radius: np.ndarray | None = None) -> bool:
    """Whether every symmetric A with |A - mid| <= radius is certainly positive definite.

    False where the test does not succeed: indefinite, too close to singular for the rounding
    errors, too wide, not finite, or `mid` not exactly symmetric.

    Proof.  If Cholesky runs to completion on A' then A' + E = L L^T with |E| <= g |L||L|^T,
    g = gamma_k for k = 2 (n + 4) (which allows for divisions done as two operations), and
    sum_j l_ij^2 <= a'_ii/(1 - g), so ||E|| <= g/(1 - g) tr A' and A' >= -||E||.  Here A' is mid less
    a shift of at least that, the norm of the radius, the rounding of the diagonal and underflow.

    >>> is_positive_definite(np.eye(3)), is_positive_definite(-np.eye(3))
    (True, False)
    >>> is_positive_definite(np.eye(2), np.full((2, 2), 0.6))
    False
    """
    mid = np.asarray(mid, dtype=np.float64)
    n = len(mid)
    if n == 0:
        return True
    if not np.isfinite(mid).all() or not np.array_equal(mid, mid.T):
        return False
    spread = 0.0
    if radius is not None:
        if not np.isfinite(radius).all():
            return False
        spread = norm_upper(np.maximum(radius, radius.T))
    diagonal = mid.diagonal()
    largest = float(np.abs(diagonal).max())
    if diagonal.min() <= spread or largest > 2.0**400:
        return False
    units = 2 * (n + 4) * UNIT
    trace = float(diagonal.sum()) * (1 + n * 1.01 * UNIT)
    shift = spread + 1.1 * units / (1 - units) * trace + 8 * UNIT * (largest + spread)
    shift += 8 * n * (n + 2 + largest) * _UNDERFLOW
    shifted = mid.copy()
    shifted[np.diag_indices(n)] -= shift * (1 + 16 * UNIT)
    try:
        factor = np.linalg.cholesky(shifted)
    except np.linalg.LinAlgError:
        return False
    return bool(np.isfinite(factor).all())


def smallest_eigenvalue_lower(mid: np.ndarray, radius: np.ndarray | None = None) -> float:
    """A lower bound on the least eigenvalue of every symmetric A with |A - mid| <= radius.

    -inf where none is proved.  The shift is put on the diagonal; its rounding is given away.

    >>> 0.99 < smallest_eigenvalue_lower(np.diag([1.0, 2.0])) <= 1.0
    True
    """
    mid = np.asarray(mid, dtype=np.float64)
    n = len(mid)
    if n == 0:
        return np.inf
    if not np.isfinite(mid).all():
        return -np.inf
    spread = 0.0 if radius is None else norm_upper(np.maximum(radius, radius.T))
    if not np.isfinite(spread):
        return -np.inf
    approx_least = float(scipy.linalg.eigvalsh(mid, subset_by_index=[0, 0])[0])
    size = float(np.abs(mid).max())
    slack = 8 * (n + 8) * UNIT * (float(np.abs(mid.diagonal() - approx_least).sum()) + n * size) + 1e-290
    for _ in range(12):
        target = approx_least - slack
        shifted = mid.copy()
        shifted[np.diag_indices(n)] -= target
        if is_positive_definite(shifted):
            return target - spread - 4 * UNIT * (size + abs(target) + spread)
        slack *= 8
    return -np.inf


def largest_eigenvalue_upper(mid: np.ndarray, radius: np.ndarray | None = None) -> float:
    """An upper bound on the largest eigenvalue of every symmetric A with |A - mid| <= radius.

    >>> 2.0 <= largest_eigenvalue_upper(np.diag([1.0, 2.0])) < 2.0001
    True
    """
    return -smallest_eigenvalue_lower(-np.asarray(mid, dtype=np.float64), radius)
