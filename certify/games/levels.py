"""A game unrolled, as flat arrays by depth: levels, and the tree that they make up
(docs/theory/objective.md#beliefs-do-not-depend-on-policies, docs/theory/legal-actions.md#other-names).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property

import numpy as np

from certify.games.tables import Game


@dataclass(frozen=True, eq=False)
class Level:
    """One depth of the tree: E joint classes, JA joint actions, at most S successors.

    Attributes
    ----------
    classes : K_i per agent.
    joint : (E, n) int, the class of each agent in every joint class of positive probability.
    action_counts : A_i per agent at this step, the largest number of actions that are legal at a class; joint actions
        are numbered first agent most significant, JA = prod A_i.
    actions : (K_i, A_i) int per agent: the action of the game that each action number of a class stands for.
    reward : (E, JA) object array of Fraction, r(e, a).
    successor : (E, JA, S) int, index into the next level (0 where `probability` is 0).
    probability : (E, JA, S) object array of Fraction, P(e' | e, a); S = 0 at the last level.
    predecessor : (K_i, 2) int per agent: some (class one level up, local action) that leads to
        the class; the classes along it are one member's own history.  Empty at depth 0.
    reference : (K_i, A_i) object array of Fraction per agent, positive, rows sum to 1: the reference policy of every
        class, each legal action's share split evenly among the names it goes by (see `stands_for`).
    stands_for : (K_i, A_i) int per agent: the legal actions of a class have the numbers 0, 1, .. in their order, and
        stand for themselves; the numbers that are left are other names of 0.  All tables hold for a number what they
        hold for the one that it stands for.
    child : (K_i, A_i, O_i) int per agent, class at the next depth after (class, action,
        observation), -1 where it cannot happen.
    members : (K_i,) object array of int per agent: how many AOHs the class has.
    """

    classes: tuple[int, ...]
    joint: np.ndarray
    action_counts: tuple[int, ...]
    actions: tuple[np.ndarray, ...]
    reward: np.ndarray
    successor: np.ndarray
    probability: np.ndarray
    predecessor: tuple[np.ndarray, ...]
    child: tuple[np.ndarray, ...]
    members: tuple[np.ndarray, ...]
    reference: tuple[np.ndarray, ...]
    stands_for: tuple[np.ndarray, ...]

    @cached_property
    def legal(self) -> tuple[np.ndarray, ...]:
        """(K_i, A_i) bool per agent: which numbers are legal actions of their class, not other names."""
        return tuple(named == np.arange(named.shape[1]) for named in self.stands_for)

    def legal_actions(self, agent: int, k: int) -> list[int]:
        """The legal actions of a class, by their index in the game, ascending."""
        row: list[int] = self.actions[agent][k][self.legal[agent][k]].tolist()
        return row

    @cached_property
    def odds(self) -> tuple[np.ndarray, ...]:
        """(K_i, A_i) object array of Fraction per agent: the reference times A_i, 1 where it is uniform."""
        return tuple(row * row.shape[1] for row in self.reference)

    @cached_property
    def tilted(self) -> bool:
        """Whether some reference of the level is not uniform."""
        return any(bool((row != 1).any()) for row in self.odds)

    @cached_property
    def all_legal(self) -> bool:
        """Whether no number is another name."""
        return all(bool(mask.all()) for mask in self.legal)

    @cached_property
    def legal_joint(self) -> np.ndarray:
        """(E, JA) bool: which numbers of joint actions are not other names."""
        found = np.ones((len(self.joint), len(self.joint_actions)), dtype=bool)
        for i, mask in enumerate(self.legal):
            found &= mask[self.joint[:, i]][:, self.joint_actions[:, i]]
        return found

    @cached_property
    def joint_actions(self) -> np.ndarray:
        """(JA, n) local action indices of every joint action."""
        return np.array(list(np.ndindex(*self.action_counts)), dtype=np.int64).reshape(-1, len(self.action_counts))

    @cached_property
    def approx_reward(self) -> np.ndarray:
        """`reward` rounded to nearest float64, each entry correctly rounded."""
        return self.reward.astype(np.float64)

    @cached_property
    def approx_probability(self) -> np.ndarray:
        """`probability` rounded to nearest float64, each entry correctly rounded."""
        return self.probability.astype(np.float64)


@dataclass(frozen=True, eq=False)
class Tree:
    """A game unrolled: `levels[t]` for t = 0..h-1 and the distribution over joint classes at 0.

    Attributes
    ----------
    game : the game, restricted to its reachable states.
    initial : (E_0,) object array of Fraction.
    initial_child : (O_i,) int per agent: class at depth 0 after an initial observation, or a
        single 0 in games without initial observations.
    clustered : whether AOHs were merged.
    """

    game: Game
    levels: tuple[Level, ...]
    initial: np.ndarray
    initial_child: tuple[np.ndarray, ...]
    clustered: bool

    @property
    def horizon(self) -> int:
        """Number of steps."""
        return len(self.levels)

    @property
    def number_of_agents(self) -> int:
        """How many agents play."""
        return self.game.number_of_agents

    @cached_property
    def policy_parameters(self) -> int:
        """Number of logits theta_{x,a} over all reachable AOHs of the game (merged or not)."""
        return sum(
            int(level.members[i] @ level.legal[i].sum(1)) for level in self.levels for i in range(self.number_of_agents)
        )

    @cached_property
    def tilted(self) -> bool:
        """Whether some reference is not uniform."""
        return any(level.tilted for level in self.levels)

    @cached_property
    def approx_tilt(self) -> list[np.ndarray]:
        """Per depth (E, JA) float64: sum_i w_i log(A_i rho_i(a_i|x_i)), the reference as a reward that beta does
        not scale (docs/theory/legal-actions.md#the-reference-as-a-reward); 0 where it is uniform."""
        found = []
        for level in self.levels:
            total = np.zeros(level.reward.shape)
            for i, odds in enumerate(level.odds):
                logs = float(self.game.weights[i]) * np.log(odds.astype(np.float64))
                total += logs[level.joint[:, i]][:, level.joint_actions[:, i]]
            found.append(total)
        return found

    @cached_property
    def constant(self) -> list[tuple[Fraction, Fraction]]:
        """(factor, number) pairs: what the objective pays beside the return, the entropies and the tilt is the sum of
        factor log(number).  KL to a reference is short of the entropy by log A at every step
        (docs/theory/legal-actions.md#the-reference-as-a-reward); so is what the local bonus pays where legal sets
        depend on the history."""
        if self.game.objective != "kl" and (self.game.flows_back or not self.game.reference):
            return []
        return [
            (self.game.weights[i] * self.game.discount**t, Fraction(1, level.action_counts[i]))
            for t, level in enumerate(self.levels)
            for i in range(self.number_of_agents)
        ]

    @property
    def blocks(self) -> list[tuple[int, int]]:
        """(agent, depth) pairs in the order that every flattened policy uses."""
        return [(i, t) for i in range(self.number_of_agents) for t in range(self.horizon)]

    def uniform(self) -> list[list[np.ndarray]]:
        """The uniform policy on legal actions: `policy[i][t]` is (K_i, A_i) float64, names of one action alike."""
        return [[_uniform(lv.stands_for[i], lv.legal[i]) for lv in self.levels] for i in range(self.number_of_agents)]

    def reference(self) -> list[list[np.ndarray]]:
        """The reference policy rounded to nearest: `policy[i][t]` is (K_i, A_i) float64."""
        return [[lv.reference[i].astype(np.float64) for lv in self.levels] for i in range(self.number_of_agents)]


def _uniform(stands_for: np.ndarray, legal: np.ndarray) -> np.ndarray:
    names = (stands_for[:, :, None] == stands_for[:, None, :]).sum(2)
    return 1.0 / (names * legal.sum(1, keepdims=True))


def with_other_names(level: Level) -> Level:
    """The level with every spare number of a class as another name of its first legal action.

    A policy of the level then plays a legal action with the sum of its names' probabilities.  With the reference's
    share split among the names, KL is least where they share alike, and stationary policies do: they are those of
    the game itself (docs/theory/legal-actions.md#other-names).
    """
    if level.all_legal:
        return level
    row = np.arange(len(level.joint))[:, None]
    picked = np.zeros((len(level.joint), 1), dtype=np.int64)  # the joint action that each one stands for
    for i, named in enumerate(level.stands_for):
        mine = named[level.joint[:, i]]
        picked = (picked[:, :, None] * level.action_counts[i] + mine[:, None, :]).reshape(len(level.joint), -1)
    reference = []
    for named, shares in zip(level.stands_for, level.reference, strict=True):
        own = np.take_along_axis(shares, named, axis=1)
        names = (named[:, :, None] == named[:, None, :]).sum(2)
        reference.append(own / names.astype(object))
    return replace(
        level,
        reward=level.reward[row, picked],
        successor=level.successor[row, picked],
        probability=level.probability[row, picked],
        child=tuple(
            np.take_along_axis(child, named[:, :, None], axis=1) if child.size else child
            for child, named in zip(level.child, level.stands_for, strict=True)
        )
        if level.child
        else (),
        reference=tuple(reference),
    )
