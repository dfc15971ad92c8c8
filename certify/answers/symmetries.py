"""The call behind `certify symmetries`: the whole automorphism group, and its certificate on disk
(interface; docs/theory/symmetry.md#completeness).
"""

from __future__ import annotations

import os
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from certify.certificates.symmetry import certificate
from certify.certificates.writing import save_document
from certify.exact import whole_number
from certify.games import as_game
from certify.games.model import GameTables
from certify.symmetry import group as groups


@dataclass(frozen=True, repr=False)
class SymmetriesResult(groups.SymmetryGroup):
    """A `SymmetryGroup` that can be written down."""

    @classmethod
    def of(cls, group: groups.SymmetryGroup) -> SymmetriesResult:
        """The same group, with `save`."""
        return cls(**{entry.name: getattr(group, entry.name) for entry in fields(groups.SymmetryGroup)})

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the certificate that `certify check` verifies.

        Raises `InputError` for parametric games and where the file cannot be written.
        """
        return save_document(certificate(self), path)


def symmetries(
    game: Any, *, states: str = "reachable", max_nodes: int = 200_000, accelerate: bool = False
) -> SymmetriesResult:
    """The automorphism group of `game`, on its reachable states or on `states="all"`.

    `game` is a `Game` (parameters may stand in it), a path, the name of a built-in, or payoffs as nested lists or
    an array.

    `max_nodes` bounds the search; where it runs out the result says `complete=False`.  With
    `accelerate`, igraph (optional) proposes generators, which are re-checked exactly.
    Raises `InputError` for another value of `states`, or where igraph is missing.

    >>> found = symmetries("lever:3")
    >>> found.order, found.complete, found.status
    (12, True, 'proved')
    """
    if not isinstance(game, GameTables):
        game = as_game(game)
    max_nodes = whole_number(max_nodes, "--max-nodes")
    return SymmetriesResult.of(groups.symmetries(game, states=states, max_nodes=max_nodes, accelerate=accelerate))
