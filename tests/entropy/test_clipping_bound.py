"""The clipping bound: proved from Gibbs' inequalities, enclosed on instances, approached, never
attained, and left by PPO's clipped objective, which does not enforce the premise."""

import itertools
import random
from fractions import Fraction

import pytest
import z3
from entropy_instances import random_policy, row

from certify.entropy.clipping_bound import approach, clipping_bound, ppo_overshoot
from certify.entropy.enclosure import RationalEnclosure
from certify.entropy.policy import StatePolicy, policy_from_json
from certify.errors import InputError

FIFTH = Fraction(1, 5)


def decided(n, *, gibbs=True):
    """z3 on the step of the proof: ratios in range and Gibbs' inequalities imply the bounds.

    Variables: π > 0, ρ, x = −log π >= 0, y = −log π' >= 0; Gibbs twice.
    """
    p, r, x, y = (z3.RealVector(name, n) for name in "prxy")
    low, high = z3.Reals("eps_low eps_high")
    before, after = (
        z3.Sum([a * b for a, b in zip(p, x, strict=True)]),
        z3.Sum([a * b * c for a, b, c in zip(p, r, y, strict=True)]),
    )
    solver = z3.Solver()
    solver.set("timeout", 20_000)
    solver.add(low >= 0, low <= 1, high >= 0)
    for k in range(n):
        solver.add(p[k] > 0, x[k] >= 0, y[k] >= 0, r[k] >= 1 - low, r[k] <= 1 + high)
    if gibbs:
        solver.add(after <= z3.Sum([a * b * c for a, b, c in zip(p, r, x, strict=True)]))  # H' <= −Σ π' log π
        solver.add(before <= z3.Sum([a * b for a, b in zip(p, y, strict=True)]))  # H <= −Σ π log π'
    # the two products that the proof bounds term by term
    for k in range(n):
        solver.add(p[k] * r[k] * x[k] <= (1 + high) * p[k] * x[k], p[k] * r[k] * y[k] >= (1 - low) * p[k] * y[k])
    solver.add(z3.Not(z3.And((1 - low) * before <= after, after <= (1 + high) * before)))
    return solver.check()


def test_bound_follows_from_two_gibbs_inequalities():
    assert decided(2) == z3.unsat


def test_without_gibbs_it_does_not_follow():
    assert decided(2, gibbs=False) == z3.sat


def within_ranges(rng, old, eps):
    """A policy whose ratios to `old` lie in [1 − ε, 1 + ε]."""
    p = [e.lower for e in old.entries]
    push = [Fraction(rng.randint(-100, 100), 100) for _ in p]
    mean = sum(a * b for a, b in zip(p, push, strict=True))
    centred = [b - mean for b in push]
    scale = eps / max(abs(c) for c in centred) if any(centred) else Fraction(0)
    return StatePolicy(row(*(a * (1 + scale * c) for a, c in zip(p, centred, strict=True))))


def test_instances_within_the_range_satisfy_the_bounds():
    rng = random.Random(12)
    for case in range(300):
        old = random_policy(rng, 2 + case % 20)
        found = clipping_bound(old, within_ranges(rng, old, FIFTH), FIFTH, FIFTH)
        assert found.premise == found.conclusion == "proved"


def test_a_ratio_out_of_range_is_named():
    old, new = StatePolicy(row("1/2", "1/2")), StatePolicy(row("1/5", "4/5"))
    found = clipping_bound(old, new, FIFTH, FIFTH)
    assert found.premise == "refuted" and found.witness in (0, 1)


def test_conclusion_can_fail_without_the_premise():
    old, new = StatePolicy(row("1/100", "99/100")), StatePolicy(row("1/2", "1/2"))
    assert clipping_bound(old, new, FIFTH, FIFTH).conclusion == "refuted"


def test_wide_enclosures_are_undecided():
    old = StatePolicy(row("1/2", "1/2"))
    new = StatePolicy(tuple(RationalEnclosure(Fraction(1, 4), Fraction(3, 4)) for _ in range(2)))
    found = clipping_bound(old, new, FIFTH, FIFTH)
    assert found.premise == found.conclusion == "undecided"


@pytest.mark.parametrize("ratio", [Fraction(6, 5), Fraction(4, 5)])
def test_both_sides_are_approached_and_never_attained(ratio):
    limits = [approach(ratio, k) for k in (4, 16, 64, 256, 1024, 4096)]
    gaps = [abs(ratio - e.upper) if ratio > 1 else abs(e.lower - ratio) for e in limits]
    for e in limits:
        assert e.upper < ratio if ratio > 1 else e.lower > ratio
    assert all(a > 2 * b for a, b in itertools.pairwise(gaps)) and gaps[-1] < Fraction(1, 10000)
    # these policies do satisfy the premise
    t = Fraction(1, 2**16)
    old, new = StatePolicy(row(1 - t, t)), StatePolicy(row(1 - ratio * t, ratio * t))
    assert clipping_bound(old, new, FIFTH, FIFTH).premise == "proved"


def test_ppo_leaves_the_range_in_one_step():
    state = policy_from_json(["1/100", "99/100"])[0]
    shot = ppo_overshoot(state, row(1, 0), Fraction(300), FIFTH)
    assert shot.action == 0 and shot.ratio.lower > Fraction(6, 5)
    assert shot.outside == "above" and shot.entropy_ratio.lower > Fraction(6, 5)
    assert ppo_overshoot(state, row(1, 0), Fraction(1, 10), FIFTH) is None


def test_ppo_can_collapse_the_entropy_below_the_bound():
    state = policy_from_json(["9/10", "1/10"])[0]
    assert ppo_overshoot(state, row(1, -1), Fraction(10), FIFTH).outside == "below"


def test_bad_eps():
    state = StatePolicy(row("1/2", "1/2"))
    for low, high in ((Fraction(-1, 10), FIFTH), (FIFTH, Fraction(-1, 10)), (Fraction(3, 2), FIFTH)):
        with pytest.raises(InputError):
            clipping_bound(state, state, low, high)
