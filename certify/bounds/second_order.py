"""The cross terms of the Hessian as bilinear sums over joint classes
(docs/theory/hessian.md#the-second-derivative-formula).

For x of agent i at t and x' of agent j at T > t (or T = t, j != i),

    C[(x,a),(x',a')] = sum_e rho_{x,a}(e) F_j(e, a'),

with rho_{x,a}(e) the derivative of the reach of joint class e at T by pi(a|x), and F_j the mean of
Phi_{>= T} given e and a'.  Everything is a sum of products: for nonnegative arguments a result's
defect is `rounding.defect(tables.roundings, ...)`, otherwise the error is at most that multiple of
the same sums over absolute values.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from certify.bounds.policy import Layout
from certify.bounds.recursion import product_without
from certify.bounds.tables import LevelTable, Tables
from certify.errors import InputError

DENSE_ENTRIES = 4_000_000  # larger incidence matrices are kept sparse
DENSE_SPREAD = 50_000  # likewise for factors that are nearly empty: a sparse product is faster
MAX_ENTRIES = 400_000_000  # of the Hessian itself


def check_size(layout: Layout) -> None:
    """Raises `InputError` before an (N, N) matrix would be too large."""
    if layout.size**2 > MAX_ENTRIES:
        raise InputError("Hessian", f"{layout.size:,} policy entries", "cluster the game or shorten the horizon")


def _matrix(rows: np.ndarray, cols: np.ndarray, weights: np.ndarray, shape: tuple[int, int]) -> Any:
    """Sum of the weights at every (row, column), sparse; rows and cols broadcast against weights."""
    where = (np.broadcast_to(rows, weights.shape).ravel(), np.broadcast_to(cols, weights.shape).ravel())
    return sparse.csr_array((weights.ravel(), where), shape=shape)


def _sums(places: np.ndarray, weights: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Sum of the weights at every place of a flattened matrix of that shape."""
    return np.bincount(places.ravel(), weights.ravel(), minlength=shape[0] * shape[1]).reshape(shape)


def through(tables: Tables, factors: list[list[np.ndarray]], reach: list[np.ndarray]) -> list[Any]:
    """Per depth T, (N_<T, E_T): rho for every entry of a shallower block (depth by depth, agent by
    agent), dense or sparse."""
    result: list[Any] = [np.zeros((0, tables.levels[0].size))]
    for t, level in enumerate(tables.levels[:-1]):
        n, size = len(level.counts), tables.levels[t + 1].size
        # the joint policy, then for every agent the others' times the reach
        weights = np.empty((1 + n, level.size, *level.counts))
        weights[0] = product_without(factors[t], ())
        start = reach[t].reshape(level.size, *(1,) * n)
        for i in range(n):
            rest = product_without(factors[t], (i,))
            np.multiply(1.0 if rest is None else rest, start, out=weights[1 + i])
        weights = weights.reshape(1 + n, level.size, -1, 1)
        height = level.size + level.offsets[-1]
        if height * size <= DENSE_ENTRIES and not sparse.issparse(result[t]):
            parts = _sums(level.arrivals, weights * level.probability, (height, size))
            result.append(np.concatenate([result[t] @ parts[: level.size], parts[level.size :]]))
            continue
        rows, shape = np.arange(level.size)[:, None, None], (level.size, size)
        link = _matrix(rows, level.successor, weights[0] * level.probability, shape)
        below = []
        for i, (k, a) in enumerate(level.shapes):
            flow = weights[1 + i] * level.probability
            below.append(_matrix(level.origin[i][:, :, None], level.successor, flow, (k * a, size)))
        result.append(sparse.csr_array(sparse.vstack([sparse.csr_array(result[t] @ link), *below])))
    return result


def cross_sums(
    tables: Tables,
    layout: Layout,
    rho: list[Any],
    reach: list[np.ndarray],
    later: list[list[np.ndarray]],
    equal: list[dict[tuple[int, int], np.ndarray]],
) -> np.ndarray:
    """(N, N) symmetric sums of the module's formula, gamma^T included.

    later : per depth, per agent j, F_j (E, A_j).  equal : per depth and pair i < j, (E, A_i, A_j).
    """
    C = np.zeros((layout.size, layout.size))
    for t, level in enumerate(tables.levels):
        offsets, discount = level.offsets, tables.entry_discount[level.entries[0].start]
        if t:
            block = _dense(rho[t] @ _spread(level, later[t]))
            block *= discount
            row = 0
            for above in (entries for shallower in tables.levels[:t] for entries in shallower.entries):
                stop = row + above.stop - above.start
                for j, own in enumerate(level.entries):
                    _put(C, above, own, block[row:stop, offsets[j] : offsets[j + 1]])
                row = stop
        for (i, j), part in equal[t].items():
            shape = offsets[i + 1] - offsets[i], offsets[j + 1] - offsets[j]
            weights = (discount * reach[t])[:, None, None] * part
            if shape[0] * shape[1] <= DENSE_ENTRIES:
                block = _sums(level.pairs[i, j], weights, shape)
            else:
                rows, cols = level.action_row[i][:, :, None], level.action_row[j][:, None, :]
                block = _matrix(rows, cols, weights, shape).toarray()
            _put(C, level.entries[i], level.entries[j], block)
    return C


def _put(C: np.ndarray, rows: slice, cols: slice, block: np.ndarray) -> None:
    C[rows, cols] = block
    C[cols, rows] = block.T


def _spread(level: LevelTable, F: list[np.ndarray]) -> Any:
    """(E, N_T): F_j(e, a') in the column of (class of e, a'), zero elsewhere."""
    width = level.offsets[-1]
    values = np.concatenate(F, axis=1)
    if level.size * width <= DENSE_SPREAD:
        table = np.zeros(level.size * width)
        table[level.cells] = values
        return table.reshape(level.size, width)
    ends = np.arange(level.size + 1) * values.shape[1]
    return sparse.csr_array((values.ravel(), level.columns.ravel(), ends), shape=(level.size, width))


def _dense(matrix: Any) -> np.ndarray:
    return matrix.toarray() if sparse.issparse(matrix) else matrix
