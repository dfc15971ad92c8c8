"""Numbers of other programs as rationals: what is exact stays exact, a float becomes a near fraction with a small
denominator, and how near is kept and bounded.
"""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction
from typing import Any, TypeVar

from certify.errors import InputError
from certify.exact import exact_number

MAX_DENOMINATOR, TOLERANCE = 10_000, 1e-9


class Rationals:
    """Turns numbers into rationals; `error` is the largest distance between a float and its rational so far.

    A float becomes the nearest fraction with a denominator up to `max_denominator`; one that is further than
    `tolerance` times max(1, its size) from that fraction is refused.  Integers, fractions, `Decimal` and texts are
    exact.  A float of less than 64 bits counts as the shortest decimal that prints it.

    >>> numbers = Rationals()
    >>> numbers(1 / 3, "here"), numbers("0.1", "here"), 0 < numbers.error < 1e-16
    (Fraction(1, 3), Fraction(1, 10), True)
    >>> numbers(math.pi, "the reward")
    Traceback (most recent call last):
    certify.errors.InputError: the reward: 3.141592653589793 is no fraction with a denominator up to 10000, within \
1e-09; give a Fraction, or raise max_denominator or tolerance
    """

    def __init__(self, max_denominator: int = MAX_DENOMINATOR, tolerance: float = TOLERANCE) -> None:
        denominator, bound = exact_number(max_denominator, "max_denominator"), exact_number(tolerance, "tolerance")
        if denominator.denominator != 1 or denominator < 1:
            raise InputError("max_denominator", f"{max_denominator}", "use a whole number, at least 1")
        if not 0 <= bound < 1:
            raise InputError("tolerance", f"{tolerance}", "use a number from 0 to less than 1")
        self.max_denominator, self.tolerance = int(denominator), bound
        self.error = Fraction(0)
        self._known: dict[float, Fraction] = {}

    def __call__(self, value: Any, where: object) -> Fraction:
        """The rational; raises `InputError` for what is no finite number, and for floats near no small fraction."""
        if isinstance(value, Fraction):
            return value
        if isinstance(value, float) or getattr(getattr(value, "dtype", None), "kind", "") == "f":
            return self._near(value, where)
        if isinstance(value, Decimal):
            return exact_number(str(value), str(where))
        if type(value) is int:
            return Fraction(value)
        return exact_number(value, str(where))

    def _near(self, value: Any, where: object) -> Fraction:
        number = float(value)
        if number in self._known:
            return self._known[number]
        if not math.isfinite(number):
            raise InputError(str(where), f"{number} is no number", "give a finite one")
        exact = Fraction(number)
        target = exact if isinstance(value, float) else Fraction(str(value))
        near = target.limit_denominator(self.max_denominator)
        if abs(near - target) > self.tolerance * max(Fraction(1), abs(target)):
            raise InputError(
                str(where),
                f"{value!s} is no fraction with a denominator up to {self.max_denominator}, within "
                f"{float(self.tolerance):.3g}",
                "give a Fraction, or raise max_denominator or tolerance",
            )
        self.error = max(self.error, abs(near - exact))
        self._known[number] = near
        return near


Key = TypeVar("Key")


def add_to(weights: dict[Key, Fraction], key: Key, p: Fraction) -> None:
    """Add a probability to what a dictionary holds under a key; sums of fractions cost, so none is made with 0.

    >>> weights = {}
    >>> add_to(weights, "a", Fraction(1, 2)), add_to(weights, "a", Fraction(1, 4)), weights
    (None, None, {'a': Fraction(3, 4)})
    """
    weights[key] = weights[key] + p if key in weights else p
