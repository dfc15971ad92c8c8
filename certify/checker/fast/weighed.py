"""Weighed steps in float64 with error bounds (docs/certificate-format.md, section 4.6)."""

from __future__ import annotations

import numpy as np

from certify.checker.cover.weighed import ONE, Equations, Weighed
from certify.checker.fast.layout import _number, _positive
from certify.checker.fast.numbers import TINY, log, slop
from certify.checker.reading.process import Process

LEAST = -27.63102111592855  # log 10^-12: an end below counts as that where slopes are estimated
Ends = tuple[np.ndarray, np.ndarray]  # lower and upper ends, each (boxes, entries)


class WeighedRule:
    """The rule for one process; boxes are (boxes, entries) arrays of ends on the grid."""

    def __init__(self, process: Process) -> None:
        equations = Equations(process)
        self.blocks = [slice(block.start, block.stop) for block in equations.blocks]
        self.of = np.array(equations.of)
        self.scale = np.array([_positive(x) for x in equations.scale])
        self.table = np.array([[_number(x) for x in row] for row in equations.table])

    def shown(self, ends: Ends, betas: np.ndarray, claimed: Ends) -> np.ndarray:
        """(boxes,): whether all the claimed bounds hold at every beta between the ends `betas` (boxes, 2)."""
        lower, upper = ends
        with np.errstate(all="ignore"):  # what is not a number shows nothing
            log_low = np.where(lower > 0, log(np.where(lower > 0, lower, 1.0)), -np.inf)
            log_high = log(np.where(upper > 0, upper, 1.0))
            steep = np.where(
                upper - lower > 1e-7, (log_high - np.maximum(log_low, LEAST)) / (upper - lower), 2 / (lower + upper)
            )
            weights = self._weights(steep, betas.mean(1))
            low, high = lower >= claimed[0], upper <= claimed[1]
            above = [self._largest(weights, steep, beta, ends, (log_low, log_high)) for beta in betas.T]
            low |= np.logical_and.reduce([below <= -claimed[0] for _, below in above])
            high |= np.logical_and.reduce([found <= claimed[1] for found, _ in above])
        return np.asarray((low & high).all(1))

    def excluded(self, ends: Ends, betas: np.ndarray, steps: list[Weighed]) -> np.ndarray:
        """(boxes,): whether by the weights of each step the equations add up to less than 0 all over its box, or its
        part of that, multiples of sum pi = 1 added, at both ends of the interval of beta, and so between them."""
        y, N = np.array([step.weights for step in steps], dtype=float), len(self.scale)
        sums = np.array([step.sums for step in steps], dtype=float)
        ends = ends[0].copy(), ends[1].copy()
        for number, step in enumerate(steps):
            if step.part:
                c, low, high = step.part
                ends[0][number, c] = max(ends[0][number, c], low / ONE)
                ends[1][number, c] = min(ends[1][number, c], high / ONE)
        shown, a = np.all(ends[0] <= ends[1], axis=1), (y * self.scale)[:, None]
        with np.errstate(all="ignore"):
            low, high = (np.where(end > 0, log(np.where(end > 0, end, 1.0)), -np.inf) for end in ends)
            for number, beta in enumerate(betas.T[:, :, None]):
                middle = sums[:, :, number]
                k = -beta * (y @ self.table) - middle[:, self.of]
                off = slop(N + 8) * (beta * (np.abs(y) @ np.abs(self.table)))
                value, terms = _terms(a, k[:, None], ends, (low, high))
                size = 4 * np.abs(middle).sum(1) + terms.sum(2)[:, 0]
                error = (off * ends[1]).sum(1) + slop(4 * N + 40) * size + TINY
                shown &= middle.sum(1) + value.sum(2)[:, 0] + 2 * error < 0
        return shown

    def _weights(self, steep: np.ndarray, beta: np.ndarray) -> np.ndarray:
        """(boxes, entries, entries): any weights will do whose rows sum to exactly 0 on every block; these leave of all
        equations one entry alone, to first order."""
        N, blocks = len(self.scale), len(self.blocks)
        matrix = np.zeros((len(steep), N + blocks, N + blocks))
        matrix[:, :N, :N] = -beta[:, None, None] * self.table
        matrix[:, np.arange(N), np.arange(N)] = self.scale * steep
        for number, block in enumerate(self.blocks):
            matrix[:, block, N + number] = matrix[:, N + number, block] = 1.0
        try:
            found = -np.linalg.inv(matrix)[:, :N, :N]
        except np.linalg.LinAlgError:
            return np.full((len(steep), N, N), np.nan)
        grid = np.ldexp(1.0, np.frexp(np.abs(found).max(2, keepdims=True))[1] - 40)
        grid = np.where(grid > TINY, grid, np.nan)  # no product with them may vanish
        found = np.rint(found / grid) * grid  # 41 bits: sums over a block are exact
        for block in self.blocks:
            found[:, :, block.stop - 1] = -found[:, :, block.start : block.stop - 1].sum(2)
        return found

    def _largest(self, weights: np.ndarray, steep: np.ndarray, beta: np.ndarray, ends: Ends, logs: Ends) -> Ends:
        """Upper bounds of pi_c and of -pi_c, each (boxes, entries).

        Each sum carries fewer than 4 N + 40 roundings of numbers whose sizes `size` adds up; `off` are those of the
        coefficients k, products of N terms.
        """
        N, beta = len(self.scale), beta[:, None, None]
        a = weights * self.scale
        k = np.eye(N) - beta * (weights @ self.table)
        off = slop(N + 8) * (beta * (np.abs(weights) @ np.abs(self.table)) + 1)
        constant, size = np.zeros((2, *a.shape[:2]))
        for block in self.blocks:  # sum pi = 1 may be added as often as one likes
            middle = np.median((a * steep[:, None] + k)[..., block], axis=2)
            k[..., block] -= middle[..., None]
            constant += middle
            size += 4 * np.abs(middle)
        found = []
        for sign in (1, -1):
            value, terms = _terms(sign * a, sign * k, ends, logs)
            error = (off * ends[1][:, None]).sum(2) + slop(4 * N + 40) * (size + terms.sum(2)) + TINY
            found.append(sign * constant + value.sum(2) + 2 * error)
        return found[0], found[1]


def _terms(a: np.ndarray, k: np.ndarray, ends: Ends, logs: Ends) -> Ends:
    """Upper bounds of a log x + k x between the ends for exact floats a and k, convex functions at the ends, concave
    ones below a tangent; and the sizes that rounding is relative to."""
    (lower, upper), (log_low, log_high) = ((x[:, None] for x in pair) for pair in (ends, logs))
    at = np.clip(np.where(k < 0, -a / k, np.inf), np.maximum(lower, 2.0**-52), upper)
    at = np.where(a > 0, at, 1.0)
    log_at = log(at)
    slope = a / at + k
    concave = a * log_at + k * at + np.maximum(slope * (lower - at), slope * (upper - at))
    at_low = np.where(a == 0, 0.0, a * log_low) + k * lower
    value = np.where(a > 0, concave, np.maximum(at_low, a * log_high + k * upper))
    logarithm = np.where(a > 0, np.abs(log_at), np.where(lower > 0, np.maximum(np.abs(log_low), np.abs(log_high)), 0.0))
    return value, np.abs(a) * (8 + logarithm + upper / at) + np.abs(k) * upper


def ends_of(step: Weighed) -> list[Ends]:
    """Per agent the claimed ends, each (classes, actions)."""
    found = []
    for rows in step.bounds:
        low, high = np.split(np.array(rows) / ONE, 2, axis=1)
        found.append((low, high))
    return found
