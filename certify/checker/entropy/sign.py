"""Checks a claim about the sign of the entropy change (docs/theory/entropy.md#finite-steps); standard library only.

With π_η ∝ π e^{ηu}, L = log π + H, v = u − E_π u, X = L + ηv:
    change     H(η) − H(0) = log E_π e^{ηv} − E_η X
    slope      H'(η)  = −Cov_η(X, v)
    curvature  H''(η) = −E_η[(X − E_η X + 1)(v − E_η v)²]
A piece (l, h] with centre c and radius r is settled by one of three rules:
    value   change(c) + slope(c) [−r, r] + curvature([l, h]) [0, r²]/2 has the sign;
    slope   slope(c) + curvature([l, h]) [−r, r] has the sign, and l = 0 or change(l) has it;
    second  l = 0, the first-order change is exactly 0, curvature([l, h]) has the sign.
The pieces must cover the claimed interval without a gap.
"""

from fractions import Fraction

from certify.checker.entropy.directions import direction
from certify.checker.entropy.input import field, number, policy
from certify.checker.kinds.symmetry import Malformed, Rejected
from certify.checker.numbers.interval import ZERO, Interval, exp, log, total

SIGNS = {"increases": 1, "decreases": -1}
_HALF = Interval.of(Fraction(1, 2))


class Path:
    """The entropy of a policy along a direction, summed over states."""

    def __init__(self, states, rows, neutral):
        self.parts = []
        for s, u in zip(states, rows):
            mean = s.mean(u)
            self.parts.append((s.mass, s.pi, s.centred, [x - mean for x in u]))
        self.neutral = neutral or all(s.uniform for s in states)

    def first_order(self):
        """−Σ d(s) Cov_π(log π, u)."""
        if self.neutral:
            return ZERO
        return -total(
            w * total(p * x * v for p, x, v in zip(pi, centred, spread)) for w, pi, centred, spread in self.parts
        )

    def at(self, eta):
        """(change, slope) at one η (an interval with equal ends up to rounding)."""
        change, slope = ZERO, ZERO
        for w, pi, centred, spread in self.parts:
            q, log_mass, mean_v = _tilt(pi, spread, eta)
            x = [y + eta * v for y, v in zip(centred, spread)]
            change = change + w * (log_mass - total(p * y for p, y in zip(q, x)))
            slope = slope - w * total(p * (v - mean_v) * y for p, v, y in zip(q, spread, x))
        return change, slope

    def curvature(self, eta):
        """H'' over an interval of η."""
        result = ZERO
        one = Interval.of(1)
        for w, pi, centred, spread in self.parts:
            q, _, mean_v = _tilt(pi, spread, eta)
            mean_x = total(p * y for p, y in zip(q, centred)) + eta * mean_v
            result = result - w * total(
                p * (v - mean_v).square() * (y + eta * v - mean_x + one) for p, v, y in zip(q, spread, centred)
            )
        return result


def _tilt(pi, spread, eta):
    """π_η, log Σ π e^{ηv} and E_η v; the weights are scaled by e^{−ηc}, c the largest v, so that no
    exponent is large (η >= 0)."""
    top = max(v.hi for v in spread)
    top = Interval(top, top)
    weights = [p * exp(eta * (v - top)) for p, v in zip(pi, spread)]
    mass = total(weights)
    q = [w / mass for w in weights]
    return q, log(mass) + eta * top, total(p * v for p, v in zip(q, spread))


def check_sign(certificate):
    """(claim in words, steps checked); raises `Rejected` where a piece does not hold."""
    claim = field(certificate, "claim", dict, "certificate")
    if field(claim, "sign", str, "claim") not in SIGNS:
        raise Malformed("claim: the sign is increases or decreases")
    sign = SIGNS[claim["sign"]]
    states = policy(field(certificate, "policy", dict, "certificate"), "policy")
    algorithm = field(certificate, "algorithm", str, "certificate")
    rows, neutral = direction(
        states,
        algorithm,
        field(certificate, "advantages", dict, "certificate"),
        field(certificate, "parameters", dict, "certificate"),
    )
    path = Path(states, rows, neutral)
    if claim.get("steps") is None:
        if not _has(path.first_order(), sign):
            raise Rejected("first order", "the first-order change does not have the sign")
        return f"the first-order entropy change of a {algorithm} step {claim['sign'][:-1]}s the entropy", 1
    return _check_steps(certificate, claim, algorithm, path, sign)


def _check_steps(certificate, claim, algorithm, path, sign):
    ends = claim["steps"]
    if not isinstance(ends, list) or len(ends) != 2:
        raise Malformed("claim: steps are [lower, upper]")
    lower, upper = number(ends[0], "claim, steps"), number(ends[1], "claim, steps")
    if not 0 <= lower <= upper or upper == 0:
        raise Malformed("claim: steps are 0 <= lower <= upper, upper > 0")
    position = lower
    pieces = field(certificate, "pieces", list, "certificate")
    for k, piece in enumerate(pieces):
        if not isinstance(piece, list) or len(piece) != 3:
            raise Malformed(f"piece {k}: [lower, upper, rule]")
        low, high = number(piece[0], f"piece {k}"), number(piece[1], f"piece {k}")
        if low != position or not (low < high or low == high == lower == upper):
            raise Rejected(f"piece {k}", f"starts at {low}, the pieces before it end at {position}")
        _check_piece(path, low, high, piece[2], sign, k)
        position = high
    if position != upper or not pieces:
        raise Rejected("cover", f"the pieces end at {position}, not at {upper}")
    left = "(0" if lower == 0 else f"[{lower}"
    return f"the entropy {claim['sign']} for every {algorithm} step in {left}, {upper}]", len(pieces)


def _check_piece(path, low, high, rule, sign, k):
    centre, radius = (low + high) / 2, (high - low) / 2
    around, steps = Interval.of(-radius, radius), Interval.of(low, high)
    if rule == "second":
        if low != 0 or not path.neutral or not _has(path.curvature(steps), sign):
            raise Rejected(f"piece {k}", "the second-order rule does not hold")
        return
    if rule not in ("slope", "value"):
        raise Malformed(f"piece {k}: the rule is slope, value or second")
    change, slope = path.at(Interval.of(centre))
    curvature = path.curvature(steps)
    if rule == "slope":
        started = low == 0 or _has(path.at(Interval.of(low))[0], sign)
        if not (started and _has(slope + curvature * around, sign)):
            raise Rejected(f"piece {k}", "the slope does not keep the sign on the piece")
    elif not _has(change + slope * around + curvature * Interval.of(0, radius * radius) * _HALF, sign):
        raise Rejected(f"piece {k}", "the change does not keep the sign on the piece")


def _has(x, sign):
    return (x if sign > 0 else -x).positive()
