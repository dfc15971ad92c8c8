"""What a certificate states, as plain data: the one source of the terminal's page, of the HTML page and of the theorem
in LaTeX.

Every sentence under `claims` repeats fields that the checker verifies for the kind, every one under `follows` is a
theorem about them.  So a page may call them proved exactly if the checker has accepted the file; the statement itself
says nothing about that.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from certify.certificates.markup import Sentence, say

_WIDTH = 110  # columns of the terminal's page
_MOST = 24  # items below one that the terminal lists


@dataclass(frozen=True)
class Item:
    """A sentence with what belongs below it; the terminal leaves out what is `folded` away on a page."""

    sentence: Sentence
    children: tuple[Item, ...] = ()
    folded: bool = False


@dataclass(frozen=True)
class Table:
    """Numbers by row; the first entry of a row names it."""

    title: Sentence
    head: tuple[Sentence, ...]
    rows: tuple[tuple[Sentence, ...], ...]


@dataclass(frozen=True)
class Statement:
    """`title` : kind and subject.  `setting` : the hypotheses of the theorem.  `subject` : (label, value) about the
    game or whatever else is spoken of.  `claims` : what the file claims and the checker verifies.  `follows` : what
    theorems make of it.  `proof` : how the file proves it.  `assumptions`, `limits` : what has to hold, what is not
    said.  `tables` : claimed numbers in full.  `unchecked` : what the file says and no checker reads.
    """

    kind: str
    title: Sentence
    setting: Sentence
    subject: tuple[tuple[str, Sentence], ...]
    claims: tuple[Item, ...]
    follows: tuple[Item, ...] = ()
    proof: tuple[Item, ...] = ()
    assumptions: tuple[Item, ...] = ()
    limits: tuple[Item, ...] = ()
    tables: tuple[Table, ...] = ()
    unchecked: tuple[Item, ...] = ()
    game: dict[str, object] | None = field(default=None, repr=False)


def items(*sentences: Sentence) -> tuple[Item, ...]:
    """Sentences without anything below them."""
    return tuple(Item(sentence) for sentence in sentences)


def as_text(statement: Statement, verdict: Sequence[str] = (), *, proved: bool = False) -> str:
    """The page for a terminal: `verdict` are its last lines, `proved` whether the checker has accepted the file."""
    lines = [statement.title.text, *_labelled(statement.subject)]
    for title, listed in (
        ("What is proved" if proved else "What is claimed", statement.claims),
        ("What follows", statement.follows),
        ("How it is proved", statement.proof),
        ("What it assumes", statement.assumptions),
        ("What it does not say", statement.limits),
    ):
        if listed:
            lines += ["", title, *_listed(listed, 1)]
    for table in statement.tables:
        lines += ["", table.title.text, *_tabulated(table)]
    return "\n".join([*lines, "", *verdict])


def _labelled(subject: Sequence[tuple[str, Sentence]]) -> Iterator[str]:
    width = max((len(label) for label, _ in subject), default=0)
    for label, value in subject:
        yield from _wrapped(value.text, f"  {label.ljust(width)}  ", " " * (width + 4))


def _listed(listed: Sequence[Item], depth: int) -> Iterator[str]:
    for item in listed[:_MOST]:
        more = " (listed in the file)" if item.folded and item.children else ""
        yield from _wrapped(item.sentence.text + more, "  " * depth, "  " * depth)
        if not item.folded:
            yield from _listed(item.children, depth + 1)
    if len(listed) > _MOST:
        yield f"{'  ' * depth}… and {len(listed) - _MOST} more, in the file"


def _wrapped(text: str, first: str, later: str) -> list[str]:
    return textwrap.wrap(
        text, _WIDTH, initial_indent=first, subsequent_indent=later, break_long_words=False, break_on_hyphens=False
    ) or [first.rstrip()]


def _tabulated(table: Table) -> Iterator[str]:
    shown = [tuple(cell.text for cell in row) for row in (table.head, *table.rows[:_MOST])]
    widths = [max(len(row[k]) for row in shown) for k in range(len(table.head))]
    for row in shown:
        yield ("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))).rstrip()
    if len(table.rows) > _MOST:
        yield f"  … and {len(table.rows) - _MOST} more rows, in the file"


NOT_CHECKED = say("Nothing on this page has been verified; run `certify check`.")
