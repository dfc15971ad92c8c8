"""A second implementation for windows: complete histories, exact recursions in floats, n agents, every objective.
A policy's row has a 0 at what is illegal.

It shares nothing with `certify.thresholds.windows` but the numbering of windows.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from certify.games.model import FIRST, Game
from certify.thresholds.windows.tables import Tables

History = tuple[Any, ...]


class Oracle:
    """All joint histories of a small game, as dictionaries."""

    def __init__(self, game: Game) -> None:
        self.game, self.n, self.h = game, game.number_of_agents, game.horizon
        self.gamma, self.w = float(game.discount), [float(x) for x in game.weights]
        self.levels: list[dict[tuple[History, ...], np.ndarray]] = [{}]
        size = len(game.states)
        for s, o, p in game.start:
            seen = o or (0,) * self.n
            key = tuple((x,) for x in seen)
            self.levels[0].setdefault(key, np.zeros(size))[s] += float(p)
        self.moves = [list(game.joint_actions_at(t)) for t in range(self.h)]
        self.pays = [w if game.flows_back else 0.0 for w in self.w]
        self.children: list[dict] = []
        for t in range(self.h - 1):
            new: dict[tuple[History, ...], np.ndarray] = {}
            links: dict = {}
            for key, weight in self.levels[t].items():
                for a in self.legal(key):
                    after: dict[tuple[int, ...], np.ndarray] = {}
                    for s in np.flatnonzero(weight):
                        for s2, p in game.transition[s, a]:
                            for seen, q in game.emission[a, s2]:
                                after.setdefault(seen, np.zeros(size))[s2] += weight[s] * float(p * q)
                    for seen, vector in after.items():
                        child = tuple((*key[i], a[i], seen[i]) for i in range(self.n))
                        new[child] = vector
                        links.setdefault((key, a), []).append((child, vector.sum() / weight.sum()))
            self.levels.append(new)
            self.children.append(links)
        self.reward = [
            {
                (key, a): sum(weight[s] * float(game.reward.get((s, a), 0)) for s in range(size)) / weight.sum()
                for key, weight in level.items()
                for a in self.legal(key)
            }
            for t, level in enumerate(self.levels)
        ]
        self.own = [[sorted({key[i] for key in level}) for level in self.levels] for i in range(self.n)]
        self.actions = [[list(game.actions_at(i, t)) for t in range(self.h)] for i in range(self.n)]

    def reference(self, i: int, x: History) -> dict[int, float]:
        """{legal action: probability} at an own history."""
        last = x[-1] if len(x) > 1 or self.game.start[0][1] else FIRST
        return {a: float(p) for a, p in self.game.reference_row(i, len(x) // 2, last)}

    def legal(self, key: tuple[History, ...]) -> list[tuple[int, ...]]:
        """Legal joint actions at a joint history."""
        return list(itertools.product(*(self.reference(i, x) for i, x in enumerate(key))))

    def shares(self, i: int, x: History) -> np.ndarray:
        """The reference of the actions of the step, 0 where illegal."""
        row = self.reference(i, x)
        return np.array([row.get(a, 0.0) for a in self.actions[i][len(x) // 2]])

    def tilt(self, i: int, x: History, a: int) -> float:
        """What the reference pays for an action: with the entropy that is -KL, less the log of their number."""
        return self.pays[i] * float(np.log(self.reference(i, x)[a] * len(self.actions[i][len(x) // 2])))

    def random(self, rng: np.random.Generator) -> dict:
        """A random policy: {(agent, history): distribution}."""
        return {
            (i, x): self._drawn(rng, self.shares(i, x) > 0)
            for i in range(self.n)
            for t in range(self.h)
            for x in self.own[i][t]
        }

    @staticmethod
    def _drawn(rng: np.random.Generator, legal: np.ndarray) -> np.ndarray:
        p = np.zeros(len(legal))
        p[legal] = rng.dirichlet(np.full(legal.sum(), 0.5)) + 1e-9
        return p

    def joint(self, policy: dict, t: int, key: tuple, skip: tuple[int, ...] = ()) -> list[float]:
        """Probabilities of the joint actions at a joint history, without the factors of `skip`."""
        places = [{a: k for k, a in enumerate(self.actions[i][t])} for i in range(self.n)]
        return [
            float(np.prod([policy[i, key[i]][places[i][a[i]]] for i in range(self.n) if i not in skip]))
            for a in self.moves[t]
        ]

    def values(self, policy: dict, beta: float) -> list[dict]:
        """U per step: {(joint history, joint action): value}."""
        later: dict = {}
        result: list[dict] = []
        for t in reversed(range(self.h)):
            u = {}
            for key in self.levels[t]:
                for a in self.legal(key):
                    u[key, a] = beta * self.reward[t][key, a] + sum(self.tilt(i, key[i], a[i]) for i in range(self.n))
                    if t < self.h - 1:
                        u[key, a] += self.gamma * sum(p * later[c] for c, p in self.children[t].get((key, a), []))
            later = {}
            for key in self.levels[t]:
                chances = self.joint(policy, t, key)
                later[key] = sum(c * u.get((key, a), 0.0) for c, a in zip(chances, self.moves[t], strict=True))
                rows = [policy[i, x][policy[i, x] > 0] for i, x in enumerate(key)]
                later[key] -= sum(w * float((p * np.log(p)).sum()) for w, p in zip(self.pays, rows, strict=True))
            result.insert(0, u)
        return result

    def reach(self, policy: dict) -> list[dict]:
        """Per step the probability of every joint history."""
        found = [{key: float(weight.sum()) for key, weight in self.levels[0].items()}]
        for t in range(self.h - 1):
            new: dict = {}
            for key, r in found[t].items():
                for c, a in zip(self.joint(policy, t, key), self.moves[t], strict=True):
                    for child, p in self.children[t].get((key, a), []):
                        new[child] = new.get(child, 0.0) + r * c * p
            found.append(new)
        return found

    def action_values(self, policy: dict, beta: float) -> tuple[dict, dict]:
        """Q(x, .) and d(x) for every own history."""
        u, reach = self.values(policy, beta), self.reach(policy)
        total: dict = {}
        weight: dict = {}
        for t in range(self.h):
            for key, r in reach[t].items():
                for i in range(self.n):
                    chances = self.joint(policy, t, key, (i,))
                    row = np.zeros(len(self.actions[i][t]))
                    place = {a: k for k, a in enumerate(self.actions[i][t])}
                    for c, a in zip(chances, self.moves[t], strict=True):
                        row[place[a[i]]] += c * u[t].get((key, a), 0.0)
                    total[i, key[i]] = total.get((i, key[i]), 0) + r * row
                    weight[i, key[i]] = weight.get((i, key[i]), 0.0) + r
        return {x: row / weight[x] for x, row in total.items()}, weight

    def stationary(self, beta: float, rng: np.random.Generator, starts: int) -> list[dict]:
        """Different stationary policies that damped iteration finds."""
        found: list[dict] = []
        for _ in range(starts):
            policy = self.random(rng)
            for _ in range(400):
                q, _ = self.action_values(policy, beta)
                worst = 0.0
                for x, row in q.items():
                    legal = policy[x] > 0
                    z = 0.5 * np.log(np.where(legal, policy[x], 1)) + 0.5 * row / self.w[x[0]]
                    p = np.where(legal, np.exp(z - z[legal].max()), 0)
                    p = np.where(legal, np.maximum(p / p.sum(), 1e-14), 0)
                    worst, policy[x] = max(worst, float(np.abs(p - policy[x]).max())), p
                if worst < 1e-11:
                    break
            else:
                continue
            if all(max(float(np.abs(policy[x] - other[x]).max()) for x in policy) > 1e-4 for other in found):
                found.append(policy)
        return found

    def window(self, tables: Tables, i: int, t: int, x: History) -> tuple[int, ...]:
        """The window of an own history."""
        w: tuple[int, ...] = tables.extended(0, (), x[0])
        for u in range(1, t + 1):
            w = tables.extended(u, w, tables.symbols[i][x[2 * u - 1]][x[2 * u]])
        return w

    def outside(self, policy: dict, found: Any) -> float:
        """How far a policy lies outside the boxes."""
        worst = 0.0
        for i in range(self.n):
            for t in range(self.h):
                box, windows = found.boxes[t + 1][i], found.tables.levels[t + 1].windows[i]
                for x in self.own[i][t]:
                    w = windows.index(self.window(found.tables, i, t, x))
                    p = policy[i, x]
                    worst = max(worst, float((box.low[w] - p).max()), float((p - box.high[w]).max()))
        return worst

    def largest_eigenvalue(self, policy: dict, beta: float) -> float:
        """lambda_max of M / alpha at a stationary policy, by differences of the gradient in logits: under the local
        bonus of the symmetric part of the field's derivative, which is less the form of its closing rule.

        In logits the Hessian of beta J at a stationary policy is S (-D + M) S with S = diag pi - pi pi^T; the quotient
        with the entropy's part is what is asked for.
        """
        rows = [(i, x) for i in range(self.n) for t in range(self.h) for x in self.own[i][t]]
        steps = {(i, x): (len(x) - 1) // 2 for i, x in rows}
        legal = {x: np.flatnonzero(policy[x]) for x in rows}
        index = [(x, k) for x in rows for k in legal[x][:-1]]

        def moved(shift: np.ndarray) -> dict:
            new = dict(policy)
            for (x, k), d in zip(index, shift, strict=True):
                if d:
                    p = new[x].copy()
                    p[k] += d
                    p[legal[x][-1]] -= d
                    new[x] = p
            return new

        def gradient(p: dict) -> np.ndarray:
            q, d = self.action_values(p, beta)
            logs = {x: np.log(np.where(p[x] > 0, p[x], 1)) for x in rows}
            g = {x: self.gamma ** steps[x] * d[x] * (q[x] - self.w[x[0]] * logs[x]) for x in rows}
            return np.array([g[x][k] - g[x][legal[x][-1]] for x, k in index])

        _, d = self.action_values(policy, beta)
        size = len(index)
        hessian = np.zeros((size, size))
        for c, (x, k) in enumerate(index):
            eps = 1e-4 * min(policy[x][k], policy[x][legal[x][-1]])
            shift = np.zeros(size)
            shift[c] = eps
            hessian[c] = (gradient(moved(shift)) - gradient(moved(-shift))) / (2 * eps)
        metric = np.zeros((size, size))
        for (c, (x, k)), (e, (y, m)) in itertools.product(enumerate(index), enumerate(index)):
            if x == y:
                scale = self.w[x[0]] * self.gamma ** steps[x] * d[x]
                metric[c, e] = scale * ((k == m) / policy[x][k] + 1 / policy[x][legal[x][-1]])
        root = np.linalg.inv(np.linalg.cholesky(metric))
        return float(np.linalg.eigvalsh(root @ ((hessian + hessian.T) / 2) @ root.T)[-1]) + 1

    def check_constants(self, policy: dict, beta: float, finisher: Any) -> None:
        """The squares f^2 and the same-time shares against what they bound, at a stationary policy."""
        u, reach = self.values(policy, beta), self.reach(policy)
        tables = finisher.tables
        for t in range(self.h):
            for i in range(self.n):
                windows = tables.levels[t + 1].windows[i]
                squares = finisher.squares.get((t + 1, i))
                means = finisher.means.get((t + 1, i))
                if means is not None:
                    q, _ = self.action_values(policy, beta)
                    for x in self.own[i][t]:
                        p, row = policy[i, x], q[i, x]
                        bound = means[windows.index(self.window(tables, i, t, x))]
                        assert (p @ row**2 - (p @ row) ** 2) / 4 <= bound + 1e-7
                if squares is not None:
                    for t1 in range(t):
                        bound = squares[min(t - t1, len(squares)) - 1]
                        for x, exact in self._variances(policy, u[t], reach[t], i, t, t1).items():
                            assert exact <= bound[windows.index(self.window(tables, i, t, x))] + 1e-7

    def _variances(self, policy: dict, u: dict, reach: dict, i: int, t: int, t1: int) -> dict:
        """{x: largest eigenvalue of Cov(E[q | x, what the others have done up to t1]) in the metric of v}."""
        place = {a: k for k, a in enumerate(self.actions[i][t])}
        sums: dict = {}
        for key, r in reach.items():
            row = np.zeros(len(place))
            for c, a in zip(self.joint(policy, t, key, (i,)), self.moves[t], strict=True):
                row[place[a[i]]] += c * u.get((key, a), 0.0)
            known = tuple(key[j][: 2 * t1 + 2] for j in range(self.n) if j != i)
            weight, total = sums.setdefault(key[i], {}).get(known, (0.0, 0.0))
            sums[key[i]][known] = (weight + r, total + r * row)
        result = {}
        for x, parts in sums.items():
            p = policy[i, x]
            weights = np.array([w for w, _ in parts.values()])
            means = np.array([total / w for w, total in parts.values()])
            weights = weights / weights.sum()
            centred = means - weights @ means
            centred = centred - (centred @ p)[:, None]
            covariance = (centred * weights[:, None]).T @ centred
            root = np.sqrt(p)
            result[x] = float(np.linalg.eigvalsh(root[:, None] * covariance * root[None])[-1])
        return result

    @staticmethod
    def window_policies(tables: Tables, beta: float, rng: np.random.Generator, starts: int = 4) -> int:
        """How many different policies that depend on windows alone damped iteration of node values finds."""
        found: list[np.ndarray] = []
        for _ in range(starts):
            policy = [
                [np.array([Oracle._drawn(rng, row) for row in level.legal[i]]) for i in range(tables.n)]
                for level in tables.levels
            ]
            for _ in range(300):
                worst = Oracle._improve(tables, policy, beta)
                if worst < 1e-10:
                    break
            point = np.concatenate(
                [
                    policy[u][i][: len(tables.levels[u].sides[i].windows)].ravel()
                    for u in range(1, tables.horizon + 1)
                    for i in range(tables.n)
                ]
            )
            if worst < 1e-6 and all(np.abs(point - other).max() > 1e-4 for other in found):
                found.append(point)
        return len(found)

    @staticmethod
    def _improve(tables: Tables, policy: list, beta: float) -> float:
        """One damped step of all policies of windows towards the softmax of their own values."""
        weights: list[np.ndarray] = [np.ones(1)]
        chances = []
        for u, level in enumerate(tables.levels):
            joint = np.ones((len(level.nodes), 1))
            for i in range(tables.n):
                p = policy[u][i][level.node_windows[i]]
                joint = (joint[:, :, None] * p[:, None, :]).reshape(len(p), -1)
            chances.append(joint)
            if level.follow is not None:
                new = np.zeros(len(tables.levels[u + 1].nodes))
                np.add.at(new, level.follow.target, weights[u][:, None, None] * joint[:, :, None] * level.follow.chance)
                weights.append(new)
        later, worst = None, 0.0
        for u in range(tables.horizon, 0, -1):
            level = tables.levels[u]
            value = beta * level.reward + level.tilt
            if later is not None and level.follow is not None:
                value = value + tables.gamma * (level.follow.chance * later[level.follow.target]).sum(-1)
            entropy = np.zeros(len(level.nodes))
            for i in range(tables.n):
                p, index = policy[u][i], level.node_windows[i]
                own = np.moveaxis((chances[u] * value).reshape(-1, *level.shape), 1 + i, 1)
                legal = level.legal[i]
                own = own.reshape(len(index), level.shape[i], -1).sum(-1) / np.where(legal, p, 1)[index]
                total, mass = np.zeros(p.shape), np.zeros(len(p))
                np.add.at(total, index, weights[u][:, None] * own)
                np.add.at(mass, index, weights[u])
                used = mass > 0
                z = (
                    0.5 * np.log(np.where(legal, p, 1))
                    + 0.5 * total / np.where(used, mass, 1)[:, None] / tables.weights[i]
                )
                new = np.where(legal, np.exp(z - z.max(1, keepdims=True)), 0)
                new = np.where(used[:, None], np.where(legal, np.maximum(new / new.sum(1, keepdims=True), 1e-14), 0), p)
                worst = max(worst, float(np.abs(new - p)[used].max()))
                entropy -= tables.pays[i] * (p * np.log(np.where(legal, p, 1))).sum(1)[index]
                policy[u][i] = new
            later = (chances[u] * value).sum(1) + entropy
        return worst
