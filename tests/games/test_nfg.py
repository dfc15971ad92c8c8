"""Gambit's strategic games: what is read, what becomes a potential, what is refused and where."""

import itertools
import re
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import certify
from certify.errors import InputError
from certify.games.original import Original
from certify.games.potential import potential_game
from certify.games.readers.nfg import read_nfg

FOLDER = Path(__file__).resolve().parent / "gambit"
WEIGHTS = st.fractions(min_value=Fraction(1, 9), max_value=9, max_denominator=9)


def load(name):
    return certify.load(FOLDER / "nfg" / f"{name}.nfg")


def differences_agree(game):
    """The definition, for every player, profile and change: docs/theory/potential.md#weighted-potentials, (1)."""
    original, sizes = game.original, game.original.sizes
    profiles = list(itertools.product(*map(range, sizes)))
    payoff = dict(zip(profiles, original.payoffs, strict=True))
    for a in profiles:
        for i, size in enumerate(sizes):
            for b in range(size):
                other = (*a[:i], b, *a[i + 1 :])
                change = game.reward.get((0, other), 0) - game.reward.get((0, a), 0)
                if game.weights[i] * (payoff[other][i] - payoff[a][i]) != change:
                    return False
    return True


def test_the_first_players_strategy_runs_fastest():
    game = load("stag_hunt")
    assert game.agents == ("Row-player", "Column-player")
    assert game.actions == (("stag", "hare"), ("stag", "hare"))
    assert game.original.payoffs == ((4, 9), (0, 6), (3, 0), (3, 2))
    assert game.weights == (1, Fraction(4, 5)) and game.remark.startswith("a potential game with the weights 1, 4/5")
    assert differences_agree(game)


def test_outcomes_add_nothing_where_there_is_none():
    game = load("team_outcomes")
    assert game.agents == ("agent1", "agent2", "agent3") and game.original is None
    assert dict(game.reward) == {(0, (0, 0, 0)): Fraction(1, 4), (0, (1, 1, 0)): -1}


def test_an_exact_potential():
    game = load("dilemma")
    assert game.weights == (1, 1) and "exact potential" in game.remark and differences_agree(game)
    result = certify.threshold(game, method="structural")
    assert result.potential_of.lambda_star == 1 / result.alpha_star and result.potential_of.weights == (1, 1)


@pytest.mark.parametrize("path", sorted((FOLDER / "malformed").glob("*.nfg")), ids=lambda p: p.stem)
def test_malformed_files_are_refused_in_one_line(path):
    with pytest.raises(InputError) as caught:
        certify.load(path)
    said = str(caught.value)
    assert "\n" not in said and path.name in said
    assert re.search(r"line \d+, column \d+: ", said) or path.stem in ("no_potential", "no_ratio", "not_text")


def test_the_place_of_an_error_is_where_it_is():
    with pytest.raises(InputError, match=r"line 3, column 6: the file ends where payoff 8 of 8 should stand"):
        read_nfg('NFG 1 R "x" { "a" "b" } { 2 2 }\n1 1  2 2\n3 3 4', "g.nfg", "g")  # seven payoffs
    with pytest.raises(InputError, match=r"line 2, column 7: 'x' is not a number"):
        read_nfg('NFG 1 R "x" { "a" "b" } { 2 1 }\n1 1 2 x', "g.nfg", "g")


def test_a_horizon_other_than_one_is_refused():
    path = FOLDER / "nfg" / "dilemma.nfg"
    assert certify.load(path, horizon=1).horizon == 1
    with pytest.raises(InputError, match="exactly 1 step"):
        certify.load(path, horizon=2)
    with pytest.raises(InputError, match="no parameters"):
        certify.load(path, values={"eps": 1})


@st.composite
def weighted(draw):
    """A random potential with weights, and what each player cannot change added to its payoff."""
    sizes = tuple(draw(st.lists(st.integers(1, 3), min_size=2, max_size=3)))
    profiles = list(itertools.product(*map(range, sizes)))
    potential = {a: draw(st.integers(-5, 5)) for a in profiles}
    weights = [draw(WEIGHTS) for _ in sizes]
    free = [{a[:i] + a[i + 1 :]: draw(st.integers(-3, 3)) for a in profiles} for i in range(len(sizes))]
    rows = tuple(tuple(potential[a] / w + free[i][a[:i] + a[i + 1 :]] for i, w in enumerate(weights)) for a in profiles)
    names = tuple(tuple(str(k) for k in range(size)) for size in sizes)
    return Original(tuple(f"p{i}" for i in range(len(sizes))), names, rows), weights


@given(weighted())
@settings(max_examples=60, deadline=None)
def test_every_weighted_potential_is_found(drawn):
    original, _ = drawn
    game = potential_game(original, "random", "random")
    assert game.original is None or differences_agree(game)
    assert game.original is not None or original.common


@given(weighted(), st.data())
@settings(max_examples=60, deadline=None)
def test_one_changed_payoff_is_a_potential_only_if_the_definition_holds(drawn, data):
    original, _ = drawn
    k = data.draw(st.integers(0, len(original.payoffs) - 1))
    i = data.draw(st.integers(0, len(original.sizes) - 1))
    rows = [list(row) for row in original.payoffs]
    rows[k][i] += 1
    changed = Original(original.players, original.strategies, tuple(map(tuple, rows)))
    alone = sum(size > 1 for size in original.sizes) < 2 or original.sizes[i] == 1
    try:
        game = potential_game(changed, "random", "random")
    except InputError as error:
        assert "gain" in str(error) and "\n" not in str(error) and not alone
    else:
        assert game.original is None or differences_agree(game)


TOKENS = st.sampled_from(['"', "{", "}", "1/0", "-", "x", "1", "\\", "\n", ",", '""', "1e999", "\0", "²", "9" * 30])


@given(st.sampled_from(sorted((FOLDER / "nfg").glob("*.nfg"))), st.data())
@settings(max_examples=150, deadline=None)
def test_damaged_files_say_one_line(path, data):
    damaged(path, data)


@pytest.mark.slow
@given(st.sampled_from(sorted((FOLDER / "nfg").glob("*.nfg"))), st.data())
@settings(max_examples=5000, deadline=None)
def test_many_damaged_files_say_one_line(path, data):
    damaged(path, data)


def damaged(path, data):
    text = path.read_text(encoding="utf-8")
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(text)))
        end = min(len(text), start + data.draw(st.integers(0, 6)))
        text = text[:start] + data.draw(st.one_of(st.just(""), TOKENS)) + text[end:]
    try:
        game = read_nfg(text, "damaged.nfg", "damaged")
    except InputError as error:
        assert "\n" not in str(error)
    else:
        assert game.original is None or differences_agree(game)


def test_many_players_of_whom_few_choose():
    """More than an array has dimensions; and more than are read."""
    head = 'NFG 1 R "" { ' + '"p" ' * 80 + "} { 2 " + "1 " * 78 + "2 } "
    rows = [["4"] + ["9"] * 78 + ["4"], ["0"] + ["1"] * 78 + ["3"], ["3"] + ["0"] * 78 + ["0"], ["1"] * 80]
    game = read_nfg(head + " ".join(" ".join(row) for row in rows), "many.nfg", "many")
    assert len(game.agents) == 80 and set(game.weights) == {1} and differences_agree(game)
    rows[0][-1] = "-4"
    with pytest.raises(InputError, match="the players p and p-80 gain"):
        read_nfg(head + " ".join(" ".join(row) for row in rows), "many.nfg", "many")
    with pytest.raises(InputError, match=r"line 1, column 12: 1,001 players; name 1 to 1,000"):
        read_nfg('NFG 1 R "" { ' + '"p" ' * 1001 + "} { 1 } 1", "many.nfg", "many")
