"""Legal actions that depend on the last observation, and reference policies: the model, files, trees."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace
from fractions import Fraction as F
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from legal_games import MATCH, random_legal_game

from certify.errors import InputError
from certify.games import as_game, builtin, check_game, game_from_json, game_to_json, restrict_to_reachable
from certify.games.histories import histories
from certify.games.model import FIRST
from certify.games.objective import for_objective, with_reference
from certify.games.tree import history_counts, unroll
from certify.symmetry import differences, is_symmetry, read_map, symmetries


def test_section_nine_of_the_theory_as_a_file() -> None:
    game = as_game(MATCH)
    assert game.legal(0, 0, FIRST) == (0, 1) and game.legal(1, 1, 0) == (0, 1, 2) and game.legal(1, 1, 1) == (0,)
    tree = unroll(game)
    assert tree.game.available == (((0, 1), (0, 1, 2)),) * 2
    assert (0, FIRST) not in tree.game.reference  # uniform on what is available at the first step: it says nothing
    last = tree.levels[1]
    # a or b, then match or miss: the other's action is known, so nothing merges
    assert sorted(row.tolist() for row in last.legal[0]) == [[True, False, False]] * 2 + [[True] * 3] * 2
    assert (last.reference[0] == F(1, 3)).all() and not last.tilted  # one action under three names
    assert sorted(last.legal_joint.tolist()) == [[True] + [False] * 8] * 2 + [[True] * 9] * 2
    assert tree.policy_parameters == 2 * (2 + 3 + 3 + 1 + 1)
    assert game_from_json(game_to_json(game), "here") == restrict_to_reachable(game)


def test_entropy_is_refused_and_kl_is_named() -> None:
    game = as_game(MATCH)
    with pytest.raises(InputError, match=r"for one after miss at step 1 .* \(claim 8\); use --objective kl"):
        for_objective(game, "entropy")
    assert for_objective(game, "kl") == game
    with pytest.raises(InputError, match="choose from entropy, kl, local"):
        for_objective(game, "rewards")


def test_legal_sets_that_only_name_the_step_are_fixed_action_sets() -> None:
    fixed = MATCH | {"legal": {agent: {"": ["a", "b"]} for agent in ("one", "two")}}
    assert for_objective(as_game(fixed), "entropy").reference == {}
    assert for_objective(as_game(fixed), "entropy").available == (((0, 1), (0, 1, 2)),) * 2


def test_reference_rows() -> None:
    document = MATCH | {"reference": {"one": {"match": {"a": "1/2", "b": 0.25, "c": "1/4"}}}}
    game = as_game(document)
    assert game.reference_row(0, 1, 0) == ((0, F(1, 2)), (1, F(1, 4)), (2, F(1, 4)))
    assert unroll(game).levels[1].reference[0][0].tolist() == [F(1, 2), F(1, 4), F(1, 4)]
    assert for_objective(game, "local").reference_row(0, 1, 0) == tuple((a, F(1, 3)) for a in range(3))
    assert game_from_json(game_to_json(game), "here") == restrict_to_reachable(game)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"legal": {"one": {"miss": []}}}, "legal.one.miss"),
        ({"legal": {"one": {"mis": ["a"]}}}, "unknown name 'mis'"),
        ({"legal": {"three": {"miss": ["a"]}}}, "unknown name 'three'"),
        ({"legal": {"one": {"miss": ["d"]}}}, "unknown name 'd'"),
        ({"reference": {"one": {"miss": {"b": 1}}}}, "a reference on an illegal action"),
        ({"reference": {"one": {"": {"a": 1, "b": 0}}}}, "a reference of 0"),
        ({"reference": {"one": {"": {"a": 1}}}}, "no reference on 'b'"),
        ({"reference": {"one": {"match": {"a": 1}}}}, "no reference on 'b'"),
        ({"reference": {"one": {"": {"a": 0.5, "b": 0.4}}}}, "sum to 9/10"),
        ({"transition": MATCH["transition"][1:]}, "transition from state begin"),
        ({"available": [[["a", "b"], ["b", "c"]]] * 2}, "a legal action of one after miss is not available at step 1"),
    ],
)
def test_what_contradicts_is_refused(change: dict, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        as_game(MATCH | change)
    assert "\n" not in str(caught.value)


def test_illegal_transitions_need_not_be_given() -> None:
    game = as_game(MATCH)
    assert (0, (2, 2)) not in game.transition and check_game(game) == game


@pytest.mark.parametrize("seed", range(20))
def test_trees_hold_what_legal_play_can_meet(seed: int) -> None:
    game = random_legal_game(seed)
    raw, merged = unroll(game, cluster=False), unroll(game)
    assert [len(level.joint) for level in raw.levels] == history_counts(game)
    for tree in (raw, merged):
        for t, level in enumerate(tree.levels):
            assert level.legal_joint.any(1).all()
            assert all((row.sum(1) == 1).all() and (row > 0).all() for row in level.reference)
            if t + 1 < tree.horizon:
                assert (level.probability.sum(-1) == 1).all()
    for i in range(2):  # every AOH plays by the row of its own last observation, merged or not
        for tree in (raw, merged):
            for x in histories(tree, i):
                o = x.aoh.steps[-1][1] if x.aoh.steps else FIRST
                row = dict(game.reference_row(i, x.depth, o))
                level = tree.levels[x.depth]
                assert level.legal_actions(i, x.class_index) == sorted(row)
                played = dict.fromkeys(row, F(0))
                numbered = level.actions[i][x.class_index].tolist()
                for named, p in zip(level.stands_for[i][x.class_index], level.reference[i][x.class_index], strict=True):
                    played[numbered[named]] += p
                assert played == row
                assert all(
                    a in dict(game.reference_row(i, u, FIRST if u == 0 else x.aoh.steps[u - 1][1]))
                    for u, (a, _) in enumerate(x.aoh.steps)
                )
    assert raw.policy_parameters == merged.policy_parameters


@pytest.mark.parametrize("seed", range(5))
def test_other_names_of_an_action_do_what_it_does(seed: int) -> None:
    for t, level in enumerate(unroll(random_legal_game(seed)).levels):
        for e, classes in enumerate(level.joint):
            for k, a in enumerate(level.joint_actions):
                legal = [int(level.stands_for[i][classes[i], x]) for i, x in enumerate(a)]
                j = legal[0] * level.action_counts[1] + legal[1]
                assert level.legal_joint[e, j] and level.reward[e, k] == level.reward[e, j]
                assert level.probability[e, k].tolist() == level.probability[e, j].tolist()
                assert level.successor[e, k].tolist() == level.successor[e, j].tolist()
                if t < 2:
                    for i, x in enumerate(a):
                        assert (level.child[i][classes[i], x] == level.child[i][classes[i], legal[i]]).all()


def test_merging_respects_the_reference() -> None:
    """An irrelevant first observation: equal rows merge its AOHs, different rows must not
    (docs/theory/legal-actions.md)."""
    document = {
        "kind": "dec-pomdp",
        "name": "memory",
        "agents": ["one"],
        "states": ["x", "y"],
        "actions": [["0", "1"]],
        "observations": [["left", "right"]],
        "horizon": 1,
        "start": [{"state": s, "observations": [o], "probability": "1/4"} for s in "xy" for o in ("left", "right")],
        "transition": [],
        "emission": [],
        "reward": [{"state": "x", "actions": ["0"], "value": 1}],
    }
    assert unroll(as_game(document)).levels[0].classes == (1,)
    rows = {"one": {"left": {"0": "9/10", "1": "1/10"}, "right": {"0": "1/10", "1": "9/10"}}}
    assert unroll(as_game(document | {"reference": rows})).levels[0].classes == (2,)


def test_symmetries_keep_the_reference() -> None:
    game = as_game(MATCH)
    group = symmetries(game)
    assert group.complete and group.order == 2  # the agents; "a" is what a miss leaves, so it is not "b"
    swap = read_map(game, {"actions": {"one": {"a": "b", "b": "a"}, "two": {"a": "b", "b": "a"}}})
    assert not is_symmetry(game, swap)
    table = {d.table for d in differences(game, swap)}
    assert "reference" in table


def test_a_reference_breaks_a_symmetry_on_purpose() -> None:
    lever = builtin("lever:3")
    row = ((0, F(1, 2)), (1, F(1, 4)), (2, F(1, 4)))
    preferred = check_game(replace(lever, reference={(0, FIRST): row, (1, FIRST): row}))
    assert symmetries(lever).order == 12 and symmetries(preferred).order == 4
    one_sided = check_game(replace(lever, reference={(0, FIRST): row}))
    assert symmetries(one_sided).order == 2
    assert np.allclose(unroll(preferred).reference()[0][0], [[0.5, 0.25, 0.25]])


def test_a_reference_as_a_table_of_histories() -> None:
    game = as_game(MATCH)
    row = {"a": "1/2", "b": "1/4", "c": "1/4"}
    table = {"one:a,match": row, "one:b,match": {"a": 0.5, "b": 0.25, "c": 0.25}, "one:": {"a": "1/3", "b": "2/3"}}
    wanted = {"one": {"match": row, "": {"a": "1/3", "b": "2/3"}}}
    assert with_reference(game, table, "here") == with_reference(game, wanted, "here")
    with pytest.raises(InputError, match=r"here, one:b,match: not the row of one:a,match.* into the observations"):
        with_reference(game, table | {"one:b,match": {"a": "1/4", "b": "1/2", "c": "1/4"}}, "here")
    for wrong in ({"one:z,match": row}, {"one:a,match": {"d": 1}}, {"one:a,match": 3}):
        with pytest.raises(InputError):
            with_reference(game, wrong, "here")


def hanabi(colours: int, ranks: int) -> Any:
    """The rules of benchmarks/hanabi.py."""
    path = Path(__file__).resolve().parents[2] / "benchmarks" / "hanabi.py"
    specification = importlib.util.spec_from_file_location("hanabi", path)
    assert specification is not None and specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules["hanabi"] = module
    specification.loader.exec_module(module)
    return module.Hanabi(colours, ranks), module.terminal_histories


@pytest.mark.parametrize(("colours", "ranks", "ways"), [(1, 1, 13), (1, 2, 218), (2, 1, 13_936)])
def test_small_hanabi_has_the_histories_of_the_learning_environment(colours: int, ranks: int, ways: int) -> None:
    """The numbers are those of the Hanabi Learning Environment with one clue token and one life."""
    rules, terminal_histories = hanabi(colours, ranks)
    assert terminal_histories(rules) == ways
    if ways < 1000:
        game = as_game(rules.document())
        tree = unroll(game)
        assert max(level.action_counts[i] for level in tree.levels for i in range(2)) == min(3, 1 + colours + 1)
        acting = [[len(level.legal_actions(i, k)) > 1 for k in range(n)] for level in tree.levels
                  for i, n in enumerate(level.classes)]  # fmt: skip
        assert any(map(any, acting))
        with pytest.raises(InputError, match="use --objective kl"):
            for_objective(game, "entropy")
