"""Policies of the local bonus: enclosures against plain recursion on histories, the rate against the flow, cross-play;
another objective's certificate is refused."""

from __future__ import annotations

import copy
import json
from fractions import Fraction as F
from typing import Any

import numpy as np
import pytest
from local_certificates import legal as local_legal_game
from local_oracle import PlainFlow, local_fixed_point

import certify
from certify.checker import check_certificate
from certify.games import builtin
from certify.games.aoh import aoh_key
from certify.games.objective import for_objective
from certify.games.tree import unroll

ALPHA = F(3)


@pytest.fixture(scope="module")
def found() -> certify.OptimumResult:
    return certify.optimum(builtin("recycling", 2), ALPHA, objective="local")


def test_the_policy_is_that_of_the_definition(found: certify.OptimumResult) -> None:
    game = builtin("recycling", 2)
    assert found.status == "proved" and found.kind == "unique" and found.objective == "local"
    for (i, x), row in local_fixed_point(game, float(ALPHA), rounds=40).items():
        enclosed = found.policy[aoh_key(game, i, None, [step for step in x if step[0] is not None])]
        for a, p in row.items():
            bounds = enclosed[game.actions[i][a]]
            assert float(bounds.lower) - 1e-9 <= p <= float(bounds.upper) + 1e-9
    entropy = certify.optimum(game, ALPHA)
    assert found.return_ is not None and entropy.return_ is not None
    assert found.return_.lower > entropy.return_.upper  # another policy


def test_the_rate_is_that_of_the_flow(found: certify.OptimumResult) -> None:
    """Distances from the policy fall at the rate at least, in every direction tried."""
    flow = PlainFlow(unroll(for_objective(builtin("recycling", 2), "local"), cluster=False), float(ALPHA))
    theta = np.log([float(p.lower) for row in found.policy.values() for p in row.values()])
    theta, rng = flow.centred(theta), np.random.default_rng(0)
    assert np.abs(flow.field(theta).real).max() < 1e-9
    pushes = []
    for _ in range(200):
        u = flow.centred(rng.normal(size=len(theta)) * rng.exponential(size=len(theta)) ** 4)
        pushes.append(-flow.push(theta, u) / float(u @ u))
    assert found.rate is not None and float(found.rate) <= min(pushes) < 3 * float(found.rate)


@pytest.mark.slow
def test_below_the_threshold_the_principal_branch() -> None:
    known = certify.threshold("lever:3:1/2", objective="local", method="structural")  # 1/2; a sharper one would do
    below = certify.optimum("lever:3:1/2", F(42, 100), objective="local", threshold=known)
    assert below.status == "proved" and below.kind == "principal branch"


def test_crossplay() -> None:
    assert certify.cross_play("lever:2", 1, objective="local", starts=4).relation == "equal"
    apart = certify.cross_play("lever:2", F(1, 4), objective="local", starts=8)
    assert apart.relation == "gap" and apart.status == "proved"


def test_distance_of_a_policy(found: certify.OptimumResult) -> None:
    table = {key: {a: str(p.lower) for a, p in row.items()} for key, row in found.policy.items()}
    near = certify.policy_distance(builtin("recycling", 2), ALPHA, table, objective="local")
    assert near.status == "proved" and near.distance < F(1, 10**5)


def test_legal_sets_that_depend_on_the_history() -> None:
    game = local_legal_game()
    alpha = 2 * certify.threshold(game, objective="local", method="structural").alpha_star
    there = certify.optimum(game, alpha, objective="local")
    assert there.status == "proved" and there.rate is not None and check_certificate(there.document).valid
    for (i, x), row in local_fixed_point(for_objective(game, "local"), float(alpha), rounds=12).items():
        enclosed = there.policy[aoh_key(game, i, None, [step for step in x if step[0] is not None])]
        assert {game.actions[i][a] for a in row} == set(enclosed)
        for a, p in row.items():
            bounds = enclosed[game.actions[i][a]]
            assert float(bounds.lower) - 1e-6 <= p <= float(bounds.upper) + 1e-6
    # what is paid beside the return is -KL to the uniform policy on legal actions: 0 there, and less elsewhere
    assert there.entropy is not None and there.entropy.upper < 0


ATTACKS: dict[str, Any] = {
    "objective renamed": lambda d: d.update(objective="visitation"),
    "objective renamed to kl": lambda d: d.update(objective="kl"),
    "rate raised": lambda d: d["claim"].update(rate=str(F(d["claim"]["rate"]) * 2)),
    "another temperature": lambda d: d["claim"].update(alpha=["2", "2"]),
    "the threshold of the entropy": lambda d: d["proof"]["threshold"]["proof"].update(form="theorem-D-prime"),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_attacks(found: certify.OptimumResult, attack: str) -> None:
    changed = copy.deepcopy(json.loads(json.dumps(found.document)))
    assert check_certificate(changed).valid
    ATTACKS[attack](changed)
    try:
        verdict = check_certificate(changed)
    except certify.checker.Malformed:
        return
    assert not verdict.valid
