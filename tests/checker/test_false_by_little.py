"""Boxes that hold a stationary policy, and claims that are a millionth less than what it does, at every step of games
of three agents and three steps: neither engine accepts one.  False rules with replies are noticed by the same claims.
"""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from broken_replies import RULES, broken
from legal_games import with_legal_sets
from random_games import random_game

from certify.checker.cover.obligations import StepClaim
from certify.checker.cover.tree import Step, pairs
from certify.checker.fast.box import GRID, BlockBox
from certify.checker.fast.engine import FastEngine
from certify.checker.numbers.fixed_point import ONE
from certify.checker.plain.box import Block, Box
from certify.checker.plain.engine import StdlibEngine
from certify.checker.reading.game import read_game
from certify.checker.reading.process import build_process
from certify.games.canonical import game_to_json
from certify.games.objective import for_objective
from certify.games.tree import unroll
from certify.thresholds.approx_policy import approx_stationary, softmax
from certify.thresholds.index_tables import Plan

UNIT = -40


class Stationary:
    """A random game of three agents and three steps with a discount and unequal weights, and a stationary policy of it
    found in floats from a random start."""

    def __init__(self, seed: int, objective: str, **sizes) -> None:
        self.rng = np.random.default_rng(seed)
        actions = (3, 2, 2) if objective == "kl" else 2
        usual = dict(agents=3, horizon=3, observations=1, discount=True, weights=True, actions=actions)
        game = random_game(self.rng, **(usual | sizes))
        self.game = for_objective(with_legal_sets(game, seed) if objective == "kl" else game, objective)
        read = read_game(json.loads(json.dumps(game_to_json(self.game))))
        self.process = build_process(replace(read, kl=objective == "kl", flows_back=objective != "local"))
        self.beta = Fraction(int(self.rng.integers(20, 80)), 40)
        plan = Plan(unroll(self.game))
        start = [[softmax(4 * self.rng.normal(size=p.shape)) for p in row] for row in plan.tree.uniform()]
        self.policy, missed = approx_stationary(plan, float(self.beta), start, tolerance=1e-11)
        self.found = missed < 1e-10 and min(rows.min() for own in self.policy for rows in own) > 1e-9

    def box(self):
        """A box of both engines with the policy in it: one or two later classes have room to one side, the others
        hardly any, so that bounds are nearly sharp; or all have some."""
        process, rng = self.process, self.rng
        later = [
            (i, t, k)
            for t in range(1, process.horizon)
            for i in range(process.agents)
            for k in range(process.classes[t][i])
            if process.actions[t][i] > 1
        ]
        few = {later[n] for n in rng.choice(len(later), 2)} if later and rng.random() < 0.7 else set(later)
        fast, plain, size = [], [], rng.choice([0.05, 0.3])
        for t in range(process.horizon):
            ends = []
            for i in range(process.agents):
                policy = self.policy[i][t]
                wide = np.array([(i, t, k) in few for k in range(len(policy))])[:, None] * size
                below = rng.random(policy.shape) < 0.5
                low = np.floor((policy - wide * below) * GRID - 8) / GRID
                high = np.ceil((policy + wide * ~below) * GRID + 8) / GRID
                ends.append((np.clip(low, 0, 1), np.clip(high, 0, 1)) if policy.shape[1] > 1 else (policy, policy))
            fast.append(tuple(BlockBox(*pair) for pair in ends))
            plain.append(tuple(tuple(map(_block, *pair)) for pair in ends))
        return tuple(fast), Box(tuple(plain))

    def steps(self, less: float):
        """For every agent and depth a step per ordered pair and class with the bound that is `less` than what the
        policy does."""
        for t in range(self.process.horizon):
            for i, count in enumerate(self.process.actions[t]):
                logs = np.log(self.policy[i][t])
                for k, row in enumerate(logs):
                    for number, (a, b) in enumerate(pairs(count)):
                        rows = [[None] * (count * (count - 1)) for _ in logs]
                        rows[k][number] = int(np.floor((row[a] - row[b] - less) * 2.0**-UNIT))
                        yield Step(i, t, tuple(map(tuple, rows)))


def _block(low, high):
    return Block(*([int(x * GRID) * (ONE // int(GRID)) for x in end] for end in (low, high)))


def accepted(case: Stationary, boxes: int, less: float, of: int = 13) -> tuple[int, list[StepClaim], int]:
    """How many claims there were, those that the fast engine accepted, of the plain engine's boxes, and how many the
    plain one did of those that it tried, one in `of`."""
    fast, plain, tried, found, count = FastEngine(), StdlibEngine(), 0, [], 0
    fast.begin(case.process)
    plain.begin(case.process)
    for _ in range(boxes):
        arrays, box = case.box()
        near = Fraction(int(case.rng.integers(0, 2)), 8)
        betas, steps = (case.beta * (1 - near), case.beta * (1 + near)), list(case.steps(less))
        tried += len(steps)
        refused = set(fast._doubtful([StepClaim(arrays, betas, step, UNIT) for step in steps]))
        found += [StepClaim(box, betas, step, UNIT) for n, step in enumerate(steps) if n not in refused]
        for step in steps[int(case.rng.integers(of)) :: of]:
            count += plain.verify([StepClaim(box, betas, step, UNIT)]) is None
    return tried, found, count


@pytest.mark.parametrize("seed, objective", [(5, "entropy"), (2, "kl"), (5, "local")])
def test_claims_a_millionth_below_a_stationary_policy_are_refused(seed, objective):
    case = Stationary(seed, objective)
    tried, found, count = accepted(case, 2, 1e-6)
    assert case.found and tried > 80 and not found and not count
    assert len(accepted(case, 1, -0.5, of=10**6)[1]) > 10  # and claims that leave room are not


MANY = {
    "entropy": ("entropy", {}),
    "kl": ("kl", {}),
    "local": ("local", {}),
    "observations": ("entropy", {"observations": (2, 1, 1)}),
    "action sets": ("entropy", {"actions": (3, 2, 2), "available": True}),
    "kl of two": ("kl", {"agents": 2, "actions": 3}),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", MANY)
def test_many_claims_a_millionth_below_a_stationary_policy_are_refused(name):
    objective, sizes = MANY[name]
    claims = 0
    for seed in range(100, 115):
        case = Stationary(seed, objective, **sizes)
        if case.found and max(map(len, case.process.joint)) <= 300:
            tried, found, count = accepted(case, 3, 1e-6, of=20)
            assert not found and not count, seed
            claims += tried
    assert claims > 500


@pytest.mark.parametrize("rule", RULES)
def test_a_false_rule_is_noticed(rule):
    """A mixture of ways at the ends of an interval is not: what it shows is true."""
    case = Stationary(5, "local" if rule == "under_the_local_bonus" else "entropy")
    with broken(rule):
        found = accepted(case, 2, 1e-6, of=10**6)[1]
        if rule == "at_one_end_of_the_interval":
            assert not found
            return
        plain = StdlibEngine()
        plain.begin(case.process)
        assert found and plain.verify(found[:1]) is None
