"""One object carries the options of a command: its fields are named as click names them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

Options = TypeVar("Options")
Answer = TypeVar("Answer")


def collected(kind: Callable[..., Options]) -> Callable[[Callable[[Options], Answer]], Callable[..., Answer]]:
    """For the function of a command, below its click decorators: it takes one `kind` of all options.

    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... class Given:
    ...     game: str
    ...     horizon: int
    >>> @collected(Given)
    ... def command(given: Given) -> str:
    ...     return f"{given.game} {given.horizon}"
    >>> command(game="climbing", horizon=1)
    'climbing 1'
    """

    def decorate(function: Callable[[Options], Answer]) -> Callable[..., Answer]:
        @functools.wraps(function)
        def call(**given: Any) -> Answer:
            return function(kind(**given))

        return call

    return decorate
