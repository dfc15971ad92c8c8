"""Signs for every step size: proved beyond a limit, never where the entropy comes back."""

import random
from fractions import Fraction

import pytest
from entropy_instances import random_advantages, random_policy, row

from certify.entropy.algorithms import direction
from certify.entropy.dynamics import EntropyPath
from certify.entropy.enclosure import working_precision
from certify.entropy.policy import policy_from_json
from certify.entropy.sign import largest_step
from certify.entropy.tail import falls_beyond


@pytest.fixture(autouse=True)
def precision():
    with working_precision():
        yield


def natural(policy, advantages):
    return EntropyPath(policy, direction("natural", policy, (advantages,), {}))


def test_ordered_advantages_lower_the_entropy_for_every_step():
    result = largest_step(natural(policy_from_json(["1/2", "3/10", "1/5"]), row(5, 3, 2)), Fraction(20))
    assert result.sign == "decreases" and result.limited and result.forever


def test_nothing_is_claimed_where_the_best_actions_tie():
    path = natural(policy_from_json(["98/100", "1/100", "1/100"]), row(0, 1, 1))
    assert not falls_beyond(path, Fraction(64))  # it ends uniform on two actions, above its start
    assert path.change_at(Fraction(64)) > 0


def test_claims_hold_at_larger_steps():
    rng, claimed = random.Random(2), 0
    for _ in range(60):
        n = rng.randint(2, 8)
        path = natural((random_policy(rng, n),), random_advantages(rng, n))
        for eta in (Fraction(1, 2), Fraction(2), Fraction(8)):
            if falls_beyond(path, eta):
                claimed += 1
                assert all(path.change_at(eta * k) < 0 for k in (1, 2, 5, 10))
    assert claimed > 60


def test_a_wrong_share_is_not_accepted():
    """Below the share k/n the bound is not monotone, and nothing is claimed."""
    path = natural(policy_from_json(["1/10", "9/10"]), row(1, 0))
    assert not falls_beyond(path, Fraction(1)) and path.change_at(Fraction(1)) > 0
    assert falls_beyond(path, Fraction(8))
