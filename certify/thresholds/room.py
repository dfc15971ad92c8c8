"""What a contraction on a tree keeps in memory, and what is left for passing arrays (docs/thresholds.md#memory)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from certify.games.tree import Tree
from certify.thresholds.approx_support import FEW

if TYPE_CHECKING:
    from certify.thresholds.index_tables import Plan

_NUMBER = 8.0  # bytes
_ENDS = 2  # of an interval of beta
_FORM = 12.0  # arrays of a definiteness test at its peak, of (entries x entries) each


def most_vertices(actions: int) -> int:
    """Of a box cut with the simplex: all coordinates but one at an end, half of them at the upper.

    >>> [most_vertices(a) for a in (1, 2, 3, 4, 8)]
    [1, 2, 6, 12, 280]
    """
    return actions * math.comb(actions - 1, (actions - 1) // 2)


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


def check_room(plan: Plan) -> Plan:
    """The plan itself; `InputError` where `plan.memory` does not hold the least that a contraction needs."""
    game = plan.tree.game
    mend = "raise --memory, use a shorter horizon, or --method structural or windows"
    plan.memory.check(least_bytes(plan), f"{game.name} at horizon {game.horizon}", "localisation", mend)
    return plan


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


def least_bytes(plan: Plan) -> float:
    """Of the least that contracts one box: tables, models, and one class or joint class at a time, or the test."""
    passing = form_bytes(plan.tree)
    for t, level in enumerate(plan.levels):
        passing = max(passing, _ENDS * vertex_bytes(plan, t))
        for i in range(plan.agents):
            others = [j for j in range(plan.agents) if j != i]
            passing = max(passing, _ENDS * class_bytes(plan, i, t), _ENDS * joint_bytes(plan, t, others))
            if level.action_counts[i] > 1 and t + 1 < plan.horizon:
                passing = max(passing, _ENDS * weights_bytes(plan, i, t) + form_bytes(plan.tree) / 3)
    return table_bytes(plan) + model_bytes(plan) + passing


def _vertices(plan: Plan, t: int, agents: list[int]) -> float:
    """Of the policies of some agents at one joint class."""
    return float(math.prod(most_vertices(plan.levels[t].action_counts[j]) for j in agents))


def _later(plan: Plan, t: int) -> list[tuple[int, int, int, int]]:
    """(agent, depth, actions, vertices) of the blocks of later depths."""
    counts = [(j, u, plan.levels[u].action_counts[j]) for u in range(t + 1, plan.horizon) for j in range(plan.agents)]
    return [(j, u, count, most_vertices(count)) for j, u, count in counts]


def vertex_bytes(plan: Plan, t: int) -> float:
    """Of what is bounded at every vertex of everybody's policies, at one joint class (`approx_models`)."""
    actions, agents = plan.levels[t].reward.shape[1], list(range(plan.agents))
    if plan.agents == 2 and t + 1 == plan.horizon and max(plan.levels[t].action_counts) > FEW:
        return _NUMBER * 10 * actions * max(most_vertices(count) for count in plan.levels[t].action_counts[:1])
    later = [plan.descendants[j][t][u].shape[1] * 3.0 * (count + 1 + v) for j, u, count, v in _later(plan, t)]
    return _NUMBER * _vertices(plan, t, agents) * (2 * actions + 8 + max(later, default=0.0))


def class_bytes(plan: Plan, agent: int, t: int) -> float:
    """Of an ascent from one class: what it keeps of every depth, and the largest of its passing arrays."""
    kept = passing = 0.0
    own, later = plan.levels[t].action_counts[agent], _later(plan, t)
    pairs, others = own * (own - 1), [j for j in range(plan.agents) if j != agent]
    for u in range(t + 1):
        level = plan.levels[u]
        nodes = -(-len(level.joint) // level.classes[agent])
        rest = level.reward.shape[1] // level.action_counts[agent]
        listed = bool(later) or len(others) != 1 or rest <= FEW
        vertices = _vertices(plan, u, others) if listed else 1.0
        kept += nodes * (vertices * (pairs + rest) + 6.0 * pairs * rest)
        passing = max(passing, nodes * pairs * (level.successor.shape[2] * rest + 3.0 * vertices))
        for j, depth, count, v in later:
            width = plan.descendants[j][t if j == agent else u][depth].shape[1]
            kept += nodes * pairs * rest * 2.0 * width * (count + 1)
            passing = max(passing, nodes * pairs * width * (rest * (count + 1) + vertices * (4 * (count + 1) + 3 * v)))
    return _NUMBER * (kept + passing)


def joint_bytes(plan: Plan, t: int, others: list[int]) -> float:
    """Of advantages at one joint class, at every vertex of the others' policies (`approx_definite`)."""
    actions, vertices = plan.levels[t].reward.shape[1], _vertices(plan, t, others)
    free = actions / math.prod(plan.levels[t].action_counts[j] for j in others)
    later = [
        plan.descendants[j][t][u].shape[1] * (3 * free * vertices * (count + v + 1) + 2 * actions * (count + 1))
        for j, u, count, v in _later(plan, t)
    ]
    return _NUMBER * (vertices * (actions + 8 * free) + 8 * actions + max(later, default=0.0))


def weights_bytes(plan: Plan, agent: int, t: int) -> float:
    """Of the weights of everything later through one class (`approx_definite`)."""
    numbers = 0.0
    for u in range(t, plan.horizon):
        level = plan.levels[u]
        actions = level.reward.shape[1] if u + 1 < plan.horizon else 1
        numbers = max(numbers, len(level.joint) * (4.0 * actions + 6.0 * max(level.action_counts)))
    return _NUMBER * plan.levels[t].action_counts[agent] * numbers


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
