"""Positive definiteness of every symmetric matrix in an interval, on tangent vectors, in whole
numbers (format, section 4.5, last paragraph).

A vector y and a factor L are found in floating point and trusted for nothing: what is verified is
that  D - mid - diag((rad y)/y) - L L^T, reduced to tangent vectors, is strictly diagonally dominant.
"""

from math import frexp, ldexp, sqrt

from certify.checker.linear import dot

_SHIFT = 2.0**-32  # of the float matrix before it is factored; leaves room for rounding
_BITS = 52  # of the rounded factor


def definite_on_tangents(blocks, diagonal, low, high):
    """Whether v^T (D - C) v > 0 for all tangent v != 0 and all symmetric C, low <= C <= high.

    `blocks` are the numbers of coordinates of the blocks, tangent vectors sum to 0 on each;
    `diagonal` lists D, `low[k][l]` and `high[k][l]` for k < l bound C; all are integers in the same
    unit.  C has no diagonal.

    >>> definite_on_tangents([2, 2], [8] * 4, [[0, 0, 1, 1], [0, 0, 0, 0], [], []], [[0, 0, 2, 2], [0, 0, 1, 0], [], []])
    True
    """
    size = len(diagonal)
    if any(d <= 0 for d in diagonal):
        return False
    # twice the midpoint and twice the radius, so that both are integers
    middle = [[low[min(k, l)][max(k, l)] + high[min(k, l)][max(k, l)] if k != l else 0 for l in range(size)]
              for k in range(size)]
    radius = [[high[min(k, l)][max(k, l)] - low[min(k, l)][max(k, l)] if k != l else 0 for l in range(size)]
              for k in range(size)]
    y = _weights(diagonal, radius)
    matrix = [[-x for x in row] for row in middle]
    for k in range(size):
        spread = -(-dot(radius[k], y) // y[k])
        matrix[k][k] = 2 * diagonal[k] - spread
    return positive_definite(_reduced(matrix, blocks))


def _weights(diagonal, radius):
    """Positive integers y with (rad y)_k / y_k small against D_k: a few power iterations in floats."""
    scale = [1 / sqrt(_float(d)) for d in diagonal]
    rows = [[(l, _float(r) * scale[k] * scale[l]) for l, r in enumerate(row) if r] for k, row in enumerate(radius)]
    y = [1.0] * len(diagonal)
    for _ in range(20):
        image = [0.05 * x + sum(r * y[l] for l, r in row) for x, row in zip(y, rows)]
        top = max(image)
        y = [max(x / top, 1e-3) for x in image]
    largest = max(scale)
    return [max(1, int(x * s / largest * 2**40)) for x, s in zip(y, scale)]


def _float(x):
    """An integer of any size as a float, without overflow for the sizes that occur."""
    shift = max(0, x.bit_length() - 900)
    return float(x >> shift)


def _reduced(matrix, blocks):
    """The matrix on tangent vectors: the last coordinate of each block is minus the sum of the others."""
    kept, last, start = [], {}, 0
    for size in blocks:
        for k in range(start, start + size - 1):
            kept.append(k)
            last[k] = start + size - 1
        start += size
    half = [[row[l] - row[last[l]] for l in kept] for row in matrix]
    return [[x - y for x, y in zip(half[k], half[last[k]])] for k in kept]


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
            x = (scaled[k][l] << 2 * bits - top) - dot(rows[k][:l + 1], rows[l])
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
