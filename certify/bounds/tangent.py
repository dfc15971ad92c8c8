"""Bounds on lambda_max(M(pi, alpha)) over a set of policies: Theorem B's test (docs/theory/hessian.md#theorem-b).

lambda_max(M) is the largest v C v / (v diagonal v) over directions v whose rows sum to 0.  An
upper bound below alpha proves strict concavity; a lower bound above alpha at a stationary policy
proves that it is no maximum.
"""

from __future__ import annotations

import numpy as np

from certify.bounds.definite import largest_eigenvalue_upper, norm_upper
from certify.bounds.hessian import HessianForm
from certify.bounds.policy import Layout
from certify.bounds.rounding import UNIT


def lambda_max_upper(form: HessianForm) -> float:
    """An upper bound, at least 0, on lambda_max(M) for every policy of the form's set.

    lambda_max(M) >= 0 always (its diagonal blocks vanish), so the least `diagonal` is the right
    end.  `inf` where nothing is proved.

    >>> from fractions import Fraction
    >>> from certify.bounds.hessian import hessian
    >>> from certify.games.builtin import builtin
    >>> from certify.games.tree import unroll
    >>> tree = unroll(builtin("lever:2"))
    >>> 0.5 <= lambda_max_upper(hessian(tree, tree.uniform(), Fraction(1))) < 0.5001
    True
    """
    return tangent_eigenvalue_upper(form.mid, form.radius, form.diagonal.lower, form.layout)


def tangent_eigenvalue_upper(mid: np.ndarray, radius: np.ndarray, diagonal: np.ndarray, layout: Layout) -> float:
    """An upper bound, at least 0, on v C v / sum_k diagonal_k v_k^2 for |C - mid| <= radius and
    every v != 0 whose rows sum to 0; (N, N) symmetric, (N,) positive, float64.

    With v = s y, s near diagonal^(-1/2): sum diagonal_k v_k^2 >= (1 - 8 u) |y|^2.  s_i f_j + f_i s_j
    (f one number per row and entry) may be taken off s C s, since sum of s y over a row is 0; f is
    chosen so that what is left nearly annihilates the row's s: then the bound on the whole space
    is sharp on the tangent space.  Roundings of the entries go into the radius.
    """
    if len(mid) == 0:
        return 0.0
    s = 1.0 / np.sqrt(diagonal)
    if not np.isfinite(s).all() or not np.isfinite(radius).all() or not np.isfinite(mid).all():
        return np.inf
    both = np.multiply.outer(s, s)
    scaled = mid * both
    spread = radius * both * (1 + 8 * UNIT) + 4 * UNIT * np.abs(scaled)
    norm = layout.row_sums(s * s)
    row = layout.row_of_entry
    f = np.add.reduceat(s[:, None] * scaled, layout.row_start, axis=0) / norm[:, None]
    double = np.add.reduceat(f * s, layout.row_start, axis=1) / norm
    f = (f - double[:, row] * s / 2)[row]
    taken = s[:, None] * f
    spread += 8 * UNIT * (np.abs(scaled) + np.abs(taken) + np.abs(taken.T))
    matrix = scaled - taken - taken.T
    matrix = (matrix + matrix.T) / 2
    bound = largest_eigenvalue_upper(matrix)
    return max(0.0, (bound + norm_upper(np.maximum(spread, spread.T))) * (1 + 16 * UNIT))


def lambda_max_lower(form: HessianForm) -> float:
    """A lower bound on lambda_max(M) for every policy of the form's set (-inf if none is proved).

    The Rayleigh quotient of one direction, near the top eigenvector of the middle, whose entries
    are multiples of 2^-40 so that its rows sum to exactly 0.

    >>> from fractions import Fraction
    >>> from certify.bounds.hessian import hessian
    >>> from certify.games.builtin import builtin
    >>> from certify.games.tree import unroll
    >>> tree = unroll(builtin("lever:2"))
    >>> 0.4999 < lambda_max_lower(hessian(tree, tree.uniform(), Fraction(1))) <= 0.5
    True
    """
    v = approx_top_direction(form)
    if not v.any() or not np.isfinite(form.radius).all():
        return -np.inf
    size, n = np.abs(v), len(v)
    units = 1.02 * (n * n + n + 8) * UNIT
    cross = float(v @ form.mid @ v)
    cross -= float(size @ form.radius @ size) * (1 + units) + units * float(size @ np.abs(form.mid) @ size)
    norm = form.diagonal.upper if cross >= 0 else form.diagonal.lower
    norm = float((norm * v * v).sum()) * (1 + units if cross >= 0 else 1 - units)
    if not norm > 0:  # a policy so extreme that its metric underflows
        return -np.inf
    return cross / norm - 8 * UNIT * abs(cross / norm)


def approx_top_direction(form: HessianForm) -> np.ndarray:
    """(N,) float64 direction (rows sum to exactly 0) that nearly maximises the quotient.  Not a bound."""
    layout = form.layout
    s = 1.0 / np.sqrt((form.diagonal.lower + form.diagonal.upper) / 2)
    row, norm = layout.row_of_entry, layout.row_sums(s * s)

    def project(matrix: np.ndarray) -> np.ndarray:
        return (
            matrix - s[:, None] * (np.add.reduceat(s[:, None] * matrix, layout.row_start, axis=0) / norm[:, None])[row]
        )

    matrix = project(project(form.mid * np.multiply.outer(s, s)).T)
    top = np.linalg.eigh((matrix + matrix.T) / 2)[1][:, -1]
    v = s * top
    v = np.round(v / max(np.abs(v).max(), 1e-300) * 2.0**40) / 2.0**40
    sums = layout.row_sums(v)  # exact: multiples of 2^-40 below 2^12
    last = np.append(layout.row_start[1:], layout.size) - 1
    v[last] -= sums
    return v
