"""Objectives of a game with legal sets by plain recursion over joint histories, in floats: legal sets as they are, no
other names, no tables.  Policies are `{AOH key: {legal action: probability}}`."""

from __future__ import annotations

import itertools
import math

import numpy as np

from certify.games import Game
from certify.games.model import FIRST

Policy = dict[str, dict[str, float]]


def worth(game: Game, policy: Policy) -> tuple[float, float]:
    """(expected return, expected -KL to the reference, weighted and discounted)."""
    gamma, n = float(game.discount), len(game.agents)

    def value(t: int, s: int, keys: tuple[str, ...], last: tuple[int, ...]) -> tuple[float, float]:
        if t == game.horizon:
            return 0.0, 0.0
        rows = [dict(game.reference_row(i, t, last[i])) for i in range(n)]
        own = [{a: policy[keys[i]][game.actions[i][a]] for a in rows[i]} for i in range(n)]
        earned = 0.0
        paid = -sum(
            float(game.weights[i]) * p * math.log(p / rows[i][a]) for i in range(n) for a, p in own[i].items() if p
        )
        for move in itertools.product(*rows):
            chance = math.prod(own[i][a] for i, a in enumerate(move))
            earned += chance * float(game.reward.get((s, move), 0))
            if t + 1 < game.horizon and chance:
                for s2, p in game.transition[s, move]:
                    for o, q in game.emission[move, s2]:
                        there = tuple(
                            f"{keys[i]}{'' if keys[i].endswith(':') else '/'}"
                            f"{game.actions[i][move[i]]},{game.observations[i][o[i]]}"
                            for i in range(n)
                        )
                        r, k = value(t + 1, s2, there, o)
                        earned += gamma * chance * float(p * q) * r
                        paid += gamma * chance * float(p * q) * k
        return earned, paid

    total = np.zeros(2)
    for s, o, p in game.start:
        keys = tuple(f"{name}:" + (f",{game.observations[i][o[i]]}" if o else "") for i, name in enumerate(game.agents))
        total += float(p) * np.array(value(0, s, keys, o or (FIRST,) * n))
    return float(total[0]), float(total[1])


class Logits:
    """J as a function of the logits of all legal actions, row by row in the order of `policy`."""

    def __init__(self, game: Game, policy: Policy, alpha: float) -> None:
        self.game, self.alpha = game, alpha
        self.shape = {key: list(row) for key, row in policy.items()}
        self.at = np.array([math.log(p) for row in policy.values() for p in row.values()])

    def policy(self, theta: np.ndarray) -> Policy:
        """softmax of every row."""
        rest = iter(theta)
        found = {}
        for key, actions in self.shape.items():
            own = np.exp([next(rest) for _ in actions])
            found[key] = dict(zip(actions, (own / own.sum()).tolist(), strict=True))
        return found

    def value(self, theta: np.ndarray) -> float:
        """J at alpha."""
        reward, bonus = worth(self.game, self.policy(theta))
        return reward + self.alpha * bonus

    def gradient(self, step: float = 1e-5) -> np.ndarray:
        """Central differences."""
        return np.array([(self.value(self.at + e) - self.value(self.at - e)) / (2 * step) for e in self._units(step)])

    def hessian(self, step: float = 1e-3) -> np.ndarray:
        """Second differences."""
        units = self._units(step)
        found = np.zeros((len(units), len(units)))
        for k, first in enumerate(units):
            for m, second in enumerate(units[: k + 1]):
                corners = [self.value(self.at + a * first + b * second) * a * b for a in (1, -1) for b in (1, -1)]
                found[k, m] = found[m, k] = sum(corners) / (4 * step * step)
        return found

    def tangent(self) -> np.ndarray:
        """(logits, directions): an orthonormal basis of the logits whose rows sum to 0."""
        blocks = []
        for actions in self.shape.values():
            count = len(actions)
            blocks.append(np.linalg.svd(np.eye(count) - 1 / count)[0][:, : count - 1])
        found = np.zeros((sum(map(len, self.shape.values())), sum(b.shape[1] for b in blocks)))
        row = column = 0
        for block in blocks:
            found[row : row + block.shape[0], column : column + block.shape[1]] = block
            row, column = row + block.shape[0], column + block.shape[1]
        return found

    def _units(self, step: float) -> list[np.ndarray]:
        return list(step * np.eye(len(self.at)))
