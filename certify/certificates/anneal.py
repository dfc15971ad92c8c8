"""Annealing certificates as JSON objects (docs/certificate-annealing.md)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from certify.certificates.optimum import LEFT_OUT, ends_json, greedy_json
from certify.certificates.version import FORMAT, VERSION
from certify.exact import rational_text
from certify.games.canonical import game_to_json, sha256_of
from certify.games.model import Game
from certify.games.objective import named_in_certificates
from certify.stationary.branch_pieces import Piece
from certify.stationary.enclosed import Enclosed
from certify.stationary.greedy import GreedyRow
from certify.stationary.piece_proof import UNIT_BITS


@dataclass(frozen=True)
class StationClaim:
    """What is enclosed at one temperature, the greedy rows and their exact return."""

    enclosed: Enclosed
    greedy: Sequence[GreedyRow]
    greedy_return: Fraction | None


@dataclass(frozen=True)
class Breaking:
    """The pieces for symmetric policies from the upper end of the bracket to the lower, and {generator: direction by
    row, uphill at the lower end}."""

    pieces: Sequence[Piece]
    directions: dict[int, list[list[int]]]


@dataclass(frozen=True)
class AnnealClaim:
    """alpha : the bracket, twice the same temperature where nothing happens down to it.  stations, generators (as
    JSON); breaking : the proof below the bracket, or None."""

    alpha: tuple[Fraction, Fraction]
    stations: Sequence[StationClaim]
    generators: tuple[dict[str, Any], ...]
    breaking: Breaking | None = None


def anneal_certificate(
    game: Game, threshold: dict[str, Any], pieces: Sequence[Piece], claimed: AnnealClaim
) -> dict[str, Any]:
    """The document; `threshold` is a threshold certificate of the same game."""
    restated, below = game_to_json(game), claimed.breaking
    broken = [] if below is None else sorted(below.directions)
    beyond = below and {
        "pieces": [piece.data for piece in below.pieces],
        "directions": [[x for row in below.directions[k] for x in row[:-1]] for k in broken],
    }
    stations = [
        {
            "alpha": rational_text(s.enclosed.low),
            "piece": s.enclosed.piece,
            "value": ends_json(s.enclosed.value),
            "return": ends_json(s.enclosed.reward),
            "entropy": ends_json(s.enclosed.entropy),
            "policy": [[ends_json(p) for p in row] for row in s.enclosed.policy],
            "greedy": greedy_json(s.greedy, s.greedy_return),
        }
        for s in claimed.stations
    ]
    return {
        "format": FORMAT,
        "version": VERSION,
        "kind": "anneal",
        "game": restated,
        "game_sha256": sha256_of(restated),
        "objective": named_in_certificates(game),
        "claim": {
            "critical": {
                "alpha": [rational_text(a) for a in claimed.alpha],
                "kind": "none-down-to" if below is None else "symmetry-breaking",
                "broken": broken,
            },
            "stations": stations,
        },
        "proof": {
            "unit_bits": UNIT_BITS,
            "threshold": {key: part for key, part in threshold.items() if key not in LEFT_OUT},
            "generators": list(claimed.generators),
            "pieces": [piece.data for piece in pieces],
            "beyond": beyond,
        },
    }
