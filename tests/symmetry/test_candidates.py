"""Candidate maps: z3 and exact comparison agree; witnesses; bad input; parametric games."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import sympy
from random_games import random_game
from symmetry_games import apply_map, random_map, same_tables, shared_game

from certify.errors import InputError
from certify.games import builtin
from certify.games.model import reachable_states, restrict_to_reachable
from certify.games.readers.native import read_parametric
from certify.symmetry import differences, is_symmetry, read_map, symmetries
from certify.symmetry.candidate import check_candidate
from certify.symmetry.compare import flat_tables, image_of, sentence
from certify.symmetry.maps import identity_map, map_to_names
from certify.symmetry.parametric import decide_parametric, parametric_symmetries
from certify.symmetry.smt import decide

FLIP = {"states": [1, 0], "actions": [[0, 2, 1], [0, 2, 1]], "observations": [[1, 0], [1, 0]]}
SWAP = {"agents": {"agent1": "agent2", "agent2": "agent1"}}


@pytest.mark.parametrize("seed", range(25))
def test_z3_and_exact_comparison_agree_on_random_maps(seed: int) -> None:
    rng = np.random.default_rng(seed)
    game = restrict_to_reachable(random_game(rng, actions=2, observations=2, states=2))
    mapping = random_map(rng, game)
    expected = same_tables(apply_map(game, mapping), game)
    assert is_symmetry(game, mapping) == expected
    verdict = decide(game, mapping)
    assert verdict.status == ("proved" if expected else "refuted")
    if not expected:
        check_witness(game, mapping, verdict.witness)


def check_witness(game, mapping, witness) -> None:
    entries = flat_tables(game)[witness.table]
    assert image_of(mapping, witness.key) == witness.image
    assert entries.get(witness.key, 0) == witness.value != witness.image_value == entries.get(witness.image, 0)


@pytest.mark.parametrize("seed", range(10))
def test_z3_agrees_on_symmetric_games_with_one_entry_changed(seed: int) -> None:
    rng = np.random.default_rng(seed)
    game = builtin("dectiger")
    reward = dict(game.reward)
    key = list(reward)[rng.integers(len(reward))]
    broken = replace(game, reward=reward | {key: reward[key] + Fraction(1, 1000)})
    for g in symmetries(game).generators:
        expected = is_symmetry(broken, g)
        assert decide(broken, g).status == ("proved" if expected else "refuted")


def test_dec_tiger_with_one_door_changed() -> None:
    game = builtin("dectiger")
    key = (0, (1, 1))
    broken = replace(game, reward=dict(game.reward) | {key: game.reward[key] + Fraction(1, 1000)})
    flip = check_candidate(broken, read_map(broken, FLIP))
    assert (flip.status, flip.solver, flip.exact) == ("refuted", "refuted", "refuted")
    assert key in {(w[0][0], w[1]) for w in (flip.witness.key, flip.witness.image)}
    assert "reward" in sentence(flip.game, flip.witness)
    assert check_candidate(broken, read_map(broken, SWAP)).status == "proved"
    assert check_candidate(game, read_map(game, FLIP)).status == "proved"


def test_a_timeout_of_z3_is_undecided_and_the_exact_answer_stands() -> None:
    game = builtin("dectiger")
    assert decide(game, read_map(game, FLIP), timeout=0.0).status == "undecided"
    verdict = check_candidate(game, read_map(game, FLIP), timeout=0.0)
    assert (verdict.status, verdict.solver, verdict.exact) == ("proved", "undecided", "proved")


def test_weights_refute_an_agent_swap() -> None:
    game = replace(builtin("dectiger"), weights=(Fraction(1), Fraction(2)))
    verdict = check_candidate(game, read_map(game, SWAP))
    assert (verdict.status, verdict.witness.table) == ("refuted", "weights")


def test_a_map_that_leaves_the_reachable_states_is_refuted_there() -> None:
    game = shared_game("fireFighting_2_3_3")
    identity = identity_map(game)
    start = game.start[0][0]
    lost = next(s for s in range(len(game.states)) if s not in reachable_states(game))
    states = list(identity.states)
    states[start], states[lost] = lost, start
    verdict = check_candidate(game, replace(identity, states=tuple(states)))
    assert verdict.status == "refuted" and start in verdict.witness.key[0]


@pytest.mark.parametrize(
    "document, message",
    [
        ([], "not an object"),
        ({"states": {"tiger-left": "tiger-right"}}, "not a bijection"),
        ({"states": [0]}, "a list of 1 for 2"),
        ({"states": {"lion": "tiger-left"}}, "'lion' is unknown"),
        ({"states": {"0": True}}, "True is unknown"),
        ({"colours": {}}, "unknown field 'colours'"),
        ({"actions": {"agent3": {}}}, "'agent3' is unknown"),
        ({"actions": {"agent1": {}, "0": {}}}, "given twice"),
        ({"actions": {"agent1": {"listen": "open-left", "0": "open-right"}}}, "mapped twice"),
        ({"actions": [[0, 1, 2]]}, "1 lists for 2 agents"),
        ({"observations": {"agent1": 3}}, "not an object"),
    ],
)
def test_bad_maps_are_refused_in_one_line(document: object, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        read_map(builtin("dectiger"), document, "map.json")
    assert "\n" not in str(caught.value) and str(caught.value).startswith("map.json")


def test_agents_with_different_numbers_of_actions_are_not_exchanged() -> None:
    game = builtin("match:2x3")
    with pytest.raises(InputError, match="has 2 actions and its image agent2 has 3"):
        read_map(game, SWAP)


@pytest.mark.parametrize("name", ["dectiger", "lever:5:9/10", "recycling", "lewis:3"])
def test_maps_survive_being_written_and_read(name: str) -> None:
    group = symmetries(builtin(name))
    for g in group.elements():
        assert read_map(group.game, map_to_names(group.game, g)) == g


def parametric_lever(levers: int, constraints: list[str]) -> object:
    payoff = [[int(j == k) for k in range(levers)] for j in range(levers)]
    payoff[-1][-1] = "1 - eps"
    return read_parametric({"kind": "one-shot", "payoff": payoff, "parameters": {"eps": constraints}}, "here")


def test_parametric_lever_game() -> None:
    game = parametric_lever(10, ["0 < eps", "eps < 1"])
    group = parametric_symmetries(game)
    assert (group.order, group.complete) == (725760, True)
    assert all(decide_parametric(group.game, g).status == "proved" for g in group.generators)
    moved = read_map(game, {"actions": [[9, 1, 2, 3, 4, 5, 6, 7, 8, 0]] * 2})
    verdict = decide_parametric(game, moved)
    assert verdict.status == "refuted" and 0 < Fraction(verdict.parameters["eps"]) < 1
    at = game.at(verdict.parameters)
    assert not is_symmetry(at, moved)


def test_a_parameter_that_can_only_be_zero_leaves_the_symmetry() -> None:
    game = parametric_lever(3, ["0 <= eps", "eps <= 0"])
    assert parametric_symmetries(game).order == 12
    assert decide_parametric(game, read_map(game, {"actions": [[2, 1, 0], [2, 1, 0]]})).status == "proved"


def test_no_value_meets_the_constraints() -> None:
    with pytest.raises(InputError, match="no parameter value"):
        parametric_symmetries(parametric_lever(3, ["eps < 0", "0 < eps"]))


def test_equal_expressions_in_different_forms_are_one_colour() -> None:
    game = read_parametric(
        {"kind": "one-shot", "payoff": [["p*p - 1", 0], [0, "(p - 1)*(p + 1)"]], "parameters": {"p": ["2 < p"]}}, "here"
    )
    assert parametric_symmetries(game).order == 4


def test_quotients_of_parameters() -> None:
    game = read_parametric(
        {"kind": "one-shot", "payoff": [["1/p", 0], [0, "1/q"]], "parameters": {"p": ["0 < p"], "q": ["0 < q"]}}, "here"
    )
    flip = read_map(game, {"actions": [[1, 0], [1, 0]]})
    verdict = decide_parametric(game, flip)
    assert verdict.status == "refuted" and verdict.parameters["p"] != verdict.parameters["q"]
    assert parametric_symmetries(game).order == 2


def test_what_z3_is_not_told_about_is_undecided() -> None:
    p = sympy.Symbol("p", real=True)
    game = read_parametric({"kind": "one-shot", "payoff": [["p", 0], [0, 1]], "parameters": {"p": ["0 < p"]}}, "here")
    odd = replace(game, reward=dict(game.reward) | {(0, (0, 0)): sympy.exp(p)})
    verdict = decide_parametric(odd, read_map(odd, {"actions": [[1, 0], [1, 0]]}))
    assert verdict.status == "undecided" and "exp(p)" in verdict.reason


def test_differences_come_in_both_directions() -> None:
    game = builtin("lever:3")
    half = read_map(game, {"actions": [[0, 1, 2], [1, 0, 2]]})
    listed = {(d.key[1], d.image[1]) for d in differences(game, half)}
    assert listed == {((0, 0), (0, 1)), ((1, 1), (1, 0)), ((0, 1), (0, 0)), ((1, 0), (1, 1))}


@pytest.mark.parametrize("text", ["1/eps", "(1/eps)*eps", "eps**-1", "1/(1 - 2*eps)", "1/(eps*(eps - 2))"])
def test_a_divisor_that_may_be_zero_is_refused(text: str) -> None:
    def game(*constraints: str) -> object:
        document = {"kind": "one-shot", "payoff": [[text, 0], [0, text]], "parameters": {"eps": list(constraints)}}
        return read_parametric(document, "here")

    swap = {"actions": [[1, 0], [1, 0]]}
    for question in (parametric_symmetries, lambda g: decide_parametric(g, read_map(g, swap))):
        with pytest.raises(InputError, match="add a constraint that excludes it"):
            question(game("0 <= eps", "eps < 1"))
    assert decide_parametric(game("0 < eps", "eps < 1/2"), read_map(game("0 < eps"), swap)).status == "proved"
