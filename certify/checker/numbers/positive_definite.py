"""Positive definiteness of every symmetric matrix in an interval, on tangent vectors, in whole
numbers (format, section 4.5, last paragraph).

A vector y and a factor L are found in floating point and trusted for nothing: what is verified is
that  D - mid - diag((rad y)/y) - L L^T, reduced to tangent vectors, is strictly diagonally dominant.
"""

from math import frexp, ldexp, sqrt

from certify.checker.numbers.fixed_point import ONE
from certify.checker.numbers.linear import dot

_SHIFT = 2.0**-32  # of the float matrix before it is factored; leaves room for rounding
_BITS = 52  # of the rounded factor
_ATTEMPTS = 20  # vectors y proposed
_POWER_STEPS = 60


def definite_on_tangents(blocks, diagonal, low, high):
    """Whether v^T (D - C) v > 0 for all tangent v != 0 and all symmetric C, low <= C <= high.

    `blocks` are the numbers of coordinates of the blocks, tangent vectors sum to 0 on each;
    `diagonal` lists D, `low[k][l]` and `high[k][l]` for k < l bound C; all are integers in the same
    unit.  C has no diagonal.

    >>> one = [[0, 0, 2, -2], [0, 0, -2, 2], [0, 0, 0, 0], [0, 0, 0, 0]]
    >>> definite_on_tangents([2, 2], [5] * 4, one, one), definite_on_tangents([2, 2], [3] * 4, one, one)
    (True, False)
    """
    size = len(diagonal)
    if size == 0:
        return True  # nobody has a choice
    if any(d <= 0 for d in diagonal):
        return False
    # twice the midpoint and twice the radius, so that both are integers
    middle = [
        [low[min(k, l)][max(k, l)] + high[min(k, l)][max(k, l)] if k != l else 0 for l in range(size)]
        for k in range(size)
    ]
    radius = [
        [high[min(k, l)][max(k, l)] - low[min(k, l)][max(k, l)] if k != l else 0 for l in range(size)]
        for k in range(size)
    ]
    for y in _Guess(blocks, diagonal, middle, radius).vectors():
        matrix = [[-x for x in row] for row in middle]
        for k in range(size):
            matrix[k][k] = 2 * diagonal[k] + (-dot(radius[k], y) // y[k])
        if positive_definite(_reduced(matrix, blocks, diagonal)):
            return True
    return False


class _Guess:
    """Proposes vectors y, in floats, in coordinates in which D is the identity: first one near the
    Perron vector of rad, then vectors drawn towards the direction in which the form is smallest."""

    def __init__(self, blocks, diagonal, middle, radius):
        self.scale = [1 / sqrt(2 * _float(d)) for d in diagonal]
        self.middle, self.radius = (
            [[_float(x) * s * r for x, r in zip(row, self.scale)] for row, s in zip(matrix, self.scale)]
            for matrix in (middle, radius)
        )
        self.normals, start = [], 0  # of the tangent space, per block
        for count in blocks:
            part = self.scale[start : start + count]
            norm = sqrt(dot(part, part))
            self.normals.append((start, [x / norm for x in part]))
            start += count
        largest = max(sum(map(abs, row)) for row in self.middle)
        self.top = 1.5 + largest  # above all eigenvalues

    def vectors(self):
        size = len(self.scale)
        y = [1.0] * size
        for _ in range(20):
            y = _normalised([0.05 * x + dot(row, y) for x, row in zip(y, self.radius)])
        direction = [1.0 + k % 7 / 10 - k % 2 for k in range(size)]
        for _ in range(_ATTEMPTS):
            penalty = [dot(row, y) / x for row, x in zip(self.radius, y)]
            direction, smallest = self._softest(penalty, direction)
            if smallest > 0:
                largest = max(self.scale)
                yield [max(1, int(x * s / largest * 2**40)) for x, s in zip(y, self.scale)]
            floor = 0.02 * max(map(abs, direction))
            y = _normalised([sqrt(x * (abs(d) + floor)) for x, d in zip(y, direction)])

    def _softest(self, penalty, direction):
        """A tangent direction near the softest one of I - mid - diag(penalty), and its value there
        (at least the smallest eigenvalue), by power iterations on top I less that matrix."""
        for _ in range(_POWER_STEPS):
            direction = self._tangent(direction)
            norm = sqrt(dot(direction, direction)) or 1.0
            direction = [x / norm for x in direction]
            image = [x * (1 - p) - dot(row, direction) for x, p, row in zip(direction, penalty, self.middle)]
            value = dot(direction, image)
            if value <= 0:
                break
            direction = [self.top * x - z for x, z in zip(direction, image)]
        return direction, value

    def _tangent(self, vector):
        vector = list(vector)
        for start, normal in self.normals:
            part = dot(normal, vector[start : start + len(normal)])
            for k, x in enumerate(normal):
                vector[start + k] -= part * x
        return vector


def _normalised(y):
    """Positive entries, the largest 1."""
    top = max(y) or 1.0
    return [max(x / top, 1e-4) for x in y]


def _float(x):
    """An integer in fixed point as a float."""
    return x / ONE


def _reduced(matrix, blocks, diagonal):
    """The matrix on tangent vectors: one coordinate of each block is minus the sum of the others.

    It is the one with the smallest entry of `diagonal`, the most probable action: the entries of improbable
    ones may be many orders of magnitude larger and would drown all others.
    """
    kept, left_out, start = [], {}, 0
    for size in blocks:
        out = min(range(start, start + size), key=lambda k: diagonal[k])
        for k in range(start, start + size):
            if k != out:
                kept.append(k)
                left_out[k] = out
        start += size
    half = [[row[l] - row[left_out[l]] for l in kept] for row in matrix]
    return [[x - y for x, y in zip(half[k], half[left_out[k]])] for k in kept]


def positive_definite(matrix):
    """Whether a symmetric integer matrix is certainly positive definite.

    >>> positive_definite([[2, 1], [1, 2]]), positive_definite([[1, 1], [1, 1]])
    (True, False)
    """
    size = len(matrix)
    if any(matrix[k][k] <= 0 for k in range(size)):
        return False
    # scaled by powers of two, exactly, so that all diagonal entries have nearly the same size
    top = max(matrix[k][k].bit_length() for k in range(size)) if size else 0
    shifts = [(top + 1 - matrix[k][k].bit_length()) // 2 for k in range(size)]
    scaled = [[x << shifts[k] + shifts[l] for l, x in enumerate(row)] for k, row in enumerate(matrix)]
    factor = _cholesky([[_ratio(x, top) for x in row] for row in scaled])
    if factor is None:
        return False
    bits = max(_BITS, (top + 1) // 2)
    rows = [[int(ldexp(x, bits)) for x in row] for row in factor]
    off = [0] * size  # sums of absolute values off the diagonal
    rest = [0] * size
    for k in range(size):
        for l in range(k + 1):
            x = (scaled[k][l] << 2 * bits - top) - dot(rows[k][: l + 1], rows[l])
            if k == l:
                rest[k] = x
            else:
                off[k] += abs(x)
                off[l] += abs(x)
    return all(r > o for r, o in zip(rest, off))


def _ratio(x, bits):
    """x / 2^bits as a float (rounded; for the search only)."""
    extra = max(0, x.bit_length() - 60)
    mantissa, exponent = frexp(float(x >> extra))
    return ldexp(mantissa, exponent + extra - bits)


def _cholesky(matrix):
    """Lower triangular float factor of the matrix less a small shift, or None where none is found."""
    rows = []
    for k, row in enumerate(matrix):
        new = []
        for l in range(k):
            new.append((row[l] - dot(new, rows[l][:l])) / rows[l][l])
        pivot = row[k] - _SHIFT - dot(new, new)
        if not pivot > 0:
            return None
        new.append(sqrt(pivot))
        rows.append(new)
    return rows
