"""Index tables of a tree that every contraction step uses, computed once.

For each agent and depth: which later classes descend from a class, which joint classes contain it,
and the others' part of the path that leads to it (docs/theory/objective.md#beliefs-do-not-depend-on-policies).
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np

from certify.games.tree import Tree
from certify.memory import NO_BOUND, Memory, pieces


@functools.cache
def ordered_pairs(count: int) -> np.ndarray:
    """(P, 2): all (a, b) with a != b, a major."""
    return np.array([(a, b) for a in range(count) for b in range(count) if a != b], dtype=np.int64).reshape(-1, 2)


@dataclass(frozen=True, eq=False)
class PathStep:
    """One depth u of the way to the classes of (agent, t): the others' joint classes met there.

    rows : (K, M) int, joint classes e at depth u that contain the class's own ancestor (0-padded).
    mask : (K, M) bool, which entries of `rows` count.
    target : (K, M, AM, S) int, position in the next step's `rows` of each successor after the
        ancestor's own action and the others' joint action; chance : same shape, its probability
        (0 where the successor is not on the path).  Both empty at the last step.
    taken : (K,) int, the own action that leads on (all 0 at the last step).
    """

    rows: np.ndarray
    mask: np.ndarray
    target: np.ndarray
    chance: np.ndarray
    taken: np.ndarray

    def of(self, classes: slice) -> PathStep:
        """The way to some of the classes."""
        return PathStep(*(getattr(self, name)[classes] for name in ("rows", "mask", "target", "chance", "taken")))


class Plan:
    """Tables of `tree` in float64 and int64, by agent and depth; `memory` bounds what is done with them."""

    def __init__(self, tree: Tree, memory: Memory = NO_BOUND) -> None:
        self.tree, self.memory = tree, memory
        self.horizon = tree.horizon
        self.agents = tree.number_of_agents
        self.gamma = float(tree.game.discount)
        self.weights = [float(w) for w in tree.game.weights]
        self.flows_back = tree.game.flows_back
        self.initial = tree.initial.astype(np.float64)
        self.levels = tree.levels
        self._room: Any = None  # `room.room_of`
        self.loops: Any = None  # `loops.Loops`: whether there is time to compile, None: always
        self._descend()
        # made on first use, by the method of that name, and kept
        self._links: dict[tuple[int, int, int], np.ndarray] = {}  # `link`
        self._pairs: dict[tuple[int, int, bool], tuple[np.ndarray, np.ndarray]] = {}  # `pair_successors`
        self._by_pair: dict[tuple[int, int, bool], tuple[np.ndarray, np.ndarray]] = {}  # `successor_pairs`
        self._paths: dict[tuple[int, int], list[PathStep]] = {}  # `path`

    def _descend(self) -> None:
        """descendants[j][t][u]: (K_t, D) classes at depth u below each class, -1-padded;
        position[j][t][u]: (K_t, K_u) their index in that list, -1 elsewhere."""
        self.descendants: list[list[dict[int, np.ndarray]]] = [
            [{} for _ in range(self.horizon)] for _ in range(self.agents)
        ]
        self.position: list[list[dict[int, np.ndarray]]] = [
            [{} for _ in range(self.horizon)] for _ in range(self.agents)
        ]
        reached: dict[tuple[int, int], dict[int, np.ndarray]] = {}  # (agent, depth) -> later depth -> below or not
        for j in range(self.agents):
            for t in reversed(range(self.horizon)):
                k = self.levels[t].classes[j]
                below = {t: np.eye(k, dtype=bool)}
                if t + 1 < self.horizon:
                    child = self.levels[t].child[j].reshape(k, -1)
                    step = np.zeros((k, self.levels[t + 1].classes[j]), dtype=bool)
                    row, column = np.nonzero(child >= 0)
                    step[row, child[row, column]] = True
                    for u, inner in reached[j, t + 1].items():
                        below[u] = (step.astype(np.int64) @ inner.astype(np.int64)) > 0
                reached[j, t] = below
                for u, table in below.items():
                    width = int(table.sum(1).max())
                    listing = np.full((k, width), -1, dtype=np.int64)
                    where = np.full(table.shape, -1, dtype=np.int64)
                    row, column = np.nonzero(table)
                    rank = (np.cumsum(table, axis=1) - 1)[row, column]
                    listing[row, rank] = column
                    where[row, column] = rank
                    self.descendants[j][t][u], self.position[j][t][u] = listing, where

    def below(self, j: int, t: int, u: int) -> np.ndarray:
        """(E, D): agent j's classes at depth u below each joint class at depth t, -1-padded."""
        return self.descendants[j][t][u][self.levels[t].joint[:, j]]

    def link(self, j: int, t: int, u: int) -> np.ndarray:
        """(E, JA, S, D): index of each entry of `below(j, t, u)` in the successor's own list, or -1."""
        key = (j, t, u)
        if key not in self._links:
            successor = self.levels[t].successor
            after = self.levels[t + 1].joint[:, j][successor]
            listing = self.below(j, t, u)[:, None, None, :]
            found = self.position[j][t + 1][u][after[..., None], np.maximum(listing, 0)]
            self._links[key] = np.where(listing >= 0, found, -1)
        return self._links[key]

    def pair_successors(self, agent: int, t: int, reply: bool = False) -> tuple[np.ndarray, np.ndarray]:
        """Where own actions a and b (all ordered pairs, a major) lead: successors (E, P, AM, 2S)
        and gamma (P(. | a) - P(. | b)), gathered where both lead to the same joint class; `reply`: of a alone."""
        key = (agent, t, reply)
        if key not in self._pairs:
            level = self.levels[t]
            successor = self.split_actions(level.successor, agent, t, 1)
            chance = self.gamma * self.split_actions(level.approx_probability, agent, t, 1)
            first, second = ordered_pairs(level.action_counts[agent]).T
            where = np.concatenate([successor[:, first], successor[:, second]], -1)
            change = np.concatenate([chance[:, first], -chance[:, second] * (not reply)], -1)
            for part in pieces(len(where), 32.0 * where[0].size * where.shape[-1], self.memory.free()):
                same = where[part][..., :, None] == where[part][..., None, :]
                owner = same.argmax(-1)  # the first place that has this successor
                gathered = np.where(same, change[part][..., None, :], 0.0).sum(-1)
                change[part] = np.where(owner == np.arange(where.shape[-1]), gathered, 0.0)
            self._pairs[key] = where, change
        return self._pairs[key]

    def successor_pairs(self, agent: int, t: int, reply: bool = False) -> tuple[np.ndarray, np.ndarray]:
        """Two agents: `pair_successors` at the classes of (agent, t) by own and the other's later class.

        change : (K, M, P, AM, X, Y), X over `descendants[agent][t][t + 1]`, Y over the other's classes
        below the joint class, M over `path(agent, t)[t].rows`; joint : (K, M, X, Y), their joint
        class at t + 1 (0 where there is none: `change` is 0 there).
        """
        key = (agent, t, reply)
        if key not in self._by_pair:
            rows, other = self.path(agent, t)[t].rows, 1 - agent
            where, change = self.pair_successors(agent, t, reply)
            level, after = self.levels[t], self.levels[t + 1]
            k = np.indices(rows.shape)[0]
            where, change = (
                where[rows],
                change[rows] * self.path(agent, t)[t].mask[..., None, None, None],
            )  # (K, M, P, AM, S)
            x = self.position[agent][t][t + 1][k[..., None, None, None], after.joint[where, agent]]
            theirs = level.joint[rows, other]
            y = self.position[other][t][t + 1][theirs[..., None, None, None], after.joint[where, other]]
            shape = (self.descendants[agent][t][t + 1].shape[1], self.descendants[other][t][t + 1].shape[1])
            table = np.zeros((*change.shape[:4], *shape))
            joint = np.zeros((*rows.shape, *shape), dtype=np.int64)
            at = np.nonzero(change)
            np.add.at(table, (*at[:4], x[at], y[at]), change[at])
            joint[at[0], at[1], x[at], y[at]] = where[at]
            self._by_pair[key] = table, joint
        return self._by_pair[key]

    def others(self, agent: int) -> list[int]:
        """The other agents."""
        return [j for j in range(self.agents) if j != agent]

    def split_actions(self, array: np.ndarray, agent: int, t: int, axis: int) -> np.ndarray:
        """Reshape a joint-action axis JA into (A_agent, AM), AM over the others' joint actions."""
        counts = self.levels[t].action_counts
        shape = array.shape[:axis] + counts + array.shape[axis + 1 :]
        moved = np.moveaxis(array.reshape(shape), axis + agent, axis)
        return moved.reshape(array.shape[:axis] + (counts[agent], -1) + array.shape[axis + 1 :])

    def path(self, agent: int, t: int) -> list[PathStep]:
        """Steps u = 0..t on the way to every class of (agent, t)."""
        key = (agent, t)
        if key not in self._paths:
            self._paths[key] = self._make_path(agent, t)
        return self._paths[key]

    def _make_path(self, agent: int, t: int) -> list[PathStep]:
        k = self.levels[t].classes[agent]
        own = [np.arange(k)] * (t + 1)  # all but the last are replaced
        taken = [np.zeros(k, np.int64)] * (t + 1)
        for u in range(t, 0, -1):
            before = self.levels[u].predecessor[agent][own[u]]
            own[u - 1], taken[u - 1] = before[:, 0], before[:, 1]
        listing, ranks = [], []
        for u in range(t + 1):
            classes = self.levels[u].joint[:, agent]
            members = np.bincount(classes, minlength=self.levels[u].classes[agent])
            order = np.argsort(classes, kind="stable")
            first = np.cumsum(members) - members
            rank = np.empty(len(classes), dtype=np.int64)  # of a joint class among those of its own class
            rank[order] = np.arange(len(classes)) - np.repeat(first, members)
            place = np.arange(int(members[own[u]].max()))
            mask = place < members[own[u]][:, None]
            rows = np.where(mask, order[np.minimum(first[own[u]][:, None] + place, len(order) - 1)], 0)
            listing.append((rows, mask))
            ranks.append(rank)
        steps = []
        for u, (rows, mask) in enumerate(listing):
            if u == t:
                empty = np.zeros((*rows.shape, 0, 0))
                steps.append(PathStep(rows, mask, empty.astype(np.int64), empty, np.zeros(k, np.int64)))
                continue
            level = self.levels[u]
            successor = self.split_actions(level.successor, agent, u, 1)[rows, taken[u][:, None]]
            chance = self.split_actions(level.approx_probability, agent, u, 1)[rows, taken[u][:, None]]
            on_path = self.levels[u + 1].joint[successor, agent] == own[u + 1][:, None, None, None]
            position = np.where(on_path, ranks[u + 1][successor], -1)
            chance = np.where(on_path & mask[:, :, None, None], chance, 0.0)
            steps.append(PathStep(rows, mask, np.maximum(position, 0), chance, taken[u]))
        return steps
