"""Positive definiteness as data: an integer factor that addition, product and comparison check.

The residual certificate: with A scaled to integers at 4^bits, L integer lower triangular,
A 4^bits - L L^T strictly diagonally dominant by more than the radius.  Then A = (something
positive semidefinite + something positive definite) / 4^bits for every matrix within the radius.
The factor comes from an untrusted float Cholesky; nothing here trusts LAPACK.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import flint
import numpy as np

DEFAULT_BITS = 36


@dataclass(frozen=True, eq=False)
class DefiniteFactor:
    """What is written down: row i is scaled by 2^-scale[i]; `factor[i]` is row i of L up to the
    diagonal (ints), so that L L^T 2^(scale_i + scale_j) / 4^bits is near A_ij."""

    bits: int
    scale: tuple[int, ...]
    factor: tuple[tuple[int, ...], ...]


def definite_factor(
    mid: np.ndarray, radius: np.ndarray | None = None, bits: int = DEFAULT_BITS
) -> DefiniteFactor | None:
    """A factor that passes `check_definite_factor`, or None if none was found.

    `mid` and `radius` are (n, n) float64.

    >>> definite_factor(np.eye(2)) is not None, definite_factor(-np.eye(2)) is None
    (True, True)
    """
    mid = np.asarray(mid, dtype=np.float64)
    n = len(mid)
    diagonal = mid.diagonal()
    if n and (not np.isfinite(mid).all() or diagonal.min() <= 0):
        return None
    scale = np.round(np.log2(diagonal) / 2).astype(int) if n else np.zeros(0, int)
    scaled = np.ldexp(mid, -(scale[:, None] + scale[None, :]))
    if radius is not None:  # what row i of the residual has to exceed, before anything else
        if not np.isfinite(radius).all():
            return None
        spread = np.ldexp(np.maximum(radius, np.asarray(radius).T), -(scale[:, None] + scale[None, :]))
        scaled[np.diag_indices(n)] -= spread.sum(axis=1)
    least = float(np.linalg.eigvalsh(scaled)[0]) if n else 1.0
    try:
        factor = np.linalg.cholesky(scaled - np.eye(n) * (least / 2))
    except np.linalg.LinAlgError:
        return None
    rows = np.rint(np.ldexp(factor, bits))
    found = DefiniteFactor(
        bits, tuple(int(s) for s in scale), tuple(tuple(int(v) for v in rows[i, : i + 1]) for i in range(n))
    )
    return found if check_definite_factor(mid, radius, found) else None


def check_definite_factor(mid: np.ndarray, radius: np.ndarray | None, proof: DefiniteFactor) -> bool:
    """Whether `proof` shows every symmetric A with |A - mid| <= radius positive definite.

    Exact integer arithmetic only; False claims nothing.

    >>> check_definite_factor(-np.eye(1), None, DefiniteFactor(4, (0,), ((1,),)))
    False
    """
    n = len(mid)
    if len(proof.factor) != n or len(proof.scale) != n or any(len(row) != i + 1 for i, row in enumerate(proof.factor)):
        return False
    if not np.array_equal(mid, np.asarray(mid).T) or not np.isfinite(mid).all():
        return False
    spread = np.zeros((n, n)) if radius is None else np.maximum(radius, np.asarray(radius).T)
    if not np.isfinite(spread).all():
        return False
    L = flint.fmpz_mat(n, n, [v for i, row in enumerate(proof.factor) for v in (*row, *(0,) * (n - i - 1))])
    square = L * L.transpose()
    power = 2 * proof.bits
    for i in range(n):
        margin = Fraction(0)
        for j in range(n):
            exponent = power - proof.scale[i] - proof.scale[j]
            entry = _scaled(mid[i, j], exponent) - int(square[i, j])
            margin += (entry if i == j else -abs(entry)) - _scaled(spread[i, j], exponent)
        if margin <= 0:
            return False
    return True


def _scaled(value: float, exponent: int) -> Fraction:
    """value 2^exponent, exactly."""
    top, bottom = float(value).as_integer_ratio()
    return Fraction(top << exponent, bottom) if exponent >= 0 else Fraction(top, bottom << -exponent)
