"""Random games with a symmetry: the rewards of a known game drawn anew, each as the mean over the powers of one map."""

from __future__ import annotations

import itertools
from dataclasses import replace
from fractions import Fraction

import numpy as np

from certify.games import builtin
from certify.games.model import Game, check_game
from certify.symmetry.group import symmetries
from certify.symmetry.maps import GameMap, identity_map

BASES = (("lever:3", 1), ("dectiger", 2), ("match:3x3x3", 1), ("lewis:2", 1), ("matching-pennies", 1))


def powers(game: Game, mapping: GameMap) -> list[GameMap]:
    """A map, its square, and so on, the identity left out."""
    found, current = [], mapping
    while current.key != identity_map(game).key:
        found.append(current)
        current = mapping.after(current)
    return found


def symmetric_game(number: int) -> tuple[Game, list[GameMap]]:
    """Game `number` and automorphisms of it, a map and its powers."""
    rng = np.random.default_rng(31_000 + number)
    name, horizon = BASES[number % len(BASES)]
    base = builtin(name, None if horizon == 1 else horizon)
    elements = [g for g in symmetries(base).elements() if g.key != identity_map(base).key]
    maps = powers(base, elements[int(rng.integers(len(elements)))])
    actions = list(itertools.product(*(range(len(own)) for own in base.actions)))
    drawn = {(s, a): Fraction(int(rng.integers(-9, 10))) for s in range(len(base.states)) for a in actions}
    reward = {
        (s, a): (drawn[s, a] + sum(drawn[g.states[s], g.joint_action(a)] for g in maps)) / (len(maps) + 1)
        for s, a in drawn
    }
    reward = {key: r for key, r in reward.items() if r}
    return check_game(replace(base, name=f"symmetric {number}", reward=reward)), maps
