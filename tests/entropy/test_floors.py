"""The page docs/theory/updates.md in numbers: mode token, second derivatives, safe steps, drift, floors; each statement
on random instances, and a weakened version of each that fails."""

from __future__ import annotations

from fractions import Fraction
from math import e, log

import numpy as np
import pytest

from certify.entropy.controller_proofs import prove_target_entropy
from certify.entropy.controllers import TargetEntropyController
from certify.entropy.enclosure import enclosure, working_precision
from certify.entropy.floors import Lumped, constant_floor, controller_run, largest_safe_step, repo_run, run_floor
from certify.errors import InputError

CHECKS = 20_000


def log_softmax(x):
    x = x - x.max(-1, keepdims=True)
    return x - np.log(np.exp(x).sum(-1, keepdims=True))


def entropy_of(log_pi):
    return -(np.exp(log_pi) * log_pi).sum(-1)


def policies(rng, count, n, mode=None):
    """Log-probabilities (count, n); with `mode`, action 0 has at least that much."""
    pi = rng.dirichlet(np.full(n, rng.choice([0.05, 0.3, 1, 5])), count)
    pi = np.maximum(pi, 1e-200)
    pi /= pi.sum(1, keepdims=True)
    if mode is not None:
        p = mode + (1 - mode) * rng.random((count, 1)) ** 2
        rest = np.maximum(rng.dirichlet(np.full(n - 1, rng.choice([0.01, 0.1, 1])), count), 1e-200)
        pi = np.concatenate([p, (1 - p) * rest / rest.sum(1, keepdims=True)], axis=1)
    return np.log(pi)


def steps_of(rng, log_pi):
    """Directions: random, policy gradients, REPO."""
    pi, big_l = np.exp(log_pi), log_pi + entropy_of(log_pi)[:, None]
    a = rng.normal(size=log_pi.shape) - rng.uniform(0, 2, size=(len(pi), 1)) * big_l
    u = pi * (a - (pi * a).sum(1, keepdims=True))
    return np.where(rng.random((len(pi), 1)) < 0.5, u, rng.normal(size=log_pi.shape))


def batches(seed):
    rng = np.random.default_rng(seed)
    for _ in range(CHECKS // 1000):
        yield rng, int(rng.choice([2, 3, 5, 20, 100]))


def rises(mode):
    """How often a sampled token of at least that probability, A > 0, lets the entropy rise."""
    count = 0
    for rng, n in batches(1):
        log_pi = policies(rng, 1000, n, mode)
        u = -np.exp(log_pi)
        u[:, 0] += 1
        before = entropy_of(log_pi)
        eta = rng.exponential(size=(1000, 1)) * 10 ** rng.uniform(-3, 2, (1000, 1))
        middle = entropy_of(log_softmax(log_pi + eta / 2 * u))
        after = entropy_of(log_softmax(log_pi + eta * u))
        count += int(((middle > before + 1e-12) | (after > middle + 1e-12)).sum())
    return count


def test_a_majority_token_with_positive_advantage_lowers_the_entropy():
    assert rises(0.5) == 0


def test_less_than_a_half_is_not_enough():
    assert rises(0.35) > 0


def companion(slack):
    """Tokens with L_k <= slack, A > 0, whose entropy falls to first order."""
    count = 0
    for rng, n in batches(2):
        log_pi = policies(rng, 1000, n)
        pi, big_l = np.exp(log_pi), log_pi + entropy_of(log_pi)[:, None]
        k = rng.integers(0, n, 1000)
        at = np.arange(1000)
        slope = -(pi[at, k] * big_l[at, k] - (pi * pi * big_l).sum(1))
        count += int(((big_l[at, k] <= slack) & (slope < -1e-14)).sum())
    return count


def test_tokens_below_the_mean_raise_the_entropy_to_first_order():
    assert companion(0.0) == 0


def test_tokens_above_the_mean_need_not():
    assert companion(0.5) > 0


def second_derivatives(scale_low, scale_norm, scale_value):
    """Violations of the three bounds on second derivatives, each scaled."""
    count = 0
    for rng, n in batches(3):
        log_pi = policies(rng, 1000, n)
        u = rng.normal(size=log_pi.shape) * np.where(
            rng.random((1000, 1)) < 0.3, np.eye(n)[rng.integers(0, n, 1000)], 1
        )
        pi, big_l = np.exp(log_pi), log_pi + entropy_of(log_pi)[:, None]
        v = u - (pi * u).sum(1, keepdims=True)
        second = -(pi * v * v).sum(1) - (pi * big_l * v * v).sum(1)
        spread, norm = u.max(1) - u.min(1), (u * u).sum(1)
        a = (rng.random(log_pi.shape) < 0.5).astype(float)
        value = (pi * a * (v * v - (pi * v * v).sum(1, keepdims=True))).sum(1)
        count += int((second < -scale_low * (1 + log(n)) * spread**2 / 4 - 1e-12).sum())
        count += int((np.abs(second) > scale_norm * (1 + log(n)) / 2 * norm + 1e-12).sum())
        count += int((np.abs(value) > scale_value * norm / (3 * 3**0.5) + 1e-12).sum())
    return count


def test_second_derivatives_are_bounded():
    assert second_derivatives(1, 1, 1) == 0


@pytest.mark.parametrize("scales", [(0.4, 1, 1), (1, 0.25, 1), (1, 1, 0.8)])
def test_smaller_constants_fail(scales):
    assert second_derivatives(*scales) > 0


def unsafe(factor):
    """Steps up to `factor` × the safe one after which the entropy is lower."""
    count = 0
    for rng, n in batches(4):
        log_pi = policies(rng, 1000, n)
        u = steps_of(rng, log_pi)
        pi = np.exp(log_pi)
        u = u - (pi * u).sum(1, keepdims=True)
        slope = -(pi * log_pi * u).sum(1)
        u, slope = np.where(slope[:, None] < 0, -u, u), np.abs(slope)
        spread = u.max(1) - u.min(1)
        safe = 8 * slope / ((1 + log(n)) * np.maximum(spread, 1e-300) ** 2)
        for share in (0.1, 0.5, 1.0):
            after = entropy_of(log_softmax(log_pi + (factor * share * safe)[:, None] * u))
            count += int((after < entropy_of(log_pi) - 1e-11).sum())
    return count


def test_safe_steps_are_safe():
    assert unsafe(1) == 0


def test_steps_three_times_as_long_are_not():
    assert unsafe(3) > 0


def drifts(factor):
    count = 0
    for rng, n in batches(5):
        log_pi = policies(rng, 1000, n)
        u = steps_of(rng, log_pi)
        spread = u.max(1) - u.min(1)
        eta = rng.exponential(size=1000) * 2
        before, after = entropy_of(log_pi), entropy_of(log_softmax(log_pi + eta[:, None] * u))
        bound = factor * spread * eta
        count += int(((after > before * np.exp(bound) + 1e-11) | (after < before * np.exp(-bound) - 1e-11)).sum())
    return count


def test_drift_is_bounded_by_the_range_of_the_step():
    assert drifts(1) == 0


def test_a_third_of_it_is_not():
    assert drifts(1 / 3) > 0


def run(theta, reward, beta, eta, steps, normalised=False):
    """The least entropies of exact REPO runs, rows at once."""
    least = entropy_of(log_softmax(theta))
    for _ in range(steps):
        log_pi = log_softmax(theta)
        pi, h = np.exp(log_pi), entropy_of(log_pi)
        least = np.minimum(least, h)
        a = reward - (pi * reward).sum(1, keepdims=True)
        if normalised:
            a = a / np.sqrt((pi * a * a).sum(1, keepdims=True))
        b = a - beta * (log_pi + h[:, None])
        theta = theta + eta * pi * (b - (pi * b).sum(1, keepdims=True))
    return np.minimum(least, entropy_of(log_softmax(theta)))


def test_the_floor_of_constant_coefficients():
    for rng, n in batches(6):
        reward = rng.uniform(-1, 1, (1000, n)) * rng.choice([0.3, 1, 3])
        beta = rng.uniform(0.05, 2, (1000, 1))
        theta = rng.normal(size=(1000, n)) * rng.choice([0.2, 1, 3])
        spread = (reward.max(1) - reward.min(1))[:, None]
        eta = 1 / (spread / (3 * 3**0.5) + beta * (1 + log(n)) / 2)
        log_pi = log_softmax(theta)
        floor = entropy_of(log_pi) - (reward.max(1) - (np.exp(log_pi) * reward).sum(1)) / beta[:, 0]
        assert (run(theta, reward, beta, eta, 60) >= floor - 1e-11).all()


def test_the_floor_fails_with_standard_deviations():
    """n = 1000, p_0 = 4/5, beta = 29/100, r = e_0: .158 is claimed, less than .001 reached (proved)."""
    n, beta = 1000, Fraction(29, 100)
    eta = Fraction(int(largest_safe_step(Fraction(5, 2), beta, n) * 1000), 1000)
    with working_precision():
        start = enclosure(Lumped.start(n, Fraction(4, 5)).entropy())
    claimed = constant_floor(start, Fraction(1, 2), beta)  # max A − E A = sqrt((1 − p)/p) = 1/2
    assert Fraction(157, 1000) < claimed < Fraction(159, 1000)
    assert repo_run(n, Fraction(4, 5), beta, eta, 1000, normalised=True).upper < Fraction(1, 1000)
    true_floor = constant_floor(start, Fraction(1, 5), beta)
    assert repo_run(n, Fraction(4, 5), beta, eta, 1000, normalised=False).lower >= true_floor


def test_the_target_entropy_controller_has_its_invariants():
    assert all(p.status == "proved" for p in prove_target_entropy())


def test_a_controller_that_rises_above_its_target_is_refuted():
    def wrong(c, below, change, most, if_):
        up = c + change
        return if_(up > most, most, up)

    assert {p.name: p.status for p in prove_target_entropy(wrong)}["falls above"] == "refuted"


def test_the_controller_saturates_as_announced():
    c = TargetEntropyController(Fraction(3, 10), Fraction(1))
    value, steps = Fraction(0), 0
    while value < 1:
        value, steps = c.step(value, -1), steps + 1
    assert steps == c.saturation_steps() == 4 and c.bonus(value, 1) == 0


def controlled(seed, count, weaken=0.0):
    """Runs of the controller that fall below their floor."""
    rng = np.random.default_rng(seed)
    broken = 0
    for _ in range(count):
        n = int(rng.choice([2, 3, 10]))
        reward = rng.uniform(0, 1, n)
        spread = reward.max() - reward.min()
        most, change = rng.uniform(1, 30), rng.uniform(0.05, 5)
        eta = rng.uniform(0.01, 1) / (spread / (3 * 3**0.5) + most * (1 + log(n)) / 2)
        theta, c = rng.normal(size=(1, n)) * 0.5, 0.0
        start = float(entropy_of(log_softmax(theta))[0])
        target = start * rng.uniform(0.3, 1.2)
        m = np.ceil(most / change)
        rate = spread / 2 + most * (log(n) + 1 / e)
        floor = min(start, target) * np.exp(-(m + 1) * rate * eta) - spread / most + weaken
        for _ in range(200):
            log_pi = log_softmax(theta)
            h = float(entropy_of(log_pi)[0])
            broken += h < floor - 1e-11
            beta = c if h <= target else 0.0
            b = reward - beta * (log_pi + h)
            pi = np.exp(log_pi)
            theta = theta + eta * pi * (b - (pi * b).sum(1, keepdims=True))
            c = min(most, c + change) if h < target else max(0.0, c - change) if h > target else c
    return broken


def test_the_floor_of_the_controller():
    assert controlled(7, 100) == 0  # 20,000 steps


def test_a_higher_floor_fails():
    assert controlled(7, 100, weaken=0.4) > 0


def test_a_weak_controller_does_not_hold_its_target():
    weak = TargetEntropyController(Fraction(1, 100), Fraction(1, 20))
    target = Fraction(3, 5)
    assert controller_run(weak, target, 2, Fraction(1, 2), Fraction(1, 2), 3000).upper < Fraction(1, 100)
    strong = TargetEntropyController(Fraction(1), Fraction(5))
    floor = run_floor(strong, target, target, Fraction(1), 2, Fraction(1, 50))
    assert 0 < floor < controller_run(strong, target, 2, Fraction(1, 2), Fraction(1, 50), 1000).lower


def test_steps_that_are_too_long_have_no_floor():
    with pytest.raises(InputError, match="largest_safe_step"):
        run_floor(
            TargetEntropyController(Fraction(1), Fraction(5)), Fraction(1), Fraction(1), Fraction(1), 2, Fraction(9)
        )
