"""The recursions once more, for numbers of any type: what arb and exact rationals share.

Plain formulas of docs/theory/objective.md#the-objective, docs/theory/objective.md#stationary-policies,
docs/theory/hessian.md#the-second-derivative-formula, on numpy arrays of objects (`Fraction` or `flint.arb`), without
shifts or rounding analysis: the arithmetic of the objects is the proof. Meant for small games; `point` and
`second_order` are the fast way.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

from certify.bounds.policy import layout_of
from certify.games.tree import Tree


class ObjectRecursion:
    """Values, reach, d Q and the Hessian's cross terms for one policy of numbers.

    Parameters
    ----------
    policy, minus_log : flat (N,) objects.  row_entropy : (rows,) H(pi_x), without weights.
    convert : `Fraction -> number`.  log : the logarithm of a `Fraction`, needed for KL to a reference.

    Attributes
    ----------
    U_reward, U_entropy : per depth (E, A_1, .., A_n).  V_reward, V_entropy : per depth (E,).
    reach : per depth (E,).  d : (rows,).  reward, entropy : the two parts of J_alpha, the second being -KL where that
        is what the objective pays (the values of single steps leave its constant out).
    """

    def __init__(
        self,
        tree: Tree,
        policy: np.ndarray,
        minus_log: np.ndarray,
        row_entropy: np.ndarray,
        convert: Callable[[Fraction], Any],
        log: Callable[[Fraction], Any] | None = None,
    ) -> None:
        self.tree, self.layout, self.convert, self._log = tree, layout_of(tree), convert, log
        self.policy, self.minus_log, self.row_entropy = policy, minus_log, row_entropy
        self.n = tree.number_of_agents
        self.weight = self._converted(np.array(tree.game.weights, dtype=object))
        self.gamma = convert(tree.game.discount)
        self.factors = [self._split(t) for t in range(tree.horizon)]
        self.probability = [self._converted(level.probability) for level in tree.levels]
        self._backward()
        self._forward()
        first = self._converted(tree.initial)
        self.reward, self.entropy = ((first * V[0]).sum() for V in (self.V_reward, self.V_entropy))
        for factor, number in tree.constant:
            self.entropy = self.entropy + convert(factor) * self._logarithm(number)

    def _converted(self, array: np.ndarray) -> np.ndarray:
        out = np.empty(array.size, dtype=object)
        out[:] = [self.convert(Fraction(v)) for v in array.ravel()]
        return out.reshape(array.shape)

    def zeros(self, *shape: int) -> np.ndarray:
        """An object array of exact zeros in this arithmetic."""
        return np.full(shape, self.convert(Fraction(0)), dtype=object)

    def _split(self, t: int) -> list[np.ndarray]:
        level = self.tree.levels[t]
        tables = [self.policy[self.layout.entries[i, t]].reshape(self.layout.shape[i, t]) for i in range(self.n)]
        return [
            table[level.joint[:, i]].reshape(len(level.joint), *(-1 if k == i else 1 for k in range(self.n)))
            for i, table in enumerate(tables)
        ]

    def product(self, t: int, left_out: tuple[int, ...] = ()) -> np.ndarray:
        """(E, A_1 or 1, ..) product of the policies of all agents but those left out."""
        result = self.zeros(*(1,) * (self.n + 1)) + self.convert(Fraction(1))
        for k, factor in enumerate(self.factors[t]):
            if k not in left_out:
                result = result * factor
        return result

    def entropy_of_joint(self, t: int) -> np.ndarray:
        """(E,) sum_i w_i H(pi_i(.|x_i))."""
        joint = self.tree.levels[t].joint
        return sum(self.weight[i] * self.row_entropy[self.layout.rows[i, t]][joint[:, i]] for i in range(self.n))

    def _backward(self) -> None:
        h = self.tree.horizon
        nothing = np.empty(0, dtype=object)  # replaced below, from the last step backwards
        self.U_reward, self.U_entropy, self.V_reward, self.V_entropy = ([nothing] * h for _ in range(4))
        for t in reversed(range(h)):
            level = self.tree.levels[t]
            U_r, U_h = self._converted(level.reward), self._tilt(t)
            if t + 1 < h:
                U_r = U_r + self.gamma * (self.probability[t] * self.V_reward[t + 1][level.successor]).sum(axis=2)
                U_h = U_h + self.gamma * (self.probability[t] * self.V_entropy[t + 1][level.successor]).sum(axis=2)
            shape = (len(level.joint), *level.action_counts)
            self.U_reward[t], self.U_entropy[t] = U_r.reshape(shape), U_h.reshape(shape)
            axes = tuple(range(1, self.n + 1))
            self.V_reward[t] = (self.product(t) * self.U_reward[t]).sum(axis=axes)
            self.V_entropy[t] = (self.product(t) * self.U_entropy[t]).sum(axis=axes) + self.entropy_of_joint(t)

    def _tilt(self, t: int) -> np.ndarray:
        """(E, JA) sum_i w_i log(A_i rho_i): the reference as a reward of the entropy's kind, 0 where it is uniform
        (docs/theory/legal-actions.md#the-reference-as-a-reward)."""
        level = self.tree.levels[t]
        total = self.zeros(*level.reward.shape)
        if level.tilted:
            for i, odds in enumerate(level.odds):
                logs = self.zeros(*odds.shape)
                for where, value in np.ndenumerate(odds):
                    if value != 1:
                        logs[where] = self._logarithm(Fraction(value))
                total = total + self.weight[i] * logs[level.joint[:, i]][:, level.joint_actions[:, i]]
        return total

    def _logarithm(self, value: Fraction) -> Any:
        if self._log is None:
            raise TypeError("KL to a reference needs `log`")
        return self._log(value)

    def tilts(self) -> list[np.ndarray]:
        """Per depth (E, A_1, .., A_n) what the reference pays at that step alone: `U_entropy` of the local bonus."""
        levels = enumerate(self.tree.levels)
        return [self._tilt(t).reshape(len(level.joint), *level.action_counts) for t, level in levels]

    def _forward(self) -> None:
        self.reach = [self._converted(self.tree.initial)]
        for t, level in enumerate(self.tree.levels[:-1]):
            following = self.zeros(len(self.tree.levels[t + 1].joint))
            np.add.at(following, level.successor, self.step(t) * self.reach[t][:, None, None])
            self.reach.append(following)
        self.d = self.zeros(self.layout.number_of_rows)
        for i, t in self.layout.blocks:
            np.add.at(self.d[self.layout.rows[i, t]], self.tree.levels[t].joint[:, i], self.reach[t])

    def step(self, t: int, left_out: tuple[int, ...] = ()) -> np.ndarray:
        """(E, JA, S) probability of joint action and successor, without some agents' policies."""
        level = self.tree.levels[t]
        shape = (len(level.joint), *level.action_counts)
        joint = np.broadcast_to(self.product(t, left_out), shape).reshape(level.reward.shape)
        return joint[:, :, None] * self.probability[t]

    def others_mean(self, t: int, U: np.ndarray, kept: tuple[int, ...]) -> np.ndarray:
        """(E, A_i of the kept agents) mean of U over the actions of all others."""
        axes = tuple(1 + k for k in range(self.n) if k not in kept)
        return (U * self.product(t, kept)).sum(axis=axes) if axes else U

    def weighted(self, U: list[np.ndarray]) -> np.ndarray:
        """(N,) d(x) Q(x, a) for the part whose joint values are U."""
        result = self.zeros(self.layout.size)
        for i, t in self.layout.blocks:
            table = result[self.layout.entries[i, t]].reshape(self.layout.shape[i, t])
            np.add.at(table, self.tree.levels[t].joint[:, i], self.reach[t][:, None] * self.others_mean(t, U[t], (i,)))
        return result

    def cross_terms(self, U: list[np.ndarray], log_weight: Any) -> np.ndarray:
        """(N, N) symmetric C: `v C v` is the sum over ordered pairs of E[g_x g_x' Phi_{>= max}].

        Phi is represented by U; at unequal times also by `-log_weight * w log pi` of the later
        agent (docs/theory/hessian.md#the-second-derivative-formula: the other entropies at that step are functions of
        the past).
        """
        layout, tree = self.layout, self.tree
        C = self.zeros(layout.size, layout.size)
        through: list[tuple[slice, np.ndarray]] = []  # entries, (K A, E): reach via (x, a), per pi(a|x)
        for t, level in enumerate(tree.levels):
            E = len(level.joint)
            discount = self.convert(tree.game.discount**t)
            for j in range(self.n):
                table = self.minus_log[layout.entries[j, t]].reshape(layout.shape[j, t])
                F = self.others_mean(t, U[t], (j,)) + log_weight * self.weight[j] * table[level.joint[:, j]]
                for entries, rho in through:
                    block = self.zeros(rho.shape[0], *layout.shape[j, t])
                    np.add.at(block, (slice(None), level.joint[:, j]), discount * rho[:, :, None] * F[None])
                    C[entries, layout.entries[j, t]] += block.reshape(rho.shape[0], -1)
                for i in range(j):
                    (rows, a), (cols, b) = layout.shape[i, t], layout.shape[j, t]
                    block = self.zeros(rows, cols, a, b)
                    np.add.at(
                        block,
                        (level.joint[:, i], level.joint[:, j]),
                        discount * self.reach[t][:, None, None] * self.others_mean(t, U[t], (i, j)),
                    )
                    block = block.transpose(0, 2, 1, 3).reshape(rows * a, cols * b)
                    C[layout.entries[i, t], layout.entries[j, t]] += block
            if t + 1 < tree.horizon:
                through = self._through_next(t, through, E)
        return C + C.T

    def _through_next(self, t: int, through: list[tuple[slice, np.ndarray]], E: int) -> list[tuple[slice, np.ndarray]]:
        level, layout = self.tree.levels[t], self.layout
        size = len(self.tree.levels[t + 1].joint)
        link = self.zeros(E, size)
        rows = np.arange(E)[:, None, None]
        np.add.at(link, (np.broadcast_to(rows, level.successor.shape), level.successor), self.step(t))
        following = [(entries, rho.dot(link)) for entries, rho in through]
        for i in range(self.n):
            k, a = layout.shape[i, t]
            rho = self.zeros(k * a, size)
            origin = level.joint[:, i][:, None] * a + level.joint_actions[:, i][None, :]
            np.add.at(
                rho,
                (np.broadcast_to(origin[:, :, None], level.successor.shape), level.successor),
                self.step(t, (i,)) * self.reach[t][:, None, None],
            )
            following.append((layout.entries[i, t], rho))
        return following
