"""Enclosures of the entropy along a softmax step: H(softmax(θ + ηu)) as a function of η, its
first derivative at points, and its second derivative over whole intervals of η.
Implements docs/theory/entropy.md#finite-steps (first-order identities and finite steps) for any direction u.

With π_η ∝ π e^{ηu}, L = log π + H, v = u − E_π u and X_η = L + ηv (log π_η up to a constant):

    H(η) − H(0) = log E_π e^{ηv} − E_η[X_η]          (E_η: mean under π_η; E_0[L] = E_0[v] = 0)
    H'(η)  = −Cov_η(X_η, v)
    H''(η) = −E_η[(X_η − E_η X_η)(v − E_η v)²] − Var_η(v)

Proof.  log π_η = log π + ηu − log Σ π e^{ηu}, and H(η) = −E_η log π_η, which is the first line.
dπ_η/dη = π_η (v − E_η v), so d/dη E_η[Y_η] = Cov_η(Y_η, v) + E_η[dY_η/dη] for any Y.  With
Y = log π_η the second term is E_η[v − E_η v] = 0: the second line.  Differentiate
E_η[X_η (v − E_η v)] once more: the dependence of E_η v drops out because X_η may be centred.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from flint import arb

from certify.bounds.arb_numbers import square
from certify.entropy.enclosure import RationalEnclosure, ball, dot, enclosure
from certify.entropy.policy import Policy


@dataclass(frozen=True)
class Direction:
    """The vector u of a step θ → θ + ηu, one row of balls per state.

    `neutral` says that the first-order change vanishes exactly, by construction (REPO's β*).
    `average` says over what a sampling algorithm was averaged ("all groups", "the given group").
    """

    rows: tuple[tuple[arb, ...], ...]
    neutral: bool = False
    average: str = "all actions"


@dataclass(frozen=True)
class LocalChange:
    """H(η) − H(0) and H'(η) at η = centre, and H'' over [centre − radius, centre + radius]."""

    centre: Fraction
    radius: Fraction
    change: arb
    slope: arb
    curvature: arb

    def change_over(self) -> arb:
        """H(η) − H(0) for every η of the interval (second-order Taylor form)."""
        step = arb(0).union(ball(self.radius)).union(-ball(self.radius))
        half_square = arb(0).union(square(ball(self.radius))) / 2
        return self.change + self.slope * step + self.curvature * half_square

    def slope_over(self) -> arb:
        """H'(η) for every η of the interval (mean-value form)."""
        return self.slope + self.curvature * ball(self.radius).union(-ball(self.radius))


class EntropyPath:
    """The entropy of `policy` along `direction`, summed over states with their weights.

    Make one and use it at a single working precision.

    >>> from certify.entropy.policy import policy_from_json
    >>> policy = policy_from_json(["1/2", "1/4", "1/4"])
    >>> path = EntropyPath(policy, Direction(((arb(0), arb(1), arb(1)),)))
    >>> path.local(Fraction(0), Fraction(1, 100)).slope_over() > 0
    True
    """

    def __init__(self, policy: Policy, direction: Direction) -> None:
        self.policy, self.direction = policy, direction
        self._states = []
        self._extremes = arb(0)  # holds every possible change: [−H, Σ_s d(s) log n_s − H]
        for state, row in zip(policy, direction.rows, strict=True):
            balls = state.balls()
            mean = dot(balls.pi, row)
            spread = tuple(u - mean for u in row)
            weight = ball(state.weight)
            self._states.append((weight, balls.pi, balls.centred, spread))
            self._extremes += weight * ((-balls.entropy).union(arb(state.size).log() - balls.entropy))

    @property
    def still(self) -> bool:
        """The direction is exactly 0 in every state."""
        return all(u.is_zero() for row in self.direction.rows for u in row)

    def entropy(self) -> arb:
        """Σ_s d(s) H_s at η = 0."""
        return sum((ball(s.weight) * s.balls().entropy for s in self.policy), arb(0))

    def first_order(self) -> arb:
        """dH/dη at η = 0: −Σ_s d(s) Cov_π(log π, u); exactly 0 for neutral directions."""
        if self.direction.neutral:
            return arb(0)
        return -sum(
            (
                w * dot((p * x for p, x in zip(pi, centred, strict=True)), spread)
                for w, pi, centred, spread in self._states
            ),
            arb(0),
        )

    def local(self, centre: Fraction, radius: Fraction) -> LocalChange:
        """Change and slope at `centre`, curvature over the interval of that `radius`."""
        point = ball(centre)
        interval = ball(RationalEnclosure(centre - radius, centre + radius))
        change, slope, curvature = arb(0), arb(0), arb(0)
        for weight, pi, centred, spread in self._states:
            c, s = _change_and_slope(pi, centred, spread, point)
            change += weight * c
            slope += weight * s
            curvature += weight * _curvature(pi, centred, spread, interval)
        if centre == 0:
            change, slope = arb(0), self.first_order()
        return LocalChange(centre, radius, self.within_range(change), slope, curvature)

    def within_range(self, change: arb) -> arb:
        """`change`, or [−H, Σ_s d(s) log n_s − H] where the ball is wider than that, or not finite."""
        narrower = change.is_finite() and change.rad() < self._extremes.rad()
        return change if narrower or change.is_exact() else self._extremes

    def attainable(self) -> tuple[Fraction, Fraction]:
        """[−H, Σ_s d(s) log n_s − H], outward: what any change can be; sharper than the ball."""
        entropy = self.entropy()
        most = sum((ball(s.weight) * arb(s.size).log() for s in self.policy), arb(0)) - entropy
        return -enclosure(entropy).upper, enclosure(most).upper

    def change_at(self, eta: Fraction) -> arb:
        """H(η) − H(0)."""
        if eta == 0:
            return arb(0)
        point = ball(eta)
        return self.within_range(
            sum(
                (w * _change_and_slope(pi, centred, spread, point)[0] for w, pi, centred, spread in self._states),
                arb(0),
            )
        )

    def probabilities_at(self, eta: Fraction) -> tuple[tuple[arb, ...], ...]:
        """π_η, one row per state."""
        return tuple(_tilted(pi, spread, ball(eta))[0] for _, pi, _, spread in self._states)


def _tilted(pi: Sequence[arb], spread: Sequence[arb], eta: arb) -> tuple[tuple[arb, ...], arb, tuple[arb, ...]]:
    """π_η, Σ π e^{η(v − c)} and v − c, with c the largest v: no exponent overflows."""
    top = max(v.mid() for v in spread)
    lowered = tuple(v - top for v in spread)
    weights = [p * (eta * v).exp() for p, v in zip(pi, lowered, strict=True)]
    total = sum(weights, arb(0))
    return tuple(w / total for w in weights), total, lowered


def _change_and_slope(pi: Sequence[arb], centred: Sequence[arb], spread: Sequence[arb], eta: arb) -> tuple[arb, arb]:
    tilted, total, lowered = _tilted(pi, spread, eta)
    # both lines of the module hold with any constant added to v
    log_ratio = [x + eta * v for x, v in zip(centred, lowered, strict=True)]
    mean_spread = dot(tilted, spread)
    slope = -dot((p * (v - mean_spread) for p, v in zip(tilted, spread, strict=True)), log_ratio)
    return total.log() - dot(tilted, log_ratio), slope


def _curvature(pi: Sequence[arb], centred: Sequence[arb], spread: Sequence[arb], eta: arb) -> arb:
    tilted, _, _ = _tilted(pi, spread, eta)
    mean_spread = dot(tilted, spread)
    mean_log = dot(tilted, centred) + eta * mean_spread
    total = arb(0)
    for p, x, v in zip(tilted, centred, spread, strict=True):
        total -= p * square(v - mean_spread) * (x + eta * v - mean_log + 1)
    return total
