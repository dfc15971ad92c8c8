"""Try to refute certified thresholds: random games, multistart at and above alpha*."""

import numpy as np
import pytest
from multistart import distinct_policies
from random_games import random_game

from certify.games import builtin
from certify.games.tree import unroll
from certify.run import Run
from certify.thresholds.approx_step import Step
from certify.thresholds.cover import Stalled, find_cover
from certify.thresholds.index_tables import Plan
from certify.thresholds.localisation import localise, round_up
from certify.thresholds.structural import structural_thresholds


def plan_and_start(seed):
    rng = np.random.default_rng(1000 + seed)
    agents = 1 + seed % 3
    horizon = min(1 + (seed // 3) % 3, 4 - agents + (agents == 3))
    game = random_game(
        rng,
        agents=agents,
        horizon=horizon,
        actions=2 + (seed % 2 if agents < 3 else 0),
        observations=2,
        initial_observations=bool((seed // 9) % 2),
    )
    return Plan(unroll(game)), structural_thresholds(game)[0].alpha_star, rng


def counterexamples(seeds):
    """Seeds at whose certified threshold, or above it, multistart finds two stationary policies."""
    found = []
    for seed in seeds:
        plan, start, rng = plan_and_start(seed)
        covers = localise(plan, start, rtol=0.5, run=Run.lasting(10))
        if not covers:
            continue
        alpha = float(covers[-1].alpha_star)
        if any(distinct_policies(plan, alpha * factor, rng, starts=3) > 1 for factor in (1.0, 1.3)):
            found.append(seed)
    return found


@pytest.mark.parametrize("group", [0, *(pytest.param(k, marks=pytest.mark.slow) for k in range(1, 8))])
def test_no_second_policy_at_certified_thresholds(group):
    assert counterexamples(range(3 * group, 3 * group + 3)) == []


@pytest.mark.slow
@pytest.mark.parametrize("group", range(50))
def test_no_second_policy_at_certified_thresholds_many(group):
    assert counterexamples(range(24 + 6 * group, 30 + 6 * group)) == []


def test_the_search_for_a_second_policy_succeeds_on_a_weakened_bound(monkeypatch):
    """With bounds of a third of their size the search "certifies" three levers below their
    threshold 0.364 (above 1/3, where the uniform policy is still definite), and multistart exposes it."""
    plan = Plan(unroll(builtin("lever:3")))
    alpha = 0.345
    with pytest.raises(Stalled):
        find_cover(plan, 1 / round_up(alpha))
    honest = Step.log_ratio_bounds
    monkeypatch.setattr(Step, "log_ratio_bounds", lambda self, i, t, guess=None: honest(self, i, t, None) / 3)
    assert find_cover(plan, 1 / round_up(alpha))
    assert distinct_policies(plan, alpha, np.random.default_rng(0)) > 1
