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


def lossless_symbols(game: Game, look_back: bool = True) -> tuple[tuple[tuple[int, ...], ...], ...]:
    """`symbols[agent][action][observation]`: equal numbers where the kernels are proportional (any, if nothing looks
    back) and what may be played next, with its reference, is the same.

    Pairs that never occur (zero kernels) take the first symbol that leaves the same.

    >>> from certify.games import builtin
    >>> lossless_symbols(builtin("dectiger", horizon=2))[0]  # hear left, hear right, opened
    ((0, 1), (2, 2), (2, 2))
    """
    result = []
    for i in range(game.number_of_agents):
        known: dict[tuple[Shape | None, Any], int] = {}
        pairs = [(a, o) for a in range(len(game.actions[i])) for o in range(len(game.observations[i]))]
        shapes = [normalised(kernel(game, i, a, o)) if look_back else None for a, o in pairs]
        left = [game.reference.get((i, o)) for _, o in pairs]
        found = [
            -1 if shape is None else known.setdefault((shape, row), len(known))
            for shape, row in zip(shapes, left, strict=True)
        ]
        for k, row in enumerate(left):
            if found[k] < 0:
                alike = [x for (_, other), x in known.items() if other == row]
                found[k] = min(alike) if alike else known.setdefault((None, row), len(known))
        width = len(game.observations[i])
        result.append(tuple(tuple(found[k : k + width]) for k in range(0, len(found), width)))
    return tuple(result)
