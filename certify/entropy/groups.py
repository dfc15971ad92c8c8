"""Group-relative advantages, RLOO and GRPO, as exact expectations over all groups or over a given
one (docs/theory/entropy.md#first-order).

Every member of a group of G draws from π has the same law, so the expected step is
E[(1/G) Σ_i Â_i (e_{k_i} − π)] = Σ_a π_a B_a (e_a − π) with B_a = E[Â_1 | k_1 = a]: the expected
REINFORCE step with the *effective advantage* B.  B_a depends on a through its reward only, and the
other members enter through their rewards only: one sum over multisets of distinct rewards.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from math import comb, factorial

from flint import arb

from certify.bounds.arb_numbers import power
from certify.entropy.enclosure import ball
from certify.entropy.policy import Numbers, StatePolicy
from certify.errors import InputError

LARGEST_ENUMERATION = 200_000  # multisets of rewards; beyond it the caller gives a sampled group


def rloo_advantages(rewards: Sequence[Fraction]) -> tuple[Fraction, ...]:
    """r_i minus the mean of the other rewards of the group (Kool et al. 2019; Ahmadian et al. 2024).

    >>> rloo_advantages([Fraction(1), Fraction(0), Fraction(0)])
    (Fraction(1, 1), Fraction(-1, 2), Fraction(-1, 2))
    """
    total, size = sum(rewards, Fraction(0)), len(rewards)
    return tuple(r - (total - r) / (size - 1) for r in rewards)


def grpo_advantages(rewards: Sequence[Fraction], std: str, delta: Fraction) -> tuple[arb, ...]:
    """(r_i − mean) / (std + δ) over the group (Shao et al. 2024); 0 where all rewards agree.

    `std`: `none` leaves the division out (Liu et al. 2025, "Dr. GRPO"), `population` divides the
    sum of squares by G, `sample` by G − 1 (torch.std).
    """
    size = len(rewards)
    mean = sum(rewards, Fraction(0)) / size
    variance = sum(((r - mean) * (r - mean) for r in rewards), Fraction(0)) / (size if std != "sample" else size - 1)
    if std == "none":
        return tuple(ball(r - mean) for r in rewards)
    if variance == 0:
        return (arb(0),) * size
    scale = ball(variance).sqrt() + ball(delta)
    return tuple(ball(r - mean) / scale for r in rewards)


def expected_grpo(state: StatePolicy, rewards: Numbers, size: int, std: str, delta: Fraction) -> tuple[arb, ...]:
    """The effective advantage of GRPO over all groups of `size` draws from the policy.

    Without the division it is (G − 1)/G · r up to a constant (r_1 − mean = (1 − 1/G) r_1 − (others)/G).
    With it, B(r) = Σ over multisets c of the other G − 1 rewards of P(c) Â_1(r, c).

    Raises `InputError` where there are more than `LARGEST_ENUMERATION` multisets, or where the
    rewards are not exact (ties of enclosures cannot be decided).
    """
    if std == "none":
        return tuple(ball(r) * (size - 1) / size for r in rewards)
    if not all(r.exact for r in rewards):
        raise InputError("rewards", "enclosures under a standard deviation", "give exact rewards")
    pi = state.balls().pi
    values = sorted({r.lower for r in rewards})
    if comb(len(values) + size - 2, size - 1) * len(values) > LARGEST_ENUMERATION:
        raise InputError(
            "group_size",
            f"too many groups ({len(values)} distinct rewards, {size} members)",
            "give a sampled group, like --param group=[0,2,1]",
        )
    masses = [sum((p for p, r in zip(pi, rewards, strict=True) if r.lower == v), arb(0)) for v in values]
    effective = dict.fromkeys(values, arb(0))
    for counts in _compositions(size - 1, len(values)):
        ways = factorial(size - 1)
        for c in counts:
            ways //= factorial(c)
        probability = arb(ways)
        for c, mass in zip(counts, masses, strict=True):
            probability *= power(mass, c)
        others = [v for v, c in zip(values, counts, strict=True) for _ in range(c)]
        for v in values:
            effective[v] += probability * grpo_advantages([v, *others], std, delta)[0]
    return tuple(effective[r.lower] for r in rewards)


def _compositions(total: int, parts: int) -> Iterator[tuple[int, ...]]:
    if parts == 1:
        yield (total,)
        return
    for first in range(total + 1):
        for rest in _compositions(total - first, parts - 1):
            yield (first, *rest)
