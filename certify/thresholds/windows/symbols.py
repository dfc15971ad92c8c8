"""Lossless symbols: own pairs (action, observation) whose chance kernels are proportional are one symbol.

A window then needs to remember the symbol only (docs/windows.md): own factors cancel in every
posterior, and so does a positive factor of the kernel.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from certify.games.model import Game, JointAction

# (row, what follows) -> chance; None in place of what follows marks a row that the game does not have
Kernel = dict[tuple[int, JointAction], dict[tuple[int, tuple[int, ...]], Fraction]]
Shape = tuple[frozenset[Any], frozenset[Any]]


def kernel(game: Game, agent: int, action: int, observation: int) -> Kernel:
    """P(s', (o, o_-i) | s, (a, a_-i)) of own pair (a, o), by (s, a_-i) and then (s', o_-i); absent rows are absent."""
    result: Kernel = {}
    for (s, joint), row in game.transition.items():
        if joint[agent] != action or not row:
            continue
        others = joint[:agent] + joint[agent + 1 :]
        entries: dict[tuple[int, tuple[int, ...]], Fraction] = {}
        for s2, p in row:
            for seen, q in game.emission[joint, s2]:
                if seen[agent] == observation:
                    rest = seen[:agent] + seen[agent + 1 :]
                    entries[s2, rest] = entries.get((s2, rest), Fraction(0)) + p * q
        result[s, others] = entries
    return result


def normalised(table: Kernel) -> Shape | None:
    """What proportional kernels share: their rows, and their entries divided by the sum; None for a zero kernel."""
    total = sum((p for row in table.values() for p in row.values()), Fraction(0))
    if total == 0:
        return None
    entries = frozenset((key, to, p / total) for key, row in table.items() for to, p in row.items())
    return frozenset(table), entries


def lossless_symbols(game: Game) -> tuple[tuple[tuple[int, ...], ...], ...]:
    """`symbols[agent][action][observation]`: equal numbers where the kernels are proportional.

    Pairs that never occur (zero kernels) take symbol 0.

    >>> from certify.games import builtin
    >>> lossless_symbols(builtin("dectiger", horizon=2))[0]  # hear left, hear right, opened
    ((0, 1), (2, 2), (2, 2))
    """
    result = []
    for i in range(game.number_of_agents):
        known: dict[Shape, int] = {}
        rows = []
        for a in range(len(game.actions[i])):
            row = []
            for o in range(len(game.observations[i])):
                shape = normalised(kernel(game, i, a, o))
                row.append(0 if shape is None else known.setdefault(shape, len(known)))
            rows.append(tuple(row))
        result.append(tuple(rows))
    return tuple(result)
