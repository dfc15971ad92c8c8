"""What is maximised beside the reward, and which games an objective is defined for (docs/theory/objective.md,
docs/theory/legal-actions.md, docs/theory/local-bonus.md).

An objective is data for the rest of the house: the reference policy of every class of AOHs, and whether what
later steps pay flows back to earlier ones.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Literal

from certify.errors import InputError
from certify.games.model import FIRST, Game
from certify.games.reachability import met_observations, restrict_to_reachable

Objective = Literal["entropy", "kl", "local"]
OBJECTIVES: tuple[Objective, ...] = ("entropy", "kl", "local")


def for_objective(game: Game, objective: str) -> Game:
    """The game as the objective sees it: `entropy` and `local` know uniform references only.

    Raises `InputError` for an unknown objective, and for `entropy` where legal actions depend on the history.

    >>> from certify.games import builtin
    >>> for_objective(builtin("climbing"), "entropy") == builtin("climbing")
    True
    """
    if objective not in OBJECTIVES:
        raise InputError("objective", f"{objective!r} is unknown", f"choose from {', '.join(OBJECTIVES)}")
    if not game.reference or objective == "kl":
        return game
    uniform = restrict_to_reachable(
        replace(game, reference={key: _uniform(row) for key, row in game.reference.items()})
    )
    if objective == "local" or not uniform.reference:
        return uniform
    raise InputError(
        game.source or game.name,
        f"{_where(uniform)} other actions are legal than elsewhere at that step: the entropy of what is legal "
        "can then break every symmetry, at every temperature (claim 8)",
        "use --objective kl",
    )


def _uniform(row: tuple[tuple[int, Fraction], ...]) -> tuple[tuple[int, Fraction], ...]:
    return tuple((a, Fraction(1, len(row))) for a, _ in row)


def _where(game: Game) -> str:
    """An observation after which less is legal than is available at its step."""
    for i, steps in enumerate(met_observations(game)):
        for step, observations in enumerate(steps):
            for o in sorted(observations):
                if o >= FIRST and game.legal(i, step, o) != game.actions_at(i, step):
                    return f"for {game.agents[i]} after {game.observations[i][o]} at step {step}"
    return "somewhere"
