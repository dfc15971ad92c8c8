"""The greedy policy of an enclosed policy: the actions that certainly are the most probable, by what
gap, and ties, proved by symmetry or undecided (docs/theory/symmetry.md#equivariance).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from certify.bounds.objects import ObjectRecursion
from certify.bounds.policy import layout_of
from certify.games.tree import Tree

Ends = list[tuple[Fraction, Fraction]]


@dataclass(frozen=True)
class GreedyRow:
    """`actions` : those that may be the most probable.  `tied` : they are one action, or proved equal.
    `gap` : every other action is less probable by at least this (None where there is no other)."""

    actions: tuple[int, ...]
    tied: bool
    gap: Fraction | None


def greedy_rows(policy: Sequence[Ends], orbit: Sequence[Sequence[int]] | None = None) -> list[GreedyRow]:
    """Per row of enclosures its greedy actions; equal numbers in `orbit` mean equal probabilities.  An upper end of 0
    means that the action is illegal.

    >>> half = (Fraction(1, 3), Fraction(1, 2))
    >>> greedy_rows([[half, half, (Fraction(0), Fraction(1, 4))]], [[0, 0, 1]])
    [GreedyRow(actions=(0, 1), tied=True, gap=Fraction(1, 12))]
    """
    found = []
    for x, row in enumerate(policy):
        most = max(low for low, _ in row)
        best = tuple(a for a, (_, high) in enumerate(row) if high >= most)
        legal = [a for a, (_, high) in enumerate(row) if high > 0]
        others = [row[a][1] for a in legal if a not in best]
        gap = min(row[a][0] for a in best) - max(others) if others else None
        tied = len(best) == 1 or (orbit is not None and len({orbit[x][a] for a in best}) == 1)
        if gap is not None and gap <= 0:  # an action overlaps with some of the best only
            best, tied, gap = tuple(legal), False, None
        found.append(GreedyRow(best, tied, gap))
    return found


def greedy_return(tree: Tree, rows: Sequence[GreedyRow]) -> Fraction | None:
    """The exact return of the greedy policy, tied actions played equally often; None where a tie is undecided."""
    if not all(row.tied for row in rows):
        return None
    layout = layout_of(tree)
    flat = np.full(layout.size, Fraction(0), dtype=object)
    for start, row in zip(layout.row_start, rows, strict=True):
        for a in row.actions:
            flat[start + a] = Fraction(1, len(row.actions))
    zero = np.full(layout.size, Fraction(0), dtype=object)
    return ObjectRecursion(tree, flat, zero, layout.row_sums(zero), Fraction, lambda _: Fraction(0)).reward
