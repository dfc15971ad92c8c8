"""Gambit's extensive games: what is read, what the steps of a tree are, what is refused and where."""

import re
from fractions import Fraction as F
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tree_games import compare, of_the_game, of_the_tree, random_rows, random_tree

import certify
from certify.errors import InputError
from certify.games.extensive import LEAF, Extensive, Node, paths, without_idle_nodes
from certify.games.histories import histories
from certify.games.objective import for_objective
from certify.games.readers.efg import read_efg, tree_of
from certify.games.tree import unroll
from certify.games.turns import game_of

FOLDER = Path(__file__).resolve().parent / "gambit"
TREES = sorted((FOLDER / "efg").glob("*.efg"))


def load(name):
    return certify.load(FOLDER / "efg" / f"{name}.efg")


@pytest.mark.parametrize("path", TREES, ids=lambda p: p.stem)
@pytest.mark.parametrize("seed", range(3))
def test_the_game_pays_what_the_tree_pays(path, seed):
    compare(tree_of(path.read_text(encoding="utf-8"), path.name), seed)


def test_random_trees_are_what_they_were():
    steps = refused = 0
    for seed in range(120):
        tree = random_tree(seed, players=2 + seed % 2)
        paths(without_idle_nodes(tree))  # perfect recall
        try:
            game = compare(tree, seed)
        except InputError as error:
            assert "no order of steps" in str(error)
            refused += 1
        else:
            steps += game.horizon > 1
    assert steps > 40 and refused < 60, (steps, refused)


def test_the_comparison_notices_a_wrong_tree():
    """It can fail: a changed payoff, and a changed chance."""
    tree = tree_of((FOLDER / "efg" / "inner_outcomes.efg").read_text(encoding="utf-8"), "x")
    rows = random_rows(tree, 1)
    before, reach = of_the_tree(tree, rows)
    node = next(k for k, n in enumerate(tree.nodes) if n.player == LEAF)
    nodes = list(tree.nodes)
    nodes[node] = Node(LEAF, -1, (), (), (F(99), F(99)), 1)
    after, _ = of_the_tree(Extensive(tree.players, tree.sets, tuple(nodes), "x"), rows)
    assert before != after and sum(reach) > 0


# -- single trees


def test_a_table_written_as_a_tree_is_a_table():
    game = load("matching")
    assert game.horizon == 1 and len(game.states) == 1 and game.actions[0] == ("heads", "tails")
    assert certify.threshold(game, method="structural").alpha_star == F(1, 2)


def test_an_outcome_on_an_inner_node_is_added():
    game = load("inner_outcomes")
    assert game.horizon == 2 and not game.remark
    total, _ = of_the_game(game, lambda i, o, a: F(1, 2))
    pay = F(2, 3) * (F(1, 2) + F(1, 2) * (3 + F(1, 2) * 4)) + F(1, 3) * (
        F(1, 2) * (3 + F(1, 2) * 4) + F(1, 2) * F(1, 2)
    )
    assert total == 10 + pay


def test_signals_are_the_built_in_lewis_game():
    game = load("signals")
    assert game.actions[0][:2] == ("say", "say-2")
    ours = certify.threshold(game, method="structural", objective="kl").alpha_star
    assert ours == certify.threshold("lewis:2", method="structural").alpha_star
    assert for_objective(game, "entropy").objective == "entropy"


def test_payoffs_equal_in_expectation_over_chance():
    game = load("chance_favours")
    assert game.remark == "a team game in expectation over chance"


def test_payoffs_up_to_factors_and_constants_and_those_of_idle_players():
    game = load("affine")
    assert game.agents == ("A", "B") and game.weights == (1, F(1, 2)) and "weights 1, 1/2" in game.remark


def test_what_decides_nothing_is_no_step():
    game = load("idle")
    assert game.horizon == 2 and game.agents == ("A", "B")
    assert [len(set(names) - {"wait"}) for names in game.actions] == [2, 2]


def test_information_sets_have_one_time_each():
    """B's set is met one step after the start at the earliest, and two at the latest: so it waits."""
    game = load("waits")
    assert game.horizon == 3 and "n1-1" in game.states and game.observations[1] == ("wait", "late")
    keys = [x.key for x in histories(unroll(for_objective(game, "kl"), cluster=False), 1)]
    assert [key for key in keys if key.endswith("late")] == ["B:,wait/wait,wait/wait,late"]


def test_players_who_do_not_see_each_other_move_in_one_step():
    game = load("layers")
    assert game.horizon == 2  # A and B together, then C, who knows what A did
    assert [len(game.legal(i, 0, game.start[0][1][i])) for i in range(3)] == [2, 2, 1]


def test_what_is_paid_before_the_first_step_is_not_lost():
    game = load("over_before_it_begins")
    total, _ = of_the_game(game, lambda i, o, a: F(1, 2))
    assert total == F(1, 4) * 8 + F(1, 2) * F(1, 4)


def test_entropy_is_refused_where_somebody_waits_on_some_paths_only():
    with pytest.raises(InputError, match="use --objective kl"):
        certify.threshold(load("waits"), method="structural")
    assert certify.threshold(load("waits"), method="structural", objective="kl").status == "proved"


def test_horizon_and_rows():
    path = FOLDER / "efg" / "waits.efg"
    assert certify.load(path, horizon=3, discount="1/2").discount == F(1, 2)
    with pytest.raises(InputError, match="exactly 3 steps"):
        certify.load(path, horizon=2)
    short = 'EFG 2 R "" { "A" } c "" 1 "" { "x" .333333 "y" .666666 } 0 p "" 1 1 "" { "l" "r" } 0 t "" 1 "" { 1 } '
    short += 't "" 0 t "" 0'
    with pytest.raises(InputError, match="pass --rows renormalise"):
        read_efg(short, "short.efg", "short")
    assert read_efg(short, "short.efg", "short", rows="renormalise").start[0][2] in (F(1, 3), F(2, 3))


@pytest.mark.parametrize("path", sorted((FOLDER / "malformed").glob("*.efg")), ids=lambda p: p.stem)
def test_malformed_files_are_refused_in_one_line(path):
    with pytest.raises(InputError) as caught:
        certify.load(path)
    said = str(caught.value)
    assert "\n" not in said and path.name in said
    assert re.search(r"line \d+", said) or path.stem == "one_shot_without_potential"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("circle", "line 4: no order of steps"),
        ("forgets_its_action", "line 6: imperfect recall: in the information set two the player A"),
        ("forgets_what_it_knew", "line 9: imperfect recall"),
        ("absent_minded", "line 3: imperfect recall"),
        ("zero_sum", "line 4: no team game: there player A gets 1 and player B gets -1"),
        ("one_shot_without_potential", "neither a team game nor a potential game"),
        ("tree_cut", "the file ends where a node should stand"),
        ("outcome_defined_twice", "line 4, column 6: outcome 1 is defined twice, differently"),
    ],
)
def test_refusals_name_the_reason(name, message):
    with pytest.raises(InputError, match=re.escape(message)):
        certify.load(FOLDER / "malformed" / f"{name}.efg")


def test_players_whose_payoffs_are_constant_are_told_apart():
    """A and B get nothing anywhere, C something somewhere: no factor and no constant makes that the same."""
    head = 'EFG 2 R "" { "A" "B" "C" } p "" 1 1 "" { "l" "r" } 0 '
    side = 'p "" 2 {k} "" {{ "l" "r" }} 0 p "" 3 {k} "" {{ "l" "r" }} 0 t "" 1 "" {{ 0 0 1 }} t "" 0 t "" 0 '
    with pytest.raises(InputError, match="player A gets 0 and player C gets 1"):
        read_efg(head + side.format(k=1) + side.format(k=2), "constant.efg", "constant")


TOKENS = st.sampled_from(['"', "{", "}", "1/0", "-", "p", "c", "t", "1", "2", "0", "\n", '""', "1e999", "\0", "9" * 30])


@given(st.sampled_from(TREES), st.data())
@settings(max_examples=120, deadline=None)
def test_damaged_files_say_one_line(path, data):
    damaged(path, data)


@pytest.mark.slow
@given(st.sampled_from(TREES), st.data())
@settings(max_examples=5000, deadline=None)
def test_many_damaged_files_say_one_line(path, data):
    damaged(path, data)


def damaged(path, data):
    text = path.read_text(encoding="utf-8")
    words = re.findall(r'"[^"]*"|\S+|\n', text)
    for _ in range(data.draw(st.integers(1, 3))):
        k = data.draw(st.integers(0, len(words) - 1))
        how = data.draw(st.sampled_from(["drop", "twice", "swap", "token"]))
        if how == "drop":
            del words[k]
        elif how == "twice":
            words.insert(k, words[k])
        elif how == "swap":
            j = data.draw(st.integers(0, len(words) - 1))
            words[k], words[j] = words[j], words[k]
        else:
            words[k] = data.draw(TOKENS)
        if not words:
            break
    try:
        read_efg(" ".join(words), "damaged.efg", "damaged")
    except InputError as error:
        assert "\n" not in str(error)


def test_sizes_are_known_before_anything_is_built():
    path = FOLDER / "efg" / "waits.efg"
    assert certify.load(path, max_states=12).horizon == 3
    tree = tree_of(path.read_text(encoding="utf-8"), "waits.efg")
    with pytest.raises(
        InputError, match=r"up to 8 states and joint histories \(9 nodes, 3 steps\); .* raise max_states="
    ):
        game_of(tree, "waits", largest=7)
    with pytest.raises(InputError, match=r"line 7, column 1: more than 5 nodes for 2 players; .* raise max_states="):
        certify.load(path, max_states=5)
    with pytest.raises(InputError, match=r"2x2 strategies, 2 payoffs each; at most 7 payoffs are read"):
        certify.load(FOLDER / "nfg" / "dilemma.nfg", max_states=7)


def test_the_bound_on_states_is_one():
    for seed in range(60):
        tree = random_tree(seed, players=2 + seed % 2)
        try:
            game = game_of(tree, "tree")
        except InputError:
            continue
        if game.horizon > 1:
            game_of(tree, "tree", largest=10**6)
            with pytest.raises(InputError, match="states and joint histories"):
                game_of(tree, "tree", largest=len(game.states) - 1)


def test_actions_are_numbered_where_labels_differ_within_a_step():
    game = load("numbered_labels")
    assert game.actions[0] == ("1", "2")
    assert for_objective(game, "entropy").reference == {}
