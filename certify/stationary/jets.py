"""Arb balls with their gradients: forward differentiation for `ObjectRecursion`
(docs/theory/continuation.md#krawczyk-boxes).

A jet encloses a function and its partial derivatives over one box, so a recursion run on jets
encloses the Jacobian that a Krawczyk step needs.
"""

from __future__ import annotations

import flint


class Jet:
    """`value` is an arb, `slope` a (1, N) arb_mat of partial derivatives, None for a constant."""

    __slots__ = ("slope", "value")

    def __init__(self, value: flint.arb, slope: flint.arb_mat | None = None) -> None:
        self.value, self.slope = value, slope

    def __add__(self, other: Jet | int) -> Jet:
        if isinstance(other, int):  # numpy's sums begin with 0
            return Jet(self.value + other, self.slope)
        if not isinstance(other, Jet):
            return NotImplemented  # an array takes over, element by element
        if self.slope is None or other.slope is None:
            return Jet(self.value + other.value, other.slope if self.slope is None else self.slope)
        return Jet(self.value + other.value, self.slope + other.slope)

    __radd__ = __add__

    def __neg__(self) -> Jet:
        return Jet(-self.value, None if self.slope is None else -1 * self.slope)

    def __sub__(self, other: Jet) -> Jet:
        return self + (-other) if isinstance(other, Jet) else NotImplemented

    def __mul__(self, other: Jet) -> Jet:
        if not isinstance(other, Jet):
            return NotImplemented
        value = self.value * other.value
        if self.slope is None:
            return Jet(value, None if other.slope is None else other.slope * self.value)
        if other.slope is None:
            return Jet(value, self.slope * other.value)
        return Jet(value, self.slope * other.value + other.slope * self.value)

    def __truediv__(self, other: Jet) -> Jet:
        if not isinstance(other, Jet):
            return NotImplemented
        inverse = 1 / other.value
        slope = None if other.slope is None else other.slope * (-inverse * inverse)
        return self * Jet(inverse, slope)
