"""Branches of stationary policies over the temperature, in floats: continuation through folds.

A branch is followed in (z, log beta) by pseudo-arclength through its folds.  Approximate throughout:
what is found is proved elsewhere, what is not found is not excluded.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from certify.stationary.approx_equations import ApproxEquations
from certify.stationary.approx_policies import LARGEST_RATIO, Found, approx_newton, solve


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
    start = tangent_at(eq, y, np.append(np.zeros(eq.size), -1.0))
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
        corrected = correct(eq, y + length * tangent, tangent)
        following = None if corrected is None else tangent_at(eq, corrected, tangent)
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


def tangent_at(eq: ApproxEquations, y: np.ndarray, before: np.ndarray) -> tuple[np.ndarray, float] | None:
    """The unit tangent at y whose product with `before` is positive, and the least eigenvalue of DG."""
    _, matrix = _bordered(eq, y, before)
    tangent = solve(matrix, np.append(np.zeros(eq.size), 1.0))
    if tangent is None:
        return None
    return tangent / np.linalg.norm(tangent), float(np.linalg.eigvals(matrix[:-1, :-1]).real.min())


def correct(eq: ApproxEquations, guess: np.ndarray, normal: np.ndarray, rounds: int = 7) -> np.ndarray | None:
    """The point of the curve in the plane through `guess` across `normal`."""
    y = guess
    for _ in range(rounds):
        value, matrix = _bordered(eq, y, normal)
        step = solve(matrix, np.append(value, normal @ (y - guess)))
        if step is None or np.abs(step).max() > 2:
            return None
        y = y - step
        if np.abs(y[:-1]).max() > LARGEST_RATIO:
            return None
        if np.abs(step).max() < 1e-11 * (1 + np.abs(y).max()):
            return y
    return None


def crossings(branch: Branch, alpha: float) -> list[np.ndarray]:
    """Policies z (N,) at which the branch passes alpha, between two of its points."""
    found, u = Found(branch.eq, alpha), -np.log(alpha)
    for k in np.flatnonzero((branch.y[:-1, -1] - u) * (branch.y[1:, -1] - u) <= 0):
        gap = branch.y[k + 1, -1] - branch.y[k, -1]
        part = (u - branch.y[k, -1]) / gap if gap else 0.0
        found.add(approx_newton(branch.eq, (1 - part) * branch.y[k, :-1] + part * branch.y[k + 1, :-1], 1 / alpha))
    return found.z
