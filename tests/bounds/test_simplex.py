"""Extremes over one block against exact knapsacks and sampled distributions."""

import itertools
from fractions import Fraction

import flint
import numpy as np
import pytest

from certify.bounds import simplex
from certify.bounds.arb_numbers import arb_ends, working_precision
from certify.bounds.enclosure import Enclosure
from certify.bounds.interval_values import largest_mean
from certify.bounds.simplex import entropy_bounds, entropy_term, linear_lower, linear_upper
from certify.errors import Undecided


def knapsack(c, lower, upper) -> Fraction:
    """The exact maximum: fill the best entries first."""
    c, lower, upper = ([Fraction(float(v)) for v in row] for row in (c, lower, upper))
    left, total = 1 - sum(lower), sum(a * b for a, b in zip(c, lower, strict=True))
    for k in sorted(range(len(c)), key=lambda k: -c[k]):
        step = min(left, upper[k] - lower[k])
        left, total = left - step, total + step * c[k]
    return total


def block(rng: np.random.Generator, actions: int):
    """A box around a distribution, sometimes down to 0 or up to 1, and the distribution."""
    centre = rng.dirichlet(np.ones(actions))
    width = 10.0 ** rng.uniform(-12, 0)
    lower = np.maximum(centre - width * rng.random(actions), 0.0) * (rng.random() < 0.8)
    upper = np.minimum(centre + width * rng.random(actions) + 1e-15, 1.0)
    return lower, upper, centre


def test_linear_extremes_are_bounds_and_sharp():
    rng = np.random.default_rng(0)
    for _ in range(1500):
        lower, upper, _ = block(rng, int(rng.integers(1, 7)))
        c = rng.normal(size=len(lower)) * 10.0 ** rng.integers(-6, 6)
        exact = knapsack(c, lower, upper)
        high, low = linear_upper(c, lower, upper), linear_lower(c, lower, upper)
        slack = Fraction(1e-12 * float(np.abs(c).max()) + 1e-290)
        if len(lower) > 1:
            assert exact <= Fraction(float(high)) <= exact + slack
            assert -knapsack(-c, lower, upper) - slack <= Fraction(float(low)) <= -knapsack(-c, lower, upper)
        else:  # one action: its probability is 1 whatever the ends say
            assert Fraction(float(low)) <= Fraction(float(c[0])) <= Fraction(float(high))


def test_without_the_slack_rounding_errors_show(monkeypatch):
    monkeypatch.setattr(simplex, "UNIT", 0.0)
    rng, below = np.random.default_rng(0), 0
    for _ in range(1500):
        lower, upper, _ = block(rng, int(rng.integers(2, 7)))
        c = rng.normal(size=len(lower))
        below += Fraction(float(linear_upper(c, lower, upper))) < knapsack(c, lower, upper)
    assert below > 20


def exact_entropy(p) -> tuple[Fraction, Fraction]:
    with working_precision(150):
        terms = [-flint.arb(float(v)) * flint.arb(float(v)).log() for v in p if v > 0]
        return arb_ends(sum(terms, flint.arb(0)))


def inside(rng: np.random.Generator, lower, upper, centre):
    """A random point of the box with sum near 1 (to rounding): centre moved along the simplex."""
    direction = rng.normal(size=len(centre))
    direction -= direction.mean()
    with np.errstate(divide="ignore", invalid="ignore"):
        room = np.where(direction > 0, (upper - centre) / direction, (lower - centre) / direction)
    room = room[np.isfinite(room)]
    return np.clip(
        centre + direction * (room.min() if len(room) else 0.0) * rng.choice([1.0, rng.random()]), lower, upper
    )


def test_entropy_bounds_hold_on_samples():
    rng = np.random.default_rng(1)
    for _ in range(400):
        lower, upper, centre = block(rng, int(rng.integers(2, 6)))
        low, high = (float(v[0]) for v in entropy_bounds(lower[None], upper[None]))
        for _ in range(4):
            p = inside(rng, lower, upper, centre)
            exact = exact_entropy(p)
            # the sample's sum is off by a few units, and with it its entropy
            assert low - 1e-13 <= float(exact[0]) and float(exact[1]) <= high + 1e-13


def test_entropy_bounds_are_sharp_at_points_and_on_everything():
    p = np.array([[0.2, 0.3, 0.5]])
    low, high = entropy_bounds(p, p)
    assert high[0] - low[0] < 1e-13
    low, high = entropy_bounds(np.zeros((1, 4)), np.ones((1, 4)))
    assert low[0] == 0.0 and abs(high[0] - np.log(4)) < 1e-12
    low, high = entropy_bounds(np.array([[0.5, 0.0]]), np.array([[1.0, 0.5]]))
    assert abs(low[0]) < 1e-12 and abs(high[0] - np.log(2)) < 1e-12


def test_entropy_terms_contain_the_exact_ones():
    rng = np.random.default_rng(2)
    p = np.concatenate([[0.0, 1.0, 2.0**-1000], rng.random(500), 10.0 ** rng.uniform(-300, 0, 200)])
    low, high = entropy_term(p)
    for v, lo, up in zip(p, low, high, strict=True):
        exact = exact_entropy([v])
        assert Fraction(float(lo)) <= exact[0] and exact[1] <= Fraction(float(up))


def test_signs_are_proved_or_undecided():
    assert Enclosure(0.1, 0.2).sign() == 1 and Enclosure(-0.2, -0.1).sign() == -1 and Enclosure(0.0, 0.0).sign() == 0
    for lower, upper in ((-0.1, 0.1), (0.0, 0.1), (float("nan"), 1.0)):
        with pytest.raises(Undecided):
            Enclosure(lower, upper).sign()


def exact_largest_mean(c, low, high) -> Fraction:
    """The maximum of sum m c / sum m over the corners (a ratio of linear forms has it there)."""
    c, low, high = ([Fraction(float(v)) for v in row] for row in (c, low, high))
    best = max(c) if not any(low) else None
    for corner in itertools.product(*zip(low, high, strict=True)):
        if sum(corner) > 0:
            mean = sum(m * v for m, v in zip(corner, c, strict=True)) / sum(corner)
            best = mean if best is None else max(best, mean)
    return best


@pytest.mark.parametrize("steps", [12, 1, 0])
def test_largest_means_are_bounds_however_far_the_iteration_got(steps):
    rng = np.random.default_rng(4)
    for _ in range(150):
        size, groups = int(rng.integers(1, 9)), int(rng.integers(1, 3))
        group = np.concatenate([np.arange(groups), rng.integers(0, groups, size)])
        c = rng.normal(size=(len(group), 2))
        low = rng.random(len(group)) * (rng.random(len(group)) < 0.7)
        high = low + rng.random(len(group)) * 10.0 ** rng.integers(-6, 1) + 1e-12
        found = largest_mean(c, (low, high), group, groups, steps)
        for g in range(groups):
            mine = group == g
            for a in range(2):
                exact = exact_largest_mean(c[mine, a], low[mine], high[mine])
                assert exact <= Fraction(float(found[g, a]))
                if steps == 12:
                    assert found[g, a] <= exact + Fraction(1, 10**10)
