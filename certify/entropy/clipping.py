"""Clipped objectives, PPO, DAPO and GSPO, as directions, and what their clipping leaves of an
advantage (docs/theory/entropy.md#clipping).

PPO takes the behaviour policy π_old as an input (default: the policy itself, the first inner
step).  GSPO takes sequences: lists of (state, action) tokens; its ratio is the geometric mean of
the token ratios, and its length is the number of tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from flint import arb

from certify.entropy.dynamics import Direction
from certify.entropy.enclosure import RationalEnclosure, ball
from certify.entropy.policy import Numbers, Policy, StatePolicy
from certify.entropy.steps import expected_gradient
from certify.errors import InputError


def ratios(new: StatePolicy, old: StatePolicy) -> tuple[Fraction | arb, ...]:
    """π_new/π_old per action: exact rationals where both policies are, balls otherwise."""
    if new.size != old.size:
        raise InputError("old policy", f"{old.size} actions instead of {new.size}", "give one number per action")
    if not (new.logits or old.logits) and all(e.exact for e in (*new.entries, *old.entries)):
        return tuple(p.lower / q.lower for p, q in zip(new.entries, old.entries, strict=True))
    if new == old:
        return (Fraction(1),) * new.size
    return tuple(p / q for p, q in zip(new.balls().pi, old.balls().pi, strict=True))


def surviving(ratio: Fraction | arb, advantage: RationalEnclosure, eps_low: Fraction, eps_high: Fraction) -> arb:
    """The factor, 1 or 0, with which the clipped objective min(ρA, clip(ρ)A) keeps the gradient.

    It is 0 where A > 0 and ρ > 1 + ε_high, and where A < 0 and ρ < 1 − ε_low; at the limits
    themselves it is 1 (the subgradient that min and clamp give in common implementations).
    Where balls cannot decide, [0, 1].  Source: Schulman et al. 2017, equation 7.
    """
    high, low = 1 + eps_high, 1 - eps_low
    if isinstance(ratio, arb):
        above = True if ratio > ball(high) else False if ratio <= ball(high) else None
        below = True if ratio < ball(low) else False if ratio >= ball(low) else None
    else:
        above, below = ratio > high, ratio < low
    outcomes = set()
    if advantage.upper > 0:
        outcomes |= {1, 0} if above is None else {int(not above)}
    if advantage.lower < 0:
        outcomes |= {1, 0} if below is None else {int(not below)}
    if not outcomes:
        return arb(1)
    return arb(min(outcomes)).union(arb(max(outcomes)))


def clipped_direction(
    policy: Policy, old: Policy, advantages: Sequence[Numbers], eps_low: Fraction, eps_high: Fraction
) -> Direction:
    """The gradient at `policy` of Σ_s d(s) E_{π_old}[min(ρA, clip(ρ, 1 − ε_low, 1 + ε_high) A)].

    Because π_old ρ = π it is the expected gradient with the advantages of clipped actions set to
    0.  PPO has ε_low = ε_high (Schulman et al. 2017), DAPO 0.2 and 0.28 (Yu et al. 2025).
    """
    if len(old) != len(policy):
        raise InputError("old policy", f"{len(old)} states instead of {len(policy)}", "give the same states")
    kept = [
        tuple(ball(a) * surviving(r, a, eps_low, eps_high) for r, a in zip(ratios(state, before), row, strict=True))
        for state, before, row in zip(policy, old, advantages, strict=True)
    ]
    return expected_gradient(policy, kept)


@dataclass(frozen=True)
class TokenSequence:
    """A sampled sequence: its tokens as (state, action), and log π_old of each token."""

    tokens: tuple[tuple[int, int], ...]
    old_log_probabilities: Numbers | None = None


def sequence_ratio(policy: Policy, old: Policy | None, sequence: TokenSequence) -> arb:
    """exp((1/|y|) Σ_t (log π − log π_old)(y_t)), |y| the number of tokens (Zheng et al. 2025)."""
    if old is None and sequence.old_log_probabilities is None:
        return arb(1)
    total = arb(0)
    for t, (s, a) in enumerate(sequence.tokens):
        before = (
            ball(sequence.old_log_probabilities[t])
            if sequence.old_log_probabilities is not None
            else old[s].balls().log_pi[a]
        )
        total += policy[s].balls().log_pi[a] - before
    return (total / len(sequence.tokens)).exp()


def gspo_direction(
    policy: Policy,
    old: Policy | None,
    sequences: Sequence[TokenSequence],
    advantages: Numbers,
    eps_low: Fraction,
    eps_high: Fraction,
) -> Direction:
    """The gradient at `policy` of GSPO's objective over the given group of sequences.

    (1/G) Σ_i min(s_i A_i, clip(s_i) A_i) with s_i the sequence ratio; its gradient in the state x
    is (1/G) Σ_i s_i A_i [kept] (1/|y_i|) Σ_{t: x_t = x} (e_{y_t} − π_x).  Source: Zheng et al.
    2025, "Group Sequence Policy Optimization", equations 5–10; tabular softmax per state here.
    """
    rows = [[arb(0)] * s.size for s in policy]
    pi = [s.balls().pi for s in policy]
    for sequence, advantage in zip(sequences, advantages, strict=True):
        ratio = sequence_ratio(policy, old, sequence)
        kept = surviving(ratio, advantage, eps_low, eps_high)
        scale = ratio * ball(advantage) * kept / (len(sequence.tokens) * len(sequences))
        for s, k in sequence.tokens:
            for a in range(policy[s].size):
                rows[s][a] += scale * ((a == k) - pi[s][a])
    return Direction(tuple(map(tuple, rows)), average="the given sequences")
