"""The forms that hold for games of any horizon: `theorem-B` and `theorem-D-prime` (docs/theory/structural.md;
docs/certificate-format.md, section 3).

Exact rational arithmetic decides; floats only propose vectors and temperatures.
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from certify.thresholds.shapes import Shape, return_widths
from certify.thresholds.structural_form import Structural, candidates, perron


def general(shape: Shape, form: str) -> Structural:
    """The least temperature found at which `theorem-B` or `theorem-D-prime` holds.

    >>> from certify.thresholds.shapes import bare_shape
    >>> general(bare_shape(2, 1, 2, Fraction(0), Fraction(1)), "theorem-B").alpha_star
    Fraction(1, 2)
    """
    keys = shape.keys()
    strict = form == "theorem-D-prime"
    if not keys or not any(shape.widths) or (strict and len({i for i, _ in keys}) == 1):
        return _for_every_temperature(form, shape)

    def proposal(alpha: float) -> tuple[float, np.ndarray]:
        return perron(_float_matrix(shape, form, alpha, keys))

    def verified(alpha: Fraction, y: np.ndarray) -> tuple[Fraction, dict]:
        vector = {k: Fraction(max(1, round(v * 2**24)), 2**24) for k, v in zip(keys, y, strict=True)}
        return largest_sum(shape, form, alpha, vector), vector

    low, high = 1e-12, max(1e-9, float(max(shape.widths)))
    while proposal(high)[0] >= 1:
        high *= 2
    while high / low > 1 + 1e-10:
        middle = math.sqrt(low * high)
        low, high = (low, middle) if proposal(middle)[0] <= 1 else (middle, high)
    for alpha in candidates(high):
        total, vector = verified(alpha, proposal(float(alpha))[1])
        if total < 1 or (total == 1 and not strict):
            rows = tuple(
                tuple(vector.get((i, t), Fraction(1)) for t in range(shape.horizon)) for i in range(len(shape.actions))
            )
            return Structural(form, alpha, rows, total < 1, total)
    raise AssertionError("a temperature above the float threshold failed the exact test")


def _for_every_temperature(form: str, shape: Shape) -> Structural:
    """No pair of blocks interacts: the form holds at every temperature; 1/1000 of the width is named."""
    alpha = max(max(shape.widths) / 1000, Fraction(1, 10**6))
    ones = tuple((Fraction(1),) * shape.horizon for _ in shape.actions)
    return Structural(form, alpha, ones, True, Fraction(0))


def largest_sum(shape: Shape, form: str, alpha: Fraction, vector: dict[tuple[int, int], Fraction]) -> Fraction:
    """max_k (K y)_k / y_k at `alpha`, in units of alpha: an exact upper bound on lambda_max(K)/alpha."""
    c, keys = return_widths(shape, alpha), shape.keys()
    return max(
        (sum((_coefficient(shape, form, c, x, y) * vector[y] for y in keys), Fraction(0)) / vector[x] for x in keys),
        default=Fraction(0),
    )


def _coefficient(
    shape: Shape, form: str, c: list[Fraction], first: tuple[int, int], second: tuple[int, int]
) -> Fraction:
    """kappa / w_i of docs/certificate-format.md, section 3, for row `first`, column `second`."""
    (i, t), (j, u) = first, second
    sharp = form == "theorem-D-prime"
    if first == second or (sharp and i == j):
        return Fraction(0)
    half = Fraction(1, 2)
    if t == u:
        value = half * c[t]
    elif u > t:
        value = shape.discount ** (u - t) * c[u] * (half if sharp else 1)
    else:
        value = c[t] * (half if sharp else 1)
    return value / shape.weights[i]


def _float_matrix(shape: Shape, form: str, alpha: float, keys: list[tuple[int, int]]) -> np.ndarray:
    """The coefficients above in floats, for proposals."""
    c = np.array([float(x) for x in return_widths(shape, Fraction(alpha))])
    agent, step = np.array(keys).T
    sharp = form == "theorem-D-prime"
    gap = step[None, :] - step[:, None]
    value = c[np.maximum(step[:, None], step[None, :])] * float(shape.discount) ** np.maximum(gap, 0)
    value = np.where((gap == 0) | sharp, value / 2, value) / np.array([float(w) for w in shape.weights])[agent][:, None]
    return np.where((gap == 0) & (agent[:, None] == agent) | (sharp & (agent[:, None] == agent)), 0.0, value)
