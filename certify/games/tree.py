"""The game unrolled once over joint histories, raw or losslessly clustered
(docs/theory/localisation.md#lossless-clustering, docs/theory/objective.md#beliefs-do-not-depend-on-policies).

Given a joint history the belief over states does not depend on the policies, so a Dec-POMDP is a
tree with policy-independent rewards r(eta, a) and probabilities P(eta' | eta, a).  `unroll` stores
it as flat arrays by depth.  With `cluster=True` AOHs whose policy-independent weights over (state,
others' history) are proportional share one *class*; every stationary policy plays alike on a class
(Oliehoek, Whiteson and Spaan 2009; docs/theory/localisation.md#lossless-clustering), and the tree collapses into a
small DAG. Without clustering every class is one AOH.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np

from certify.errors import InputError
from certify.games.levels import Level, Tree, with_other_names
from certify.games.merging import ChildRow, Frontier, Row, Weights, merge
from certify.games.model import FIRST, Game, JointAction, JointObservation, restrict_to_reachable
from certify.games.reachability import deciding
from certify.memory import NO_BOUND, Memory

__all__ = ["DEFAULT_MAX_ENTRIES", "Level", "Tree", "history_counts", "unroll"]
Belief = tuple[tuple[int, Fraction], ...]
DEFAULT_MAX_ENTRIES = 30_000_000
_WORK = 20  # entries allowed per exact multiplication of a belief update, which takes that much longer
_ROW = 60  # ... and per joint child, which takes that much more time and memory than a number
_PATH = 15  # ... and per past that clustering compares
_BYTES = 1_700  # of memory per joint child, at the peak (800 to 1,600 in games of two agents)


class _Beliefs:
    """Distinct beliefs, numbered; what happens after each joint action, computed once and exactly."""

    def __init__(self, game: Game, limit: int = DEFAULT_MAX_ENTRIES) -> None:
        self.game, self.limit, self.work = game, limit, 0
        self.number: dict[Belief, int] = {}
        self.beliefs: list[Belief] = []
        self._after: dict[tuple[int, JointAction], list[tuple[JointObservation, Fraction, int]]] = {}
        self._reward: dict[tuple[int, JointAction], Fraction] = {}

    def add(self, weights: dict[int, Fraction]) -> int:
        total = sum(weights.values())
        belief = tuple(sorted((s, w / total) for s, w in weights.items()))
        if belief not in self.number:
            self.number[belief] = len(self.beliefs)
            self.beliefs.append(belief)
        return self.number[belief]

    def reward(self, belief: int, a: JointAction) -> Fraction:
        if (belief, a) not in self._reward:
            reward = self.game.reward
            self._reward[belief, a] = sum((p * reward.get((s, a), 0) for s, p in self.beliefs[belief]), Fraction(0))
        return self._reward[belief, a]

    def after(self, belief: int, a: JointAction) -> list[tuple[JointObservation, Fraction, int]]:
        """(joint observation, probability, next belief) for every observation that can come."""
        if (belief, a) not in self._after:
            nxt: dict[int, Fraction] = {}
            for s, p in self.beliefs[belief]:
                for s2, q in self.game.transition[s, a]:
                    nxt[s2] = nxt.get(s2, 0) + p * q
            self.work += len(self.beliefs[belief]) * len(nxt) + sum(len(self.game.emission[a, s2]) for s2 in nxt)
            if self.work > self.limit // _WORK:
                raise InputError(
                    f"{self.game.name} at horizon {self.game.horizon}",
                    f"more than {self.limit // _WORK:,} exact multiplications for its {len(self.beliefs):,} "
                    "beliefs so far",
                    "use a shorter horizon, --method structural, or raise --max-entries",
                )
            weights: dict[JointObservation, dict[int, Fraction]] = {}
            for s2, p in nxt.items():
                for o, q in self.game.emission[a, s2]:
                    weights.setdefault(o, {})[s2] = p * q
            self._after[belief, a] = [
                (o, sum(w.values(), Fraction(0)), self.add(w)) for o, w in sorted(weights.items())
            ]
        return self._after[belief, a]


def history_counts(game: Game, limit: int | None = None) -> list[int]:
    """Number of joint histories at each depth (full-support play), counted without enumerating.

    Stops early, with the counts so far, once a depth exceeds `limit`.
    """
    beliefs = _Beliefs(game)
    counts: dict[tuple[int, JointObservation], int] = {}  # by belief and what decides the legal actions
    for o, (b, _, _) in _start(game, beliefs).items():
        key = (b, deciding(game, o))
        counts[key] = counts.get(key, 0) + 1
    result = [sum(counts.values())]
    for step in range(game.horizon - 1):
        if limit is not None and result[-1] > limit:
            break
        following: dict[tuple[int, JointObservation], int] = {}
        for (b, last), count in counts.items():
            for a in game.legal_joint_actions(step, last):
                for o, _, b2 in beliefs.after(b, a):
                    key = (b2, deciding(game, o))
                    following[key] = following.get(key, 0) + count
        counts = following
        result.append(sum(counts.values()))
    return result


def _start(game: Game, beliefs: _Beliefs) -> dict[JointObservation, tuple[int, Fraction, None]]:
    weights: dict[JointObservation, dict[int, Fraction]] = {}
    for s, o, p in game.start:
        row = weights.setdefault(o, {})
        row[s] = row.get(s, 0) + p
    return {o: (beliefs.add(w), sum(w.values(), Fraction(0)), None) for o, w in sorted(weights.items())}


def _roots(
    frontier: Frontier, labels: list[dict[int, int]], index: dict[tuple[int, ...], int], classes: tuple[int, ...]
) -> tuple[np.ndarray, tuple[np.ndarray, ...], tuple[np.ndarray, ...]]:
    """At the first depth: chances of the joint classes, classes of initial observations, members of the classes."""
    initial = np.array([Fraction(0)] * len(index), dtype=object)
    for row in frontier.rows:
        initial[index[tuple(labels[i][c] for i, c in enumerate(row.codes))]] += row.probability
    child = tuple(np.array([labels[i].get(c, -1) for c in range(frontier.widths[i])]) for i in range(len(labels)))
    members = tuple(
        np.bincount(list(label.values()), minlength=k).astype(object) for label, k in zip(labels, classes, strict=True)
    )
    return initial, child, members


def unroll(
    game: Game, *, cluster: bool = True, max_entries: int = DEFAULT_MAX_ENTRIES, memory: Memory = NO_BOUND
) -> Tree:
    """Unroll `game` to its horizon; merge AOHs losslessly when `cluster` is set.

    Raises `InputError` before a depth would need more than `max_entries` numbers, or more than `memory`.

    >>> from certify.games.builtin import builtin
    >>> tree = unroll(builtin("dectiger", horizon=3))
    >>> [level.classes for level in tree.levels]
    [(1, 1), (3, 3), (9, 9)]
    """
    game = restrict_to_reachable(game)
    if not cluster:
        counts = history_counts(game, limit=max_entries)
        needed = max(
            c * math.prod(len(game.actions_at(i, t)) for i in range(game.number_of_agents))
            for t, c in enumerate(counts)
        )
        _refuse_if_large(game, len(counts) - 1, needed, max_entries, "joint histories times joint actions")
    beliefs = _Beliefs(game, max_entries)
    frontier = _first_frontier(game, beliefs)
    levels: list[Level] = []
    initial, initial_child = None, None
    trackers = [Weights(frontier, i) for i in range(game.number_of_agents)] if cluster else None
    predecessors: list[np.ndarray] = [np.zeros((0, 2), np.int64)] * game.number_of_agents
    members = None
    for t in range(game.horizon):
        rows = _reference_rows(game, t, frontier)
        labels = (
            merge(frontier, trackers, rows)
            if trackers is not None
            else [dict(zip(c, range(len(c)), strict=True)) for c in frontier.codes]
        )
        joint, belief_of, index = _joint_classes(frontier, labels)
        classes = tuple(max(label.values()) + 1 for label in labels)
        if t == 0:
            initial, initial_child, members = _roots(frontier, labels, index, classes)
        else:
            successor, probability = _successors(frontier, labels, index, levels[-1])
            child, predecessors, members = _children(frontier, labels, classes, levels[-1], game)
            levels[-1] = replace(levels[-1], successor=successor, probability=probability, child=child)
        if trackers is not None:
            for tracker in trackers:
                tracker.settle(labels)
        reference = tuple(_reference(*own) for own in zip(labels, rows, classes, strict=True))
        bare = _bare_level(classes, joint, predecessors, members, reference)
        levels.append(replace(bare, reward=_rewards(bare, belief_of, beliefs)))
        if t + 1 < game.horizon:
            if memory.bound is not None:
                _refuse_beyond(memory, game, t + 1, _children_to_come(levels[-1], belief_of, beliefs))
            frontier = _expand(game, t, levels[-1], belief_of, beliefs, max_entries)
            if trackers is not None:
                paths = sum(tracker.following(frontier, levels[-1]) for tracker in trackers)
                _refuse_if_large(
                    game, t + 1, paths * _PATH, max_entries, "numbers for the pasts that clustering compares"
                )
                for tracker in trackers:
                    tracker.expand(frontier, levels[-1])
    return Tree(game, tuple(map(with_other_names, levels)), initial, initial_child, cluster)


def _refuse_if_large(game: Game, depth: int, entries: int, limit: int, what: str) -> None:
    if entries > limit:
        raise InputError(
            f"{game.name} at horizon {game.horizon}",
            f"depth {depth} needs {entries:,} {what}, the limit is {limit:,}",
            "use a shorter horizon, --method structural, or raise --max-entries",
        )


def _children_to_come(level: Level, belief_of: list[int], beliefs: _Beliefs) -> int:
    """How many joint children `_expand` would list."""
    moves = _legal_moves(level)
    return sum(len(beliefs.after(b, a)) for e, b in enumerate(belief_of) for _, a in moves[e])


def _refuse_beyond(memory: Memory, game: Game, depth: int, children: int) -> None:
    where = f"{game.name} at horizon {game.horizon}"
    mend = "raise --memory, use a shorter horizon, or --method structural"
    memory.check(children * _BYTES, where, f"unrolling depth {depth}", mend)


def _first_frontier(game: Game, beliefs: _Beliefs) -> Frontier:
    n = game.number_of_agents
    rows = [ChildRow(0, 0, o or (0,) * n, p, b) for o, (b, p, _) in _start(game, beliefs).items()]
    widths = tuple(len(game.observations[i]) if rows and any(o for _, o, _ in game.start) else 1 for i in range(n))
    return Frontier(rows, [sorted({row.codes[i] for row in rows}) for i in range(n)], widths)


def _expand(game: Game, t: int, level: Level, belief_of: list[int], beliefs: _Beliefs, limit: int) -> Frontier:
    n = game.number_of_agents
    rows: list[ChildRow] = []
    joint, local = level.joint.tolist(), level.joint_actions.tolist()
    widths = tuple(len(game.observations[i]) for i in range(n))
    counts, moves = level.action_counts, _legal_moves(level)
    for e, b in enumerate(belief_of):
        for k, a in moves[e]:
            for o, p, b2 in beliefs.after(b, a):
                rows.append(
                    ChildRow(
                        e, k, tuple((joint[e][i] * counts[i] + local[k][i]) * widths[i] + o[i] for i in range(n)), p, b2
                    )
                )
        _refuse_if_large(
            game, t + 1, len(rows) * _ROW, limit, "numbers for its joint classes, actions and observations"
        )
    return Frontier(rows, [sorted({row.codes[i] for row in rows}) for i in range(n)], widths)


Moves = list[tuple[int, JointAction]]


def _legal_moves(level: Level) -> list[Moves]:
    """Per joint class (number, joint action of the game) of everything legal; one list for all that have the same."""
    kind = [
        np.unique(np.hstack([a, named]), axis=0, return_inverse=True)[1].ravel()
        for a, named in zip(level.actions, level.stands_for, strict=True)
    ]
    known: dict[tuple[int, ...], Moves] = {}
    found = []
    for e, members in enumerate(level.joint.tolist()):
        key = tuple(int(kinds[k]) for kinds, k in zip(kind, members, strict=True))
        if key not in known:
            own = [table[k].tolist() for table, k in zip(level.actions, members, strict=True)]
            legal = level.legal_joint[e].tolist()
            known[key] = [(k, a) for k, a in enumerate(itertools.product(*own)) if legal[k]]
        found.append(known[key])
    return found


def _reference_rows(game: Game, t: int, frontier: Frontier) -> list[dict[int, Row]]:
    """Per agent the reference row of every child code: it depends on the step and the last observation."""
    initial = t == 0 and not any(o for _, o, _ in game.start)
    found = []
    for i, codes in enumerate(frontier.codes):
        width = frontier.widths[i]
        rows: dict[Any, Any] = {}
        for code in codes:
            o = FIRST if initial else code % width
            rows[o] = rows.get(o) or game.reference_row(i, t, o)
        found.append({code: rows[FIRST if initial else code % width] for code in codes})
    return found


def _reference(label: dict[int, int], rows: dict[int, Row], classes: int) -> tuple[np.ndarray, np.ndarray]:
    """(K, A) object array of Fraction, the reference row of every class, its legal actions first and 0 behind them;
    (K, A) int, what the numbers stand for: behind the legal actions the first of them."""
    width = max(map(len, rows.values()))
    table = np.full((classes, width), Fraction(0), dtype=object)
    actions = np.zeros((classes, width), dtype=np.int64)
    for code, k in label.items():
        actions[k] = rows[code][0][0]
        for number, (a, p) in enumerate(rows[code]):
            table[k, number], actions[k, number] = p, a
    return table, actions


def _joint_classes(frontier: Frontier, labels: list[dict[int, int]]):
    """Joint classes in lexicographic order, the belief of each, and their index."""
    belief: dict[tuple[int, ...], int] = {}
    for row in frontier.rows:
        key = tuple(labels[i][c] for i, c in enumerate(row.codes))
        if belief.setdefault(key, row.belief) != row.belief:
            raise AssertionError("joint histories of one joint class differ in their belief")
    keys = sorted(belief)
    joint = np.array(keys, dtype=np.int64).reshape(len(keys), len(labels))
    return joint, [belief[k] for k in keys], {k: e for e, k in enumerate(keys)}


def _bare_level(classes, joint, predecessors, members, reference) -> Level:
    """A level without rewards and successors."""
    counts = tuple(row.shape[1] for row, _ in reference)
    empty = np.zeros((len(joint), math.prod(counts), 0))
    return Level(
        classes=classes,
        joint=joint,
        action_counts=counts,
        actions=tuple(actions for _, actions in reference),
        reward=np.zeros(empty.shape[:2], dtype=object),
        successor=empty.astype(np.int64),
        probability=empty.astype(object),
        predecessor=tuple(predecessors),
        child=(),
        members=members,
        reference=tuple(row for row, _ in reference),
        stands_for=tuple(np.where(row != 0, np.arange(row.shape[1]), 0).astype(np.int64) for row, _ in reference),
    )


def _rewards(level: Level, belief_of: list[int], beliefs: _Beliefs) -> np.ndarray:
    """(E, JA) object array of Fraction; 0 where a number is another name."""
    table = np.full((len(belief_of), len(level.joint_actions)), Fraction(0), dtype=object)
    known: dict[tuple[int, int], tuple[list[int], np.ndarray]] = {}
    for e, (b, moves) in enumerate(zip(belief_of, _legal_moves(level), strict=True)):
        if (b, id(moves)) not in known:
            row = np.array([beliefs.reward(b, a) for _, a in moves], dtype=object)
            known[b, id(moves)] = [k for k, _ in moves], row
        numbers, row = known[b, id(moves)]
        table[e, numbers] = row
    return table


def _successors(frontier: Frontier, labels, index, parent: Level) -> tuple[np.ndarray, np.ndarray]:
    def cells() -> Iterator[tuple[int, int, dict[int, Fraction]]]:
        """Rows come by parent and action: one cell at a time is enough."""
        for (parent_class, action), rows in itertools.groupby(frontier.rows, lambda row: (row.parent, row.action)):
            cell: dict[int, Fraction] = {}
            for row in rows:
                e = index[tuple(labels[i][c] for i, c in enumerate(row.codes))]
                cell[e] = cell[e] + row.probability if e in cell else row.probability
            yield parent_class, action, cell

    width = max(len(cell) for _, _, cell in cells())
    successor = np.zeros((*parent.reward.shape, width), dtype=np.int64)
    probability = np.full((*parent.reward.shape, width), Fraction(0), dtype=object)
    for e, a, cell in cells():
        for s, (target, p) in enumerate(sorted(cell.items())):
            successor[e, a, s], probability[e, a, s] = target, p
    return successor, probability


def _children(frontier: Frontier, labels, classes, parent: Level, game: Game):
    child, predecessors, members = [], [], []
    for i in range(game.number_of_agents):
        counts, width = parent.action_counts[i], frontier.widths[i]
        table = np.full(parent.classes[i] * counts * width, -1, dtype=np.int64)
        before = np.full((classes[i], 2), -1, dtype=np.int64)
        number = np.array([0] * classes[i], dtype=object)
        for code in frontier.codes[i]:
            k, above = labels[i][code], code // (counts * width)
            table[code] = k
            number[k] += parent.members[i][above]
            if before[k, 0] < 0:
                before[k] = above, (code // width) % counts
        child.append(table.reshape(parent.classes[i], counts, width))
        predecessors.append(before)
        members.append(number)
    return tuple(child), predecessors, tuple(members)
