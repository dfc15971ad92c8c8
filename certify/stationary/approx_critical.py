"""Where the branch of the unique policy first ceases to be a nondegenerate maximum as the temperature falls, and along
which directions J then rises; in floats (docs/theory/annealing.md#the-critical-temperature).

Approximate throughout: what is found is proved elsewhere, what is not found is not excluded.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from certify.games.tree import Tree
from certify.run import Run
from certify.stationary.approx_ascent import ApproxAscent
from certify.stationary.symmetric_pieces import SymmetricPath

_FIRST, _LARGEST, _LEAST = 0.02, 0.05, 1e-7  # steps in log beta
_MOVED = 0.5  # of a log-ratio in one step
_DIRECTION_BITS = 24
_UPHILL = 1e-7  # of the largest curvature


@dataclass(frozen=True)
class Critical:
    """`kind` "symmetry-breaking", "fold", or "none" where the branch stays a nondegenerate maximum down to `alpha`."""

    alpha: float
    kind: str


def approx_critical(path: SymmetricPath, z: np.ndarray, beta: float, last: float, run: Run) -> Critical:
    """The first critical temperature between the symmetric policy z (N,) at `beta` and beta = `last`."""
    step, margin = _FIRST, _margin(path, z, beta)
    while beta < last:
        run.check()
        following = min(last, beta * np.exp(step))
        frame = path.frame(z, Fraction(beta))
        there = path.newton(path.symmetrised(z + frame.tangent * (following - beta)), Fraction(following))
        if there is None or np.abs(there - z).max(initial=0.0) > _MOVED:
            step /= 2
            if step < _LEAST:
                return Critical(1 / beta, "fold")
            continue
        after = _margin(path, there, following)
        if after <= 0 < margin:
            return Critical(1 / _crossing(path, (beta, z), following), "symmetry-breaking")
        z, beta, margin, step = there, following, after, min(_LARGEST, step * 1.5)
    return Critical(1 / last, "none")


def _margin(path: SymmetricPath, z: np.ndarray, beta: float) -> float:
    """The least eigenvalue of DG at a stationary policy: positive at a nondegenerate maximum."""
    if not path.eq.size:
        return 1.0
    return float(np.linalg.eigvals(path.eq.linearised(z, beta)[1]).real.min())


def _crossing(path: SymmetricPath, known: tuple[float, np.ndarray], high: float) -> float:
    """The beta at which the least eigenvalue changes its sign, by bisection."""
    low, z = known
    for _ in range(40):
        middle = (low + high) / 2
        there = path.newton(z, Fraction(middle))
        if there is None:
            break
        if _margin(path, there, middle) > 0:
            low, z = middle, there
        else:
            high = middle
    return (low + high) / 2


def approx_uphill(tree: Tree, z: np.ndarray, alpha: float, images: list[np.ndarray]) -> dict[int, list[list[int]]]:
    """{k: per row of the table whole numbers u with sum 0} for every permutation k of entries that moves a direction
    u - image(u) along which J rises at the policy z (N,)."""
    ascent = ApproxAscent(tree, alpha)
    theta = np.zeros(ascent.size)
    theta[ascent.eq.entry] = z
    form, found = ascent.hessian(theta), {}
    for k, image in enumerate(images):
        difference = np.eye(ascent.size)
        difference[image, np.arange(ascent.size)] -= 1.0
        left, sizes, _ = np.linalg.svd(difference)
        frame = left[:, sizes > 1e-9]
        if not frame.shape[1]:
            continue
        values, vectors = np.linalg.eigh(frame.T @ form @ frame)
        if values[-1] > _UPHILL * np.abs(values).max():  # 0 along what changes no policy
            u = np.linalg.lstsq(difference, frame @ vectors[:, -1], rcond=None)[0]
            found[k] = _whole(ascent, u)
    return found


def _whole(ascent: ApproxAscent, u: np.ndarray) -> list[list[int]]:
    """The direction by row, in whole numbers, the last of each row minus the sum of the others."""
    layout = ascent.layout
    starts = [*layout.row_start.tolist(), layout.size]
    rows = []
    for a, b in itertools.pairwise(starts):
        even = u[a:b] - u[a:b].mean()
        whole = [int(x) for x in np.rint(even / np.abs(u).max() * 2.0**_DIRECTION_BITS)][:-1]
        rows.append([*whole, -sum(whole)])
    return rows
