"""Names and indices in files: a token is a name first, and an index where no name matches."""

from __future__ import annotations

from collections.abc import Sequence


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
