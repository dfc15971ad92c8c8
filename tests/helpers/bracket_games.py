"""Random games of five families, small enough that both ends of a bracket are proved in seconds.

Game number k is always the same: every game has its own seed.
"""

from __future__ import annotations

import itertools
from dataclasses import replace
from fractions import Fraction

import numpy as np
from random_games import random_game

from certify.games.model import Game, check_game
from certify.games.oneshot import one_shot

FAMILIES = ("small integers", "large integers", "three agents", "Bayesian team", "two steps")
SMALL, LARGE = 9, 30  # bounds of integer payoffs


def one_shot_integers(rng: np.random.Generator, sizes: tuple[int, ...], bound: int) -> Game:
    """A one-shot game with payoffs uniform in {-bound, ..., bound}.

    >>> one_shot_integers(np.random.default_rng(0), (2, 3), 3).actions
    (('a0', 'a1'), ('a0', 'a1', 'a2'))
    """
    payoff = {a: int(rng.integers(-bound, bound + 1)) for a in itertools.product(*map(range, sizes))}
    return one_shot("integers", [[f"a{k}" for k in range(m)] for m in sizes], payoff)


def bracket_game(k: int) -> Game:
    """Game number k, of family k mod 5; every second round of families has unequal entropy weights.

    >>> bracket_game(2).number_of_agents, bracket_game(4).horizon
    (3, 2)
    """
    rng = np.random.default_rng(70_000 + k)
    family, unequal = FAMILIES[k % len(FAMILIES)], bool((k // len(FAMILIES)) % 2)
    if family in ("small integers", "large integers"):
        sizes = tuple(int(m) for m in rng.integers(2, 4, 2))
        game = one_shot_integers(rng, sizes, SMALL if family == "small integers" else LARGE)
    elif family == "three agents":
        game = one_shot_integers(rng, (2, 2, 2), SMALL)
    elif family == "Bayesian team":
        game = random_game(rng, horizon=1, initial_observations=True)
    else:
        game = random_game(rng, horizon=2, discount=bool(rng.integers(2)))
    if unequal:
        game = replace(game, weights=tuple(Fraction(int(w), 4) for w in rng.integers(1, 9, game.number_of_agents)))
    return check_game(replace(game, name=f"{family} {k}"))


def payoffs(game: Game) -> list[int]:
    """The payoffs of a one-shot game, last agent's action fastest: what a report of a failure needs."""
    return [int(game.reward.get((0, a), 0)) for a in game.joint_actions_at(0)]
