"""Integer linear algebra on joint-action tables, shared by the modules of the plain engine.

A table over joint actions is a flat list, first agent most significant.  All sums are exact;
multiplying by a policy raises the scale by 2^BITS.
"""

from collections.abc import Sequence
from operator import mul
from typing import TypeVar

from certify.checker.numbers.fixed_point import ONE

Entry = TypeVar("Entry")


def dot(x: Sequence[int], y: Sequence[int]) -> int:
    """The sum of products; both have the same length."""
    if len(x) != len(y):
        raise ValueError("vectors of different lengths")
    return sum(map(mul, x, y))


def contract(columns: Sequence[Sequence[int]], policy: Sequence[int]) -> list[list[int]]:
    """Every column averaged over its most significant agent with the weights `policy`.

    >>> contract([[1, 2, 3, 4]], [10, 1])
    [[13, 24]]
    """
    size = len(columns[0]) // len(policy) if columns else 1
    if size == 1:
        return [[sum(map(mul, policy, column))] for column in columns]
    return [[sum(map(mul, policy, column[j::size])) for j in range(size)] for column in columns]


def contract_all(columns: Sequence[Sequence[int]], policies: Sequence[Sequence[int]]) -> list[int]:
    """Every column averaged over all its agents: a list of integers."""
    for policy in policies:
        columns = contract(columns, policy)
    return [column[0] for column in columns]


def front(table: Sequence[Entry], sizes: Sequence[int], agents: Sequence[int]) -> list[Entry]:
    """The table with the axes of `agents` moved to the front, in that order.

    >>> front([0, 1, 2, 3, 4, 5], (2, 3), (1,))
    [0, 3, 1, 4, 2, 5]
    """
    strides = [1] * len(sizes)
    for i in range(len(sizes) - 2, -1, -1):
        strides[i] = strides[i + 1] * sizes[i + 1]
    offsets = [0]
    for i in [*agents, *(i for i in range(len(sizes)) if i not in agents)]:
        offsets = [o + strides[i] * a for o in offsets for a in range(sizes[i])]
    return [table[o] for o in offsets]


def greedy(lower: Sequence[int], upper: Sequence[int], coefficients: Sequence[int]) -> int:
    """max of coefficients · q over lower <= q <= upper, sum q = 1 (ONE): fill up in their order."""
    rest = ONE - sum(lower)
    total = dot(lower, coefficients)
    for c, low, high in sorted(zip(coefficients, lower, upper, strict=True), reverse=True):
        if rest <= 0:
            break
        take = min(rest, high - low)
        total += take * c
        rest -= take
    return total
