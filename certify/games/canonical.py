"""The canonical form of a game: what a certificate restates and hashes (interface, small print).

Two games with the same canonical bytes are the same game, so the SHA-256 of these bytes binds a
certificate to its game.  The form holds reachable states only (docs/theory/symmetry.md#deciding-a-candidate).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from certify.errors import InputError
from certify.exact import parse_rational, rational_text
from certify.games.model import FIRST, Game, check_game, restrict_to_reachable

FORMAT, VERSION = "certify-game", 1
_KEYS = (
    "format",
    "version",
    "name",
    "agents",
    "weights",
    "horizon",
    "discount",
    "states",
    "actions",
    "observations",
    "available",
    "start",
    "transition",
    "emission",
    "reward",
)


def canonical_bytes(obj: Any) -> bytes:
    """JSON with sorted keys and compact separators, in UTF-8: the bytes that are hashed.

    >>> canonical_bytes({"b": [1, "p/q"], "a": None})
    b'{"a":null,"b":[1,"p/q"]}'
    """
    return json.dumps(obj, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def sha256_of(obj: Any) -> str:
    """Hexadecimal SHA-256 of the canonical bytes of a JSON object.

    >>> sha256_of({})[:16]
    '44136fa355b3678a'
    """
    return hashlib.sha256(canonical_bytes(obj)).hexdigest()


def game_sha256(game: Game) -> str:
    """SHA-256 of the canonical form: horizon, discount and weights included.

    >>> from certify.games import builtin
    >>> game_sha256(builtin("lever:10:9/10")) == game_sha256(builtin("lever:10:0.9"))
    True
    """
    return sha256_of(game_to_json(game))


def game_to_json(game: Game) -> dict[str, Any]:
    """The canonical form of the reachable part of `game`: lists sorted by index, no zeros.

    >>> from certify.games import builtin
    >>> game_to_json(builtin("lever:2"))["reward"]
    [[0, [0, 0], '1'], [0, [1, 1], '1']]
    """
    game = restrict_to_reachable(game)

    def row(entries: tuple) -> list:
        return [[list(to) if isinstance(to, tuple) else to, rational_text(p)] for to, p in sorted(entries)]

    document = {
        "format": FORMAT,
        "version": VERSION,
        "name": game.name,
        "agents": list(game.agents),
        "weights": [rational_text(w) for w in game.weights],
        "horizon": game.horizon,
        "discount": rational_text(game.discount),
        "states": list(game.states),
        "actions": [list(names) for names in game.actions],
        "observations": [list(names) for names in game.observations],
        "available": None if game.available is None else [[list(step) for step in steps] for steps in game.available],
        "start": [[s, list(o), rational_text(p)] for s, o, p in sorted(game.start)],
        "transition": [[s, list(a), row(entries)] for (s, a), entries in sorted(game.transition.items()) if entries],
        "emission": [[list(a), s, row(entries)] for (a, s), entries in sorted(game.emission.items()) if entries],
        "reward": [[s, list(a), rational_text(r)] for (s, a), r in sorted(game.reward.items()) if r],
    }
    if game.reference:
        document["reference"] = [
            [i, None if o == FIRST else o, row(entries)] for (i, o), entries in sorted(game.reference.items())
        ]
    return document


def game_from_json(data: Any, where: str) -> Game:
    """The checked game that a canonical form describes; `where` names its origin in errors.

    Raises `InputError`, with the JSON path, for anything that is not a canonical form or breaks
    an invariant of the model.

    >>> from certify.games import builtin
    >>> game_from_json(game_to_json(builtin("climbing")), "here") == builtin("climbing")
    True
    """
    if not isinstance(data, dict):
        raise InputError(where, "not a JSON object", "give the canonical form of a game")
    if data.get("format") != FORMAT or data.get("version") != VERSION:
        raise InputError(
            where,
            f"format {data.get('format')!r} version {data.get('version')!r}",
            f'this reader takes "format": "{FORMAT}", "version": {VERSION}',
        )
    if missing := [key for key in _KEYS if key not in data]:
        raise InputError(where, f"no {missing[0]!r}", "add it")
    if unknown := sorted(set(data) - {*_KEYS, "reference"}):
        raise InputError(where, f"unknown key {unknown[0]!r}", "leave it out")
    return check_game(_Reader(where).game(data))


class _Reader:
    """Typed access to a canonical form; every error names the JSON path."""

    def __init__(self, where: str) -> None:
        self.where = where
        self._numbers: dict[Any, Fraction] = {}

    def fail(self, path: str, wanted: str) -> InputError:
        return InputError(f"{self.where}, {path}", "wrong shape", f"give {wanted}")

    def game(self, data: dict[str, Any]) -> Game:
        names, numbers = self.names, self.number
        agents = names(data["agents"], "$.agents")
        available = data["available"]
        if available is not None:
            available = self.list(available, "$.available", lambda steps, p: self.list(steps, p, self.indices))
        return Game(
            name=self.text(data["name"], "$.name"),
            agents=agents,
            states=names(data["states"], "$.states"),
            actions=self.list(data["actions"], "$.actions", names),
            observations=self.list(data["observations"], "$.observations", names),
            start=self.list(
                data["start"],
                "$.start",
                lambda e, p: self.record(
                    e, p, (self.index, self.indices, numbers), "[state, [observation, …], probability]"
                ),
            ),
            transition=self.table(data["transition"], "$.transition", (self.index, self.indices), self.index),
            emission=self.table(data["emission"], "$.emission", (self.indices, self.index), self.indices),
            reward=self.mapping(data["reward"], "$.reward", (self.index, self.indices, numbers)),
            horizon=self.index(data["horizon"], "$.horizon"),
            discount=numbers(data["discount"], "$.discount"),
            weights=self.list(data["weights"], "$.weights", numbers),
            available=available,
            reference=self.reference(data.get("reference", []), "$.reference"),
            source=self.where,
        )

    def list(self, value: Any, path: str, read: Callable[[Any, str], Any]) -> tuple:
        if not isinstance(value, list):
            raise self.fail(path, "a list")
        return tuple(read(item, f"{path}[{k}]") for k, item in enumerate(value))

    def text(self, value: Any, path: str) -> str:
        if not isinstance(value, str):
            raise self.fail(path, "a string")
        return value

    def names(self, value: Any, path: str) -> tuple[str, ...]:
        return self.list(value, path, self.text)

    def index(self, value: Any, path: str) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise self.fail(path, "a whole number, 0 or more")
        return value

    def indices(self, value: Any, path: str) -> tuple[int, ...]:
        return self.list(value, path, self.index)

    def number(self, value: Any, path: str) -> Fraction:
        if not isinstance(value, str):
            raise self.fail(path, 'an exact number as a string, like "17/20"')
        if value not in self._numbers:
            self._numbers[value] = parse_rational(value, f"{self.where}, {path}")
        return self._numbers[value]

    def reference(self, value: Any, path: str) -> dict:
        """Rows `[agent, last observation or null, [[action, probability], ...]]`."""
        return self.mapping(value, path, (self.index, self.last, self.row_of(self.index)))

    def last(self, value: Any, path: str) -> int:
        return FIRST if value is None else self.index(value, path)

    def row_of(self, to: Callable[[Any, str], Any]) -> Callable[[Any, str], tuple]:
        """A reader of `[[target, probability], ...]`."""
        return lambda entries, p: tuple((t[0], q) for t, q in self.mapping(entries, p, (to, self.number)).items())

    def record(self, value: Any, path: str, readers: tuple, wanted: str) -> tuple:
        if not isinstance(value, list) or len(value) != len(readers):
            raise self.fail(path, wanted)
        return tuple(read(item, f"{path}[{k}]") for k, (read, item) in enumerate(zip(readers, value, strict=True)))

    def mapping(self, value: Any, path: str, readers: tuple) -> dict:
        found: dict = {}
        for k, entry in enumerate(
            self.list(value, path, lambda e, p: self.record(e, p, readers, f"a list of {len(readers)} entries"))
        ):
            *key, content = entry
            if tuple(key) in found:
                raise InputError(f"{self.where}, {path}[{k}]", "the same entry twice", "keep one of them")
            found[tuple(key)] = content
        return found

    def table(self, value: Any, path: str, key: tuple, to: Callable[[Any, str], Any]) -> dict:
        return self.mapping(value, path, (*key, self.row_of(to)))
