"""Best returns against published values and against brute force over pairs of plans."""

import doctest
from fractions import Fraction

import pytest

from certify.claims import best_return as module
from certify.claims import steps
from certify.claims.best_return import best_return
from certify.errors import InputError
from certify.games import load


@pytest.mark.parametrize("part", [module, steps], ids=["best_return", "steps"])
def test_doctests(part):
    assert doctest.testmod(part).failed == 0


@pytest.mark.parametrize(
    ("name", "horizon", "value"),
    [
        ("dectiger", 2, -4),
        ("recycling", 2, Fraction(34, 5)),
        ("broadcast-channel", 2, 2),
        ("tiny-hanabi:E", None, 10),
        ("lewis:3", None, 1),
        ("two-stage-lever", None, 2),
        ("lever:10:9/10", None, 1),
    ],
)
def test_known_values(name, horizon, value):
    assert best_return(load(name, horizon=horizon)) == value


def test_one_step_is_the_largest_entry():
    game = load("penalty:-10")
    assert best_return(game) == max(game.reward.values())


def test_sizes_are_refused_in_one_line():
    with pytest.raises(InputError, match="two agents"):
        best_return(load("match:3x3x3"))
    with pytest.raises(InputError, match="deterministic plans"):
        best_return(load("dectiger", horizon=5))
