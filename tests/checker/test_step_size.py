"""Step sizes of gradient ascent: files, the matrix of the theory a second way, and a search for larger curvatures."""

from __future__ import annotations

import json
import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from random_games import random_small_game

from certify import checker
from certify.checker.kinds import step_size as referee
from certify.checker.kinds.structural import shape_of_game
from certify.checker.reading.envelope import Malformed
from certify.checker.reading.game import read_game
from certify.games.canonical import game_to_json
from certify.games.tree import unroll
from certify.stationary.approx_ascent import ApproxAscent
from certify.thresholds.shapes import Shape, shape_of
from certify.thresholds.step_size import sizes_of, step_size

FOLDER = Path(__file__).resolve().parent.parent / "certificates" / "ascent"
EXPECTED = json.loads((FOLDER / "expected.json").read_text(encoding="utf-8"))


def files(kind: str) -> list[Path]:
    return sorted((FOLDER / kind).glob("*.json"))


@pytest.mark.parametrize("path", files("valid"), ids=lambda p: p.stem)
def test_valid(path: Path) -> None:
    verdict = checker.check_file(path)
    assert verdict.valid, verdict.failed_step
    ascent = json.loads(path.read_text(encoding="utf-8"))["claim"]["ascent"]
    assert f"gradient ascent with a step of at most {ascent['step_size']} at alpha" in verdict.claim


@pytest.mark.parametrize("path", files("invalid"), ids=lambda p: p.stem)
def test_attacks(path: Path) -> None:
    verdict = checker.check_file(path)
    assert not verdict.valid and verdict.failed_step is not None
    assert verdict.failed_step["step"] == EXPECTED[path.stem]["step"]


@pytest.mark.parametrize("path", files("malformed"), ids=lambda p: p.stem)
def test_malformed(path: Path) -> None:
    with pytest.raises(Malformed):
        checker.check_file(path)


def matrix(shape: Shape, sizes: list, alpha: float) -> tuple[list, np.ndarray]:
    """B(alpha) of docs/theory/steps.md#smoothness, entry by entry, in floats."""
    gamma, w = float(shape.discount), [float(x) for x in shape.weights]

    def width(t: int) -> float:
        later = sum(
            gamma ** (u - t) * w[j] * math.log(shape.actions[j][u])
            for u in range(t + 1, shape.horizon)
            for j in range(len(w))
        )
        return float(shape.widths[t]) + alpha * later

    keys = [(i, t) for i in range(len(w)) for t in range(shape.horizon) if sizes[i][t][0] > 1]
    b = np.zeros((len(keys),) * 2)
    for k, (i, t) in enumerate(keys):
        for l, (j, u) in enumerate(keys):
            n, o = sizes[i][t][0], float(sizes[i][t][1])
            if k == l:
                own = (width(t) + alpha * w[i] * o) / (3 * math.sqrt(3)) + alpha * w[i] * (1 + math.log(n)) / 2
                b[k, l] = gamma**t * own
            elif t == u:
                b[k, l] = gamma**t * width(t) / 4
            else:
                later, T = (i, t) if t > u else (j, u), max(t, u)
                n, o = sizes[later[0]][T][0], float(sizes[later[0]][T][1])
                sigma = math.sqrt(math.log(n) ** 2 / 4 + math.log(n) / math.e + 4 / math.e**2)
                b[k, l] = gamma**T / 2 * (width(T) / 2 + alpha * w[later[0]] * (sigma + o / 2))
    return keys, b


def test_the_sums_are_those_of_the_matrix() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        game = random_small_game(rng)
        alpha, shape, sizes = Fraction(int(rng.integers(1, 30)), 7), shape_of(game), sizes_of(game)
        keys, b = matrix(shape, sizes, float(alpha))
        read = read_game(game_to_json(game))
        y = [[Fraction(int(rng.integers(1, 9)), 4) for _ in range(shape.horizon)] for _ in shape.weights]
        sums = referee.row_sums(shape_of_game(read), referee.sizes_of(read), alpha, y)
        flat = np.array([float(y[i][t]) for i, t in keys])
        expected = b @ flat / flat
        found = np.array([float(sums[key]) for key in keys])
        assert (found >= expected).all() and np.allclose(found, expected, rtol=2e-3)
        proposed = step_size(shape, sizes, alpha)
        assert proposed is not None
        assert 1 / float(proposed.step) == pytest.approx(np.linalg.eigvalsh(b)[-1], rel=2e-3)


def shares(count: int, starts: int) -> list[float]:
    """The largest curvature that a search finds, as a share of Lambda, in random games."""
    rng, found = np.random.default_rng(1), []
    while len(found) < count:
        game = random_small_game(rng)
        tree = unroll(game, cluster=False)
        if tree.policy_parameters > 60:
            continue
        alpha = Fraction(10) ** int(rng.integers(-2, 2))
        proposed = step_size(shape_of(game), sizes_of(game), alpha)
        if proposed is not None:
            found.append(ApproxAscent(tree, float(alpha)).curvature(rng, starts, starts) * float(proposed.step))
    return found


def test_no_curvature_exceeds_the_bound_and_one_cut_by_a_third_would_be_caught() -> None:
    found = shares(25, 15)
    assert max(found) <= 1
    assert max(found) > 2 / 3


@pytest.mark.slow
def test_the_same_in_a_thousand_games() -> None:
    found = shares(1000, 30)
    assert max(found) <= 1
    assert sum(share > 2 / 3 for share in found) >= 10


def climbs(count: int, share: float, steps: int, starts: int) -> int:
    """Games in which J fell in a step of gradient ascent with the certified size, at a share of their threshold."""
    rng, fell = np.random.default_rng(2), 0
    for _ in range(count):
        game = random_small_game(rng)
        tree = unroll(game, cluster=False)
        alpha = Fraction(max(map(float, shape_of(game).widths)) * share or 1.0).limit_denominator(1000)
        proposed = step_size(shape_of(game), sizes_of(game), alpha)
        if proposed is None:
            continue
        ascent = ApproxAscent(tree, float(alpha))
        theta = rng.normal(size=(ascent.size, starts)) * rng.choice([0.3, 1.0, 3.0], size=starts)
        before = ascent.value(theta)
        for _ in range(steps):
            theta = theta + float(proposed.step) * ascent.gradient(theta)
            after = ascent.value(theta)
            fell += int((after < before - 1e-9 * (1 + np.abs(before))).any())
            before = after
    return fell


@pytest.mark.parametrize("share", [0.05, 1.0])
def test_j_rises_at_every_step(share: float) -> None:
    assert climbs(12, share, 40, 8) == 0
