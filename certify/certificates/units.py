"""A certificate about a game whose payoffs were divided by a unit, restated for the game itself
(docs/theory/objective.md#the-objective).

Proofs are about beta times payoffs: temperatures, moduli, rates and payoffs are multiplied by the unit, betas divided
by it, and nothing else changes.  The checker then decides about the certificate as restated.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from certify.certificates.original import FIELDS
from certify.exact import rational_text
from certify.games.canonical import game_to_json, sha256_of
from certify.games.model import Game

_TIMES = ("alpha", "alpha_star", "alpha_multiple", "alpha_two_maxima", "modulus", "rate", "value", "return")
_OVER = ("beta", "step_size")


def restated(document: dict[str, Any], game: Game, unit: Fraction) -> dict[str, Any]:
    """What `document`, a threshold or an optimum of `game` with payoffs divided by `unit`, says of `game`.

    >>> from certify.games import builtin
    >>> document = {"claim": {"alpha_star": "1/2"}, "proof": {"beta": ["0", "2"]}}
    >>> found = restated(document, builtin("lever:2"), Fraction(4))
    >>> found["claim"], found["proof"]
    ({'alpha_star': '2'}, {'beta': ['0', '1/2']})
    """
    if unit == 1:
        return document
    kept = ("symmetry", "search", "consequences", "format", "version", "kind", "objective", "game", "game_sha256",
            *FIELDS)  # fmt: skip
    result = {key: part if key in kept else _scaled(part, unit) for key, part in document.items()}
    if "game" in result:
        result["game"] = game_to_json(game)
    if "game_sha256" in result:
        result["game_sha256"] = sha256_of(game_to_json(game))
    return result


def _scaled(part: Any, unit: Fraction) -> Any:
    if isinstance(part, list):
        return [_scaled(item, unit) for item in part]
    if not isinstance(part, dict):
        return part
    result = {}
    for key, value in part.items():
        if key in _TIMES:
            result[key] = _times(value, unit)
        elif key in _OVER:
            result[key] = _times(value, 1 / unit)
        else:
            result[key] = value if key in ("symmetry", "generators", "search") else _scaled(value, unit)
    return result


def _times(value: Any, factor: Fraction) -> Any:
    """A number "p/q", or a list of them, times the factor; None stays."""
    if isinstance(value, list):
        return [_times(item, factor) for item in value]
    return rational_text(Fraction(value) * factor) if isinstance(value, str) else value
