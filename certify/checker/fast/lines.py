"""The nodes below the line of predecessors of every class of one agent at one depth, and the sparse
matrices that carry numbers and slopes from one depth to the one before (docs/certificate-format.md, 4.4,
"Bounds, forwards").  Built once per (agent, depth) from indices alone; no policy enters.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy.sparse import csr_array

from certify.checker.fast.layout import Layout, Pairs, expand, starts_of

Key = tuple[int, int]  # (agent, depth) of blocks


@dataclass
class Level:
    """Nodes (k, e) of one depth, sorted by k; `starts[k]` is the first of class k.

    pairs[j, u]  the blocks below each node; at the top level of a line `order[j, u]` says which pair of
                 the model each of them is
    up           rows (node, others' joint action), columns the nodes one deeper: chances along the line
    up_slopes    likewise for the pairs
    """

    depth: int
    node_class: np.ndarray
    joint_class: np.ndarray
    starts: np.ndarray
    pairs: dict[Key, Pairs] = field(default_factory=dict)
    order: dict[Key, np.ndarray] = field(default_factory=dict)
    up: csr_array | None = None
    up_slopes: dict[Key, csr_array] = field(default_factory=dict)


@dataclass
class Root:
    """The weights b of the nodes at depth 0 (`chance`): rows of `start` are classes k, of `own` the pairs
    (k, own block)."""

    chance: np.ndarray
    start: csr_array
    own_pairs: dict[Key, Pairs]
    own: dict[Key, csr_array]


@dataclass
class Lines:
    """Lines of some classes; `levels[u]` for u = 0 .. depth; `single`: each of them meets exactly one
    joint class at depth 0."""

    agent: int
    depth: int
    classes: np.ndarray
    levels: list[Level]
    single: bool
    root: Root | None


def meets_one(layout: Layout, agent: int, depth: int) -> np.ndarray:
    """For every class of an agent at a depth whether its line meets exactly one joint class at depth 0."""
    line = np.arange(layout.depths[depth].class_counts[agent])
    for u in range(depth, 0, -1):
        line = layout.predecessor[u][agent][line, 0]
    return np.bincount(layout.depths[0].classes[:, agent])[line] == 1


def build_lines(layout: Layout, agent: int, depth: int, classes: np.ndarray) -> Lines:
    """The `Lines` of some classes of an agent at a depth; nodes number them from 0 in the order given."""
    line = classes  # the ancestor of every class at the current depth
    level = _nodes(layout, agent, depth, line)
    levels = [level]
    for key, pairs in layout.pairs[depth].items():
        position, member = expand(pairs.starts, level.joint_class)
        level.pairs[key] = Pairs(position, pairs.klass[member], len(level.joint_class))
        level.order[key] = member
    for u in range(depth - 1, -1, -1):
        before = layout.predecessor[u + 1][agent][line]
        above = _nodes(layout, agent, u, before[:, 0])
        _connect(layout, agent, above, level, line, before)
        levels.insert(0, above)
        level, line = above, before[:, 0]
    single = bool((np.diff(level.starts) == 1).all())
    return Lines(agent, depth, classes, levels, single, None if single else _root(layout, agent, level))


def _members(layout: Layout, agent: int, depth: int) -> tuple[np.ndarray, np.ndarray]:
    """Joint classes sorted by the agent's class, and where each class begins."""
    classes = layout.depths[depth].classes[:, agent]
    order = np.argsort(classes, kind="stable")
    return order, starts_of(classes[order], layout.depths[depth].class_counts[agent])


def _nodes(layout: Layout, agent: int, depth: int, line: np.ndarray) -> Level:
    order, starts = _members(layout, agent, depth)
    k, member = expand(starts, line)
    return Level(depth, k, order[member], starts_of(k, len(line)))


def _connect(layout: Layout, agent: int, above: Level, below: Level, line: np.ndarray, before: np.ndarray) -> None:
    """Fills `up` and `up_slopes` of `above`, and its pairs.

    An edge is on a line if its target holds the line's class, its source the predecessor and its
    action the predecessor's action.
    """
    d, deeper = layout.depths[above.depth], layout.depths[above.depth + 1]
    target_class = deeper.classes[d.target, agent]
    before_class = np.full((deeper.class_counts[agent], 2), -1)
    before_class[line] = before
    own, rest = d.parts(agent)
    others = d.own[agent].shape[1]
    on_line = np.flatnonzero(
        (d.classes[d.source, agent] == before_class[target_class, 0]) & (own[d.action] == before_class[target_class, 1])
    )
    on_line = on_line[np.argsort(target_class[on_line], kind="stable")]
    k, chosen = expand(starts_of(target_class[on_line], deeper.class_counts[agent]), line)
    edge = on_line[chosen]
    source = _find(layout, agent, above, k, d.source[edge])
    target = _find(layout, agent, below, k, d.target[edge])
    chance, action = d.chance[edge], rest[d.action[edge]]
    nodes = len(above.joint_class)
    above.up = csr_array((chance, (source * others + action, target)), shape=(nodes * others, len(below.joint_class)))
    for key, pairs in below.pairs.items():
        step, member = expand(pairs.starts, target)
        above.pairs[key], position = Pairs.unique(source[step], pairs.klass[member], nodes)
        above.up_slopes[key] = csr_array(
            (chance[step], (position * others + action[step], member)),
            shape=(len(above.pairs[key]) * others, len(pairs)),
        )


def _find(layout: Layout, agent: int, level: Level, k: np.ndarray, joint: np.ndarray) -> np.ndarray:
    """The index of node (k, joint class) in a level."""
    order, starts = _members(layout, agent, level.depth)
    place = np.empty(len(order), dtype=np.int64)
    classes = layout.depths[level.depth].classes[order, agent]
    place[order] = np.arange(len(order)) - starts[classes]
    return level.starts[k] + place[joint]


def _root(layout: Layout, agent: int, top: Level) -> Root:
    chance = layout.start[top.joint_class]
    nodes = len(chance)
    start = csr_array((chance, (top.node_class, np.arange(nodes))), shape=(len(top.starts) - 1, nodes))
    own_pairs, own = {}, {}
    for key, pairs in top.pairs.items():
        if key[0] == agent:
            own_pairs[key], position = Pairs.unique(top.node_class[pairs.owner], pairs.klass, len(top.starts) - 1)
            own[key] = csr_array(
                (chance[pairs.owner], (position, np.arange(len(pairs)))), shape=(len(own_pairs[key]), len(pairs))
            )
    return Root(chance, start, own_pairs, own)
