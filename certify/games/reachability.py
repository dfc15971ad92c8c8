"""What play can meet: states, joint actions and last observations under full-support legal policies
(docs/theory/symmetry.md#deciding-a-candidate, docs/theory/legal-actions.md#kl-to-a-reference; formats).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from typing import TypeVar

from certify.games.tables import FIRST, GameTables, JointAction, JointObservation

Tables = TypeVar("Tables", bound="GameTables")
_FREE = -2  # stands for every observation after which all available actions are legal


Moment = tuple[int, JointObservation]  # a state and what of the last joint observation decides what is legal


def play(game: GameTables) -> Iterator[frozenset[Moment]]:
    """For each step the pairs (state, last joint observation) that full-support legal policies can meet.

    Of an observation only what decides the legal actions is kept: after those without a row of
    `game.reference` all available actions are legal, and they count as one; a game without rows has `()`.

    >>> from certify.games import builtin
    >>> [sorted(moments) for moments in play(builtin("dectiger"))]
    [[(0, ()), (1, ())], [(0, ()), (1, ())]]
    """
    moments = frozenset((s, deciding(game, o)) for s, o, _ in game.start)
    after: dict[tuple[int, JointAction], set[Moment]] = {}
    for step in range(game.horizon):
        yield moments
        if step + 1 < game.horizon:
            following: set[Moment] = set()
            for s, last in moments:
                for a in game.legal_joint_actions(step, last):
                    if (s, a) not in after:
                        after[s, a] = _after(game, s, a)
                    following |= after[s, a]
            moments = frozenset(following)


def deciding(game: GameTables, last: JointObservation) -> JointObservation:
    """What of a joint observation decides which actions are legal: () in a game without rows.

    >>> from certify.games import builtin
    >>> deciding(builtin("dectiger"), (0, 1))
    ()
    """
    if not game.reference:
        return ()
    last = last or (FIRST,) * game.number_of_agents
    return tuple(o if (i, o) in game.reference else _FREE for i, o in enumerate(last))


def _after(game: GameTables, state: int, action: JointAction) -> set[Moment]:
    targets = [s2 for s2, _ in game.transition.get((state, action), ())]
    if not game.reference:
        return {(s2, ()) for s2 in targets}
    return {(s2, deciding(game, o)) for s2 in targets for o, _ in game.emission.get((action, s2), ())}


def met_observations(game: GameTables) -> list[list[set[int]]]:
    """Per agent and step the last observations that play can meet; those without a row of `game.reference`
    count as one, a negative number.  Empty sets in a game without rows."""
    found: list[list[set[int]]] = [[] for _ in game.agents]
    for moments in play(game):
        for i, steps in enumerate(found):
            steps.append({last[i] for _, last in moments if last})
    return found


def playable_joint_actions(game: GameTables) -> frozenset[JointAction]:
    """Joint actions that are available at some step.

    >>> from certify.games import builtin
    >>> sorted(playable_joint_actions(builtin("lewis:2")))
    [(0, 2), (1, 2), (2, 0), (2, 1)]
    """
    if game.available is None:
        return frozenset(game.joint_actions_at(0))
    return frozenset(a for sets in set(zip(*game.available, strict=True)) for a in itertools.product(*sets))


def _successors(game: GameTables) -> dict[Moment, set[Moment]]:
    """What can follow each moment at some step, whatever the number of steps."""
    steps = range(1 if game.available is None else game.horizon)
    start = {(s, deciding(game, o)) for s, o, _ in game.start}
    found: dict[Moment, set[Moment]] = {}
    after: dict[tuple[int, JointAction], set[Moment]] = {}
    frontier = list(start)
    while frontier:
        s, last = frontier.pop()
        if (s, last) in found:
            continue
        following: set[Moment] = set()
        for a in {a for step in steps for a in game.legal_joint_actions(step, last)}:
            if (s, a) not in after:
                after[s, a] = _after(game, s, a)
            following |= after[s, a]
        found[s, last] = following
        frontier.extend(following)
    return found


def reachable_states(game: GameTables) -> tuple[int, ...]:
    """States that full-support play reaches at any number of steps, ascending.

    >>> from certify.games import builtin
    >>> reachable_states(builtin("dectiger"))
    (0, 1)
    """
    return tuple(sorted({s for s, _ in _successors(game)}))


def restrict_to_reachable(game: Tables) -> Tables:
    """The same game with what play can meet only (docs/theory/symmetry.md#deciding-a-candidate; formats): reachable
    states, joint actions available at some step, observations of outcomes that occur.

    In a game with legal sets the actions available at a step become those that are legal after some
    observation there, and rows of the reference that say nothing (never met, or uniform on what is then
    available) are left out.

    >>> from certify.games import builtin
    >>> restrict_to_reachable(builtin("climbing")) == builtin("climbing")
    True
    """
    if game.reference:
        game = _without_idle_rows(game)
    kept = reachable_states(game)
    index = {s: k for k, s in enumerate(kept)}
    playable = playable_joint_actions(game)
    transition = {
        (index[s], a): tuple((index[s2], p) for s2, p in row)
        for (s, a), row in game.transition.items()
        if s in index and a in playable
    }
    outcomes = {(a, s2) for (_, a), row in transition.items() for s2, _ in row}
    return replace(
        game,
        states=tuple(game.states[s] for s in kept),
        start=tuple((index[s], o, p) for s, o, p in game.start),
        transition=transition,
        emission={
            (a, index[s]): row for (a, s), row in game.emission.items() if s in index and (a, index[s]) in outcomes
        },
        reward={(index[s], a): r for (s, a), r in game.reward.items() if s in index and a in playable},
    )


def _without_idle_rows(game: Tables) -> Tables:
    met = met_observations(game)
    available = tuple(
        tuple(
            tuple(sorted({a for o in observations for a in game.legal(i, step, o)}))
            for step, observations in enumerate(steps)
        )
        for i, steps in enumerate(met)
    )
    rows = {}
    for (i, o), row in game.reference.items():
        uniform = Fraction(1, len(row))
        legal = tuple(a for a, _ in row)
        where = [step for step, observations in enumerate(met[i]) if o in observations]
        if where and (any(p != uniform for _, p in row) or any(available[i][step] != legal for step in where)):
            rows[i, o] = row
    every = all(
        steps[step] == tuple(range(len(game.actions[i])))
        for i, steps in enumerate(available)
        for step in range(game.horizon)
    )
    return replace(game, reference=rows, available=None if every else available)
