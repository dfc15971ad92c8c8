"""Which entry of the policies a stalled box is split at (docs/theory/continuation.md#splits): of several candidates the
one whose two halves two sweeps contract most.  Floats throughout, and nothing depends on the choice but how long a
search takes."""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

import numpy as np

from certify.run import Run
from certify.thresholds.contraction import Box, Outcome, Task, log_volume, work_left
from certify.thresholds.cover_tree import Node, child_boxes
from certify.thresholds.index_tables import Plan

_CANDIDATES = 15  # blocks that are tried, beside the best one of every agent and depth
_SWEEPS = 2  # over every half that is tried
_ROOT = 3.0  # of the volume of a half that measures the work in it
_AT_ONCE = 64  # boxes that are contracted together
_THIN = 2.0**-16  # entries narrower than this are not split
_GRID = 2.0**-20  # where policies are split
_EQUAL = 1e-6  # scores that differ by less, relatively, are equal


class Choice(NamedTuple):
    """Where a box is split ({}: along beta, None: nowhere), and the work in both halves where trials have told."""

    split: dict | None
    work: float | None = None


def policy_splits(
    plan: Plan, stalled: list[tuple[Task, Outcome]], *, least_gain: float, run: Run | None = None
) -> list[Choice]:
    """The split of every stalled box, None where all its policies are too narrow."""
    found = [candidates(plan, outcome) for _, outcome in stalled]
    halves: list[tuple[Task, Box]] = []
    for (task, outcome), splits in zip(stalled, found, strict=True):
        for split in splits if len(splits) > 1 else ():
            node = Node(None, Fraction(task.low), Fraction(task.high), split=split)
            halves += [(Task(task.low, task.high, box), outcome.box) for _, _, box in child_boxes(node, outcome.box)]
    left = iter(work_of(plan, halves, least_gain=least_gain, run=run))
    return [
        _best(splits, [(next(left), next(left)) for _ in splits])
        if len(splits) > 1
        else Choice(splits[0] if splits else None)
        for splits in found
    ]


def candidates(plan: Plan, outcome: Outcome) -> list[dict]:
    """Of every block the entry with the largest width along the softest direction of the form; the blocks where that
    is largest, of all and of every agent and depth, in the order of the tree."""
    found: list[tuple[float, dict]] = []
    best: list[int] = []
    start = 0
    for i, t in plan.tree.blocks:
        lower, upper = outcome.box[i][t]
        width, first = upper - lower, len(found)
        soft = 1.0 if outcome.soft is None else outcome.soft[start : start + width.size].reshape(width.shape)
        start += width.size
        scores = np.where(width > _THIN, width * soft, 0.0)
        for k, score in enumerate(scores):
            a = _first_largest(score)
            if score[a] > 0:
                at = Fraction(round(float(lower[k, a] + upper[k, a]) / 2 / _GRID)) * Fraction(_GRID)
                found.append((float(score[a]), {"agent": i, "depth": t, "class": k, "action": a, "at": at}))
        if found[first:]:
            best.append(first + _first_largest(np.array([score for score, _ in found[first:]])))
    if not found:
        return []
    # of blocks that a symmetry makes equal the first ones, whatever rounding says
    largest = max(score for score, _ in found)
    rank = sorted(range(len(found)), key=lambda n: (-round(found[n][0] / largest / _EQUAL), n))[:_CANDIDATES]
    return [found[n][1] for n in sorted({*rank, *best})]


def total_width(box: Box) -> float:
    """The widths of all entries added up."""
    return sum(float((upper - lower).sum()) for row in box for lower, upper in row)


def _first_largest(scores: np.ndarray) -> int:
    """The first entry that is the largest up to rounding."""
    return int((scores >= scores.max() * (1 - _EQUAL)).argmax())


def work_of(plan: Plan, halves: list[tuple[Task, Box]], *, least_gain: float, run: Run | None = None) -> list[float]:
    """What measures the work in every part of a box: a root of the share of the whole box's volume that some sweeps
    leave, 0 where the part is empty."""
    found: list[float] = []
    for k in range(0, len(halves), _AT_ONCE):
        some = halves[k : k + _AT_ONCE]
        left = work_left(plan, [task for task, _ in some], least_gain, _SWEEPS, run)
        left += [log_volume(task.box) - log_volume(whole) for task, whole in some]
        found += np.exp(left / _ROOT).tolist()
    return found


def _best(splits: list[dict], left: list[tuple[float, float]]) -> Choice:
    """The split with the least work in both halves."""
    work = np.array(left).sum(1)
    best = int((work <= work.min() * (1 + _EQUAL)).argmax())
    return Choice(splits[best], float(work[best]))
