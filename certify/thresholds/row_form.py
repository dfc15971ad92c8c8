"""The form `rows`: a structural threshold that grows like the horizon where `theorem-D-prime` grows like a power
of it (docs/certificate-format.md, section 3; docs/windows.md with windows of length 0 and ranges only).

What earlier steps of the others do to an agent's step is one random variable: its standard deviation costs a
square root once, where a sum over pairs of steps pays for each of them.
"""

from __future__ import annotations

import math
from fractions import Fraction

from certify.thresholds.shapes import Shape, return_widths
from certify.thresholds.structural_form import Structural, candidates

_GRID = 1 << 96


def row_form(shape: Shape) -> Structural | None:
    """The least temperature found at which the form `rows` holds; None where no two agents have a choice.

    >>> from certify.thresholds.shapes import bare_shape
    >>> row_form(bare_shape(2, 1, 2, Fraction(0), Fraction(1))).alpha_star <= Fraction(501, 1000)
    True
    """
    choices = shape.keys()
    if len({i for i, _ in choices}) < 2 or not any(shape.widths):
        return None
    high = max(1e-9, float(max(shape.widths)))
    while not _approx_holds(shape, high):
        high *= 2
    low = high / 2
    while low > 1e-12 and _approx_holds(shape, low):
        low, high = low / 2, low
    while high / low > 1 + 1e-9:
        middle = math.sqrt(low * high)
        low, high = (low, middle) if _approx_holds(shape, middle) else (middle, high)
    for alpha in candidates(high):
        margin = smallest_multiplier(shape, alpha)
        if margin is not None:
            return Structural("rows", alpha, None, True, 1 - margin)
    return None


def smallest_multiplier(shape: Shape, alpha: Fraction) -> Fraction | None:
    """The least multiplier of the form `rows` at `alpha`, rounded down, or None where one is not positive.

    y_{i,T} = 1 - (n_T - 1) c_T / (2 w_i) - sum_{j != i} sum_{u > T} gamma^(u - T) c_u^2 / (4 w_i w_j y_{j,u}),
    n_T the number of agents with a choice at T.
    """
    spread, agents = return_widths(shape, alpha), range(len(shape.actions))
    cost = [Fraction(0) for _ in agents]  # of later steps of agent j, per 1 / w_i, at the step at hand
    least = Fraction(1)
    for t in reversed(range(shape.horizon)):
        choice = [i for i in agents if shape.actions[i][t] > 1]
        cost = [_up(x * shape.discount) for x in cost]
        total = sum(cost, Fraction(0))
        new = {}
        for i in choice:
            w = shape.weights[i]
            left = 1 - (len(choice) - 1) * spread[t] / (2 * w) - (total - cost[i]) / w
            if left <= 0:
                return None
            least = min(least, left)
            new[i] = _up(spread[t] ** 2 / (4 * w * left))
        for i, x in new.items():
            cost[i] += x
    return least


def _up(x: Fraction) -> Fraction:
    """The next multiple of 2^-96 at or above."""
    return Fraction(-((-x.numerator * _GRID) // x.denominator), _GRID)


def _approx_holds(shape: Shape, alpha: float) -> bool:
    return smallest_multiplier(shape, Fraction(alpha)) is not None
