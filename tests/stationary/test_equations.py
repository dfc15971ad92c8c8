"""The checker's equations, Jacobians and rates against floats, arb and finite differences."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest
from random_games import random_games

from certify.answers.optimum import optimum
from certify.bounds import evaluate, layout_of
from certify.checker.numbers.interval import BITS, ONE, Interval
from certify.checker.reading.game import read_game
from certify.checker.reading.process import build_process
from certify.checker.stationary.equations import Equations, entropy_of, mean_over, policy_over
from certify.checker.stationary.krawczyk import RatioBox, lies_within
from certify.games import builtin
from certify.games.canonical import game_to_json
from certify.games.tree import unroll
from certify.stationary.approx_equations import ApproxEquations

GAMES = list(random_games(5, 12)) + [builtin("dectiger", 2), builtin("tiny-hanabi:E")]


def middle(x: Interval) -> float:
    return (x.lo + x.hi) / 2 / ONE


def rows_of_ratios(eq: ApproxEquations, z: np.ndarray) -> list[list[float]]:
    """Log-ratios against the last action, per row and action."""
    flat = eq.log_policy(z[:, None])[:, 0]
    ends = [*eq.layout.row_start.tolist(), eq.layout.size]
    return [[p - flat[b - 1] for p in flat[a:b]] for a, b in itertools.pairwise(ends)]


@pytest.mark.parametrize("number", range(len(GAMES)))
def test_equations_and_jacobian_agree_with_floats_and_hold_over_boxes(number: int) -> None:
    game, rng = GAMES[number], np.random.default_rng(number)
    eq = ApproxEquations(unroll(game))
    process = build_process(read_game(game_to_json(game)))
    z, beta = rng.normal(size=eq.size), Fraction(1, 3)
    reference = [len(row) - 1 for row in rows_of_ratios(eq, z)]

    def equations(points: list[list[float]], spread: float) -> Equations:
        box = [
            [
                Interval.of(Fraction(v) - Fraction(spread), Fraction(v) + Fraction(spread)) if a < r else Interval(0, 0)
                for a, v in enumerate(row)
            ]
            for row, r in zip(points, reference, strict=True)
        ]
        return Equations(process, reference, policy_over(box), beta)

    right, slopes = equations(rows_of_ratios(eq, z), 0.0).stationarity()
    value, jacobian, _ = eq.linearised(z, float(beta))
    got = np.array([middle(right[name]) for name in sorted(right)])
    assert np.allclose(z - got, value, atol=1e-9)
    assert np.allclose([[middle(v) for v in row] for row in slopes], jacobian, atol=1e-9) if eq.size else not slopes
    wide_right, wide = equations(rows_of_ratios(eq, z), 0.05).stationarity()
    for _ in range(3):
        inside = z + rng.uniform(-0.05, 0.05, eq.size)
        value, jacobian, _ = eq.linearised(inside, float(beta))
        target = inside - value
        for k, name in enumerate(sorted(wide_right)):
            assert wide_right[name].lo / ONE - 1e-9 <= target[k] <= wide_right[name].hi / ONE + 1e-9
            assert all(v.lo / ONE - 1e-9 <= s <= v.hi / ONE + 1e-9 for v, s in zip(wide[k], jacobian[k], strict=True))


def test_a_mean_is_the_extreme_over_box_and_simplex() -> None:
    rng = np.random.default_rng(1)
    for _ in range(50):
        p, v = rng.dirichlet(np.ones(4)), rng.normal(size=4)
        box = [Interval.of(Fraction(max(0.0, x - 0.1)), Fraction(x + 0.1)) for x in p]
        found = mean_over(box, [Interval.of(Fraction(x)) for x in v])
        samples = [q for q in p + rng.uniform(-0.1, 0.1, (400, 4)) if q.min() > 0]
        means = [
            float(q @ v)
            for q in (s + (1 - s.sum()) / 4 for s in samples)
            if all(b.lo <= x * ONE <= b.hi for b, x in zip(box, q, strict=True))
        ]
        assert all(found.lo / ONE - 1e-12 <= m <= found.hi / ONE + 1e-12 for m in means)
        free = sum((b * Interval.of(Fraction(x)) for b, x in zip(box, v, strict=True)), Interval(0, 0))
        assert free.lo <= found.lo <= found.hi <= free.hi


def test_entropy_over_a_box_contains_its_points_and_the_top() -> None:
    ratios = [Interval.of(Fraction(-1), Fraction(1)), Interval(0, 0)]
    (pi,), (logs,) = policy_over([ratios])
    found = entropy_of(pi, logs)
    for z in np.linspace(-1, 1, 41):
        p = 1 / (1 + np.exp(-z))
        assert found.lo / ONE - 1e-12 <= -p * np.log(p) - (1 - p) * np.log1p(-p) <= found.hi / ONE + 1e-12


def test_boxes_compare_across_reference_actions() -> None:
    unit = 20
    box = RatioBox((1,), ((1 << unit, 0, -(1 << unit)),), ((1 << 10, 0, 1 << 10),), unit)

    def image(width: int) -> list[list[Interval]]:
        shift = BITS - unit
        ends = [(0, 0), (-(1 << unit), width), (-(2 << unit), width)]
        return [[Interval((m - w) << shift, (m + w) << shift) for m, w in ends]]

    assert lies_within(image(1 << 8), box)
    assert not lies_within(image(1 << 10), box)  # the widths of two log-ratios add up


@pytest.mark.parametrize(
    "name, horizon, alpha", [("lever:3", None, 1), ("dectiger", 2, 340), ("tiny-hanabi:E", None, 60)]
)
def test_the_rate_is_the_least_eigenvalue_of_a_numerical_hessian(name: str, horizon: int | None, alpha: int) -> None:
    result = optimum(builtin(name, horizon), alpha)
    tree = unroll(builtin(name, horizon), cluster=False)
    layout = layout_of(tree)
    probability = [float(p.lower) for row in result.policy.values() for p in row.values()]
    logits, order = np.log(probability), []
    for i, t in layout.blocks:  # AOH keys come agent by agent and depth by depth, as the blocks do
        order.extend(range(layout.entries[i, t].start, layout.entries[i, t].stop))
    assert order == sorted(order)

    def gradient(theta: np.ndarray) -> np.ndarray:
        weight = np.exp(theta)
        policy = weight / layout.row_sums(weight)[layout.row_of_entry]
        found = evaluate(tree, layout.nested(policy), Fraction(alpha)).gradient
        return (found.lower + found.upper) / 2

    step = 1e-4
    hess = np.array(
        [(gradient(logits + step * e) - gradient(logits - step * e)) / (2 * step) for e in np.eye(layout.size)]
    )
    same = layout.row_of_entry[:, None] == layout.row_of_entry[None, :]
    counts = np.bincount(layout.row_of_entry)[layout.row_of_entry]
    project = np.eye(layout.size) - same / counts[:, None]
    eigenvalues = np.linalg.eigvalsh(-project @ (hess + hess.T) / 2 @ project + 1e6 * (np.eye(layout.size) - project))
    assert 0 < result.rate <= eigenvalues[0] * (1 + 1e-5)
    assert float(result.rate) == pytest.approx(eigenvalues[0], rel=1e-3)
