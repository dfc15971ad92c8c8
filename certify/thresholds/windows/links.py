"""What may follow what, as padded arrays of chances and as sparse matrices (docs/windows.md)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
from scipy.sparse import csr_array


@dataclass(frozen=True)
class Links:
    """Sums over what may follow: entry [..., b] of `chance` is the chance of element `target[..., b]`."""

    target: np.ndarray
    chance: np.ndarray

    @cached_property
    def _matrices(self) -> tuple[int, csr_array, csr_array]:
        """Elements that may follow, and positive and negative chances, [row, element]."""
        width, count = self.chance.shape[-1], int(self.target.max(initial=0)) + 1
        flat = self.chance.ravel()
        bounds = np.arange(0, flat.size + 1, width)
        positive, negative = (
            csr_array((part, self.target.flatten(), bounds.copy()), shape=(flat.size // width, count))
            for part in (np.maximum(flat, 0.0), np.minimum(flat, 0.0))
        )
        for matrix in (positive, negative):
            matrix.sum_duplicates()
            matrix.eliminate_zeros()
        return count, positive, negative

    def mean(self, values: np.ndarray) -> np.ndarray:
        """Sums of chances, none negative, times values: [..., element] -> [..., *rows]."""
        count, matrix, _ = self._matrices
        found: np.ndarray = matrix @ values.reshape(-1, values.shape[-1])[:, :count].T
        return found.T.reshape(*values.shape[:-1], *self.chance.shape[:-1])

    def change(self, high: np.ndarray, low: np.ndarray) -> np.ndarray:
        """The largest sums of differences of chances times values between `low` and `high`, [end, element]."""
        count, positive, negative = self._matrices
        found: np.ndarray = positive @ high[:, :count].T + negative @ low[:, :count].T
        return found.T.reshape(len(high), *self.chance.shape[:-1])


def links(shape: tuple[int, ...], rows: Iterable[dict[int, float] | list[tuple[int, float]]]) -> Links:
    """`Links` from one row of (target, chance) per element of `shape`, padded with chance 0."""
    listed = [list(row.items()) if isinstance(row, dict) else row for row in rows]
    width = max((len(row) for row in listed), default=0) or 1
    target = np.zeros((len(listed), width), dtype=np.int64)
    chance = np.zeros((len(listed), width))
    for k, row in enumerate(listed):
        for b, (to, p) in enumerate(row):
            target[k, b], chance[k, b] = to, p
    return Links(target.reshape(*shape, width), chance.reshape(*shape, width))


def row_of(entries: Iterable[tuple[Any, Fraction]], place: dict[Any, int]) -> dict[int, float]:
    """{place: chance} from what may follow and its exact chances."""
    row: dict[int, float] = {}
    for to, p in entries:
        k = place[to]
        row[k] = row.get(k, 0.0) + float(p)
    return row
