"""What a certificate carries about symmetries: generators, base, order, orbits, completeness.

The checker (`certify.checker.kinds.symmetry`) verifies each generator, re-derives the orbit lengths of
the stabiliser chain, and repeats the exhausted search at each level on its own (docs/theory/symmetry.md#completeness).
"""

from __future__ import annotations

from certify.errors import InputError
from certify.games.canonical import game_sha256, game_to_json
from certify.games.model import Game
from certify.symmetry.group import SymmetryGroup, symmetries
from certify.symmetry.maps import GameMap


def map_to_json(mapping: GameMap) -> dict:
    """A map by indices into the canonical form of the game."""
    return {
        "agents": list(mapping.agents),
        "states": list(mapping.states),
        "actions": [list(row) for row in mapping.actions],
        "observations": [list(row) for row in mapping.observations],
    }


def group_evidence(group: SymmetryGroup) -> dict:
    """The evidence object of a group found on the reachable states."""
    return {
        "order": str(group.order),  # as text: it outgrows what JSON readers take for an integer
        "state_only_order": str(group.state_only_order),
        "complete": group.complete,
        "base": [list(point) for point in group.base],
        "generators": [map_to_json(g) for g in group.generators],
        "orbits": {
            kind: [[list(p) if isinstance(p, tuple) else p for p in orbit] for orbit in rows]
            for kind, rows in group.orbits.items()
        },
    }


def evidence(game: Game) -> dict:
    """The evidence object that any certificate about `game` may carry under "symmetry".

    >>> from certify.games import builtin
    >>> evidence(builtin("lever:3"))["order"]
    '12'
    """
    return group_evidence(symmetries(game))


def claim_text(order: int, state_only_order: int, complete: bool) -> str:
    """The sentence that the evidence proves, word for word as the checker derives it."""
    text = (
        f"the automorphism group of the game has order {order} on agents, actions and observations"
        if complete
        else f"the game has at least {order} automorphisms on agents, actions and observations"
    )
    if state_only_order > 1:
        text += f", and {state_only_order} automorphisms move states only"
    return text


def certificate(group: SymmetryGroup) -> dict:
    """A certificate of kind "symmetry" for the reachable part of the game of `group`.

    Raises `InputError` for parametric games: their proofs are z3's, which a checker cannot repeat.
    """
    if not isinstance(group.game, Game):
        raise InputError(group.game.name, "a game with parameters has no certificate", "give the parameters values")
    reachable = symmetries(group.game)  # the canonical form holds reachable states only
    return {
        "format": "certify-certificate",
        "version": 1,
        "kind": "symmetry",
        "game": game_to_json(reachable.game),
        "game_sha256": game_sha256(reachable.game),
        "claim": {
            "order": str(reachable.order),
            "complete": reachable.complete,
            "text": claim_text(reachable.order, reachable.state_only_order, reachable.complete),
        },
        "symmetry": group_evidence(reachable),
    }
