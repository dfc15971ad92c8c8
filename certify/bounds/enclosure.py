"""A pair of bounds: the containment theorem is that the exact quantity lies between them.

Comparisons are predicates that mean "certainly"; what overlaps is decided by nobody (`Undecided`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, Generic, TypeVar

import numpy as np

from certify.errors import Undecided
from certify.exact import significant_text

_DIGITS = 10  # of a bound that is shown, rounded outwards
Record = TypeVar("Record", bound=Any)  # a dataclass
Bound = TypeVar("Bound")  # float, Fraction, or a numpy array of either


def _has_nan(bound: Any) -> bool:
    if isinstance(bound, float):
        return math.isnan(bound)
    # the least element is nan if any is: one pass and no array of booleans
    return isinstance(bound, np.ndarray) and bound.dtype.kind == "f" and bound.size > 0 and math.isnan(bound.min())


@dataclass(frozen=True, eq=False, repr=False)
class Enclosure(Generic[Bound]):
    """`lower <= exact <= upper`, elementwise; floats, `Fraction`s or numpy arrays of either.

    A nan is no bound: making one of it raises `Undecided`.

    >>> from fractions import Fraction
    >>> Enclosure(1.0, 2.0).contains(Fraction(3, 2))
    True
    """

    lower: Bound
    upper: Bound

    def __post_init__(self) -> None:
        # a nan compares false with everything, so that it would pass for whatever is asked of it
        if _has_nan(self.lower) or _has_nan(self.upper):
            raise Undecided("a bound is not a number (nan); the computation left the range of its arithmetic")

    def __repr__(self) -> str:
        if isinstance(self.lower, Fraction) and isinstance(self.upper, Fraction):
            ends = (significant_text(self.lower, _DIGITS, up=False), significant_text(self.upper, _DIGITS, up=True))
        else:
            ends = (repr(self.lower), repr(self.upper))
        return f"{type(self).__name__}[{ends[0]}, {ends[1]}]"

    @property
    def _ends(self) -> tuple[Any, Any]:
        """Both bounds; that they can be subtracted and compared is known to whoever made them."""
        return self.lower, self.upper

    @property
    def width(self) -> Bound:
        """`upper - lower`, in the arithmetic of the bounds (a figure, not a bound)."""
        lower, upper = self._ends
        width: Bound = upper - lower
        return width

    def contains(self, value: Any) -> bool:
        """Whether every element of `value` lies between its bounds, compared exactly.

        Python compares floats (infinite ones included) with `Fraction`s exactly.
        """
        value, lower, upper = np.broadcast_arrays(
            *(np.asarray(v, dtype=object) for v in (value, self.lower, self.upper))
        )
        return all(lo <= v <= up for lo, v, up in zip(lower.ravel(), value.ravel(), upper.ravel(), strict=True))

    def sign(self) -> int:
        """-1, 0 or 1 where the sign of a scalar is proved; raises `Undecided` otherwise."""
        lower, upper = self._ends
        if lower > 0 or upper < 0 or lower == upper == 0:
            return int(lower > 0) - int(upper < 0)
        raise Undecided(f"the sign of a number in [{self.lower}, {self.upper}]")


def multiplied(value: Any, factor: Fraction) -> Any:
    """A number, an `Enclosure`, None, or tuples of them, times a positive factor: what is said of payoffs in units,
    said of the payoffs themselves (docs/theory/objective.md#the-objective).

    >>> multiplied((Enclosure(Fraction(1), Fraction(2)), None), Fraction(10))
    (Enclosure[10, 20], None)
    """
    if isinstance(value, tuple):
        return tuple(multiplied(part, factor) for part in value)
    if isinstance(value, Enclosure):
        return Enclosure(value.lower * factor, value.upper * factor)
    return None if value is None else value * factor


def with_multiplied(record: Record, factor: Fraction, *names: str) -> Record:
    """A copy of a dataclass with the named fields `multiplied`.

    >>> with_multiplied(Enclosure(Fraction(1), Fraction(2)), Fraction(3), "upper")
    Enclosure[1, 6]
    """
    return replace(record, **{name: multiplied(getattr(record, name), factor) for name in names})
