"""Three ways of evaluating, and brute force, against each other on random games."""

import pickle
from dataclasses import replace
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from brute_force import aoh_classes, objective, trajectories
from random_games import random_game, random_games
from random_policies import random_box, random_policy, small_trees

from certify.bounds import PolicyBox, arb_evaluate, evaluate, exact_evaluate, layout_of
from certify.bounds import point as point_module
from certify.bounds.tables import SMALLEST_EXPONENT, tables_of
from certify.errors import InputError
from certify.games.builtin import builtin
from certify.games.tree import unroll

FIELDS = ("value", "entropy", "q", "gradient")


def random_alpha(rng: np.random.Generator) -> Fraction:
    return Fraction(int(rng.integers(1, 40)), int(rng.integers(1, 6)))


def agree(bound, exact) -> bool:
    return bound.contains(exact.lower) and bound.contains(exact.upper)


def exact_is_inside(result, exact) -> bool:
    return (
        all(agree(getattr(result, name), getattr(exact, name)) for name in FIELDS)
        and result.reward.contains(exact.reward)
        and result.reach.contains(exact.reach)
    )


def close(value: mpmath.mpf, exact: Fraction, tolerance: float = 1e-30) -> bool:
    with mpmath.workdps(60):
        return abs(value - mpmath.mpf(exact.numerator) / exact.denominator) < tolerance


@pytest.mark.parametrize("seed", range(3))
def test_exact_values_are_those_of_all_trajectories(seed):
    rng = np.random.default_rng(seed)
    for tree in small_trees(seed, 18, most_joint=25):
        if tree.clustered:
            continue
        policy, alpha = random_policy(tree, rng), random_alpha(rng)
        value, reward, entropy = objective(tree, policy, alpha)
        exact = exact_evaluate(tree, policy, alpha)
        assert close(reward, exact.reward) and close(entropy, exact.entropy.lower) and close(value, exact.value.lower)


def test_gradients_are_those_of_the_objective():
    rng = np.random.default_rng(7)
    step = Fraction(1, 10**12)
    for tree in small_trees(11, 12, most_joint=10):
        if tree.clustered:
            continue
        policy, alpha = random_policy(tree, rng), random_alpha(rng)
        paths = list(trajectories(tree))
        exact = exact_evaluate(tree, policy, alpha).gradient
        layout = layout_of(tree)
        for i, t in layout.blocks[:2]:
            # d pi_b / d theta_a = pi_b (1[a = b] - pi_a), to second order by a central difference
            row = policy[i][t][0]
            tangent = row * (np.arange(len(row)) == 0) - row * row[0]
            ends = []
            for sign in (1, -1):
                moved = [[table.copy() for table in tables] for tables in policy]
                moved[i][t][0] = row + sign * step * tangent
                ends.append(objective(tree, moved, alpha, paths)[0])
            with mpmath.workdps(60):
                slope = (ends[0] - ends[1]) / (2 * mpmath.mpf(1) / 10**12)
                reference = exact[i, t].lower.ravel()[0]
                assert abs(slope - mpmath.mpf(reference.numerator) / reference.denominator) < 1e-15


@pytest.mark.parametrize("seed", range(4))
def test_float64_and_arb_contain_the_exact_values(seed):
    rng = np.random.default_rng(seed)
    for tree in small_trees(seed + 20, 27, most_joint=60):
        policy, alpha = random_policy(tree, rng), random_alpha(rng)
        exact, ours = exact_evaluate(tree, policy, alpha), evaluate(tree, policy, alpha)
        assert ours.arithmetic == "float64"
        assert exact_is_inside(ours, exact)
        balls = arb_evaluate(tree, policy, alpha).to_floats()
        for name in (*FIELDS, "local_gradient"):
            assert agree(balls[name], getattr(exact, name)), name
        for name in ("reward", "reach", "q_reward"):
            assert balls[name].contains(getattr(exact, name)), name
        assert ours.gradient.width.max() < 1e-10


def test_containment_fails_when_the_rounding_bound_is_broken(monkeypatch):
    monkeypatch.setattr(point_module, "widened", lambda _: 0.0)
    monkeypatch.setattr(point_module, "UNIT", 0.0)
    rng, outside = np.random.default_rng(0), 0
    for tree in small_trees(20, 27, most_joint=60):
        policy, alpha = random_policy(tree, rng), random_alpha(rng)
        outside += not exact_is_inside(evaluate(tree, policy, alpha), exact_evaluate(tree, policy, alpha))
    assert outside > 5


def test_an_evaluation_keeps_what_it_was_asked_about():
    tree = unroll(builtin("dectiger", horizon=2))
    policy = [[np.array(table, dtype=float) for table in tables] for tables in tree.uniform()]
    first, same = evaluate(tree, policy, 3), evaluate(tree, policy, 3)
    for tables in policy:
        for table in tables:
            table[:] = [0.25, 0.25, 0.5]  # after the call, before anything else is asked for
    copy = pickle.loads(pickle.dumps(first))
    moved = evaluate(tree, policy, 3)
    for name in ("reward", "entropy", "reach", "q"):
        ends = [(getattr(e, name).lower, getattr(e, name).upper) for e in (first, same, copy, moved)]
        assert np.array_equal(ends[0], ends[1]) and np.array_equal(ends[0], ends[2])
        assert name == "reach" or not np.array_equal(ends[0], ends[3])
    parts = first.reward, first.entropy
    assert first.value.lower <= parts[0].upper + 3 * parts[1].upper
    assert first.value.upper >= parts[0].lower + 3 * parts[1].lower


def test_the_short_way_to_a_suitable_policy_is_never_the_wider_one():
    tree = unroll(builtin("dectiger", horizon=2))
    tables, layout, seen = tables_of(tree), layout_of(tree), set()
    for exponent in range(1, 120):
        policy = np.full(layout.size, 2.0**-exponent)  # the same least entry in every block: both ways agree
        smallest = -exponent * len(layout.blocks)
        suits = tables.suit(policy, 1.0, layout.block_start)
        assert suits == (tables.exponent + smallest - 100 >= SMALLEST_EXPONENT)
        seen.add(suits)
    assert seen == {True, False}


def test_float_policies_mean_their_normalised_rows():
    rng = np.random.default_rng(3)
    for tree in small_trees(31, 18):
        policy = [
            [rng.dirichlet(np.ones(t.shape[1]), len(t)) * (1 + 1e-12) for t in tables] for tables in tree.uniform()
        ]
        alpha = random_alpha(rng)
        assert exact_is_inside(evaluate(tree, policy, alpha), exact_evaluate(tree, policy, alpha))


@pytest.mark.parametrize("weight", [Fraction(1, 2), Fraction(1, 20), Fraction(1, 10**6)])
def test_boxes_contain_every_policy_inside(weight):
    rng = np.random.default_rng(weight.denominator)
    for tree in small_trees(weight.denominator % 97, 27):
        inside, box = random_box(tree, rng, weight)
        alpha = random_alpha(rng)
        wide, balls = evaluate(tree, box, alpha), arb_evaluate(tree, box, alpha).to_floats()
        for policy in inside:
            exact = exact_evaluate(tree, policy, alpha)
            assert exact_is_inside(wide, exact)
            assert all(agree(balls[name], getattr(exact, name)) for name in FIELDS)
        assert np.isfinite(wide.gradient.width).all()
        assert wide.value.width <= balls["value"].width * (1 + 1e-6) + 1e-9  # row sums are worth something


def test_a_box_that_is_too_small_is_caught():
    rng, outside = np.random.default_rng(0), 0
    for tree in small_trees(5, 27):
        inside, _ = random_box(tree, rng, Fraction(1, 2))
        alpha = random_alpha(rng)
        shrunk = evaluate(tree, PolicyBox(inside[0], inside[0]), alpha)
        outside += not exact_is_inside(shrunk, exact_evaluate(tree, inside[1], alpha))
    assert outside > 10


def test_boxes_that_reach_the_boundary_stay_finite():
    rng = np.random.default_rng(9)
    for tree in small_trees(41, 18):
        zeros = [[np.zeros_like(t) for t in tables] for tables in tree.uniform()]
        ones = [[np.ones_like(t) for t in tables] for tables in tree.uniform()]
        alpha = random_alpha(rng)
        everything = evaluate(tree, PolicyBox(zeros, ones), alpha)
        assert np.isfinite(everything.gradient.width).all() and np.isfinite(everything.q.width).all()
        for _ in range(2):
            assert exact_is_inside(everything, exact_evaluate(tree, random_policy(tree, rng), alpha))


def test_one_agent_blocks_are_exact_over_boxes():
    """One agent, one step: the return's range over a box is a fractional knapsack."""
    game = random_game(np.random.default_rng(2), agents=1, horizon=1, actions=3, states=1)
    tree = unroll(game)
    r = [Fraction(v) for v in tree.levels[0].reward[0]]
    low, high = Fraction(1, 4), Fraction(1, 2)
    box = PolicyBox([[np.full((1, 3), low)]], [[np.full((1, 3), high)]])
    found = evaluate(tree, box, Fraction(1)).reward
    best, worst = max(r), min(r)
    middle = sum(r) - best - worst
    assert abs(found.upper - float(best * high + (middle + worst) * low)) < 1e-12
    assert abs(found.lower - float(worst * high + (middle + best) * low)) < 1e-12


def test_clustered_and_raw_trees_agree_on_lifted_policies():
    rng = np.random.default_rng(4)
    seen = 0
    for game in random_games(61, 27):
        raw, small = unroll(game, cluster=False), unroll(game)
        if sum(len(level.joint) for level in raw.levels) > 60:
            continue
        seen += raw.levels[-1].classes != small.levels[-1].classes
        policy, alpha = random_policy(small, rng), random_alpha(rng)
        lifted = [[np.empty(t.shape, dtype=object) for t in tables] for tables in raw.uniform()]
        for i, (fine, coarse) in enumerate(zip(aoh_classes(raw), aoh_classes(small), strict=True)):
            for history, (t, k) in fine.items():
                lifted[i][t][k] = policy[i][t][coarse[history][1]]
        fine, coarse = exact_evaluate(raw, lifted, alpha), exact_evaluate(small, policy, alpha)
        assert fine.reward == coarse.reward and fine.entropy.lower == coarse.entropy.lower
        q_fine, q_coarse = fine.q, coarse.q
        for i, (here, there) in enumerate(zip(aoh_classes(raw), aoh_classes(small), strict=True)):
            for history, (t, k) in here.items():
                assert (q_fine[i, t].lower[k] == q_coarse[i, t].lower[there[history][1]]).all()
    assert seen > 3


def test_tiny_probabilities_are_left_to_arb():
    tree = unroll(builtin("lever:2"))
    tiny = Fraction(1, 2**700)
    policy = [[np.array([[tiny, 1 - tiny]], dtype=object)] for _ in range(2)]
    result, exact = evaluate(tree, policy, Fraction(1)), exact_evaluate(tree, policy, Fraction(1), digits=3000)
    assert result.arithmetic == "arb"
    assert exact_is_inside(result, exact)


def test_arb_narrows_with_precision():
    tree = unroll(builtin("dectiger", horizon=2))
    policy = random_policy(tree, np.random.default_rng(0))
    widths = [float(arb_evaluate(tree, policy, Fraction(7), precision=bits).value.rad()) for bits in (60, 120, 240)]
    assert widths[0] > 1e10 * widths[1] > 1e20 * widths[2] > 0


@pytest.mark.parametrize("alpha", [0, Fraction(-1, 2), 0.5, "1/2", True])
def test_bad_temperatures_are_refused(alpha):
    tree = unroll(builtin("lever:2"))
    with pytest.raises(InputError, match="alpha"):
        evaluate(tree, tree.uniform(), alpha)


@pytest.mark.parametrize(
    "row, what",
    [
        ([Fraction(1, 3), Fraction(1, 3)], "sums to 2/3"),
        ([0.5, 0.6], "sums to 1.1"),
        ([0.0, 1.0], "positive probability"),
        ([-0.5, 1.5], "positive probability"),
        ([float("nan"), 1.0], "an entry of|sums to nan"),
        (["x", "y"], "exact numbers"),
        ([0.2, 0.3, 0.5], "shape"),
    ],
)
def test_bad_policies_are_refused(row, what):
    tree = unroll(builtin("lever:2"))
    table = np.array([row], dtype=object if not isinstance(row[0], float) else float)
    with pytest.raises(InputError, match=what):
        evaluate(tree, [[table], [np.full((1, 2), 0.5)]], Fraction(1))


@pytest.mark.parametrize("lower, upper", [(0.6, 0.7), (0.1, 0.2), (0.7, 0.4), (float("nan"), 0.5)])
def test_boxes_without_a_policy_are_refused(lower, upper):
    tree = unroll(builtin("lever:2"))
    ends = [[[np.full((1, 2), v)] for _ in range(2)] for v in (lower, upper)]
    with pytest.raises(InputError, match="box"):
        evaluate(tree, PolicyBox(*ends), Fraction(1))


def test_a_policy_of_the_wrong_nesting_is_refused():
    tree = unroll(builtin("lever:2"))
    with pytest.raises(InputError, match="per agent and depth"):
        evaluate(tree, [[np.full((1, 2), 0.5)]], Fraction(1))


@pytest.mark.parametrize(
    "scale, arithmetic",
    [
        (Fraction(1, 10**390), "arb"),
        (Fraction(1, 10**150), "arb"),
        (Fraction(1, 10**30), "float64"),
        (Fraction(10**30), "float64"),
        (Fraction(10**390), "arb"),
    ],
)
def test_rewards_out_of_range_are_left_to_arb(scale, arithmetic):
    rng = np.random.default_rng(0)
    game = random_game(rng, agents=2, horizon=2)
    game = replace(game, reward={key: r * scale for key, r in game.reward.items()})
    tree = unroll(game)
    policy, alpha = random_policy(tree, rng), Fraction(2)
    result, exact = evaluate(tree, policy, alpha), exact_evaluate(tree, policy, alpha)
    assert exact_is_inside(result, exact)
    assert result.arithmetic == arithmetic
    inside, box = random_box(tree, rng, Fraction(1, 10))
    assert exact_is_inside(evaluate(tree, box, alpha), exact_evaluate(tree, inside[1], alpha))


def test_rows_off_by_a_unit_move_logarithms_near_zero():
    """Rewards 0 and a probability near 1: the gradient is all logarithm, and the row's rounding shows."""
    game = random_game(np.random.default_rng(0), agents=1, horizon=1, actions=2, states=1)
    tree = unroll(replace(game, reward={}))
    rng, alpha = np.random.default_rng(5), Fraction(3)
    for _ in range(200):
        small = 10.0 ** rng.uniform(-12, -6)
        policy = [[np.array([[1.0 - small, small * (1 + 1e-9 * rng.normal())]])]]
        assert exact_is_inside(evaluate(tree, policy, alpha), exact_evaluate(tree, policy, alpha))
