"""A structural threshold with what proves it, and the floats that propose one."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np


@dataclass(frozen=True)
class Structural:
    """A structural threshold with what proves it: `form`, `alpha_star`, positive `vector`.

    `sums(alpha)` are exact upper bounds of (K y)_k / y_k at that temperature in units of alpha;
    the form holds where their maximum is <= 1 (`theorem-D-prime`: < 1).
    """

    form: str
    alpha_star: Fraction
    vector: tuple[tuple[Fraction, ...], ...] | None
    strict: bool
    largest_sum: Fraction | None

    @property
    def order(self) -> tuple[Fraction, bool]:
        """What forms are sorted by: the smallest temperature first, the stronger statement where they agree."""
        return self.alpha_star, self.form in ("theorem-D-prime", "rows", "regular")

    @property
    def modulus(self) -> Fraction | None:
        """Certified lower bound on alpha - lambda_max(M) at alpha_star: on the whole policy space for one step,
        where log pi_i(a) - log pi_i(b) <= c_t / w_i (which holds every stationary policy) for more."""
        if self.form not in ("theorem-B", "one-step-rho") or self.largest_sum is None:
            return None
        return self.alpha_star * (1 - self.largest_sum)


def candidates(value: float) -> Iterator[Fraction]:
    """Short rationals close to `value` first, then ones that are certainly above it."""
    near = Fraction(value)
    for digits in (10, 100, 1000):
        short = near.limit_denominator(digits)
        if abs(short - near) <= near * Fraction(1, 10**8):
            yield short
    for slack in (Fraction(1, 10**7), Fraction(1, 10**6), Fraction(1, 10**4), Fraction(1, 100)):
        scale = Fraction(10) ** (7 - math.floor(math.log10(value)))
        yield Fraction(math.ceil(near * (1 + slack) * scale)) / scale


def perron(matrix: np.ndarray) -> tuple[float, np.ndarray]:
    """Collatz-Wielandt bound and a positive vector by power iteration (a float proposal)."""
    y = np.ones(len(matrix))
    if not matrix.any():
        return 0.0, y
    for _ in range(200):
        z = matrix @ y + 1e-3 * matrix.max() * y
        y = np.maximum(z / z.max(), 1e-6)
    return float((matrix @ y / y).max()), y
