"""Multistart in floats: the oracle that tries to find a second stationary policy."""

from __future__ import annotations

import numpy as np

from certify.thresholds.approx_policy import approx_stationary, softmax
from certify.thresholds.index_tables import Plan


def distinct_policies(plan: Plan, alpha: float, rng: np.random.Generator, starts: int = 6) -> int:
    """How many clearly different stationary policies damped iteration finds from random starts."""
    found = []
    for k in range(starts):
        scale = (1.0, 5.0, 20.0)[k % 3]
        start = [[softmax(scale * rng.normal(size=p.shape)) for p in row] for row in plan.tree.uniform()]
        policy, residual = approx_stationary(plan, 1 / alpha, start, tolerance=1e-9, rounds=400)
        if residual > 1e-7:
            continue
        flat = np.concatenate([p.ravel() for row in policy for p in row])
        if all(np.abs(flat - other).max() > 1e-4 for other in found):
            found.append(flat)
    return len(found)
