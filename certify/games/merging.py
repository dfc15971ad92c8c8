"""Which AOHs share a class: children of a level before merging, and lossless clustering
(docs/theory/localisation.md#lossless-clustering).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from certify.games.levels import Level

Row = tuple[tuple[int, Fraction], ...]  # a row of the reference


@dataclass(frozen=True)
class ChildRow:
    """A joint child before merging: parent row, joint action, children codes, chance, belief."""

    parent: int
    action: int
    codes: tuple[int, ...]
    probability: Fraction
    belief: int


@dataclass(frozen=True)
class Frontier:
    """All joint children of a level; `codes[i]` are agent i's children, ascending, and
    code = (class * A_i + action) * O_i + observation (initial observations: the observation)."""

    rows: list[ChildRow]
    codes: list[list[int]]
    widths: tuple[int, ...]


class Weights:
    """For every class of one agent: the chance weight of each history of the others.

    `weight[k]` maps a path (nested tuple of the others' classes and actions) to
    (weight, row of the level's joint class); the belief given both is that of the joint class.
    """

    def __init__(self, frontier: Frontier, agent: int) -> None:
        self.agent = agent
        # child code -> list of (path so far, others' actions, others' child codes, weight, belief)
        self.pending: dict[int, list[tuple]] = {}
        for row in frontier.rows:
            self.pending.setdefault(row.codes[agent], []).append(
                ((), (), self._others(row.codes), row.probability, row.belief)
            )
        self.weight: list[dict[tuple, Fraction]] = []

    def _others(self, joint: tuple[int, ...]) -> tuple[int, ...]:
        return joint[: self.agent] + joint[self.agent + 1 :]

    def signature(self, code: int, labels: list[dict[int, int]]) -> frozenset:
        """What decides whether two children merge: normalised weights over (others' path, belief)."""
        others = labels[: self.agent] + labels[self.agent + 1 :]
        total = sum(item[3] for item in self.pending[code])
        gathered: dict[tuple, Fraction] = {}
        for path, actions, codes, weight, belief in self.pending[code]:
            key = (path, actions, tuple(label[c] for label, c in zip(others, codes, strict=True)), belief)
            gathered[key] = gathered.get(key, 0) + weight
        return frozenset((key, weight / total) for key, weight in gathered.items())

    def settle(self, labels: list[dict[int, int]]) -> None:
        """Keep one member's weights for every class, with the others' classes as they now are."""
        others = labels[: self.agent] + labels[self.agent + 1 :]
        mine = labels[self.agent]
        self.weight = [{} for _ in range(max(mine.values()) + 1)]
        done: set[int] = set()
        for code in sorted(self.pending):
            k = mine[code]
            if k in done:
                continue
            done.add(k)
            for path, actions, codes, weight, _ in self.pending[code]:
                key = (path, actions, tuple(label[c] for label, c in zip(others, codes, strict=True)))
                self.weight[k][key] = self.weight[k].get(key, 0) + weight
        self.pending = {}

    def expand(self, frontier: Frontier, level: Level) -> None:
        """Extend every path by one step of chance and of the others' actions."""
        joint, local = level.joint.tolist(), level.joint_actions.tolist()
        ending: list[dict[tuple[int, ...], list[tuple[tuple, Fraction]]]] = []
        for weights in self.weight:
            by_end: dict[tuple[int, ...], list[tuple[tuple, Fraction]]] = {}
            for key, weight in weights.items():
                by_end.setdefault(key[2], []).append((key, weight))
            ending.append(by_end)
        for row in frontier.rows:
            mine = joint[row.parent][self.agent]
            end = self._others(tuple(joint[row.parent]))
            actions, codes = self._others(tuple(local[row.action])), self._others(row.codes)
            target = self.pending.setdefault(row.codes[self.agent], [])
            for path, weight in ending[mine].get(end, ()):
                target.append((path, actions, codes, weight * row.probability, row.belief))


def merge(frontier: Frontier, trackers: list[Weights], rows: list[dict[int, Row]]) -> list[dict[int, int]]:
    """Labels of the children after merging, agent by agent, until nothing merges any more.

    Children merge only where legal sets and reference rows agree
    (docs/theory/legal-actions.md#clustering-with-a-reference).

    Every single merge is justified in the game that the merges before it have left
    (docs/theory/localisation.md#lossless-clustering); merging two agents' AOHs *because of each
    other* in one go would be unsound.
    """
    labels = [dict(zip(codes, range(len(codes)), strict=True)) for codes in frontier.codes]
    while True:
        changed = False
        for i, tracker in enumerate(trackers):
            groups: dict[tuple[Row, frozenset], int] = {}
            fresh = {
                code: groups.setdefault((rows[i][code], tracker.signature(code, labels)), len(groups))
                for code in frontier.codes[i]
            }
            changed |= len(groups) < max(labels[i].values()) + 1
            labels[i] = fresh
        if not changed:
            return labels
