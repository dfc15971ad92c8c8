"""Which AOHs share a class: children of a level before merging, and lossless clustering
(docs/theory/localisation.md#lossless-clustering).
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from fractions import Fraction

from certify.games.levels import Level

Row = tuple[tuple[int, Fraction], ...]  # a row of the reference


@dataclass(frozen=True, slots=True)
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


Pending = tuple[int, tuple[int, ...], tuple[int, ...], int, int]
"""Past of the others, their actions, their child codes, weight, belief."""


class Weights:
    """For every class of one agent: the chance weight of each history of the others.

    `weight[k]` maps the number of a past (the others' classes and actions so far) to a whole number
    proportional to its weight, and `ends` such a number to the others' classes in which it ends; the belief given
    own class and theirs is that of the joint class.
    """

    def __init__(self, frontier: Frontier, agent: int) -> None:
        self.agent = agent
        self.weight: list[dict[int, int]] = [{0: 1}]
        self.ends: list[tuple[int, ...]] = [()]
        self._pending: dict[int, list[Pending]] = {}
        self._extend(frontier, [(0, (), ())] * len(frontier.rows))

    def _others(self, joint: tuple[int, ...]) -> tuple[int, ...]:
        return joint[: self.agent] + joint[self.agent + 1 :]

    def signature(self, code: int, labels: list[dict[int, int]]) -> frozenset:
        """What decides whether two children merge: weights over (others' past, belief), divided by their
        greatest common divisor, which makes proportional ones equal."""
        others = labels[: self.agent] + labels[self.agent + 1 :]
        gathered: dict[tuple, int] = {}
        for past, actions, codes, weight, belief in self._pending[code]:
            key = (past, actions, tuple([label[c] for label, c in zip(others, codes, strict=True)]), belief)
            gathered[key] = gathered.get(key, 0) + weight
        divisor = math.gcd(*gathered.values())
        return frozenset((key, weight // divisor) for key, weight in gathered.items())

    def settle(self, labels: list[dict[int, int]]) -> None:
        """Keep one member's weights for every class, with the others' classes as they now are."""
        others = labels[: self.agent] + labels[self.agent + 1 :]
        mine = labels[self.agent]
        member = {mine[code]: code for code in sorted(self._pending, reverse=True)}
        number: dict[tuple, int] = {}
        self.weight = []
        for k in range(len(member)):
            kept: dict[int, int] = {}
            for past, actions, codes, weight, _ in self._pending[member[k]]:
                key = (past, actions, tuple([label[c] for label, c in zip(others, codes, strict=True)]))
                past = number.setdefault(key, len(number))
                kept[past] = kept.get(past, 0) + weight
            divisor = math.gcd(*kept.values())
            self.weight.append({past: weight // divisor for past, weight in kept.items()})
        self.ends = [key[2] for key in number]
        self._pending = {}

    def following(self, frontier: Frontier, level: Level) -> int:
        """How many pasts `expand` would look at, counted without looking at one."""
        ending = [Counter(self.ends[past] for past in weights) for weights in self.weight]
        joint = level.joint.tolist()
        rows = Counter(row.parent for row in frontier.rows)
        return sum(n * ending[joint[e][self.agent]][self._others(tuple(joint[e]))] for e, n in rows.items())

    def expand(self, frontier: Frontier, level: Level) -> None:
        """Extend every past by one step of chance and of the others' actions."""
        joint = [tuple(row) for row in level.joint.tolist()]
        local = [self._others(tuple(row)) for row in level.joint_actions.tolist()]
        self._extend(
            frontier,
            [
                (joint[row.parent][self.agent], self._others(joint[row.parent]), local[row.action])
                for row in frontier.rows
            ],
        )

    def _extend(self, frontier: Frontier, before: list[tuple[int, tuple[int, ...], tuple[int, ...]]]) -> None:
        """Fill `_pending`; `before` says of every row the own class, the others' and their actions."""
        ending: list[dict[tuple[int, ...], list[tuple[int, int]]]] = []
        for weights in self.weight:
            by_end: dict[tuple[int, ...], list[tuple[int, int]]] = {}
            for past, weight in weights.items():
                by_end.setdefault(self.ends[past], []).append((past, weight))
            ending.append(by_end)
        scale: dict[int, int] = {}  # a child's weights count up to a factor: whole numbers do
        for row in frontier.rows:
            code = row.codes[self.agent]
            scale[code] = math.lcm(scale.get(code, 1), row.probability.denominator)
        for row, (mine, end, actions) in zip(frontier.rows, before, strict=True):
            code, codes = row.codes[self.agent], self._others(row.codes)
            factor = row.probability.numerator * (scale[code] // row.probability.denominator)
            target = self._pending.setdefault(code, [])
            for past, weight in ending[mine].get(end, ()):
                target.append((past, actions, codes, weight * factor, row.belief))


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
