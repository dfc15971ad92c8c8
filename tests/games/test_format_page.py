"""The examples in docs/game-format.md load, and mean what the page says."""

import json
import re
from fractions import Fraction as F
from pathlib import Path

import jsonschema

from certify.games import builtin, game_to_json, load
from certify.games.readers.schema import game_schema

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "game-format.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.S)


def test_json_examples(tmp_path):
    games = []
    for k, block in enumerate(blocks("json")):
        document = json.loads(block)
        jsonschema.validate(document, game_schema())
        path = tmp_path / f"example{k}.json"
        path.write_text(block)
        games.append(load(path, values={"eps": "1/10"} if "parameters" in document else None))
    one_shot, bayesian, sequential, parametric, canonical = games
    assert one_shot.reward[0, (1, 1)] == F(9, 10)
    assert bayesian.reward[1, (0, 1)] == 2
    assert sequential.transition[1, (1, 0)] == ((1, F(1)),)
    assert sequential.transition[1, (0, 0)] == ((0, F(9, 10)), (1, F(1, 10)))
    assert sequential.actions_at(1, 0) == (0,)
    assert parametric.reward[0, (1, 1)] == F(9, 10)
    assert canonical == builtin("lever:2:9/10")
    assert json.loads(blocks("json")[-1]) == game_to_json(canonical)


def test_dpomdp_example(tmp_path):
    (block,) = blocks("dpomdp")
    path = tmp_path / "weather.dpomdp"
    path.write_text(block)
    game = load(path, horizon=2)
    assert game.transition[1, (1, 1)] == ((0, F(1, 2)), (1, F(1, 2)))
    assert game.emission[(0, 0), 0] == (((0, 0), F(1, 2)), ((1, 0), F(1, 4)), ((1, 1), F(1, 4)))
    assert game.reward[0, (1, 1)] == 10
    assert game.reward[0, (0, 1)] == F(9, 10) * -1 + F(1, 10) * -20
    assert game.discount == F(19, 20)
