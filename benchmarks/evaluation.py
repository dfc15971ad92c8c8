"""What rigour costs: J, gradient and M with proved bounds against the same in plain numpy.

`python benchmarks/evaluation.py` prints medians of one run on Dec-Tiger, horizon 3, clustered and
raw, and exits 1 if a ratio exceeds its limit of 1.3.  Both sides have the
tree's arrays prepared beforehand; both are checked to agree before anything is timed.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from fractions import Fraction

import numpy as np
from scipy import sparse

from certify.bounds import evaluate, hessian, layout_of
from certify.games.builtin import builtin
from certify.games.tree import Tree, unroll

LIMITS = {"J and gradient": 1.3, "M": 1.3}


class Plain:
    """J, gradient and M of a two-agent tree in plain float64, nothing proved.

    docs/theory/objective.md#stationary-policies, docs/theory/hessian.md#the-second-derivative-formula, with the bonus
    folded into the rewards-to-go.  Written with the same care as the rigorous side (means kept from the backward
    pass, `einsum`, places looked up beforehand): the ratio is the price of the proof, not of a slow comparison.
    """

    def __init__(self, tree: Tree, alpha: float) -> None:
        if tree.number_of_agents != 2:
            raise ValueError("the plain evaluation is written for two agents")
        self.alpha, self.gamma = alpha, float(tree.game.discount)
        self.weights = [float(w) for w in tree.game.weights]
        self.levels = tree.levels
        self.rewards = [level.approx_reward for level in tree.levels]
        self.chances = [level.approx_probability for level in tree.levels]
        self.initial = tree.initial.astype(float)
        self.joint = [[np.ascontiguousarray(level.joint[:, i]) for i in range(2)] for level in tree.levels]
        self.rows = [
            [j[:, None] * a + np.arange(a) for j, a in zip(joint, level.action_counts, strict=True)]
            for joint, level in zip(self.joint, tree.levels, strict=True)
        ]
        self.arrivals = [self._arrivals(t) for t in range(len(tree.levels) - 1)]
        self.pairs = [
            rows[0][:, :, None] * (level.classes[1] * level.action_counts[1]) + rows[1][:, None, :]
            for rows, level in zip(self.rows, tree.levels, strict=True)
        ]
        layout = layout_of(tree)
        self.entries, self.size = layout.entries, layout.size
        self.starts, self.row = layout.row_start, layout.row_of_entry

    def _arrivals(self, t: int) -> list[np.ndarray]:
        """Places of the flows from joint histories and from each agent's actions to the next depth."""
        level, size = self.levels[t], len(self.levels[t + 1].joint)
        successor = level.successor.reshape(len(level.joint), *level.action_counts, -1)
        rows = self.rows[t]
        starts = np.arange(len(level.joint))[:, None, None], rows[0][:, :, None], rows[1][:, None, :]
        return [(start[..., None] * size + successor).ravel() for start in starts]

    def recursions(self, policy: list[list[np.ndarray]]):
        """J, rewards-to-go U and their means, policies per joint history, reach, log-policies."""
        horizon, alpha = len(self.levels), self.alpha
        logs = [[np.log(table) for table in tables] for tables in policy]
        bonus = [
            [-alpha * self.weights[i] * np.einsum("xa,xa->x", policy[i][t], logs[i][t]) for t in range(horizon)]
            for i in range(2)
        ]
        U, V, means = [None] * horizon, None, [None] * horizon
        p = [[policy[i][t].take(self.joint[t][i], axis=0) for i in range(2)] for t in range(horizon)]
        for t in reversed(range(horizon)):
            level = self.levels[t]
            to_go = self.rewards[t]
            if t + 1 < horizon:
                to_go = to_go + self.gamma * np.einsum("exs,exs->ex", V.take(level.successor), self.chances[t])
            U[t] = to_go.reshape(-1, *level.action_counts)
            means[t] = [np.einsum("eab,eb->ea", U[t], p[t][1]), np.einsum("eab,ea->eb", U[t], p[t][0])]
            V = np.einsum("ea,ea->e", means[t][0], p[t][0])
            V += bonus[0][t].take(self.joint[t][0])
            V += bonus[1][t].take(self.joint[t][1])
        reach = [self.initial]
        for t, level in enumerate(self.levels[:-1]):
            both = p[t][0][:, :, None] * p[t][1][:, None, :]
            flow = (reach[t][:, None, None] * both).reshape(*level.reward.shape, 1) * self.chances[t]
            reach.append(np.bincount(level.successor.ravel(), flow.ravel(), minlength=len(self.levels[t + 1].joint)))
        return float(self.initial @ V), U, means, p, reach, logs

    def gradient(self, policy: list[list[np.ndarray]]) -> tuple[float, np.ndarray]:
        """J and its gradient in policy coordinates, one entry per (class, action)."""
        value, _, means, _, reach, logs = self.recursions(policy)
        result = np.empty(self.size)
        for i in range(2):
            for t, level in enumerate(self.levels):
                k, a = level.classes[i], level.action_counts[i]
                mean = means[t][i] * reach[t][:, None]
                weighted = np.bincount(self.rows[t][i].ravel(), mean.ravel(), minlength=k * a).reshape(k, a)
                d = np.bincount(self.joint[t][i], reach[t], minlength=k)
                advantage = weighted - self.alpha * self.weights[i] * d[:, None] * logs[i][t]
                pi = policy[i][t]
                advantage = advantage - np.einsum("xa,xa->x", pi, advantage)[:, None]
                result[self.entries[i, t]] = (self.gamma**t * pi * advantage).ravel()
        return value, result

    def metric(self, policy: list[list[np.ndarray]]) -> np.ndarray:
        """M, projected on the tangent space."""
        _, U, means, p, reach, logs = self.recursions(policy)
        C, scale = np.zeros((self.size, self.size)), np.empty(self.size)
        above: list[tuple[slice, np.ndarray]] = []
        for t, level in enumerate(self.levels):
            a = level.action_counts
            for j in range(2):
                F = means[t][j] - self.alpha * self.weights[j] * logs[j][t][self.joint[t][j]]
                if above:
                    block = self.gamma**t * (above[0][1] @ self._table(t, j, F))
                    C[np.ix_(above[0][0], np.arange(*self.entries[j, t].indices(self.size)))] = block
                d = np.bincount(self.joint[t][j], reach[t], minlength=level.classes[j])
                pi = policy[j][t]
                scale[self.entries[j, t]] = np.sqrt(pi / (self.weights[j] * self.gamma**t * d[:, None])).ravel()
            shape = level.classes[0] * a[0], level.classes[1] * a[1]
            C[self.entries[0, t], self.entries[1, t]] = self.gamma**t * np.bincount(
                self.pairs[t].ravel(), (reach[t][:, None, None] * U[t]).ravel(), minlength=shape[0] * shape[1]
            ).reshape(shape)
            if t + 1 < len(self.levels):
                above = [self._below(t, above, p, reach)]
        C = C + C.T
        pi = np.concatenate([table.ravel() for tables in policy for table in tables])
        ends = np.append(self.starts, self.size)
        average = sparse.csr_array((pi, np.arange(self.size), ends), shape=(len(self.starts), self.size))
        mean = average @ C
        both = average @ mean.T
        mean = mean[self.row]
        return (C - mean - mean.T + both[self.row][:, self.row]) * np.multiply.outer(scale, scale)

    def _table(self, t: int, j: int, F: np.ndarray):
        E, width = len(F), self.levels[t].classes[j] * F.shape[1]
        if E * width > 25_000:  # mostly zeros: a sparse product is faster
            return sparse.csr_array(
                (F.ravel(), self.rows[t][j].ravel(), np.arange(E + 1) * F.shape[1]), shape=(E, width)
            )
        table = np.zeros((E, width))
        np.put_along_axis(table, self.rows[t][j], F, axis=1)
        return table

    def _below(self, t: int, above, p, reach):
        level, size = self.levels[t], len(self.levels[t + 1].joint)
        E, a = len(level.joint), level.action_counts
        step = self.chances[t].reshape(E, *a, -1)
        both = p[t][0][:, :, None] * p[t][1][:, None, :]
        link = np.bincount(self.arrivals[t][0], (both[..., None] * step).ravel(), minlength=E * size).reshape(E, size)
        parts = [above[0][1] @ link] if above else []
        indices = [above[0][0]] if above else []
        for i in range(2):
            other = p[t][1][:, None, :, None] if i == 0 else p[t][0][:, :, None, None]
            height = level.classes[i] * a[i]
            weight = (reach[t][:, None, None, None] * other * step).ravel()
            parts.append(np.bincount(self.arrivals[t][1 + i], weight, minlength=height * size).reshape(height, size))
            indices.append(np.arange(*self.entries[i, t].indices(self.size)))
        return np.concatenate(indices), np.concatenate(parts)


def medians(runs: int, *functions: Callable[[], object]) -> list[float]:
    """Median seconds of each function, their runs interleaved."""
    seconds: list[list[float]] = [[] for _ in functions]
    for _ in range(runs):
        for k, function in enumerate(functions):
            start = time.perf_counter()
            function()
            seconds[k].append(time.perf_counter() - start)
    return [float(np.median(s)) for s in seconds]


def measure(cluster: bool, runs: int, horizon: int = 3) -> dict[str, dict[str, float]]:
    """Medians and ratios on one tree, after checking that both sides agree."""
    tree = unroll(builtin("dectiger", horizon=horizon), cluster=cluster)
    alpha, rng = Fraction(20), np.random.default_rng(0)
    policy = [[rng.dirichlet(np.full(t.shape[1], 4.0), len(t)) for t in tables] for tables in tree.uniform()]
    plain = Plain(tree, float(alpha))
    value, gradient = plain.gradient(policy)
    ours, form = evaluate(tree, policy, alpha), hessian(tree, policy, alpha)
    metric = form.metric
    assert np.isclose(value, ours.value.lower, rtol=1e-9)
    assert np.allclose(gradient, ours.gradient.lower, atol=1e-9)
    assert np.allclose(plain.metric(policy), metric.lower, atol=1e-6)
    first = medians(runs, lambda: plain.gradient(policy), lambda: evaluate(tree, policy, alpha))
    second = medians(runs, lambda: plain.metric(policy), lambda: hessian(tree, policy, alpha).metric)
    return {
        name: {"plain": a, "rigorous": b, "ratio": b / a, "widest": float(width)}
        for name, (a, b), width in (
            ("J and gradient", first, ours.gradient.width.max()),
            ("M", second, metric.width.max()),
        )
    }


def main() -> int:
    """Time both evaluators on the same policies and print the ratio as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=200, help="timed runs of each side")
    parser.add_argument("--horizon", type=int, default=3, help="horizon of Dec-Tiger")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    table = {kind: measure(kind == "clustered", options.runs, options.horizon) for kind in ("clustered", "raw")}
    if options.json:
        print(json.dumps(table))
    else:
        name = f"dectiger h={options.horizon}"
        print(f"{name:12} {'quantity':15} {'plain':>10} {'rigorous':>10} {'ratio':>6} {'limit':>6} {'widest':>9}")
        for kind, rows in table.items():
            for name, row in rows.items():
                print(
                    f"{kind:12} {name:15} {1e3 * row['plain']:8.3f}ms {1e3 * row['rigorous']:8.3f}ms "
                    f"{row['ratio']:6.2f} {LIMITS[name]:6.1f} {row['widest']:9.1e}"
                )
    return int(any(row["ratio"] > LIMITS[name] for rows in table.values() for name, row in rows.items()))


if __name__ == "__main__":
    sys.exit(main())
