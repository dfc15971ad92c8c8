"""Symmetries acting on histories and policies: g·pi, equivariance, the fixed subspace.

docs/theory/symmetry.md#automorphisms: (g pi)_{sigma_N(i)}(sigma_A a | sigma x) = pi_i(a | x).  On a tree this permutes
the entries of the flat policy table; on a clustered tree it permutes those of the classes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from certify.bounds.other_names import other_names
from certify.bounds.policy import PolicyBox, layout_of
from certify.errors import InputError
from certify.games.histories import histories
from certify.games.tree import Tree
from certify.symmetry.maps import GameMap


def entry_permutation(tree: Tree, mapping: GameMap) -> np.ndarray:
    """Where a symmetry sends each entry (x, a) of the flat policy table: (N,) int, -1 where a is illegal.

    `mapping` is in the indices of `tree.game`.  Raises `InputError` for a map that does not carry
    the tree onto itself, which no symmetry does.

    >>> from certify.games import builtin
    >>> from certify.games.tree import unroll
    >>> tree = unroll(builtin("lever:2"))
    >>> entry_permutation(tree, GameMap((1, 0), (0,), ((1, 0), (1, 0)), ((0,), (0,)))).tolist()
    [3, 2, 1, 0]
    """
    layout, legal = layout_of(tree), other_names(tree).legal
    image = np.full(layout.size, -1, dtype=np.int64)
    for i, j in enumerate(mapping.agents):
        classes = _initial_classes(tree, mapping, i, j)
        for t in range(len(tree.levels)):
            actions = _local_actions(tree, mapping, i, j, t, classes)
            offset, (_, width) = layout.entries[j, t].start, layout.shape[j, t]
            part = image[layout.entries[i, t]].reshape(layout.shape[i, t])
            if part.shape[1] != width:
                raise _refuse()
            part[:] = offset + classes[:, None] * width + actions
            if t + 1 < tree.horizon:
                classes = _next_classes(tree, mapping, i, j, t, classes, actions)
    image[~legal] = -1
    if not np.array_equal(np.sort(image[legal]), np.flatnonzero(legal)):
        raise _refuse()
    return image


class Carrier:
    """A symmetry acting on flat policies of a tree.  An action's share by all its names goes to its image, where it is
    split evenly among the names there (docs/theory/legal-actions.md#other-names)."""

    def __init__(self, tree: Tree, mapping: GameMap) -> None:
        """`mapping` is in the indices of `tree.game`; raises `InputError` for a map that is no symmetry."""
        self.names = other_names(tree)
        image = entry_permutation(tree, mapping)
        legal = np.flatnonzero(self.names.legal)
        source = np.empty_like(image)
        source[image[legal]] = legal
        self.source = source[self.names.meant]

    def __call__(self, flat: np.ndarray) -> np.ndarray:
        """The policy g·pi, or an end of the box g·box."""
        if self.names.trivial:
            return flat[self.source]
        return self.names.spread(self.names.gathered(flat)[self.source])


def _refuse() -> InputError:
    return InputError("map", "it does not carry histories to histories", "act with symmetries of the game only")


def _initial_classes(tree: Tree, mapping: GameMap, i: int, j: int) -> np.ndarray:
    source, target = tree.initial_child[i], tree.initial_child[j]
    classes = np.zeros(tree.levels[0].classes[i], dtype=np.int64)
    if not tree.game.start[0][1]:
        return classes
    images = target[np.array(mapping.observations[i])]
    present = source >= 0
    if (images[present] < 0).any():
        raise _refuse()
    classes[source[present]] = images[present]
    return classes


def _local_actions(tree: Tree, mapping: GameMap, i: int, j: int, t: int, classes: np.ndarray) -> np.ndarray:
    """(K_i, A_i) the number of the image of each legal action at the image of its class; others are no actions."""
    level = tree.levels[t]
    legal, there = level.legal[i], level.legal[j]
    number = np.full((len(there), len(tree.game.actions[j])), -1, dtype=np.int64)
    row, column = np.nonzero(there)
    number[row, level.actions[j][row, column]] = column
    found = number[classes[:, None], np.array(mapping.actions[i], dtype=np.int64)[level.actions[i]]]
    if (found[legal] < 0).any() or (legal.sum(1) != there.sum(1)[classes]).any():
        raise _refuse()
    return found


def _next_classes(
    tree: Tree, mapping: GameMap, i: int, j: int, t: int, classes: np.ndarray, actions: np.ndarray
) -> np.ndarray:
    level, following = tree.levels[t], tree.levels[t + 1]
    source = np.where(level.legal[i][:, :, None], level.child[i], -1)
    images = np.where(level.legal[j][:, :, None], level.child[j], -1)[
        classes[:, None, None], actions[:, :, None], np.array(mapping.observations[i], dtype=np.int64)[None, None, :]
    ]
    images = np.where(level.legal[i][:, :, None], images, -1)
    if ((source >= 0) != (images >= 0)).any():
        raise _refuse()
    result = np.full(following.classes[i], -1, dtype=np.int64)
    result[source[source >= 0]] = images[source >= 0]
    return result


def act(tree: Tree, mapping: GameMap, policy: Any) -> Any:
    """The policy g·pi (nested tables, any dtype), or the box g·box of a `PolicyBox`.

    >>> from certify.games import builtin
    >>> from certify.games.tree import unroll
    >>> tree = unroll(builtin("lever:2"))
    >>> swap = GameMap((1, 0), (0,), ((0, 1), (0, 1)), ((0,), (0,)))
    >>> act(tree, swap, [[np.array([[0.9, 0.1]])], [np.array([[0.3, 0.7]])]])[0][0].tolist()
    [[0.3, 0.7]]
    """
    if isinstance(policy, PolicyBox):
        return PolicyBox(act(tree, mapping, policy.lower), act(tree, mapping, policy.upper))
    layout = layout_of(tree)
    return layout.nested(Carrier(tree, mapping)(layout.flat(policy)))


@dataclass(frozen=True)
class EquivarianceVerdict:
    """`status`: "proved", "refuted" or "undecided" (enclosures overlap but are not points).

    Refuted: `generator` (index) sends the entry of `aoh`, `action` to one that certainly differs.
    """

    status: str
    generator: int | None = None
    aoh: str | None = None
    action: str | None = None
    values: tuple[tuple[Fraction, Fraction], tuple[Fraction, Fraction]] | None = None


def is_equivariant(tree: Tree, generators: Sequence[GameMap], policy: Any) -> EquivarianceVerdict:
    """Whether g·pi = pi for every generator: exactly for tables, certainly for a `PolicyBox`.

    On a clustered tree the keys are those of one member of each class.

    >>> from certify.games import builtin
    >>> from certify.games.tree import unroll
    >>> tree = unroll(builtin("lever:2"))
    >>> swap = GameMap((1, 0), (0,), ((0, 1), (0, 1)), ((0,), (0,)))
    >>> is_equivariant(tree, [swap], [[np.array([[0.9, 0.1]])], [np.array([[0.3, 0.7]])]]).aoh
    'agent1:'
    """
    layout, names = layout_of(tree), other_names(tree)
    ends = (policy.lower, policy.upper) if isinstance(policy, PolicyBox) else (policy, policy)
    lower, upper = (names.gathered(np.array([Fraction(v) for v in layout.flat(end)], dtype=object)) for end in ends)
    certain = True
    for number, mapping in enumerate(generators):
        image = entry_permutation(tree, mapping)
        image = np.where(names.legal, image, np.arange(len(image)))  # illegal actions have probability 0
        apart = (upper < lower[image]) | (upper[image] < lower)
        if apart.any():
            k = int(np.flatnonzero(apart)[0])
            aoh, action = _entry_names(tree, k)
            return EquivarianceVerdict(
                "refuted", number, aoh, action, ((lower[k], upper[k]), (lower[image[k]], upper[image[k]]))
            )
        certain = certain and bool(((lower == upper) & (lower == lower[image]) & (upper == upper[image])).all())
    return EquivarianceVerdict("proved" if certain else "undecided")


def _entry_names(tree: Tree, entry: int) -> tuple[str, str]:
    layout = layout_of(tree)
    i, t = next(block for block in layout.blocks if layout.entries[block].start <= entry < layout.entries[block].stop)
    k, a = divmod(entry - layout.entries[i, t].start, layout.shape[i, t][1])
    key = next(x.key for x in histories(tree, i) if (x.depth, x.class_index) == (t, k))
    return key, tree.game.actions[i][int(tree.levels[t].actions[i][k, a])]


@dataclass(frozen=True)
class FixedSubspace:
    """`logits`: dimension of the equivariant logit tables.  `parameters`: free parameters of an
    equivariant policy, of `all_parameters` of any policy.  `entry_orbit`: (N,) orbit of the legal action that each
    entry stands for."""

    logits: int
    parameters: int
    all_parameters: int
    entry_orbit: np.ndarray


def fixed_subspace(tree: Tree, generators: Iterable[GameMap]) -> FixedSubspace:
    """The policies with g·pi = pi for every generator.

    Logits are free on orbits of entries (x, a); each orbit of AOHs loses one to normalisation.

    >>> from certify.games import builtin
    >>> from certify.games.tree import unroll
    >>> from certify.symmetry.group import symmetries
    >>> game = builtin("dectiger", horizon=2)
    >>> space = fixed_subspace(unroll(game, cluster=False), symmetries(game).generators)
    >>> space.parameters, space.all_parameters
    (7, 28)
    """
    layout = layout_of(tree)
    images = [entry_permutation(tree, mapping) for mapping in generators]
    names = other_names(tree)
    legal = np.flatnonzero(names.legal)
    _, orbit = _components(layout.size, legal, [image[legal] for image in images])
    entry_orbit = orbit[names.meant]
    orbits = len(np.unique(orbit[legal]))
    first = names.meant[layout.row_start]
    rows = np.arange(layout.number_of_rows)
    row_orbits, _ = _components(len(rows), rows, [layout.row_of_entry[image[first]] for image in images])
    return FixedSubspace(orbits, orbits - row_orbits, len(legal) - len(rows), entry_orbit)


def _components(size: int, source: np.ndarray, images: list[np.ndarray]) -> tuple[int, np.ndarray]:
    sources = np.tile(source, len(images)) if images else np.empty(0, dtype=np.int64)
    targets = np.concatenate(images) if images else np.empty(0, dtype=np.int64)
    graph = coo_array((np.ones(len(sources)), (sources, targets)), shape=(size, size))
    return connected_components(graph, directed=False)
