"""Branches of stationary policies over the temperature, in floats: starts, continuation, folds.

A branch is followed in (z, log beta) by pseudo-arclength through its folds; multiplicity ends
where the highest fold or the highest saddle lies (docs/theory/continuation.md#from-below, "From below").  Approximate
throughout: what is found is proved elsewhere, what is not found is not excluded.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq, minimize_scalar

from certify.stationary.approx_equations import ApproxEquations

_SETTLED = 1e-10
_APART = 1e-5  # largest difference of probabilities from which two policies count as different
_LARGEST_RATIO = 600.0  # of |z|: beyond it exp leaves float64's range


def approx_newton(eq: ApproxEquations, z: np.ndarray, beta: float, rounds: int = 30) -> np.ndarray | None:
    """A zero of G(., beta) near z (N,), or None where Newton's method does not settle."""
    for _ in range(rounds):
        value, slope, _ = eq.linearised(z, beta)
        step = _solve(slope, value)
        if step is None or np.abs(step).max() > 30:
            return None
        z = z - step
        if np.abs(z).max() > _LARGEST_RATIO:
            return None
        if np.abs(step).max() < _SETTLED * (1 + np.abs(z).max()):
            return z
    return None


def _solve(matrix: np.ndarray, right: np.ndarray) -> np.ndarray | None:
    if not (np.isfinite(matrix).all() and np.isfinite(right).all()):
        return None
    try:
        return np.linalg.solve(matrix, right)
    except np.linalg.LinAlgError:
        return None


def approx_margin(eq: ApproxEquations, z: np.ndarray, beta: float) -> float:
    """The least eigenvalue of DG = (alpha - M)/alpha at a stationary policy: positive at strict
    local maxima, negative at saddles."""
    return float(np.linalg.eigvals(eq.linearised(z, beta)[1]).real.min())


def approx_settle(
    eq: ApproxEquations, z: np.ndarray, beta: float, rounds: int = 400, damping: float = 0.5
) -> np.ndarray:
    """Damped soft policy iteration of all columns of z (N, B); returns the columns that came near a zero."""
    for _ in range(rounds):
        step = eq.residual(z, beta)
        z = np.clip(z - damping * step, -_LARGEST_RATIO, _LARGEST_RATIO)
        if np.abs(step).max() < 1e-6:
            break
    return z[:, np.abs(step).max(axis=0) < 1e-2]


def random_starts(eq: ApproxEquations, count: int, rng: np.random.Generator) -> np.ndarray:
    """(N, count) log-ratios from nearly uniform to nearly deterministic; the first is uniform."""
    z = rng.normal(size=(eq.size, count)) * np.resize([0.5, 1.5, 4.0, 8.0], count)
    z[:, 0] = 0.0
    return z


class Found:
    """Different stationary policies at one temperature."""

    def __init__(self, eq: ApproxEquations, alpha: float) -> None:
        self.eq, self.alpha = eq, alpha
        self.z: list[np.ndarray] = []
        self._policies: list[np.ndarray] = []

    def add(self, z: np.ndarray | None) -> bool:
        """Whether z (N,) is new; None is not."""
        if z is None:
            return False
        policy = self.eq.policy(z[:, None])[:, 0]
        if any(np.abs(policy - other).max() < _APART for other in self._policies):
            return False
        self.z.append(z)
        self._policies.append(policy)
        return True

    def up_to_symmetry(self) -> list[np.ndarray]:
        """One policy for each value of J: symmetric images share theirs."""
        if not self.z:
            return []
        values = self.eq.value(np.stack(self.z, axis=1), 1 / self.alpha)
        _, first = np.unique(np.round(values, 7), return_index=True)
        return [self.z[k] for k in sorted(first)]


def approx_policies(
    eq: ApproxEquations,
    alpha: float,
    rng: np.random.Generator,
    *,
    starts: int = 64,
    newton_starts: int = 0,
    warm: list[np.ndarray] | None = None,
    limit: int = 12,
) -> Found:
    """Stationary policies at alpha from random starts: by damped iteration, and some by Newton's
    method alone, which also finds saddles.  `warm` are columns tried first; stops at `limit`."""
    found, beta = Found(eq, alpha), 1 / alpha
    for z in warm or []:
        found.add(approx_newton(eq, z, beta))
    settled = approx_settle(eq, random_starts(eq, starts, rng), beta)
    rough = np.round(eq.policy(settled), 3)
    _, first = np.unique(rough, axis=1, return_index=True)
    for k in sorted(first):
        if len(found.z) < limit:
            found.add(approx_newton(eq, settled[:, k], beta))
    for z in random_starts(eq, newton_starts + 1, rng).T[1:]:
        if len(found.z) < limit:
            found.add(approx_newton(eq, z, beta))
    return found


@dataclass(frozen=True, eq=False)
class Branch:
    """Points of a curve of stationary policies: `y` (P, N + 1) holds z and log beta, `margin` (P,)
    the least eigenvalue of DG, `tangent` (P, N + 1) unit vectors along the curve."""

    eq: ApproxEquations
    y: np.ndarray
    tangent: np.ndarray
    margin: np.ndarray

    @property
    def alpha(self) -> np.ndarray:
        """The temperatures along the path, one per point."""
        return np.exp(-self.y[:, -1])


def follow(eq: ApproxEquations, z: np.ndarray, alpha: float, *, top: float, floor: float, steps: int = 250) -> Branch:
    """The branch of z (N,), first towards larger alpha, until alpha leaves [floor, top] or `steps` are made."""
    y = np.append(z, -np.log(alpha))
    start = _tangent(eq, y, np.append(np.zeros(eq.size), -1.0))
    if start is None:
        return Branch(eq, y[None], np.zeros((1, eq.size + 1)), np.zeros(1))
    tangent, margin = start
    rows, tangents, margins = [y], [tangent], [margin]
    length = 0.05
    while len(rows) < steps and floor <= np.exp(-y[-1]) <= top:
        longest = min(0.08 / max(abs(tangent[-1]), 1e-3), 0.4 / max(np.abs(tangent[:-1]).max(), 1e-9))
        length = min(length, longest)
        if length < 1e-7:
            break
        corrected = _correct(eq, y + length * tangent, tangent)
        following = None if corrected is None else _tangent(eq, corrected, tangent)
        if following is None or following[0] @ tangent < 0.9:
            length /= 2
            continue
        y, (tangent, margin) = corrected, following
        rows.append(y)
        tangents.append(tangent)
        margins.append(margin)
        length *= 1.6
    return Branch(eq, np.array(rows), np.array(tangents), np.array(margins))


def _bordered(eq: ApproxEquations, y: np.ndarray, border: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """G and the matrix [DG, dG/dlog beta; border]."""
    beta = np.exp(y[-1])
    value, slope, by_beta = eq.linearised(y[:-1], beta)
    return value, np.vstack([np.column_stack([slope, beta * by_beta]), border])


def _tangent(eq: ApproxEquations, y: np.ndarray, before: np.ndarray) -> tuple[np.ndarray, float] | None:
    """The unit tangent at y whose product with `before` is positive, and the least eigenvalue of DG."""
    _, matrix = _bordered(eq, y, before)
    tangent = _solve(matrix, np.append(np.zeros(eq.size), 1.0))
    if tangent is None:
        return None
    return tangent / np.linalg.norm(tangent), float(np.linalg.eigvals(matrix[:-1, :-1]).real.min())


def _correct(eq: ApproxEquations, guess: np.ndarray, normal: np.ndarray, rounds: int = 7) -> np.ndarray | None:
    """The point of the curve in the plane through `guess` across `normal`."""
    y = guess
    for _ in range(rounds):
        value, matrix = _bordered(eq, y, normal)
        step = _solve(matrix, np.append(value, normal @ (y - guess)))
        if step is None or np.abs(step).max() > 2:
            return None
        y = y - step
        if np.abs(y[:-1]).max() > _LARGEST_RATIO:
            return None
        if np.abs(step).max() < 1e-11 * (1 + np.abs(y).max()):
            return y
    return None


@dataclass(frozen=True, eq=False)
class Limit:
    """Where multiplicity ends along a branch: a fold or the end of a stretch of saddles near point
    `at`, at the height `alpha`; `top` is the distance of the fold along the tangent there."""

    alpha: float
    kind: str
    branch: Branch
    at: int
    top: float = 0.0

    def near(self, alpha: float) -> list[np.ndarray]:
        """Policies z (N,) of the branch at an alpha slightly below the limit, saddles first."""
        eq, beta = self.branch.eq, 1 / alpha
        found = Found(eq, alpha)
        for z in self._sides(alpha) if self.kind == "fold" else [self.branch.y[self.at, :-1]]:
            found.add(approx_newton(eq, z, beta))
        return sorted(found.z, key=lambda z: approx_margin(eq, z, beta))

    def _sides(self, alpha: float) -> list[np.ndarray]:
        """Points of both sides of the fold at alpha, or as far down as the neighbours go."""
        branch, k, target, sides = self.branch, self.at, -np.log(alpha), []
        for end in _reach_of(branch, k):
            height = [_log_beta(branch, k, s) - target for s in (self.top, end)]
            if not np.isfinite(height).all() or height[0] > 0:
                continue
            s = end if height[1] <= 0 else brentq(lambda s: _log_beta(branch, k, s) - target, self.top, end, xtol=1e-9)
            if (y := _along(branch, k, s)) is not None:
                sides.append(y[:-1])
        return sides


def limits(branch: Branch, least: float = 0.0) -> list[Limit]:
    """Folds with a largest alpha, and the upper ends of stretches of saddles, highest first.

    What clearly lies below `least` is left out.
    """
    alpha, result = branch.alpha, []
    folds = [k for k in range(1, len(alpha) - 1) if alpha[k] >= alpha[k - 1] and alpha[k] > alpha[k + 1]]
    for k in folds:
        if max(alpha[k - 1 : k + 2]) * 1.05 < least:
            continue
        best = minimize_scalar(
            lambda s, k=k: _log_beta(branch, k, s),
            bounds=_reach_of(branch, k),
            method="bounded",
            options={"xatol": 1e-6},
        )
        if best.fun <= branch.y[k, -1]:
            result.append(Limit(float(np.exp(-best.fun)), "fold", branch, k, float(best.x)))
        else:
            result.append(Limit(float(alpha[k]), "fold", branch, k))
    for k in range(len(alpha) - 1):
        low, high = (k, k + 1) if alpha[k] < alpha[k + 1] else (k + 1, k)
        if branch.margin[low] < 0 < branch.margin[high] and alpha[high] >= least and not {k, k + 1} & set(folds):
            result.append(Limit(_bifurcation_height(branch, low, high), "bifurcation", branch, low))
    return sorted(result, key=lambda limit: -limit.alpha)


def _along(branch: Branch, k: int, s: float) -> np.ndarray | None:
    """The point of the curve at distance s along the tangent at point k."""
    return _correct(branch.eq, branch.y[k] + s * branch.tangent[k], branch.tangent[k], 20)


def _reach_of(branch: Branch, k: int) -> tuple[float, float]:
    """Distances of the neighbours of point k along its tangent."""
    before, after = ((branch.y[j] - branch.y[k]) @ branch.tangent[k] for j in (k - 1, k + 1))
    return float(before), float(after)


def _log_beta(branch: Branch, k: int, s: float) -> float:
    """log beta there; infinite where the corrector has left for another branch, as the direction tells."""
    y = _along(branch, k, s)
    found = None if y is None else _tangent(branch.eq, y, branch.tangent[k])
    return np.inf if found is None or found[0] @ branch.tangent[k] < 0.7 else float(y[-1])


def _bifurcation_height(branch: Branch, low: int, high: int) -> float:
    """The alpha between two points of a branch at which the margin vanishes."""
    eq, ends = branch.eq, (float(branch.alpha[low]), float(branch.alpha[high]))
    z = [branch.y[low, :-1], branch.y[high, :-1]]

    def margin(alpha: float) -> float:
        part = (alpha - ends[0]) / (ends[1] - ends[0])
        at = approx_newton(eq, (1 - part) * z[0] + part * z[1], 1 / alpha)
        return (
            branch.margin[low] * (1 - part) + branch.margin[high] * part
            if at is None
            else approx_margin(eq, at, 1 / alpha)
        )

    if not margin(ends[0]) < 0 < margin(ends[1]):
        return ends[0]
    return float(brentq(margin, *ends, xtol=1e-9 * ends[1], rtol=1e-9))


def crossings(branch: Branch, alpha: float) -> list[np.ndarray]:
    """Policies z (N,) at which the branch passes alpha, between two of its points."""
    found, u = Found(branch.eq, alpha), -np.log(alpha)
    for k in np.flatnonzero((branch.y[:-1, -1] - u) * (branch.y[1:, -1] - u) <= 0):
        gap = branch.y[k + 1, -1] - branch.y[k, -1]
        part = (u - branch.y[k, -1]) / gap if gap else 0.0
        found.add(approx_newton(branch.eq, (1 - part) * branch.y[k, :-1] + part * branch.y[k + 1, :-1], 1 / alpha))
    return found.z


def approx_uphill(eq: ApproxEquations, z: np.ndarray, alpha: float) -> list[np.ndarray]:
    """Policies reached by damped iteration from both sides of a saddle z (N,), along its steepest ascent."""
    beta = 1 / alpha
    values, vectors = np.linalg.eig(eq.linearised(z, beta)[1])
    v = vectors[:, values.real.argmin()].real
    v = v / np.abs(v).max()
    starts = np.stack([z + side * size * v for side in (1, -1) for size in (0.02, 0.3, 1.5)], axis=1)
    found = Found(eq, alpha)
    found.add(z)
    for column in approx_settle(eq, starts, beta, rounds=2000).T:
        found.add(approx_newton(eq, column, beta))
    return found.z[1:]
