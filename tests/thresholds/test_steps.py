"""The float step rule and the definiteness form against brute force on random games."""

import numpy as np
import pytest
from random_games import random_game

from certify.games.tree import unroll
from certify.thresholds.approx_definite import Hessian, approx_margin
from certify.thresholds.approx_policy import approx_soft_values, approx_stationary, softmax
from certify.thresholds.approx_step import Step
from certify.thresholds.approx_support import Block, centre, greedy_maximum, vertices
from certify.thresholds.contraction import tighten
from certify.thresholds.index_tables import Plan


def random_plan(seed):
    rng = np.random.default_rng(seed)
    game = random_game(rng, agents=1 + seed % 3, horizon=1 + (seed // 3) % 3, initial_observations=bool(seed % 2))
    return Plan(unroll(game, cluster=bool(rng.integers(2)))), rng


def random_policy(plan, rng):
    return [[softmax(rng.normal(size=p.shape)) for p in row] for row in plan.tree.uniform()]


def random_box(plan, rng, size, policy=None):
    """A policy, and a box around it."""
    policy = policy or random_policy(plan, rng)
    box = [
        [
            tighten(np.maximum(p - size * rng.random(p.shape), 0), np.minimum(p + size * rng.random(p.shape), 1))
            for p in row
        ]
        for row in policy
    ]
    return policy, box


def inside(box, policy, rng):
    """A policy in the box, between the given one and random vertices of every block."""
    result = []
    for row, policies in zip(box, policy, strict=True):
        result.append([])
        for (lower, upper), p in zip(row, policies, strict=True):
            points = vertices(lower[None], upper[None])[0]
            pick = points[np.arange(len(points)), rng.integers(points.shape[1], size=len(points))]
            share = rng.random()
            result[-1].append(share * pick + (1 - share) * p)
    return result


def step_of(plan, box, beta):
    return Step(plan, [[Block(lower[None], upper[None]) for lower, upper in row] for row in box], np.array([beta]))


def with_later(policy, agent, t, rows):
    """The policy with other rows of one agent at depths > t."""
    return [row if i != agent else [*row[: t + 1], *rows[t + 1 :]] for i, row in enumerate(policy)]


def best_reply(plan, policy, beta, agent, t):
    """The policy in which the agent's rows at depths > t are its soft best replies, last depth first."""
    for u in range(plan.horizon - 1, t, -1):
        best = softmax(approx_soft_values(plan, policy, beta)[agent][u] / plan.weights[agent])
        policy = with_later(policy, agent, u - 1, [*policy[agent][:u], best, *policy[agent][u + 1 :]])
    return policy


def holds(box, policy):
    """Whether the box holds the policy."""
    return all(
        (lower <= p).all() and (p <= upper).all()
        for row, blocks in zip(policy, box, strict=True)
        for p, (lower, upper) in zip(row, blocks, strict=True)
    )


def differences(plan, bounds, key, first, second):
    """How far Q(a) of the first values less Q(b) of the second exceeds the bounds at a block, (K, A, A)."""
    i, t = key
    return (first[i][t][:, :, None] - second[i][t][:, None, :]) / plan.weights[i] - bounds[key]


def violations(plan, rng, size, scale=1.0):
    """How often a sampled policy exceeds `scale` times the bounds (scale 1: never).

    A bound is the least of what bounds Q(a) - Q(b) and what bounds Q(a) - Q°(b), where in Q° the agent's later rows are
    the centres: one of both is within it.
    """
    beta = 0.5
    policy, box = random_box(plan, rng, size)
    step = step_of(plan, box, beta)
    bounds = {(i, t): scale * step.log_ratio_bounds(i, t)[0] for i, t in plan.tree.blocks}
    centres = [[centre(lower, upper) for lower, upper in row] for row in box]
    count = 0
    for _ in range(4):
        sample = inside(box, policy, rng)
        values = approx_soft_values(plan, sample, beta)
        for i, t in plan.tree.blocks:
            later = t < plan.horizon - 1
            pinned = approx_soft_values(plan, with_later(sample, i, t, centres[i]), beta) if later else values
            least = np.minimum(*(differences(plan, bounds, (i, t), values, after) for after in (values, pinned)))
            count += int((least > 1e-7).sum())
    return count


@pytest.mark.parametrize("seed", range(36))
def test_bounds_hold_for_every_policy_in_the_box(seed):
    plan, rng = random_plan(seed)
    for size in (0.02, 0.3, 1.0):
        assert violations(plan, rng, size) == 0


def test_the_test_above_fails_on_bounds_that_are_too_small():
    assert sum(violations(*random_plan(seed), 0.05, scale=0.8) for seed in range(12)) > 0


def violations_by_replies(plan, rng, size, scale=1.0):
    """How often a difference of values exceeds `scale` times the bounds at policies whose own later rows are soft best
    replies and lie in the box, which is around a stationary policy; and how many such policies were met."""
    beta = 0.2
    policy, box = random_box(plan, rng, size, approx_stationary(plan, beta)[0])
    step = step_of(plan, box, beta)
    bounds = {(i, t): scale * step.log_ratio_bounds(i, t)[0] for i, t in plan.tree.blocks if t < plan.horizon - 1}
    count = met = 0
    for i, t in bounds:
        for _ in range(4):
            sample = best_reply(plan, inside(box, policy, rng), beta, i, t)
            if holds(box, sample):
                values = approx_soft_values(plan, sample, beta)
                count += int((differences(plan, bounds, (i, t), values, values) > 1e-7).sum())
                met += 1
    return np.array([count, met])


def test_bounds_hold_where_later_rows_are_best_replies():
    count, met = sum(violations_by_replies(*random_plan(seed), 0.1) for seed in (*range(3, 9), *range(12, 18)))
    assert met > 50
    assert not count


def test_bounds_that_are_too_small_do_not_hold_where_later_rows_are_best_replies():
    assert sum(violations_by_replies(*random_plan(seed), 0.1, scale=0.8)[0] for seed in range(3, 7)) > 0


@pytest.mark.parametrize("seed", [*range(17), pytest.param(17, marks=pytest.mark.slow)])
def test_a_definite_box_has_negative_curvature_everywhere(seed):
    plan, rng = random_plan(seed)
    beta = 0.05 * (1 + seed % 5)
    policy, box = random_box(plan, rng, 0.05)
    margin = approx_margin(Hessian(step_of(plan, box, beta)).form(own=True))[0][0]
    for _ in range(3):
        sample = inside(box, policy, rng)
        tight = [[(p, p) for p in row] for row in sample]
        point = approx_margin(Hessian(step_of(plan, tight, beta)).form(own=True))[0][0]
        assert point >= margin - 1e-9


def curvature(plan, policy, direction, beta):
    def value(shift):
        after = None
        for t in reversed(range(plan.horizon)):
            level = plan.levels[t]
            u = beta * level.approx_reward
            if after is not None:
                u = u + plan.gamma * (level.approx_probability * after[level.successor]).sum(-1)
            joint = np.ones((len(level.joint), 1))
            bonus = 0.0
            for i in range(plan.agents):
                p = policy[i][t] + shift * direction[i][t]
                joint = (joint[:, :, None] * p[level.joint[:, i]][:, None]).reshape(len(level.joint), -1)
                bonus = bonus - plan.weights[i] * (p * np.log(p)).sum(-1)[level.joint[:, i]]
            after = (joint * u).sum(1) + bonus
        return plan.initial @ after

    step = 1e-3
    return (value(step) - 2 * value(0.0) + value(-step)) / step**2


@pytest.mark.parametrize("seed", range(18))
def test_the_form_is_the_second_derivative(seed):
    plan, rng = random_plan(seed)
    policy = random_policy(plan, rng)
    form = Hessian(step_of(plan, [[(p, p) for p in row] for row in policy], 0.3)).form(own=True)
    direction = [
        [0.05 * (d := rng.normal(size=p.shape)) - 0.05 * d.mean(-1, keepdims=True) for p in row] for row in policy
    ]
    flat = np.concatenate([direction[i][t].ravel() for i, t in plan.tree.blocks])
    expected = flat @ form.middle[0] @ flat - (form.diagonal[0] * flat**2).sum()
    assert curvature(plan, policy, direction, 0.3) == pytest.approx(expected, rel=1e-4, abs=1e-6)


def test_vertices_and_greedy_maximum_agree():
    rng = np.random.default_rng(3)
    for count in (2, 3, 4, 5):
        p = softmax(rng.normal(size=(1, 6, count)))
        lower, upper = tighten(np.maximum(p - 0.3, 0), np.minimum(p + 0.2, 1))
        value = rng.normal(size=(1, 6, count))
        points = vertices(lower, upper)
        assert np.allclose(points.sum(-1), 1) and (points >= lower[..., None, :] - 1e-12).all()
        assert np.allclose((points * value[..., None, :]).sum(-1).max(-1), greedy_maximum(lower, upper, value)[0])
