"""Games that the symmetry tests share: shared benchmark files, permuted copies, brute force."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from certify.games.load import load
from certify.games.model import Game
from certify.symmetry.maps import GameMap

SHARED = Path(__file__).resolve().parents[3] / "shared" / "games"


def shared_game(name: str, horizon: int = 2) -> Game:
    """A benchmark file, or a skip with a message where the folder is absent."""
    path = SHARED / f"{name}.dpomdp"
    if not path.is_file():
        pytest.skip(f"{path.name} is not beside the project")
    return load(path, horizon, rows="renormalise")


def apply_map(game: Game, mapping: GameMap) -> Game:
    """The game with everything renamed by `mapping`, by definition rather than by comparison."""
    act, see = mapping.joint_action, mapping.joint_observation
    back = mapping.inverse()

    def relabel(rows: tuple, images: tuple) -> tuple:
        return tuple(tuple(rows[back.agents[j]][back_row] for back_row in images[j]) for j in range(len(rows)))

    return replace(
        game,
        agents=tuple(game.agents[i] for i in back.agents),
        states=tuple(game.states[s] for s in back.states),
        actions=relabel(game.actions, back.actions),
        observations=relabel(game.observations, back.observations),
        weights=tuple(game.weights[i] for i in back.agents),
        available=None
        if game.available is None
        else tuple(
            tuple(tuple(sorted(mapping.actions[i][a] for a in step)) for step in game.available[i]) for i in back.agents
        ),
        start=tuple(sorted((mapping.states[s], see(o), p) for s, o, p in game.start)),
        transition={
            (mapping.states[s], act(a)): tuple(sorted((mapping.states[t], p) for t, p in row))
            for (s, a), row in game.transition.items()
        },
        emission={
            (act(a), mapping.states[s]): tuple(sorted((see(o), p) for o, p in row))
            for (a, s), row in game.emission.items()
        },
        reward={(mapping.states[s], act(a)): r for (s, a), r in game.reward.items()},
    )


def same_tables(first: Game, second: Game) -> bool:
    """Whether two games agree in everything but names."""

    def rows(table: dict) -> dict:
        return {key: dict(row) for key, row in table.items() if row}

    return (
        first.weights == second.weights
        and first.available == second.available
        and sorted(first.start) == sorted(second.start)
        and rows(first.transition) == rows(second.transition)
        and rows(first.emission) == rows(second.emission)
        and {k: r for k, r in first.reward.items() if r} == {k: r for k, r in second.reward.items() if r}
    )


def random_map(rng: np.random.Generator, game: Game) -> GameMap:
    """A random map; agents are exchanged only where they have equally many actions and observations."""
    n = game.number_of_agents
    shapes = [(len(game.actions[i]), len(game.observations[i])) for i in range(n)]
    choices = [p for p in itertools.permutations(range(n)) if all(shapes[i] == shapes[j] for i, j in enumerate(p))]
    agents = choices[rng.integers(len(choices))]

    def permutation(size: int) -> tuple[int, ...]:
        return tuple(int(k) for k in rng.permutation(size))

    return GameMap(
        agents,
        permutation(len(game.states)),
        tuple(permutation(a) for a, _ in shapes),
        tuple(permutation(o) for _, o in shapes),
    )


def all_maps(game: Game):
    """Every map of a small game."""
    n = game.number_of_agents
    for agents in itertools.permutations(range(n)):
        if any(
            (len(game.actions[i]), len(game.observations[i])) != (len(game.actions[j]), len(game.observations[j]))
            for i, j in enumerate(agents)
        ):
            continue
        parts = [itertools.permutations(range(len(game.states)))]
        parts += [itertools.permutations(range(len(row))) for row in (*game.actions, *game.observations)]
        for states, *rest in itertools.product(*parts):
            yield GameMap(agents, states, tuple(rest[:n]), tuple(rest[n:]))
