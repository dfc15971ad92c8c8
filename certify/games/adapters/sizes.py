"""How large a game is, before it is enumerated: estimates from random plays.

Paths (what has happened, chance included) are estimated without bias as in Knuth (1975): the product of the numbers
of branches along a random play.  They bound joint histories from above.  Distinct states are estimated by the
collisions among the states of the plays (birthdays), from below: n plays see at most n(n - 1)/2 states, and fewer where
some states are likelier than others (docs/theory/environments.md#sizes-before-the-enumeration).
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

from certify.errors import InputError
from certify.games.adapters.protocol import Environment, raised
from certify.run import OutOfTime

PLAYS, MOST_FIRST = 200, 10**6
_FURTHEST = 100  # steps of each


@dataclass(frozen=True)
class Sizes:
    """Estimates for each step from 0 on: `paths` bounds joint histories from above, `states` errs low."""

    paths: tuple[float, ...]
    states: tuple[float, ...]

    def __str__(self) -> str:
        return (
            f"states by step at least about {_listed(self.states)}; joint histories at most about {_listed(self.paths)}"
        )


def _listed(numbers: tuple[float, ...]) -> str:
    parts = [f"{x:,.0f}" if x < 1e6 else f"{x:.1e}".replace("+", "") for x in numbers]
    return ", ".join(parts if len(parts) <= 8 else [*parts[:6], "...", parts[-1]])


def estimate_sizes(environment: Environment, horizon: int, *, plays: int = PLAYS, most: int = MOST_FIRST) -> Sizes:
    """Estimates from random plays, without enumerating anything; more than `most` first states are refused."""
    rng, horizon = random.Random(0), min(horizon, _FURTHEST)
    walk = getattr(environment.model, "walk", None)
    try:
        if callable(walk):
            walks = [list(walk(rng, horizon)) for _ in range(plays)]
        else:
            walks = _lockstep(environment, horizon, (plays, most), rng)
        return estimated(walks, horizon)
    except (InputError, OutOfTime):
        raise
    except Exception as error:  # of its own walks, or of an __eq__ of its states
        raise raised(error, f"{environment.name}, random plays") from error


def _lockstep(
    environment: Environment, horizon: int, limits: tuple[int, int], rng: random.Random
) -> list[list[tuple[int, Any]]]:
    """Random plays, a step of all of them at once: environments that answer in batches are asked so."""
    plays, most = limits
    start = environment.start(most)
    walks = [[(len(start), rng.choice(start)[1])] for _ in range(plays)]
    for _ in range(horizon - 1):
        going = [w for w in walks if w[-1][1] is not None]
        if not going:
            break
        asked, branches = [], []
        for w in going:
            legal = environment.legal(w[-1][1])
            asked.append((w[-1][1], tuple(rng.choice(own) for own in legal)))
            branches.append(_product(legal))
        for w, joint, found in zip(going, branches, environment.outcomes(asked), strict=True):
            w.append((joint * len(found), rng.choice(found)[2]))
    return walks


def _product(legal: tuple[tuple[int, ...], ...]) -> int:
    count = 1
    for own in legal:
        count *= len(own)
    return count


def estimated(walks: list[list[tuple[int, Any]]], horizon: int) -> Sizes:
    """What a list of plays says; a play that is over has None for its state.

    >>> estimated([[(2, "a"), (4, "c")], [(2, "b"), (4, "d")]], 2)
    Sizes(paths=(2.0, 8.0), states=(2.0, 2.0))
    """
    paths, states = [], []
    weights = [1.0] * len(walks)
    for step in range(horizon):
        alive = []
        for k, walk in enumerate(walks):
            if step < len(walk) and walk[step][1] is not None:
                weights[k] *= walk[step][0]
                alive.append(k)
        if not alive:
            break
        paths.append(sum(weights[k] for k in alive) / len(walks))
        seen = [walks[k][step][1] for k in alive]
        states.append(min(paths[-1], _by_birthdays(seen)))
    return Sizes(tuple(paths), tuple(states))


def _by_birthdays(seen: list[Any]) -> float:
    """How many there are, from how many pairs of draws are alike; at least as many as were seen."""
    counts: dict[Any, int] = {}
    for value in seen:
        counts[value] = counts.get(value, 0) + 1
    alike = sum(c * (c - 1) // 2 for c in counts.values())
    pairs = len(seen) * (len(seen) - 1) / 2
    return max(float(len(counts)), pairs / max(alike, 1))


def refuse_if_large(name: str, sizes: Sizes, max_states: int) -> None:
    """Raise `InputError` with the numbers where the states of all steps are estimated beyond the limit."""
    if sum(sizes.states) > max_states:
        raise InputError(
            name,
            f"too large to enumerate: {sizes} (estimates); the limit is {max_states:,} states",
            "shorten the horizon, or raise max_states",
        )
