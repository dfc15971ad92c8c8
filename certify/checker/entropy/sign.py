"""Checks a claim about the sign of the entropy change (docs/theory/entropy.md#finite-steps).

With π_η ∝ π e^{ηu}, L = log π + H, v = u − E_π u, X = L + ηv:
    change     H(η) − H(0) = log E_π e^{ηv} − E_η X
    slope      H'(η)  = −Cov_η(X, v)
    curvature  H''(η) = −E_η[(X − E_η X + 1)(v − E_η v)²]
A piece (l, h] with centre c and radius r is settled by one of four rules:
    value   change(c) + slope(c) [−r, r] + curvature([l, h]) [0, r²]/2 has the sign;
    slope   slope(c) + curvature([l, h]) [−r, r] has the sign, and l = 0 or change(l) has it;
    second  l = 0, the first-order change is exactly 0, curvature([l, h]) has the sign;
    tail    the sign is a fall, and Σ d(s)(g_s − H_s) < 0 at l with g_s = −P log(P/k) − (1 − P) log((1 − P)/(n − k))
    for a set T of k < n actions whose u are all above the others' and with P = π_l(T) > k/n, or g_s = log n.  For P
    does not fall from l on (dP/dη = P(1 − P)(E[u | T] − E[u | not T]) >= 0), H_s <= g_s(P), and g_s falls in P > k/n.
The pieces must cover the claimed interval without a gap.
"""

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from certify.checker.entropy.directions import direction
from certify.checker.entropy.input import State, policy
from certify.checker.numbers.interval import ZERO, Interval, exp, log, total
from certify.checker.reading.envelope import Failed, Malformed, array, envelope, pair, record
from certify.checker.verdict import Proof, Run

SIGNS = {"increases": 1, "decreases": -1}
_HALF = Interval.of(Fraction(1, 2))


class Path:
    """The entropy of a policy along a direction, summed over states."""

    def __init__(self, states: list[State], rows: list[list[Interval]], neutral: bool) -> None:
        self.parts = []
        for s, u in zip(states, rows, strict=True):
            mean = s.mean(u)
            self.parts.append((s.mass, s.pi, s.centred, [x - mean for x in u]))
        self.entropies = [s.entropy for s in states]
        self.neutral = neutral or all(s.uniform for s in states)

    def first_order(self) -> Interval:
        """−Σ d(s) Cov_π(log π, u)."""
        if self.neutral:
            return ZERO
        return -total(
            w * total(p * x * v for p, x, v in zip(pi, centred, spread, strict=True))
            for w, pi, centred, spread in self.parts
        )

    def falls_beyond(self, eta: Interval) -> bool:
        """The rule `tail` holds at η."""
        bound = ZERO
        for (w, pi, _, spread), entropy in zip(self.parts, self.entropies, strict=True):
            bound = bound + w * (_largest_entropy(_tilt(pi, spread, eta)[0], spread) - entropy)
        return (-bound).positive()

    def at(self, eta: Interval) -> tuple[Interval, Interval]:
        """(change, slope) at one η (an interval with equal ends up to rounding)."""
        change, slope = ZERO, ZERO
        for w, pi, centred, spread in self.parts:
            q, log_mass, mean_v = _tilt(pi, spread, eta)
            x = [y + eta * v for y, v in zip(centred, spread, strict=True)]
            change = change + w * (log_mass - total(p * y for p, y in zip(q, x, strict=True)))
            slope = slope - w * total(p * (v - mean_v) * y for p, v, y in zip(q, spread, x, strict=True))
        return change, slope

    def curvature(self, eta: Interval) -> Interval:
        """H'' over an interval of η."""
        result = ZERO
        one = Interval.of(1)
        for w, pi, centred, spread in self.parts:
            q, _, mean_v = _tilt(pi, spread, eta)
            mean_x = total(p * y for p, y in zip(q, centred, strict=True)) + eta * mean_v
            result = result - w * total(
                p * (v - mean_v).square() * (y + eta * v - mean_x + one)
                for p, v, y in zip(q, spread, centred, strict=True)
            )
        return result


def _tilt(
    pi: Sequence[Interval], spread: Sequence[Interval], eta: Interval
) -> tuple[list[Interval], Interval, Interval]:
    """π_η, log Σ π e^{ηv} and E_η v; the weights are scaled by e^{−ηc}, c the largest v, so that no
    exponent is large (η >= 0)."""
    largest = max(v.hi for v in spread)
    top = Interval(largest, largest)
    weights = [p * exp(eta * (v - top)) for p, v in zip(pi, spread, strict=True)]
    mass = total(weights)
    q = [w / mass for w in weights]
    return q, log(mass) + eta * top, total(p * v for p, v in zip(q, spread, strict=True))


def _largest_entropy(q: Sequence[Interval], spread: Sequence[Interval]) -> Interval:
    """g of the smallest set T that is separated from the rest and heavy enough, or log n."""
    n = len(q)
    order = sorted(range(n), key=lambda a: -spread[a].lo)
    for k in range(1, n):
        inside, outside = order[:k], order[k:]
        if min(spread[a].lo for a in inside) <= max(spread[a].hi for a in outside):
            continue
        share, rest = total(q[a] for a in inside), total(q[a] for a in outside)
        if rest.positive() and (share * Interval.of(n) - Interval.of(k)).positive():
            left = Interval.of(n - k)
            return -(share * log(share / Interval.of(k))) - rest * log(rest / left)
    return log(Interval.of(n))


def check_sign(certificate: Any, run: Run) -> Proof:
    """The `Proof` of a certificate of kind "entropy-sign"; raises `Failed` or `Malformed`."""
    envelope(certificate, ("claim", "policy", "advantages", "algorithm", "parameters"), optional=("pieces",))
    claim = record(certificate["claim"], "claim", ("sign",), ("steps",))
    if not isinstance(claim["sign"], str) or claim["sign"] not in SIGNS:
        raise Malformed("claim.sign", "neither increases nor decreases")
    sign, algorithm = SIGNS[claim["sign"]], certificate["algorithm"]
    states = policy(certificate["policy"], "policy")
    rows, neutral = direction(states, algorithm, certificate["advantages"], certificate["parameters"])
    path = Path(states, rows, neutral)
    if claim.get("steps") is None:
        if not _has(path.first_order(), sign):
            raise Failed("the first-order change does not have the sign", step="first order")
        return Proof((f"the first-order entropy change of a {algorithm} step {claim['sign'][:-1]}s the entropy",), 1)
    lower, upper = pair(claim["steps"], "claim.steps")
    if not 0 <= lower <= upper or upper == 0:
        raise Malformed("claim.steps", "not 0 <= lower <= upper, upper > 0")
    pieces = array(certificate.get("pieces"), "pieces")
    _check_cover(path, pieces, lower, upper, sign)
    left = "(0" if lower == 0 else f"[{lower}"
    return Proof((f"the entropy {claim['sign']} for every {algorithm} step in {left}, {upper}]",), len(pieces))


def _check_cover(path: Path, pieces: list[Any], lower: Fraction, upper: Fraction, sign: int) -> None:
    """The pieces cover the steps without a gap, and each has the sign."""
    position = lower
    for k, piece in enumerate(pieces):
        *ends, rule = array(piece, f"pieces[{k}]", 3)
        low, high = pair(ends, f"pieces[{k}]")
        if low != position or not (low < high or low == high == lower == upper):
            raise Failed(f"starts at {low}, the pieces before it end at {position}", step=f"piece {k}")
        _check_piece(path, low, high, rule, sign, k)
        position = high
    if position != upper or not pieces:
        raise Failed(f"the pieces end at {position}, not at {upper}", step="cover")


def _check_piece(path: Path, low: Fraction, high: Fraction, rule: Any, sign: int, k: int) -> None:
    if rule not in ("slope", "value", "second", "tail"):
        raise Malformed(f"pieces[{k}]", "the rule is none of slope, value, second, tail")
    if rule == "tail":
        if sign > 0 or not path.falls_beyond(Interval.of(low)):
            raise Failed("the entropy is not shown to stay below its start", step=f"piece {k}")
        return
    centre, radius = (low + high) / 2, (high - low) / 2
    around, steps = Interval.of(-radius, radius), Interval.of(low, high)
    if rule == "second":
        if low != 0 or not path.neutral or not _has(path.curvature(steps), sign):
            raise Failed("the second-order rule does not hold", step=f"piece {k}")
        return
    change, slope = path.at(Interval.of(centre))
    curvature = path.curvature(steps)
    if rule == "slope":
        started = low == 0 or _has(path.at(Interval.of(low))[0], sign)
        if not (started and _has(slope + curvature * around, sign)):
            raise Failed("the slope does not keep the sign on the piece", step=f"piece {k}")
    elif not _has(change + slope * around + curvature * Interval.of(0, radius * radius) * _HALF, sign):
        raise Failed("the change does not keep the sign on the piece", step=f"piece {k}")


def _has(x: Interval, sign: int) -> bool:
    return (x if sign > 0 else -x).positive()
