"""Policies as input: a point or a box of tables, and the flat order that every vector here uses.

A policy is `policy[i][t]`, an array (K_i, A_i) per agent and depth.  What is meant is always a set
of policies whose rows sum to exactly 1:
- `Fraction` (or int) entries: that policy; its rows sum to exactly 1, or `InputError`;
- float entries: the policy with every row divided by its exact sum; a sum further than 2^-30 from
  1 is an `InputError`;
- `PolicyBox(lower, upper)`: every policy with `lower <= pi <= upper` and rows summing to 1.
"""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from certify.bounds.enclosure import Enclosure
from certify.bounds.rounding import UNIT, float_down, float_up
from certify.errors import InputError
from certify.games.tree import Tree

ROW_TOLERANCE = 2.0**-30
WHERE = "policy"


@dataclass(frozen=True, eq=False)
class PolicyBox:
    """All policies with `lower <= pi <= upper` whose rows sum to 1; both ends nested as policies.

    >>> box = PolicyBox([[np.array([[0.4, 0.4]])]], [[np.array([[0.6, 0.6]])]])
    >>> float(box.upper[0][0][0, 1])
    0.6
    """

    lower: Any
    upper: Any


class Layout:
    """Where the entries of block (agent, depth) lie in a flat vector: class, then local action.

    Attributes
    ----------
    blocks : the tree's (agent, depth) pairs, in order; `shape`, `entries` and `rows` are indexed
        by them: (K_i, A_i), the slice of the entries, the slice of the rows (classes).
    row_start : (rows,) first entry of every row.  row_of_entry : (N,) int.
    weight, discount : per entry, w_i and gamma^t (`Fraction`).
    agent, depth : per entry, int.
    """

    def __init__(self, tree: Tree) -> None:
        self.blocks = tree.blocks
        self.shape: dict[tuple[int, int], tuple[int, int]] = {}
        self.entries: dict[tuple[int, int], slice] = {}
        self.rows: dict[tuple[int, int], slice] = {}
        start = row = 0
        lengths, weight, discount, agent, depth = [], [], [], [], []
        for i, t in self.blocks:
            k, a = tree.levels[t].classes[i], tree.levels[t].action_counts[i]
            self.shape[i, t] = k, a
            self.entries[i, t], self.rows[i, t] = slice(start, start + k * a), slice(row, row + k)
            start, row = start + k * a, row + k
            lengths += [a] * k
            weight += [tree.game.weights[i]] * (k * a)
            discount += [tree.game.discount**t] * (k * a)
            agent += [i] * (k * a)
            depth += [t] * (k * a)
        self.size, self.number_of_rows = start, row
        self.row_of_entry = np.repeat(np.arange(row), lengths)
        self.row_start = np.concatenate(([0], np.cumsum(lengths)[:-1])).astype(np.int64)
        self.block_start = np.array([self.entries[b].start for b in self.blocks])
        self.longest_row = max(lengths)
        self.weight, self.discount = np.array(weight, dtype=object), np.array(discount, dtype=object)
        self.agent, self.depth = np.array(agent), np.array(depth)

    def flat(self, nested: Any) -> np.ndarray:
        """(N,) array of a nested table; raises `InputError` where a shape does not fit."""
        try:
            parts = [np.asarray(nested[i][t]) for i, t in self.blocks]
        except (IndexError, KeyError, TypeError):
            raise InputError(
                WHERE, "not one table per agent and depth", "give policy[i][t] of shape (K_i, A_i)"
            ) from None
        for (i, t), part in zip(self.blocks, parts, strict=True):
            if part.shape != self.shape[i, t]:
                raise InputError(
                    f"{WHERE} of agent {i} at depth {t}",
                    f"a table of shape {part.shape}",
                    f"give one of shape {self.shape[i, t]}",
                )
        if any(part.dtype == object for part in parts):
            parts = [part.astype(object) for part in parts]
        return np.concatenate([part.ravel() for part in parts])

    def nested(self, flat: np.ndarray) -> list[list[np.ndarray]]:
        """The tables `[i][t]` of a flat vector, as views."""
        tables: list[list[np.ndarray]] = []
        for i, t in self.blocks:
            if t == 0:
                tables.append([])
            tables[-1].append(flat[self.entries[i, t]].reshape(self.shape[i, t]))
        return tables

    def row_sums(self, flat: np.ndarray) -> np.ndarray:
        """(rows,) sums over the actions of every row (last axis)."""
        return np.add.reduceat(flat, self.row_start, axis=-1)


@dataclass(frozen=True, eq=False)
class Blocks(Enclosure):
    """An enclosure of a flat vector; `blocks[i, t]` is the part of agent i at depth t.

    Entries come in the order of `Layout`: `[i, t]` has shape (K_i, A_i), or (K_i,) for a quantity
    with one number per class.
    """

    layout: Layout
    per_row: bool = False

    def __getitem__(self, block: tuple[int, int]) -> Enclosure:
        part = (self.layout.rows if self.per_row else self.layout.entries)[block]
        shape = self.layout.shape[block][:1] if self.per_row else self.layout.shape[block]
        return Enclosure(self.lower[part].reshape(shape), self.upper[part].reshape(shape))


_layouts: weakref.WeakKeyDictionary[Tree, Layout] = weakref.WeakKeyDictionary()


def layout_of(tree: Tree) -> Layout:
    """The (cached) layout of a tree.

    >>> from certify.games.builtin import builtin
    >>> from certify.games.tree import unroll
    >>> layout_of(unroll(builtin("dectiger", horizon=2))).size
    24
    """
    if tree not in _layouts:
        _layouts[tree] = Layout(tree)
    return _layouts[tree]


@dataclass(frozen=True, eq=False)
class Point:
    """One policy: `approx`, flat float64, and the defect of every entry (see `rounding`)."""

    approx: np.ndarray
    defect: float


@dataclass(frozen=True, eq=False)
class Box:
    """A box of policies, flat float64, tightened by `sum = 1`: lower, upper."""

    lower: np.ndarray
    upper: np.ndarray


def read_policy(tree: Tree, policy: Any) -> Point | Box:
    """A policy or `PolicyBox` as float64 with its exact meaning kept (see the module's top).

    Raises `InputError` for shapes that do not fit, entries outside [0, 1] (a point needs full
    support: every entry positive), rows that do not sum to 1 and boxes that hold no policy.
    """
    layout = layout_of(tree)
    if isinstance(policy, PolicyBox):
        return _read_box(layout, layout.flat(policy.lower), layout.flat(policy.upper))
    flat = layout.flat(policy)
    if flat.dtype == object:
        exact = exact_rows(layout, flat)
        return Point(exact.astype(np.float64), 1.01 * UNIT)
    approx = flat.astype(np.float64)
    sums = layout.row_sums(approx)
    distance = float(np.abs(sums - 1.0).max())
    if not (approx.min() > 0 and distance <= ROW_TOLERANCE):
        _refuse_point(layout, approx, sums)
    # a row of A positive numbers near 1 in sum: A - 1 roundings of at most 1.01 u each
    return Point(approx, (distance + 1.02 * layout.longest_row * UNIT) * (1 + 8 * UNIT))


def exact_rows(layout: Layout, flat: np.ndarray) -> np.ndarray:
    """The same entries as `Fraction`s; raises `InputError` unless positive with row sums of 1.

    Float entries are divided by the exact sum of their row.
    """
    if flat.dtype != object:
        exact = np.array([Fraction(float(v)) for v in flat], dtype=object)
        exact = exact / layout.row_sums(exact)[layout.row_of_entry]
    else:
        try:
            exact = np.array([Fraction(v) for v in flat], dtype=object)
        except (TypeError, ValueError):
            raise InputError(WHERE, "entries that are not exact numbers", "use Fractions, ints or floats") from None
    sums = layout.row_sums(exact)
    if min(exact) <= 0 or any(s != 1 for s in sums):
        _refuse_point(layout, exact, sums)
    return exact


def _refuse_point(layout: Layout, flat: np.ndarray, sums: np.ndarray) -> None:
    for i, t in layout.blocks:
        for k, row in enumerate(flat[layout.entries[i, t]].reshape(layout.shape[i, t])):
            total = sums[layout.rows[i, t]][k]
            where = f"{WHERE} of agent {i} at depth {t}, class {k}"
            if not all(v > 0 for v in row):
                raise InputError(where, f"an entry of {min(row)}", "give every action a positive probability")
            if (isinstance(total, Fraction) and total != 1) or not abs(total - 1) <= ROW_TOLERANCE:
                raise InputError(where, f"a row that sums to {total}", "make the row sum to 1")


def _read_box(layout: Layout, low: np.ndarray, high: np.ndarray) -> Box:
    lower = _rounded(low, float_down)
    upper = np.minimum(_rounded(high, float_up), 1.0)
    lower = np.maximum(lower, 0.0)
    if not (lower <= upper).all():
        raise InputError(WHERE, "a box with an entry whose lower end is above its upper end", "swap the two ends")
    low_sum, high_sum = layout.row_sums(lower), layout.row_sums(upper)
    slack = 1.02 * layout.longest_row * UNIT
    if (low_sum > 1 + slack * low_sum).any() or (high_sum < 1 - slack).any():
        raise InputError(WHERE, "a box in which no row sums to 1", "widen the box")
    # pi_a = 1 - sum of the others; the two sums err by `slack` relatively, the rest by 4 u each
    others_high, others_low = (s[layout.row_of_entry] - v for s, v in ((high_sum, upper), (low_sum, lower)))
    tight_lower = 1.0 - others_high - (slack + 8 * UNIT) * (1 + high_sum[layout.row_of_entry])
    tight_upper = 1.0 - others_low + (slack + 8 * UNIT) * (1 + low_sum[layout.row_of_entry])
    return Box(np.maximum(lower, tight_lower), np.minimum(upper, tight_upper))


def _rounded(flat: np.ndarray, towards) -> np.ndarray:
    if flat.dtype == object:
        try:
            return np.array([towards(Fraction(v)) for v in flat])
        except (TypeError, ValueError, OverflowError):
            raise InputError(WHERE, "a box with ends that are not numbers", "use numbers in [0, 1]") from None
    if not np.isfinite(flat).all():
        raise InputError(WHERE, "a box with ends that are not finite", "use numbers in [0, 1]")
    return flat.astype(np.float64)
