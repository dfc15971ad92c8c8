"""What storing log-probabilities in a short format does to a clipped update: each action's expected
factor, the first-order entropy bias with its sign, and the ratios that are really computed
(docs/theory/entropy.md#rounding).

On the first inner step the true ratio is 1.  If both log-probabilities are rounded with errors
uniform on the cell of width w that log π_a falls into, the ratio is e^d with d triangular on
(−w, w), and an action with A > 0 keeps its gradient while d <= log(1 + ε_high), one with A < 0
while d >= log(1 − ε_low).  Its expected gradient is the exact one times m_a = E[e^d; kept], so the
rounded update is the exact one with advantages m ∘ A.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from flint import arb

from certify.entropy.dynamics import EntropyPath
from certify.entropy.enclosure import RationalEnclosure, ball, enclosure, sign_of, working_precision
from certify.entropy.formats import FloatFormat
from certify.entropy.policy import Numbers, StatePolicy
from certify.entropy.steps import expected_gradient
from certify.errors import InputError, Undecided

_LADDER = (128, 512, 2048)


def round_enclosed(format_: FloatFormat, value: arb) -> Fraction | None:
    """The stored value of a number known by a ball; None for an infinity, `Undecided` if the ball
    holds a rounding boundary."""
    found = enclosure(value)
    low, high = format_.round_exact(found.lower), format_.round_exact(found.upper)
    if low != high:
        raise Undecided(f"the number lies too close to a rounding boundary of {format_.name}")
    return low


def kept_factor(width: Fraction, sign: int, eps_low: Fraction, eps_high: Fraction) -> arb:
    """m = E[e^d; the clipped objective keeps the gradient], d triangular on (−w, w), A of that sign.

    Antiderivatives: e^d (w − d + 1)/w² for d >= 0, e^d (w + d − 1)/w² for d <= 0.  The division by
    w² costs bits, so the precision is raised by 4 log2(1/w).

    >>> bool(abs(kept_factor(Fraction(1, 4), 1, Fraction(1, 5), Fraction(1)) - arb(1.0052)) < 1e-4)
    True
    """
    extra = 4 * max(0, width.denominator.bit_length() - width.numerator.bit_length() + 1)
    with working_precision(128 + extra):
        w = ball(width)
        if sign > 0:
            limit = ball(1 + eps_high).log()
            low, high = -w, w if limit > w else limit.min(w)
        else:
            limit = ball(1 - eps_low).log() if eps_low < 1 else -2 * w
            low, high = -w if limit < -w else limit.max(-w), w
        # sign > 0 integrates from −w ≤ 0 to high >= 0, sign < 0 from low <= 0 to w
        right = (high.exp() * (w - high + 1) - (w + 1)) / (w * w)
        left = ((w - 1) - low.exp() * (w + low - 1)) / (w * w)
        return right + left


@dataclass(frozen=True)
class RoundedUpdate:
    """First-order entropy change of the exact and of the rounded update, and their difference.

    `factors` encloses m_a per action; `sign` is `upward` (rounding raises the entropy change),
    `downward` or `undecided`; `stored` is log π_a as stored.
    """

    exact: RationalEnclosure
    rounded: RationalEnclosure
    bias: RationalEnclosure
    sign: str
    factors: tuple[RationalEnclosure, ...]
    stored: tuple[Fraction, ...]


@working_precision()
def rounded_update(
    state: StatePolicy, advantages: Numbers, format_: FloatFormat, eps_low: Fraction, eps_high: Fraction
) -> RoundedUpdate:
    """The entropy bias of one expected clipped step on `state` whose log-probabilities are stored
    in `format_` on both sides, with independent errors uniform on their cells.

    Raises `InputError` where a probability rounds to log-probability −∞ or an advantage's sign is
    not known, `Undecided` where a cell cannot be determined.
    """
    if eps_high < 0 or not 0 <= eps_low <= 1:
        raise InputError("eps", f"{eps_low}, {eps_high}", "use 0 <= eps_low <= 1 and eps_high >= 0")
    stored, factors = [], []
    for log_pi, advantage in zip(state.balls().log_pi, advantages, strict=True):
        if advantage.lower < 0 < advantage.upper:
            raise InputError("advantages", "an enclosure that holds both signs", "narrow it")
        value = round_enclosed(format_, log_pi)
        if value is None:
            raise InputError("policy", f"a log-probability beyond {format_.name}", "use a wider format")
        stored.append(value)
        sign = 1 if advantage.upper > 0 else -1
        factors.append(kept_factor(sum(format_.cell(value), Fraction(0)), sign, eps_low, eps_high))
    policy = (StatePolicy(state.entries, state.logits),)
    plain = tuple(ball(a) for a in advantages)
    biased = tuple(m * a for m, a in zip(factors, plain, strict=True))
    excess = tuple((m - 1) * a for m, a in zip(factors, plain, strict=True))
    exact, rounded, bias = (
        EntropyPath(policy, expected_gradient(policy, (row,))).first_order() for row in (plain, biased, excess)
    )  # the first-order change is linear in A
    side = {1: "upward", -1: "downward", None: "undecided"}.get(sign_of(bias), "undecided")
    return RoundedUpdate(
        enclosure(exact), enclosure(rounded), enclosure(bias), side, tuple(enclosure(m) for m in factors), tuple(stored)
    )


def stored_ratios(new: StatePolicy, old: StatePolicy, format_: FloatFormat) -> tuple[Fraction | None, ...]:
    """RN(exp(RN(RN(log π_new) − RN(log π_old)))) per action: the ratio as the format computes it.

    Every rounding is proved correct; None stands for an infinity.  The difference of two stored
    values is exact before its rounding.

    >>> from certify.entropy.formats import BFLOAT16
    >>> from certify.entropy.policy import policy_from_json
    >>> same = policy_from_json(["1/2", "1/2"])[0]
    >>> stored_ratios(same, same, BFLOAT16)
    (Fraction(1, 1), Fraction(1, 1))
    """
    found = []
    for a in range(new.size):
        logs = [_climb(lambda s=s, a=a: round_enclosed(format_, s.balls().log_pi[a])) for s in (new, old)]
        if None in logs:
            raise InputError("policy", f"a log-probability beyond {format_.name}", "use a wider format")
        difference = format_.round_exact(logs[0] - logs[1])
        if difference is None:
            raise InputError("policy", f"a log-ratio beyond {format_.name}", "use a wider format")
        found.append(
            Fraction(1) if difference == 0 else _climb(lambda d=difference: round_enclosed(format_, ball(d).exp()))
        )
    return tuple(found)


def _climb(attempt):
    """`attempt()` at rising precision until it is decided."""
    for bits in _LADDER[:-1]:
        try:
            with working_precision(bits):
                return attempt()
        except Undecided:
            continue
    with working_precision(_LADDER[-1]):
        return attempt()
