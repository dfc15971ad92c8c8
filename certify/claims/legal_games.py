"""Games whose legal actions depend on the history, for claims and benchmarks
(docs/theory/legal-actions.md#necessity)."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

from certify.games import Game, as_game, builtin, check_game

_LETTERS = "abcdefgh"
_END = "over"


def match(actions: int, reward: Fraction | int = 0, choices: int = 2) -> Game:
    """Two agents choose one of `choices` actions and see whether they match; after a match each has so many legal
    actions, after a mismatch one.  A match earns `reward`, nothing else anything.

    >>> game = match(3)
    >>> game.legal(0, 1, 0), game.legal(0, 1, 1)
    ((0, 1, 2), (0,))
    """
    names = list(_LETTERS[: max(actions, choices)])
    first = names[:choices]
    free = {"": first, "match": names[:actions], "miss": names[:1]}
    document: dict[str, Any] = {
        "kind": "dec-pomdp",
        "name": f"match-{actions}-{reward}".replace("/", "-"),
        "agents": ["one", "two"],
        "states": ["begin", "matched", "missed"],
        "actions": [names, names],
        "observations": [["match", "miss"], ["match", "miss"]],
        "horizon": 2,
        "start": [{"state": "begin", "probability": 1}],
        "transition": [
            {"state": "begin", "actions": [x, y], "next": {"matched" if x == y else "missed": 1}}
            for x in first
            for y in first
        ],
        "emission": [
            {"actions": ["*", "*"], "state": s, "outcomes": [{"observations": [o, o], "probability": 1}]}
            for s, o in (("matched", "match"), ("missed", "miss"))
        ],
        "reward": [{"state": "begin", "actions": [x, x], "value": str(reward)} for x in first if reward],
        "legal": dict.fromkeys(("one", "two"), free),
    }
    return as_game(document)


def tiger_that_ends(horizon: int, *, legal: bool = True) -> Game:
    """Dec-Tiger where opening a door ends the game: a state without rewards, of which both agents are told, and (with
    `legal`) in which both have one legal action; without, they keep all three.

    >>> game = tiger_that_ends(3)
    >>> game.actions[0][0], [game.legal(0, 1, o) for o in range(3)]
    ('listen', [(0, 1, 2), (0, 1, 2), (0,)])
    """
    tiger = builtin("dectiger", horizon)
    end, told = len(tiger.states), len(tiger.observations[0])
    one = Fraction(1)
    listening: tuple[int, ...] = (0, 0)
    assert tiger.actions[0][0] == "listen"
    every = {a for _, a in tiger.transition}
    transition = {(s, a): row if a == listening else ((end, one),) for (s, a), row in tiger.transition.items()} | {
        (end, a): ((end, one),) for a in every
    }
    emission = {(a, s): row for (a, s), row in tiger.emission.items() if a == listening}
    emission |= {(a, end): (((told, told), one),) for a in every}
    row = ((0, one),)
    return check_game(
        replace(
            tiger,
            name="tiger-that-ends" if legal else "tiger-that-ends-padded",
            states=(*tiger.states, _END),
            observations=tuple((*names, _END) for names in tiger.observations),
            transition=transition,
            emission=emission,
            reference={(0, told): row, (1, told): row} if legal and horizon > 1 else {},
        )
    )
