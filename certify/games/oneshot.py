"""One-shot common-payoff games as horizon-1 models (docs/theory/objective.md#the-model).

Everyone shares one state "s" and one observation "o"; only the payoff of each joint action is left.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

from certify.games.model import Game, JointAction


def one_shot(name: str, actions: Sequence[Sequence[str]], payoff: Mapping[JointAction, Fraction | int]) -> Game:
    """The one-shot game in which all agents receive `payoff[joint action]` (absent means 0).

    >>> game = one_shot("pennies", ["ht", "ht"], {(0, 0): 1, (1, 1): 1})
    >>> game.horizon, game.actions, dict(game.reward)[0, (1, 1)]
    (1, (('h', 't'), ('h', 't')), Fraction(1, 1))
    """
    return Game(
        name=name,
        agents=agent_names(len(actions)),
        states=("s",),
        actions=tuple(tuple(names) for names in actions),
        observations=(("o",),) * len(actions),
        start=((0, (), Fraction(1)),),
        transition={},
        emission={},
        reward={(0, a): Fraction(r) for a, r in payoff.items() if r},
        horizon=1,
        source=name,
    )


def agent_names(count: int) -> tuple[str, ...]:
    """Names of agents that a game only counts.

    >>> agent_names(2)
    ('agent1', 'agent2')
    """
    return tuple(f"agent{i + 1}" for i in range(count))
