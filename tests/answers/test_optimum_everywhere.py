"""At every temperature from the proved alpha* on the stationary policy is enclosed: at alpha* itself, where it may be
degenerate, at the floor, where log-ratios reach a thousand, and far above.
"""

from __future__ import annotations

import random
from fractions import Fraction

import numpy as np
import pytest

import certify
from certify.checker import check_certificate
from certify.games import Game
from certify.games.arrays import from_array
from certify.stationary.branch_pieces import BranchPath


def random_payoffs(rng: random.Random) -> Game:
    """Integers, signs, decimals, mixed scales, levers that are almost alike."""
    shape = rng.choice([(2, 2), (2, 3), (3, 3), (3, 4), (4, 2), (2, 2, 2)])
    draw = rng.choice(
        [
            lambda index: Fraction(rng.randint(-5, 5)),
            lambda index: Fraction(rng.choice([-1, 1])),
            lambda index: Fraction(round(1000 * rng.gauss(0, 1)), 1000),
            lambda index: Fraction(rng.randint(0, 9)) * 10 ** rng.randint(0, 3),
            lambda index: Fraction(len(set(index)) == 1) + Fraction(rng.randint(0, 2), 1000),
        ]
    )
    table = np.empty(shape, dtype=object)
    for index in np.ndindex(*shape):
        table[index] = draw(index)
    return from_array(table.tolist())


def check_one(seed: int) -> None:
    rng = random.Random(seed)
    game = random_payoffs(rng)
    threshold = certify.threshold(game, method=rng.choice(["structural", "localisation"]))
    assert threshold.alpha_star is not None
    alpha = threshold.alpha_star * rng.choice([1, 1, Fraction(101, 100), Fraction(3, 2), 1000])
    found = certify.optimum(game, alpha, threshold=threshold, time_limit=60)
    assert found.status == "proved", (seed, found.reason)
    assert found.kind == "unique"


DEAR = {1, 7, 14}  # take 7 to 11 seconds each


@pytest.mark.parametrize("seed", [pytest.param(k, marks=pytest.mark.slow) if k in DEAR else k for k in range(20)])
def test_random_games(seed: int) -> None:
    check_one(seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20, 300))
def test_many_random_games(seed: int) -> None:
    check_one(seed)


@pytest.mark.parametrize(
    ("payoffs", "alpha"),
    [
        ([["1", "0"], ["0", "1"]], "1/2"),  # a pitchfork at alpha* itself: no Krawczyk step can be made
        ([["1", "-1"], ["-1", "1"]], "1"),
        ([["0", "1"], ["1", "8"]], "1/100"),  # log-ratios of 700
        ([["0", "1"], ["1", "8"]], "1/125"),  # the floor, range/1000
    ],
)
def test_where_floats_ended(payoffs: list[list[str]], alpha: str) -> None:
    found = certify.optimum(payoffs, alpha)
    assert found.status == "proved", found.reason
    assert found.kind == "unique"


def uniform_certificate() -> dict:
    found = certify.optimum("lever:2", ("1/2", "3"))
    assert found.document is not None
    assert found.document["proof"]["pieces"] == [{"beta": ["1/3", "2"], "uniform": True}]
    return found.document


def test_a_uniform_piece_covers_every_temperature() -> None:
    verdict = check_certificate(uniform_certificate(), engine="stdlib")
    assert verdict.valid


def test_the_uniform_policy_of_another_game_is_refused() -> None:
    """The same proof, for a game in which the actions differ: its own threshold, but no uniform policy."""
    document = uniform_certificate()
    skew = certify.optimum([["1", "0"], ["0", "0.9"]], ("1/2", "3"))
    assert skew.document is not None
    document.update({key: skew.document[key] for key in ("game", "game_sha256")})
    document["proof"]["threshold"] = skew.document["proof"]["threshold"]
    document["proof"]["generators"] = []
    verdict = check_certificate(document, engine="stdlib")
    assert not verdict.valid
    assert (verdict.failed_step or {})["step"] == "piece"
    assert "not stationary" in (verdict.failed_step or {})["why"]


def test_a_uniform_piece_is_no_part_of_a_branch() -> None:
    """Below the threshold it says nothing about the branch: it may have left the uniform policy."""
    document = uniform_certificate()
    document["claim"]["branch"] = "principal"
    verdict = check_certificate(document, engine="stdlib")
    assert not verdict.valid


def test_a_uniform_piece_does_not_reach_below_the_threshold() -> None:
    document = uniform_certificate()
    document["proof"]["pieces"][0]["beta"][1] = "3"
    verdict = check_certificate(document, engine="stdlib")
    assert not verdict.valid
    assert "below the threshold" in (verdict.failed_step or {})["why"]


def test_where_floats_find_nothing_more_digits_are_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """The policy is followed from high temperatures with many digits."""
    monkeypatch.setattr(BranchPath, "start", lambda self, beta: None)
    found = certify.optimum([["1", "0"], ["0", "0.9"]], "1/2")
    assert found.status == "proved", found.reason
