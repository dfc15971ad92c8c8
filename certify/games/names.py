"""Names and indices in files: a token is a name first, and an index where no name matches."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any

from certify.errors import InputError
from certify.exact import exact_number


def index_of(token: str, names: Sequence[str]) -> int | None:
    """The index that a token means, None if it means nothing.

    >>> index_of("b", ["a", "b"]), index_of("0", ["a", "b"]), index_of("2", ["a", "b"]), index_of("0", ["1", "0"])
    (1, 0, None, 1)
    """
    if token in names:
        return names.index(token)
    if token.isascii() and token.isdigit() and len(token) < 10 and int(token) < len(names):
        return int(token)
    return None


def choices(names: Sequence[str]) -> str:
    """The names to choose from, as the end of an error message.

    >>> choices(["a", "b"])
    'choose from a, b'
    """
    return f"choose from {', '.join(names[:12])}{', …' * (len(names) > 12)}"


def numbers_by_name(
    row: Mapping[Any, Any], names: Sequence[str], where: str, number: Callable[[Any, str], Fraction] = exact_number
) -> list[Fraction]:
    """The numbers of `{name or index: number}` in the order of `names`, 0 where none is given.

    `number` reads one of them.  Raises `InputError` for unknown names and for what is no number.

    >>> numbers_by_name({"b": "1/2", 0: 0.5}, ["a", "b", "c"], "a row")
    [Fraction(1, 2), Fraction(1, 2), Fraction(0, 1)]
    """
    values = [Fraction(0)] * len(names)
    for token, given in row.items():
        action = index_of(str(token), names)
        if action is None:
            raise InputError(where, f"unknown action {token!r}", choices(names))
        values[action] = number(given, f"{where}, {token}")
    return values
