"""Batches of boxes contracted in compiled loops, each by itself: what `contraction.contract` and the trial sweeps of
`branching` do with arrays."""

from __future__ import annotations

import time
import weakref

import numpy as np

from certify.run import Run
from certify.thresholds.approx_definite import Form, approx_margin
from certify.thresholds.compiled import rooms, sweeps
from certify.thresholds.compiled.step import kept_for
from certify.thresholds.compiled.tables import LOWER, ROOM, UPPER, Paths
from certify.thresholds.index_tables import Plan

Box = list[list[tuple[np.ndarray, np.ndarray]]]  # as in `contraction`
_SECONDS = 0.1  # about as long a call lasts: alarms ring in between
_MOST = 16  # sweeps, or boxes, of one call


class _Pace:
    """How much of something is done in one call."""

    def __init__(self) -> None:
        self.count = 1

    def timed(self, done: int, began: float) -> None:
        """So much has been done since then."""
        each = max(time.perf_counter() - began, 1e-9) / max(done, 1)
        self.count = max(1, min(_MOST, 2 * self.count, int(_SECONDS / each)))


class Batches:
    """What sweeps read, made once for a plan, and the room that they work in."""

    def __init__(self, plan: Plan) -> None:
        kept, numbers, h = kept_for(plan), kept_for(plan).tables.numbers, plan.horizon
        ways, rows = [], []
        self.shapes = [
            [(level.classes[i], level.action_counts[i]) for level in plan.levels] for i in range(plan.agents)
        ]
        self.block, self.sweep_pace, self.trial_pace = kept.block, _Pace(), _Pace()
        places, depths = np.zeros((plan.agents * h, 7), np.int64), np.zeros((h, 4), np.int64)
        ends: np.ndarray = np.zeros(7, np.int64)
        for i in range(plan.agents):
            for t in range(h):
                ways.append(kept.way(i, t))
                rows.append(rooms.nodes_at(numbers, ways[-1]).ravel())
                classes, count = self.shapes[i][t]
                after = ends + [len(ways[-1].numbers), 0, len(ways[-1].chances), 0, 0, 0, 0]
                places[i * h + t] = (
                    *(ends[0], after[0], ends[2], after[2], ends[4], ends[5]),
                    rooms.against_size(numbers, i, t),
                )
                after[4:6] += classes * count * (count - 1), len(rows[-1])
                ends = after
        total: int = 0
        for t in range(h):
            sizes = rooms.action_size(numbers, t), rooms.state_size(numbers, t)
            depths[t] = sizes[0], total, sizes[1], total + 2 * sizes[0]
            total += 2 * sum(sizes)
        begins, size = kept.advantages_at
        self.search = sweeps.Search(
            kept.tables,
            Paths(np.concatenate([w.numbers for w in ways]), np.concatenate([w.chances for w in ways])),
            places,
            depths,
            np.concatenate(rows),
            kept.at,
            kept.place,
            kept.block,
            begins,
            np.array([kept.most]),
        )
        pairs = max(k * a * (a - 1) for row in self.shapes for k, a in row)
        coordinates = len(kept.block)
        self.log = np.zeros(_MOST * (ends[4] + len(places)), np.int64)
        self.work = sweeps.Work(
            *rooms.room_for(numbers, ways),
            np.zeros((1, numbers[ROOM])),
            np.zeros(total),
            np.zeros(ends[4]),
            np.zeros(2 * max(int(places[:, sweeps.AGAINST].max()), 1)),
            np.zeros(2 * pairs),
            np.zeros(4 * pairs),
            np.zeros((2, max(k * a for row in self.shapes for k, a in row))),
            np.zeros((2, 2, kept.at[-1])),
            np.zeros((2, size)),
            np.zeros((2, 2, coordinates, coordinates)),
            np.zeros((2, coordinates)),
            np.zeros((coordinates, coordinates)),
            np.zeros((3, coordinates)),
        )
        self.lower, self.upper = (
            self.work.box[0, numbers[part] : numbers[part] + coordinates] for part in (LOWER, UPPER)
        )

    def flat(self, box: Box) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper ends by depth, agent, class and action."""
        depths = range(len(self.shapes[0]))
        lower, upper = (np.concatenate([row[t][end].ravel() for t in depths for row in box]) for end in (0, 1))
        return lower, upper

    def boxed(self, lower: np.ndarray, upper: np.ndarray) -> Box:
        """The inverse of `flat`."""
        box: Box = [[] for _ in self.shapes]
        at = 0
        for t in range(len(self.shapes[0])):
            for row, shapes in zip(box, self.shapes, strict=True):
                end = at + shapes[t][0] * shapes[t][1]
                row.append((lower[at:end].reshape(shapes[t]), upper[at:end].reshape(shapes[t])))
                at = end
        return box

    def contracted(
        self, box: Box, betas: tuple[float, float], rule: tuple[float, ...], limits: tuple[int, bool], run: Run
    ) -> tuple[str, list[dict], Box]:
        """How a box ends ("" after the most sweeps), its steps, and its last box; the form of a stalled one is kept.

        betas : ends of its interval.  rule : as `sweeps.run` has it.  limits : sweeps at most, and whether it hurries.
        """
        job = (np.array([self.flat(box)]), np.array(betas), np.array(rule), np.zeros(1))
        steps: list[dict] = []
        kind, done, most = sweeps.GOING, 0, limits[0]
        while kind == sweeps.GOING and done < most:
            run.check()
            count, began = min(self.sweep_pace.count, most - done), time.perf_counter()
            kind, end = sweeps.run(self.search, self.work, job, (count, int(done == 0), int(limits[1]), 0), self.log)
            if kind == sweeps.GOING:
                self.sweep_pace.timed(count, began)
            steps += self._steps(end)
            done += count
        return _KINDS.get(kind, ""), steps, self.boxed(self.lower.copy(), self.upper.copy())

    def _steps(self, end: int) -> list[dict]:
        steps, at = [], 0
        h = len(self.shapes[0])
        while at < end:
            i, t = divmod(int(self.log[at]), h)
            classes, count = self.shapes[i][t]
            size = classes * count * (count - 1)
            table = self.log[at + 1 : at + 1 + size].reshape(classes, -1)
            rows: list[list[int | None]] = table.tolist()
            if (table == sweeps.NONE).any():
                rows = [[None if m == sweeps.NONE else m for m in row] for row in rows]
            steps.append({"agent": i, "depth": t, "log_ratio": rows})
            at += 1 + size
        return steps

    def tried(self, boxes: list[Box], betas: np.ndarray, count: int, least_gain: float, run: Run) -> np.ndarray:
        """What some sweeps at one beta leave of each of these boxes: `sweeps.run`, a trial."""
        ends = np.array([self.flat(box) for box in boxes])
        found, done, rule = np.zeros(len(boxes)), 0, np.full(5, least_gain)
        while done < len(boxes):
            run.check()
            part, began = slice(done, done + self.trial_pace.count), time.perf_counter()
            job = (ends[part], betas[part], rule, found[part])
            sweeps.run(self.search, self.work, job, (count, 1, 0, 1), self.log[:0])
            self.trial_pace.timed(len(ends[part]), began)
            done += len(ends[part])
        return found

    def form(self) -> tuple[np.ndarray, np.ndarray]:
        """Low and high ends of the last form at the upper end of the interval, and its diagonal."""
        return self.work.form[-1].copy(), self.work.diagonal[-1].copy()

    def directions(self, forms: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
        """(B, N): how much each policy entry moves along the softest direction."""
        ends, diagonal = (np.stack(x) for x in zip(*forms, strict=True))
        with np.errstate(invalid="ignore"):
            middle, radius = (ends[:, 0] + ends[:, 1]) / 2, (ends[:, 1] - ends[:, 0]) / 2
        form = Form(diagonal, middle + middle.transpose(0, 2, 1), radius + radius.transpose(0, 2, 1), self.block)
        found = approx_margin(form, soft=True)[1]
        assert found is not None
        return found


_KINDS = {sweeps.HOLDS_NONE: "empty", sweeps.NONDEGENERATE: "nondegenerate", sweeps.STALLED: "stalled"}
_made: weakref.WeakKeyDictionary[Plan, Batches] = weakref.WeakKeyDictionary()


def batches_for(plan: Plan) -> Batches:
    """Those of a plan."""
    if plan not in _made:
        _made[plan] = Batches(plan)
    return _made[plan]
