"""Reads the policy and the advantages that an entropy certificate restates (docs/theory/entropy.md#first-order).
Anything that does not have the expected shape is `Malformed`.
"""

from collections.abc import Sequence
from fractions import Fraction
from math import isqrt
from typing import Any

from certify.checker.numbers.interval import BITS, ZERO, Interval, Unbounded, exp, log, total
from certify.checker.reading.envelope import Malformed, array, pair, rational, record

Ends = tuple[Fraction, Fraction]


def span(item: Any, where: str) -> Ends:
    """(lower, upper) from "p/q" or a pair of them."""
    if not isinstance(item, list):
        return (rational(item, where),) * 2
    low, high = pair(item, where)
    if low > high:
        raise Malformed(where, "an enclosure with its ends swapped")
    return low, high


def row(items: Any, where: str, length: int | None = None) -> list[Ends]:
    """A list of (lower, upper), not empty."""
    if not array(items, where, length):
        raise Malformed(where, "an empty list")
    return [span(item, where) for item in items]


class State:
    """π, log π, L = log π + H and H of one state as intervals; `ends` are the numbers as given.

    `uniform`: all entries exact and equal, so that L is exactly 0.
    """

    def __init__(self, data: Any, where: str) -> None:
        self.logits = isinstance(data, dict) and "logits" in data
        given = "logits" if self.logits else "probabilities"
        record(data, where, ("weight", given))
        self.weight = rational(data["weight"], f"{where}.weight")
        if self.weight <= 0:
            raise Malformed(f"{where}.weight", "not positive")
        self.ends = row(data[given], f"{where}.{given}")
        self.size = len(self.ends)
        self.exact = all(low == high for low, high in self.ends)
        self.uniform = self.exact and all(e == self.ends[0] for e in self.ends)
        entries = [Interval.of(low, high) for low, high in self.ends]
        if self.logits:
            weights = [exp(x) for x in entries]
            mass = total(weights)
            self.pi = [w / mass for w in weights]
            self.log_pi = [x - log(mass) for x in entries]
        else:
            lows, highs = sum(low for low, _ in self.ends), sum(high for _, high in self.ends)
            if min(low for low, _ in self.ends) <= 0 or not lows <= 1 <= highs:
                raise Malformed(where, "not positive probabilities that sum to 1")
            self.pi = entries
            self.log_pi = [log(x) for x in entries]
        self.entropy = -total(p * x for p, x in zip(self.pi, self.log_pi, strict=True))
        self.centred = [ZERO] * self.size if self.uniform else [x + self.entropy for x in self.log_pi]
        self.mass = Interval.of(self.weight)

    def mean(self, values: Sequence[Interval]) -> Interval:
        """E_π of a list of intervals."""
        return total(p * v for p, v in zip(self.pi, values, strict=True))


def policy(data: Any, where: str) -> list[State]:
    """The states of a policy."""
    record(data, where, ("states",))
    states = array(data["states"], f"{where}.states")
    if not states:
        raise Malformed(where, "no states")
    return [State(item, f"{where}.states[{k}]") for k, item in enumerate(states)]


def interval(ends: Ends) -> Interval:
    """The narrowest interval that holds both ends."""
    return Interval.of(*ends)


def larger(x: Interval, y: Interval) -> Interval:
    """max of a number in x and one in y."""
    return Interval(max(x.lo, y.lo), max(x.hi, y.hi))


def smaller(x: Interval, y: Interval) -> Interval:
    """min of a number in x and one in y."""
    return Interval(min(x.lo, y.lo), min(x.hi, y.hi))


def sqrt(x: Interval) -> Interval:
    """Square root of an interval of numbers >= 0."""
    if x.lo < 0:
        raise Unbounded("square root of an interval that is not non-negative")
    low, high = isqrt(x.lo << BITS), isqrt(x.hi << BITS)
    return Interval(low, high + (high * high < x.hi << BITS))
