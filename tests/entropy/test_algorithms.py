"""Each algorithm's direction against its definition: brute-force enumeration of groups, and the
numerical gradient of the clipped objectives."""

import itertools
import json
import random
from fractions import Fraction
from math import prod

import numpy as np
import pytest
from entropy_instances import random_advantages, random_policy, row
from flint import arb

from certify.entropy.algorithms import ALGORITHMS, direction
from certify.entropy.enclosure import ball, working_precision
from certify.entropy.groups import grpo_advantages, rloo_advantages
from certify.entropy.policy import policy_from_json
from certify.errors import InputError


@pytest.fixture(autouse=True)
def precision():
    with working_precision():
        yield


def by_enumeration(state, rewards, size, advantages_of):
    """E over all groups of (1/G) Σ_i Â_i (e_{k_i} − π), group by group."""
    pi = [e.lower for e in state.entries]
    total = [arb(0)] * state.size
    for group in itertools.product(range(state.size), repeat=size):
        chance = ball(prod((pi[k] for k in group), start=Fraction(1)))
        for k, a in zip(group, advantages_of([rewards[j].lower for j in group]), strict=True):
            a = a if isinstance(a, arb) else ball(a)
            for b in range(state.size):
                total[b] += chance * a * (ball(Fraction(int(b == k))) - ball(pi[b])) / size
    return total


@pytest.mark.parametrize(
    ("name", "given", "advantages_of"),
    [
        ("rloo", {}, rloo_advantages),
        ("grpo", {"std": "none"}, lambda r: grpo_advantages(r, "none", Fraction(0))),
        ("grpo-population", {}, lambda r: grpo_advantages(r, "population", Fraction(0))),
        ("grpo", {"std": "sample", "delta": "1/100"}, lambda r: grpo_advantages(r, "sample", Fraction(1, 100))),
    ],
)
def test_expectation_over_all_groups(name, given, advantages_of):
    rng = random.Random(3)
    for rewards in (row(1, 0, 0), row(1, 0, 1), random_advantages(rng, 3)):
        state = random_policy(rng, 3)
        if name.startswith("grpo"):
            given = {**given, "group_size": "4"}
        found = direction(name, (state,), (rewards,), given)
        assert found.average == "all groups"
        expected = by_enumeration(state, rewards, 4, advantages_of)
        assert all(x.overlaps(y) and x.rad() < 1e-30 for x, y in zip(found.rows[0], expected, strict=True))


def test_a_given_group():
    state = random_policy(random.Random(1), 3)
    found = direction("rloo", (state,), (row(1, 0, 0),), {"group": "[0, 1, 1]"})
    assert found.average == "the given sample"
    pi = [e.lower for e in state.entries]
    # advantages 1, -1/2, -1/2 sum to 0, so π drops out
    assert found.rows[0][0].contains(arb(1) / 3) and found.rows[0][1].contains(arb(-1) / 3)
    assert found.rows[0][2].contains(0) and len(pi) == 3


def test_grpo_is_scale_free_and_zero_on_agreeing_groups():
    wide = grpo_advantages([Fraction(1), Fraction(0)], "population", Fraction(0))
    assert wide[0].contains(1) and wide[1].contains(-1)
    assert all(x.is_zero() for x in grpo_advantages([Fraction(2)] * 4, "population", Fraction(0)))


def test_many_actions_with_two_rewards_stay_small_and_too_many_groups_are_refused():
    state = random_policy(random.Random(2), 40)
    assert direction("grpo", (state,), (row(*([1] + [0] * 39)),), {"group_size": "16"}).rows[0][0] > 0
    with pytest.raises(InputError, match="too many groups"):
        direction("grpo", (state,), (row(*range(40)),), {"group_size": "16"})


def approx_softmax(theta):
    weights = np.exp(theta - theta.max())
    return weights / weights.sum()


def approx_gradient(objective, theta):
    step = 1e-6
    return np.array(
        [(objective(theta + step * e) - objective(theta - step * e)) / (2 * step) for e in np.eye(len(theta))]
    )


@pytest.mark.parametrize("name", ["ppo", "dapo"])
def test_clipped_directions_are_gradients_of_the_clipped_objective(name):
    rng = np.random.default_rng(6)
    low, high = (0.2, 0.2) if name == "ppo" else (0.2, 0.28)
    clipped_somewhere = False
    for _ in range(20):
        new, old = (rng.integers(1, 9, 4) for _ in range(2))
        advantages = rng.integers(-3, 4, 4)
        policy = policy_from_json([f"{w}/{new.sum()}" for w in new])
        before = [f"{w}/{old.sum()}" for w in old]
        found = direction(name, policy, (row(*map(int, advantages)),), {"old": json.dumps(before)}).rows[0]
        q = old / old.sum()

        def objective(theta, q=q, a=advantages):
            ratio = approx_softmax(theta) / q
            return float((q * np.minimum(ratio * a, np.clip(ratio, 1 - low, 1 + high) * a)).sum())

        gradient = approx_gradient(objective, np.log(new / new.sum()))
        ratio = new / new.sum() / q
        clipped_somewhere |= bool(np.any((ratio > 1 + high) & (advantages > 0)))
        assert np.allclose([float(x) for x in found], gradient, atol=1e-6)
    assert clipped_somewhere


def test_clip_limits_themselves_keep_the_gradient():
    policy, old = policy_from_json(["3/5", "2/5"]), json.dumps(["1/2", "1/2"])
    at_limit = direction("ppo", policy, (row(1, 0),), {"old": old, "eps": "1/5"})
    beyond = direction("ppo", policy, (row(1, 0),), {"old": old, "eps": "199/1000"})
    assert at_limit.rows[0][0] > 0 and beyond.rows[0][0].is_zero()


def test_gspo_is_the_gradient_of_its_objective():
    sequences = [{"tokens": [[0, 0], [1, 1]]}, {"tokens": [[0, 1]]}, {"tokens": [[1, 0], [1, 0], [0, 2]]}]
    policy = policy_from_json({"states": [{"probabilities": ["1/2", "1/3", "1/6"]}, {"probabilities": ["1/4", "3/4"]}]})
    old = {"states": [{"probabilities": ["2/5", "2/5", "1/5"]}, {"probabilities": ["1/3", "2/3"]}]}
    advantages = np.array([1.0, -2.0, 0.5])
    found = direction(
        "gspo",
        policy,
        (row(1, -2, "1/2"),),
        {"sequences": json.dumps(sequences), "old": json.dumps(old), "eps_low": "1/10", "eps_high": "1/2"},
    )
    q = [np.log([2 / 5, 2 / 5, 1 / 5]), np.log([1 / 3, 2 / 3])]

    def objective(theta):
        p = [np.log(approx_softmax(theta[:3])), np.log(approx_softmax(theta[3:]))]
        ratio = np.array([np.exp(np.mean([p[s][a] - q[s][a] for s, a in item["tokens"]])) for item in sequences])
        return float(np.mean(np.minimum(ratio * advantages, np.clip(ratio, 0.9, 1.5) * advantages)))

    gradient = approx_gradient(objective, np.log([1 / 2, 1 / 3, 1 / 6, 1 / 4, 3 / 4]))
    assert np.allclose([float(x) for r in found.rows for x in r], gradient, atol=1e-6)


def test_gspo_with_given_token_log_probabilities():
    policy = policy_from_json(["1/2", "1/2"])
    item = {"tokens": [[0, 0], [0, 1]], "old_log_probabilities": ["-1", "-1"]}
    found = direction("gspo", policy, (row(1),), {"sequences": json.dumps([item]), "eps_high": "1"})
    # ratio e^(1 − log 2), spread over two tokens whose pushes cancel
    assert all(x.contains(0) for x in found.rows[0])
    clipped = direction("gspo", policy, (row(1),), {"sequences": json.dumps([item]), "eps_high": "1/10"})
    assert all(x.is_zero() for x in clipped.rows[0])


def test_entropy_bonus_is_repo_on_policy():
    rng = random.Random(9)
    policy, advantages = (random_policy(rng, 5),), (random_advantages(rng, 5),)
    bonus = direction("entropy-bonus", policy, advantages, {"coefficient": "1/3"})
    repo = direction("repo", policy, advantages, {"beta": "1/3"})
    assert all(x.overlaps(y) for x, y in zip(bonus.rows[0], repo.rows[0], strict=True))


def test_repo_d_takes_beta_from_the_first_order_loss():
    rng = random.Random(10)
    policy, advantages = (random_policy(rng, 5),), (random_advantages(rng, 5),)
    from certify.entropy.repo import first_order_loss

    beta = first_order_loss(policy, advantages)
    twice = direction("repo-d", policy, advantages, {"zeta": "2"})
    from certify.entropy.repo import repo_advantages
    from certify.entropy.steps import expected_gradient

    same = expected_gradient(policy, repo_advantages(policy, advantages, 2 * beta))
    assert all(x.overlaps(y) for x, y in zip(twice.rows[0], same.rows[0], strict=True))


def test_repo_r_clamps_log_probabilities():
    policy = policy_from_json([f"1/{10**12}", f"{10**12 - 1}/{10**12}"])  # log π = −27.6
    free = direction("repo-r", policy, (row(1, 0),), {"zeta": "1/20"})
    clamped = direction("repo-r", policy, (row(1, 0),), {"zeta": "1/20", "clamp": "20"})
    assert free.rows[0][0] > clamped.rows[0][0] > 0


def test_a_baseline_drops_out_of_the_expected_step_only():
    policy = policy_from_json(["1/2", "1/3", "1/6"])
    for name, same in (("reinforce", True), ("reinforce-sample", False)):
        given = {"action": "0"} if name == "reinforce-sample" else {}
        plain = direction(name, policy, (row(1, 0, -1),), given)
        shifted = direction(name, policy, (row(1, 0, -1),), {**given, "baseline": "5"})
        assert all(x.overlaps(y) for x, y in zip(plain.rows[0], shifted.rows[0], strict=True)) == same


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("nonsense", {}),
        ("reinforce", {"eps": "1"}),
        ("ppo", {"eps": "-0.1"}),
        ("dapo", {"eps_high": "-1"}),
        ("ppo", {"eps_low": "1.5"}),
        ("grpo", {"std": "robust"}),
        ("grpo", {"group_size": "1"}),
        ("grpo", {"delta": "-1"}),
        ("rloo", {"group": "[0]"}),
        ("rloo", {"group": "[0, 9]"}),
        ("reinforce-sample", {}),
        ("reinforce-sample", {"action": "7"}),
        ("reinforce-sample", {"action": "1/2"}),
        ("repo", {"beta": "nan"}),
        ("gspo", {}),
        ("gspo", {"sequences": "[]"}),
        ("gspo", {"sequences": '[{"tokens": [[0, 9]]}]'}),
        ("ppo", {"old": '["1/2", "1/2"]'}),
        ("ppo", {"old": '["1/2", "1/2", "1/2"]'}),
        ("repo-r", {"clamp": "0"}),
    ],
)
def test_bad_input_is_one_line(name, given):
    policy = policy_from_json(["1/2", "1/3", "1/6"])
    with pytest.raises(InputError) as caught:
        direction(name, policy, (row(1, 0, -1),), given)
    assert "\n" not in str(caught.value) and ";" in str(caught.value)


def test_every_algorithm_says_where_it_comes_from():
    assert all(a.definition and a.source for a in ALGORITHMS.values()) and len(ALGORITHMS) == 14
