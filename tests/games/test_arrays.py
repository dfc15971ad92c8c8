"""Games from Python objects: what is accepted, how floats are read, and what is refused."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction as F
from pathlib import Path

import numpy as np
import pytest

from certify.errors import InputError
from certify.exact import exact_number
from certify.games import as_game, builtin, from_array, from_payoffs, game_to_json

TWO_LEVERS = {(0, 0): F(1), (1, 1): F(1)}


@pytest.mark.parametrize(
    "payoffs",
    [
        [[1, 0], [0, 1]],
        ((1, 0), (0, 1)),
        np.eye(2),
        np.eye(2, dtype=int),
        np.eye(2, dtype=np.float32),
        [["1", 0], [0, 1.0]],
    ],
)
def test_payoffs(payoffs) -> None:
    game = from_array(payoffs)
    assert {a: r for (_, a), r in game.reward.items()} == TWO_LEVERS
    assert game_to_json(game) | {"name": "lever:2"} == game_to_json(builtin("lever:2"))


def test_three_agents() -> None:
    payoffs = np.zeros((2, 3, 4))
    payoffs[1, 2, 3] = 0.1
    game = from_array(payoffs)
    assert [len(a) for a in game.actions] == [2, 3, 4] and game.reward == {(0, (1, 2, 3)): F(1, 10)}


@pytest.mark.parametrize(
    ("value", "exact"),
    [
        (0.1, F(1, 10)),
        (np.float64(0.1), F(1, 10)),
        (np.float32(0.1), F(1, 10)),
        (np.float16(0.1), F(1, 10)),
        (1e300, F(10) ** 300),
        (np.int8(-3), F(-3)),
        (True, F(1)),
        (F(1, 3), F(1, 3)),
        ("1/3", F(1, 3)),
    ],
)
def test_numbers_are_what_is_printed(value, exact) -> None:
    assert exact_number(value) == exact


def test_one_door_for_every_call(tmp_path: Path) -> None:
    climbing = builtin("climbing")
    assert as_game(climbing) == as_game("climbing") == climbing
    assert as_game("dectiger", horizon=3, discount=0.9) == builtin("dectiger", 3, "9/10")
    assert as_game(builtin("dectiger"), horizon=3, discount="9/10") == builtin("dectiger", 3, "9/10")
    assert as_game(game_to_json(climbing)) == climbing
    assert as_game({"kind": "one-shot", "payoff": np.eye(2) * 0.1}).reward[0, (1, 1)] == F(1, 10)


@pytest.mark.parametrize(
    ("game", "message"),
    [
        ([[1, 0], [0]], r"payoffs\[1\]: rows of different lengths"),
        ([[1, [0]], [0, 1]], r"payoffs\[0\]\[1\]: a list where others are numbers"),
        ([[1, None], [0, 1]], r"payoffs\[0\]\[1\]: None is not an exact number"),
        ([[1, float("nan")], [0, 1]], r"payoffs\[0\]\[1\]: 'nan' is not a number"),
        ([[1, 1j], [0, 1]], "is not an exact number"),
        ([[1, Decimal("0.1")], [0, 1]], "is not an exact number"),
        ([], "an empty list"),
        (np.zeros((1001, 1001)), "1,002,001 joint actions"),
        (np.array(3.0), "is no game"),
        (None, "a NoneType is no game"),
        (7, "a int is no game"),
        ({"kind": "chess"}, "game"),
        ({"kind": "one-shot", "payoff": [[1, object()]]}, "is not an exact number"),
    ],
)
def test_refusals_are_one_line(game, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        as_game(game)
    assert "\n" not in str(caught.value)


def test_a_table_per_player_becomes_a_potential() -> None:
    stag = [np.array([[4, 0], [3, 3]]), ((9, 6), (0, "2"))]
    game = from_payoffs(stag, "stag")
    assert game.weights == (1, F(4, 5)) and game.original is not None and game.original.payoffs[1] == (0, 6)
    same = from_payoffs([np.eye(2), np.eye(2)])
    assert same.original is None and game_to_json(same) == game_to_json(from_array(np.eye(2)))
    three = from_payoffs(np.zeros((3, 2, 1, 2)))
    assert len(three.agents) == 3 and three.original is None


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ([], "instead of tables"),
        (3, "int instead of tables"),
        ([[[1, 0], [0, 1]]], "payoffs[0]: a table of shape (2, 2) for 1 players"),
        ([[[1, 0], [0, 1]], [[1, 0]]], "payoffs[1]: a table of shape (1, 2)"),
        ([[[1, 0], [0, 1]], [[1, 0], [0]]], "payoffs[1][1]: rows of different lengths"),
        ([[[1, 0], [0, 1]], [[-1, 0], [0, -1]]], "neither a team game nor a potential game"),
    ],
)
def test_tables_that_are_no_game(tables, message) -> None:
    with pytest.raises(InputError) as caught:
        from_payoffs(tables)
    assert message in str(caught.value) and "\n" not in str(caught.value)
