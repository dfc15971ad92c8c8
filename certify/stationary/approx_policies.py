"""Stationary policies at one temperature, in floats: Newton's method, damped iteration, many starts.

Approximate throughout: what is found is proved elsewhere, what is not found is not excluded.
"""

from __future__ import annotations

import numpy as np

from certify.stationary.approx_equations import ApproxEquations

LARGEST_RATIO = 1000.0  # of |z|: what checkers take; exp of less than -745 is 0, which does no harm in one step
_SETTLED = 1e-10
_APART = 1e-5  # largest difference of probabilities from which two policies count as different


def approx_newton(eq: ApproxEquations, z: np.ndarray, beta: float, rounds: int = 30) -> np.ndarray | None:
    """A zero of G(., beta) near z (N,), or None where Newton's method does not settle."""
    for _ in range(rounds):
        value, slope, _ = eq.linearised(z, beta)
        step = solve(slope, value)
        if step is None or np.abs(step).max() > 30:
            return None
        z = z - step
        if np.abs(z).max() > LARGEST_RATIO:
            return None
        if np.abs(step).max() < _SETTLED * (1 + np.abs(z).max()):
            return z
    return None


def solve(matrix: np.ndarray, right: np.ndarray) -> np.ndarray | None:
    """matrix^-1 right, or None where there is none."""
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
        z = np.clip(z - damping * step, -LARGEST_RATIO, LARGEST_RATIO)
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
