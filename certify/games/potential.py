"""Potentials of one-shot games: the common payoff and the entropy weights under which a game's logit equilibria
are stationary policies (docs/theory/potential.md#weighted-potentials).
"""

from __future__ import annotations

import itertools
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np

from certify.errors import InputError
from certify.exact import rational_text
from certify.games.model import Game, check_game
from certify.games.oneshot import one_shot
from certify.games.original import Original


def potential_game(original: Original, name: str, where: str, remark: str = "") -> Game:
    """The game that stands for `original`: itself if all players are paid the same, else its potential.

    The potential's weights w_i > 0 say w_i [u_i(b, a_-i) - u_i(a)] = P(b, a_-i) - P(a); a stationary policy of the
    game with payoff P and entropy weights w_i at the temperature alpha is a logit equilibrium of `original` at
    lambda = 1/alpha.  Raises `InputError` with a cycle of four profiles where there is no potential.

    >>> prisoners = Original(("a", "b"), (("c", "d"),) * 2, tuple(tuple(map(Fraction, u)) for u in
    ...                      ((2, 2), (0, 3), (3, 0), (1, 1))))
    >>> game = potential_game(prisoners, "pd", "pd.nfg")
    >>> [int(game.reward.get((0, a), 0)) for a in ((0, 0), (0, 1), (1, 0), (1, 1))], game.remark
    ([2, 3, 3, 4], 'an exact potential game; the payoff here is its potential')
    """
    weights = [Fraction(1)] * len(original.players)
    values = [row[0] for row in original.payoffs]
    if not original.common:
        choosing = [i for i, size in enumerate(original.sizes) if size > 1]  # the payoffs of others do not matter
        tables = _tables(original, choosing)
        for i, weight in zip(choosing, _weights(original, choosing, tables, where), strict=True):
            weights[i] = weight
        values = _potential(tables, [weights[i] for i in choosing]) if choosing else values
        same = all(w == 1 for w in weights)
        listed = ", ".join(rational_text(w) for w in weights)
        kind = "an exact potential game" if same else f"a potential game with the weights {listed}"
        remark = "; ".join(filter(None, [remark, f"{kind}; the payoff here is its potential"]))
    profiles = itertools.product(*(range(size) for size in original.sizes))
    game = one_shot(name, original.strategies, dict(zip(profiles, values, strict=True)))
    return check_game(
        replace(
            game,
            agents=original.players,
            weights=tuple(weights),
            source=where,
            original=None if original.common else original,
            remark=remark,
        )
    )


def _tables(original: Original, choosing: list[int]) -> list[np.ndarray]:
    """Payoffs of each player who has a choice, by the strategies of these: exact numbers in arrays of objects."""
    found = []
    for i in choosing:
        table = np.empty(len(original.payoffs), dtype=object)
        table[:] = [row[i] for row in original.payoffs]
        found.append(table.reshape([original.sizes[j] for j in choosing]))
    return found


def _first(table: np.ndarray, axis: int) -> np.ndarray:
    """The part at the first strategy of one player, to be subtracted from the whole."""
    part: np.ndarray = table[(slice(None),) * axis + (slice(0, 1),)]
    return part


def _interaction(table: np.ndarray, i: int, j: int) -> np.ndarray:
    """u(a) - u(0, a_j) - u(a_i, 0) + u(0, 0): what players i and j earn by changing together beyond apart."""
    alone: np.ndarray = table - _first(table, i)
    together: np.ndarray = alone - _first(alone, j)
    return together


def _weights(original: Original, choosing: list[int], tables: list[np.ndarray], where: str) -> list[Fraction]:
    """Weights, of those who have a choice, under which the interactions of every two agree; raises `InputError` where
    there are none."""
    n = len(tables)
    pairs = {
        (i, j): (_interaction(tables[i], i, j), _interaction(tables[j], i, j))
        for i, j in itertools.combinations(range(n), 2)
    }
    ratios: dict[int, dict[int, Fraction]] = {i: {} for i in range(n)}  # [i][j] = w_j / w_i
    for (i, j), (mine, other) in pairs.items():
        met = np.flatnonzero((mine != 0) | (other != 0))
        if met.size:
            one, two = mine.flat[met[0]], other.flat[met[0]]
            if not one * two > 0:
                raise _none(original, where, (choosing[i], choosing[j]), int(met[0]), (one, two))
            ratios[i][j], ratios[j][i] = Fraction(one) / two, Fraction(two) / one
    weights: dict[int, Fraction] = {}
    for first in range(n):  # players who do not interact, even through others, may have any weights: ones
        if first in weights:
            continue
        weights[first], waiting = Fraction(1), [first]
        while waiting:
            i = waiting.pop()
            for j, ratio in ratios[i].items():
                if j not in weights:
                    weights[j] = weights[i] * ratio
                    waiting.append(j)
    for (i, j), (mine, other) in pairs.items():
        wrong = np.flatnonzero(mine * weights[i] != other * weights[j])
        if wrong.size:
            at = int(wrong[0])
            pair, gains = (choosing[i], choosing[j]), (mine.flat[at], other.flat[at])
            raise _none(original, where, pair, at, gains, weights[j] / weights[i])
    return [weights[i] for i in range(n)]


def _none(
    original: Original,
    where: str,
    pair: tuple[int, int],
    at: int,
    found: tuple[Fraction, Fraction],
    ratio: Fraction | None = None,
) -> InputError:
    """The cycle of four profiles, the last one number `at`, that no potential allows."""
    i, j = pair
    profile: list[int] = []
    for size in reversed(original.sizes):
        at, a = divmod(at, size)
        profile.insert(0, a)
    first = [0 if k in pair else a for k, a in enumerate(profile)]
    names = [
        "(" + ", ".join(own[a] for own, a in zip(original.strategies, played, strict=True)) + ")"
        for played in (first, profile)
    ]
    needed = "" if ratio is None else f", and in the ratio {rational_text(ratio)} elsewhere"
    one, two = (rational_text(value) for value in found)
    return InputError(
        where,
        f"neither a team game nor a potential game: from {names[0]} to {names[1]} the players {original.players[i]} "
        f"and {original.players[j]} gain {one} and {two} by changing together beyond what they gain apart{needed}",
        "give a game with one payoff for all, or with a (weighted) potential",
    )


def _potential(tables: list[np.ndarray], weights: list[Fraction]) -> list[Any]:
    """P along the path on which the players leave their first strategies one after the other; at the first profile
    it is the first player's payoff there times its weight."""
    n = len(tables)
    shape = tables[0].shape
    total = np.empty(shape, dtype=object)
    total[...] = weights[0] * tables[0].flat[0]
    for i, table in enumerate(tables):
        rest = table
        for later in range(i + 1, n):
            rest = _first(rest, later)
        total = total + (rest - _first(rest, i)) * weights[i]
    return list(total.flat)
