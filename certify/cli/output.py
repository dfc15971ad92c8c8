"""How commands speak: results on stdout, progress on a terminal's stderr, bad input on one line.

Exit codes: 0 done, 1 refuted or invalid, 2 bad input, 3 undecided or partial, 4 an internal failure.
"""

from __future__ import annotations

import json
import sys
import time
from fractions import Fraction
from typing import Any

from tqdm import tqdm

from certify.exact import rational_text, significant_text

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
    """A rational for a person: exact where it is short, with a decimal on the safe side."""
    text = rational_text(value)
    if "/" not in text and len(text) <= _LONGEST:
        return text
    decimal = significant_text(value, 8, up=up)
    return (
        decimal
        if Fraction(decimal) == value
        else f"{text} ({'at most' if up else 'at least'} {decimal})"
        if len(text) <= _LONGEST
        else decimal
    )
