"""Small games whose legal actions depend on the last observation."""

from __future__ import annotations

import itertools
import random
from dataclasses import replace
from fractions import Fraction as F

from certify.games import Game, builtin, check_game
from certify.games.model import FIRST

MATCH = {
    "kind": "dec-pomdp",
    "name": "match-three",
    "agents": ["one", "two"],
    "states": ["begin", "matched", "missed"],
    "actions": [["a", "b", "c"], ["a", "b", "c"]],
    "observations": [["match", "miss"], ["match", "miss"]],
    "horizon": 2,
    "start": [{"state": "begin", "probability": 1}],
    "transition": [
        {"state": "begin", "actions": [x, y], "next": {"matched" if x == y else "missed": 1}}
        for x in "ab"
        for y in "ab"
    ],
    "emission": [
        {"actions": ["*", "*"], "state": "matched", "outcomes": [{"observations": ["match"] * 2, "probability": 1}]},
        {"actions": ["*", "*"], "state": "missed", "outcomes": [{"observations": ["miss"] * 2, "probability": 1}]},
    ],
    "reward": [{"state": "begin", "actions": [x, x], "value": 1} for x in "ab"],
    "legal": {agent: {"": ["a", "b"], "miss": ["a"]} for agent in ("one", "two")},
}


def random_legal_game(seed: int) -> Game:
    """A small game with random legal sets and references after each observation."""
    rng = random.Random(seed)
    base = builtin("dectiger", horizon=3)
    rows = {}
    for i, o in itertools.product(range(2), (FIRST, 0, 1)):
        legal = sorted(rng.sample(range(3), rng.choice([1, 2, 3])))
        weights = [rng.choice([1, 1, 2]) for _ in legal]
        rows[i, o] = tuple((a, F(w, sum(weights))) for a, w in zip(legal, weights, strict=True))
    return check_game(replace(base, reference=rows))


def with_legal_sets(game: Game, seed: int) -> Game:
    """The game with random legal sets and references after some observations and at the first step."""
    rng = random.Random(seed)
    rows = {}
    for i, actions in enumerate(game.actions):
        for o in range(len(game.observations[i])) if game.start[0][1] else range(FIRST, len(game.observations[i])):
            if rng.random() < 0.75:
                legal = sorted(rng.sample(range(len(actions)), rng.randint(1, len(actions))))
                weights = [rng.choice([1, 1, 2, 5]) for _ in legal]
                rows[i, o] = tuple((a, F(w, sum(weights))) for a, w in zip(legal, weights, strict=True))
    return check_game(replace(game, reference=rows))


# A match of a or of c is told, and leaves the matched action and b; a mismatch leaves everything.  To exchange a and c
# is a symmetry: it carries a after low, first of its row and therefore with two names, to c after high, which has one.
MIRROR = {
    "kind": "dec-pomdp",
    "name": "mirror",
    "agents": ["one", "two"],
    "states": ["begin", "low", "high", "missed"],
    "actions": [["a", "b", "c"], ["a", "b", "c"]],
    "observations": [["low", "high", "miss"], ["low", "high", "miss"]],
    "horizon": 2,
    "discount": "9/10",
    "start": [{"state": "begin", "probability": 1}],
    "transition": [
        {"state": "begin", "actions": [x, y], "next": {"missed" if x != y else "low" if x == "a" else "high": 1}}
        for x in "ac"
        for y in "ac"
    ],
    "emission": [
        {"actions": ["*", "*"], "state": s, "outcomes": [{"observations": [o, o], "probability": 1}]}
        for s, o in (("low", "low"), ("high", "high"), ("missed", "miss"))
    ],
    "reward": [
        *({"state": "begin", "actions": [x, x], "value": 1} for x in "ac"),
        {"state": "low", "actions": ["a", "a"], "value": "1/2"},
        {"state": "high", "actions": ["c", "c"], "value": "1/2"},
        {"state": "missed", "actions": ["b", "b"], "value": "1/4"},
    ],
    "legal": {agent: {"": ["a", "c"], "low": ["a", "b"], "high": ["b", "c"]} for agent in ("one", "two")},
}
