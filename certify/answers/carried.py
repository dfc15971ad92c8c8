"""The automorphisms of a game as branch and bound uses them (docs/theory/symmetry.md#images-of-nodes)."""

from __future__ import annotations

from itertools import islice

import numpy as np

from certify.bounds.other_names import other_names
from certify.certificates.symmetry import map_to_json
from certify.games.tree import Tree
from certify.symmetry.group import symmetries
from certify.symmetry.histories import entry_permutation
from certify.thresholds.images import MOST_ELEMENTS, NO_SYMMETRIES, Symmetries

_MOST_ENTRIES = 20_000  # transitions and rewards of a game that is searched for symmetries
_MOST_IMAGES = 20_000  # of entries of policies, over all elements among which `MOST_ELEMENTS` are chosen


def symmetries_of(tree: Tree) -> Symmetries:
    """At most `MOST_ELEMENTS` automorphisms of the game of `tree`, the identity not among them, those first that move
    the fewest entries: they leave the most constraints of a box as they are.

    None where actions have other names (docs/theory/legal-actions.md#other-names): they share what symmetries carry.

    >>> from certify.games import builtin
    >>> from certify.games.tree import unroll
    >>> symmetries_of(unroll(builtin("matching-pennies"))).images.tolist()
    [[1, 0, 3, 2], [2, 3, 0, 1], [3, 2, 1, 0]]
    """
    game = tree.game
    if len(game.reward) + sum(map(len, game.transition.values())) > _MOST_ENTRIES or not other_names(tree).trivial:
        return NO_SYMMETRIES
    group = symmetries(game)
    size = sum(level.classes[i] * level.action_counts[i] for level in tree.levels for i in range(len(level.classes)))
    maps = list(islice(group.elements(group.order), 1, 1 + max(MOST_ELEMENTS, _MOST_IMAGES // size)))
    if not maps:
        return NO_SYMMETRIES
    images = np.array([entry_permutation(tree, g) for g in maps], dtype=np.int64)
    moved = (images != np.arange(size)).sum(1)
    order = np.lexsort((*images.T[::-1], moved))  # whatever the order in which a group is listed
    chosen = [k for k in order if moved[k]][:MOST_ELEMENTS]
    return Symmetries(images[chosen], tuple(map_to_json(maps[k]) for k in chosen)) if chosen else NO_SYMMETRIES
