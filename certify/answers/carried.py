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


def symmetries_of(tree: Tree) -> Symmetries:
    """At most `MOST_ELEMENTS` automorphisms of the game of `tree`, the identity not among them.

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
    maps = list(islice(group.elements(group.order), 1, 1 + MOST_ELEMENTS))
    if not maps:
        return NO_SYMMETRIES
    pairs = sorted((entry_permutation(tree, g).tolist(), number) for number, g in enumerate(maps))
    identity = list(range(len(pairs[0][0])))
    kept = [(image, maps[number]) for image, number in pairs if image != identity]
    if not kept:
        return NO_SYMMETRIES
    images, chosen = zip(*kept, strict=True)
    return Symmetries(np.array(images, dtype=np.int64), tuple(map(map_to_json, chosen)))
