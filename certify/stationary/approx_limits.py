"""Where multiplicity ends along a branch, in floats: at its highest folds and at the upper ends of its
stretches of saddles (docs/theory/continuation.md#from-below, "From below").
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq, minimize_scalar

from certify.stationary.approx_branches import Branch, correct, tangent_at
from certify.stationary.approx_policies import Found, approx_margin, approx_newton


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
        with np.errstate(invalid="ignore"):  # where the corrector leaves, the height is infinite
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
    return correct(branch.eq, branch.y[k] + s * branch.tangent[k], branch.tangent[k], 20)


def _reach_of(branch: Branch, k: int) -> tuple[float, float]:
    """Distances of the neighbours of point k along its tangent."""
    before, after = ((branch.y[j] - branch.y[k]) @ branch.tangent[k] for j in (k - 1, k + 1))
    return float(before), float(after)


def _log_beta(branch: Branch, k: int, s: float) -> float:
    """log beta there; infinite where the corrector has left for another branch, as the direction tells."""
    y = _along(branch, k, s)
    if y is None:
        return np.inf
    found = tangent_at(branch.eq, y, branch.tangent[k])
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
