"""Which tokens of a batch belong to which sequence and group, and what a loss makes of that: one reward per sequence,
a weight per token (docs/recipes.md).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from certify.bounds.rounding import UNIT as U
from certify.entropy.balls import Balls, zeroed
from certify.entropy.dump import Dump
from certify.entropy.recipe import Recipe
from certify.errors import InputError


@dataclass(frozen=True, eq=False)
class Layout:
    """Which tokens belong to which sequence and group: `sequence` (N,) and `group` (S,) are numbers from 0."""

    sequence: np.ndarray
    sequences: int
    group: np.ndarray | None
    groups: int
    active: np.ndarray

    @property
    def lengths(self) -> np.ndarray:
        """Unmasked tokens per sequence."""
        return np.bincount(self.sequence, weights=self.active, minlength=self.sequences)


def layout(dump: Dump) -> Layout:
    """Sequences and groups of a batch; one token per sequence where there is no `seq_id`."""
    name = dump.path.name
    ids = dump.get("seq_id")
    if ids is None:
        sequence, count = np.arange(dump.tokens), dump.tokens
    else:
        _, sequence = np.unique(ids.values, return_inverse=True)
        count = int(sequence.max()) + 1
    groups = dump.get("group_id")
    if groups is None:
        return Layout(sequence, count, None, 0, dump.mask)
    group = np.zeros(count, dtype=np.int64)
    group[sequence] = groups.values
    if not np.array_equal(group[sequence], groups.values):
        token = int(np.flatnonzero(group[sequence] != groups.values)[0])
        raise InputError(
            f"{name}, group_id", f"the sequence of token {token} is in two groups", "give one group per sequence"
        )
    _, number_of = np.unique(group, return_inverse=True)
    return Layout(sequence, count, number_of, int(number_of.max()) + 1, dump.mask)


def sequence_rewards(dump: Dump, where: Layout) -> Balls:
    """One reward per sequence from a column with one number per sequence or per token (constant in a sequence)."""
    column = dump.need("reward", "advantages (or give a column advantage)")
    values = column.values
    if len(values) == where.sequences != dump.tokens:
        return Balls.exact(values)
    if len(values) != dump.tokens:
        raise InputError(
            f"{dump.path.name}, reward",
            f"{len(values)} numbers for {dump.tokens} tokens in {where.sequences} sequences",
            "give one per token or one per sequence",
        )
    reward = np.zeros(where.sequences)
    reward[where.sequence] = values
    if not np.array_equal(reward[where.sequence], values):
        token = int(np.flatnonzero(reward[where.sequence] != values)[0])
        raise InputError(
            f"{dump.path.name}, reward", f"the sequence of token {token} has two rewards", "give one per sequence"
        )
    return Balls.exact(reward)


def weights(recipe: Recipe, where: Layout) -> Balls:
    """The weight of each token's term in the loss (N,); 0 under the mask."""
    active = where.active
    if recipe.aggregation == "token-mean":
        value = np.full(len(active), 1 / active.sum())
    elif recipe.aggregation == "sum":
        value = np.ones(len(active))
    else:
        lengths = where.lengths
        alive = float((lengths > 0).sum())
        value = np.full(len(active), 1 / alive)
        if recipe.aggregation == "sequence-mean":
            value = 1 / (np.maximum(lengths, 1)[where.sequence] * alive)
        elif recipe.aggregation == "constant":
            value = np.full(len(active), 1 / (alive * float(recipe.constant)))
    found = Balls(value, 4 * U * value)
    return found if active.all() else zeroed(found, ~active)
