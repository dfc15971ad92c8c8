"""The stationarity equations of many policies at once, in floats (docs/theory/objective.md#stationary-policies).

With z_{x,a} = log pi(a|x) / pi(last|x) a policy is stationary exactly if
G(z, beta) = z - (beta (Q^R(x,a) - Q^R(x,last)) + Q^H(x,a) - Q^H(x,last)) / w_i = 0.
Approximate throughout: it steers searches, proofs are made elsewhere.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array

from certify.bounds.policy import layout_of
from certify.games.tree import Tree
from certify.memory import NO_BOUND, Memory, pieces

_STEP = 1e-30  # of the complex step: derivatives without cancellation
_PASSING = 8  # arrays over the joint actions of a depth, at the peak
_LARGEST_DENSE = 64  # entries; larger products wake BLAS's threads, which wait for each other on a busy machine


class ApproxEquations:
    """G for B policies at once: columns z[:, b] (N, B) of log-ratios, N = entries less rows.

    Attributes
    ----------
    size : N.  entry : (N,) entry of the flat policy that each log-ratio belongs to.
    scale : (N,) w_i of each log-ratio.  row : (N,) its row in the layout.
    """

    def __init__(self, tree: Tree, memory: Memory = NO_BOUND) -> None:
        self.memory = memory
        self.tree, self.layout = tree, layout_of(tree)
        layout = self.layout
        last = np.append(layout.row_start[1:], layout.size) - 1
        self.entry = np.setdiff1d(np.arange(layout.size), last)
        self.size = len(self.entry)
        self.row = layout.row_of_entry[self.entry]
        self.last = last[self.row]
        self.scale = layout.weight[self.entry].astype(np.float64)
        self.weights = [float(w) for w in tree.game.weights]
        self.passed = [w if tree.game.flows_back else 0.0 for w in self.weights]  # what later entropies count earlier
        self.gamma = float(tree.game.discount)
        self.initial = tree.initial.astype(np.float64)
        self._link = [self._transition(t) for t in range(tree.horizon - 1)]
        self._gather = {(i, t): self._classes(i, t) for i, t in layout.blocks}

    def _transition(self, t: int) -> csr_array | np.ndarray:
        """(E JA, E') chance of each successor."""
        level = self.tree.levels[t]
        rows = np.repeat(np.arange(level.reward.size), level.successor.shape[2])
        shape = (level.reward.size, len(self.tree.levels[t + 1].joint))
        return _matrix(level.approx_probability.ravel(), rows, level.successor.ravel(), shape)

    def _classes(self, i: int, t: int) -> csr_array | np.ndarray:
        """(K_i, E) which joint classes contain a class."""
        joint = self.tree.levels[t].joint[:, i]
        return _matrix(np.ones(len(joint)), joint, np.arange(len(joint)), (self.tree.levels[t].classes[i], len(joint)))

    def policy(self, z: np.ndarray) -> np.ndarray:
        """(entries, B) probabilities."""
        return np.exp(self.log_policy(z))

    def log_policy(self, z: np.ndarray) -> np.ndarray:
        """(entries, B) log-probabilities."""
        logits = np.zeros((self.layout.size, z.shape[1]), dtype=z.dtype)
        logits[self.entry] = z
        top = np.maximum.reduceat(logits.real, self.layout.row_start, axis=0)[self.layout.row_of_entry]
        logits = logits - top
        mass = np.add.reduceat(np.exp(logits), self.layout.row_start, axis=0)
        return logits - np.log(mass)[self.layout.row_of_entry]

    def nested(self, z: np.ndarray) -> list[list[np.ndarray]]:
        """The policy of one column z (N,) as `policy[i][t]`."""
        return self.layout.nested(self.policy(z[:, None])[:, 0])

    def ratios(self, policy: np.ndarray) -> np.ndarray:
        """z of a flat policy (entries, B) with positive entries."""
        logs = np.log(policy)
        return logs[self.entry] - logs[self.last]

    def advantage(self, z: np.ndarray, beta: float | np.ndarray) -> np.ndarray:
        """(N, B) what z equals at a stationary policy: differences of beta Q^R + Q^H over w_i."""
        found = np.empty(z.shape, dtype=np.result_type(z, beta))
        largest = max(float(level.reward.size) for level in self.tree.levels)
        # never one column beside others: sums over a single column run in another order
        each, room = 2 * _PASSING * z.itemsize * largest, self.memory.free()
        for pair in pieces(max(1, z.shape[1] // 2), each, room):
            last = pair.stop * 2 if pair.stop < z.shape[1] // 2 else z.shape[1]
            part = slice(2 * pair.start, last)
            logs = self.log_policy(z[:, part])
            q = self._q(np.exp(logs), logs, beta[part] if isinstance(beta, np.ndarray) else beta)
            found[:, part] = (q[self.entry] - q[self.last]) / self.scale[:, None]
        return found

    def residual(self, z: np.ndarray, beta: float | np.ndarray) -> np.ndarray:
        """(N, B) G(z, beta)."""
        return z - self.advantage(z, beta)

    def linearised(self, z: np.ndarray, beta: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """At one column z (N,): G (N,), DG (N, N) and dG/dbeta (N,)."""
        probe = np.repeat(z[:, None], self.size + 1, axis=1).astype(np.complex128)
        probe[np.arange(self.size), np.arange(self.size)] += 1j * _STEP
        betas = np.full(self.size + 1, beta, dtype=np.complex128)
        betas[-1] += 1j * _STEP
        value = self.residual(probe, betas)
        slope = value.imag / _STEP
        return value[:, 0].real, slope[:, :-1], slope[:, -1]

    def logit_gradient(self, theta: np.ndarray, beta: float, discount: np.ndarray) -> np.ndarray:
        """(entries, B) d(beta J)/dtheta at logits theta (entries, B); `discount` (rows, 1) is gamma^t of each row."""
        layout = self.layout
        logs = self.log_policy(theta[self.entry] - theta[self.last])
        policy = np.exp(logs)
        reach, d = self._forward(self._factors(policy)), np.empty((layout.number_of_rows, theta.shape[1]), theta.dtype)
        for i, t in layout.blocks:
            d[layout.rows[i, t]] = self._gather[i, t] @ reach[t]
        advantage = self._q(policy, logs, beta) - layout.weight.astype(np.float64)[:, None] * logs
        advantage = advantage - np.add.reduceat(policy * advantage, layout.row_start, axis=0)[layout.row_of_entry]
        gradient: np.ndarray = (discount * d)[layout.row_of_entry] * policy * advantage
        return gradient

    def reach(self, z: np.ndarray) -> np.ndarray:
        """(N,) d(x) of the row of each log-ratio, at one column z (N,)."""
        factors = self._factors(self.policy(z[:, None]))
        reach, d = self._forward(factors), np.empty(self.layout.number_of_rows)
        for i, t in self.layout.blocks:
            d[self.layout.rows[i, t]] = (self._gather[i, t] @ reach[t])[:, 0]
        return d[self.row]

    def _factors(self, policy: np.ndarray) -> list[list[np.ndarray]]:
        """Per depth and agent (E, 1, .., A_i, .., 1, B)."""
        n, width = self.tree.number_of_agents, policy.shape[1]
        result = []
        for t, level in enumerate(self.tree.levels):
            tables = [policy[self.layout.entries[i, t]].reshape(*self.layout.shape[i, t], width) for i in range(n)]
            result.append(
                [
                    table[level.joint[:, i]].reshape(len(level.joint), *(-1 if k == i else 1 for k in range(n)), width)
                    for i, table in enumerate(tables)
                ]
            )
        return result

    def _forward(self, factors: list[list[np.ndarray]]) -> list[np.ndarray]:
        width = factors[0][0].shape[-1]
        reach = [np.repeat(self.initial[:, None], width, axis=1)]
        for t, link in enumerate(self._link):
            joint = _product(factors[t], ()).reshape(len(reach[t]), -1, width)
            reach.append(link.T @ (reach[t][:, None, :] * joint).reshape(-1, width))
        return reach

    def _q(self, policy: np.ndarray, logs: np.ndarray, beta: float | np.ndarray) -> np.ndarray:
        """(entries, B) beta Q^R + Q^H, entropies of later steps included."""
        n, width, layout = self.tree.number_of_agents, policy.shape[1], self.layout
        factors = self._factors(policy)
        reach = self._forward(factors)
        entropy = -np.add.reduceat(policy * logs, layout.row_start, axis=0)
        q = np.empty_like(policy)
        after = None
        for t in reversed(range(self.tree.horizon)):
            level = self.tree.levels[t]
            u = level.approx_reward.ravel()[:, None] * beta + self.tree.approx_tilt[t].ravel()[:, None]
            if after is not None:
                u = u + self.gamma * (self._link[t] @ after)
            u = np.broadcast_to(u, (u.shape[0], width)).reshape(len(level.joint), *level.action_counts, width)
            for i in range(n):
                others = _product(factors[t], (i,))
                axes = tuple(1 + k for k in range(n) if k != i)
                mean = (u if others is None else u * others).sum(axis=axes)
                gather = self._gather[i, t]
                total = gather @ reach[t]
                k, a = layout.shape[i, t]
                weighted = gather @ (reach[t][:, None, :] * mean).reshape(len(level.joint), -1)
                q[layout.entries[i, t]] = (weighted.reshape(k, a, width) / total[:, None, :]).reshape(k * a, width)
            if not self.tree.game.flows_back:
                u = u - self.tree.approx_tilt[t].reshape(*u.shape[:-1], 1)
            after = (u * _product(factors[t], ())).sum(axis=tuple(range(1, n + 1)))
            for i in range(n):
                after = after + self.passed[i] * entropy[layout.rows[i, t]][level.joint[:, i]]
        return q

    def value(self, z: np.ndarray, beta: float) -> np.ndarray:
        """(B,) beta J_alpha: a number that symmetric images share."""
        logs = self.log_policy(z)
        policy = np.exp(logs)
        factors = self._factors(policy)
        reach = self._forward(factors)
        entropy = -np.add.reduceat(policy * logs, self.layout.row_start, axis=0)
        total = np.zeros(z.shape[1])
        for t, level in enumerate(self.tree.levels):
            shape = (len(level.joint), *level.action_counts, 1)
            paid = beta * level.approx_reward + self.tree.approx_tilt[t]
            reward = (paid.reshape(shape) * _product(factors[t], ())).sum(axis=tuple(range(1, len(shape) - 1)))
            for i, w in enumerate(self.weights):
                reward = reward + w * entropy[self.layout.rows[i, t]][level.joint[:, i]]
            total += self.gamma**t * (reach[t] * reward).sum(axis=0)
        return total


def _matrix(
    values: np.ndarray, rows: np.ndarray, columns: np.ndarray, shape: tuple[int, int]
) -> csr_array | np.ndarray:
    """Entries added up; dense where that is quicker to multiply with."""
    matrix = csr_array((values, (rows, columns)), shape=shape)
    return matrix.toarray() if shape[0] * shape[1] <= _LARGEST_DENSE else matrix


def _product(factors: list[np.ndarray], left_out: tuple[int, ...]) -> np.ndarray | None:
    result = None
    for k, factor in enumerate(factors):
        if k not in left_out:
            result = factor if result is None else result * factor
    return result
