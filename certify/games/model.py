"""The exact model: a finite-horizon Dec-POMDP with rational numbers (docs/theory/objective.md#the-model).

One-shot games are models with horizon 1, Bayesian team games models with horizon 1 and initial
observations.  A `Game` is immutable; every number in it is a `Fraction`.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from types import MappingProxyType
from typing import Self, TypeVar

from certify.errors import InputError

JointAction = tuple[int, ...]
JointObservation = tuple[int, ...]
Tables = TypeVar("Tables", bound="GameTables")


@dataclass(frozen=True)
class GameTables:
    """A finite-horizon Dec-POMDP over numbers of some exact kind; indices everywhere, names only
    for people.  `Game` holds rationals; a game with parameters holds expressions instead.

    Attributes
    ----------
    agents, states : names; `actions[i]`, `observations[i]` : names of agent i's.
    start : tuple of `(state, joint initial observation, probability)`, positive, sum 1.  The
        joint initial observation is `()` in games without initial observations.
    transition : `(state, joint action) -> ((next state, probability), ...)`, positive entries only.
    emission : `(joint action, next state) -> ((joint observation, probability), ...)`, likewise.
    reward : `(state, joint action) -> R(s, a)`; absent means 0.
    horizon : number of steps, at least 1.  discount : 0 < gamma <= 1.
    weights : the entropy weight w_i > 0 of each agent.
    available : None, or per agent and step the tuple of action indices (action sets depend on the
        agent and the step only: docs/theory/legal-actions.md#necessity).
    """

    name: str
    agents: tuple[str, ...]
    states: tuple[str, ...]
    actions: tuple[tuple[str, ...], ...]
    observations: tuple[tuple[str, ...], ...]
    start: tuple[tuple[int, JointObservation, Fraction], ...]
    transition: Mapping[tuple[int, JointAction], tuple[tuple[int, Fraction], ...]]
    emission: Mapping[tuple[JointAction, int], tuple[tuple[JointObservation, Fraction], ...]]
    reward: Mapping[tuple[int, JointAction], Fraction]
    horizon: int
    discount: Fraction = Fraction(1)
    weights: tuple[Fraction, ...] = ()
    available: tuple[tuple[tuple[int, ...], ...], ...] | None = None
    source: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        for name in ("transition", "emission", "reward"):
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))
        if not self.weights:
            object.__setattr__(self, "weights", (Fraction(1),) * len(self.agents))

    def __getstate__(self) -> dict:  # mapping proxies do not pickle; worker processes need games
        return {k: dict(v) if isinstance(v, MappingProxyType) else v for k, v in self.__dict__.items()}

    def __setstate__(self, state: dict) -> None:
        for key, value in state.items():
            wrap = key in ("transition", "emission", "reward")
            object.__setattr__(self, key, MappingProxyType(value) if wrap else value)

    def __hash__(self) -> int:
        return hash((self.name, self.agents, self.states, self.actions, self.horizon))

    @property
    def number_of_agents(self) -> int:
        """How many agents play."""
        return len(self.agents)

    def actions_at(self, agent: int, step: int) -> tuple[int, ...]:
        """Indices of the actions that `agent` has at `step`, ascending."""
        if self.available is None:
            return tuple(range(len(self.actions[agent])))
        return self.available[agent][step]

    def joint_actions_at(self, step: int) -> Iterator[JointAction]:
        """All joint actions of a step, first agent most significant."""
        return itertools.product(*(self.actions_at(i, step) for i in range(self.number_of_agents)))

    def with_horizon(self, horizon: int) -> Self:
        """The same game over another number of steps."""
        return replace(self, horizon=horizon)


class Game(GameTables):
    """The exact model: `GameTables` in which every number is a `Fraction`."""


def check_game(game: Game) -> Game:
    """The game itself if every invariant of the model holds, else `InputError`.

    Checks: sizes, names, horizon >= 1, 0 < discount <= 1, weights > 0, every index in range, every
    probability positive, every distribution that a full-support policy can reach present and
    summing to exactly 1.

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
    if game.available is not None:
        if len(game.available) != n:
            raise InputError(where, "action sets", f"give them for each of the {n} agents")
        for i in range(n):
            if len(game.available[i]) != game.horizon or not all(game.available[i]):
                raise InputError(
                    where,
                    f"action sets of agent {game.agents[i]}",
                    f"give one nonempty set for each of the {game.horizon} steps",
                )
            every = range(len(game.actions[i]))
            if any(
                tuple(sorted(set(step))) != step or step[-1] not in every or step[0] not in every
                for step in game.available[i]
            ):
                raise InputError(
                    where, f"action sets of agent {game.agents[i]}", "list indices of its actions, ascending, each once"
                )
    check_row(where, "start", [p for *_, p in game.start])
    _check_indices(game, where)
    _check_reachable_rows(game, where, check_row)
    return game


def _check_reachable_rows(game: GameTables, where: str, check_row: Callable[[str, str, list], None]) -> None:
    """Every row that full-support play can use within the horizon is a distribution."""
    reachable = frozenset(s for s, _, _ in game.start)
    checked: set[tuple[int, JointAction]] = set()
    observed: set[tuple[JointAction, int]] = set()
    earlier: set[frozenset[int]] = set()
    for step in range(game.horizon - 1):
        if game.available is None and reachable in earlier:
            return  # the sets of reachable states repeat from here on
        earlier.add(reachable)
        following: set[int] = set()
        for a in game.joint_actions_at(step):
            for s in sorted(reachable):
                row = game.transition.get((s, a), ())
                following.update(s2 for s2, _ in row)
                if (s, a) in checked:
                    continue
                checked.add((s, a))
                check_row(where, f"transition from state {game.states[s]} under {_names(game, a)}", [p for _, p in row])
                for s2, _ in row:
                    if (a, s2) not in observed:
                        observed.add((a, s2))
                        check_row(
                            where,
                            f"observation in state {game.states[s2]} after {_names(game, a)}",
                            [p for _, p in game.emission.get((a, s2), ())],
                        )
        reachable = frozenset(following)


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


def _check_indices(game: GameTables, where: str) -> None:
    """Every index within its list, every target of a row once."""
    n = game.number_of_agents
    states = range(len(game.states))
    known: dict[str, set[tuple[int, ...]]] = {"action": set(), "observation": set()}

    def joint(indices: tuple[int, ...], names: tuple[tuple[str, ...], ...], what: str) -> bool:
        if (
            indices not in known[what]
            and len(indices) == n
            and all(0 <= k < len(names[i]) for i, k in enumerate(indices))
        ):
            known[what].add(indices)
        return indices in known[what]

    def action(a: JointAction) -> bool:
        return joint(a, game.actions, "action")

    def observation(o: JointObservation) -> bool:
        return joint(o, game.observations, "observation")

    def once(targets: list) -> bool:
        return len(set(targets)) == len(targets)

    initial = {len(o) for _, o, _ in game.start}
    good = {
        "start": initial in ({0}, {n})
        and once([(s, o) for s, o, _ in game.start])
        and all(s in states and (not o or observation(o)) for s, o, _ in game.start),
        "transition": all(
            s in states and action(a) and once([s2 for s2, _ in row]) and all(s2 in states for s2, _ in row)
            for (s, a), row in game.transition.items()
        ),
        "emission": all(
            s in states and action(a) and once([o for o, _ in row]) and all(observation(o) for o, _ in row)
            for (a, s), row in game.emission.items()
        ),
        "reward": all(s in states and action(a) for s, a in game.reward),
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


def playable_joint_actions(game: GameTables) -> frozenset[JointAction]:
    """Joint actions that are available at some step.

    >>> from certify.games import builtin
    >>> sorted(playable_joint_actions(builtin("lewis:2")))
    [(0, 2), (1, 2), (2, 0), (2, 1)]
    """
    if game.available is None:
        return frozenset(game.joint_actions_at(0))
    return frozenset(a for sets in set(zip(*game.available, strict=True)) for a in itertools.product(*sets))


def reachable_states(game: GameTables) -> tuple[int, ...]:
    """States that full-support play reaches at any number of steps, ascending.

    >>> from certify.games import builtin
    >>> reachable_states(builtin("dectiger"))
    (0, 1)
    """
    found = {s for s, _, _ in game.start}
    frontier = list(found)
    successors: dict[int, set[int]] = {}
    playable = playable_joint_actions(game)
    for (s, a), row in game.transition.items():
        if a in playable:
            successors.setdefault(s, set()).update(s2 for s2, _ in row)
    while frontier:
        new = successors.get(frontier.pop(), set()) - found
        found |= new
        frontier.extend(new)
    return tuple(sorted(found))


def restrict_to_reachable(game: Tables) -> Tables:
    """The same game with what play can meet only (docs/theory/symmetry.md#deciding-a-candidate; formats): reachable
    states, joint actions available at some step, observations of outcomes that occur.

    >>> from certify.games import builtin
    >>> restrict_to_reachable(builtin("climbing")) == builtin("climbing")
    True
    """
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
