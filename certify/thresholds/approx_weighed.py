"""Weighed steps in floats: bounds on single probabilities from all stationarity equations of a game of two agents and
one step at once (docs/theory/localisation.md#weighed-equations; docs/certificate-format.md, section 4.6).
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from certify.thresholds.index_tables import Plan

WEIGHED_UNIT = -24
_SLACK = 2.0**-26  # what the checker may round
_TINY = 1e-12  # ends of boxes below it count as it where slopes are estimated
_NARROW = 1e-7  # narrower sides are as good as points

Ends = tuple[np.ndarray, np.ndarray]  # lower and upper ends of all policy entries, each (B, N)


class Weighed:
    """The rule for one plan; `applies` where it has two agents, one step and references that are uniform.

    table : (N, N) what the payoffs couple, symmetric; scale : (N,) chance of the class times weight of the agent;
    block : (N,) the class of each entry.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.applies = plan.agents == 2 and plan.horizon == 1 and not plan.tree.tilted

    @cached_property
    def block(self) -> np.ndarray:
        """(N,) int."""
        level = self.plan.levels[0]
        sizes = [level.action_counts[i] for i in (0, 1) for _ in range(level.classes[i])]
        return np.repeat(np.arange(len(sizes)), sizes)

    @cached_property
    def scale(self) -> np.ndarray:
        """(N,)."""
        level, found = self.plan.levels[0], []
        for i in (0, 1):
            chance = np.bincount(level.joint[:, i], self.plan.initial, level.classes[i])
            found.append(np.repeat(chance * float(self.plan.weights[i]), level.action_counts[i]))
        return np.concatenate(found)

    @cached_property
    def table(self) -> np.ndarray:
        """(N, N)."""
        level = self.plan.levels[0]
        (A, B), first = level.action_counts, level.classes[0] * level.action_counts[0]
        found = np.zeros((len(self.block),) * 2)
        for (k, m), chance, row in zip(level.joint, self.plan.initial, level.approx_reward, strict=True):
            at, to = slice(k * A, k * A + A), slice(first + m * B, first + m * B + B)
            found[at, to] = chance * row.reshape(A, B)
            found[to, at] = found[at, to].T
        return found

    def flat(self, box: list[list[Ends]]) -> Ends:
        """The ends of a batch of boxes (`Contraction.box`) side by side."""
        lower, upper = (
            np.concatenate([box[i][0][end].reshape(len(box[i][0][end]), -1) for i in (0, 1)], 1) for end in (0, 1)
        )
        return lower, upper

    def bounds(self, ends: Ends, betas: Ends) -> Ends:
        """Lower and upper bounds of every entry over the boxes and intervals of beta; -inf and inf: none."""
        lower, upper = ends
        log_low, log_high = (np.log(np.maximum(x, _TINY)) for x in ends)
        width = upper - lower
        with np.errstate(all="ignore"):
            steep = np.where(width > _NARROW, (log_high - log_low) / width, 2 / np.maximum(lower + upper, _TINY))
            weights = self._weights(steep, (betas[0] + betas[1]) / 2)
            logs = (np.where(lower > 0, np.log(np.maximum(lower, 1e-300)), -np.inf), log_high)
            found = [self._ends(weights, steep, beta, ends, logs) for beta in betas]
        low, high = np.minimum(found[0][0], found[1][0]), np.maximum(found[0][1], found[1][1])
        return np.where(np.isnan(low), -np.inf, low), np.where(np.isnan(high), np.inf, high)

    def _weights(self, steep: np.ndarray, beta: np.ndarray) -> np.ndarray:
        """(B, N, N): row c weighs the equations so that nothing but entry c is left, to first order; rows sum to 0 on
        every block."""
        count, blocks = len(self.block), int(self.block[-1]) + 1
        matrix = np.zeros((len(steep), count + blocks, count + blocks))
        matrix[:, :count, :count] = -beta[:, None, None] * self.table
        at = np.arange(count)
        matrix[:, at, at] = self.scale * steep
        matrix[:, at, count + self.block] = matrix[:, count + self.block, at] = 1.0
        try:
            return -np.linalg.inv(matrix)[:, :count, :count]
        except np.linalg.LinAlgError:
            return np.full((len(steep), count, count), np.nan)

    def _ends(self, weights: np.ndarray, steep: np.ndarray, beta: np.ndarray, ends: Ends, logs: Ends) -> Ends:
        a = weights * self.scale
        k = np.eye(len(self.block)) - beta[:, None, None] * (weights @ self.table)
        slope, constant = a * steep[:, None], 0.0
        for block in range(int(self.block[-1]) + 1):
            here = self.block == block
            middle = np.median((slope + k)[..., here], axis=-1)
            k[..., here] -= middle[..., None]
            constant = constant + middle
        least, most = _extremes(a, k, ends, logs)
        return constant + least.sum(-1), constant + most.sum(-1)


def _extremes(a: np.ndarray, k: np.ndarray, ends: Ends, logs: Ends) -> Ends:
    """The least and the largest value of a log x + k x between the ends."""
    (lower, upper), (log_low, log_high) = ((x[:, None] for x in pair) for pair in (ends, logs))
    first, last = np.where(a == 0, 0.0, a * log_low) + k * lower, a * log_high + k * upper
    at = -a / k
    at = np.where((at > lower) & (at < upper), at, upper)  # nan too
    inside = a * np.log(at) + k * at
    least, most = np.minimum(first, last), np.maximum(first, last)
    return np.where(a < 0, np.minimum(least, inside), least), np.where(a > 0, np.maximum(most, inside), most)


def rounded(bounds: Ends) -> tuple[np.ndarray, np.ndarray]:
    """Bounds as whole multiples of 2**WEIGHED_UNIT, clipped to [0, 1], with room for the checker's rounding."""
    one = 2.0**-WEIGHED_UNIT
    low = np.clip(np.floor((bounds[0] - _SLACK) * one), 0.0, one)
    return low, np.clip(np.ceil((bounds[1] + _SLACK) * one), 0.0, one)
