"""Extremes over one block: linear functions and the entropy over {l <= pi <= u, sum pi = 1}.

docs/theory/localisation.md#one-block-at-a-time.  Weak duality makes every bound here hold whatever the rounding of its
multiplier: for every real m, sum pi_a c_a <= m + sum_a (u_a (c_a - m)^+ - l_a (m - c_a)^+), and the
least of these over m in {c_1, .., c_A} is the exact maximum (a fractional knapsack).
"""

from __future__ import annotations

import numpy as np

from certify.bounds.rounding import LOG_ROUNDINGS, UNIT, log


def linear_upper(c: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> np.ndarray:
    """(...) upper bounds of max sum_a pi_a c_a over the block; c is (..., A), the ends broadcast.

    Rounding: one multiplier's bound is |m| plus at most A products of a number in [0, 1] with a
    difference of at most 2 max|c|; A + 4 roundings each, so the error is at most
    1.02 (A + 4)(2A + 1) u max|c|, which is added (and 1e-300, more than underflow can lose).

    >>> linear_upper(np.array([1.0, 0.0]), np.array([0.25, 0.25]), np.array([0.5, 1.0])).round(3)
    np.float64(0.5)
    """
    actions = c.shape[-1]
    best = None
    for m in range(actions):
        difference = c - c[..., m : m + 1]
        bound = c[..., m] + (np.where(difference > 0, upper, lower) * difference).sum(axis=-1)
        best = bound if best is None else np.minimum(best, bound)
    slack = 1.03 * (actions + 4) * (2 * actions + 1) * UNIT * np.abs(c).max(axis=-1) if actions > 1 else 0.0
    return best + slack + np.abs(best) * (4 * UNIT) + 1e-300


def linear_lower(c: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> np.ndarray:
    """(...) lower bounds of min sum_a pi_a c_a over the block."""
    return -linear_upper(-c, lower, upper)


def entropy_term(p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(lower, upper) of -p log p for float64 numbers p = 0 or 2^-1000 <= p <= 1, elementwise.

    The logarithm's 10 units and one product; 0 log 0 = 0.
    """
    value = p * -log(np.where(p > 0, p, 1.0))
    return value * (1 - (LOG_ROUNDINGS + 3) * UNIT), value * (1 + (LOG_ROUNDINGS + 3) * UNIT)


def entropy_bounds(lower: np.ndarray, upper: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(K,) lower and upper bounds of H over each of K blocks; the ends are (K, A).

    Above: Gibbs' inequality H(pi) <= -sum pi log q + (sum q - 1) with q the box's flattest point, at
    which it is an equality.  Below: -p log p is concave, so at least its chord over [l, u], and the
    sum of chords is linear: exact where all but one entry sit at an end.

    >>> low, high = entropy_bounds(np.array([[0.0, 0.0]]), np.array([[1.0, 1.0]]))
    >>> bool(low[0] <= 0.0 and 0.6931 < high[0] < 0.6932)
    True
    """
    actions = lower.shape[1]
    if actions == 1:
        return np.zeros(len(lower)), np.zeros(len(lower))
    q = np.clip(_water_level(lower, upper)[:, None], lower, upper)
    excess = np.maximum(q.sum(axis=1) - 1, 0.0) + 2 * actions * UNIT
    high = linear_upper(-log(np.maximum(q, 1e-300)), lower, upper)
    # -log q carries 10 units; q was only raised (never lowered) by the floor of 1e-300
    high = high * (1 + (LOG_ROUNDINGS + 4) * UNIT) + excess + 1e-290
    ends = entropy_term(np.stack([lower, upper]))[0]
    gap = upper - lower
    slope = np.where(gap > 0, (ends[1] - ends[0]) / np.where(gap > 0, gap, 1.0), 0.0)
    offset = np.minimum(ends[0] - slope * lower, ends[1] - slope * upper)
    size = np.abs(offset).sum(axis=1) + 2 * np.abs(slope).max(axis=1)
    low = offset.sum(axis=1) + linear_lower(slope, lower, upper) - 4 * actions * UNIT * (1 + size)
    return np.maximum(low, 0.0), high


def _water_level(lower: np.ndarray, upper: np.ndarray) -> np.ndarray:
    """(K,) s with sum_a clip(s, l_a, u_a) near 1: exact enough to be sharp, trusted by nobody."""
    low, high = np.zeros(len(lower)), np.ones(len(lower))
    for _ in range(50):
        middle = (low + high) / 2
        above = np.clip(middle[:, None], lower, upper).sum(axis=1) > 1
        high, low = np.where(above, middle, high), np.where(above, low, middle)
    return high
