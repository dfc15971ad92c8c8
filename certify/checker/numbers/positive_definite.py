"""Positive definiteness of every symmetric matrix in an interval, on tangent vectors, in whole
numbers (format, section 4.5, last paragraph).

Nothing is taken on trust: for any y > 0 the matrices C with mid - rad <= C <= mid + rad are at most
mid + diag((rad y)/y) as forms, and whether D less that is positive definite is decided by elimination.
"""

from collections.abc import Iterator, Sequence
from itertools import islice
from math import sqrt

from certify.checker.numbers.fixed_point import ONE
from certify.checker.numbers.linear import dot

_HEADROOM = 32  # bits below the unit of a matrix: n of them are lost in each of n eliminations
_VECTOR_BITS = 40  # of the largest entry of y
_ATTEMPTS = 20  # vectors y tried
_POWER_STEPS = 60
_FLOOR = 0.02  # of the entries that y is drawn towards

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
    for y in _approx_vectors(blocks, [2 * d for d in diagonal], matrix, radius):
        for k, row in enumerate(matrix):
            row[k] = 2 * diagonal[k] + (-dot(radius[k], y) // y[k])
        if positive_definite(_reduced(matrix, blocks)):
            return True
    return False


def _approx_vectors(
    blocks: Sequence[int], diagonal: Sequence[int], rest: Matrix, radius: Matrix
) -> Iterator[list[int]]:
    """Vectors y > 0 to try, found in floats.  After the first, each is drawn more towards the direction v in
    which the form diag(D - (rad y)/y) + rest is smallest: for y = |v| it charges v what the worst matrix does.
    """
    scale = [(d / ONE) ** -0.5 for d in diagonal]  # coordinates in which D is the identity
    rests, radii = (
        [[x / ONE * s * r for x, r in zip(row, scale, strict=True)] for row, s in zip(matrix, scale, strict=True)]
        for matrix in (rest, radius)
    )
    top = 2 + max(sum(map(abs, row)) for row in rests)  # above the largest eigenvalue
    y, v = [1.0] * len(scale), [1.0 + k % 7 / 10 - k % 2 for k in range(len(scale))]
    for _ in range(_ATTEMPTS):
        yield [max(1, int(x * s / max(scale) * 2**_VECTOR_BITS)) for x, s in zip(y, scale, strict=True)]
        penalty = [dot(row, y) / x for row, x in zip(radii, y, strict=True)]
        for _ in range(_POWER_STEPS):  # on top times the identity less the matrix
            v = [x * (top - 1 + p) - dot(row, v) for x, p, row in zip(v, penalty, rests, strict=True)]
            v, end = _tangent(v, blocks, scale), max(map(abs, v))
            v = [x / end for x in v]
        y = [sqrt(x * (abs(z) + _FLOOR)) for x, z in zip(y, v, strict=True)]


def _tangent(v: Sequence[float], blocks: Sequence[int], scale: Sequence[float]) -> list[float]:
    """v less its part along the normals of the tangent space: `scale` in each block."""
    result, parts = [], iter(zip(v, scale, strict=True))
    for size in blocks:
        part = list(islice(parts, size))
        share = sum(x * s for x, s in part) / sum(s * s for _, s in part)
        result += [x - share * s for x, s in part]
    return result


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
