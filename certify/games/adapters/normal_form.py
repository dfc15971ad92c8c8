"""OpenSpiel's matrix and tensor games, whose payoffs may differ: as one-shot games with a potential
(docs/theory/potential.md#weighted-potentials).
"""

from __future__ import annotations

import itertools
from typing import Any

from certify.games.adapters.rationals import Rationals
from certify.games.labels import plain_names
from certify.games.original import Original


def table_of(game: Any, numbers: Rationals, where: str) -> Original | None:
    """The payoffs of a `pyspiel.MatrixGame` or `pyspiel.TensorGame`, every float as its rational; None for others.

    >>> table_of([[1, 0], [0, 1]], Rationals(), "here") is None
    True
    """
    rows = getattr(game, "get_utilities", None)
    if rows is None:
        return None
    if hasattr(game, "row_action_name"):
        names: list[list[str]] = [
            [name(k) for k in range(count)]
            for name, count in ((game.row_action_name, game.num_rows()), (game.col_action_name, game.num_cols()))
        ]
    elif hasattr(game, "shape"):
        names = [[game.action_name(i, k) for k in range(size)] for i, size in enumerate(game.shape())]
    else:
        return None
    profiles = itertools.product(*(range(len(own)) for own in names))
    return Original(
        players=tuple(f"player{i}" for i in range(len(names))),
        strategies=tuple(plain_names(own, "action") for own in names),
        payoffs=tuple(tuple(numbers(float(u), f"{where}, returns after {a}") for u in rows(list(a))) for a in profiles),
    )
