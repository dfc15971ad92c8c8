"""Boxes on the grid: vertices, centres, divergences, suprema and the policies within log ratios."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest
from fast_reference import box_around
from flint import arb

from certify.checker.fast.box import GRID, BlockBox, box_of_log_ratios, grid_down, grid_up
from certify.checker.fast.support import fill, sigma, sigma_plus, slope_error
from certify.checker.reading.envelope import Failed


def random_blocks(seed: int, count: int, actions: tuple[int, ...] = (2, 3, 4)) -> list[BlockBox]:
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        pi = rng.dirichlet(np.full(int(rng.choice(actions)), 1.0), size=3)
        found.append(box_around([[pi]], float(rng.choice([1e-9, 0.05, 0.3, 1.0])))[0][0])
    return found


def sampled(rng: np.random.Generator, block: BlockBox) -> np.ndarray:
    weights = rng.dirichlet(np.full(block.vertices.shape[1], 0.3), size=len(block.vertices))
    return np.einsum("kv,kva->ka", weights, block.vertices)


def test_grid_rounds_outwards():
    for x in (Fraction(1, 3), Fraction(-1, 7), Fraction(3, 2), Fraction(1, 2**60), Fraction(1, 2)):
        clipped = min(max(x, Fraction(0)), Fraction(1))
        assert Fraction(grid_down(x)) <= clipped <= Fraction(grid_up(x))
        assert Fraction(grid_up(x)) - Fraction(grid_down(x)) <= Fraction(1, 2**52)


@pytest.mark.parametrize("block", random_blocks(0, 24))
def test_centres_and_vertices_are_exact_distributions_in_the_box(block):
    for points in (block.centre[:, None], block.vertices):
        for k, rows in enumerate(points):
            for row in rows:
                assert sum(map(Fraction, row)) == 1
                assert (row * GRID == np.round(row * GRID)).all()
                assert (block.lower[k] <= row).all() and (row <= block.upper[k]).all()
    assert (block.centre > 0).all()


@pytest.mark.parametrize("block", random_blocks(1, 24))
def test_vertices_are_all_of_them(block):
    """Brute force: every order of filling up gives a vertex, and every vertex is such a filling."""
    for k in range(len(block.lower)):
        expected = set()
        for order in itertools.permutations(range(block.actions)):
            row, rest = block.lower[k].copy(), 1 - block.lower[k].sum()
            for a in order:
                add = min(rest, block.upper[k, a] - block.lower[k, a])
                row[a], rest = row[a] + add, rest - add
            expected.add(tuple(row))
        assert {tuple(row) for row in block.vertices[k]} == expected


@pytest.mark.parametrize("block", random_blocks(2, 24))
def test_divergence_and_entropy_enclose(block):
    for k, v, bound in zip(range(99), block.vertices, block.divergence, strict=False):
        for row, above in zip(v, bound, strict=True):
            exact = sum(
                (arb(p) * (arb(p) / arb(c)).log() for p, c in zip(row, block.centre[k], strict=True) if p), arb(0)
            )
            assert exact.lower() <= above <= float(exact.upper()) + 1e-9
        exact = -sum((arb(c) * arb(c).log() for c in block.centre[k]), arb(0))
        assert abs(exact - arb(block.entropy.mid[k])).upper() <= block.entropy.rad[k] < 1e-9


def slopes_for(rng: np.random.Generator, block: BlockBox) -> np.ndarray:
    return np.concatenate(
        [
            rng.normal(size=(len(block.lower), 5, block.actions)),
            rng.normal(size=(len(block.lower), 5, 1)) * 10.0 ** rng.integers(-3, 2),
        ],
        axis=2,
    )


def violations(seed: int, count: int, factor: float) -> int:
    """How many sampled policies exceed `factor` times the suprema."""
    rng, found = np.random.default_rng(seed), 0
    for block in random_blocks(seed, count):
        slopes, rows = slopes_for(rng, block), np.arange(len(block.lower))
        error = slope_error(np.abs(slopes).max(-1), np.zeros(slopes.shape[:-1]), block, rows)
        above, below = sigma(slopes, block, rows)
        plus = sigma_plus(slopes, np.zeros(slopes.shape[:-1]), block, rows)
        for _ in range(30):
            pi = sampled(rng, block)
            ratio = np.where(pi > 0, pi, 1) / block.centre
            eta = -(pi * np.log(ratio)).sum(1)
            value = np.einsum("kma,ka->km", slopes[..., :-1], pi - block.centre) + slopes[..., -1] * eta[:, None]
            for bound in (above + error, plus):
                found += int((value > factor * bound + 1e-13).sum())
            found += int((value < factor * (below - error) - 1e-13).sum())
    return found


def test_suprema_hold_at_sampled_policies():
    assert violations(5, 40, 1.0) == 0


def test_the_same_samples_exceed_a_lowered_supremum():
    assert violations(5, 40, 0.8) > 20


def test_free_energy_bound_helps_and_is_attained():
    """sigma+ equals the Donsker-Varadhan value on the whole simplex, below the vertex bound."""
    block = BlockBox.whole(1, 3)
    slopes = np.array([[[1.0, 0.5, -2.0, 1.0]]])
    above = sigma(slopes, block, np.array([0]))[0]
    plus = sigma_plus(slopes, np.zeros((1, 1)), block, np.array([0]))
    exact = np.log(np.exp([1.0, 0.5, -2.0]).mean()) - np.mean([1.0, 0.5, -2.0])
    assert exact <= plus[0, 0] < exact + 1e-11 < above[0, 0]


@pytest.mark.parametrize("block", random_blocks(3, 12))
def test_filling_up_is_the_maximum_over_vertices(block):
    rng = np.random.default_rng(7)
    x = np.round(rng.normal(size=(len(block.lower), block.actions, 2, 2)) * 4) / 4
    best = np.einsum("kva,kaxy->kvxy", block.vertices, x).max(1)
    assert np.abs(fill(x, block, np.arange(len(block.lower))) - best).max() < 1e-14


def test_box_of_log_ratios_holds_every_such_policy():
    rng = np.random.default_rng(4)
    for _ in range(200):
        actions = int(rng.integers(2, 5))
        pi = rng.dirichlet(np.full(actions, 0.4), size=2)
        pi = np.maximum(pi, 1e-12) / np.maximum(pi, 1e-12).sum(1, keepdims=True)
        ratio = np.log(pi[:, :, None] / pi[:, None, :])
        wider = ratio + rng.choice([0.0, 0.3, 800.0]) * rng.random(ratio.shape) + 1e-12
        bounds = np.where(rng.random(ratio.shape) < 0.2, np.inf, wider)
        low, up = box_of_log_ratios(bounds)
        assert (low <= pi).all() and (pi <= up).all()
    exact = np.array([[[0, 1.0], [-1.0, 0]]])  # log pi(0) - log pi(1) = 1 on both sides
    low, up = box_of_log_ratios(exact)
    assert np.abs(up - low).max() < 1e-14
    assert up[0, 0] == pytest.approx(1 / (1 + np.exp(-1)))


def test_empty_and_boundary_boxes():
    whole = BlockBox.whole(2, 3)
    assert not whole.empty
    crossed = BlockBox(np.array([[0.0, 0, 0], [0.5, 0, 0]]), np.array([[1.0, 1, 1], [0.4, 1, 1]]))
    assert crossed.empty
    assert BlockBox(np.array([[0.5, 0.6]]), np.array([[1.0, 1]])).empty
    assert BlockBox(np.array([[0.0, 0]]), np.array([[0.4, 0.5]])).empty
    with pytest.raises(Failed, match="boundary"):
        BlockBox(np.array([[0.0, 1]]), np.array([[0.0, 1]])).centre
    with pytest.raises(Failed):
        BlockBox(np.array([[0.5, 0.6]]), np.array([[1.0, 1]])).vertices
