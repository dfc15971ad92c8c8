"""Exact comparison of a game with its image under a map (docs/theory/symmetry.md#deciding-a-candidate).

A map is a symmetry exactly if the list of differences is empty; otherwise the first one is a
witness and the whole list is what a near-symmetry report prints.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Any

from certify.exact import rational_text
from certify.games.model import FIRST, GameTables
from certify.symmetry.maps import GameMap

Key = tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]  # states, joint action, joint observation


@dataclass(frozen=True)
class Difference:
    """An entry that differs from the entry it is mapped to: `value` at `key`, `image_value` at `image`.

    `table` is one of the game's tables, or "weights", "available" or "reference", whose key is an agent,
    an action, or an action after an observation.
    """

    table: str
    key: Key
    image: Key
    value: Hashable
    image_value: Hashable


def flat_tables(game: GameTables) -> dict[str, dict[Key, Any]]:
    """Every nonzero entry of P, O, R and b0 under its key (states, joint action, joint observation).

    >>> from certify.games import builtin
    >>> flat_tables(builtin("lever:2"))["reward"]
    {((0,), (0, 0), ()): Fraction(1, 1), ((0,), (1, 1), ()): Fraction(1, 1)}
    """
    return {
        "start": {((s,), (), o): p for s, o, p in game.start},
        "transition": {((s, s2), a, ()): p for (s, a), row in game.transition.items() for s2, p in row},
        "emission": {((s,), a, o): p for (a, s), row in game.emission.items() for o, p in row},
        "reward": {((s,), a, ()): r for (s, a), r in game.reward.items() if r != 0},
    }


def image_of(mapping: GameMap, key: Key) -> Key:
    """The key that `mapping` sends `key` to."""
    states, action, observation = key
    return (
        tuple(mapping.states[s] for s in states),
        mapping.joint_action(action) if action else (),
        mapping.joint_observation(observation),
    )


def differences(
    game: GameTables, mapping: GameMap, tables: Mapping[str, Mapping[Key, Any]] | None = None
) -> Iterator[Difference]:
    """The entries at which `game` and its image under `mapping` differ, both directions, exactly.

    `tables` is `flat_tables(game)`, for callers who compare many maps.

    >>> from certify.games import builtin
    >>> from certify.symmetry.maps import read_map
    >>> game = builtin("lever:3:9/10")
    >>> flip = read_map(game, {"actions": {"0": {"1": 2, "2": 1}, "1": {"1": 2, "2": 1}}})
    >>> [(d.key[1], str(d.value), str(d.image_value)) for d in differences(game, flip)]
    [((1, 1), '1', '9/10'), ((2, 2), '9/10', '1')]
    """
    yield from agent_differences(game, mapping)
    joint_action, joint_observation = cache(mapping.joint_action), cache(mapping.joint_observation)
    states = mapping.states
    for table, entries in (flat_tables(game) if tables is None else tables).items():
        met = 0
        for key, value in entries.items():
            image = (
                tuple(states[s] for s in key[0]),
                joint_action(key[1]) if key[1] else (),
                joint_observation(key[2]),
            )
            image_value = entries.get(image)
            met += image_value is not None
            if value is not image_value and value != (image_value or Fraction(0)):
                yield Difference(table, key, image, value, image_value or Fraction(0))
        if met < len(entries):  # entries that are the image of an entry of 0
            inverse = mapping.inverse()
            for image, image_value in entries.items():
                key = image_of(inverse, image)
                if key not in entries:
                    yield Difference(table, key, image, Fraction(0), image_value)


def agent_differences(game: GameTables, mapping: GameMap) -> Iterator[Difference]:
    """Where an agent and its image differ in weight or in the steps at which an action is available."""
    for i, j in enumerate(mapping.agents):
        if game.weights[i] != game.weights[j]:
            yield Difference("weights", ((), (i,), ()), ((), (j,), ()), game.weights[i], game.weights[j])
        if game.available is not None:
            for a, b in enumerate(mapping.actions[i]):
                here = tuple(t for t, have in enumerate(game.available[i]) if a in have)
                there = tuple(t for t, have in enumerate(game.available[j]) if b in have)
                if here != there:
                    yield Difference("available", ((), (i, a), ()), ((), (j, b), ()), here, there)
    if game.reference:
        yield from _reference_differences(game, mapping)


def _reference_differences(game: GameTables, mapping: GameMap) -> Iterator[Difference]:
    """Entries of the reference that differ from the entries they are mapped to; a row maps to a row."""
    images = {
        (i, o): (j, o if o == FIRST else mapping.observations[i][o])
        for i, j in enumerate(mapping.agents)
        for o in range(FIRST, len(game.observations[i]))
    }
    for (i, o), (j, o2) in images.items():
        row, image_row = game.reference.get((i, o)), game.reference.get((j, o2))
        if row is None and image_row is None:
            continue
        there = dict(image_row or ())
        for a, b in enumerate(mapping.actions[i]):
            p, q = dict(row or ()).get(a, Fraction(0)), there.get(b, Fraction(0))
            if p != q:
                yield Difference("reference", ((), (i, a), (o,)), ((), (j, b), (o2,)), p, q)


def is_symmetry(game: GameTables, mapping: GameMap, tables: Mapping[str, Mapping[Key, Any]] | None = None) -> bool:
    """True exactly if `mapping` preserves P, O, R, b0, the weights and the action sets of `game`.

    `tables` as for `differences`.
    """
    return next(differences(game, mapping, tables), None) is None


def describe(game: GameTables, difference: Difference) -> dict:
    """The difference in the game's own names, numbers as exact strings (JSON)."""
    return {
        "table": difference.table,
        "at": _describe_key(game, difference.table, difference.key),
        "value": _text(difference.value),
        "image": _describe_key(game, difference.table, difference.image),
        "image_value": _text(difference.image_value),
    }


def _text(value: Hashable) -> object:
    if isinstance(value, tuple):
        return list(value)
    return rational_text(value) if isinstance(value, Fraction) else str(value)


def _describe_key(game: GameTables, table: str, key: Key) -> dict:
    states, action, observation = key
    if table == "weights":
        return {"agent": game.agents[action[0]]}
    if table in ("available", "reference"):
        named = {"agent": game.agents[action[0]], "action": game.actions[action[0]][action[1]]}
        if observation:
            first = observation[0] == FIRST
            named["observation"] = "(first step)" if first else game.observations[action[0]][observation[0]]
        return named
    entry: dict = {}
    names = [game.states[s] for s in states]
    if table == "emission":
        entry["next_state"] = names[0]
    else:
        entry["state"] = names[0]
    if action:
        entry["joint_action"] = [game.actions[i][a] for i, a in enumerate(action)]
    if len(names) > 1:
        entry["next_state"] = names[1]
    if observation:
        entry["joint_observation"] = [game.observations[i][o] for i, o in enumerate(observation)]
    return entry


def sentence(game: GameTables, difference: Difference) -> str:
    """One line for people.

    >>> from certify.games import builtin
    >>> from certify.symmetry.maps import read_map
    >>> game = builtin("lever:3:9/10")
    >>> flip = read_map(game, {"actions": {"0": {"1": 2, "2": 1}, "1": {"1": 2, "2": 1}}})
    >>> "is 1, but its image" in sentence(game, next(differences(game, flip)))
    True
    """
    shown = describe(game, difference)

    def at(entry: dict) -> str:
        return ", ".join(" ".join(v) if isinstance(v, list) else str(v) for v in entry.values())

    return (
        f"{shown['table']} at ({at(shown['at'])}) is {shown['value']}, "
        f"but its image ({at(shown['image'])}) has {shown['image_value']}"
    )
