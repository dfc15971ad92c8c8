"""The clustered process as flat float64 arrays and sparse matrices (docs/certificate-format.md, 4.1).

Every probability is the nearest float to an exact rational: relative error at most 2^-53, which the
rounding rule of `fast_numbers.slop` pays for.  Slopes are stored per pair (joint class, class of a block
that lies below it), never densely over all blocks.

Many boxes of one process are one box of as many disjoint copies of the process: `Layout.repeated` numbers the
classes and joint classes of copy c from c times their count on, and every formula stays what it is.
"""

from __future__ import annotations

import copy
from fractions import Fraction

import numpy as np
from scipy.sparse import csr_array

from certify.checker.fast.numbers import GROW, LARGEST_NUMBER, MOST_AGENTS, SMALLEST_CHANCE, UNIT, Ball, log, log_error
from certify.checker.reading.envelope import Failed
from certify.checker.reading.process import Process


def _number(x: Fraction) -> float:
    """The nearest float; `Failed` where products could overflow."""
    if abs(x) > LARGEST_NUMBER:
        raise Failed(f"a number beyond {LARGEST_NUMBER}, too large for the fast engine", part="game")
    return float(x)


def _positive(x: Fraction) -> float:
    """The nearest float of a chance, weight or discount; `Failed` where products could underflow."""
    if x < SMALLEST_CHANCE:
        raise Failed(f"a positive number below {SMALLEST_CHANCE}, too small for the fast engine", part="game")
    return _number(x)


def _tilt(process: Process, t: int) -> Ball:
    """(joint classes, joint actions) what the reference pays: sum w log odds.  The odds are rounded (UNIT, twice over),
    w too; each product and sum adds at most UNIT of what it gives."""
    mid = np.zeros((len(process.joint[t]), len(process.joint_actions[t])))
    rad = np.zeros_like(mid)
    for e, a in np.ndindex(*mid.shape):
        for weight, odds in process.tilts(t, e, a) if process.flows_back else ():
            found = log(np.array(_positive(odds)))
            term = _positive(weight) * found
            error = _positive(weight) * (log_error(found) + 2 * UNIT) + 4 * UNIT * abs(term)
            mid[e, a] += term
            rad[e, a] += error + UNIT * abs(mid[e, a])
    return Ball(mid, rad * GROW)


def _own_tilt(process: Process, t: int, i: int) -> Ball:
    """(classes, actions) log odds, where U is without what the reference pays; 0 elsewhere."""
    if process.flows_back:
        return Ball(*np.zeros((2, process.classes[t][i], process.actions[t][i])))
    mid = log(np.array([[_positive(odds) for odds in row] for row in process.odds[t][i]]))
    return Ball(mid, log_error(mid) + 2 * UNIT)


def tiled(index: np.ndarray, copies: int, count: int) -> np.ndarray:
    """The indices of all copies, those of copy c raised by c `count`.

    >>> tiled(np.array([0, 1, 1]), 2, 3)
    array([0, 1, 1, 3, 4, 4])
    """
    first = np.arange(copies).reshape(copies, *(1,) * index.ndim) * count
    return (first + index[None]).reshape(-1, *index.shape[1:])


class Depth:
    """Depth t of a process, or of `copies` disjoint copies of it.

    classes (joint classes, agents); reward (joint classes, joint actions); edges as parallel arrays
    `source` (joint class), `action` (joint action), `target` (joint class one deeper), `chance`.
    """

    copies = 1

    def __init__(self, process: Process, t: int) -> None:
        self.actions: tuple[int, ...] = tuple(process.actions[t])
        self.class_counts: tuple[int, ...] = tuple(process.classes[t])
        self.classes = np.array(process.joint[t], dtype=np.int64).reshape(-1, len(self.actions))
        self.reward = np.array([[_number(r) for r in row] for row in process.reward[t]])
        self.tilt = _tilt(process, t)
        self.own_tilt = [_own_tilt(process, t, i) for i in range(process.agents)]
        joint = np.arange(len(process.joint_actions[t])).reshape(self.actions)
        # own[i][a, rest]: the joint action in which agent i does a and the others do `rest`
        self.own = [np.moveaxis(joint, i, 0).reshape(self.actions[i], -1) for i in range(len(self.actions))]
        if t < process.horizon - 1:
            edges = [
                (e, a, to, _positive(p))
                for e, rows in enumerate(process.following[t])
                for a, row in enumerate(rows)
                for to, p in row
            ]
            columns = list(zip(*edges, strict=True))
            self.source, self.action, self.target = (np.array(c, dtype=np.int64) for c in columns[:3])
            self.chance = np.array(columns[3])
            self.discounted = self.chance * _positive(process.discount)

    @property
    def joint_classes(self) -> int:
        """Their number."""
        return len(self.classes)

    @property
    def joint_actions(self) -> int:
        """Their number."""
        return self.reward.shape[1]

    def repeated(self, copies: int, deeper: int) -> Depth:
        """The depth of disjoint copies; `deeper` counts one copy's joint classes one deeper."""
        found = copy.copy(self)
        found.copies = copies
        found.class_counts = tuple(copies * count for count in self.class_counts)
        found.classes = tiled(self.classes, copies, np.array(self.class_counts))
        found.reward = np.tile(self.reward, (copies, 1))
        found.tilt = Ball(*(np.tile(part, (copies, 1)) for part in self.tilt))
        found.own_tilt = [Ball(*(np.tile(part, (copies, 1)) for part in own)) for own in self.own_tilt]
        if deeper:
            found.source = tiled(self.source, copies, self.joint_classes)
            found.target = tiled(self.target, copies, deeper)
            found.action, found.chance, found.discounted = (
                np.tile(x, copies) for x in (self.action, self.chance, self.discounted)
            )
        return found

    def parts(self, agent: int) -> tuple[np.ndarray, np.ndarray]:
        """For every joint action the agent's action and the number of the others' joint action."""
        own, rest = (np.empty(self.joint_actions, dtype=np.int64) for _ in range(2))
        own[self.own[agent]] = np.arange(self.own[agent].shape[0])[:, None]
        rest[self.own[agent]] = np.arange(self.own[agent].shape[1])
        return own, rest


def starts_of(sorted_index: np.ndarray, count: int) -> np.ndarray:
    """Where each value 0 .. count - 1 begins in a sorted index array, with the end appended.

    >>> starts_of(np.array([0, 0, 2]), 3)
    array([0, 2, 2, 3])
    """
    return np.searchsorted(sorted_index, np.arange(count + 1))


def expand(starts: np.ndarray, items: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For a list of `items`, all (position in the list, member), members starts[item] .. starts[item+1] - 1.

    >>> expand(np.array([0, 2, 2, 3]), np.array([2, 0]))
    (array([0, 1, 1]), array([2, 0, 1]))
    """
    counts = starts[items + 1] - starts[items]
    position = np.repeat(np.arange(len(items)), counts)
    first = np.repeat(starts[items] - np.concatenate([[0], np.cumsum(counts)[:-1]]), counts) if len(items) else counts
    return position, first + np.arange(len(position))


class Pairs:
    """The pairs (owner, class of agent j at depth u), sorted by owner and class, without repetition."""

    def __init__(self, owner: np.ndarray, klass: np.ndarray, owners: int) -> None:
        self.owner, self.klass = owner, klass
        self.starts = starts_of(owner, owners)

    def __len__(self) -> int:
        return len(self.owner)

    @classmethod
    def unique(cls, owner: np.ndarray, klass: np.ndarray, owners: int) -> tuple[Pairs, np.ndarray]:
        """The pairs among the given ones, and for each given one its position."""
        width = int(klass.max(initial=0)) + 1
        keys, inverse = np.unique(owner * width + klass, return_inverse=True)
        return cls(keys // width, keys % width, owners), inverse

    def total(self, owners: slice) -> csr_array:
        """The 0/1 matrix that adds up over the pairs of each owner in a range, from the pairs of that range."""
        starts = self.starts[owners.start : owners.stop + 1]
        starts = starts - starts[0]
        return csr_array((np.ones(starts[-1]), np.arange(starts[-1]), starts), shape=(len(starts) - 1, starts[-1]))


class Layout:
    """All depths, and below every joint class the blocks it leads to; of one copy of the process, or of several.

    pairs[t][j, u] : `Pairs` of joint classes at t with classes of agent j at depth u > t
    slopes[t][j, u]: discounted transition matrix from those of depth t + 1 (u = t + 1: its joint classes
        themselves) to rows (pair, joint action)
    values[t]      : discounted transition matrix from joint classes at t + 1 to rows (joint class, joint action)
    """

    def __init__(self, process: Process) -> None:
        if process.agents > MOST_AGENTS:
            raise Failed(f"{process.agents} agents, more than the fast engine's {MOST_AGENTS}", part="game")
        self.agents, self.horizon = process.agents, process.horizon
        self.weights = tuple(_positive(w) for w in process.weights)
        self.flows_back = process.flows_back
        self.passed = tuple(w * self.flows_back for w in self.weights)  # those of entropies in V
        self.start = np.array([_positive(p) for p in process.start])
        self.depths = [Depth(process, t) for t in range(process.horizon)]
        self.predecessor = [
            [np.array(list(line), dtype=np.int64).reshape(-1, 2) for line in at_depth]
            for at_depth in process.predecessor
        ]
        self.copies = 1
        self._connect()

    def repeated(self, copies: int) -> Layout:
        """The layout of disjoint copies of this one."""
        found = copy.copy(self)
        found.copies = copies
        found.start = np.tile(self.start, copies)
        deeper = [d.joint_classes for d in self.depths[1:]] + [0]
        found.depths = [d.repeated(copies, count) for d, count in zip(self.depths, deeper, strict=True)]
        before = [(), *(d.class_counts for d in self.depths[:-1])]
        found.predecessor = [
            [tiled(line, copies, np.array([count, 0])) for line, count in zip(at_depth, counts, strict=True)]
            for at_depth, counts in zip(self.predecessor, before, strict=True)
        ]
        found._connect()
        return found

    def _connect(self) -> None:
        """Fills `pairs`, `slopes` and `values`."""
        self.pairs: list[dict[tuple[int, int], Pairs]] = [{} for _ in self.depths]
        self.slopes: list[dict[tuple[int, int], csr_array]] = [{} for _ in self.depths]
        self.values: list[csr_array] = []
        for t in range(self.horizon - 1):
            d = self.depths[t]
            row = d.source * d.joint_actions + d.action
            self.values.append(
                csr_array(
                    (d.discounted, (row, d.target)),
                    shape=(d.joint_classes * d.joint_actions, self.depths[t + 1].joint_classes),
                )
            )
        for t in reversed(range(self.horizon - 1)):
            self._find_pairs(t)

    def own_pairs(self, t: int, j: int) -> Pairs:
        """Every joint class at t with agent j's class in it."""
        d = self.depths[t]
        return Pairs(np.arange(d.joint_classes), d.classes[:, j], d.joint_classes)

    def _find_pairs(self, t: int) -> None:
        d = self.depths[t]
        for j in range(self.agents):
            for u in range(t + 1, self.horizon):
                below = self.own_pairs(u, j) if u == t + 1 else self.pairs[t + 1][j, u]
                edge, member = expand(below.starts, d.target)
                pairs, position = Pairs.unique(d.source[edge], below.klass[member], d.joint_classes)
                self.pairs[t][j, u] = pairs
                self.slopes[t][j, u] = csr_array(
                    (d.discounted[edge], (position * d.joint_actions + d.action[edge], member)),
                    shape=(len(pairs) * d.joint_actions, len(below)),
                )
