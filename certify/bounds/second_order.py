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
    """Sum of the weights at every (row, column); rows and cols broadcast against weights."""
    if shape[0] * shape[1] <= DENSE_ENTRIES:
        index = np.broadcast_to(rows * shape[1] + cols, weights.shape)
        return np.bincount(index.ravel(), weights.ravel(), minlength=shape[0] * shape[1]).reshape(shape)
    where = (np.broadcast_to(rows, weights.shape).ravel(), np.broadcast_to(cols, weights.shape).ravel())
    return sparse.csr_array((weights.ravel(), where), shape=shape)


def through(tables: Tables, factors: list[list[np.ndarray]], reach: list[np.ndarray]) -> list[Any]:
    """Per depth T, (N_<T, E_T): rho for every entry of a shallower block (depth by depth, agent by
    agent), dense or sparse."""
    result: list[Any] = [np.zeros((0, tables.levels[0].size))]
    for t, level in enumerate(tables.levels[:-1]):
        size, n = tables.levels[t + 1].size, len(level.counts)
        shape = (level.size, *level.counts)
        parts = []
        for left_out in [()] + [(i,) for i in range(n)]:
            rest = product_without(factors[t], left_out)
            joint = np.ones((level.size, 1)) if rest is None else np.broadcast_to(rest, shape).reshape(level.size, -1)
            if left_out:
                joint = joint * reach[t][:, None]
                rows, height = (
                    level.origin[left_out[0]][:, :, None],
                    level.classes[left_out[0]] * level.counts[left_out[0]],
                )
            else:
                rows, height = np.arange(level.size)[:, None, None], level.size
            parts.append(_matrix(rows, level.successor, joint[:, :, None] * level.probability, (height, size)))
        above = result[t] @ parts[0]
        stack = [above, *parts[1:]]
        dense = not any(sparse.issparse(part) for part in stack)
        result.append(np.concatenate(stack) if dense else sparse.csr_array(sparse.vstack(stack)))
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
        offsets = np.concatenate(([0], np.cumsum([k * a for k, a in level.shapes])))
        discount = tables.entry_discount[level.entries[0].start]
        if t:
            block = discount * _dense(rho[t] @ _spread(level, later[t], offsets))
            row = 0
            for above in (entries for shallower in tables.levels[:t] for entries in shallower.entries):
                stop = row + above.stop - above.start
                for j, own in enumerate(level.entries):
                    _put(C, above, own, block[row:stop, offsets[j] : offsets[j + 1]])
                row = stop
        for (i, j), part in equal[t].items():
            shape = int(offsets[i + 1] - offsets[i]), int(offsets[j + 1] - offsets[j])
            weights = (discount * reach[t])[:, None, None] * part
            block = _matrix(level.action_row[i][:, :, None], level.action_row[j][:, None, :], weights, shape)
            _put(C, level.entries[i], level.entries[j], _dense(block))
    return C


def _put(C: np.ndarray, rows: slice, cols: slice, block: np.ndarray) -> None:
    C[rows, cols] = block
    C[cols, rows] = block.T


def _spread(level: LevelTable, F: list[np.ndarray], offsets: np.ndarray) -> Any:
    """(E, N_T): F_j(e, a') in the column of (class of e, a'), zero elsewhere."""
    width = int(offsets[-1])
    cols = np.concatenate([offsets[j] + level.action_row[j] for j in range(len(F))], axis=1)
    values = np.concatenate(F, axis=1)
    if level.size * width <= DENSE_SPREAD:
        table = np.zeros((level.size, width))
        np.put_along_axis(table, cols, values, axis=1)
        return table
    ends = np.arange(level.size + 1) * cols.shape[1]
    return sparse.csr_array((values.ravel(), cols.ravel(), ends), shape=(level.size, width))


def _dense(matrix: Any) -> np.ndarray:
    return matrix.toarray() if sparse.issparse(matrix) else matrix
