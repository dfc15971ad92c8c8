"""Finite steps: the enclosure holds a 200-bit reference every time and is at most 10 % (+ 1e-12)
wider than the true range on step intervals of length 0.01."""

import random
from fractions import Fraction

import mpmath
import pytest
from entropy_instances import as_fraction, random_advantages, random_policy, reference_change, row, to_mpf

from certify.entropy.algorithms import direction
from certify.entropy.dynamics import EntropyPath
from certify.entropy.enclosure import enclosure, working_precision
from certify.entropy.policy import StatePolicy
from certify.entropy.sign import change_range
from certify.errors import InputError

LENGTH = Fraction(1, 100)


def exact_direction(name, state, advantages):
    """u in rationals, from its definition."""
    pi = [e.lower for e in state.entries]
    mean = sum(p * a.lower for p, a in zip(pi, advantages, strict=True))
    centred = [a.lower - mean for a in advantages]
    return centred if name == "natural" else [p * x for p, x in zip(pi, centred, strict=True)]


def true_range(state, u, lower, upper):
    """Smallest and largest change on [lower, upper], at 200 bits, by a grid and golden section."""
    with mpmath.workprec(200):
        u = [to_mpf(x) for x in u]

        def value(eta):
            return reference_change(state, u, eta)

        low, high = to_mpf(lower), to_mpf(upper)
        grid = [low + (high - low) * k / 16 for k in range(17)]
        values = [value(x) for x in grid]
        found = []
        for pick, sign in ((min, 1), (max, -1)):
            best = pick(range(17), key=values.__getitem__)
            a, b = grid[max(0, best - 1)], grid[min(16, best + 1)]
            golden = (mpmath.sqrt(5) - 1) / 2
            for _ in range(60 if 0 < best < 16 else 0):
                c, d = b - golden * (b - a), a + golden * (b - a)
                if sign * value(c) < sign * value(d):
                    b = d
                else:
                    a = c
            found.append(pick(values[best], value((a + b) / 2)))
        return found


def turning_point(path, limit=8):
    """A dyadic η near which H' changes sign, or None."""
    low, high = Fraction(0), Fraction(limit)
    if not path.local(low, Fraction(0)).slope * path.local(high, Fraction(0)).slope < 0:
        return None
    rising = path.local(low, Fraction(0)).slope > 0
    for _ in range(20):
        middle = (low + high) / 2
        if (path.local(middle, Fraction(0)).slope > 0) == rising:
            low = middle
        else:
            high = middle
    return low


def cases():
    rng = random.Random(11)
    found = []
    while len(found) < 120:
        n = rng.choice((2, 3, 5, 12, 30, 50))
        name = rng.choice(("natural", "reinforce"))
        state, advantages = random_policy(rng, n), random_advantages(rng, n)
        path = EntropyPath((state,), direction(name, (state,), (advantages,), {}))
        turn = turning_point(path)
        if len(found) % 2 and turn is None:
            continue  # every second interval straddles an extremum of the entropy
        lower = (
            max(Fraction(0), turn - LENGTH * rng.randint(0, 10) / 10)
            if len(found) % 2
            else Fraction(rng.randint(0, 400), 100)
        )
        found.append((name, state, advantages, path, lower))
    return found


@working_precision()
def test_enclosure_holds_the_reference_and_is_sharp():
    for name, state, advantages, path, lower in cases():
        upper = lower + LENGTH
        found = change_range(path, lower, upper)
        low, high = true_range(state, exact_direction(name, state, advantages), lower, upper)
        with mpmath.workprec(200):
            # golden section stops within the curvature times 1e-24 of the extremum
            assert to_mpf(found.lower) <= low and high <= to_mpf(found.upper)
            assert to_mpf(found.width) <= mpmath.mpf("1.1") * (high - low) + mpmath.mpf("1e-12"), (name, state, lower)


@working_precision()
def test_point_enclosures_hold_the_reference():
    rng = random.Random(2)
    for _ in range(500):
        n = rng.randint(2, 50)
        state, advantages = random_policy(rng, n), random_advantages(rng, n)
        name = rng.choice(("natural", "reinforce"))
        path = EntropyPath((state,), direction(name, (state,), (advantages,), {}))
        eta = Fraction(rng.randint(1, 5000), 1000)
        with mpmath.workprec(200):
            value = reference_change(state, [to_mpf(x) for x in exact_direction(name, state, advantages)], to_mpf(eta))
        found = enclosure(path.change_at(eta))
        assert found.lower - Fraction(1, 10**55) <= as_fraction(value) <= found.upper + Fraction(1, 10**55)
        assert found.width < Fraction(1, 10**30)


@working_precision()
def test_a_curvature_without_the_variance_is_caught(monkeypatch):
    """Falsification: an enclosure built on a wrong second derivative misses the true range."""
    from certify.entropy import dynamics

    def broken(pi, centred, spread, eta):
        return right(pi, centred, spread, eta) * 0

    right = dynamics._curvature
    state, advantages = StatePolicy(row("1/10", "9/10")), row(1, 0)
    path = EntropyPath((state,), direction("natural", (state,), (advantages,), {}))
    lower = turning_point(path) - Fraction(1, 100)
    true = true_range(state, exact_direction("natural", state, advantages), lower, lower + 2 * LENGTH)
    monkeypatch.setattr(dynamics, "_curvature", broken)
    local = path.local(lower + LENGTH, LENGTH)
    found = enclosure(local.change_over())
    with mpmath.workprec(200):
        assert not (to_mpf(found.lower) <= true[0] and true[1] <= to_mpf(found.upper))


@working_precision()
def test_interval_policies_hold_every_policy_inside():
    rng = random.Random(4)
    for _ in range(50):
        state, advantages = random_policy(rng, 4), random_advantages(rng, 4)
        wide = StatePolicy(
            tuple(type(e)(e.lower * Fraction(999, 1000), e.upper * Fraction(1001, 1000)) for e in state.entries)
        )
        inner = EntropyPath((state,), direction("reinforce", (state,), (advantages,), {}))
        outer = EntropyPath((wide,), direction("reinforce", (wide,), (advantages,), {}))
        for eta in (Fraction(0), Fraction(1, 10), Fraction(3)):
            assert outer.change_at(eta).contains(inner.change_at(eta))
        assert outer.first_order().contains(inner.first_order())


@working_precision()
def test_bad_intervals():
    state = StatePolicy(row("1/2", "1/2"))
    path = EntropyPath((state,), direction("natural", (state,), (row(1, 0),), {}))
    for lower, upper in ((Fraction(-1), Fraction(1)), (Fraction(1), Fraction(0))):
        with pytest.raises(InputError):
            change_range(path, lower, upper)
