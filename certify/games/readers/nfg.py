"""Reader of Gambit's strategic games, `.nfg`, in the payoff and in the outcome form (docs/games.md#gambit).

Team games and weighted potential games (docs/theory/potential.md#weighted-potentials) are accepted.
"""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

from certify.games.labels import plain_names
from certify.games.original import Original
from certify.games.potential import potential_game
from certify.games.readers.gambit_text import GambitText
from certify.games.tables import Game

LARGEST = 10**6  # profiles times players: payoffs


def read_nfg(text: str, where: str, name: str, largest: int = LARGEST) -> Game:
    '''The checked game of the text of an `.nfg` file: its common payoff, or its potential with the players' weights.

    `where` names the file in errors; `largest` is the number of payoffs that are read.  Raises `InputError` with line
    and column for what is no such file, and for
    a game without a potential.

    >>> game = read_nfg("""NFG 1 R "coordination" { "Row" "Column" } { 2 2 }
    ... 2 1  0 0  0 0  4 2""", "small.nfg", "small")
    >>> game.reward[0, (1, 1)], game.weights
    (Fraction(4, 1), (Fraction(1, 1), Fraction(2, 1)))
    '''
    return potential_game(strategic_of(text, where, largest), name, where)


def strategic_of(text: str, where: str, largest: int = LARGEST) -> Original:
    """The strategic game of the text of an `.nfg` file, as it stands there."""
    words = GambitText(text, where)
    words.literal("NFG", "1")
    kind = words.next()
    if kind.text not in ("R", "D"):
        raise words.unexpected(kind, "R or D", "the file begins with NFG 1 R")
    words.text("a title")
    players = words.players()
    strategies = _strategies(words, len(players), largest)
    if words.ahead("text"):
        words.next()  # a comment
    sizes = [len(own) for own in strategies]
    # in the file the first player's index runs fastest, in every other form of ours the last one's
    profiles = [a[::-1] for a in itertools.product(*(range(size) for size in reversed(sizes)))]
    rows = _outcome_form(words, profiles, len(players)) if words.ahead("{") else _payoff_form(words, profiles, sizes)
    words.finish()
    return Original(
        players=plain_names(players, "agent"),
        strategies=strategies,
        payoffs=tuple(rows[a] for a in itertools.product(*(range(size) for size in sizes))),
    )


def _strategies(words: GambitText, count: int, largest: int) -> tuple[tuple[str, ...], ...]:
    """Names of each player's strategies: lists of them, or their numbers."""
    here = words.peek()
    words.brace("{")
    found: list[tuple[str, ...]] = []
    for k in range(count):
        start = words.peek()
        if words.ahead("{"):
            own: tuple[str, ...] = plain_names(words.texts("a strategy's name"), "")
            size = len(own)
        else:
            size = words.index(f"the number of strategies of player {k + 1}", 10**9)
            own = ()
        if not size:
            raise words.error(start, f"player {k + 1} has no strategies", "give at least one")
        if math.prod(map(len, found)) * size * count > largest:
            sizes = "x".join(str(s) for s in [*map(len, found), size])
            raise words.error(
                here,
                f"{sizes}{'x…' * (k + 1 < count)} strategies, {count} payoffs each",
                f"at most {largest:,} payoffs are read; raise max_states= of certify.load for more",
            )
        found.append(own or tuple(str(s + 1) for s in range(size)))
    words.brace("}")
    return tuple(found)


def _payoff_form(
    words: GambitText, profiles: list[tuple[int, ...]], sizes: list[int]
) -> dict[tuple[int, ...], tuple[Fraction, ...]]:
    total = len(profiles) * len(sizes)
    return {
        a: tuple(words.number(f"payoff {k * len(sizes) + i + 1} of {total}") for i in range(len(sizes)))
        for k, a in enumerate(profiles)
    }


def _outcome_form(
    words: GambitText, profiles: list[tuple[int, ...]], count: int
) -> dict[tuple[int, ...], tuple[Fraction, ...]]:
    """Outcome 0 pays nothing."""
    outcomes = [(Fraction(0),) * count]
    words.brace("{")
    while not words.ahead("}"):
        words.brace("{")
        words.text("an outcome's name")
        outcomes.append(tuple(words.number(f"payoff {k + 1} of {count}") for k in range(count)))
        words.brace("}")
    words.brace("}")
    return {
        a: outcomes[words.index(f"the outcome of profile {k + 1} of {len(profiles)}", len(outcomes) - 1)]
        for k, a in enumerate(profiles)
    }
