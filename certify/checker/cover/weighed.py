"""Weighed steps (format, section 4.6): bounds on single probabilities from all stationarity equations of a game of two
agents and one step at once.  What both engines read of the process; each verifies in its own arithmetic.
"""

from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate, islice

from certify.checker.reading.envelope import MAX_INTEGER, Failed, Malformed, array, integer, record

UNIT = -24
ONE = 1 << -UNIT
MOST = 1 << 40  # of a weight: sums of so many as there are entries are exact in floats


@dataclass(frozen=True)
class Weighed:
    """`bounds[i][k]`: lower bounds of class k's probabilities, then upper ones, in units of 2^UNIT.

    A step that excludes a box has crossed ones, and `weights` of all equations and `sums` (at both betas) of classes;
    one that excludes a `part` = (c, low, high) of it, where entry c is between these, has the bounds of what is left.
    """

    bounds: tuple
    weights: tuple = ()
    sums: tuple = ()
    part: tuple = ()


def read_weighed(entry, where, process):
    """The step of an entry with the key "bounds" or "weights"."""
    if "weights" in entry:
        return _read_excluding(record(entry, where, ("weights", "sums"), ("part",)), where, process)
    rows = array(record(entry, where, ("bounds",))["bounds"], where, process.agents)
    if process.horizon != 1:
        raise Malformed(where, "bounds in a game of several steps")
    found = []
    for own, classes, actions in zip(rows, process.classes[0], process.actions[0], strict=True):
        lists = [array(row, where, 2 * actions) for row in array(own, where, classes)]
        found.append(tuple(tuple(integer(x, where, 0, ONE) for x in row) for row in lists))
    return Weighed(tuple(found))


def _read_excluding(entry, where, process):
    if process.horizon != 1:
        raise Malformed(where, "weights in a game of several steps")
    sizes = list(zip(process.actions[0], process.classes[0], strict=True))
    N = sum(A * K for A, K in sizes)
    weights = tuple(integer(x, where, -MOST, MOST) for x in array(entry["weights"], where, N))
    sums = [array(row, where, 2) for row in array(entry["sums"], where, sum(K for _, K in sizes))]
    sums = tuple(tuple(integer(x, where, -MAX_INTEGER, MAX_INTEGER) for x in row) for row in sums)
    ends = list(accumulate(A for A, K in sizes for _ in range(K)))
    if any(sum(weights[start:end]) for start, end in zip([0, *ends], ends, strict=False)):
        raise Malformed(where, "weights of a class that do not add up to 0")
    part, low, high = (), [ONE] * N, [0] * N
    if "part" in entry:
        part = tuple(
            integer(x, where, 0, most)
            for x, most in zip(array(entry["part"], where, 3), (N - 1, ONE, ONE), strict=True)
        )
        c, low, high = part[0], [0] * N, [ONE] * N
        if (part[1] == 0) == (part[2] == ONE):
            raise Malformed(where, "a part of the box at neither end, or at both")
        low[c], high[c] = (part[2], ONE) if part[1] == 0 else (0, part[1])
    rows = iter([(*low[start:end], *high[start:end]) for start, end in zip([0, *ends], ends, strict=False)])
    return Weighed(tuple(tuple(islice(rows, K)) for _, K in sizes), weights, sums, part)


class Equations:
    """The equations scale_c log pi_c - beta (table pi)_c = a constant of the class, for all entries c of both policies
    (agent 0 first, classes in order): `blocks` are the ranges of the classes; all numbers are exact."""

    def __init__(self, process):
        if process.agents != 2 or process.horizon != 1:
            raise Failed("weighed steps are for two agents and one step")
        if any(x != 1 for own in process.odds[0] for row in own for x in row):
            raise Failed("weighed steps are for references that are uniform")
        sizes = [A for A, K in zip(process.actions[0], process.classes[0], strict=True) for _ in range(K)]
        ends = list(accumulate(sizes))
        self.blocks = [range(end - size, end) for end, size in zip(ends, sizes, strict=True)]
        self.table = [[Fraction(0)] * ends[-1] for _ in range(ends[-1])]
        chance = [Fraction(0)] * len(sizes)
        for (k, m), p, row in zip(process.joint[0], process.start, process.reward[0], strict=True):
            m += process.classes[0][0]
            chance[k] += p
            chance[m] += p
            for (a, b), reward in zip(process.joint_actions[0], row, strict=True):
                a, b = self.blocks[k][a], self.blocks[m][b]
                self.table[a][b] = self.table[b][a] = p * reward
        self.of = [number for number, block in enumerate(self.blocks) for _ in block]
        weight = [w for w, K in zip(process.weights, process.classes[0], strict=True) for _ in range(K)]
        self.scale = [p * w for p, w, size in zip(chance, weight, sizes, strict=True) for _ in range(size)]
