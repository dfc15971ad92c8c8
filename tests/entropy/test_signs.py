"""Certified signs and η_max: the cases of docs/theory/entropy.md#finite-steps, three answers, and refusals to guess."""

import itertools
from dataclasses import replace
from fractions import Fraction

import pytest
from entropy_instances import row
from flint import arb

from certify.entropy.algorithms import direction
from certify.entropy.dynamics import EntropyPath
from certify.entropy.enclosure import RationalEnclosure, enclosure, working_precision
from certify.entropy.policy import StatePolicy, policy_from_json
from certify.entropy.repo import neutral_beta
from certify.entropy.sign import certify_sign, largest_step
from certify.errors import InputError

ZERO, HUNDREDTH = Fraction(0), Fraction(1, 100)


def path_of(probabilities, advantages, algorithm="reinforce", **parameters):
    policy = policy_from_json(probabilities)
    return EntropyPath(policy, direction(algorithm, policy, (advantages,), parameters))


@pytest.fixture(autouse=True)
def precision():
    with working_precision():
        yield


def test_rare_action_with_positive_advantage_raises_the_entropy_up_to_eta_max():
    path = path_of(["1/100", "49/100", "1/2"], row(1, 0, 0))
    result = largest_step(path, Fraction(1000))
    assert result.sign == "increases" and not result.limited
    # the change is proved positive up to η_max and negative just above it
    assert result.eta_max < result.reversed_at < result.eta_max * Fraction(1001, 1000)
    assert path.change_at(result.eta_max) > 0 and path.change_at(result.reversed_at) < 0
    proved = certify_sign(path, ZERO, result.eta_max)
    assert proved.status == "proved" and proved.sign == "increases"
    assert certify_sign(path, ZERO, result.reversed_at).status == "undecided"


@pytest.mark.parametrize("algorithm", ["reinforce", "natural", "rloo", "grpo"])
def test_advantages_ordered_as_the_probabilities_lower_the_entropy(algorithm):
    path = path_of(["1/2", "3/10", "1/5"], row(5, 3, 2), algorithm)
    result = largest_step(path, Fraction(20))
    assert result.sign == "decreases" and result.limited and result.eta_max == 20


def test_pieces_cover_the_interval_without_a_gap():
    pieces = certify_sign(path_of(["1/2", "3/10", "1/5"], row(5, 3, 2), "natural"), ZERO, Fraction(20)).pieces
    assert pieces[0].lower == 0 and pieces[-1].upper == 20
    assert all(a.upper == b.lower for a, b in itertools.pairwise(pieces))


def test_a_sign_that_changes_is_undecided_with_a_witness():
    path = path_of(["1/100", "49/100", "1/2"], row(1, 0, 0))
    result = certify_sign(path, ZERO, Fraction(500))
    assert result.status == "undecided" and path.change_at(result.witness) > 0
    assert path.change_at(Fraction(500)) < 0


def test_uniform_policy_loses_entropy_at_second_order():
    path = path_of(["1/3", "1/3", "1/3"], row(1, 0, 0), "natural")
    assert path.first_order().is_zero()
    result = certify_sign(path, ZERO, HUNDREDTH)
    assert result.sign == "decreases" and result.pieces[0].rule == "second"


def test_zero_step_is_said_to_be_zero():
    result = certify_sign(path_of(["1/4", "3/4"], row(0, 0)), ZERO, HUNDREDTH)
    assert result.status == "undecided" and "exactly 0" in result.reason


def test_neutral_beta_makes_the_first_order_vanish():
    policy = policy_from_json(["1/2", "3/10", "1/5"])
    advantages = (row(5, 3, 2),)
    u = direction("repo", policy, advantages, {"beta": "neutral"})
    computed = EntropyPath(policy, replace(u, neutral=False)).first_order()  # the formula, evaluated
    assert computed.contains(0) and enclosure(computed).width <= Fraction(1, 10**12)
    assert EntropyPath(policy, u).first_order().is_zero()
    assert certify_sign(EntropyPath(policy, u), ZERO, HUNDREDTH).sign == "decreases"
    nearby = neutral_beta(policy, advantages) + arb("1e-9")
    shifted = direction("repo", policy, advantages, {"beta": enclosure(nearby).lower})
    assert EntropyPath(policy, shifted).first_order() > 0


def test_neutral_beta_is_refused_at_the_uniform_policy():
    with pytest.raises(InputError, match="0/0"):
        path_of(["1/2", "1/2"], row(1, 0), "repo", beta="neutral")


def test_repo_r_can_lower_the_entropy():
    """Theory's instance: ζ = 0.05 takes the first-order change from −0.12428 to −0.12470."""
    state = ["2/5", "3/10", "3/10"]
    plain = path_of(state, row(3, -4, 0), "repo-r", zeta="0").first_order()
    rescaled = path_of(state, row(3, -4, 0), "repo-r", zeta="1/20").first_order()
    assert abs(plain + arb("0.12428")) < arb("1e-5") and abs(rescaled + arb("0.12470")) < arb("1e-5")
    assert rescaled < plain


def test_a_policy_known_too_loosely_is_undecided():
    state = StatePolicy(tuple(RationalEnclosure(Fraction(1, 10), Fraction(9, 10)) for _ in range(2)))
    path = EntropyPath((state,), direction("natural", (state,), (row(1, 0),), {}))
    assert certify_sign(path, ZERO, HUNDREDTH).status == "undecided"
    assert largest_step(path, Fraction(1)).eta_max is None


def test_single_steps_and_bad_intervals():
    path = path_of(["1/4", "3/4"], row(1, 0))
    assert certify_sign(path, HUNDREDTH, HUNDREDTH).status == "proved"
    for lower, upper in ((ZERO, ZERO), (Fraction(-1), Fraction(1)), (Fraction(2), Fraction(1))):
        with pytest.raises(InputError):
            certify_sign(path, lower, upper)
    with pytest.raises(InputError):
        largest_step(path, ZERO)
