"""`certify.from_steps`: any environment that can list what may happen becomes an exact game.

Every state that play can reach is enumerated, breadth first, within limits that are stated; numbers become rationals
(docs/games.md#environments-in-python).
"""

from __future__ import annotations

import os
from fractions import Fraction
from typing import Any, TypedDict, Unpack

from certify.errors import InputError
from certify.exact import exact_number, significant_text, whole_number
from certify.games.adapters.cache import Cache
from certify.games.adapters.enumeration import Enumerated, enumerate_states
from certify.games.adapters.folding import Folding, folding
from certify.games.adapters.protocol import Environment, StepModel
from certify.games.adapters.rationals import MAX_DENOMINATOR, TOLERANCE, Rationals
from certify.games.adapters.sizes import Sizes, estimate_sizes, refuse_if_large
from certify.games.model import Game
from certify.games.objective import OBJECTIVES
from certify.run import Progress, quiet

MAX_STATES = 100_000
LONGEST = 10**4  # steps


class StepOptions(TypedDict, total=False):
    """What `from_steps` takes beside the environment and the horizon, all of it optional.

    name : of the game.  discount : 0 < discount <= 1, default 1.
    objective : "entropy", "kl" or "local"; by default entropy where legal actions depend on agent and step only,
        else kl.  It decides what is legal after the end: everything (entropy, local) or one action (kl).
    max_denominator, tolerance : how floats become rationals (`Rationals`).
    max_states : more are refused, with the numbers; a hundred times as many rows likewise.
    cache : a file that keeps what has been enumerated; where it exists, the enumeration goes on from it.
    progress : called with a line now and then.
    """

    name: str | None
    discount: Fraction | float | str
    objective: str | None
    max_denominator: int
    tolerance: float
    max_states: int
    cache: str | os.PathLike[str] | None
    progress: Progress


def from_steps(model: StepModel, horizon: int | None = None, **options: Unpack[StepOptions]) -> Game:
    """The exact game of an environment that lists its outcomes (`protocol.StepModel`), over `horizon` steps.

    `horizon` None: until every branch is done.  What is rewarded later than the horizon does not count.
    Raises `InputError`, one line, for anything that is no such environment or is too large.

    >>> class Coin:
    ...     "Two agents guess a coin that the first one sees; 1 if both are right."
    ...     agents, actions = 2, (2, 2)
    ...
    ...     def initial(self):
    ...         return [(0.5, side, (side, "?")) for side in (0, 1)]
    ...
    ...     def outcomes(self, state, joint_action):
    ...         return [(1, int(joint_action == (state, state)), None, None, True)]
    >>> game = from_steps(Coin())
    >>> game.horizon, game.reward[1, (1, 1)], game.observations
    (1, Fraction(1, 1), (('0', '1'), ('?',)))
    """
    return traced_steps(model, horizon, options)[1].game


def traced_steps(model: StepModel, horizon: int | None, options: StepOptions) -> tuple[Enumerated, Folding]:
    """What `from_steps` enumerates, and the game that it makes of it with the origin of states and actions."""
    unknown = set(options) - set(StepOptions.__annotations__)
    if unknown:
        raise TypeError(f"from_steps() got an unexpected option {sorted(unknown)[0]!r}")
    if horizon is not None:
        horizon = _steps_within(horizon)
    objective = options.get("objective")
    if objective is not None and objective not in OBJECTIVES:
        raise InputError("objective", f"{objective!r} is unknown", f"choose from {', '.join(OBJECTIVES)}")
    discount = exact_number(options.get("discount", 1), "discount")
    most = whole_number(options.get("max_states", MAX_STATES), "max_states")
    numbers = Rationals(options.get("max_denominator", MAX_DENOMINATOR), options.get("tolerance", TOLERANCE))
    environment = Environment(model, numbers, options.get("name"))
    progress = options.get("progress", quiet)
    about = {
        "name": environment.name,
        "horizon": horizon,
        "agents": list(environment.agents),
        "actions": [[repr(label) for label in own] for own in environment.actions],
        "max_denominator": numbers.max_denominator,
        "tolerance": str(numbers.tolerance),
    }
    with Cache(options.get("cache"), about) as cache:
        if not cache.lines:  # else it has begun, and the limit is kept step by step
            refuse_if_large(environment.name, estimate_sizes(environment, horizon or LONGEST, most=most), most)
        table = enumerate_states(environment, horizon, most, cache, progress)
    return table, folding(table, objective, discount, named(environment.name, numbers))


def named(name: str, numbers: Rationals) -> str:
    """The game's name in certificates: where floats became rationals, it says how near these are.

    >>> named("coin", Rationals())
    'coin'
    """
    if not numbers.error:
        return name
    return f"{name} (floats as rationals, within {significant_text(numbers.error, 2, up=True)})"


def sizes(model: StepModel, horizon: int, **options: Unpack[StepOptions]) -> Sizes:
    """Estimates of the states and joint histories of an environment, before anything is enumerated.

    >>> class Walk:
    ...     agents, actions = 1, (2,)
    ...     def initial(self):
    ...         return [(1, 0, ("start",))]
    ...     def outcomes(self, state, joint_action):
    ...         return [(1, 0, 2 * state + joint_action[0] + 1, ("on",), False)]
    >>> sizes(Walk(), 4).paths
    (1.0, 2.0, 4.0, 8.0)
    """
    numbers = Rationals(options.get("max_denominator", MAX_DENOMINATOR), options.get("tolerance", TOLERANCE))
    return estimate_sizes(Environment(model, numbers, options.get("name")), _steps_within(horizon))


def _steps_within(horizon: Any) -> int:
    number = exact_number(horizon, "horizon")
    if isinstance(horizon, (bool, float)) or number.denominator != 1 or not 1 <= number <= LONGEST:
        raise InputError("horizon", f"{horizon}", f"use a whole number of steps from 1 to {LONGEST:,}")
    return int(number)
