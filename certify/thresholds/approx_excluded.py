"""Boxes, and parts at their ends, without a stationary policy: one combination of all stationarity equations that is
negative on all of it, by convex programs in floats (docs/theory/localisation.md#excluded-boxes;
docs/certificate-format.md, section 4.6).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from certify.thresholds.approx_programs import LEAST, Point, Programs, centred, furthest
from certify.thresholds.approx_weighed import WEIGHED_UNIT, Ends, Weighed

MOST = 160  # entries of both policies: programs of larger games take longer than the splits that they save
PART = 0.1  # of the width of an entry, below which a part at an end of it is not worth its check
_PROGRAMS = 64  # ends of a box that are tried, the widest entries first
_SCALE = 2.0**30  # of the largest weight, in a certificate
_SURE = 2.0**-20  # of it: how far below 0 a combination has to be
_HALVINGS = 45
_LARGEST = 1e59  # multiplier that a certificate may hold
_NARROW = 2.0**-16  # sides that are as good as points

Step = dict[str, Any]


def _excluding(weighed: Weighed, ends: Ends, betas: np.ndarray) -> tuple[list[Step | None], Point | None]:
    if not len(betas) or len(weighed.block) > MOST:
        return [None] * len(betas), None
    point, found = centred(Programs.over(weighed, ends, betas.mean(1)))
    found = np.where((point.missing < 0)[:, None], 0.0, found)
    return _steps(weighed, _whole(weighed, found, ends[0] > 0), ends, betas), point


def excluding_parts(weighed: Weighed, ends: Ends, betas: np.ndarray) -> list[list[Step]]:
    """For every box, as certificates list them, either the step that shows it to hold no stationary policy or those
    that show it of parts at its ends, in any order.

    ends : (B, N) each; betas : (B, 2), the ends of each box's interval.
    """
    whole, point = _excluding(weighed, ends, betas)
    found: list[list[Step]] = [[] if step is None else [step] for step in whole]
    if point is None:
        return found
    open_boxes = np.nonzero([step is None and missing < 0 for step, missing in zip(whole, point.missing, strict=True)])[
        0
    ]
    width = ends[1] - ends[0]
    wide = np.argsort(-width, axis=1, kind="stable")[:, : _PROGRAMS // 2]
    rows = np.repeat(open_boxes, wide.shape[1])
    entries = wide[open_boxes].ravel()
    keep = width[rows, entries] > _NARROW
    rows, entries = np.tile(rows[keep], 2), np.tile(entries[keep], 2)
    if not len(rows):
        return found
    signs = np.repeat([1.0, -1.0], len(rows) // 2)
    lower, upper = ends[0][rows], ends[1][rows]
    programs = Programs.over(weighed, (lower, upper), betas[rows].mean(1))
    _, weights = furthest(programs, point.some(rows), entries, signs, PART)
    some = np.nonzero(weights.any(1))[0]
    rows, entries, signs, lower, upper = (x[some] for x in (rows, entries, signs, lower, upper))
    steps = _parts(weighed, weights[some], (lower, upper), betas[rows], entries, signs)
    for row, step in zip(rows, steps, strict=True):
        if step is not None:
            found[row].append(step)
    return found


def _parts(
    weighed: Weighed, weights: np.ndarray, ends: Ends, betas: np.ndarray, entries: np.ndarray, signs: np.ndarray
) -> list[Step | None]:
    """The steps that exclude what lies beyond the bounds of sign times the entry that follow by the weights."""
    lower, upper = (end.copy() for end in ends)
    at = np.arange(len(entries))
    y = _levelled(weighed, weights / weighed.scale, lower > 0)
    gain = np.zeros_like(lower)
    gain[at, entries] = signs
    bound = _largest(weighed, y, ends, betas, gain)[1] + 2 * _SURE * np.abs(y).max(1)
    one = 2.0**-WEIGHED_UNIT
    low, high = lower[at, entries], upper[at, entries]
    width = high - low
    bound = np.where(np.isfinite(bound), bound, 2.0)
    end = np.where(signs > 0, np.ceil(bound * one), np.floor(-bound * one))
    gained = np.where(signs > 0, high - end / one, end / one - low)
    good = (gained >= PART * width) & (end > 0) & (end < one)
    end = np.clip(end, 1, one - 1)
    up = signs > 0
    lower[at, entries] = np.where(up, np.maximum(end / one, low), low)
    upper[at, entries] = np.where(up, high, np.minimum(end / one, high))
    steps = _steps(weighed, _whole(weighed, np.where(good[:, None], weights, 0.0), lower > 0), (lower, upper), betas)
    for k, step in enumerate(steps):
        if step is not None:
            m = int(end[k])
            step["part"] = [int(entries[k]), m, int(one)] if up[k] else [int(entries[k]), 0, m]
    return steps


def _steps(weighed: Weighed, weights: np.ndarray, ends: Ends, betas: np.ndarray) -> list[Step | None]:
    """The steps that exclude boxes by these weights, (B, N) whole numbers, where they do."""
    if not len(weights):
        return []
    sums, value = _largest(weighed, weights, ends, betas)
    shown = (value < -_SURE * _SCALE) & (np.abs(sums).max((1, 2)) < _LARGEST)
    return [
        {"weights": [*map(int, w)], "sums": [[*map(int, row)] for row in s.T]} if so else None
        for w, s, so in zip(weights, sums, shown, strict=True)
    ]


def _whole(weighed: Weighed, weights: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Multipliers of the logarithms (B, N) as whole numbers that weigh the equations, with sum 0 on every block, none
    below 0 where the box has a lower end 0."""
    weights = weights / weighed.scale
    largest = np.abs(weights).max(1, keepdims=True)
    return _levelled(
        weighed, np.rint(np.divide(weights, largest, where=largest > 0, out=np.zeros_like(weights)) * _SCALE), known
    )


def _levelled(weighed: Weighed, weights: np.ndarray, known: np.ndarray) -> np.ndarray:
    found = np.where(known, weights, np.maximum(weights, 0.0))
    at = np.arange(len(found))
    for k in range(int(weighed.block[-1]) + 1):
        here = np.nonzero(weighed.block == k)[0]
        # the largest that may become less
        place = here[np.abs(found[:, here]).argmax(1)]
        found[at, place] -= found[:, here].sum(1)
    return found


def _largest(
    weighed: Weighed, weights: np.ndarray, ends: Ends, betas: np.ndarray, more: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The multipliers of the sums of 1, (B, 2, classes), that make the suprema of the combinations over the boxes least
    at both ends of beta, and the larger supremum, (B,).  Multipliers are whole numbers, unless there is `more` to the
    combinations: (B, N) coefficients of the policies."""
    lower, upper = (x[:, None] for x in ends)
    a = (weights * weighed.scale)[:, None]
    k = -betas[:, :, None] * (weights @ weighed.table)[:, None] + (0.0 if more is None else more[:, None])
    low = np.maximum(lower, LEAST)
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
        sums = np.rint((least + most) / 2) if more is None else (least + most) / 2
        rest = k - sums @ member.T
        x = _maximiser(a, rest, lower, upper, secant - sums @ member.T)
        value = sums.sum(-1) + (np.where(a == 0, 0.0, a * np.log(x)) + rest * x).sum(-1)
    return sums, np.where(weights.any(1), value.max(1), np.inf)


def _maximiser(a: np.ndarray, k: np.ndarray, lower: np.ndarray, upper: np.ndarray, secant: np.ndarray) -> np.ndarray:
    """Where a log x + k x is largest between the ends."""
    inside = np.clip(np.where(k < 0, -a / k, np.inf), lower, upper)
    return np.where(a > 0, inside, np.where(secant > 0, upper, lower))
