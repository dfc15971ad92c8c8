"""The automorphism group of a structure by a base and stabiliser chain (docs/theory/symmetry.md#completeness).

At each level one more base point is fixed; its orbit under what remains is decided by
individualisation, refinement and backtracking, and every point of its cell outside the orbit is
excluded by an exhausted search.  The order is the product of the orbit lengths.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from certify.symmetry.structure import Colours, Structure


class SearchLimit(Exception):
    """The search visited more nodes than it was allowed."""


@dataclass(frozen=True)
class Level:
    """One step of the chain: `orbit` of `point` under the pointwise stabiliser of earlier points."""

    point: int
    orbit: tuple[int, ...]


@dataclass(frozen=True)
class Chain:
    """Base, levels and strong generators (permutations of points, `(number of points,)` arrays).

    `complete` is False only if `max_nodes` ran out: the generators then generate a subgroup.
    """

    levels: tuple[Level, ...]
    generators: tuple[np.ndarray, ...]
    complete: bool


class _Classes:
    """Union-find on points."""

    def __init__(self, size: int) -> None:
        self.parent = list(range(size))

    def find(self, x: int) -> int:
        while self.parent[x] != x:
            self.parent[x] = self.parent[self.parent[x]]
            x = self.parent[x]
        return x

    def join_permutation(self, image: np.ndarray) -> None:
        for x in np.flatnonzero(image != np.arange(len(image))).tolist():
            a, b = self.find(x), self.find(int(image[x]))
            if a != b:
                self.parent[max(a, b)] = min(a, b)


def orbits(size: int, generators: Iterable[np.ndarray]) -> list[list[int]]:
    """Orbits of the points 0..size−1 under the group generated, ascending.

    >>> orbits(4, [np.array([1, 0, 2, 3])])
    [[0, 1], [2], [3]]
    """
    classes = _Classes(size)
    for image in generators:
        classes.join_permutation(image)
    found: dict[int, list[int]] = {}
    for x in range(size):
        found.setdefault(classes.find(x), []).append(x)
    return list(found.values())


@dataclass(frozen=True)
class _Stage:
    point: int
    before: Colours  # stable, earlier base points singled out
    marked: Colours  # the same with `point` singled out, stable
    rounds: int


def find_chain(structure: Structure, *, seeds: Iterable[np.ndarray] = (), max_nodes: int = 200_000) -> Chain:
    """The automorphism group of `structure`, states last in the base.

    `seeds` are permutations believed to be automorphisms (from another tool); each is verified
    exactly before it is used, and completeness never rests on them.
    """
    stages = _base(structure)
    generators: list[np.ndarray] = [g for g in seeds if structure.is_automorphism(g)]
    levels: list[Level] = []
    complete = True
    budget = [max_nodes]
    for depth in range(len(stages) - 1, -1, -1):
        stage = stages[depth]
        fixed = [earlier.point for earlier in stages[:depth]]
        classes = _Classes(structure.number_of_points)
        for g in generators:
            if all(g[p] == p for p in fixed):
                classes.join_permutation(g)
        cell = np.flatnonzero(stage.before == stage.before[stage.point]).tolist()
        excluded: set[int] = set()
        for q in cell:
            root = classes.find(q)
            if root == classes.find(stage.point) or root in {classes.find(x) for x in excluded}:
                continue
            right, _ = structure.refine(structure.individualise(stage.before, q), stage.rounds)
            try:
                image = _match(structure, stage.marked, right, budget)
            except SearchLimit:
                complete = False
                continue
            if image is None:
                excluded.add(q)
            else:
                generators.append(image)
                classes.join_permutation(image)
        base_root = classes.find(stage.point)
        levels.append(Level(stage.point, tuple(q for q in cell if classes.find(q) == base_root)))
    return Chain(tuple(reversed(levels)), tuple(generators), complete)


def _base(structure: Structure) -> list[_Stage]:
    colours, _ = structure.refine(structure.initial())
    stages: list[_Stage] = []
    while (point := _target(structure, colours)) is not None:
        marked, rounds = structure.refine(structure.individualise(colours, point))
        stages.append(_Stage(point, colours, marked, rounds))
        colours = marked
    return stages


def _target(structure: Structure, colours: Colours) -> int | None:
    """The first point of a smallest cell with more than one point; states only when nothing else
    is left, so that levels on states count the symmetries that move states alone."""
    for low, high in ((0, structure.state_offset), (structure.state_offset, structure.number_of_points)):
        _, first, counts = np.unique(colours[low:high], return_index=True, return_counts=True)
        open_cells = counts > 1
        if open_cells.any():
            sizes, firsts = counts[open_cells], first[open_cells]
            return low + int(firsts[np.lexsort((firsts, sizes))[0]])
    return None


def _match(structure: Structure, left: Colours, right: Colours, budget: list[int]) -> np.ndarray | None:
    """An automorphism that carries colours `left` to `right`, or None when the search is exhausted."""
    budget[0] -= 1
    if budget[0] < 0:
        raise SearchLimit
    order_left, order_right = np.argsort(left, kind="stable"), np.argsort(right, kind="stable")
    if not np.array_equal(left[order_left], right[order_right]):
        return None
    guess = _guess(left, right, order_left, order_right)
    if structure.is_automorphism(guess):
        return guess
    point = _target(structure, left)
    if point is None:
        return None
    marked, rounds = structure.refine(structure.individualise(left, point))
    for q in np.flatnonzero(right == left[point]).tolist():
        other, _ = structure.refine(structure.individualise(right, q), rounds)
        if (image := _match(structure, marked, other, budget)) is not None:
            return image
    return None


def _guess(left: Colours, right: Colours, order_left: np.ndarray, order_right: np.ndarray) -> np.ndarray:
    """A colour-preserving permutation that leaves in place whatever can stay there.

    Symmetries of games often move few points; one lucky guess saves a whole branch.
    """
    image = np.empty(len(left), dtype=np.int64)
    stays = left == right
    here = np.flatnonzero(stays)
    image[here] = here
    # the others pair up in order within each colour
    image[order_left[~stays[order_left]]] = order_right[~stays[order_right]]
    return image
