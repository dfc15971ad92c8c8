"""The games on which the claims are certified: the one-shot built-ins, the small sequential games, and
three benchmarks at two steps."""

from __future__ import annotations

from certify.games import Game, load

_ONE_SHOT = ("lever:2", "matching-pennies", "climbing", "penalty:-10", "match:3x3x3")
_LEVERS = ("lever:3", "lever:10:9/10")
_SEQUENTIAL = ("lewis:3", "two-stage-lever", "tiny-hanabi:E")
_BENCHMARKS = ("dectiger", "recycling", "broadcast-channel")
BENCHMARK_STEPS = 2


def suite(quick: bool) -> list[Game]:
    """The games of a full run, or the one-shot ones of a quick one.

    >>> [game.name for game in suite(quick=True)]
    ['lever:2', 'matching-pennies', 'climbing', 'penalty:-10', 'match:3x3x3']
    """
    if quick:
        return [load(name) for name in _ONE_SHOT]
    return [load(name) for name in (*_ONE_SHOT, *_LEVERS, *_SEQUENTIAL)] + [
        load(name, horizon=BENCHMARK_STEPS) for name in _BENCHMARKS
    ]


def file_name(game: Game) -> str:
    """The game's name as the beginning of a file name.

    >>> file_name(load("lever:10:9/10"))
    'lever-10-9-10'
    """
    return game.name.replace(":", "-").replace("/", "-")
