"""Boxes without a stationary policy: one combination of all stationarity equations that is negative on a whole box, by
linear programming in floats (docs/theory/localisation.md#excluded-boxes; docs/certificate-format.md, section 4.6).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.optimize import linprog

from certify.thresholds.approx_weighed import Ends, Weighed

MOST = 160  # entries of both policies: programs of larger games take longer than the splits that they save
_SCALE = 2.0**30  # of the largest weight, in a certificate
_SURE = 2.0**-20  # of it: how far below 0 a combination has to be
_LEAST = 1e-9  # an end below it counts as it where tangents and secants are drawn
_THIN = 1e-9  # narrower sides are points
_HALVINGS = 60
_LARGEST = 1e59  # multiplier that a certificate may hold


def excluding(weighed: Weighed, ends: Ends, betas: np.ndarray) -> list[dict[str, Any] | None]:
    """For every box the step that shows it to hold no stationary policy, as certificates list it, or None.

    ends : (B, N) each; betas : (B, 2), the ends of each box's interval.
    """
    if not len(betas) or len(weighed.block) > MOST:
        return [None] * len(betas)
    weights = np.array([_weights(weighed, *box) for box in zip(*ends, betas.mean(1), strict=True)])
    sums, value = _largest(weighed, weights, ends, betas)
    shown = (value < -_SURE * _SCALE) & (np.abs(sums).max((1, 2)) < _LARGEST)
    return [
        {"weights": [*map(int, w)], "sums": [[*map(int, row)] for row in s.T]} if so else None
        for w, s, so in zip(weights, sums, shown, strict=True)
    ]


def _weights(weighed: Weighed, lower: np.ndarray, upper: np.ndarray, beta: float) -> np.ndarray:
    """(N,) whole numbers with sum 0 on every block: the combination that is most negative, log x being anything between
    its secant and some of its tangents; 0 where none is."""
    N, block, scale = len(lower), weighed.block, weighed.scale
    classes, at = int(block[-1]) + 1, np.arange(N)
    low, width = np.maximum(lower, _LEAST), upper - lower
    with np.errstate(divide="ignore", invalid="ignore"):
        steep = np.where(width > _THIN, np.log(upper / low) / width, 1 / upper)
    logs = np.zeros((N, N + classes + 1))  # log x, by the equations; the last variable is how much is missing
    logs[:, :N] = beta * weighed.table / scale[:, None]
    logs[at, N + block] = 1.0  # the constants of the classes, divided by their scales
    logs[:, -1] = -1.0
    rows, limits = [], []
    for x in (low, 1 / steep, np.sqrt(np.maximum(low, 1e-4 * upper) * upper), upper):
        x = np.clip(x, np.maximum(low, 1e-7), upper)
        tangent = logs.copy()
        tangent[at, at] -= 1 / x
        rows.append(tangent)
        limits.append(np.log(x) - 1)
    known = lower > 0
    secant = -logs
    secant[at, at] += steep
    secant[:, -1] = -1.0
    rows.append(secant[known])
    limits.append((steep * lower - np.log(low))[known])
    whole = np.zeros((classes, N + classes + 1))
    whole[block, at] = 1.0
    cost = np.zeros(N + classes + 1)
    cost[-1] = 1.0
    found = linprog(
        cost,
        np.concatenate(rows),
        np.concatenate(limits),
        whole,
        np.ones(classes),
        bounds=[*zip(lower, upper, strict=True), *[(None, None)] * classes, (-1.0, None)],
        method="highs-ds",
    )
    weights = np.zeros(N)
    if found.status != 0 or found.fun <= 0:
        return weights
    shares = -np.asarray(found.ineqlin.marginals)
    np.add.at(weights, np.tile(at, len(rows) - 1), shares[: N * (len(rows) - 1)])
    weights[known] -= shares[N * (len(rows) - 1) :]
    return _whole(weights / scale, block, known)


def _whole(weights: np.ndarray, block: np.ndarray, known: np.ndarray) -> np.ndarray:
    """The weights as whole numbers with sum 0 on every block, none below 0 where the box has a lower end 0."""
    largest = np.abs(weights).max()
    if not largest > 0:
        return np.zeros(len(weights))
    found = np.rint(weights / largest * _SCALE)
    found = np.where(known, found, np.maximum(found, 0.0))
    for k in range(int(block[-1]) + 1):
        here = np.nonzero(block == k)[0]
        found[here[np.abs(found[here]).argmax()]] -= found[here].sum()
    return found


def _largest(weighed: Weighed, weights: np.ndarray, ends: Ends, betas: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The multipliers of the sums of 1, (B, 2, classes) whole numbers, that make the suprema of the combinations over
    the boxes least at both ends of beta, and the larger supremum, (B,)."""
    lower, upper = (x[:, None] for x in ends)
    a = (weights * weighed.scale)[:, None]
    k = -betas[:, :, None] * (weights @ weighed.table)[:, None]
    low = np.maximum(lower, _LEAST)
    member = (weighed.block[:, None] == np.arange(weighed.block[-1] + 1)).astype(float)  # (N, classes)
    with np.errstate(all="ignore"):
        secant = a * np.where(upper > low, np.log(upper / low) / (upper - low), 1 / upper) + k
        first, last = np.where(a > 0, a / upper + k, secant), np.where(a > 0, a / low + k, secant)
        here = member.T.astype(bool)
        least = np.where(here, first[:, :, None], np.inf).min(-1)  # (B, 2, classes)
        most = np.where(here, last[:, :, None], -np.inf).max(-1)
        for _ in range(_HALVINGS):
            middle = (least + most) / 2
            x = _maximiser(a, k - middle @ member.T, lower, upper, secant - middle @ member.T)
            above = x @ member > 1
            least, most = np.where(above, middle, least), np.where(above, most, middle)
        sums = np.rint((least + most) / 2)
        rest = k - sums @ member.T
        x = _maximiser(a, rest, lower, upper, secant - sums @ member.T)
        value = sums.sum(-1) + (np.where(a == 0, 0.0, a * np.log(x)) + rest * x).sum(-1)
    return sums, np.where(weights.any(1), value.max(1), np.inf)


def _maximiser(a: np.ndarray, k: np.ndarray, lower: np.ndarray, upper: np.ndarray, secant: np.ndarray) -> np.ndarray:
    """Where a log x + k x is largest between the ends."""
    inside = np.clip(np.where(k < 0, -a / k, np.inf), lower, upper)
    return np.where(a > 0, inside, np.where(secant > 0, upper, lower))
