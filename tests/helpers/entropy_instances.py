"""Random exact instances and slow, independent references shared by the entropy tests."""

import random
from fractions import Fraction

import mpmath

from certify.entropy.enclosure import RationalEnclosure
from certify.entropy.policy import StatePolicy


def row(*numbers):
    """Exact numbers as a row of advantages or probabilities."""
    return tuple(RationalEnclosure.of(Fraction(x)) for x in numbers)


def random_policy(rng: random.Random, actions: int) -> StatePolicy:
    """A random rational policy; the counts spread over three orders of magnitude."""
    counts = [rng.choice((1, 10, 100, 1000)) * rng.randint(1, 20) for _ in range(actions)]
    total = sum(counts)
    return StatePolicy(row(*(Fraction(c, total) for c in counts)))


def random_advantages(rng: random.Random, actions: int):
    return row(*(Fraction(rng.randint(-40, 40), 10) for _ in range(actions)))


def reference_change(state: StatePolicy, direction: list, eta, bits: int = 200):
    """H(softmax(log π + ηu)) − H(π) from the definition, in mpmath at `bits` bits."""
    with mpmath.workprec(bits):
        pi = [mpmath.mpf(e.lower.numerator) / e.lower.denominator for e in state.entries]
        weights = [p * mpmath.exp(mpmath.mpf(eta) * u) for p, u in zip(pi, direction, strict=True)]
        total = mpmath.fsum(weights)
        new = [w / total for w in weights]
        return -mpmath.fsum(q * mpmath.log(q) for q in new) + mpmath.fsum(p * mpmath.log(p) for p in pi)


def to_mpf(value: Fraction):
    return mpmath.mpf(value.numerator) / value.denominator


def as_fraction(value) -> Fraction:
    """An mpf as the exact dyadic that it is."""
    sign, mantissa, exponent, _ = value._mpf_
    result = Fraction(int(mantissa)) * Fraction(2) ** int(exponent)
    return -result if sign else result
