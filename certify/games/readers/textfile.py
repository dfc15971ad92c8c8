"""Text and JSON from files, with one line about what is wrong instead of a traceback."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from certify.errors import InputError


def read_text(path: Path) -> str:
    """The UTF-8 text of a file that is there, readable and not empty, else `InputError`.

    >>> read_text(Path("no-such-file.json"))
    Traceback (most recent call last):
    certify.errors.InputError: no-such-file.json: no such file; check the path
    """
    where = str(path)
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise InputError(where, "no such file", "check the path") from None
    except IsADirectoryError:
        raise InputError(where, "a directory", "give the path of a file") from None
    except OSError as error:
        raise InputError(where, error.strerror or str(error), "make the file readable") from None
    except ValueError as error:  # a NUL in the path
        raise InputError(repr(where), str(error), "check the path") from None
    if not content.strip():
        raise InputError(where, "an empty file", "give a file that describes a game")
    if b"\0" in content:
        raise InputError(where, "a binary file", "give a text file")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InputError(f"{where}, line {line}", "not UTF-8 text", "save the file as UTF-8") from None


def parse_json(text: str, where: str, *, keep_decimals: bool = False) -> Any:
    """The JSON value of a text in which every number is exact and every key stands once.

    Decimals are refused, since JSON readers round them to binary; with `keep_decimals` they are
    strings, the text as written (tables of measured or trained numbers).

    >>> parse_json('{"p": 0.5}', "game.json")
    Traceback (most recent call last):
    certify.errors.InputError: game.json, $.p: the JSON number 0.5 would be rounded; write it as a string: "0.5"
    """
    rounded: list[_Decimal] = []

    def decimal(token: str) -> _Decimal:
        rounded.append(_Decimal(token))
        return rounded[-1]

    def constant(token: str) -> None:
        raise InputError(where, f"{token} is not a number", "give an exact one")

    def whole(token: str) -> int:
        if len(token) > 400:
            raise InputError(where, f"a number of {len(token)} digits", "use at most 400")
        return int(token)

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            twice = next(key for k, (key, _) in enumerate(pairs) if key in dict(pairs[:k]))
            raise InputError(where, f"the key {twice!r} stands twice in one object", "keep one of them")
        return found

    try:
        value = json.loads(
            text, parse_float=decimal, parse_int=whole, parse_constant=constant, object_pairs_hook=unique
        )
        if rounded and not keep_decimals:
            shown = rounded[0][:40]
            raise InputError(
                f"{where}, {_path(value, rounded[0])}",
                f"the JSON number {shown} would be rounded",
                f'write it as a string: "{shown}"',
            )
        return value
    except json.JSONDecodeError as error:
        raise InputError(
            f"{where}, line {error.lineno}", f"not JSON: {error.msg}", "correct the syntax there"
        ) from None
    except RecursionError:
        raise InputError(where, "JSON nested too deeply", "flatten it") from None


class _Decimal(str):
    """The text of a JSON number that is not an integer."""


def _path(value: Any, wanted: _Decimal, path: str = "$") -> str:
    """The JSON path of `wanted` in `value`, "" if it is not there."""
    if value is wanted:
        return path
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        step = f"[{key}]" if isinstance(value, list) else f".{key}"
        if found := _path(child, wanted, path + step):
            return found
    return ""
