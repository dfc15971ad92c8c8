"""The one-shot game, with a payoff for each player, that a certificate's game is the potential of
(docs/certificate-format.md#11-the-original-of-a-potential, docs/theory/potential.md#lambda).
"""

from __future__ import annotations

from typing import Any

from certify.exact import rational_text
from certify.games.canonical import sha256_of
from certify.games.model import Game

FIELDS = ("original", "original_sha256")


def original_of(game: Game) -> dict[str, Any]:
    """The fields of a certificate about `game` that speak of its original; none for a game in its own right.

    >>> from certify.games import builtin
    >>> original_of(builtin("climbing"))
    {}
    """
    if game.original is None or game.reference or game.horizon != 1:
        return {}
    original = {
        "players": list(game.original.players),
        "strategies": [list(own) for own in game.original.strategies],
        "payoffs": [[rational_text(u) for u in row] for row in game.original.payoffs],
    }
    return {"original": original, "original_sha256": sha256_of(original)}
