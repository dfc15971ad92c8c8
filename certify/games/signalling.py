"""Signalling games of two steps: Lewis signalling and tiny Hanabi.  Private types are initial
observations; at each step one agent acts and the other has the single action "wait", so action
sets depend on agent and step only (docs/theory/objective.md#the-model, docs/theory/legal-actions.md#necessity).
"""

from __future__ import annotations

import itertools
from fractions import Fraction

from certify.games.model import Game
from certify.games.oneshot import agent_names

# payoff[card 1][card 2][action 1][action 2] of the games of the Tiny Hanabi suite
TINY_HANABI = {
    "A": ((((0, 1), (0, 0)), ((0, 1), (3, 2))), (((3, 3), (3, 2)), ((2, 0), (3, 3)))),
    "B": ((((1, 0), (1, 0)), ((0, 1), (0, 1))), (((0, 1), (0, 0)), ((1, 0), (1, 0)))),
    "C": ((((3, 0), (0, 3)), ((2, 0), (3, 3))), (((2, 2), (3, 0)), ((0, 1), (0, 2)))),
    "D": ((((3, 0), (1, 3)), ((3, 0), (3, 0))), (((3, 2), (0, 2)), ((0, 1), (0, 0)))),
    "E": (
        (((10, 0, 0), (4, 8, 4), (10, 0, 0)), ((0, 0, 10), (4, 8, 4), (0, 0, 10))),
        (((0, 0, 10), (4, 8, 4), (0, 0, 0)), ((10, 0, 0), (4, 8, 4), (10, 0, 0))),
    ),
    "F": (
        (((0, 3), (3, 2)), ((0, 0), (0, 1)), ((3, 1), (2, 1))),
        (((0, 2), (0, 1)), ((1, 2), (1, 2)), ((0, 1), (0, 3))),
        (((1, 3), (1, 2)), ((0, 3), (2, 2)), ((3, 1), (3, 0))),
    ),
}


def lewis(signals: int) -> Game:
    """Lewis signalling: agent 1 sees one of N equally likely types and sends one of N signals,
    agent 2 sees the signal and guesses the type; a right guess is worth 1.

    >>> game = lewis(2)
    >>> game.actions, game.available
    ((('signal1', 'signal2', 'wait'), ('guess1', 'guess2', 'wait')), (((0, 1), (2,)), ((2,), (0, 1))))
    """
    numbers = range(signals)
    wait = nothing = signals
    acts, waits = tuple(numbers), (wait,)
    return Game(
        name=f"lewis:{signals}",
        agents=agent_names(2),
        states=tuple(f"type{k + 1}" for k in numbers),
        actions=(
            tuple(f"signal{k + 1}" for k in numbers) + ("wait",),
            tuple(f"guess{k + 1}" for k in numbers) + ("wait",),
        ),
        observations=(
            tuple(f"type{k + 1}" for k in numbers) + ("nothing",),
            tuple(f"signal{k + 1}" for k in numbers) + ("nothing",),
        ),
        start=tuple((k, (k, nothing), Fraction(1, signals)) for k in numbers),
        transition={(k, (m, wait)): ((k, Fraction(1)),) for k in numbers for m in numbers},
        emission={((m, wait), k): (((nothing, m), Fraction(1)),) for k in numbers for m in numbers},
        reward={(k, (wait, k)): Fraction(1) for k in numbers},
        horizon=2,
        available=((acts, waits), (waits, acts)),
        source=f"lewis:{signals}",
    )


def tiny_hanabi(variant: str) -> Game:
    """Tiny Hanabi: both see their own card, agent 1 acts, agent 2 sees the action and acts.

    >>> game = tiny_hanabi("E")
    >>> len(game.states), game.start[1]
    (16, (1, (0, 1), Fraction(1, 4)))
    """
    payoff = TINY_HANABI[variant]
    held, moves = range(len(payoff)), range(len(payoff[0][0]))
    cards = list(itertools.product(held, repeat=2))
    wait, nothing = len(moves), len(held)  # actions below `wait` play, observations below `nothing` are cards
    # a dealt pair of cards is one of the first states, the pair with agent 1's action one of those behind them
    after = {(deal, a): len(cards) + len(moves) * deal + a for deal in range(len(cards)) for a in moves}
    shown = tuple(f"card{c}" for c in held)
    return Game(
        name=f"tiny-hanabi:{variant}",
        agents=agent_names(2),
        states=tuple(f"cards{c}{d}" for c, d in cards) + tuple(f"cards{c}{d}-play{a}" for c, d in cards for a in moves),
        actions=((*map(str, moves), "wait"),) * 2,
        observations=((*shown, "nothing"), (*shown, *(f"played{a}" for a in moves))),
        start=tuple((deal, pair, Fraction(1, len(cards))) for deal, pair in enumerate(cards)),
        transition={(deal, (a, wait)): ((s2, Fraction(1)),) for (deal, a), s2 in after.items()},
        emission={((a, wait), s2): (((nothing, len(held) + a), Fraction(1)),) for (_, a), s2 in after.items()},
        reward={
            (s2, (wait, b)): Fraction(r)
            for (deal, a), s2 in after.items()
            for b in moves
            if (r := payoff[cards[deal][0]][cards[deal][1]][a][b])
        },
        horizon=2,
        available=((tuple(moves), (wait,)), ((wait,), tuple(moves))),
        source=f"tiny-hanabi:{variant}",
    )
