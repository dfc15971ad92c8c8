"""The exact model: a finite-horizon Dec-POMDP with rational numbers, and everything that makes one
valid (docs/theory/objective.md#the-model,
docs/theory/legal-actions.md#kl-to-a-reference).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container
from fractions import Fraction
from typing import TypeVar

from certify.errors import InputError
from certify.games.reachability import (
    met_observations,
    play,
    playable_joint_actions,
    reachable_states,
    restrict_to_reachable,
)
from certify.games.tables import FIRST, Game, GameTables, JointAction, JointObservation

__all__ = [
    "FIRST",
    "Game",
    "GameTables",
    "JointAction",
    "JointObservation",
    "check_game",
    "check_tables",
    "playable_joint_actions",
    "reachable_states",
    "restrict_to_reachable",
]
Tables = TypeVar("Tables", bound="GameTables")


def check_game(game: Game) -> Game:
    """The game itself if every invariant of the model holds, else `InputError`.

    Checks: sizes, names, horizon >= 1, 0 < discount <= 1, weights > 0, every index in range, every
    probability positive, every distribution that a full-support policy can reach present and
    summing to exactly 1.

    >>> from dataclasses import replace
    >>> from certify.games import builtin
    >>> check_game(replace(builtin("climbing"), discount=Fraction(0)))
    Traceback (most recent call last):
    certify.errors.InputError: climbing: discount 0; use a number in (0, 1]
    """
    return check_tables(game, _check_distribution)


def check_tables(game: Tables, check_row: Callable[[str, str, list], None]) -> Tables:
    """`check_game` for numbers of any kind: `check_row(where, what, probabilities)` raises
    `InputError` unless they are a distribution."""
    where = game.source or game.name
    n = game.number_of_agents
    if not game.name.isprintable():
        raise InputError(where, f"the game's name {game.name!r}", "use printable characters")
    if n < 1:
        raise InputError(where, "no agents", "declare at least one agent")
    if not game.states:
        raise InputError(where, "no states", "declare at least one state")
    if not isinstance(game.horizon, int) or game.horizon < 1:
        raise InputError(where, f"horizon {game.horizon}", "use a whole number of steps, at least 1")
    if not 0 < game.discount <= 1:
        raise InputError(where, f"discount {game.discount}", "use a number in (0, 1]")
    if len(game.weights) != n or any(w <= 0 for w in game.weights):
        raise InputError(where, "entropy weights", "give one positive number per agent")
    if len(game.actions) != n or len(game.observations) != n:
        raise InputError(where, "action or observation lists", f"give one of each for each of the {n} agents")
    _check_all_names(game, where)
    if game.available is not None:
        _check_available(game, game.available, where)
    check_row(where, "start", [p for *_, p in game.start])
    _check_indices(game, where)
    if game.reference:
        _check_reference(game, where)
    _check_reachable_rows(game, where, check_row)
    return game


def _check_all_names(game: GameTables, where: str) -> None:
    """Names that files and keys can carry, and at least one action for everybody."""
    n = game.number_of_agents
    for what, names in [
        ("agents", game.agents),
        ("states", game.states),
        *((f"actions of {game.agents[i]}", game.actions[i]) for i in range(n)),
        *((f"observations of {game.agents[i]}", game.observations[i]) for i in range(n)),
    ]:
        _check_names(where, what, names)
    for i in range(n):
        if not game.actions[i]:
            raise InputError(where, f"agent {game.agents[i]} has no actions", "declare at least one")


def _check_available(game: GameTables, available: tuple[tuple[tuple[int, ...], ...], ...], where: str) -> None:
    """For each agent and step a nonempty set of its actions, ascending."""
    n = game.number_of_agents
    if len(available) != n:
        raise InputError(where, "action sets", f"give them for each of the {n} agents")
    for i in range(n):
        if len(available[i]) != game.horizon or not all(available[i]):
            raise InputError(
                where,
                f"action sets of agent {game.agents[i]}",
                f"give one nonempty set for each of the {game.horizon} steps",
            )
        every = range(len(game.actions[i]))
        if any(
            tuple(sorted(set(step))) != step or step[-1] not in every or step[0] not in every for step in available[i]
        ):
            raise InputError(
                where, f"action sets of agent {game.agents[i]}", "list indices of its actions, ascending, each once"
            )


def _check_reachable_rows(game: GameTables, where: str, check_row: Callable[[str, str, list], None]) -> None:
    """Every row that full-support legal play can use within the horizon is a distribution."""
    checked: set[tuple[int, JointAction]] = set()
    observed: set[tuple[JointAction, int]] = set()
    earlier: set[frozenset] = set()
    for step, moments in enumerate(play(game)):
        if step + 1 == game.horizon or (game.available is None and moments in earlier):
            return  # what is met repeats from here on
        earlier.add(moments)
        for s, last in sorted(moments):
            for a in game.legal_joint_actions(step, last):
                if (s, a) in checked:
                    continue
                checked.add((s, a))
                row = game.transition.get((s, a), ())
                check_row(where, f"transition from state {game.states[s]} under {_names(game, a)}", [p for _, p in row])
                for s2, _ in row:
                    if (a, s2) not in observed:
                        observed.add((a, s2))
                        check_row(
                            where,
                            f"observation in state {game.states[s2]} after {_names(game, a)}",
                            [p for _, p in game.emission.get((a, s2), ())],
                        )


def _check_reference(game: GameTables, where: str) -> None:
    """Rows of the reference: indices in range, positive, sum 1, and on available actions wherever they are met."""

    def name_of(i: int, o: int) -> str:
        return f"{game.agents[i]} {'at the first step' if o == FIRST else 'after ' + game.observations[i][o]}"

    for (i, o), row in game.reference.items():
        if not (0 <= i < game.number_of_agents and (o == FIRST or 0 <= o < len(game.observations[i]))):
            raise InputError(where, f"a reference row for agent {i}, observation {o}", "indices count from 0")
        name = name_of(i, o)
        actions = [a for a, _ in row]
        if not row:
            raise InputError(where, f"no legal action of {name}", "allow at least one")
        if actions != sorted(set(actions)) or not (actions[0] >= 0 and actions[-1] < len(game.actions[i])):
            raise InputError(where, f"the legal actions of {name}", "list indices of its actions, ascending, each once")
        if any(p <= 0 for _, p in row):
            raise InputError(
                where, f"a reference of {min(p for _, p in row)} for {name}", "every legal action needs a positive one"
            )
        if (total := sum((p for _, p in row), Fraction(0))) != 1:
            raise InputError(where, f"the reference of {name} sums to {total}", "make it exactly 1")
    if game.available is None:
        return
    for i, steps in enumerate(met_observations(game)):
        for step, observations in enumerate(steps):
            for o in observations:
                if not set(game.legal(i, step, o)) <= set(game.available[i][step]):
                    raise InputError(
                        where,
                        f"a legal action of {name_of(i, o)} is not available at step {step}",
                        "allow available actions only",
                    )


# blanks would break .dpomdp files, the others the keys of AOHs
_SEPARATOR = re.compile(r"[\s,/:]")


def _check_names(where: str, what: str, names: tuple[str, ...]) -> None:
    if len(set(names)) != len(names):
        twice = next(name for k, name in enumerate(names) if name in names[:k])
        raise InputError(where, f"{what}: the name {twice!r} occurs twice", "give each its own name")
    for name in names:
        if not name or _SEPARATOR.search(name) or not name.isprintable():
            raise InputError(
                where, f"{what}: the name {name!r}", "use a nonempty name without blanks, commas, slashes and colons"
            )


class _JointIndices:
    """The tuples with one index per agent, each within the agent's list; those that were asked about are remembered."""

    def __init__(self, names: tuple[tuple[str, ...], ...]) -> None:
        self.names = names
        self.known: set[tuple[int, ...]] = set()

    def __contains__(self, indices: object) -> bool:
        if indices not in self.known:
            if not isinstance(indices, tuple) or len(indices) != len(self.names):
                return False
            if not all(0 <= k < len(own) for k, own in zip(indices, self.names, strict=True)):
                return False
            self.known.add(indices)
        return True


def _check_indices(game: GameTables, where: str) -> None:
    """Every index within its list, every target of a row once."""
    n = game.number_of_agents
    states = range(len(game.states))
    action, observation = _JointIndices(game.actions), _JointIndices(game.observations)

    def once(targets: list, known: Container) -> bool:
        """Each target once, and known."""
        return len(set(targets)) == len(targets) and all(target in known for target in targets)

    initial = {len(o) for _, o, _ in game.start}
    good = {
        "start": initial in ({0}, {n})
        and len({(s, o) for s, o, _ in game.start}) == len(game.start)
        and all(s in states and (not o or o in observation) for s, o, _ in game.start),
        "transition": all(
            s in states and a in action and once([s2 for s2, _ in row], states)
            for (s, a), row in game.transition.items()
        ),
        "emission": all(
            s in states and a in action and once([o for o, _ in row], observation)
            for (a, s), row in game.emission.items()
        ),
        "reward": all(s in states and a in action for s, a in game.reward),
    }
    for what, fine in good.items():
        if not fine:
            raise InputError(
                where,
                f"{what}: an index out of range, or one target twice",
                "indices count from 0 within their lists; list every target once",
            )


def _names(game: GameTables, joint: JointAction) -> str:
    return " ".join(game.actions[i][a] for i, a in enumerate(joint))


def _check_distribution(where: str, what: str, probabilities: list[Fraction]) -> None:
    if any(p <= 0 for p in probabilities):
        raise InputError(
            where,
            f"{what}: a probability of {min(probabilities)}",
            "probabilities are positive; leave out zero entries",
        )
    if (total := sum(probabilities, Fraction(0))) != 1:
        raise InputError(where, f"{what}: probabilities sum to {total}, not 1", "make the row sum to exactly 1")
