"""From an enumeration to the exact model: observations, legal sets, ends, names.

The model's observation depends on the joint action and the next state only, and legal actions on the step and the
last observation.  What an environment knows beyond that goes into the state and into the observation, and no
joint history changes (docs/theory/environments.md#folding, docs/games.md#environments-in-python).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from fractions import Fraction

from certify.errors import InputError
from certify.games.adapters.enumeration import END, Enumerated, Told
from certify.games.adapters.folded import Folded, Legal, emissions, steps_of
from certify.games.adapters.naming import action_names, free, names, observation_names
from certify.games.adapters.protocol import Joint
from certify.games.adapters.rationals import add_to
from certify.games.adapters.telling import split_by_observation, tell_what_is_legal, tell_what_is_new
from certify.games.model import Game, check_game

_OVER = "over"  # the observation of whoever is told that nothing more happens


@dataclass(frozen=True)
class Folding:
    """A game and where its parts come from.

    origin : per state its number in the enumeration; the state after the end, the last one, has none.
    actions : per agent and action its index in the environment.
    """

    game: Game
    origin: tuple[int, ...]
    actions: tuple[tuple[int, ...], ...]


def folding(table: Enumerated, objective: str | None, discount: Fraction, name: str) -> Folding:
    """The checked game of an enumeration, and where its states and actions come from.

    `objective` None: "entropy" where legal actions depend on agent and step only, else "kl".  Raises `InputError`
    where "entropy" is asked for and legal actions depend on more.
    """
    work = Folded(
        list(table.legal), list(table.start), list(table.rows), observation_names(table), max(table.horizon, 1)
    )
    work.origin = list(range(len(work.legal)))
    if getattr(table.environment.model, "cumulative", False):
        tell_what_is_new(table, work)
    split_by_observation(work)
    steps = steps_of(work)
    fixed = all(len({work.legal[s][i] for s in met if s != END}) <= 1 for met in steps for i in range(len(work.names)))
    if objective == "entropy" and not fixed:
        raise InputError(name, "legal actions depend on more than agent and step", 'use objective="kl"')
    chosen = objective or ("entropy" if fixed else "kl")
    ends = _ends(work, steps)
    tell_what_is_legal(work, steps, ends if chosen == "kl" else ())
    _add_the_end(work, ends, single=chosen == "kl")
    game = check_game(_game(table, work, steps, (chosen, discount, name)))
    return Folding(game, tuple(work.origin), tuple(map(tuple, work.used())))


def _ends(work: Folded, steps: list[set[int]]) -> tuple[int, ...]:
    """Per agent the action that stands for doing nothing after the end: one that is there anyway, if any is.

    () where nothing ends before the horizon.
    """
    met = [[s for s in states if s != END] for states in steps if END in states]
    if not met:
        return ()
    choice = []
    for i in range(len(work.names)):
        sets = [set().union(*(work.legal[s][i] for s in states)) for states in met if states]
        common = set.intersection(*sets) if sets else {0}
        choice.append(min(common or sets[0]))
    return tuple(choice)


def _add_the_end(work: Folded, ends: tuple[int, ...], *, single: bool) -> None:
    """The absorbing state after the end, announced to everyone: all available actions stay, or one does
    (docs/theory/environments.md#ends)."""
    if not ends:  # what ends with the last step needs no state
        work.rows = [
            {a: (r, tuple(x for x in after if x[1] != END)) for a, (r, after) in rows.items()} for rows in work.rows
        ]
        return
    end = work.end = len(work.legal)
    told = tuple(len(own) for own in work.names)
    for i, own in enumerate(work.names):
        own.append(free(_OVER, own))
        if single:
            work.reference[i, told[i]] = ((ends[i], Fraction(1)),)
    work.rows = [
        {
            a: (r, tuple((p, end, told) if s2 == END else (p, s2, seen) for p, s2, seen in after))
            for a, (r, after) in rows.items()
        }
        for rows in work.rows
    ]
    work.legal.append(tuple((a,) for a in ends))


def _game(table: Enumerated, work: Folded, steps: list[set[int]], about: tuple[str, Fraction, str]) -> Game:
    objective, discount, name = about
    n = len(work.names)
    used = work.used()
    index = [{a: k for k, a in enumerate(own)} for own in used]

    def joint(a: Joint) -> Joint:
        return tuple(index[i][x] for i, x in enumerate(a))

    available = _available(work, steps, used)
    transition: dict[tuple[int, Joint], tuple[tuple[int, Fraction], ...]] = {}
    emission: dict[tuple[Joint, int], tuple[tuple[Told, Fraction], ...]] = {}
    reward: dict[tuple[int, Joint], Fraction] = {}
    for s, rows in enumerate(work.rows):
        for a, (paid, after) in rows.items():
            key = joint(a)
            if paid:
                reward[s, key] = paid
            if not after:
                continue
            weight: dict[int, Fraction] = {}
            for p, s2, _ in after:
                add_to(weight, s2, p)
            transition[s, key] = tuple(sorted(weight.items()))
            for s2, row in emissions(after).items():
                emission[key, s2] = tuple(sorted(row))
    game = Game(
        name=name,
        agents=tuple(names(table.environment.agents, str)),
        states=tuple(f"s{k}" for k in range(len(work.rows))) + (("over",) if work.end is not None else ()),
        actions=tuple(action_names(table, i, used[i]) for i in range(n)),
        observations=tuple(tuple(own) if own else ("nothing",) for own in work.names),
        start=tuple(work.start),
        transition=transition,
        emission=emission,
        reward=reward,
        horizon=work.horizon,
        discount=discount,
        available=available,
        reference={(i, o): tuple((index[i][a], p) for a, p in row) for (i, o), row in work.reference.items()},
        objective=objective,
        source=name,
    )
    return game if work.end is None else _with_the_end(game, work.end)


def _available(work: Folded, steps: list[set[int]], used: list[list[int]]) -> tuple[tuple[Legal, ...], ...] | None:
    """Per agent and step what is legal somewhere, by position in `used`; None where that is always everything."""
    found = []
    for i, own in enumerate(used):
        sets = []
        for met in steps:
            legal: set[int] = set()
            for s in met:
                if s != END:
                    legal |= set(work.legal[s][i])
            if END in met and work.end is not None and (not legal or (i, len(work.names[i]) - 1) in work.reference):
                legal |= set(work.legal[work.end][i])
            sets.append(tuple(own.index(a) for a in sorted(legal)))
        found.append(tuple(sets))
    if all(step == tuple(range(len(used[i]))) for i, sets in enumerate(found) for step in sets):
        return None
    return tuple(found)


def _with_the_end(game: Game, end: int) -> Game:
    """The game with the rows of the state after the end: it stays, and everyone is told so."""
    over = tuple(len(own) - 1 for own in game.observations)
    transition, emission = dict(game.transition), dict(game.emission)
    for step in range(game.horizon):
        actions: Iterable[Joint] = game.legal_joint_actions(step, over)
        for a in actions:
            transition[end, a] = ((end, Fraction(1)),)
            emission[a, end] = ((over, Fraction(1)),)
        if game.available is None:
            break
    return replace(game, transition=transition, emission=emission)
