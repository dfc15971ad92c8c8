"""Policies of a game and of its tree, where illegal actions are other names of legal ones
(docs/theory/legal-actions.md#other-names): flat vectors of the one turned into vectors of the other.
"""

from __future__ import annotations

import weakref
from fractions import Fraction
from typing import Any

import numpy as np

from certify.bounds.policy import Layout, layout_of
from certify.games.tree import Tree


class OtherNames:
    """What the entries of a tree's flat policy table mean in the game.

    Attributes
    ----------
    meant : (N,) int, the entry of the legal action that the entry is a name of.
    names : (N,) int, how many names that action has.
    legal : (N,) bool, whether the entry is that of a legal action itself.
    """

    def __init__(self, tree: Tree) -> None:
        self.layout: Layout = layout_of(tree)
        parts = [tree.levels[t].stands_for[i] for i, t in self.layout.blocks]
        local = np.concatenate([part.ravel() for part in parts])
        self.meant = self.layout.row_start[self.layout.row_of_entry] + local
        self.legal = self.meant == np.arange(self.layout.size)
        self.names = np.bincount(self.meant, minlength=self.layout.size)[self.meant]

    @property
    def trivial(self) -> bool:
        """Whether every action is legal everywhere: then the two tables are one."""
        return bool(self.legal.all())

    def gathered(self, flat: np.ndarray) -> np.ndarray:
        """(N,) what each legal action gets from all its names, 0 at illegal ones.

        >>> from certify.games import builtin
        >>> from certify.games.tree import unroll
        >>> other_names(unroll(builtin("lever:2"))).gathered(np.array([1, 2, 3, 4])).tolist()
        [1, 2, 3, 4]
        """
        found = np.zeros_like(flat)
        np.add.at(found, self.meant, flat)
        return found

    def spread(self, flat: np.ndarray) -> np.ndarray:
        """(N,) the probability of each legal action split evenly among its names: the inverse of `gathered` on
        stationary policies."""
        return flat[self.meant] / (self.names.astype(object) if flat.dtype == object else self.names)

    def uniform(self) -> Any:
        """The uniform policy on legal actions, exactly, as a policy of the tree."""
        flat = np.array([Fraction(int(legal)) for legal in self.legal], dtype=object)
        return self.layout.nested(self.spread(flat / self.layout.row_sums(flat)[self.layout.row_of_entry]))


_known: weakref.WeakKeyDictionary[Tree, OtherNames] = weakref.WeakKeyDictionary()


def other_names(tree: Tree) -> OtherNames:
    """The (cached) names of a tree's actions.

    >>> from certify.games import builtin
    >>> from certify.games.tree import unroll
    >>> other_names(unroll(builtin("climbing"))).trivial
    True
    """
    if tree not in _known:
        _known[tree] = OtherNames(tree)
    return _known[tree]
