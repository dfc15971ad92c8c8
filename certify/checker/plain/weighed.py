"""Weighed steps with Python integers (docs/certificate-format.md, section 4.6)."""

from fractions import Fraction
from math import lcm, log

from certify.checker.cover.weighed import ONE as UNITS
from certify.checker.cover.weighed import Equations, Weighed
from certify.checker.numbers.fixed_point import ONE, ceil_div, log_bounds
from certify.checker.plain.box import Block
from certify.checker.reading.envelope import Failed
from certify.checker.reading.process import Process

_FINE = 40  # bits of a weight, and as many more as the largest scale has before its point
_LEAST = 1e-12  # an end below it counts as it where slopes are estimated
_NARROW = 1e-7  # a narrower side is as good as a point


class WeighedRule:
    """The rule for one process: `scale` and `table` are integers over `over`."""

    def __init__(self, process: Process) -> None:
        found = Equations(process)
        numbers = [x for row in (found.scale, *found.table) for x in row]
        self.blocks, self.of, self.over = found.blocks, found.of, lcm(*(x.denominator for x in numbers))
        self.scale = [int(x * self.over) for x in found.scale]
        self.table = [[int(x * self.over) for x in row] for row in found.table]
        self.fine = _FINE + max(0, int(max(found.scale)).bit_length() - 1)

    def verify(self, blocks: list[Block], betas: tuple[Fraction, ...], claimed: tuple[list[int], list[int]]) -> None:
        """Every claimed bound of the entries at every beta between the ends `betas`, else `Failed`."""
        lower, upper = _ends(blocks)
        steep = [_steepness(low / ONE, high / ONE) for low, high in zip(lower, upper, strict=True)]
        try:
            weights = self._weights(steep, sum(betas, Fraction(0)) / len(betas))
        except (OverflowError, ValueError):  # infinite, or not a number
            raise Failed("the equations are degenerate at the box") from None
        for c, row in enumerate(weights):
            low, high = (claimed[end][c] * (ONE // UNITS) for end in (0, 1))
            for beta in betas:
                if high < upper[c] and self._largest(row, steep, (c, 1), beta, (lower, upper)) > high:
                    raise Failed(f"pi of entry {c} <= {claimed[1][c]} / {UNITS} does not follow at beta = {beta}")
                if low > lower[c] and self._largest(row, steep, (c, -1), beta, (lower, upper)) > -low:
                    raise Failed(f"pi of entry {c} >= {claimed[0][c]} / {UNITS} does not follow at beta = {beta}")

    def verify_excluding(self, blocks: list[Block], betas: tuple[Fraction, ...], step: Weighed) -> None:
        """That y = `step.weights` of the equations is below 0 all over the box, or `step.part` of it, at every beta
        between the ends, the multiples `step.sums` of sum pi = 1 added, else `Failed`: then that holds no stationary
        policy."""
        y, lower, upper = step.weights, *_ends(blocks)
        if step.part:
            c, low, high = step.part
            lower[c], upper[c] = max(lower[c], low * (ONE // UNITS)), min(upper[c], high * (ONE // UNITS))
        for beta, sums in zip(betas, zip(*step.sums, strict=True), strict=False):
            unit = self.over * beta.denominator  # of a and k
            total = sum(sums) * unit * ONE
            for j, line in enumerate(self.table):
                a = self.scale[j] * y[j] * beta.denominator
                k = -beta.numerator * sum(map(int.__mul__, line, y)) - sums[self.of[j]] * unit
                total += _term(a, k, lower[j], upper[j])
            if total >= 0:
                raise Failed(f"the weighed equations do not exclude the box at beta = {beta}")

    def _weights(self, steep: list[float], beta: Fraction) -> list[list[int]]:
        """Row by row weights of the equations in units of 2^-fine: any will do whose sum on every block is 0; these
        leave of all equations one entry alone, to first order."""
        N, size = len(self.scale), len(self.scale) + len(self.blocks)
        matrix = [[0.0] * size + [float(i == j) for j in range(N)] for i in range(size)]
        for i in range(N):
            matrix[i][:N] = [-beta.numerator * x / (self.over * beta.denominator) for x in self.table[i]]
            matrix[i][i] = self.scale[i] / self.over * steep[i]
        for number, block in enumerate(self.blocks, N):
            for i in block:
                matrix[i][number] = matrix[number][i] = 1.0
        for i in range(size):  # Gauss and Jordan
            best = max(range(i, size), key=lambda row: abs(matrix[row][i]))
            matrix[i], matrix[best] = matrix[best], matrix[i]
            if matrix[i][i] == 0:
                raise Failed("the equations are degenerate at the box")
            matrix[i] = pivot = [x / matrix[i][i] for x in matrix[i]]
            for row in range(size):
                if row != i and (factor := matrix[row][i]):
                    matrix[row] = [x - factor * y for x, y in zip(matrix[row], pivot, strict=True)]
        found = [[round(-matrix[j][size + c] * 2**self.fine) for j in range(N)] for c in range(N)]
        for weights in found:
            for block in self.blocks:
                weights[block[-1]] -= sum(weights[j] for j in block)
        return found

    def _largest(
        self,
        row: list[int],
        steep: list[float],
        wanted: tuple[int, int],
        beta: Fraction,
        ends: tuple[list[int], list[int]],
    ) -> int:
        """An upper bound of sign pi_c, `wanted` = (c, sign), in units of 2^-BITS.

        With a_j = scale_j y_j and k_j = [j = c] - beta (table y)_j, pi_c is the sum of a_j log pi_j + k_j pi_j at every
        stationary policy; on a block the k_j may be lowered by one number, which is added to the sum.
        """
        c, sign = wanted
        unit = (self.over << self.fine) * beta.denominator  # of a and k
        a = [sign * s * y * beta.denominator for s, y in zip(self.scale, row, strict=True)]
        k = [-sign * beta.numerator * sum(map(int.__mul__, line, row)) for line in self.table]
        k[c] += sign * unit
        total = 0
        for block in self.blocks:
            slopes = sorted(k[j] + (a[j] * int(steep[j] * 2**_FINE) >> _FINE) for j in block)
            middle = (slopes[(len(slopes) - 1) // 2] + slopes[len(slopes) // 2]) // 2
            total += middle * ONE
            total += sum(_term(a[j], k[j] - middle, ends[0][j], ends[1][j]) for j in block)
        return ceil_div(total, unit)


def _ends(blocks: list[Block]) -> list[list[int]]:
    return [[x for block in blocks for x in getattr(block, end)] for end in ("lower", "upper")]


def _steepness(low: float, high: float) -> float:
    """How fast the logarithm rises between the ends, about."""
    if high - low <= _NARROW:
        return 2 / max(low + high, _LEAST)
    return (log(high) - log(max(low, _LEAST))) / (high - low)


def _term(a: int, k: int, low: int, high: int) -> int:
    """An upper bound of (a log x + k x) 2^BITS for low <= x 2^BITS <= high: convex functions at the ends, concave ones
    below a tangent."""
    if high < 1 or low > high:
        raise Failed("an end of the box is 0")
    if a > 0:
        at = min(high, max(low, 1, a * ONE // -k if k < 0 else high))
        slope = a * ONE + k * at  # times at
        rise = max(slope * (low - at), slope * (high - at))
        return a * log_bounds(at)[1] + k * at + ceil_div(rise, at)
    if a == 0:
        return max(k * low, k * high)
    if low < 1:
        raise Failed("an end of the box is 0")
    return max(a * log_bounds(low)[0] + k * low, a * log_bounds(high)[0] + k * high)
