"""Damaged files: whatever is deleted, inserted or exchanged, a reader either returns a game that
keeps every invariant or says one line; nothing else is raised."""

import json
import random

import pytest

from certify.errors import InputError
from certify.games import builtin, check_game, game_from_json, game_to_json
from certify.games.readers.dpomdp import read_dpomdp
from certify.games.readers.native import read_native

DPOMDP = """agents: 2
discount: 1
values: reward
states: left right
start include: left
actions:
a b
2
observations:
x y
2
T: * : identity
T: a 0 : left :
0.25 0.75
O: * : uniform
O: * : right : * : 0
O: * : right : x 1 : 1
R: a 0 : left : right :
4 8 0 0
R: 3 : 1 : * : * : +2e1
R: * : * : left : * : -.5
"""
TOKENS = [
    ":",
    "*",
    "0",
    "1",
    "-1",
    "2",
    "nan",
    "uniform",
    "identity",
    "left",
    "a",
    "T",
    "R:",
    "O :",
    "\n",
    "#",
    "start",
    "include",
    "agents:",
    "1e5",
    ",",
    " ",
    "1000000000",
    "\t",
    "\0",
    "é",
    "²",
    "99999999999999999999",
]
VALUES = [
    None,
    True,
    0,
    1,
    -1,
    "x",
    "1/2",
    "-1/2",
    "1/0",
    "",
    [],
    {},
    [0],
    [[1]],
    {"a": 1},
    "*",
    "eps",
    "listen",
    10**30,
    "0 < eps",
    "²",
]
NATIVE = {
    "kind": "bayesian",
    "types": [["red", "blue"], ["any"]],
    "prior": [["1/4"], ["3/4"]],
    "payoff": [[[[1, 0]]], [[[0, "eps"]]]],
    "parameters": {"eps": ["0 < eps"]},
}


def outcome(read, *arguments, **options):
    """1 for a game that passes its checks again, 0 for one line of refusal."""
    try:
        game = read(*arguments, **options)
    except InputError as error:
        assert "\n" not in str(error)
        return 0
    check_game(game)
    assert game_to_json(game_from_json(game_to_json(game), "again")) == game_to_json(game)
    return 1


@pytest.mark.parametrize("seed", range(4))
def test_dpomdp(seed):
    rng, accepted = random.Random(seed), 0
    for _ in range(500):
        text = DPOMDP
        for _ in range(rng.randint(1, 2)):
            at, length = rng.randrange(len(text)), rng.choice([0, 0, 1, 3])
            text = text[:at] + rng.choice([*TOKENS, ""]) + text[at + length :]
        accepted += outcome(read_dpomdp, text, "f", "f", rng.randint(1, 3), rng.choice(["exact", "renormalise"]))
    assert 0 < accepted < 500


def damaged(document, rng):
    document = json.loads(json.dumps(document))
    node, key = document, rng.choice(list(document))
    while isinstance(node[key], (dict, list)) and node[key] and rng.random() < 0.8:
        node = node[key]
        key = rng.choice(list(node) if isinstance(node, dict) else range(len(node)))
    if rng.random() < 0.2:
        del node[key]
    else:
        node[key] = rng.choice([*VALUES, node[key], [node[key]]])
    return document


@pytest.mark.parametrize("seed", range(2))
def test_json(seed):
    rng, accepted, tried = random.Random(seed), 0, 0
    for document in [NATIVE, *(game_to_json(builtin(name)) for name in ("dectiger", "lewis:2", "lever:2"))]:
        for _ in range(300):
            data, tried = damaged(document, rng), tried + 1
            if "format" in document:
                accepted += outcome(game_from_json, data, "f")
            else:
                accepted += outcome(read_native, data, "f", values={"eps": "1/3"})
    assert 0 < accepted < tried
