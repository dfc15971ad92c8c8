"""Random rational policies and boxes of them, shared by the tests of the bounds."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from random_games import random_games

from certify.bounds import PolicyBox, layout_of
from certify.games.tree import Tree, history_counts, unroll


def random_policy(tree: Tree, rng: np.random.Generator) -> list[list[np.ndarray]]:
    """Rows of small rationals with sum 1, full support."""
    policy = []
    for tables in tree.uniform():
        policy.append([])
        for table in tables:
            counts = np.array(
                [[Fraction(int(v)) for v in row] for row in rng.integers(1, 9, table.shape)], dtype=object
            )
            policy[-1].append(counts / counts.sum(axis=1, keepdims=True))
    return policy


def mixed(first, second, weight: Fraction):
    """(1 - weight) first + weight second, table by table."""
    return [
        [(1 - weight) * a + weight * b for a, b in zip(x, y, strict=True)] for x, y in zip(first, second, strict=True)
    ]


def random_box(tree: Tree, rng: np.random.Generator, weight: Fraction, count: int = 3):
    """`count` policies near each other and the smallest box that holds them."""
    centre = random_policy(tree, rng)
    inside = [centre] + [mixed(centre, random_policy(tree, rng), weight) for _ in range(count - 1)]
    ends = [
        [[choose.reduce([p[i][t] for p in inside]) for t in range(tree.horizon)] for i in range(tree.number_of_agents)]
        for choose in (np.minimum, np.maximum)
    ]
    return inside, PolicyBox(*ends)


def random_direction(tree: Tree, rng: np.random.Generator) -> np.ndarray:
    """(N,) multiples of 1/8 whose rows sum to exactly 0."""
    layout = layout_of(tree)
    v = np.zeros(layout.size)
    for start, stop in zip(layout.row_start, [*layout.row_start[1:], layout.size], strict=True):
        v[start : stop - 1] = rng.integers(-8, 9, stop - start - 1) / 8
        v[stop - 1] = -v[start : stop - 1].sum()
    return v


def small_trees(seed: int, count: int, most_joint: int = 40) -> list[Tree]:
    """Raw and clustered trees of those random games that are small enough for exact arithmetic."""
    return [
        unroll(game, cluster=cluster)
        for game in random_games(seed, count)
        if sum(history_counts(game, limit=most_joint)) <= most_joint
        for cluster in (False, True)
    ]


def flat(tree: Tree, policy) -> np.ndarray:
    return layout_of(tree).flat(policy)


def projected(tree: Tree, C: np.ndarray, p: np.ndarray) -> np.ndarray:
    """(I - 1 pi^T) C (I - pi 1^T), row by row of the layout: C as a form on tangent directions."""
    layout = layout_of(tree)
    row = layout.row_of_entry
    left = C - np.add.reduceat(p[:, None] * C, layout.row_start, axis=0)[row]
    return left - np.add.reduceat(left * p, layout.row_start, axis=1)[:, row]
