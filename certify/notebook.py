"""How results show themselves: one short line at a prompt, a small table in a notebook; decimals first, on the safe
side, and nothing of others is markup.
"""

from __future__ import annotations

import html
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from certify.exact import significant_text

_LONGEST = 120  # characters of a value
_ON_A_LINE = 4  # rows that the short form shows
_COLOURS = {"proved": "#005f46", "valid": "#005f46", "refuted": "#8a2c00", "INVALID": "#8a2c00"}


@dataclass(frozen=True)
class Facts:
    """`title` : what the result is; `status` : one word; `rows` : (label, value), the most important first;
    `note` : a reason or a remark."""

    title: str
    status: str = ""
    rows: tuple[tuple[str, str], ...] = ()
    note: str = ""


class Shown:
    """A result that is read by people; a class gives its `facts`."""

    def facts(self) -> Facts:
        """What is to be seen of it."""
        raise NotImplementedError

    def __repr__(self) -> str:
        found = self.facts()
        rows = "; ".join(f"{_plain(label)} {_plain(value)}" for label, value in found.rows[:_ON_A_LINE])
        parts = [part for part in (_plain(found.status), rows) if part]
        return f"<{type(self).__name__} {_plain(found.title)}" + (f": {', '.join(parts)}>" if parts else ">")

    def _repr_html_(self) -> str:
        found = self.facts()
        colour = _COLOURS.get(found.status, "#6b5300")
        status = f' <span style="color:{colour};font-weight:600">{_safe(found.status)}</span>' if found.status else ""
        rows = "".join(
            f'<tr><th style="text-align:left;font-weight:500;padding-right:1em">{_safe(label)}</th>'
            f'<td style="text-align:left">{_safe(value)}</td></tr>'
            for label, value in found.rows
        )
        note = f'<div style="color:#57606a">{_safe(found.note)}</div>' if found.note else ""
        return f"<div><div><strong>{_safe(found.title)}</strong>{status}</div><table>{rows}</table>{note}</div>"


def _plain(text: str) -> str:
    short = text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in short)


def _safe(text: str) -> str:
    return html.escape(_plain(text))


def decimal(value: Fraction | None, *, up: bool, digits: int = 6) -> str:
    """A decimal on the safe side, "none" where there is no number.

    >>> decimal(Fraction(1, 3), up=True), decimal(None, up=True)
    ('0.333334', 'none')
    """
    return "none" if value is None else significant_text(value, digits, up=up)


def between(ends: Any, digits: int = 6) -> str:
    """An enclosure (anything with `lower` and `upper`) in decimals rounded outwards.

    >>> from certify.bounds.enclosure import Enclosure
    >>> between(Enclosure(Fraction(1, 3), Fraction(2, 3)))
    '[0.333333, 0.666667]'
    """
    if ends is None:
        return "none"
    low, high = (
        significant_text(Fraction(end), digits, up=up) for end, up in ((ends.lower, False), (ends.upper, True))
    )
    return low if low == high else f"[{low}, {high}]"
