"""Maps of a game onto itself, candidates as well as proved symmetries (docs/theory/symmetry.md#automorphisms).

A map is `(sigma_N, sigma_S, (sigma_{A_i}), (sigma_{O_i}))`: agents, states, and per agent i a
bijection of A_i onto A_{sigma_N(i)} and of O_i onto O_{sigma_N(i)}.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from certify.errors import InputError
from certify.games.model import GameTables

Indices = tuple[int, ...]


@dataclass(frozen=True, order=True)
class GameMap:
    """Index maps: `agents[i]` is sigma_N(i), `actions[i][a]` an index into A_{sigma_N(i)}."""

    agents: Indices
    states: Indices
    actions: tuple[Indices, ...]
    observations: tuple[Indices, ...]

    def joint_action(self, joint: Sequence[int]) -> Indices:
        """The image of a joint action: entry sigma_N(i) is sigma_{A_i}(a_i).

        >>> GameMap((1, 0), (0,), ((1, 0), (0, 1)), ((), ())).joint_action((0, 0))
        (0, 1)
        """
        return _joint(self.agents, self.actions, joint)

    def joint_observation(self, joint: Sequence[int]) -> Indices:
        """The image of a joint observation; the empty one (no initial observation) stays empty."""
        return _joint(self.agents, self.observations, joint) if joint else ()

    def after(self, first: GameMap) -> GameMap:
        """The composition self ∘ first.

        >>> swap = GameMap((1, 0), (0,), ((1, 0), (0, 1)), ((), ()))
        >>> swap.after(swap).actions
        ((1, 0), (1, 0))
        """
        return GameMap(
            tuple(self.agents[i] for i in first.agents),
            tuple(self.states[s] for s in first.states),
            tuple(tuple(self.actions[first.agents[i]][a] for a in row) for i, row in enumerate(first.actions)),
            tuple(
                tuple(self.observations[first.agents[i]][o] for o in row) for i, row in enumerate(first.observations)
            ),
        )

    def inverse(self) -> GameMap:
        """The inverse map.

        >>> g = GameMap((1, 0), (0,), ((1, 0), (0, 1)), ((), ()))
        >>> g.after(g.inverse()) == g.inverse().after(g) == GameMap((0, 1), (0,), ((0, 1), (0, 1)), ((), ()))
        True
        """
        agents = _invert(self.agents)
        return GameMap(
            agents,
            _invert(self.states),
            tuple(_invert(self.actions[i]) for i in agents),
            tuple(_invert(self.observations[i]) for i in agents),
        )

    @property
    def key(self) -> tuple:
        """What counts for the order of a group: the action on agents, actions and observations."""
        return self.agents, self.actions, self.observations


def identity_map(game: GameTables) -> GameMap:
    """The identity of `game`."""
    return GameMap(
        tuple(range(game.number_of_agents)),
        tuple(range(len(game.states))),
        tuple(tuple(range(len(row))) for row in game.actions),
        tuple(tuple(range(len(row))) for row in game.observations),
    )


def _joint(agents: Indices, maps: Sequence[Indices], joint: Sequence[int]) -> Indices:
    image = [0] * len(agents)
    for i, member in enumerate(joint):
        image[agents[i]] = maps[i][member]
    return tuple(image)


def _invert(permutation: Indices) -> Indices:
    inverse = [0] * len(permutation)
    for source, target in enumerate(permutation):
        inverse[target] = source
    return tuple(inverse)


def read_map(game: GameTables, document: object, where: str = "map") -> GameMap:
    """The map that a MAP.json document describes (names or indices; what is left out is the
    identity, index by index).

    Raises `InputError` when it names something unknown, sends an agent to one with another number
    of actions or observations, or is not a bijection.

    >>> from certify.games import builtin
    >>> read_map(builtin("lever:3"), {"agents": {"0": 1, "1": 0}}).agents
    (1, 0)
    """
    if not isinstance(document, Mapping):
        raise InputError(where, "not an object", 'write {"agents": {...}, "actions": {...}, ...}')
    if unknown := sorted(set(document) - {"agents", "states", "actions", "observations"}):
        raise InputError(where, f"unknown field {unknown[0]!r}", "use agents, states, actions and observations only")
    agents = _read_bijection(document.get("agents", {}), game.agents, game.agents, f"{where}, agents")
    for i, j in enumerate(agents):
        for kind, members in (("actions", game.actions), ("observations", game.observations)):
            if len(members[i]) != len(members[j]):
                raise InputError(
                    f"{where}, agents",
                    f"{game.agents[i]} has {len(members[i])} {kind} and its image {game.agents[j]} "
                    f"has {len(members[j])}",
                    "map agents to agents with equally many",
                )
    states = _read_bijection(document.get("states", {}), game.states, game.states, f"{where}, states")
    per_agent = []
    for kind, members in (("actions", game.actions), ("observations", game.observations)):
        given = _by_agent(document.get(kind, {}), game, f"{where}, {kind}")
        per_agent.append(
            tuple(
                _read_bijection(
                    given.get(i, {}), members[i], members[agents[i]], f"{where}, {kind} of {game.agents[i]}"
                )
                for i in range(game.number_of_agents)
            )
        )
    return GameMap(agents, states, *per_agent)


def _by_agent(document: object, game: GameTables, where: str) -> dict[int, object]:
    if isinstance(document, Sequence) and not isinstance(document, str):
        if len(document) != game.number_of_agents:
            raise InputError(where, f"{len(document)} lists for {game.number_of_agents} agents", "give one per agent")
        return dict(enumerate(document))
    if not isinstance(document, Mapping):
        raise InputError(where, "not an object", "write {agent: {from: to}}")
    given: dict[int, object] = {}
    for key, value in document.items():
        agent = _resolve(key, game.agents, where)
        if agent in given:
            raise InputError(where, f"agent {game.agents[agent]} is given twice", "give each agent once")
        given[agent] = value
    return given


def _read_bijection(document: object, sources: Sequence[str], targets: Sequence[str], where: str) -> Indices:
    images: list[int | None] = [None] * len(sources)
    if isinstance(document, Sequence) and not isinstance(document, str):
        if len(document) != len(sources):
            raise InputError(where, f"a list of {len(document)} for {len(sources)}", "list the image of every one")
        pairs = list(enumerate(document))
    elif isinstance(document, Mapping):
        pairs = [(_resolve(key, sources, where), value) for key, value in document.items()]
    else:
        raise InputError(where, "not an object", "write {from: to}")
    for source, value in pairs:
        if images[source] is not None:
            raise InputError(where, f"{sources[source]!r} is mapped twice", "map each one once")
        images[source] = _resolve(value, targets, where)
    full = [k if image is None else image for k, image in enumerate(images)]
    if len(set(full)) != len(full):
        twice = next(k for k in full if full.count(k) > 1)
        raise InputError(where, f"not a bijection: {targets[twice]!r} is reached twice", "give each image once")
    return tuple(full)


def _resolve(token: object, names: Sequence[str], where: str) -> int:
    if isinstance(token, str) and token in names:
        return list(names).index(token)
    if isinstance(token, str) and token.isascii() and token.isdigit() and len(token) < 10:
        token = int(token)
    if isinstance(token, int) and not isinstance(token, bool) and 0 <= token < len(names):
        return token
    raise InputError(
        where,
        f"{token!r} is unknown",
        f"use a name or an index from 0 to {len(names) - 1}" if names else "leave it out: there are none",
    )


def map_to_names(game: GameTables, mapping: GameMap) -> dict:
    """The map as a MAP.json document in the game's own names; identical parts are left out.

    Reading it back with `read_map` gives the same map.
    """

    def moved(image: Indices, sources: Sequence[str], targets: Sequence[str]) -> dict[str, str]:
        return {_label(sources, k): _label(targets, j) for k, j in enumerate(image) if k != j}

    document: dict = {
        "agents": moved(mapping.agents, game.agents, game.agents),
        "states": moved(mapping.states, game.states, game.states),
    }
    for kind, members, images in (
        ("actions", game.actions, mapping.actions),
        ("observations", game.observations, mapping.observations),
    ):
        document[kind] = {
            game.agents[i]: rows
            for i, image in enumerate(images)
            if (rows := moved(image, members[i], members[mapping.agents[i]]))
        }
    return {kind: part for kind, part in document.items() if part}


def _label(names: Sequence[str], index: int) -> str:
    name = names[index]
    return name if list(names).index(name) == index else str(index)
