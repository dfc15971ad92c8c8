"""The best return of a small two-agent game, exactly, by going through one agent's deterministic plans and
answering each with the other's best response (formats: "optimal deterministic value").
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from certify.errors import InputError
from certify.games import Game

MAX_PLANS = 20_000
Plan = tuple  # (action, ((observation, plan), ...)); the plans after the last action are empty


def best_return(game: Game) -> Fraction:
    """The largest expected return of any policy: deterministic ones suffice, the return being affine in
    every row of a policy.  Raises `InputError` for other than two agents and for too many plans.

    >>> from certify.games import load
    >>> best_return(load("dectiger", horizon=2)), best_return(load("climbing"))
    (Fraction(-4, 1), Fraction(11, 1))
    """
    if game.number_of_agents != 2:
        raise InputError(game.name, f"{game.number_of_agents} agents", "the best return is found for two agents")
    first = sorted({o[:1] for _, o, _ in game.start})
    if len(first) * count_plans(game, 0) > MAX_PLANS:
        raise InputError(
            game.name,
            f"{count_plans(game, 0)} deterministic plans of one agent",
            f"use a game with at most {MAX_PLANS}",
        )
    # an agent that sees something first chooses a plan for each observation
    return max(
        sum(
            (_best_response(game, start) for start in _starts(game, dict(zip(first, chosen, strict=True))).values()),
            Fraction(0),
        )
        for chosen in itertools.product(list(_plans(game, 0)), repeat=len(first))
    )


def count_plans(game: Game, step: int) -> int:
    """How many deterministic plans agent 0 has from `step` on."""
    later = 1 if step == game.horizon - 1 else count_plans(game, step + 1) ** len(game.observations[0])
    return len(game.actions_at(0, step)) * later


def _plans(game: Game, step: int) -> Iterator[Plan]:
    seen = range(len(game.observations[0])) if step < game.horizon - 1 else ()
    later = list(_plans(game, step + 1)) if seen else []
    for action in game.actions_at(0, step):
        for chosen in itertools.product(later, repeat=len(seen)):
            yield action, chosen


Weights = dict[tuple[int, Plan], Fraction]


def _starts(game: Game, chosen: dict[tuple, Plan]) -> dict[tuple, Weights]:
    """What agent 1 may see first -> the probability of each state and plan of agent 0."""
    found: dict[tuple, Weights] = {}
    for s, o, p in game.start:
        weights = found.setdefault(o[1:], {})
        key = s, chosen[o[:1]]
        weights[key] = weights.get(key, Fraction(0)) + p
    return found


def _best_response(game: Game, weights: Weights, step: int = 0) -> Fraction:
    """The best that agent 1 can add to the return, given what it knows (unnormalised)."""
    return max(_worth(game, weights, step, action) for action in game.actions_at(1, step))


def _worth(game: Game, weights: Weights, step: int, action: int) -> Fraction:
    now = Fraction(0)
    later: dict[Any, dict[Any, Fraction]] = {}
    for (s, (other, then)), w in weights.items():
        joint = other, action
        now += w * game.reward.get((s, joint), Fraction(0))
        if step == game.horizon - 1:
            continue
        for s2, p in game.transition[s, joint]:
            for (o0, o1), q in game.emission[joint, s2]:
                after = later.setdefault(o1, {})
                key = s2, then[o0]
                after[key] = after.get(key, Fraction(0)) + w * p * q
    return now + game.discount * sum((_best_response(game, after, step + 1) for after in later.values()), Fraction(0))
