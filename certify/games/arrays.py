"""Games from what people hold in Python: nested lists, numpy arrays, dictionaries, OpenSpiel games, names, paths."""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from certify.errors import InputError
from certify.exact import exact_number
from certify.games.adapters.openspiel import from_openspiel, is_openspiel
from certify.games.load import document_game, load
from certify.games.model import Game, check_game
from certify.games.oneshot import agent_names, one_shot
from certify.games.original import Original
from certify.games.potential import potential_game

if TYPE_CHECKING:
    import numpy as np

    Payoffs = Sequence[Any] | np.ndarray
LARGEST = 10**6  # joint actions


def from_array(payoffs: Payoffs, name: str = "payoffs") -> Game:
    """The one-shot game with payoff `payoffs[a_1]...[a_n]` for everyone, one index per agent.

    Nested lists or a numpy array of numbers, of any number of agents; a float stands for the decimal that prints
    it.  Raises `InputError` for ragged lists and entries that are not numbers.

    >>> from_array([[1, 0], [0, 0.9]]).reward[0, (1, 1)]
    Fraction(9, 10)
    """
    shape, payoff = _table(payoffs, name)
    return check_game(one_shot(name, [[str(k) for k in range(size)] for size in shape], payoff))


def from_payoffs(tables: Sequence[Payoffs], name: str = "payoffs") -> Game:
    """The one-shot game in which player i is paid `tables[i][a_1]...[a_n]`: its common payoff, or its potential.

    One table per player, each as in `from_array`, all of one shape with an index per player.  Raises `InputError`
    for other tables, and where there is no (weighted) potential (docs/theory/potential.md#weighted-potentials).

    >>> game = from_payoffs([[[2, 0], [3, 1]], [[2, 3], [0, 1]]])
    >>> game.remark, game.original.payoffs[1] == (0, 3)
    ('an exact potential game; the payoff here is its potential', True)
    """
    if not _is_list(tables) or len(tables) == 0:
        raise InputError(name, f"{type(tables).__name__} instead of tables", "give one table of payoffs per player")
    read = [_table(table, f"{name}[{i}]") for i, table in enumerate(tables)]
    shape = read[0][0]
    for i, (other, _) in enumerate(read):
        if other != shape or len(other) != len(read):
            raise InputError(
                f"{name}[{i}]",
                f"a table of shape {tuple(other)} for {len(read)} players",
                f"give {len(read)} tables of one shape, with one index per player",
            )
    profiles = itertools.product(*(range(size) for size in shape))
    original = Original(
        players=agent_names(len(read)),
        strategies=tuple(tuple(str(k) for k in range(size)) for size in shape),
        payoffs=tuple(tuple(table[a] for _, table in read) for a in profiles),
    )
    return potential_game(original, name, name)


def _table(payoffs: Any, name: str) -> tuple[list[int], dict[tuple[int, ...], Fraction]]:
    """Shape and entries of nested lists or an array."""
    shape: list[int] = []
    level: Any = payoffs
    while _is_list(level):
        if len(level) == 0:
            raise InputError(name, "an empty list of payoffs", "give one payoff per joint action")
        shape.append(len(level))
        level = level[0]
    if not shape:
        raise InputError(name, f"{type(payoffs).__name__} instead of payoffs", "give nested lists, one level per agent")
    if math.prod(shape) > LARGEST:
        raise InputError(name, f"{math.prod(shape):,} joint actions", f"give at most {LARGEST:,}")
    payoff: dict[tuple[int, ...], Fraction] = {}

    def fill(entry: Any, index: tuple[int, ...]) -> None:
        where = f"{name}{''.join(f'[{k}]' for k in index)}"
        if len(index) == len(shape):
            if _is_list(entry):
                raise InputError(where, "a list where others are numbers", "give every row the same depth")
            payoff[index] = exact_number(entry, where)
            return
        if not _is_list(entry) or len(entry) != shape[len(index)]:
            raise InputError(where, "rows of different lengths", f"give {shape[len(index)]} entries")
        for k, part in enumerate(entry):
            fill(part, (*index, k))

    fill(payoffs, ())
    return shape, payoff


def _is_list(value: Any) -> bool:
    """A list, a tuple, or a numpy array with at least one dimension."""
    return isinstance(value, (list, tuple)) or bool(getattr(value, "shape", ()))


def as_game(
    game: Any, horizon: int | None = None, discount: Fraction | int | str | float | None = None, where: str = "game"
) -> Game:
    """The game that a caller means: a `Game`, a path or name, nested payoffs, an array, a `pyspiel.Game`,
    or a JSON document.

    `horizon` and `discount` as in `load`; they override those of a `Game`.  Raises `InputError` for everything else.

    >>> as_game("lever:2").name, as_game([[1, 0], [0, 1]]).horizon
    ('lever:2', 1)
    """
    if discount is not None:
        discount = exact_number(discount, "discount")
    if isinstance(game, (str, os.PathLike)):
        return load(game, horizon=horizon, discount=discount)
    if isinstance(game, Mapping):
        return document_game(plain_document(game), where, horizon, discount)
    if is_openspiel(game):
        return from_openspiel(game, horizon, discount=1 if discount is None else discount)
    if not isinstance(game, Game):
        if not _is_list(game):
            raise InputError(
                where, f"a {type(game).__name__} is no game", "give a name, a path, payoffs or a certify.Game"
            )
        game = from_array(game)
    return document_game(game, where, horizon, discount)


def plain_document(value: Any, where: str = "game") -> Any:
    """A document of Python objects as JSON would hold it: plain lists, and floats as the text that prints them."""
    if isinstance(value, Mapping):
        return {key: plain_document(part, f"{where}.{key}") for key, part in value.items()}
    if _is_list(value):
        return [plain_document(part, f"{where}[{k}]") for k, part in enumerate(value)]
    if value is None or isinstance(value, (bool, int, str)):
        return value
    return str(exact_number(value, where))
