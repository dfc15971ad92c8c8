"""exp in additions and multiplications alone: arrays and compiled loops get the same floats from it, which two
libraries do not give.  So the boxes of a search are the same however it is computed, to the last digit."""

from __future__ import annotations

import numpy as np

from certify.thresholds.compiled.constants import LIMIT, LN2_HIGH, LN2_LOW, LOG2_E, TERMS


def approx_exp(x: np.ndarray) -> np.ndarray:
    """exp(x), up to some units in the last place.

    >>> bool(np.allclose(approx_exp(np.array([-3.0, 0.0, 1.5])), np.exp([-3.0, 0.0, 1.5]), rtol=1e-15))
    True
    """
    x = np.minimum(np.maximum(x, -LIMIT), LIMIT)
    whole = np.floor(x * LOG2_E + 0.5)
    rest = (x - whole * LN2_HIGH) - whole * LN2_LOW
    total = np.full(x.shape, TERMS[0])
    for term in TERMS[1:]:
        total = total * rest + term
    return np.ldexp(total, whole.astype(np.int32))


def last_sum(x: np.ndarray) -> np.ndarray:
    """The sum along the last axis, added up in its order."""
    total = x[..., 0].copy()
    for k in range(1, x.shape[-1]):
        total += x[..., k]
    return total
