"""Certified signs of the entropy change for thousands of policies at once, to first order or for
every step in (0, η] (docs/theory/entropy.md#finite-steps), in float64 balls; what they leave open goes to arb.

The slope H'(η) = −Cov_η(log π_η, u) is evaluated at a few centres c, and |H''| is bounded on
[c − r, c + r]: with L, v centred under π_c, t = r max|v|, every ratio π_η/π_c lies in [1/ρ, ρ],
ρ = 1/(1 − 2t) >= e^{2t}, and with E = E_{π_c}, V = E v²

    |E_η v| ≤ rρV,   |E_η X_η| ≤ e := (ρ − 1)E|L| + r²ρV,   X_η = L + (η − c)v
    |H''| ≤ ρ(E|L|v² + rE|v|³ + eV) + 2r ρ²V (E|Lv| + rV + eE|v|) + ρV,

from H'' = −E_η[X̃v²] + 2 E_η[v] E_η[X̃v] − Var_η(v), X̃ = X_η − E_η X_η.  (dE_η v/dη = Var_η v
≤ E_η v² ≤ ρV; E_η L = E[(π_η/π_c − 1)L] as E L = 0.)

(0, η] is settled as one piece if the slope keeps its sign there, else in 4, 16, 64 pieces from left
to right: the first by its slope, each later one by its slope (the change has the sign where the
piece begins) or by the change itself, H(c) − H(0) ± r sup|H'|.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from certify.entropy.algorithms import direction
from certify.entropy.balls import TINY, Balls, upper_sum
from certify.entropy.dynamics import EntropyPath
from certify.entropy.enclosure import RationalEnclosure, sign_of, working_precision
from certify.entropy.policy import Policy, StatePolicy
from certify.entropy.sign import certify_sign
from certify.entropy.transcendental import exp, log, log_points
from certify.errors import InputError

_UP = 1 + 2.0**-40  # more than covers the ≤ 30 roundings of a chain of non-negative operations
_PIECES = (4, 16, 64)


def batch_signs(
    weights: np.ndarray,
    advantages: np.ndarray,
    algorithm: str = "reinforce",
    step: float | None = None,
    *,
    fall_back: bool = True,
) -> np.ndarray:
    """The certified sign of the entropy change of each row's step: 1, −1, or 0 for undecided.

    Parameters
    ----------
    weights : (B, n) float64, positive.  Row b is the policy π = w/Σw, exactly: give counts, or
        probabilities where a sum that misses 1 by rounding is meant to be normalised.
    advantages : (B, n) float64, exact.
    algorithm : `reinforce` (expected step) or `natural`.
    step : None for the first-order change; η > 0 for the change at every step in (0, η].
    fall_back : rows that float64 leaves open are tried in 128-bit arb, one by one.

    Raises `InputError` for shapes that differ, weights that are not positive and finite,
    advantages that are not finite, an unknown algorithm, or a step that is not above 0.

    >>> batch_signs(np.array([[1., 49., 50.]]), np.array([[1., 0., 0.]]), step=0.01).tolist()
    [1]
    """
    weights, advantages = np.asarray(weights, dtype=np.float64), np.asarray(advantages, dtype=np.float64)
    _check(weights, advantages, algorithm, step)
    log_weights = log_points(weights)
    signs, changes = _first_signs(weights, log_weights, advantages, algorithm, step), np.zeros(len(weights), bool)
    for pieces in _PIECES if step is not None else ():
        rows = np.flatnonzero((signs == 0) & ~changes)
        if len(rows):
            part = Balls(log_weights.mid[rows], log_weights.rad[rows])
            signs[rows], changes[rows] = _signs_by_pieces(
                weights[rows], part, advantages[rows], algorithm, step, pieces
            )
    if fall_back:
        for b in np.flatnonzero((signs == 0) & ~changes):
            signs[b] = _exact_sign(weights[b], advantages[b], algorithm, step)
    return signs


def _check(weights: np.ndarray, advantages: np.ndarray, algorithm: str, step: float | None) -> None:
    if weights.ndim != 2 or weights.shape != advantages.shape or weights.shape[1] == 0:
        raise InputError(
            "batch",
            f"weights of shape {weights.shape}, advantages of shape {advantages.shape}",
            "give two arrays of the same shape (policies, actions)",
        )
    if not (np.all(weights > 0) and np.all(np.isfinite(weights))):
        raise InputError("batch", "a weight that is not a positive finite number", "give positive weights")
    if not np.all(np.isfinite(advantages)):
        raise InputError("batch", "an advantage that is not finite", "give finite advantages")
    if algorithm not in ("reinforce", "natural"):
        raise InputError("batch", f"algorithm {algorithm!r}", "use reinforce or natural")
    if step is not None and not 0 < step < np.inf:
        raise InputError("batch", f"a step of {step}", "give a positive finite step")


def _spread(pi: Balls, advantages: np.ndarray, algorithm: str) -> Balls:
    """v: the centred direction of the algorithm's step."""
    centred = _centre(pi, Balls.exact(advantages))
    return centred if algorithm == "natural" else _centre(pi, pi * centred)


def _first_signs(
    weights: np.ndarray, log_weights: Balls, advantages: np.ndarray, algorithm: str, step: float | None
) -> np.ndarray:
    """Signs of the slope at 0 (`step` None), or over the one piece [0, step]."""
    with np.errstate(all="ignore"):  # overflow turns into inf or nan, which decides nothing
        exact = Balls.exact(weights)
        pi = exact / exact.sum()
        log_pi, spread = _centre(pi, log_weights), _spread(pi, advantages, algorithm)
        slope = _slope(pi, log_pi, spread) if step is None else _slope_over(pi, log_pi, spread, step)
        return slope.signs()[:, 0]


def _signs_by_pieces(
    weights: np.ndarray, log_weights: Balls, advantages: np.ndarray, algorithm: str, step: float, pieces: int
) -> tuple[np.ndarray, np.ndarray]:
    """Signs over (0, step] where every piece is settled, and which rows provably change sign."""
    with np.errstate(all="ignore"):
        exact = Balls.exact(weights)
        pi = exact / exact.sum()
        log_pi, spread = _centre(pi, log_weights), _spread(pi, advantages, algorithm)
        # `width` is exact, a power of two times `step`; the centres round within the 2^-40 slack of `radius`
        width = step / pieces
        radius = width / 2 * _UP
        centres = (2 * np.arange(pieces)[:, None, None] + 1) * (width / 2)
        tilt = spread * Balls.exact(centres)
        tilted = pi * exp(tilt)
        mass = tilted.sum()
        moved, log_ratio = tilted / mass, log_pi + tilt
        slope = _slope_over(moved, _centre(moved, log_ratio), _centre(moved, spread), radius)
        change = log(mass) - (moved * log_ratio).sum()
        change = Balls(change.mid, (change.rad + radius * slope.magnitude) * _UP)
        by_slope, by_change = slope.signs()[..., 0], change.signs()[..., 0]
    sign = by_slope[0]
    settled = np.all((by_slope == sign) | (by_change == sign), axis=0) & (sign != 0)
    changes = np.any((by_change == -sign) & (sign != 0), axis=0)
    return np.where(settled, sign, 0).astype(np.int8), changes


def _centre(pi: Balls, values: Balls) -> Balls:
    """values − E_π values, after an exact shift that keeps the radii small."""
    shift = (pi.mid * values.mid).sum(axis=-1, keepdims=True)
    shifted = values.shifted(shift)
    return shifted - (pi * shifted).sum()


def _slope(pi: Balls, log_pi: Balls, spread: Balls) -> Balls:
    return -(pi * log_pi * spread).sum()


def _slope_over(pi: Balls, log_pi: Balls, spread: Balls, radius: float) -> Balls:
    """H' on all of [c − radius, c + radius], by the module's bound on |H''|."""
    slope = _slope(pi, log_pi, spread)
    p, x, v = pi.magnitude, log_pi.magnitude, spread.magnitude
    t = v.max(axis=-1, keepdims=True) * (radius * _UP)
    rho = np.where(2 * t < 0.5, 1 / (1 - 2 * t * _UP) * _UP, np.inf)
    excess = 2 * t * rho * _UP  # ρ − 1 = 2t/(1 − 2t)
    variance = upper_sum(p * v * v)
    e = excess * upper_sum(p * x) + radius * radius * rho * variance
    curvature = (
        rho * (upper_sum(p * x * v * v) + radius * upper_sum(p * v * v * v) + e * variance)
        + 2 * radius * rho * rho * variance * (upper_sum(p * x * v) + radius * variance + e * upper_sum(p * v))
        + rho * variance
    ) * _UP + TINY
    return Balls(slope.mid, (slope.rad + radius * curvature) * _UP)


def _exact_sign(weights: np.ndarray, advantages: np.ndarray, algorithm: str, step: float | None) -> int:
    exact = [Fraction(float(w)) for w in weights]
    total = sum(exact)
    policy: Policy = (StatePolicy(tuple(RationalEnclosure.of(w / total) for w in exact)),)
    row = tuple(RationalEnclosure.of(Fraction(float(a))) for a in advantages)
    with working_precision():
        path = EntropyPath(policy, direction(algorithm, policy, (row,), {}))
        if step is None:
            return sign_of(path.first_order()) or 0
        sign = certify_sign(path, Fraction(0), Fraction(step)).sign
    return {"increases": 1, "decreases": -1, "undecided": 0}[sign]
