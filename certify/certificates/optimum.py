"""Optimum certificates as JSON objects (docs/certificate-format.md, section 8)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from certify.bounds.enclosure import Enclosure
from certify.certificates.version import FORMAT, VERSION
from certify.exact import rational_text
from certify.games.canonical import game_to_json, sha256_of
from certify.games.model import Game
from certify.games.objective import named_in_certificates
from certify.stationary.branch_pieces import Piece
from certify.stationary.enclosed import Enclosed
from certify.stationary.greedy import GreedyRow
from certify.stationary.piece_proof import UNIT_BITS

# of the threshold inside: what the certificate around it states, and what no checker reads
LEFT_OUT = ("format", "version", "kind", "game", "game_sha256", "objective", "consequences", "search")


@dataclass(frozen=True)
class OptimumClaim:
    """What a certificate says beside its enclosures.

    alpha : the temperatures.  unique : at all of them, or the principal branch.  rate : of convergence
    near the policy.  greedy, greedy_return : the greedy rows and their exact return.  generators :
    automorphisms, as JSON, that explain ties.
    """

    alpha: tuple[Fraction, Fraction]
    unique: bool
    rate: Fraction | None = None
    greedy: Sequence[GreedyRow] | None = None
    greedy_return: Fraction | None = None
    generators: tuple[dict[str, Any], ...] = ()


def optimum_certificate(
    game: Game, threshold: dict[str, Any], pieces: Sequence[Piece], enclosed: Sequence[Enclosed], claimed: OptimumClaim
) -> dict[str, Any]:
    """The document; `threshold` is a threshold certificate of the same game."""
    restated = game_to_json(game)
    claim = {
        "alpha": [rational_text(a) for a in claimed.alpha],
        "branch": "unique" if claimed.unique else "principal",
        "pieces": [
            {
                "alpha": [rational_text(e.low), rational_text(e.high)],
                "piece": e.piece,
                "value": ends_json(e.value),
                "return": ends_json(e.reward),
                "entropy": ends_json(e.entropy),
                "policy": [[ends_json(p) for p in row] for row in e.policy],
            }
            for e in enclosed
        ],
        "rate": None if claimed.rate is None else rational_text(claimed.rate),
        "greedy": None if claimed.greedy is None else greedy_json(claimed.greedy, claimed.greedy_return),
    }
    proof = {
        "unit_bits": UNIT_BITS,
        "threshold": {key: part for key, part in threshold.items() if key not in LEFT_OUT},
        "generators": list(claimed.generators),
        "pieces": [piece.data for piece in pieces],
    }
    return {
        "format": FORMAT,
        "version": VERSION,
        "kind": "optimum",
        "game": restated,
        "game_sha256": sha256_of(restated),
        "objective": named_in_certificates(game),
        "claim": claim,
        "proof": proof,
    }


def greedy_json(rows: Sequence[GreedyRow], exact: Fraction | None) -> dict[str, Any]:
    """Greedy rows and their exact return, as certificates carry them."""
    found = [
        {"actions": list(row.actions), "tied": row.tied, "gap": None if row.gap is None else rational_text(row.gap)}
        for row in rows
    ]
    return {"rows": found, "return": None if exact is None else rational_text(exact)}


def ends_json(value: Enclosure) -> list[str]:
    """The two ends of an enclosure."""
    return [rational_text(value.lower), rational_text(value.upper)]
