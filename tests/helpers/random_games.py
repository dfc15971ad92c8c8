"""Random small games with small rational numbers: the instances that every test file shares.

Deterministic in the generator that is passed in; every game satisfies `check_game`.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from certify.games.model import Game, check_game


def random_distribution(
    rng: np.random.Generator, size: int, denominator: int = 8, density: float = 0.7
) -> list[Fraction]:
    """`size` nonnegative rationals with sum 1 and a denominator of at most `size * denominator`."""
    counts = rng.integers(1, denominator + 1, size) * (rng.random(size) < density)
    if not counts.any():
        counts[rng.integers(size)] = 1
    return [Fraction(int(c), int(counts.sum())) for c in counts]


def random_rational(rng: np.random.Generator, bound: int = 6, denominator: int = 4) -> Fraction:
    """A rational in [-bound, bound] with a denominator of at most `denominator`."""
    q = int(rng.integers(1, denominator + 1))
    return Fraction(int(rng.integers(-bound * q, bound * q + 1)), q)


def random_game(
    rng: np.random.Generator,
    *,
    agents: int = 2,
    horizon: int = 2,
    actions: int | Sequence[int] = 2,
    observations: int | Sequence[int] = 2,
    states: int = 2,
    initial_observations: bool = False,
    discount: Fraction | bool = Fraction(1),
    weights: Sequence[Fraction] | bool = False,
    available: bool = False,
) -> Game:
    """A game of the given sizes with random transitions, observations and rewards.

    `actions` and `observations` are one number for all agents or one per agent.  `discount=True`
    and `weights=True` draw them; `available=True` draws action sets per agent and step.

    >>> game = random_game(np.random.default_rng(0), agents=2, horizon=2)
    >>> game.number_of_agents, game.horizon
    (2, 2)
    """
    number_of_actions = (actions,) * agents if isinstance(actions, int) else tuple(actions)
    number_of_observations = (observations,) * agents if isinstance(observations, int) else tuple(observations)
    joint_actions = list(itertools.product(*map(range, number_of_actions)))
    joint_observations = list(itertools.product(*map(range, number_of_observations)))

    def pairs(keys: list) -> tuple:
        return tuple((k, p) for k, p in zip(keys, random_distribution(rng, len(keys)), strict=True) if p)

    first = joint_observations if initial_observations else [()]
    start = tuple((s, o, p) for (s, o), p in pairs(list(itertools.product(range(states), first))))
    transition = {(s, a): pairs(list(range(states))) for s in range(states) for a in joint_actions}
    emission = {(a, s): pairs(joint_observations) for a in joint_actions for s in range(states)}
    reward = {(s, a): random_rational(rng) for s in range(states) for a in joint_actions}
    if discount is True:
        discount = Fraction(int(rng.integers(1, 8)), 8)
    if weights is True:
        weights = tuple(Fraction(int(rng.integers(1, 7)), 3) for _ in range(agents))
    sets = None
    if available:
        sets = tuple(tuple(_random_subset(rng, number_of_actions[i]) for _ in range(horizon)) for i in range(agents))
    return check_game(
        Game(
            name="random",
            agents=tuple(f"agent{i}" for i in range(agents)),
            states=tuple(f"s{s}" for s in range(states)),
            actions=tuple(tuple(f"a{k}" for k in range(m)) for m in number_of_actions),
            observations=tuple(tuple(f"o{k}" for k in range(m)) for m in number_of_observations),
            start=start,
            transition=transition,
            emission=emission,
            reward=reward,
            horizon=horizon,
            discount=discount or Fraction(1),
            weights=tuple(weights or ()),
            available=sets,
        )
    )


def _random_subset(rng: np.random.Generator, size: int) -> tuple[int, ...]:
    kept = np.flatnonzero(rng.random(size) < 0.7)
    return tuple(int(k) for k in kept) if len(kept) else (int(rng.integers(size)),)


def random_games(seed: int, count: int) -> list[Game]:
    """`count` games that between them have 1 to 3 agents, 1 to 3 steps and every optional feature.

    >>> len(random_games(0, 5))
    5
    """
    rng = np.random.default_rng(seed)
    games = []
    for k in range(count):
        agents, horizon = 1 + k % 3, 1 + (k // 3) % 3
        largest = 2 if agents == 3 or horizon == 3 else 3
        games.append(
            random_game(
                rng,
                agents=agents,
                horizon=horizon,
                actions=[int(m) for m in np.where(rng.random(agents) < 0.1, 1, rng.integers(2, largest + 1, agents))],
                observations=[int(m) for m in rng.integers(1, 3, agents)],
                states=int(rng.integers(1, 4)),
                initial_observations=bool(rng.random() < 0.4),
                discount=bool(rng.random() < 0.5),
                weights=bool(rng.random() < 0.5),
                available=bool(rng.random() < 0.4),
            )
        )
    return games


def random_small_game(rng: np.random.Generator) -> Game:
    """One to three agents, one or two steps, two or three actions, any discount and weights."""
    return random_game(
        rng,
        agents=int(rng.integers(1, 4)),
        horizon=int(rng.integers(1, 3)),
        actions=int(rng.integers(2, 4)),
        observations=int(rng.integers(1, 3)),
        discount=True,
        weights=True,
    )
