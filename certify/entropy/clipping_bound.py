"""The entropy after an update whose ratios all lie in the clip range, and updates of PPO's clipped
objective that leave the range (docs/theory/entropy.md#clipping).

Statement.  If 1 − ε_low <= ρ_a = π'_a/π_a <= 1 + ε_high for every action, then
(1 − ε_low) H(π) <= H(π') <= (1 + ε_high) H(π).
Proof.  Gibbs: H(π') <= −Σ π' log π = Σ ρ π (−log π) <= (1 + ε_high) H(π), as −log π >= 0.  Again
Gibbs, the other way round: H(π) <= −Σ π log π', so H(π') = Σ ρ π (−log π') >= (1 − ε_low) H(π).
Never attained for H(π) > 0, ε > 0: equality forces equality in Gibbs, so π' = π and every ρ = 1,
so H(π') = H(π), which differs from both bounds.  Approached: on two actions with π = (1 − t, t),
π' = (1 − ρt, ρt), the ratio H(π')/H(π) tends to ρ as t → 0, since H(π) = t log(1/t) + O(t); the gap
closes like ρ log ρ / log(1/t), so slowly.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from flint import arb

from certify.entropy.algorithms import direction
from certify.entropy.clipping import ratios
from certify.entropy.dynamics import EntropyPath
from certify.entropy.enclosure import RationalEnclosure, ball, enclosure, working_precision
from certify.entropy.policy import Numbers, StatePolicy
from certify.errors import InputError


@dataclass(frozen=True)
class ClippingBound:
    """H(π), H(π'), and [(1 − ε_low) H(π), (1 + ε_high) H(π)].

    `premise` and `conclusion` are `proved`, `refuted` or `undecided`: do all ratios lie in the
    range, and does H(π') lie within the bounds?  `witness` is an action whose ratio does not.
    """

    before: RationalEnclosure
    after: RationalEnclosure
    lower: RationalEnclosure
    upper: RationalEnclosure
    premise: str
    conclusion: str
    witness: int | None


def _check(eps_low: Fraction, eps_high: Fraction) -> None:
    if not 0 <= eps_low <= 1 or eps_high < 0:
        raise InputError("eps", f"{eps_low}, {eps_high}", "use 0 <= eps_low <= 1 and eps_high >= 0")


def _verdict(inside: list[bool | None]) -> str:
    if False in inside:
        return "refuted"
    return "proved" if all(inside) else "undecided"


def _between(value: Fraction | arb, low: Fraction, high: Fraction) -> bool | None:
    if isinstance(value, Fraction):
        return low <= value <= high
    if value >= ball(low) and value <= ball(high):
        return True
    return False if value < ball(low) or value > ball(high) else None


@working_precision()
def clipping_bound(old: StatePolicy, new: StatePolicy, eps_low: Fraction, eps_high: Fraction) -> ClippingBound:
    """The bound on H(new) from the ratios new/old, with its premise and conclusion decided.

    >>> from certify.entropy.policy import policy_from_json
    >>> old, new = (policy_from_json(p)[0] for p in (["1/2", "1/2"], ["2/5", "3/5"]))
    >>> clipping_bound(old, new, Fraction(1, 5), Fraction(1, 5)).premise
    'proved'
    """
    _check(eps_low, eps_high)
    before, after = old.balls().entropy, new.balls().entropy
    inside = [_between(r, 1 - eps_low, 1 + eps_high) for r in ratios(new, old)]
    low, high = ball(1 - eps_low) * before, ball(1 + eps_high) * before
    holds = [
        True if after >= low else False if after < low else None,
        True if after <= high else False if after > high else None,
    ]
    return ClippingBound(
        enclosure(before),
        enclosure(after),
        enclosure(low),
        enclosure(high),
        _verdict(inside),
        _verdict(holds),
        inside.index(False) if False in inside else None,
    )


@dataclass(frozen=True)
class Overshoot:
    """A step of PPO's clipped objective from π_old that leaves the clip range.

    `ratio` encloses the ratio of `action` after the step η, `entropy_ratio` H(π')/H(π).
    `outside` says where the entropy ends up: `above`, `below` (the bounds fail) or `within`.
    """

    eta: Fraction
    action: int
    ratio: RationalEnclosure
    entropy_ratio: RationalEnclosure
    outside: str


@working_precision()
def ppo_overshoot(state: StatePolicy, advantages: Numbers, eta: Fraction, eps: Fraction) -> Overshoot | None:
    """One PPO step of size η from π_old = π, where no ratio is clipped yet, that provably overshoots.

    Returns the action with the largest proved violation of [1 − ε, 1 + ε], or None where none is
    proved.  The clipped objective only zeroes gradients outside the range; it does not keep ratios
    inside.

    >>> from certify.entropy.policy import policy_from_json
    >>> state = policy_from_json(["1/100", "99/100"])[0]
    >>> ppo_overshoot(state, (RationalEnclosure.of(1), RationalEnclosure.of(0)), Fraction(300), Fraction(1, 5)).outside
    'above'
    """
    _check(eps, eps)
    policy = (StatePolicy(state.entries, state.logits),)
    path = EntropyPath(policy, direction("ppo", policy, (advantages,), {"eps": eps}))
    after = path.probabilities_at(eta)[0]
    found = [p / q for p, q in zip(after, state.balls().pi, strict=True)]
    violations = [
        (max(enclosure(r - ball(1 + eps)).lower, enclosure(ball(1 - eps) - r).lower), a) for a, r in enumerate(found)
    ]
    worst, action = max(violations)
    if worst <= 0:
        return None
    before = state.balls().entropy
    entropy_ratio = (before + path.change_at(eta)) / before
    outside = "above" if entropy_ratio > ball(1 + eps) else "below" if entropy_ratio < ball(1 - eps) else "within"
    return Overshoot(eta, action, enclosure(found[action]), enclosure(entropy_ratio), outside)


@working_precision()
def approach(ratio: Fraction, exponent: int) -> RationalEnclosure:
    """H(π')/H(π) for π = (1 − t, t), π' = (1 − ρt, ρt), t = 2^-exponent: tends to ρ, never reaches it.

    >>> approach(Fraction(6, 5), 10).upper < approach(Fraction(6, 5), 1000).lower < Fraction(6, 5)
    True
    """
    log_t = -exponent * arb(2).log()
    with working_precision(128 + 2 * exponent):
        t = ball(Fraction(1, 2**exponent))
        rho = ball(ratio)
        numerator = -(rho * t * (rho.log() + log_t)) - (1 - rho * t) * (-rho * t).log1p()
        denominator = -(t * log_t) - (1 - t) * (-t).log1p()
        return enclosure(numerator / denominator)
