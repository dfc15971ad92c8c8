"""The numbers of a tree in float64, prepared once, with the depth of rounding they lead to.

Rewards are shifted to be nonnegative, level by level: the shift moves J by a known constant and
leaves gradient and Hessian alone, and every quantity becomes a sum of products of nonnegative
numbers, to which the a-priori bounds of `rounding` apply (docs/theory/objective.md#the-objective,
docs/theory/objective.md#stationary-policies, docs/theory/hessian.md#the-second-derivative-formula).
"""

from __future__ import annotations

import math
import weakref
from fractions import Fraction
from functools import cached_property

import numpy as np

from certify.bounds.policy import layout_of
from certify.games.tree import Tree

LARGEST = 2.0**300
SMALLEST_EXPONENT = -450  # products of at most two copies of everything stay normal


class LevelTable:
    """One depth: nonnegative rewards, probabilities and the index arrays of the recursions.

    Attributes
    ----------
    reward : (E, JA) float64, r - shift rounded to nearest.  plain_reward : r, likewise.
    probability : (E, JA, S), likewise.
    joint : per agent (E,) int, its class.  joint_row : likewise, its row in the layout.
    vanished : whether a number here is too small for float64.
    following : how many joint classes the next depth has.  offsets : (n + 1) ints, where an agent's
        (class, action) pairs begin and end among those of all agents at this depth.
    action_row : per agent, (E, A_i) int, class * A_i + action.
    entry : likewise, the entry in the layout.
    """

    def __init__(self, tree: Tree, t: int, shift: Fraction) -> None:
        level, layout = tree.levels[t], layout_of(tree)
        n = tree.number_of_agents
        self.counts = level.action_counts
        self.classes = level.classes
        self.size = len(level.joint)
        self.joint_shape = (self.size, *level.action_counts)
        shifted = level.reward - shift
        self.reward = shifted.astype(np.float64)
        self.plain_reward = level.approx_reward
        self.probability = level.approx_probability
        self.vanished = _vanishes(shifted, self.reward) or _vanishes(level.probability, self.probability)
        self.successor = level.successor
        self.following = len(tree.levels[t + 1].joint) if t + 1 < tree.horizon else 0
        self.flat_successor = level.successor.ravel()
        self.width = level.successor.shape[2]
        self.joint = [np.ascontiguousarray(level.joint[:, i]) for i in range(n)]
        self.entries = [layout.entries[i, t] for i in range(n)]
        self.rows = [layout.rows[i, t] for i in range(n)]
        self.shapes = [layout.shape[i, t] for i in range(n)]
        self.axis = [tuple(-1 if k == i else 1 for k in range(n)) for i in range(n)]
        self.action_row = [self.joint[i][:, None] * self.counts[i] + np.arange(self.counts[i]) for i in range(n)]
        self.entry = [own.start + row for own, row in zip(self.entries, self.action_row, strict=True)]
        self.joint_row = [own.start + joint for own, joint in zip(self.rows, self.joint, strict=True)]
        self.offsets = [0, *np.cumsum([k * a for k, a in self.shapes]).tolist()]
        self.origin = [self.joint[i][:, None] * self.counts[i] + level.joint_actions[:, i] for i in range(n)]
        self.most_in_class = max(int(np.bincount(j).max()) for j in self.joint)
        positive = self.probability[self.probability > 0]
        self.least_probability = float(positive.min()) if positive.size else 1.0
        arrivals = level.successor[level.probability != 0]
        self.most_arrivals = int(np.bincount(arrivals).max()) if arrivals.size else 1

    @cached_property
    def arrivals(self) -> np.ndarray:
        """(1 + n, E, JA, S) int: where `second_order.through` adds up what flows from a joint class, and from
        every (class, action) of each agent, to the next depth's joint classes; one row for each of
        them, in this order."""
        origin = np.stack([np.broadcast_to(np.arange(self.size)[:, None], self.reward.shape), *self.origin])
        origin += np.array([0, *(self.size + offset for offset in self.offsets[:-1])])[:, None, None]
        return origin[..., None] * self.following + self.successor

    @cached_property
    def columns(self) -> np.ndarray:
        """(E, sum_j A_j) int: columns of `second_order.cross_sums`, every (class, action) of agent 0, of agent 1, .."""
        return np.concatenate([o + row for o, row in zip(self.offsets[:-1], self.action_row, strict=True)], axis=1)

    @cached_property
    def cells(self) -> np.ndarray:
        """`columns` as places in a flattened (E, sum_j K_j A_j) array."""
        return np.arange(self.size)[:, None] * self.offsets[-1] + self.columns

    @cached_property
    def pairs(self) -> dict[tuple[int, int], np.ndarray]:
        """Per i < j, (E, A_i, A_j) int: the place of the two actions in a flattened (K_i A_i, K_j A_j) array."""
        n = len(self.counts)
        width = [k * a for k, a in self.shapes]
        return {
            (i, j): self.action_row[i][:, :, None] * width[j] + self.action_row[j][:, None, :]
            for j in range(n)
            for i in range(j)
        }


def _vanishes(exact: np.ndarray, rounded: np.ndarray) -> bool:
    """Whether a number that is not 0 is too small for a relative error (never in sane games)."""
    return bool(np.any((exact != 0) & (np.abs(rounded) < 2.0**-1000)))


class Tables:
    """All levels, the shifts, and `roundings`: no computed quantity is rounded more often.

    Attributes
    ----------
    shift : per depth t, the `Fraction` sum_{u >= t} gamma^{u-t} min r_u that the return-to-go lost.
    initial : (E_0,) float64.  discount : gamma.  weight : (n,) w_i.
    entropy_mass : per depth, sum_{u >= t} gamma^{u-t} sum_i w_i, rounded up.
    every_row, every_entry : the levels' `joint_row` and `entry` in a row, depth by depth.
    entry_mass_after, entry_mass : (N,) the entropy's mass of the later steps, of these and its own.
    exponent : the least binary exponent of a product of the tree's own numbers.
    fits : False where float64 bounds would not hold (numbers too large or too small).
    """

    def __init__(self, tree: Tree) -> None:
        gamma, n, h = tree.game.discount, tree.number_of_agents, tree.horizon
        layout = layout_of(tree)
        least = [min(level.reward.ravel()) for level in tree.levels]
        self.levels = [LevelTable(tree, t, least[t]) for t in range(h)]
        self.shift = [Fraction(0)] * (h + 1)
        for t in reversed(range(h)):
            self.shift[t] = least[t] + gamma * self.shift[t + 1]
        self.float_shift = [float(s) for s in self.shift]
        self.initial = tree.initial.astype(np.float64)
        self.discount = float(gamma)
        self.weight = np.array([float(w) for w in tree.game.weights])
        self.row_weight = layout.weight[layout.row_start].astype(np.float64)
        self.entry_weight = layout.weight.astype(np.float64)
        self.entry_discount = layout.discount.astype(np.float64)
        self.row_shift = np.array([self.float_shift[t] for t in layout.depth])
        total = float(sum(tree.game.weights)) * (1 + 2.0**-50)
        self.entropy_mass = [0.0] * (h + 1)
        for t in reversed(range(h)):
            self.entropy_mass[t] = (total + self.discount * self.entropy_mass[t + 1]) * (1 + 2.0**-50)
        self.entry_mass_after = (
            np.array([self.entropy_mass[t + 1] for t in layout.depth]) * self.discount * (1 + 2.0**-50)
        )
        self.entry_mass = (self.entry_weight + self.entry_mass_after) * (1 + 2.0**-50)
        self.every_row = np.concatenate([row for level in self.levels for row in level.joint_row])
        self.every_entry = np.concatenate([entry.ravel() for level in self.levels for entry in level.entry])
        self.roundings = self._roundings(n)
        self.exponent, self.fits = self._range(tree)

    def _roundings(self, n: int) -> int:
        """Backwards (U, V), forwards (reach), and the last steps of any quantity, added up.

        U = r + gamma sum P V': P, gamma and r rounded, two products, S - 1 additions and one.
        V: n products with policies, sum_i (A_i - 1) <= JA - 1 additions and n of the bonuses; a bonus
        itself: p log p 11, products with a rounded w and a rounded alpha, A + n additions.  reach': as many products, P
        rounded, additions up to the arrivals.  Last: sums over a class (at most `most_in_class`
        joint classes), over joint actions and rows, twice (rows and columns of the Hessian), the
        logarithm, and at most 40 factors (alpha, w, gamma^t, square roots, ...).
        """
        backwards = sum(level.width + 5 + 2 * n + int(np.prod(level.counts)) + 14 for level in self.levels)
        forwards = len(self.initial) + sum(n + 3 + level.most_arrivals for level in self.levels)
        last = max(level.most_in_class + int(np.prod(level.counts)) + 4 * max(level.counts) for level in self.levels)
        return backwards + forwards + last + 40 + 2 * n

    def _range(self, tree: Tree) -> tuple[float, bool]:
        rewards = np.concatenate([level.reward.ravel() for level in self.levels])
        positive = rewards[rewards > 0]
        least = min(1.0, float(positive.min())) if positive.size else 1.0
        start = self.initial[self.initial > 0].min()
        exponent = (
            np.log2(least)
            + np.log2(start)
            + sum(np.log2(level.least_probability) for level in self.levels)
            + tree.horizon * np.log2(self.discount)
            + min(0.0, np.log2(self.weight.min()))
            - 60
        )
        vanished = _vanishes(tree.initial, self.initial) or any(level.vanished for level in self.levels)
        largest = max([1.0, self.weight.max(), *map(abs, self.float_shift)] + [float(rewards.max())])
        fits = np.isfinite(exponent) and largest <= LARGEST and not vanished and self.roundings < 2**30
        return float(exponent), bool(fits)

    def suit(self, policy: np.ndarray, alpha: float, block_start: np.ndarray) -> bool:
        """Whether no product of this flat policy's entries with the tree's numbers can underflow.

        Every path takes one entry from every block, and no product here has more than two copies
        of it; the least entry of every block bounds them all.
        """
        if not self.fits or not 2.0**-100 <= alpha <= 2.0**100:
            return False
        least = float(policy.min())  # in every block at once: enough for all but extreme policies
        if least > 0 and self.exponent + len(block_start) * math.log2(least) - 101 >= SMALLEST_EXPONENT:
            return True
        with np.errstate(divide="ignore"):
            smallest = np.log2(np.minimum.reduceat(policy, block_start)).sum()
        return bool(self.exponent + smallest - 100 >= SMALLEST_EXPONENT)

    def room(self, number_of_blocks: int) -> float:
        """Binary digits that one entry of each block may fall below 1 before a path underflows."""
        return min((self.exponent - 2 * SMALLEST_EXPONENT) / number_of_blocks, 500.0)


_tables: weakref.WeakKeyDictionary[Tree, Tables] = weakref.WeakKeyDictionary()


def tables_of(tree: Tree) -> Tables:
    """The (cached) float64 tables of a tree."""
    if tree not in _tables:
        _tables[tree] = Tables(tree)
    return _tables[tree]
