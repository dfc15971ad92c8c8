"""Games from files and names: the one door through which every game enters, checked.

A game that leaves `load` satisfies every invariant of the model (docs/theory/objective.md#the-model).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from certify.errors import InputError
from certify.exact import exact_number
from certify.games.adapters.openspiel import PREFIX, load_openspiel
from certify.games.builtin import adjusted, builtin, checked_horizon, is_builtin
from certify.games.canonical import game_from_json
from certify.games.model import Game
from certify.games.readers.dpomdp import read_dpomdp
from certify.games.readers.efg import read_efg
from certify.games.readers.nfg import read_nfg
from certify.games.readers.textfile import parse_json, read_text
from certify.games.turns import LARGEST

ROWS = ("exact", "renormalise")


def load(
    path_or_name: str | os.PathLike[str],
    horizon: int | None = None,
    discount: Fraction | int | str | None = None,
    rows: str = "exact",
    values: Mapping[str, Fraction | int | str] | None = None,
    max_states: int | None = None,
) -> Game:
    """The game in a `.dpomdp`, `.json`, `.nfg` or `.efg` file, the built-in of that name, or
    `openspiel:NAME(param=value,...)`, as a checked model.

    `horizon` is the number of steps (1 to a million); a `.dpomdp` file needs it, one-shot games
    have it.  `discount` overrides the game's own.  `rows` says what to do with rows of
    probabilities that miss 1 in a `.dpomdp` or `.efg` file: "exact" refuses them, "renormalise" divides
    those that miss by rounding.  `values` gives numbers to the parameters of a `.json` file.
    `max_states` bounds what a `.nfg` or `.efg` file may hold: payoffs, nodes, and states with their steps (a million).
    Raises `InputError` (one line: where, what, how to mend it) for anything else.

    >>> load("lever:10:9/10").name, load("dectiger", horizon=3, discount="9/10").discount
    ('lever:10:9/10', Fraction(9, 10))
    """
    if rows not in ROWS:
        raise InputError("rows", f"{rows!r}", f"choose from {', '.join(ROWS)}")
    if not isinstance(path_or_name, (str, os.PathLike)):
        raise InputError("game", f"a {type(path_or_name).__name__} is no path or name", "give one, or use certify.Game")
    text = os.fspath(path_or_name)
    if isinstance(text, str) and text.startswith(PREFIX):
        if values or rows != "exact":
            raise InputError(text, "no file with rows or parameters", "leave --rows and --set out")
        return load_openspiel(text, horizon, None if discount is None else exact_number(discount, "discount"))
    if is_builtin(text):
        game = builtin(text, horizon, discount)
    else:
        game = _from_file(_Asked(Path(text), text, horizon, discount, rows, values, max_states or LARGEST))
        values = None
    if values:
        raise InputError(
            text, f"no parameter {next(iter(values))!r}", "give values for parameters of a .json file only"
        )
    return game


@dataclass(frozen=True)
class _Asked:
    """A file to be read, and what was asked for beside it."""

    path: Path
    name: str
    horizon: int | None
    discount: Fraction | int | str | None
    rows: str
    values: Mapping[str, Fraction | int | str] | None
    max_states: int = LARGEST

    @property
    def where(self) -> str:
        return str(self.path)


def _dpomdp(asked: _Asked) -> Game:
    text = read_text(asked.path, comment="#")
    if asked.horizon is None:
        raise InputError(asked.where, "no horizon", "pass --horizon N, the number of steps")
    horizon = checked_horizon(asked.horizon, asked.where)
    game = read_dpomdp(text, asked.where, asked.name, horizon, asked.rows)
    return adjusted(game, None, asked.discount, fixed=False)


def _json(asked: _Asked) -> Game:
    document = parse_json(read_text(asked.path), asked.where)
    return document_game(document, asked.where, asked.horizon, asked.discount, asked.values)


def _nfg(asked: _Asked) -> Game:
    game = read_nfg(read_text(asked.path), asked.where, asked.name, asked.max_states)
    return adjusted(game, asked.horizon, asked.discount, fixed=True)


def _efg(asked: _Asked) -> Game:
    game = read_efg(read_text(asked.path), asked.where, asked.name, asked.rows, asked.max_states)
    return adjusted(game, asked.horizon, asked.discount, fixed=True)


READERS: dict[str, Callable[[_Asked], Game]] = {  # by suffix; each may be packed, .gz
    ".dpomdp": _dpomdp,
    ".json": _json,
    ".nfg": _nfg,
    ".efg": _efg,
}


def _from_file(asked: _Asked) -> Game:
    path, where = asked.path, asked.where
    suffix = "".join(path.suffixes[-2:]).lower() if path.suffix.lower() == ".gz" else path.suffix.lower()
    reader = READERS.get(suffix.removesuffix(".gz"))
    if reader is not None:
        if asked.values and reader is not _json:
            raise InputError(where, f"a {suffix} file has no parameters", "leave the values out")
        return reader(replace(asked, name=path.name[: len(path.name) - len(suffix)]))
    if path.is_dir():
        raise InputError(where, "a directory", "give the path of a file, or the name of a built-in game")
    if _exists(path):
        *most, last = READERS
        raise InputError(where, f"unknown kind of file {path.suffix!r}", f"give a {', '.join(most)} or {last} file")
    if os.sep in where or suffix:
        raise InputError(where, "no such file", "check the path; `certify games` lists the built-in games")
    return builtin(where, asked.horizon, asked.discount)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # a name that no file can have
        return False


def document_game(
    data: Any,
    where: str,
    horizon: int | None = None,
    discount: Fraction | int | str | None = None,
    values: Mapping[str, Fraction | int | str] | None = None,
) -> Game:
    """The checked game of a JSON document, canonical, native or a certificate's, or of a `Game` itself.

    `horizon`, `discount` and `values` as in `load`.  Raises `InputError` naming the JSON path.

    >>> document_game({"kind": "one-shot", "payoff": [[1, 0], [0, 1]]}, "here").horizon
    1
    """
    if horizon is not None:
        checked_horizon(horizon, where)
    if isinstance(data, Game):
        return adjusted(data, horizon, discount, fixed=False)
    if isinstance(data, dict) and isinstance(data.get("game"), dict):
        if horizon is None and isinstance(data.get("claim"), dict) and data["claim"].get("horizons") == "all":
            mend = "pass --horizon N, the number of steps (`certify threshold` takes inf, too)"
            raise InputError(where, "a certificate for every horizon, not for one", mend)
        data = data["game"]  # a certificate restates its game
    if isinstance(data, dict) and "format" in data:
        if values:
            raise InputError(where, "a canonical game has no parameters", "leave the values out")
        return adjusted(game_from_json(data, where), horizon, discount, fixed=False)
    from certify.games.readers.native import read_native  # brings sympy, which takes half a second

    return adjusted(read_native(data, where, horizon, values), None, discount, fixed=False)
