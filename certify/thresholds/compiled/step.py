"""The step rule for a batch of boxes in compiled loops: what `approx_step.Step` does with arrays."""

from __future__ import annotations

import numpy as np

from certify.thresholds.approx_definite import Form
from certify.thresholds.compiled import bounds, entries, rooms
from certify.thresholds.compiled.tables import FIRST, LOWER, ROOM, START, UPPER, Paths, Tables, paths_of, tables_of
from certify.thresholds.index_tables import Plan

_MEMORY = "_compiled"  # the attribute of a plan that keeps its tables


class _Kept:
    """The tables of a plan, made once.  at : (h + 1,) joint classes above each depth.  place : (agents, h) where a
    form's blocks begin, in the order of `tree.blocks`; block : (N,) the block of each of its coordinates."""

    def __init__(self, plan: Plan) -> None:
        self.plan, levels = plan, plan.levels
        self.tables: Tables = tables_of(plan)
        self.paths: dict[tuple[int, int], Paths] = {}
        self.rooms: dict[tuple[int, int], tuple[bounds.Nodes, bounds.Room]] = {}
        self.pairs = {
            count: np.nonzero(~np.eye(count, dtype=bool)) for level in levels for count in level.action_counts
        }
        self.at = np.concatenate([[0], np.cumsum([len(level.joint) for level in levels])]).astype(np.int64)
        self.place = np.zeros((plan.agents, plan.horizon), np.int64)
        sizes: list[int] = []
        for i, t in plan.tree.blocks:
            self.place[i, t] = sum(sizes)
            sizes += [levels[t].action_counts[i]] * levels[t].classes[i]
        self.block = np.repeat(np.arange(len(sizes)), sizes)
        # bounds on advantages: where those of (depth, agent) begin, how many numbers there are, for how many actions
        self.most = max(max(level.action_counts) for level in levels)
        begin, total = np.zeros((plan.horizon, plan.agents), np.int64), 0
        for t in range(1, plan.horizon):
            size = 2 * self.most * len(levels[t].joint)
            begin[t] = total + size * np.arange(plan.agents)
            total += plan.agents * size
        self.advantages_at = begin, total

    def way(self, agent: int, t: int) -> Paths:
        """The way to the classes of (agent, t)."""
        if (agent, t) not in self.paths:
            self.paths[agent, t] = paths_of(self.plan, agent, t)
        return self.paths[agent, t]

    def room(self, agent: int, t: int) -> tuple[bounds.Nodes, bounds.Room]:
        """Room to work in for (agent, t)."""
        if (agent, t) not in self.rooms:
            self.rooms[agent, t] = rooms.room_for(self.tables.numbers, [self.way(agent, t)])
        return self.rooms[agent, t]


def kept_for(plan: Plan) -> _Kept:
    """What is made once for a plan."""
    if not hasattr(plan, _MEMORY):
        setattr(plan, _MEMORY, _Kept(plan))
    return getattr(plan, _MEMORY)


class CompiledStep:
    """The rule for boxes at fixed beta; rows of results are the boxes at the first betas, then at the next ones.

    box[i][t] : (lower, upper), each (B, K, A); beta : (R,), R a multiple of B.
    """

    def __init__(self, plan: Plan, box: list[list[tuple[np.ndarray, np.ndarray]]], beta: np.ndarray) -> None:
        self.plan, self.beta, self.kept = plan, np.ascontiguousarray(beta, np.float64), kept_for(plan)
        self.tables = self.kept.tables
        numbers = self.tables.numbers
        self.boxes = np.zeros((len(box[0][0][0]), numbers[ROOM]))
        self._actions: dict[int, np.ndarray] = {}
        self._states: dict[int, np.ndarray] = {}
        self._nothing = np.empty((len(self.beta), 0))
        self._listing = plan.horizon > 1 or plan.agents > 2  # otherwise nobody looks at vertices
        for i in range(plan.agents):
            for t in range(plan.horizon):
                self._set(i, t, *box[i][t])
        entries.fill(numbers, self.boxes, 0, int(self.kept.block[-1]) + 1, self._listing)

    def _set(self, agent: int, t: int, lower: np.ndarray, upper: np.ndarray) -> tuple[int, int]:
        numbers = self.tables.numbers
        first = int(numbers[numbers[FIRST] + agent * self.plan.horizon + t])
        last = first + lower.shape[1]
        begin, end = numbers[numbers[START] + first], numbers[numbers[START] + last]
        for part, values in ((LOWER, lower), (UPPER, upper)):
            self.boxes[:, numbers[part] + begin : numbers[part] + end] = values.reshape(len(values), -1)
        return first, last

    def replace(self, agent: int, t: int, ends: tuple[np.ndarray, np.ndarray]) -> None:
        """Use another box for one agent's policies at one depth; models it does not touch are kept."""
        entries.fill(self.tables.numbers, self.boxes, *self._set(agent, t, *ends), self._listing)
        self._states = {u: m for u, m in self._states.items() if u > t}
        self._actions = {u: m for u, m in self._actions.items() if u >= t}

    def action(self, t: int) -> np.ndarray:
        """The model of U_t."""
        if t not in self._actions:
            found = np.empty((len(self.beta), rooms.action_size(self.tables.numbers, t)))
            entries.action_model(self.tables, t, self.beta, self.state(t + 1), found)
            self._actions[t] = found
        return self._actions[t]

    def state(self, t: int) -> np.ndarray:
        """The model of V_t, an empty one behind the last depth."""
        if t == self.plan.horizon:
            return self._nothing
        if t not in self._states:
            found = np.empty((len(self.beta), rooms.state_size(self.tables.numbers, t)))
            entries.state_model(self.tables, t, self.boxes, self.action(t), found)
            self._states[t] = found
        return self._states[t]

    def log_ratio_bounds(self, agent: int, t: int, guess: np.ndarray | None = None) -> np.ndarray:
        """(R, K, A, A): `approx_step.Step.log_ratio_bounds`."""
        count = self.plan.levels[t].action_counts[agent]
        result = np.zeros((len(self.beta), self.plan.levels[t].classes[agent], count, count))
        if count == 1:
            return result
        later = t + 1 < self.plan.horizon
        situation = bounds.Situation(
            self.tables, self.kept.way(agent, t), self.boxes, self.action(t), self.state(t + 1), self._against(agent, t)
        )
        first, second = self.kept.pairs[count]
        weight = self.plan.weights[agent]
        start = np.full((*result.shape[:2], len(first)), np.nan)
        if guess is not None:
            start[:] = guess[:, :, first, second] * weight
        work = self.kept.room(agent, t)
        best = np.full(start.shape, np.inf)
        ways = [bounds.SEPARATE] + ([bounds.SHARING] * (t > 0) + [bounds.REPLIES]) * later
        for way in ways:
            found = np.full(start.shape, np.nan)
            entries.log_ratio_bounds(situation, work, (0, result.shape[0], 0, result.shape[1], way), start, found)
            if way == bounds.REPLIES:  # the larger one of both ends of an interval (`approx_step`)
                found = found.reshape(-1, len(self.boxes), *found.shape[1:]).max(0)
                found = np.concatenate([found] * (len(best) // len(found)))
            best = np.minimum(best, found)
        result[:, :, first, second] = best / weight
        return result

    def _against(self, agent: int, t: int) -> np.ndarray:
        """`coupled.values_against` one deeper, where the coupled form is of use."""
        size = rooms.against_size(self.tables.numbers, agent, t)
        if not size:
            return self._nothing
        found = np.empty((len(self.beta), size))
        entries.values_against(self.tables, agent, t + 1, self.boxes, self.action(t + 1), found)
        return found

    def form(self, *, own: bool) -> Form:
        """`approx_definite.Hessian.form` on these boxes."""
        tables, rows, at, place, block = self.tables, len(self.beta), self.kept.at, self.kept.place, self.kept.block
        plan, total = self.plan, len(block)
        reach = np.empty((rows, 2, at[-1]))
        entries.reaches(tables, self.boxes, at, reach)
        advantage_at, size = self.kept.advantages_at
        advantage, most = np.zeros((rows, size)), self.kept.most
        for t in range(1, plan.horizon):
            where = (advantage_at[t], most)
            entries.advantages(tables, t, self.boxes, self.action(t), where, advantage)
        ends = np.zeros((rows, 2, total, total))
        for t in range(plan.horizon):
            entries.same_depth(tables, t, (self.boxes, self.action(t), reach, int(at[t])), place, ends)
        entries.different_depths(tables, self.boxes, (reach, at, advantage, advantage_at, most, own), place, ends)
        diagonal = np.empty((rows, total))
        entries.diagonals(tables, self.boxes, (reach, at), place, diagonal)
        with np.errstate(invalid="ignore"):
            middle, radius = (ends[:, 0] + ends[:, 1]) / 2, (ends[:, 1] - ends[:, 0]) / 2
        return Form(diagonal, middle + middle.transpose(0, 2, 1), radius + radius.transpose(0, 2, 1), block)
