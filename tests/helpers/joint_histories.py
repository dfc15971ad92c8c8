"""What a game is, whatever its states and numbers are: for every joint history, in names, its chance, what is legal
and what every joint action pays.  Plain recursion, shared with no code of the package."""

from __future__ import annotations

import itertools
from fractions import Fraction

from certify.games import Game

Table = dict[tuple, tuple[Fraction, tuple, dict[tuple[str, ...], Fraction]]]


def joint_histories(game: Game, renamed: dict[str, str] | None = None) -> Table:
    """By joint history (per agent its observations and actions by name): chance, legal sets, rewards."""
    say = renamed or {}
    actions = [[say.get(a, a) for a in own] for own in game.actions]
    seen = [[say.get(o, o) for o in own] for own in game.observations]
    n = game.number_of_agents
    level: dict[tuple, tuple[tuple[int, ...], dict[int, Fraction]]] = {}
    for s, o, p in game.start:
        key = tuple((seen[i][o[i]],) if o else () for i in range(n))
        weights = level.setdefault(key, (o or (-1,) * n, {}))[1]
        weights[s] = weights.get(s, Fraction(0)) + p
    table: Table = {}
    for step in range(game.horizon):
        following: dict[tuple, tuple[tuple[int, ...], dict[int, Fraction]]] = {}
        for key, (last, weights) in level.items():
            legal = [game.legal(i, step, last[i]) for i in range(n)]
            paid = {}
            for a in itertools.product(*legal):
                names = tuple(actions[i][x] for i, x in enumerate(a))
                paid[names] = sum((p * game.reward.get((s, a), 0) for s, p in weights.items()), Fraction(0))
                if step + 1 == game.horizon:
                    continue
                for s, p in weights.items():
                    for s2, q in game.transition[s, a]:
                        for o, r in game.emission[a, s2]:
                            longer = tuple((*key[i], names[i], seen[i][o[i]]) for i in range(n))
                            belief = following.setdefault(longer, (o, {}))[1]
                            belief[s2] = belief.get(s2, Fraction(0)) + p * q * r
            sets = tuple(tuple(actions[i][x] for x in own) for i, own in enumerate(legal))
            table[key] = (sum(weights.values()), sets, paid)
        level = following
    return table
