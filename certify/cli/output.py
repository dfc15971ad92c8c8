"""How commands speak: results on stdout, progress on stderr, bad input on one line; colour on terminals only.

Exit codes: 0 done, 1 refuted or invalid, 2 bad input, 3 undecided or partial, 4 an internal failure.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import click

from certify.cli.progress import Progress
from certify.exact import rational_text, significant_text

if TYPE_CHECKING:
    from certify.games.model import GameTables

__all__ = [
    "BAD_INPUT",
    "DONE",
    "FAILED",
    "REFUTED",
    "UNDECIDED",
    "Progress",
    "coloured",
    "heading",
    "print_json",
    "print_table",
    "shown",
    "styled",
]
DONE, REFUTED, BAD_INPUT, UNDECIDED, FAILED = 0, 1, 2, 3, 4


def coloured() -> bool:
    """Whether stdout shows colours: a terminal, and nobody has set NO_COLOR (no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def styled(text: str, colour: str | None = None, *, bold: bool = False) -> str:
    """The text in a colour or bold where stdout shows them, else the text as it is.

    >>> styled("valid", "green")  # not a terminal
    'valid'
    """
    return click.style(text, fg=colour, bold=bold or None) if coloured() else text


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table that fits the terminal; elsewhere one line a row, columns apart by two spaces at least.

    >>> print_table(["game", "alpha*"], [["lever:2", "0.5"], ["climbing", "12.8"]])
    game      alpha*
    lever:2   0.5
    climbing  12.8
    """
    if not sys.stdout.isatty():
        widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
        for row in (header, *rows):
            print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in header:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    Console(highlight=False, no_color=not coloured()).print(table)


def print_json(value: Any) -> None:
    """One JSON object on stdout; exact numbers as "p/q", escapes where stdout is not UTF-8."""
    unicode = (sys.stdout.encoding or "ascii").lower().replace("-", "") == "utf8"
    print(json.dumps(value, default=_plain, ensure_ascii=not unicode))


def _plain(value: Any) -> Any:
    if isinstance(value, Fraction):
        return rational_text(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


_LONGEST = 24  # characters of an exact number that is shown beside its decimal


def shown(value: Fraction, *, up: bool) -> str:
    """A rational for a person: a decimal, rounded to the safe side; `--json` has the fraction.

    >>> shown(Fraction(1, 3), up=True), shown(Fraction(1, 3), up=False), shown(Fraction(397, 25), up=True)
    ('0.33333334', '0.33333333', '15.88')
    """
    text = rational_text(value)
    return text if "/" not in text and len(text) <= _LONGEST else significant_text(value, 8, up=up)


def heading(game: GameTables) -> str:
    """The line that says which game an answer is about.

    >>> from certify.games import load
    >>> heading(load("dectiger", horizon=3))
    'dectiger, horizon 3'
    """
    discount = "" if game.discount == 1 else f", discount {rational_text(game.discount)}"
    remark = f" ({game.remark})" if game.remark else ""
    return f"{game.name}, horizon {game.horizon}{discount}{remark}"
