"""The cross-play estimate that papers report for a matrix of runs: disjoint pairs.

Statistics, not a certificate: it says what the runs at hand show (docs/theory/symmetry.md#cross-play).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from certify.errors import InputError


@dataclass(frozen=True)
class PairEstimate:
    """The cross-play estimate that papers report: `pairs` m, `mean`, `variance_of_mean` (exact) and
    its square root (None for m = 1)."""

    pairs: int
    mean: Fraction
    variance_of_mean: Fraction | None
    approx_standard_error: float | None


def disjoint_pairs(matrix: Sequence[Sequence[Fraction]]) -> PairEstimate:
    """Cross-play of N independent runs from disjoint pairs: runs (0, 1), (2, 3), …

    `matrix[j][k]` is the return of agent 1 of run j with agent 2 of run k.  m = floor(N/2) pairs,
    the mean of the symmetrised entries, and their standard error with ddof = 1.  Disjoint pairs are
    independent, all N(N − 1) entries are not.  Raises `InputError` for fewer than two runs.

    >>> runs = [[Fraction(v) for v in row] for row in ([9, 1, 0, 0], [3, 9, 0, 0], [0, 0, 9, 4], [0, 0, 4, 9])]
    >>> estimate = disjoint_pairs(runs)
    >>> estimate.pairs, estimate.mean, estimate.variance_of_mean
    (2, Fraction(3, 1), Fraction(1, 1))
    """
    if len(matrix) < 2 or any(len(row) != len(matrix) for row in matrix):
        raise InputError("runs", "not a square matrix of at least two runs", "give N rows of N returns, N >= 2")
    entries = [(Fraction(matrix[k][k + 1]) + Fraction(matrix[k + 1][k])) / 2 for k in range(0, len(matrix) - 1, 2)]
    m = len(entries)
    mean = sum(entries, Fraction(0)) / m
    if m == 1:
        return PairEstimate(1, mean, None, None)
    variance = sum(((e - mean) ** 2 for e in entries), Fraction(0)) / (m - 1) / m
    return PairEstimate(m, mean, variance, float(variance) ** 0.5)
