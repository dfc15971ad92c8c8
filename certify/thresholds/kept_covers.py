"""Covers in a checkpoint: those of localisation, the finished pieces of branch and bound, and the tree that
is not finished yet (docs/certificate-format.md, section 4.2, has the form of a node).
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from certify.checkpoint import Checkpoint
from certify.errors import InputError
from certify.thresholds.cover_tree import Node, node_from_json, node_to_json

LOCALISATION, PIECES, _UNFINISHED = "localisation", "pieces", "unfinished"


def check_kept(book: Checkpoint) -> None:
    """Raise `InputError` where a checkpoint holds covers that are none, before anything rests on them."""
    kept_covers(book, LOCALISATION), kept_covers(book, PIECES), _nodes(book, book.stage(_UNFINISHED) or [])


def kept_covers(book: Checkpoint, name: str) -> list[list[Node]] | None:
    """The trees that were kept for a stage, None where there are none."""
    value = book.stage(name)
    if value is None:
        return None
    if not isinstance(value, list):
        raise book.damaged()
    return [_nodes(book, nodes) for nodes in value]


def keep_covers(book: Checkpoint, covers: list[list[Node]]) -> None:
    """Keep what localisation has found."""
    book.save(LOCALISATION, [[node_to_json(node) for node in nodes] for nodes in covers])


def keep_piece(book: Checkpoint, nodes: list[Node]) -> None:
    """Add a finished piece of the cover; the unfinished tree is done with."""
    book.forget(_UNFINISHED)
    book.save(PIECES, (book.stage(PIECES) or []) + [[node_to_json(node) for node in nodes]])


def unfinished(book: Checkpoint, low: Fraction, high: Fraction) -> list[Node] | None:
    """The unfinished tree of the piece [low, high], if that is where the search was."""
    nodes = _nodes(book, book.stage(_UNFINISHED) or [])
    return nodes if nodes and (nodes[0].low, nodes[0].high) == (low, high) else None


def keep_unfinished(book: Checkpoint, nodes: list[Node], *, now: bool = False) -> None:
    """Keep the tree of a piece that is being searched, now or if it is time."""
    if book.path is not None and (now or book.due):
        book.save(_UNFINISHED, [node_to_json(node) for node in nodes])


def _nodes(book: Checkpoint, value: Any) -> list[Node]:
    try:
        return [node_from_json(entry) for entry in value]
    except (InputError, KeyError, TypeError, ValueError, AttributeError):
        raise book.damaged() from None
