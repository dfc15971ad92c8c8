"""How much room compiled loops need, and what they find where in it; plain Python, asked once for a plan."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from certify.thresholds.compiled.bounds import Nodes, Room
from certify.thresholds.compiled.compiler import plain
from certify.thresholds.compiled.coupled import coupled_applies
from certify.thresholds.compiled.models import action_pinned, most_vertices, state_pinned
from certify.thresholds.compiled.tables import (
    AGENT,
    AGENTS,
    COLUMNS,
    COUNTS,
    DEPTH,
    FAMILY,
    FIRST,
    HORIZON,
    JA,
    LEVEL,
    NODES,
    OTHERS,
    SLOT,
    STEPS,
    TAIL,
    VERTEX,
    WIDTH,
    E,
    Paths,
    S,
)


def action_size(numbers: np.ndarray, t: int) -> int:
    """How many numbers U has at depth t."""
    cells = numbers[numbers[LEVEL] + t * COLUMNS + E] * numbers[numbers[LEVEL] + t * COLUMNS + JA]
    return int(plain(action_pinned)(numbers, t) + numbers[AGENTS] * cells)


def state_size(numbers: np.ndarray, t: int) -> int:
    """How many numbers V has at depth t; none behind the last depth."""
    if t == numbers[HORIZON]:
        return 0
    classes = numbers[numbers[LEVEL] + t * COLUMNS + E]
    return int(plain(state_pinned)(numbers, t, plain(most_vertices)(numbers, t)) + numbers[AGENTS] * classes)


def against_size(numbers: np.ndarray, agent: int, t: int) -> int:
    """How many numbers `coupled.values_against` gives one deeper, 0 where the coupled form is of no use."""
    if numbers[AGENTS] != 2 or t + 1 == numbers[HORIZON] or not plain(coupled_applies)(numbers, agent, t):
        return 0
    classes = numbers[numbers[LEVEL] + (t + 1) * COLUMNS + E]
    own = numbers[numbers[COUNTS] + agent * numbers[HORIZON] + t + 1]
    most = plain(most_vertices)(numbers, t + 1)
    return int(classes * most * (own + most))


def nodes_at(numbers: np.ndarray, paths: Paths) -> np.ndarray:
    """`bounds.Nodes.at` for the classes of one agent and depth, (t + 2, 4)."""
    steps, t = paths.numbers, paths.numbers[DEPTH]
    at = np.zeros((t + 2, 4), np.int64)
    for u in range(t + 1):
        step = steps[STEPS] + 5 * u
        count, others = steps[step + NODES], steps[step + OTHERS]
        most = at[u, 3] = _others_vertices(numbers, steps[AGENT], u)
        at[u + 1, :3] = at[u, :3] + (count, count * most, count * most * others)
    return at


def _others_vertices(numbers: np.ndarray, agent: int, u: int) -> int:
    """The most vertices of all other agents' policies at depth u."""
    found = []
    for j in range(numbers[AGENTS]):
        block = numbers[VERTEX] + numbers[numbers[FIRST] + j * numbers[HORIZON] + u]
        found.append(int(numbers[block + 1] - numbers[block]) if j != agent else 1)
    return math.prod(found)


class _Sizes(NamedTuple):
    """Of the arrays in `Nodes` and `Room`."""

    nodes: int
    vertices: int
    policies: int
    classes: int
    others: int
    cells: int
    most: int
    slopes: int
    passed: int
    longest: int
    coupling: int


def _sizes(numbers: np.ndarray, paths: Paths) -> _Sizes:
    steps, agent = paths.numbers, paths.numbers[AGENT]
    t, at = steps[DEPTH], nodes_at(numbers, paths)
    step = steps[STEPS] + 5 * t
    count, others = steps[step + NODES], steps[step + OTHERS]
    slopes, passed, longest = 1, 1, 1
    for u in range(t + 1):
        level, nodes = numbers[LEVEL] + u * COLUMNS, steps[steps[STEPS] + 5 * u + NODES]
        tail = numbers[numbers[level + SLOT] + numbers[numbers[TAIL] + u * numbers[HORIZON] + t]]
        width = max(1, numbers[level + WIDTH] - tail)
        slopes = max(slopes, nodes * steps[steps[STEPS] + 5 * u + OTHERS] * width)
        passed, longest = max(passed, nodes * width), max(longest, at[u, 3])
    most = max(1, 2 * numbers[numbers[LEVEL] + t * COLUMNS + S])
    coupling = _coupling_size(numbers, agent, t) if against_size(numbers, agent, t) else 0
    sizes = (*at[-1, :3], count, others, count * others, most, slopes, passed, max(longest, slopes + passed), coupling)
    return _Sizes(*map(int, sizes))


def _coupling_size(numbers: np.ndarray, agent: int, t: int) -> int:
    """For `coupled_bound`: per pair of classes one deeper its weight, joint class and share, the averaged slopes, one
    slope, a value for every vertex, and for every own class one for every own vertex."""
    level = numbers[LEVEL] + t * COLUMNS
    mine, yours = numbers[FAMILY] + 2 * (t * 2 + agent), numbers[FAMILY] + 2 * (t * 2 + 1 - agent)
    own = numbers[mine + 1] - numbers[mine]
    cells = own * (numbers[yours + 1] - numbers[yours])
    actions = numbers[numbers[COUNTS] + agent * numbers[HORIZON] + t + 1]
    return int(3 * cells + numbers[level + WIDTH] + actions + 1 + (1 + own) * plain(most_vertices)(numbers, t + 1))


def room_for(numbers: np.ndarray, ways: list[Paths]) -> tuple[Nodes, Room]:
    """Room for any of these ways; `Nodes.at` is that of the first one."""
    most = _Sizes(*map(max, zip(*(_sizes(numbers, paths) for paths in ways), strict=True)))
    nodes = Nodes(
        nodes_at(numbers, ways[0]),
        np.zeros(most.nodes, np.int64),
        np.zeros(most.policies),
        np.zeros(most.vertices),
        np.zeros(most.nodes),
        np.zeros(most.nodes),
    )
    room = Room(
        np.zeros((most.classes, most.others)),
        np.zeros((most.classes, most.others)),
        np.zeros(most.slopes),
        np.zeros(most.passed),
        np.zeros((most.cells, most.most, 3), np.int64),
        np.zeros((most.cells, most.most)),
        np.zeros(most.cells, np.int64),
        np.zeros((2, most.longest)),
        np.zeros(most.coupling),
    )
    return nodes, room
