"""How commands speak: results on stdout, progress on a terminal's stderr, bad input on one line.

Exit codes: 0 done, 1 refuted or invalid, 2 bad input, 3 undecided or partial, 4 an internal failure.
"""

from __future__ import annotations

import json
import sys
import time
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from certify.exact import rational_text, significant_text

if TYPE_CHECKING:
    from certify.games.model import GameTables

DONE, REFUTED, BAD_INPUT, UNDECIDED, FAILED = 0, 1, 2, 3, 4


class Progress:
    """One line on stderr that is rewritten, on a terminal only and after two seconds."""

    def __init__(self) -> None:
        self._bar = tqdm(
            total=0,
            bar_format="{desc} [{elapsed}]",
            file=sys.stderr,
            leave=False,
            delay=0,
            disable=not sys.stderr.isatty(),
        )
        self._began = time.monotonic()

    def __call__(self, text: str) -> None:
        """Show what is being done now."""
        if time.monotonic() - self._began > 2:
            self._bar.set_description_str(text)

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()


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
