"""A strategic game with a payoff for each player, as it was before its potential took its place."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True)
class Original:
    """A one-shot game in which payoffs may differ.

    players : names.  strategies : each player's, by name.
    payoffs : of every profile, the last player's strategy running fastest, one number per player.
    """

    players: tuple[str, ...]
    strategies: tuple[tuple[str, ...], ...]
    payoffs: tuple[tuple[Fraction, ...], ...]

    @property
    def sizes(self) -> tuple[int, ...]:
        """How many strategies each player has.

        >>> Original(("a", "b"), (("x", "y"), ("z",)), ((Fraction(0),) * 2,) * 2).sizes
        (2, 1)
        """
        return tuple(len(own) for own in self.strategies)

    @property
    def common(self) -> bool:
        """Whether every profile pays all players the same.

        >>> Original(("a", "b"), (("x",), ("z",)), ((Fraction(1), Fraction(2)),)).common
        False
        """
        return all(min(row) == max(row) for row in self.payoffs)
