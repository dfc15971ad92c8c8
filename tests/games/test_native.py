"""The native JSON form: its three kinds, parameters, schema, and refusals that name the JSON path."""

import copy
import json
from fractions import Fraction as F

import jsonschema
import pytest
import sympy

from certify.errors import InputError
from certify.games import builtin, game_to_json, list_builtins, load
from certify.games.readers.native import load_parametric, read_native, read_parametric
from certify.games.readers.schema import game_schema

ONE_SHOT = {
    "kind": "one-shot",
    "name": "pair",
    "actions": [["l", "r"], ["u", "d"]],
    "weights": [1, "1/2"],
    "payoff": [[1, "-0.5"], [0, "17/20"]],
}
BAYESIAN = {
    "kind": "bayesian",
    "types": [["red", "blue"], ["any"]],
    "prior": [["1/4"], ["3/4"]],
    "payoff": [[[[1, 0]]], [[[0, 2]]]],
}
TIGER = {
    "kind": "dec-pomdp",
    "name": "dectiger",
    "agents": ["agent1", "agent2"],
    "states": ["tiger-left", "tiger-right"],
    "actions": [["listen", "open-left", "open-right"]] * 2,
    "observations": [["hear-left", "hear-right"]] * 2,
    "start": [{"state": "tiger-left", "probability": "1/2"}, {"state": "tiger-right", "probability": "0.5"}],
    "transition": [
        {"state": "*", "actions": ["*", "*"], "next": {"tiger-left": "1/2", "tiger-right": "1/2"}},
        {"state": "tiger-left", "actions": ["listen", "listen"], "next": {"tiger-left": 1}},
        {"state": "tiger-right", "actions": ["listen", "listen"], "next": {"tiger-right": 1, "tiger-left": 0}},
    ],
    "emission": [
        {
            "actions": ["*", "*"],
            "state": "*",
            "outcomes": [
                {"observations": [a, b], "probability": "1/4"}
                for a in ("hear-left", "hear-right")
                for b in ("hear-left", "hear-right")
            ],
        }
    ]
    + [
        {
            "actions": ["listen", "listen"],
            "state": f"tiger-{side}",
            "outcomes": [
                {"observations": [f"hear-{side}"] * 2, "probability": "0.7225"},
                {"observations": [f"hear-{side}", f"hear-{other}"], "probability": "0.1275"},
                {"observations": [f"hear-{other}", f"hear-{side}"], "probability": "0.1275"},
                {"observations": [f"hear-{other}"] * 2, "probability": "0.0225"},
            ],
        }
        for side, other in (("left", "right"), ("right", "left"))
    ],
    "reward": [
        {"state": "*", "actions": ["*", "*"], "value": -100},
        {"state": "*", "actions": ["listen", "listen"], "value": -2},
    ]
    + [
        {"state": f"tiger-{tiger}", "actions": actions, "value": value}
        for tiger in ("left", "right")
        for door in ("left", "right")
        for actions, value in (
            ([f"open-{door}"] * 2, -50 if tiger == door else 20),
            ([f"open-{door}", "listen"], -101 if tiger == door else 9),
            (["listen", f"open-{door}"], -101 if tiger == door else 9),
        )
    ],
}
NOISY = {"kind": "one-shot", "payoff": [[1, 0], [0, "1 - eps/2"]], "parameters": {"eps": ["0 < eps", "eps <= 1"]}}


def test_one_shot():
    game = read_native(ONE_SHOT, "pair.json")
    assert (game.name, game.horizon, game.actions) == ("pair", 1, (("l", "r"), ("u", "d")))
    assert dict(game.reward) == {(0, (0, 0)): 1, (0, (0, 1)): F(-1, 2), (0, (1, 1)): F(17, 20)}
    assert game.weights == (1, F(1, 2))


def test_one_shot_defaults_and_three_agents():
    game = read_native({"kind": "one-shot", "payoff": [[[1, 0]], [[0, 2]]]}, "folder/cube.json")
    assert game.name == "cube"
    assert game.agents == ("agent1", "agent2", "agent3")
    assert game.actions == (("0", "1"), ("0",), ("0", "1"))
    assert dict(game.reward) == {(0, (0, 0, 0)): 1, (0, (1, 0, 1)): 2}


def test_bayesian_types_are_initial_observations():
    game = read_native(BAYESIAN, "types.json")
    assert game.states == ("red|any", "blue|any")
    assert game.observations == (("red", "blue"), ("any",))
    assert game.start == ((0, (0, 0), F(1, 4)), (1, (1, 0), F(3, 4)))
    assert dict(game.reward) == {(0, (0, 0)): 1, (1, (0, 1)): 2}


def test_type_profiles_of_probability_zero_are_left_out():
    game = read_native(BAYESIAN | {"prior": [[0], [1]]}, "types.json")
    assert game.start == ((0, (1, 0), F(1)),)
    assert dict(game.reward) == {(0, (0, 1)): 2}


def test_dec_pomdp_by_names_is_dec_tiger():
    assert read_native(TIGER, "tiger.json", horizon=2) == builtin("dectiger")
    assert read_native(TIGER | {"horizon": 3}, "tiger.json").horizon == 3
    assert read_native(TIGER | {"discount": "0.9"}, "tiger.json", horizon=4).discount == F(9, 10)


def test_dec_pomdp_with_initial_observations_and_action_sets():
    document = {
        "kind": "dec-pomdp",
        "horizon": 2,
        "agents": ["s", "r"],
        "states": ["t1", "t2"],
        "actions": [["m1", "m2", "wait"], ["g1", "g2", "wait"]],
        "observations": [["t1", "t2", "no"], ["m1", "m2", "no"]],
        "available": [[["m2", "m1"], ["wait"]], [["wait"], ["g1", "g2"]]],
        "start": [{"state": t, "observations": [t, "no"], "probability": "1/2"} for t in ("t1", "t2")],
        "transition": [{"state": t, "actions": ["*", "*"], "next": {t: 1}} for t in ("t1", "t2")],
        "emission": [
            {"actions": [m, "*"], "state": "*", "outcomes": [{"observations": ["no", m], "probability": 1}]}
            for m in ("m1", "m2")
        ],
        "reward": [{"state": f"t{k}", "actions": ["wait", f"g{k}"], "value": 1} for k in (1, 2)],
    }
    game, lewis = read_native(document, "signal.json"), builtin("lewis:2")
    assert (game.available, game.start) == (lewis.available, lewis.start)
    shown, expected = game_to_json(game), game_to_json(lewis)
    for key in ("start", "emission", "reward", "available"):
        assert shown[key] == expected[key]
    with pytest.raises(InputError, match="each of the 3 steps"):
        read_native(document, "signal.json", horizon=3)


@pytest.mark.parametrize(
    "document", [ONE_SHOT, BAYESIAN, TIGER, NOISY] + [game_to_json(builtin(entry.example)) for entry in list_builtins()]
)
def test_the_published_schema_accepts_every_kind(document):
    jsonschema.Draft202012Validator.check_schema(game_schema())
    jsonschema.validate(json.loads(json.dumps(document)), game_schema())


def test_values_for_parameters():
    assert read_native(NOISY, "noisy.json", values={"eps": "1/5"}).reward[0, (1, 1)] == F(9, 10)


def test_parameters_as_symbols_agree_with_values():
    game = read_parametric(NOISY, "noisy.json")
    (eps,) = game.parameters
    assert sympy.expand(game.reward[0, (1, 1)] - (1 - eps / 2)) == 0
    assert len(game.constraints) == 2
    assert game.at({"eps": "1/5"}) == read_native(NOISY, "noisy.json", values={"eps": "1/5"})


def test_parametric_probabilities_must_sum_to_one_identically():
    document = copy.deepcopy(TIGER) | {"parameters": {"p": ["1/2 < p < 1"]}}
    row = document["transition"][0]["next"]
    row |= {"tiger-left": "p", "tiger-right": "1 - p"}
    game = read_parametric(document, "tiger.json", horizon=2)
    assert game.at({"p": "3/4"}).transition[0, (0, 1)] == ((0, F(3, 4)), (1, F(1, 4)))
    assert [str(relation) for relation in game.constraints] == ["1/2 < p", "p < 1"]
    row["tiger-right"] = "1 - p**2"
    with pytest.raises(InputError, match=r"probabilities sum to .*p.*, not 1"):
        read_parametric(document, "tiger.json", horizon=2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"parameters": {"eps": ["0 < eps", "1 < 0"]}}, "a constraint that no value meets"),
        ({"kind": "bayesian", "types": [["t"], ["u"]], "prior": [[-1]], "payoff": [[[["eps"]]]]}, "not positive"),
    ],
)
def test_parametric_refusals(change, message):
    with pytest.raises(InputError, match=message):
        read_parametric(NOISY | change, "noisy.json")


def test_values_where_an_expression_has_none():
    game = read_parametric({"kind": "one-shot", "payoff": [[1, "1/eps"]], "parameters": {"eps": []}}, "pole.json")
    assert game.at({"eps": 2}).reward[0, (0, 1)] == F(1, 2)
    with pytest.raises(InputError, match="the values make the divisor eps zero"):
        game.at({"eps": 0})


def test_divisors_are_kept_where_a_quotient_cancels():
    document = {"kind": "one-shot", "payoff": [["(1/eps)*eps", "eps**-2"]], "parameters": {"eps": []}}
    game = read_parametric(document, "cancelled.json")
    assert game.reward[0, (0, 0)] == 1 and [str(d) for d in game.divisors] == ["eps"]
    assert game.at({"eps": "1/2"}).reward[0, (0, 1)] == 4
    with pytest.raises(InputError, match="zero"):
        game.at({"eps": 0})
    with pytest.raises(InputError, match="divides by zero"):
        read_native(document, "cancelled.json", values={"eps": 0})


def test_load_parametric_reads_files(tmp_path):
    path = tmp_path / "noisy.json"
    path.write_text(json.dumps(NOISY))
    assert load_parametric(path).name == "noisy"
    path.write_text(json.dumps(ONE_SHOT))
    assert load_parametric(path).at({}) == load(path)
    with pytest.raises(InputError, match="no such file"):
        load_parametric(tmp_path / "other.json")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (None, "a game with parameters (eps)"),
        ({}, "a game with parameters (eps)"),
        ({"eps": 0}, "break the constraint '0 < eps'"),
        ({"eps": "x"}, "value of eps: 'x' is not a number"),
        ({"eps": 1, "delta": 1}, "unknown parameter 'delta'"),
        ({"delta": 1}, "no value for parameter 'eps'"),
    ],
)
def test_bad_values(values, message):
    with pytest.raises(InputError) as caught:
        read_native(NOISY, "noisy.json", values=values)
    assert message in str(caught.value)
    if values:
        with pytest.raises(InputError):
            read_parametric(NOISY, "noisy.json").at(values)


def nested(depth):
    value = 1
    for _ in range(depth):
        value = [value]
    return value


NESTED = nested(800)


def changed(document, path, value):
    document = copy.deepcopy(document)
    node = document
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = value
    return document


@pytest.mark.parametrize(
    ("document", "path", "value", "message"),
    [
        (ONE_SHOT, ["kind"], "two-shot", "no known kind of game"),
        (ONE_SHOT, ["payoff", 1, 1], True, "$.payoff[1][1]: true is not an exact number"),
        (ONE_SHOT, ["payoff", 1, 1], "zero", "$.payoff[1][1]: 'zero' is not a number"),
        (ONE_SHOT, ["payoff", 1, 1], "1/0", "$.payoff[1][1]: '1/0' divides by zero"),
        (ONE_SHOT, ["payoff", 1], [1], "$.payoff[1]"),
        (ONE_SHOT, ["payoff", 1, 1], [1], "$.payoff[1][1]"),
        (ONE_SHOT, ["payoff"], [], "$.payoff"),
        (ONE_SHOT, ["payof"], [], "$: Additional properties are not allowed"),
        (ONE_SHOT, ["actions"], [["l", "r"]], "$.actions"),
        (ONE_SHOT, ["actions", 0], ["l", "l"], "$.actions[0]"),
        (ONE_SHOT, ["actions", 0, 0], "a b", "$.actions[0][0]"),
        (ONE_SHOT, ["agents"], ["one"], "for 1 agents"),
        (ONE_SHOT, ["weights"], ["1"], "$.weights"),
        (ONE_SHOT, ["weights", 0], "eps", "$.weights[0]"),
        (ONE_SHOT, ["weights", 0], 0, "entropy weights"),
        (BAYESIAN, ["prior", 0, 0], "1/3", "start: probabilities sum to 13/12"),
        (BAYESIAN, ["prior", 0, 0], "-1/4", "start: a probability of -1/4"),
        (BAYESIAN, ["prior"], [["1"]], "$.prior: shape [1, 1]"),
        (BAYESIAN, ["payoff"], [[1, 2]], "$.payoff"),
        (TIGER, ["horizon"], 0, "$.horizon"),
        (TIGER, ["observations"], [["hear-left", "hear-right"]], "$.observations: 1 lists for 2 agents"),
        (ONE_SHOT, ["payoff", 1], NESTED, "JSON nested too deeply"),
        (TIGER, ["start", 0, "state"], "tiger", "$.start[0].state: unknown name 'tiger'"),
        (TIGER, ["start", 0, "probability"], "1/3", "start: probabilities sum to 5/6"),
        (TIGER, ["start", 0, "observations"], ["hear-left"], "$.start[0].observations"),
        (TIGER, ["transition", 1, "next"], {"tiger-lft": 1}, "$.transition[1].next"),
        (TIGER, ["transition", 1, "next"], {"tiger-left": "-1", "tiger-right": 2}, "a probability of -1"),
        (TIGER, ["transition", 1, "actions"], ["listen"], "$.transition[1].actions"),
        (TIGER, ["transition", 1, "actions", 0], "look", "$.transition[1].actions[0]: unknown name 'look'"),
        (
            TIGER,
            ["emission", 0, "outcomes", 0, "observations"],
            ["hear-left"],
            "$.emission[0].outcomes[0].observations",
        ),
        (TIGER, ["emission", 0, "outcomes", 0, "observations"], ["hear-right", "hear-right"], "the same outcome twice"),
        (
            TIGER,
            ["emission", 0, "outcomes", 0],
            {"probability": 1},
            "$.emission[0].outcomes[0]: 'observations' is a required property",
        ),
        (TIGER, ["reward", 0, "value"], None, "$.reward[0].value: null is not an exact number"),
        (TIGER, ["available"], [{"tiger-left": ["listen"]}] * 2, "never on the state or history"),
        (TIGER, ["available"], [[["listen"], ["listen"]]], "$.available"),
        (TIGER, ["discount"], 2, "discount 2"),
        (NOISY, ["parameters"], {"2eps": []}, "$.parameters"),
        (NOISY, ["parameters"], {"delta": []}, "unknown parameter 'eps'"),
        (NOISY, ["parameters", "eps", 0], "eps", "$.parameters.eps[0]: 'eps' is not a constraint"),
        (NOISY, ["payoff", 1, 1], "__import__('os')", "is not an expression"),
    ],
)
def test_refusals_name_the_path(document, path, value, message):
    document, horizon = changed(document, path, value), 2 if document is TIGER and path != ["horizon"] else None
    with pytest.raises(InputError) as caught:
        read_native(document, "game.json", horizon, dict.fromkeys(document.get("parameters", {}), 1))
    assert message in str(caught.value)
    assert str(caught.value).startswith("game.json")
    assert "\n" not in str(caught.value)


def test_horizons():
    with pytest.raises(InputError, match="pass --horizon N"):
        read_native(TIGER, "tiger.json")
    with pytest.raises(InputError, match="exactly 1 step"):
        read_native(ONE_SHOT, "pair.json", horizon=2)
