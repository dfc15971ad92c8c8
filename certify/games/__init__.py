"""What is played: the exact model, its readers, the built-in games and their canonical form."""

from certify.games.adapters.jaxmarl import from_jaxmarl
from certify.games.adapters.openspiel import from_openspiel
from certify.games.adapters.steps import from_steps
from certify.games.arrays import as_game, from_array, from_payoffs
from certify.games.builtin import builtin, list_builtins
from certify.games.canonical import game_from_json, game_sha256, game_to_json
from certify.games.load import load
from certify.games.model import Game, check_game, restrict_to_reachable

__all__ = [
    "Game",
    "as_game",
    "builtin",
    "check_game",
    "from_array",
    "from_jaxmarl",
    "from_openspiel",
    "from_payoffs",
    "from_steps",
    "game_from_json",
    "game_sha256",
    "game_to_json",
    "list_builtins",
    "load",
    "restrict_to_reachable",
]
