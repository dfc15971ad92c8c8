"""Positive definiteness on tangent vectors of every symmetric matrix between two bounds, by a float
factor whose residual is bounded (docs/certificate-format.md, 4.5, last paragraph).
"""

from __future__ import annotations

import numpy as np

from certify.checker.fast.numbers import GROW, TINY, UNIT, slop

ATTEMPTS = 6  # vectors y tried


def certainly_positive(diagonal: np.ndarray, low: np.ndarray, high: np.ndarray, last: np.ndarray) -> bool:
    """Whether diag(D) - C > 0 on tangent vectors for all D >= diagonal and symmetric C, low <= C <= high
    (zero diagonals).  `last[k]` is the coordinate of the last action of k's block: a tangent vector
    sums to 0 over a block.  False means not proved.

    With C in mid +- rad and any y > 0, rad is at most diag((rad y)_k / y_k) as a form.  y starts as the
    Perron vector of rad in the metric of D and then follows the directions in which the form is smallest.

    >>> tangent = np.array([1, 1])  # one block of two actions
    >>> certainly_positive(np.ones(2), np.zeros((2, 2)), np.zeros((2, 2)), tangent)
    True
    """
    if not (all(np.isfinite(x).all() for x in (diagonal, low, high)) and (diagonal > 0).all()):
        return False
    last = _eliminated(diagonal, last)
    mid = (low + high) / 2
    rad = np.maximum(high - mid, mid - low) * (1 + 2 * UNIT) + TINY * (high != low)
    root = np.sqrt(diagonal)
    y = approx_perron_vector(rad / root[:, None] / root[None]) / root
    for _ in range(ATTEMPTS):
        penalty = (rad @ y) / y * (1 + slop(len(y))) + TINY
        smaller = diagonal - penalty
        smaller -= UNIT * np.abs(smaller)
        if (smaller > 0).all() and _positive(np.diag(smaller) - mid, last):
            return True
        direction = approx_softest_direction(np.diag(diagonal - penalty) - mid, root, last)
        y = np.sqrt(y * (np.abs(direction) + 0.02 * np.abs(direction).max() / root * root.min()))
    return False


def _eliminated(diagonal: np.ndarray, last: np.ndarray) -> np.ndarray:
    """For every coordinate the one of its block with the smallest entry of D: eliminating the most probable action
    keeps the entries of a block of one size, where those of improbable ones may be 2^50 times larger."""
    order = np.lexsort((diagonal, last))
    blocks, first = np.unique(last[order], return_index=True)
    return order[first][np.searchsorted(blocks, last)]


def approx_perron_vector(matrix: np.ndarray) -> np.ndarray:
    """A positive vector near the Perron vector of a nonnegative symmetric matrix (any positive one is sound)."""
    z, shift = np.ones(len(matrix)), 1e-3 * matrix.max(initial=1e-300)
    for _ in range(40):
        z = matrix @ z + shift * z
        z = z / z.max() + 1e-9
    return z


def approx_softest_direction(matrix: np.ndarray, root: np.ndarray, last: np.ndarray) -> np.ndarray:
    """The tangent direction in which the form is smallest in the metric of D (a guess that needs no proof)."""
    free = np.flatnonzero(last != np.arange(len(last)))
    basis = np.zeros((len(last), len(free)))
    basis[free, np.arange(len(free))] = 1
    basis[last[free], np.arange(len(free))] -= 1
    orthogonal, _ = np.linalg.qr(basis * root[:, None])
    _, vectors = np.linalg.eigh(orthogonal.T @ (matrix / root[:, None] / root[None]) @ orthogonal)
    return orthogonal @ vectors[:, 0] / root


def _positive(matrix: np.ndarray, last: np.ndarray) -> bool:
    """Whether a symmetric float matrix is positive definite on tangent vectors: proved, or not.

    Eliminating one action of every block (coordinate `last`) gives B, entries sums of four, off by E.  After scaling by
    powers of two (exact), B = L L' + (B - L L') with an untrusted float factor L of B - shift: B > 0 if B - L L'
    is strictly diagonally dominant by more than E and the rounding slop(n) abs(L) abs(L)' of the product.
    """
    free = np.flatnonzero(last != np.arange(len(last)))
    if not len(free):
        return True
    end = last[free]
    parts = [matrix[np.ix_(x, z)] for x in (free, end) for z in (free, end)]
    B = parts[0] - parts[1] - parts[2] + parts[3]
    if not (np.diag(B) > 0).all():
        return False
    scale = np.exp2(-np.round(np.log2(np.diag(B)) / 2))
    error = 2 * UNIT * sum(np.abs(part) for part in parts)
    B, error = B * scale[:, None] * scale[None], error * scale[:, None] * scale[None]
    n = len(B)
    for shift in (8 * slop(n) * (np.sqrt(n) + 4), 1e-8):
        try:
            L = np.linalg.cholesky(B - shift * np.eye(n))
        except np.linalg.LinAlgError:
            return False
        size = np.abs(L)
        residual = B - L @ L.T
        rounding = slop(n) * (size @ size.sum(0)) + (UNIT * np.abs(residual) + error).sum(1)
        off = np.abs(residual).sum(1) - np.abs(np.diag(residual))
        if (np.diag(residual) - off * GROW - rounding * GROW - TINY > 0).all():
            return True
    return False
