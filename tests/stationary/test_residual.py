"""Completeness by z3 agrees with the exhausted search, and notices a generator that is missing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from random_games import random_game
from symmetry_games import shared_game

from certify.games import builtin
from certify.games.oneshot import one_shot
from certify.symmetry import is_symmetry, symmetries
from certify.symmetry.smt_complete import residual_question


@pytest.mark.parametrize(
    "name", ["dectiger", "recycling", "two-stage-lever", "climbing", "match:3x3x3", "lever:4:9/10", "tiny-hanabi:E"]
)
def test_nothing_is_outside_the_group(name: str) -> None:
    assert residual_question(symmetries(builtin(name))).status == "proved"


@pytest.mark.parametrize("name", ["2generals", "relay4", "broadcastChannel"])
def test_nothing_is_outside_the_group_of_files(name: str) -> None:
    assert residual_question(symmetries(shared_game(name))).status == "proved"


@pytest.mark.parametrize("seed", range(10))
def test_random_games(seed: int) -> None:
    rng = np.random.default_rng(seed)
    if seed % 2:
        game = random_game(rng, actions=2, observations=2, states=2)
    else:
        game = one_shot("small", ["abc", "abc"], {k: int(rng.integers(0, 2)) for k in np.ndindex(3, 3)})
    assert residual_question(symmetries(game)).status == "proved"


@pytest.mark.parametrize("name", ["dectiger", "match:3x3x3", "recycling"])
def test_a_missing_generator_is_noticed(name: str) -> None:
    group = symmetries(builtin(name))
    short = replace(group, generators=group.generators[1:])
    verdict = residual_question(short)
    assert verdict.status == "refuted" and is_symmetry(group.game, verdict.missing)
    assert verdict.missing.key not in {g.key for g in short.elements()}


def test_too_large_is_undecided() -> None:
    assert residual_question(symmetries(builtin("lever:10"))).status == "undecided"
    assert residual_question(symmetries(builtin("dectiger")), most_elements=3).status == "undecided"
