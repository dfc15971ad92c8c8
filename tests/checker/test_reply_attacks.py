"""The attacks on replies (`make_reply_attacks`) attack what they are named after: under the false rule both engines
accept the whole file, and but for one file stationary policies do what its step says that none does."""

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from broken_replies import broken
from fast_reference import own_values, random_policy
from make_reply_attacks import attacks_by_name

from certify.checker import check_certificate
from certify.checker.cover.tree import pairs
from certify.checker.reading.game import game_of
from certify.checker.reading.process import build_process

FOLDER = Path(__file__).resolve().parents[1] / "certificates"
EXPECTED = json.loads((FOLDER / "expected.json").read_text())
ATTACKS = attacks_by_name()
TRUE = "at_one_end_of_the_interval"  # not shown, and true all the same (docs/theory/localisation.md#replies)


def attack(name):
    return json.loads((FOLDER / "invalid" / f"replies_{name}.json").read_text())


@pytest.mark.parametrize("engine", ["stdlib", "fast"])
@pytest.mark.parametrize("name", ATTACKS)
def test_the_false_rule_accepts_it(name, engine):
    certificate = attack(name)
    with broken(ATTACKS[name].rule):
        assert check_certificate(certificate, engine=engine).valid


def settled(process, beta, policy, rounds=300):
    """A stationary policy in floats, by damped iteration, and by how much it misses."""
    paid = process if process.flows_back else replace(process, weights=(0,) * process.agents)
    for _ in range(rounds):
        missed = 0.0
        for t in reversed(range(process.horizon)):
            for i, w in enumerate(process.weights):
                logits = own_values(paid, policy, i, t, beta) / float(w)
                row = np.exp(logits - logits.max(1, keepdims=True))
                row /= row.sum(1, keepdims=True)
                missed = max(missed, np.abs(row - policy[t][i]).max())
                policy[t][i] = (row + policy[t][i]) / 2
        if missed < 1e-10:
            break
    return policy, missed


def exceeded(name):
    """Whether a stationary policy, at one of a few temperatures of the node, exceeds a bound of the step that is
    refused by more than a hundredth."""
    certificate, place = attack(name), EXPECTED[f"replies_{name}"]
    process = build_process(game_of(certificate))
    node = certificate["proof"]["nodes"][place["node"]]
    step, rng = node["steps"][place["step"]], np.random.default_rng(0)
    low, high = (float(Fraction(beta)) for beta in node["beta"])
    bounds = np.array(step["log_ratio"], dtype=float) * 2.0 ** certificate["proof"]["unit"]
    a, b = np.array(pairs(process.actions[step["depth"]][step["agent"]])).T
    for beta in (high, low + (high - low) / 16, high, (low + high) / 2, high):
        policy, missed = settled(process, beta, random_policy(rng, process, 9.0))
        rows = np.log(policy[step["depth"]][step["agent"]])
        if missed < 1e-9 and (rows[:, a] - rows[:, b] > bounds + 0.01).any():
            return True
    return False


@pytest.mark.parametrize("name", ATTACKS)
def test_the_claim_is_false(name):
    assert exceeded(name) is (name != TRUE)
