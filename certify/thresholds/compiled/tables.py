"""A tree as flat arrays of numbers, the form that compiled loops read (docs/theory/continuation.md#compiled-search).

Blocks (agent, depth, class) are numbered by depth, agent and class.  At a joint class e of depth t the blocks of all
agents that lie at or below e have *slots*: first those at t by agent, then for every later depth and agent those of
`Plan.below`.  A slope over later blocks is one row of numbers, A + 1 per slot.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from certify.thresholds.index_tables import Plan, ordered_pairs
from certify.thresholds.room import most_vertices

# Where a number, or a list of numbers, begins in `Tables.numbers`.
(AGENTS, HORIZON, SIZE, START, CORNER, VERTEX, FIRST, COUNTS, CLASSES, LEVEL, SPLIT, SPLIT_AT, TAIL, FAMILY) = range(14)
# Where the parts of a box begin in `Boxes` (see `vertices`): offsets too, for they depend on the tree.
LOWER, UPPER, CENTRE, LOGS, ENTROPY, COUNT, POINTS, SHIFT, DIVERGENCE, ROOM = range(14, 24)
_HEADER = 24
# Columns of a depth: sizes, then where its lists begin (`numbers`: ACTION, SLOT, OWNER; `reals`: REWARD, TILT, FLOW;
# else `links`).
E, JA, S, SLOTS, WIDTH, ACTION, SLOT, OWNER, REWARD, TILT, FLOW, JOINT, SUCCESSOR, LISTING, LINK, CHILD = range(16)
COLUMNS = 16
# Where the parts of `Paths.numbers` begin; columns of its depths: nodes of a class, the others' joint actions,
# successors, where rows and targets begin.
AGENT, DEPTH, PAIRS, SINGLE, STEPS, TAKEN, PAIR = range(7)
NODES, OTHERS, NEXT, ROWS, TARGET = range(5)


class Tables(NamedTuple):
    """What a tree is, in three arrays; lists of `numbers` begin where its header says.

    SIZE, START : (blocks,) actions of a block, its place in a policy.  CORNER, VERTEX : its place in lists of
    coordinates of vertices, and of vertices.  FIRST, COUNTS, CLASSES : (agents, h) number of the first block,
    actions, classes.  SPLIT, SPLIT_AT : joint action by (own action, the others').  LEVEL : (h, COLUMNS).
    TAIL : (h, h) at depth u the first slot deeper than t.  FAMILY : (h, agents, 2) slots of an agent one depth
    further, from and to.

    Per depth: ACTION (JA, n) local actions; SLOT (slots + 1,) where each slot's numbers begin; OWNER (slots,) its
    agent; REWARD, TILT (E, JA); FLOW (E, JA, S) gamma P; JOINT (E, n) blocks of the joint classes; SUCCESSOR (E, JA,
    S); LISTING (E, slots) blocks, -1 where there is none; LINK (E, JA, S, slots - n) the same block's slot at the
    successor, or -1; CHILD (E, JA, S, n) the slots of the successor's blocks.  `reals` begins with the agents' weights
    and the initial chances of the joint classes.
    """

    numbers: np.ndarray
    links: np.ndarray
    reals: np.ndarray


class Paths(NamedTuple):
    """The way to the classes of (agent, t): `index_tables.PathStep` of every depth, concatenated.

    numbers : AGENT, DEPTH, PAIRS (how many), SINGLE (one node at the top for every class), STEPS (t + 1, 5),
    TAKEN (t + 1, K), PAIR (pairs, 2) of own actions, rows (-1: no node), targets.  chances : beside the targets.
    """

    numbers: np.ndarray
    chances: np.ndarray


def tables_of(plan: Plan) -> Tables:
    """The tables of a plan.  Memory: 4 bytes per number of LINK, the largest of them."""
    n, h, levels = plan.agents, plan.horizon, plan.levels
    first, size = _blocks(plan)
    vertices = [most_vertices(a) for a in size]
    numbers, links = _Store(np.int64, [np.zeros(_HEADER)]), _Store(np.int32, [])
    reals = _Store(np.float64, [np.array(plan.weights), plan.initial])  # where they are looked for
    tail, family = np.zeros((h, h), np.int64), np.zeros((h, n, 2), np.int64)
    rows = np.zeros((h, COLUMNS), np.int64)
    for t, level in enumerate(levels):
        keys = [(j, u) for u in range(t, h) for j in range(n)]
        listed = [plan.below(j, t, u) for j, u in keys]
        widths = [b.shape[1] for b in listed]
        depth = np.repeat([u for _, u in keys], widths)
        tail[t] = [int((depth <= u).sum()) for u in range(h)]
        listing = np.concatenate(
            [np.where(b >= 0, b + first[key], -1) for b, key in zip(listed, keys, strict=True)], axis=1
        )
        places = np.repeat([levels[u].action_counts[j] + 1 for j, u in keys], widths)
        rows[t, [E, JA, S, SLOTS, WIDTH]] = (*level.successor.shape, listing.shape[1], places.sum())
        rows[t, ACTION], rows[t, SLOT] = numbers.add(level.joint_actions), numbers.add(_offsets(places))
        rows[t, OWNER] = numbers.add(np.repeat([j for j, _ in keys], widths))
        rows[t, REWARD], rows[t, TILT] = reals.add(level.approx_reward), reals.add(plan.tree.approx_tilt[t])
        rows[t, FLOW] = reals.add(plan.gamma * level.approx_probability)
        rows[t, JOINT], rows[t, LISTING] = links.add(level.joint + first[:, t]), links.add(listing)
        rows[t, SUCCESSOR] = links.add(level.successor)
        if t + 1 == h:
            continue
        begin = _begins(plan, t + 1)
        found = [(plan.link(j, t, u), begin[j, u]) for j, u in keys[n:]]
        rows[t, LINK] = links.add(np.concatenate([np.where(x >= 0, x + b, -1) for x, b in found], axis=-1))
        after = levels[t + 1].joint[level.successor]  # (E, JA, S, n)
        family[t] = _family(plan, t, n)
        child = [
            plan.position[j][t][t + 1][level.joint[:, j][:, None, None], after[..., j]] + family[t, j, 0]
            for j in range(n)
        ]
        rows[t, CHILD] = links.add(np.stack(child, -1))
    split, split_at = _splits(plan)
    corners = [v * a for v, a in zip(vertices, size, strict=True)]
    head = numbers.parts[0]
    head[AGENTS], head[HORIZON] = n, h
    head[SIZE], head[START] = numbers.add(np.array(size)), numbers.add(_offsets(size))
    head[CORNER], head[VERTEX] = numbers.add(_offsets(corners)), numbers.add(_offsets(vertices))
    head[FIRST] = numbers.add(first)
    head[COUNTS] = numbers.add(np.array([[level.action_counts[i] for level in levels] for i in range(n)]))
    head[CLASSES] = numbers.add(np.array([[level.classes[i] for level in levels] for i in range(n)]))
    head[LEVEL], head[SPLIT], head[SPLIT_AT] = numbers.add(rows), numbers.add(split), numbers.add(split_at)
    head[TAIL], head[FAMILY] = numbers.add(tail), numbers.add(family)
    entries, blocks = sum(size), len(size)
    sections = [entries] * 4 + [blocks] * 2 + [sum(corners)] * 2 + [sum(vertices)]
    head[LOWER : ROOM + 1] = _offsets(sections)
    return Tables(numbers.whole(), links.whole(), reals.whole())


class _Store:
    """Arrays one behind the other."""

    def __init__(self, kind: type, parts: list[np.ndarray]) -> None:
        self.kind, self.parts = kind, parts
        self.length = sum(len(p) for p in parts)

    def add(self, array: np.ndarray) -> int:
        """Where it begins."""
        self.parts.append(np.asarray(array, self.kind).ravel())
        self.length += array.size
        return self.length - array.size

    def whole(self) -> np.ndarray:
        """All of them."""
        return np.ascontiguousarray(np.concatenate(self.parts), self.kind)


def _blocks(plan: Plan) -> tuple[np.ndarray, list[int]]:
    """The first block of every agent and depth, and how many actions each block has."""
    first = np.zeros((plan.agents, plan.horizon), np.int64)
    size: list[int] = []
    for t, level in enumerate(plan.levels):
        for i in range(plan.agents):
            first[i, t] = len(size)
            size += [level.action_counts[i]] * level.classes[i]
    return first, size


def _offsets(sizes: Iterable[int]) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(list(sizes))]).astype(np.int64)


def _begins(plan: Plan, t: int) -> dict[tuple[int, int], int]:
    """The first slot of every agent and depth at depth t."""
    found, total = {}, 0
    for u in range(t, plan.horizon):
        for j in range(plan.agents):
            found[j, u] = total
            total += plan.descendants[j][t][u].shape[1]
    return found


def _family(plan: Plan, t: int, n: int) -> list[list[int]]:
    begin = _begins(plan, t)
    return [[begin[j, t + 1], begin[j, t + 1] + plan.descendants[j][t][t + 1].shape[1]] for j in range(n)]


def _splits(plan: Plan) -> tuple[np.ndarray, np.ndarray]:
    parts, at, total = [], np.zeros((plan.agents, plan.horizon), np.int64), 0
    for t, level in enumerate(plan.levels):
        joint = np.arange(level.reward.shape[1])
        for i in range(plan.agents):
            parts.append(plan.split_actions(joint, i, t, 0).ravel())
            at[i, t] = total
            total += len(joint)
    return np.concatenate(parts).astype(np.int64), at


def paths_of(plan: Plan, agent: int, t: int) -> Paths:
    """The way to the classes of (agent, t)."""
    steps, sizes = plan.path(agent, t), np.zeros((t + 1, 5), np.int64)
    numbers, chances = _Store(np.int64, [np.zeros(7)]), _Store(np.float64, [])
    for u, step in enumerate(steps):
        others = math.prod(c for j, c in enumerate(plan.levels[u].action_counts) if j != agent)
        rows = numbers.add(np.where(step.mask, step.rows, -1))
        sizes[u] = (step.rows.shape[1], others, step.target.shape[-1], rows, chances.add(step.chance))
    targets = numbers.add(np.concatenate([step.target.ravel() for step in steps]))
    pairs = ordered_pairs(plan.levels[t].action_counts[agent])
    head = numbers.parts[0]
    head[AGENT], head[DEPTH], head[PAIRS] = agent, t, len(pairs)
    head[SINGLE] = bool((steps[0].mask.sum(1) == 1).all())
    sizes[:, TARGET] += targets  # a chance stands `targets` numbers before its target
    head[STEPS], head[PAIR] = numbers.add(sizes), numbers.add(pairs)
    head[TAKEN] = numbers.add(np.array([step.taken for step in steps]))
    return Paths(numbers.whole(), np.concatenate([np.zeros(targets), chances.whole()]))
