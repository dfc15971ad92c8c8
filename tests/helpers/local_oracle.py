"""The map pi -> softmax(Q^R / (alpha w)) of the local bonus by plain recursion over joint histories: written anew, with
legal sets as they are, no names, no tables.  And the plain flow's field with its derivative, in floats."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from certify.games import Game
from certify.games.model import FIRST
from certify.games.tree import Tree
from certify.stationary.approx_equations import ApproxEquations

History = tuple[tuple[int | None, int], ...]
Table = dict[tuple[int, History], dict[int, float]]


def legal(game: Game, i: int, x: History) -> tuple[int, ...]:
    depth = sum(a is not None for a, _ in x)
    return game.legal(i, depth, x[-1][1] if x else FIRST)


def local_map(game: Game, policy: Table, alpha: float) -> Table:
    """The image of a policy; rows that `policy` lacks are uniform."""
    gamma = float(game.discount)
    total: dict[Any, float] = {}
    mass: dict[Any, float] = {}

    def row(i: int, x: History) -> dict[int, float]:
        allowed = legal(game, i, x)
        return policy.setdefault((i, x), dict.fromkeys(allowed, 1 / len(allowed)))

    def value(t: int, s: int, x: tuple[History, ...], reach: float) -> float:
        if t == game.horizon:
            return 0.0
        rows = [row(i, own) for i, own in enumerate(x)]
        for i, own in enumerate(x):
            mass[i, own] = mass.get((i, own), 0.0) + reach
        answer = 0.0
        for move in itertools.product(*rows):
            chance = float(np.prod([rows[i][a] for i, a in enumerate(move)]))
            q = float(game.reward.get((s, move), 0))
            for s2, p in game.transition[s, move] if t + 1 < game.horizon else ():
                for o, r in game.emission[move, s2]:
                    part = float(p) * float(r)
                    there = tuple((*own, (move[i], o[i])) for i, own in enumerate(x))
                    q += gamma * part * value(t + 1, s2, there, reach * chance * part)
            for i, own in enumerate(x):
                total[i, own, move[i]] = total.get((i, own, move[i]), 0.0) + reach * chance / rows[i][move[i]] * q
            answer += chance * q
        return answer

    for s, o, p in game.start:
        value(0, s, tuple(((None, k),) for k in o) if o else ((),) * len(game.agents), float(p))
    image: Table = {}
    for i, x in mass:
        logits = {a: total[i, x, a] / mass[i, x] / alpha / float(game.weights[i]) for a in policy[i, x]}
        weights = {a: np.exp(z - max(logits.values())) for a, z in logits.items()}
        image[i, x] = {a: w / sum(weights.values()) for a, w in weights.items()}
    return image


def local_fixed_point(game: Game, alpha: float, rounds: int = 60) -> Table:
    """What iterating the map ends in, from the uniform policy."""
    policy: Table = {}
    for _ in range(rounds):
        policy = local_map(game, policy, alpha)
    return policy


class PlainFlow:
    """theta' = gamma^t d S (Q^R - kappa log pi) on a tree whose actions are all legal."""

    def __init__(self, tree: Tree, alpha: float) -> None:
        self.eq, self.alpha = ApproxEquations(tree), alpha
        lay = self.eq.layout
        self.row, self.rows = lay.row_of_entry, lay.number_of_rows
        self.kappa = alpha * lay.weight.astype(np.float64)
        self.factor = lay.discount.astype(np.float64)

    def field(self, theta: np.ndarray) -> np.ndarray:
        """(entries,) for logits (entries,), real or complex."""
        eq = self.eq
        z = theta[eq.entry] - theta[eq.last]
        logs = eq.log_policy(z[:, None].astype(complex))
        pi = np.exp(logs)[:, 0]
        q = eq._q(np.exp(logs), logs, 1.0)[:, 0]  # of the local bonus: rewards alone
        f = q - self.kappa * logs[:, 0]
        reach = np.empty(self.rows, dtype=complex)
        forward = eq._forward(eq._factors(np.exp(logs)))
        for i, t in eq.layout.blocks:
            reach[eq.layout.rows[i, t]] = (eq._gather[i, t] @ forward[t])[:, 0]
        return self.factor * reach[self.row] * pi * (f - self.sums(pi * f)[self.row])

    def sums(self, x: np.ndarray) -> np.ndarray:
        """(rows,) sums of complex entries."""
        return np.bincount(self.row, x.real, self.rows) + 1j * np.bincount(self.row, x.imag, self.rows)

    def push(self, theta: np.ndarray, u: np.ndarray) -> float:
        """<u, F'(theta) u> by a complex step."""
        return float(u @ self.field(theta + 1e-30j * u).imag / 1e-30)

    def centred(self, x: np.ndarray) -> np.ndarray:
        """Rows less their means."""
        return x - (np.bincount(self.row, x, self.rows) / np.bincount(self.row, minlength=self.rows))[self.row]
