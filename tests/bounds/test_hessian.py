"""The Hessian form: exact against finite differences, float64 and arb against exact, boxes."""

import sys
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from brute_force import objective, trajectories
from random_games import random_game
from random_policies import flat, projected, random_box, random_direction, random_policy, small_trees

from certify.bounds import (
    Enclosure,
    HessianForm,
    PolicyBox,
    arb_hessian,
    evaluate,
    exact_hessian,
    hessian,
    lambda_max_lower,
    lambda_max_upper,
    layout_of,
    second_order,
)
from certify.bounds.arb_evaluate import to_floats
from certify.bounds.objects import ObjectRecursion
from certify.errors import InputError
from certify.games.builtin import builtin
from certify.games.tree import unroll

hessian_module = sys.modules[HessianForm.__module__]  # the package has a function of the same name


def quadratic(form, v, alpha):
    """Exact (lower, upper) of D^2J[v, v] from an `ExactHessian`."""
    v = np.array([Fraction(x) for x in v], dtype=object)
    return [v @ C @ v - alpha * (form.diagonal * v * v).sum() for C in (form.cross.lower, form.cross.upper)]


def second_difference(tree, policy, v, alpha):
    """(J(pi + s v) - 2 J(pi) + J(pi - s v)) / s^2 at 60 digits: right to about s^2 = 1e-20."""
    step = Fraction(1, 10**10)
    nested = layout_of(tree).nested(np.array([Fraction(x) for x in v], dtype=object))
    paths = list(trajectories(tree))
    moved = [
        [[t + sign * step * w for t, w in zip(x, y, strict=True)] for x, y in zip(policy, nested, strict=True)]
        for sign in (1, 0, -1)
    ]
    values = [objective(tree, there, alpha, paths)[0] for there in moved]
    with mpmath.workdps(60):
        return (values[0] - 2 * values[1] + values[2]) * mpmath.mpf(10) ** 20


def miss(tree, policy, v, alpha, form) -> float:
    reference = quadratic(form, v, alpha)[0]
    with mpmath.workdps(60):
        exact = mpmath.mpf(reference.numerator) / reference.denominator
        return float(abs(second_difference(tree, policy, v, alpha) - exact))


@pytest.mark.parametrize("seed", range(2))
def test_the_formula_is_the_second_derivative(seed):
    rng = np.random.default_rng(seed)
    seen = 0
    for tree in small_trees(seed + 3, 27, most_joint=12):
        if not tree.clustered:
            policy, alpha, v = (
                random_policy(tree, rng),
                Fraction(int(rng.integers(1, 9)), 2),
                random_direction(tree, rng),
            )
            assert miss(tree, policy, v, alpha, exact_hessian(tree, policy, alpha)) < 1e-10
            seen += 1
    assert seen > 8


def test_the_second_difference_notices_a_missing_logarithm(monkeypatch):
    """Without the later agent's own log pi the formula is wrong wherever depths differ."""
    rng, right = np.random.default_rng(0), ObjectRecursion.cross_terms
    monkeypatch.setattr(ObjectRecursion, "cross_terms", lambda self, U, log_weight: right(self, U, Fraction(0)))
    for agents in (1, 1, 2, 2):
        tree = unroll(random_game(rng, agents=agents, horizon=2), cluster=False)
        policy, v = random_policy(tree, rng), random_direction(tree, rng)
        assert miss(tree, policy, v, Fraction(2), exact_hessian(tree, policy, Fraction(2))) > 1e-6


@pytest.mark.parametrize("seed", range(3))
def test_float64_and_arb_contain_the_exact_form(seed):
    rng = np.random.default_rng(seed)
    for tree in small_trees(seed + 50, 27):
        policy, alpha = random_policy(tree, rng), Fraction(int(rng.integers(1, 30)), 3)
        exact, ours = exact_hessian(tree, policy, alpha), hessian(tree, policy, alpha)
        p = flat(tree, policy)
        for end in (exact.cross.lower, exact.cross.upper):
            assert ours.cross.contains(projected(tree, end, p))
        assert ours.diagonal.contains(exact.diagonal)
        balls = arb_hessian(tree, policy, alpha)
        assert to_floats(balls.cross).contains(exact.cross.lower) and to_floats(balls.diagonal).contains(exact.diagonal)
        assert ours.radius.max(initial=0.0) < 1e-9
        for _ in range(3):
            v = random_direction(tree, rng)
            low, high = quadratic(exact, v, alpha)
            bound = ours.quadratic(v)
            assert bound.contains(low) and bound.contains(high) and bound.width < 1e-8


def test_containment_fails_when_the_radius_is_dropped():
    rng, outside = np.random.default_rng(0), 0
    for tree in small_trees(50, 27):
        policy, alpha = random_policy(tree, rng), Fraction(7, 3)
        form = hessian(tree, policy, alpha)
        exact = projected(tree, exact_hessian(tree, policy, alpha).cross.lower, flat(tree, policy))
        outside += any(Fraction(float(a)) != b for a, b in zip(form.mid.ravel(), exact.ravel(), strict=True))
    assert outside > 5


@pytest.mark.parametrize(
    "weight", [Fraction(1, 2), pytest.param(Fraction(1, 20), marks=pytest.mark.slow), Fraction(1, 10**6)]
)
def test_boxes_contain_the_form_of_every_policy_inside(weight):
    rng = np.random.default_rng(weight.denominator)
    for tree in small_trees(weight.denominator % 89, 27, most_joint=30):
        inside, box = random_box(tree, rng, weight)
        alpha = Fraction(int(rng.integers(1, 30)), 3)
        wide = hessian(tree, box, alpha)
        exact = [exact_hessian(tree, policy, alpha) for policy in inside]
        upper, lower = lambda_max_upper(wide), lambda_max_lower(wide)
        for policy, form in zip(inside, exact, strict=True):
            assert wide.diagonal.contains(form.diagonal)
            for _ in range(4):
                v = random_direction(tree, rng)
                bound = wide.quadratic(v)
                low, high = quadratic(form, v, alpha)
                assert bound.contains(low) and bound.contains(high)
            at = lambda_max_upper(hessian(tree, policy, alpha))
            assert lower <= at + 1e-9 and at <= upper * (1 + 1e-9) + 1e-9


def test_a_box_that_is_too_small_is_caught():
    rng, outside = np.random.default_rng(1), 0
    for tree in small_trees(5, 27, most_joint=30):
        inside, _ = random_box(tree, rng, Fraction(1, 2))
        wrong = hessian(tree, PolicyBox(inside[0], inside[0]), Fraction(3))
        v = random_direction(tree, rng)
        outside += not wrong.quadratic(v).contains(quadratic(exact_hessian(tree, inside[1], Fraction(3)), v, 3)[0])
    assert outside > 10


def test_the_metric_is_the_form_in_scaled_coordinates():
    rng = np.random.default_rng(8)
    for tree in small_trees(9, 18):
        policy, alpha = random_policy(tree, rng), Fraction(5, 2)
        form, exact = hessian(tree, policy, alpha), exact_hessian(tree, policy, alpha)
        p = flat(tree, policy)
        C = projected(tree, exact.cross.lower, p)
        with mpmath.workdps(50):
            root = [mpmath.sqrt(mpmath.mpf(d.numerator) / d.denominator) for d in exact.diagonal]
            for _ in range(20):
                i, j = rng.integers(0, len(p), 2)
                entry = mpmath.mpf(C[i, j].numerator) / C[i, j].denominator / (root[i] * root[j])
                assert form.metric.lower[i, j] <= entry <= form.metric.upper[i, j]
        assert (form.metric.width < 1e-8).all()


def metric_misses(rng: np.random.Generator, count: int = 40) -> int:
    """How many entries of M leave their ends where C (radius 0) and the diagonal are floats without error."""
    tree, misses = unroll(builtin("lever:2")), 0
    for _ in range(count):
        C = rng.normal(size=(4, 4)) * 2.0 ** rng.integers(-320, 300, (4, 4))
        d = rng.uniform(1, 4, 4) * 2.0 ** rng.integers(-300, 300, 4)
        metric = HessianForm(C, np.zeros((4, 4)), Enclosure(d, d), layout_of(tree), Fraction(1), False).metric
        for i, j in np.ndindex(4, 4):
            # |M|^2 = C^2 / (d_i d_j) in rationals; the ends of -M are those of M the other way round
            sign = 1 if C[i, j] > 0 else -1
            low, high = sorted(sign * Fraction(end[i, j]) for end in (metric.lower, metric.upper))
            square = Fraction(C[i, j]) ** 2 / (Fraction(d[i]) * Fraction(d[j]))
            misses += not (max(low, 0) ** 2 <= square <= high**2)
    return misses


def test_the_ends_of_the_metric_cover_its_own_roundings(monkeypatch):
    assert metric_misses(np.random.default_rng(0)) == 0
    monkeypatch.setattr(hessian_module, "UNIT", 0.0)
    assert metric_misses(np.random.default_rng(0)) > 100


def test_midpoint_radius_and_metric_are_exactly_symmetric(monkeypatch):
    for seed in range(2):
        for tree in small_trees(seed, 9, most_joint=60):
            form = hessian(tree, random_policy(tree, np.random.default_rng(seed)), Fraction(7, 3))
            for matrix in (form.mid, form.radius, form.metric.lower, form.metric.upper):
                assert np.array_equal(matrix, matrix.T)
        monkeypatch.setattr(second_order, "DENSE_ENTRIES", 0)
        monkeypatch.setattr(second_order, "DENSE_SPREAD", 0)


def soft_fixed_point(tree, alpha: float):
    """A stationary policy in floats: pi = softmax(Q_alpha / (alpha w)) iterated (not rigorous)."""
    policy = tree.uniform()
    layout = layout_of(tree)
    for _ in range(2000):
        q = evaluate(tree, policy, Fraction(alpha)).q
        following = []
        for i in range(tree.number_of_agents):
            following.append([])
            for t in range(tree.horizon):
                z = q[i, t].lower / (alpha * float(tree.game.weights[i]))
                e = np.exp(z - z.max(axis=1, keepdims=True))
                following[-1].append(0.5 * policy[i][t] + 0.5 * e / e.sum(axis=1, keepdims=True))
        change = np.abs(layout.flat(following) - layout.flat(policy)).max()
        policy = following
        if change < 1e-15:
            break
    return policy


@pytest.mark.parametrize("cluster", [False, True])
def test_blocks_of_one_agent_vanish_at_stationary_policies(cluster):
    """What `stationary=True` sets to 0 (docs/theory/hessian.md#at-stationary-policies), and that it is not 0
    elsewhere."""
    tree = unroll(builtin("dectiger", horizon=2), cluster=cluster)
    alpha = Fraction(45)
    policy = soft_fixed_point(tree, 45.0)
    layout = layout_of(tree)
    same = layout.agent[:, None] == layout.agent[None, :]
    here = hessian(tree, policy, alpha)
    assert np.abs(evaluate(tree, policy, alpha).gradient.upper).max() < 1e-10
    assert np.abs(here.mid[same]).max() < 1e-8 < np.abs(here.mid[~same]).max()
    elsewhere = hessian(tree, random_policy(tree, np.random.default_rng(0)), alpha)
    assert np.abs(elsewhere.mid[same]).max() > 1e-2
    reduced = hessian(tree, policy, alpha, stationary=True)
    assert not reduced.mid[same].any() and lambda_max_upper(reduced) <= lambda_max_upper(here) + 1e-6


def test_two_levers_have_modulus_zero_at_one_half():
    tree = unroll(builtin("lever:2"))
    bound = lambda_max_upper(hessian(tree, tree.uniform(), Fraction(1, 2)))
    assert Fraction(1, 2) <= Fraction(bound) < Fraction(1, 2) + Fraction(1, 10**10)
    zeros, ones = ([[np.full((1, 2), v)] for _ in range(2)] for v in (1e-3, 1.0))
    # over a box every probability counts at its own upper end, here 0.999 instead of 1/2
    assert 0.99 < lambda_max_upper(hessian(tree, PolicyBox(zeros, ones), Fraction(1, 2))) < 1


def test_sparse_and_dense_sums_agree(monkeypatch):
    tree = unroll(builtin("dectiger", horizon=3), cluster=False)
    policy = random_policy(tree, np.random.default_rng(0))
    dense = hessian(tree, policy, Fraction(9))
    monkeypatch.setattr(second_order, "DENSE_ENTRIES", 0)
    monkeypatch.setattr(second_order, "DENSE_SPREAD", 0)
    thin = hessian(tree, policy, Fraction(9))
    assert (np.abs(thin.mid - dense.mid) <= thin.radius + dense.radius).all()


def test_tiny_probabilities_are_left_to_arb():
    tree = unroll(builtin("lever:2"))
    tiny = Fraction(1, 2**400)
    policy = [[np.array([[tiny, 1 - tiny]], dtype=object)] for _ in range(2)]
    form, exact = hessian(tree, policy, Fraction(1)), exact_hessian(tree, policy, Fraction(1))
    assert form.diagonal.contains(exact.diagonal)
    v = np.array([1.0, -1, 1, -1])
    assert form.quadratic(v).contains(quadratic(exact, v, 1)[0])


def test_refusals(monkeypatch):
    tree = unroll(builtin("lever:2"))
    with pytest.raises(InputError, match="rows do not sum to 0"):
        hessian(tree, tree.uniform(), 1).quadratic(np.array([1.0, 0, 0, 0]))
    zeros, ones = ([[np.full((1, 2), v)] for _ in range(2)] for v in (0.0, 1.0))
    with pytest.raises(InputError, match="lower end of 0"):
        hessian(tree, PolicyBox(zeros, ones), 1)
    monkeypatch.setattr(second_order, "MAX_ENTRIES", 3)
    with pytest.raises(InputError, match="policy entries"):
        hessian(tree, tree.uniform(), 1)


def test_boxes_wide_at_the_first_step_only_move_the_reach():
    """The later tables are points, so cross terms at depth 1 vary through the reach alone."""
    rng = np.random.default_rng(3)
    for _ in range(12):
        tree = unroll(random_game(rng, agents=2, horizon=2), cluster=False)
        layout, alpha = layout_of(tree), Fraction(2)
        centre = random_policy(tree, rng)
        inside = [
            [[random, late] for random, (_, late) in zip((r[0] for r in random_policy(tree, rng)), centre, strict=True)]
            for _ in range(3)
        ]
        ends = [
            [[choose.reduce([p[i][t] for p in inside]) for t in range(2)] for i in range(2)]
            for choose in (np.minimum, np.maximum)
        ]
        wide = hessian(tree, PolicyBox(*ends), alpha)
        v = random_direction(tree, rng) * (layout.depth == 1)
        for policy in inside:
            low, high = quadratic(exact_hessian(tree, policy, alpha), v, alpha)
            bound = wide.quadratic(v)
            assert bound.contains(low) and bound.contains(high)
