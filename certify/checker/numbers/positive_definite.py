"""Positive definiteness of every symmetric matrix in an interval, on tangent vectors, in whole
numbers (format, section 4.5, last paragraph).

Nothing is taken on trust: for any y > 0 the matrices C with mid - rad <= C <= mid + rad are at most
mid + diag((rad y)/y) as forms, and whether D less that is positive definite is decided by elimination.
"""

from collections.abc import Iterator, Sequence
from math import isqrt

from certify.checker.numbers.linear import dot

_HEADROOM = 32  # bits below the unit of a matrix: n of them are lost in each of n eliminations
_VECTOR_BITS = 40  # of the largest entry of z
_POWER_STEPS = 12

Matrix = Sequence[Sequence[int]]


def definite_on_tangents(blocks: Sequence[int], diagonal: Sequence[int], low: Matrix, high: Matrix) -> bool:
    """Whether v^T (D - C) v > 0 for all tangent v != 0 and all symmetric C, low <= C <= high.

    `blocks` are the numbers of coordinates of the blocks, tangent vectors sum to 0 on each; `diagonal`
    lists D; `low` and `high` are symmetric; all are whole numbers in the same unit.

    >>> one = [[0, 0, 2, -2], [0, 0, -2, 2], [2, -2, 0, 0], [-2, 2, 0, 0]]
    >>> definite_on_tangents([2, 2], [5] * 4, one, one), definite_on_tangents([2, 2], [3] * 4, one, one)
    (True, False)
    """
    if min(diagonal, default=1) <= 0:
        return False
    radius = [[y - x for x, y in zip(*rows, strict=True)] for rows in zip(low, high, strict=True)]  # twice rad
    matrix = [[-x - y for x, y in zip(*rows, strict=True)] for rows in zip(low, high, strict=True)]
    for y in _vectors(diagonal, radius):
        for k, row in enumerate(matrix):
            row[k] = 2 * diagonal[k] + (-dot(radius[k], y) // y[k])
        if positive_definite(_reduced(matrix, blocks)):
            return True
    return False


def _vectors(diagonal: Sequence[int], radius: Matrix) -> Iterator[list[int]]:
    """The vectors y > 0 to try: D^-1/2 z for z = 1, and for the z with which generators close a node: 12 power steps
    of D^-1/2 rad D^-1/2, each scaled to largest entry 1 and raised by 2^-20."""
    scale = [isqrt((max(diagonal) << 2 * _VECTOR_BITS) // d) for d in diagonal]
    z = [1 << _VECTOR_BITS] * len(scale)
    yield scale
    for _ in range(_POWER_STEPS):
        y = [x * s for x, s in zip(z, scale, strict=True)]
        z = [s * dot(row, y) for s, row in zip(scale, radius, strict=True)]
        z = [(x << _VECTOR_BITS) // max(1, *z) + (1 << _VECTOR_BITS - 20) for x in z]
    yield [x * s for x, s in zip(z, scale, strict=True)]


def _reduced(matrix: Matrix, blocks: Sequence[int]) -> list[list[int]]:
    """The matrix on tangent vectors: the last coordinate of each block is minus the sum of the others."""
    last_of, end = {}, 0
    for size in blocks:
        end += size
        last_of.update(dict.fromkeys(range(end - size, end - 1), end - 1))
    half = [[row[l] - row[last] for l, last in last_of.items()] for row in matrix]
    return [[x - y for x, y in zip(half[k], half[last], strict=True)] for k, last in last_of.items()]


def positive_definite(matrix: Matrix) -> bool:
    """Whether a symmetric matrix of whole numbers is certainly positive definite.

    It is if its first entry p is positive and what elimination leaves, S = rest - a a^T / p, is positive
    definite.  Entries of S are rounded by less than 1, symmetrically: m x m errors in [0, 1) are at most m
    as a form, so with m taken off its diagonal the rounded S is at most the true one.

    >>> positive_definite([[2, 1], [1, 2]]), positive_definite([[1, 1], [1, 1]])
    (True, False)
    """
    rows = [[x << _HEADROOM for x in row[k:]] for k, row in enumerate(matrix)]  # on and above the diagonal
    while rows:
        (pivot, *first), *rest = rows
        if pivot <= 0:
            return False
        rows = []
        for k, row in enumerate(rest):
            rows.append([x - first[k] * y // pivot for x, y in zip(row, first[k:], strict=True)])
            rows[k][0] -= len(rest)
    return True
