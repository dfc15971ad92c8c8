"""Games whose state everybody sees: a stationary policy in (step, state) is one among all policies, at any horizon.

Given partners that look at step and state alone, an agent's values depend on its history through the state alone; so
all stationary policies of this kind follow from the last step to the first, one game of one step per state.
"""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
from random_games import random_distribution, random_rational

from certify.games.model import Game, check_game

Policy = list[list[np.ndarray]]  # [step][agent] -> [state, action]


def observed_game(
    rng: np.random.Generator,
    *,
    horizon: int,
    states: int = 2,
    actions: tuple[int, ...] = (2, 2),
    discount: Fraction = Fraction(1),
    bound: int = 3,
) -> Game:
    """A random game in which every agent sees the state, at the start and after every step."""
    joint = list(itertools.product(*map(range, actions)))
    n = len(actions)

    def row() -> tuple[tuple[int, Fraction], ...]:
        chances = random_distribution(rng, states)
        return tuple((s, p) for s, p in enumerate(chances) if p)

    return check_game(
        Game(
            name="observed",
            agents=tuple(f"agent{i}" for i in range(n)),
            states=tuple(f"s{s}" for s in range(states)),
            actions=tuple(tuple(f"a{k}" for k in range(m)) for m in actions),
            observations=(tuple(f"o{s}" for s in range(states)),) * n,
            start=tuple((s, (s,) * n, Fraction(1, states)) for s in range(states)),
            transition={(s, a): row() for s in range(states) for a in joint},
            emission={(a, s): (((s,) * n, Fraction(1)),) for a in joint for s in range(states)},
            reward={(s, a): random_rational(rng, bound) for s in range(states) for a in joint},
            horizon=horizon,
            discount=discount,
        )
    )


class Markov:
    """Stationary policies of an observed game in floats."""

    def __init__(self, game: Game) -> None:
        self.game, self.n = game, game.number_of_agents
        self.shape = tuple(len(a) for a in game.actions)
        states = len(game.states)
        self.reward = np.zeros((states, *self.shape))
        self.move = np.zeros((states, *self.shape, states))
        for (s, a), r in game.reward.items():
            self.reward[(s, *a)] = float(r)
        for (s, a), row in game.transition.items():
            for s2, p in row:
                self.move[(s, *a, s2)] = float(p)
        self.gamma, self.w = float(game.discount), [float(x) for x in game.weights]

    def values(self, policy: Policy, beta: float) -> list[np.ndarray]:
        """V per step 0 .. h (the last is 0), [state]."""
        found = [np.zeros(len(self.reward))]
        for rows in reversed(policy):
            found.insert(0, self._value(rows, self._ahead(found[0], beta)))
        return found

    def stationary(self, beta: float, rng: np.random.Generator, starts: int) -> list[Policy]:
        """Different stationary policies, each step's game of one step solved from a random start."""
        found: list[Policy] = []
        for _ in range(starts):
            policy: Policy = []
            later = np.zeros(len(self.reward))
            for _ in range(self.game.horizon):
                u = self._ahead(later, beta)
                rows = self._solved(u, rng)
                if rows is None:
                    break
                policy.insert(0, rows)
                later = self._value(rows, u)
            else:
                if all(self.distance(policy, other) > 1e-4 for other in found):
                    found.append(policy)
        return found

    @staticmethod
    def distance(first: Policy, second: Policy) -> float:
        """The largest difference of a probability."""
        return max(
            float(np.abs(p - q).max()) for x, y in zip(first, second, strict=True) for p, q in zip(x, y, strict=True)
        )

    def _ahead(self, later: np.ndarray, beta: float) -> np.ndarray:
        return beta * self.reward + self.gamma * self.move @ later

    def _mean(self, u: np.ndarray, rows: list[np.ndarray], keep: int | None = None) -> np.ndarray:
        """The mean over all agents' policies, or over those of all agents but `keep`: [state] or [state, action]."""
        for j in reversed(range(self.n)):
            if j != keep:
                u = np.einsum("sa,s...a->s...", rows[j], np.moveaxis(u, 1 + j, -1))
        return u

    def _value(self, rows: list[np.ndarray], u: np.ndarray) -> np.ndarray:
        entropy = sum(-w * (p * np.log(p)).sum(1) for w, p in zip(self.w, rows, strict=True))
        value: np.ndarray = self._mean(u, rows) + entropy
        return value

    def _solved(self, u: np.ndarray, rng: np.random.Generator) -> list[np.ndarray] | None:
        rows = [rng.dirichlet(np.full(m, 0.5), len(u)) + 1e-12 for m in self.shape]
        for _ in range(3_000):
            worst = 0.0
            for i in range(self.n):
                z = 0.5 * np.log(rows[i]) + 0.5 * self._mean(u, rows, i) / self.w[i]
                p = np.exp(z - z.max(1, keepdims=True))
                p = np.maximum(p / p.sum(1, keepdims=True), 1e-15)
                worst, rows[i] = max(worst, float(np.abs(p - rows[i]).max())), p
            if worst < 1e-13:
                return rows
        return None
