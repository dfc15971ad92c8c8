"""The canonical form, its hash, and what its reader refuses."""

import copy
import hashlib
import json
import pickle
from dataclasses import replace
from fractions import Fraction as F

import numpy as np
import pytest
from random_games import random_game

from certify.errors import InputError
from certify.games import builtin, game_from_json, game_sha256, game_to_json, list_builtins, restrict_to_reachable
from certify.games.canonical import canonical_bytes, sha256_of

LEVER = {
    "format": "certify-game",
    "version": 1,
    "name": "lever:2:9/10",
    "agents": ["agent1", "agent2"],
    "weights": ["1", "1"],
    "horizon": 1,
    "discount": "1",
    "states": ["s"],
    "actions": [["0", "1"], ["0", "1"]],
    "observations": [["o"], ["o"]],
    "available": None,
    "start": [[0, [], "1"]],
    "transition": [],
    "emission": [],
    "reward": [[0, [0, 0], "1"], [0, [1, 1], "9/10"]],
}


def test_the_form_of_a_lever_game_written_out():
    assert game_to_json(builtin("lever:2:9/10")) == LEVER
    text = json.dumps(LEVER, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert game_sha256(builtin("lever:2:9/10")) == hashlib.sha256(text.encode("utf-8")).hexdigest()


def test_bytes_are_utf8_and_refuse_floats_that_are_no_json():
    assert canonical_bytes({"ω": 1}) == '{"ω":1}'.encode()
    with pytest.raises(ValueError, match="JSON"):
        canonical_bytes(float("nan"))


@pytest.mark.parametrize("example", [entry.example for entry in list_builtins()])
def test_builtins_survive_the_round_trip(example):
    game = restrict_to_reachable(builtin(example))
    data = json.loads(canonical_bytes(game_to_json(game)))
    assert game_from_json(data, "here") == game
    assert sha256_of(data) == game_sha256(game)
    assert pickle.loads(pickle.dumps(game)) == game


@pytest.mark.parametrize("seed", range(20))
def test_random_games_survive_the_round_trip(seed):
    rng = np.random.default_rng(seed)
    game = random_game(
        rng,
        agents=1 + seed % 3,
        horizon=1 + seed % 2,
        initial_observations=seed % 2 == 0,
        discount=True,
        weights=True,
        available=seed % 5 == 0,
    )
    data = game_to_json(game)
    assert game_to_json(game_from_json(data, "here")) == data


@pytest.mark.parametrize(
    "change", [{"horizon": 3}, {"discount": F(9, 10)}, {"weights": (F(1), F(2))}, {"name": "other"}, {"reward": {}}]
)
def test_the_hash_covers_everything(change):
    game = builtin("dectiger")
    assert game_sha256(replace(game, **change)) != game_sha256(game)


def test_the_hash_ignores_order_zero_rewards_and_what_play_cannot_meet():
    game = builtin("dectiger")
    unordered = replace(
        game,
        transition={k: row[::-1] for k, row in reversed(game.transition.items())},
        reward=dict(reversed(game.reward.items())),
        start=game.start[::-1],
    )
    assert game_sha256(unordered) == game_sha256(game)
    more = replace(
        game,
        states=(*game.states, "never"),
        reward=game.reward | {(2, (0, 0)): F(1)},
        transition=game.transition | {(2, (0, 0)): ((0, F(1)),)},
        emission=game.emission | {((0, 0), 2): (((0, 0), F(1)),)},
    )
    assert game_sha256(more) == game_sha256(game)
    climbing = builtin("climbing")
    assert game_sha256(replace(climbing, reward=climbing.reward | {(0, (0, 2)): F(0)})) == game_sha256(climbing)


def broken(path, value):
    data = copy.deepcopy(game_to_json(builtin("dectiger")))
    node = data
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = value
    return data


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (["format"], "other", "format 'other' version 1"),
        (["version"], 2, "version 2"),
        (["extra"], 1, "unknown key 'extra'"),
        (["name"], 3, "$.name: wrong shape; give a string"),
        (["name"], "\ud800", "use printable characters"),
        (["agents"], "ab", "$.agents"),
        (["agents", 0], "\ud800", "agents: the name"),
        (["states", 0], 1, "$.states[0]"),
        (["states", 0], "tiger-right", "occurs twice"),
        (["states", 0], "a b", "without blanks"),
        (["horizon"], 0, "horizon 0"),
        (["horizon"], True, "$.horizon"),
        (["horizon"], "2", "$.horizon"),
        (["discount"], "0", "discount 0"),
        (["discount"], 1, "$.discount: wrong shape; give an exact number as a string"),
        (["weights"], ["1"], "entropy weights"),
        (["weights", 0], "-1", "entropy weights"),
        (["weights", 0], "x", "$.weights[0]: 'x' is not a number"),
        (["observations"], [["o"]], "action or observation lists"),
        (["start"], [], "start: probabilities sum to 0"),
        (["start", 0], [0, []], "$.start[0]"),
        (["start", 0, 2], "1/3", "start: probabilities sum to 5/6"),
        (["start", 0, 2], "1/0", "divides by zero"),
        (["start", 0, 0], 7, "index out of range"),
        (["start", 0, 0], -1, "$.start[0][0]"),
        (["start", 0, 0], 1, "one target twice"),
        (["start", 0, 1], [0, 0], "start: an index"),
        (["transition", 0, 1], [0, 3], "transition: an index out of range"),
        (["transition", 0, 1], [0], "transition: an index out of range"),
        (["transition", 0], [0, [0, 1], [[0, "1"]]], "the same entry twice"),
        (["transition", 1, 2], [[0, "1"], [0, "0"]], "$.transition[1][2][1]: the same entry twice"),
        (["transition", 1, 2, 0, 1], "-1/2", "a probability of -1/2"),
        (
            ["transition", 1, 2, 0, 1],
            "1/3",
            "transition from state tiger-left under listen open-left: probabilities sum to 5/6",
        ),
        (["emission", 0, 2, 0, 0], [2, 0], "emission: an index out of range"),
        (["emission", 0, 2, 0, 1], "0.5", "observation in state tiger-left after listen listen"),
        (["reward", 0, 0], 2, "reward: an index out of range"),
        (["reward", 0, 2], 0.5, "$.reward[0][2]"),
        (["available"], [[[0]], [[0]]], "for each of the 2 steps"),
        (["available"], [[[0], [1]]], "each of the 2 agents"),
        (["available"], [[[0], [3]], [[0], [1]]], "indices of its actions"),
        (["available"], [[[0], [1, 0]], [[0], [1]]], "ascending"),
    ],
)
def test_refusals(path, value, message):
    with pytest.raises(InputError) as caught:
        game_from_json(broken(path, value), "game.json")
    assert message in str(caught.value)
    assert str(caught.value).startswith("game.json")


def test_missing_keys_and_other_values():
    data = game_to_json(builtin("dectiger"))
    for key in data:
        with pytest.raises(InputError):
            game_from_json({k: v for k, v in data.items() if k != key}, "here")
    for other in (None, [], "game", 3):
        with pytest.raises(InputError, match="not a JSON object"):
            game_from_json(other, "here")
