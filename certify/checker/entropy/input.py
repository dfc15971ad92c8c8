"""Reads the policy, advantages and parameters that an entropy certificate restates
(docs/theory/entropy.md#first-order).  Standard library only.  Anything that does not have the expected
shape is `Malformed`.
"""

import re
from fractions import Fraction

from certify.checker.kinds.symmetry import Malformed
from certify.checker.numbers.interval import ZERO, Interval, exp, log, total

_NUMBER = re.compile(r"-?[0-9]{1,4000}(/[0-9]{1,4000})?")


def number(text, where):
    """The rational written as "p/q" or "p"."""
    if not isinstance(text, str) or not _NUMBER.fullmatch(text) or re.search(r"/0+\Z", text):
        raise Malformed(f"{where}: {str(text)[:40]!r} is not an exact number")
    return Fraction(text)


def span(item, where):
    """(lower, upper) from "p/q" or a pair of them."""
    if isinstance(item, list):
        if len(item) != 2:
            raise Malformed(f"{where}: an enclosure has two ends")
        low, high = number(item[0], where), number(item[1], where)
        if low > high:
            raise Malformed(f"{where}: an enclosure with its ends swapped")
        return low, high
    value = number(item, where)
    return value, value


def row(items, where, length=None):
    """A list of (lower, upper)."""
    if not isinstance(items, list) or not items or length not in (None, len(items)):
        raise Malformed(f"{where}: not a list of the right length")
    return [span(item, where) for item in items]


def field(data, key, kind, where):
    """data[key], of the given type."""
    if not isinstance(data, dict) or not isinstance(data.get(key), kind):
        raise Malformed(f"{where}: no usable {key!r}")
    return data[key]


class State:
    """π, log π, L = log π + H and H of one state as intervals; `ends` are the numbers as given.

    `uniform`: all entries exact and equal, so that L is exactly 0.
    """

    def __init__(self, data, where):
        self.weight = number(data.get("weight") if isinstance(data, dict) else None, f"{where}, weight")
        if self.weight <= 0:
            raise Malformed(f"{where}: a weight that is not positive")
        if ("logits" in data) == ("probabilities" in data):
            raise Malformed(f"{where}: either logits or probabilities")
        self.logits = "logits" in data
        self.ends = row(data["logits" if self.logits else "probabilities"], where)
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
                raise Malformed(f"{where}: not positive probabilities that sum to 1")
            self.pi = entries
            self.log_pi = [log(x) for x in entries]
        self.entropy = -total(p * x for p, x in zip(self.pi, self.log_pi))
        self.centred = [ZERO] * self.size if self.uniform else [x + self.entropy for x in self.log_pi]
        self.mass = Interval.of(self.weight)

    def mean(self, values):
        """E_π of a list of intervals."""
        return total(p * v for p, v in zip(self.pi, values))


def policy(data, where):
    """The states of a policy."""
    states = field(data, "states", list, where)
    if not states:
        raise Malformed(f"{where}: no states")
    return [State(item, f"{where}, state {k}") for k, item in enumerate(states)]


def whole(value, where, least=0):
    """A whole number given as JSON integer."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise Malformed(f"{where}: not a whole number of at least {least}")
    return value


def interval(ends):
    return Interval.of(*ends)
