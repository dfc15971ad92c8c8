"""Payoffs in units of a power of ten, so that every scale is within the reach of floats.

J_alpha(R) / u = J_{alpha/u}(R/u): payoffs and temperatures scale together, and everything that is claimed of a
policy stays as it is (docs/theory/objective.md#the-objective).  Dividing by a power of ten is exact.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction

from certify.games.tables import Game

_DIGITS_PER_BIT = 0.30103
_DIGITS = 6  # payoffs between 10^-6 and 10^6 are taken as they are


def unit_of(game: Game) -> Fraction:
    """The power of ten that the largest payoff is near, 1 where that is of everyday size.

    >>> from certify.games.arrays import from_array
    >>> unit_of(from_array([["1e300", 0], [0, 1]])) == 10**300, unit_of(from_array([[8, 0], [0, 1]]))
    (True, Fraction(1, 1))
    """
    return power_of_ten(game.reward.values())


def power_of_ten(values: Iterable[Fraction]) -> Fraction:
    """The power of ten that the largest of the values is near, 1 where that is of everyday size.

    >>> power_of_ten([Fraction(10) ** -30, Fraction(0)]) == Fraction(1, 10**30)
    True
    """
    sizes = [v.numerator.bit_length() - v.denominator.bit_length() for v in values if v]
    digits = round(max(sizes, default=0) * _DIGITS_PER_BIT)
    return Fraction(1) if abs(digits) <= _DIGITS else Fraction(10) ** digits


def divided(game: Game, unit: Fraction) -> Game:
    """The game with every payoff divided by `unit`.

    >>> from certify.games import builtin
    >>> divided(builtin("lever:2"), Fraction(2)).reward[0, (0, 0)]
    Fraction(1, 2)
    """
    if unit == 1:
        return game
    return replace(game, reward={key: value / unit for key, value in game.reward.items()})
