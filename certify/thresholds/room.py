"""What a contraction on a tree keeps in memory, and what is left for passing arrays (docs/thresholds.md#memory)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from certify.games.tree import Tree

if TYPE_CHECKING:
    from certify.thresholds.index_tables import Plan

_NUMBER = 8.0  # bytes
_ENDS = 2  # of an interval of beta
_FORM = 12.0  # arrays of a definiteness test at its peak, of (entries x entries) each


@dataclass(frozen=True)
class Room:
    """Bytes: of what one box `keeps` beside the tables, of a definiteness test of one box, `form`, and of `temporary`
    arrays; `boxes` fit side by side."""

    keeps: float
    form: float
    temporary: float

    @property
    def boxes(self) -> int:
        """How many boxes may be contracted side by side."""
        return int(max(1, self.temporary // max(1.0, self.keeps)))

    @property
    def forms(self) -> int:
        """How many boxes may be tested side by side."""
        return int(max(1, 2 * self.temporary // max(1.0, self.form)))


def room_of(plan: Plan) -> Room:
    """The room of a plan, as it is when it is first asked for."""
    found: Room | None = plan._room
    if found is None:
        keeps, form = model_bytes(plan), form_bytes(plan.tree)
        free = max(0.0, plan.memory.free() - table_bytes(plan))
        # half of it for the models of boxes; of a single one that is larger what it leaves
        found = Room(keeps, form, min(free / 2, max(0.0, free - keeps)))
        plan._room = found
    return found


def form_bytes(tree: Tree) -> float:
    """Of a definiteness test of one box."""
    entries = sum(level.classes[i] * level.action_counts[i] for level in tree.levels for i in range(len(level.classes)))
    return _FORM * _NUMBER * float(entries) ** 2


def model_bytes(plan: Plan) -> float:
    """Of the models of all depths, of one box at both ends of its interval."""
    total = 0.0
    for t, level in enumerate(plan.levels):
        joint, actions = level.reward.shape
        numbers, largest = joint * (4.0 * actions + 4.0), 0.0
        for j in range(plan.agents):
            for u in range(t, plan.horizon):
                slope = plan.descendants[j][t][u].shape[1] * (plan.levels[u].action_counts[j] + 1.0)
                numbers += joint * slope * (1.0 + actions * (u > t))
                largest = max(largest, joint * slope * actions * (u > t))
        total += numbers + 2 * largest
    return _ENDS * _NUMBER * total


def table_bytes(plan: Plan) -> float:
    """Of the index tables that are made on the way."""
    total = 0.0
    for t, level in enumerate(plan.levels):
        joint, actions, successors = (float(x) for x in level.successor.shape)
        for j in range(plan.agents):
            own = level.action_counts[j]
            total += sum(joint * actions * successors * plan.descendants[j][t][u].shape[1]
                         for u in range(t + 1, plan.horizon))  # fmt: skip
            total += 4 * joint * (own - 1) * actions * successors  # pairs of own actions
            for u in range(t + 1):
                above, classes = plan.levels[u], plan.levels[t].classes[j]
                others = above.reward.shape[1] / above.action_counts[j]
                nodes = len(above.joint) / above.classes[j]
                total += classes * nodes * (2 + 2 * others * above.successor.shape[2])
        if plan.agents == 2 and t + 1 < plan.horizon:
            later = [plan.descendants[j][t][t + 1].shape[1] for j in (0, 1)]
            total += sum(joint * later[0] * later[1] * (1 + (own - 1) * actions) for own in level.action_counts)
    return _NUMBER * total
