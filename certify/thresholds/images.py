"""One fundamental domain of a game's symmetries in branch and bound (docs/theory/symmetry.md#images-of-nodes).

Let a node be split along policies.  Below its second child, whatever a symmetry carries into its first child's region
need not be searched: it closes as an image of the first child (docs/certificate-format.md, section 4.2).  Where all but
one of the constraints of that region hold on an image of a box, the box is split at that one, and one half is closed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from certify.thresholds.contraction import Box
from certify.thresholds.cover_tree import Node
from certify.thresholds.index_tables import Plan

MOST_ELEMENTS = 64  # of a group that are tried
_SURE = 1e-9  # by so much an end that contraction has found lies beyond a constraint, for a checker rounds otherwise
_LEAST_PART = 0.05  # of an entry's width, less than which is not cut off


@dataclass(frozen=True, eq=False)
class Symmetries:
    """Automorphisms other than the identity, none where `maps` is empty.

    images : (G, N) int, where each carries the entries of a flat policy (agent, depth, class, action).
    maps : as certificates list them.
    """

    images: np.ndarray
    maps: tuple[dict[str, Any], ...]


NO_SYMMETRIES = Symmetries(np.zeros((0, 0), dtype=np.int64), ())


@dataclass(frozen=True)
class Cut:
    """What is known of a box: the image of a region wholly (`split` is None), or on one side of a split."""

    close: dict[str, Any]
    split: dict[str, Any] | None = None
    side: int = 0  # of the split that is the image: 0 the first child, 1 the second


class Images:
    """The regions of one growing tree that are searched already, or will be."""

    def __init__(self, plan: Plan, symmetries: Symmetries, nodes: list[Node]) -> None:
        """`nodes` as `find_cover` lists them: the first child of a node before the second."""
        self.symmetries, self.nodes = symmetries, nodes
        self.first: dict[int, int] = {}  # node -> its first child
        self.start: dict[tuple[int, int], int] = {}
        self.place: list[tuple[int, int, int, int]] = []  # entry -> agent, depth, class, action
        for i, t in plan.tree.blocks:
            classes, actions = plan.levels[t].classes[i], plan.levels[t].action_counts[i]
            self.start[i, t] = len(self.place)
            self.place += [(i, t, k, a) for k in range(classes) for a in range(actions)]
        self.counts = {block: plan.levels[block[1]].action_counts[block[0]] for block in self.start}
        for k, node in enumerate(nodes):
            if node.parent is not None:
                self.first.setdefault(node.parent, k)

    def added(self, parent: int, first: int) -> None:
        """`nodes[first]` and the next one are the children of a node."""
        self.first[parent] = first

    def cut(self, number: int, box: Box) -> Cut | None:
        """What the symmetries say of the box of a node, or None."""
        if not self.symmetries.maps:
            return None
        owners, entry, above, at = self._constraints(number)
        if not len(owners) or not above.any():
            return None
        lower, upper = (np.concatenate([box[i][t][end].ravel() for i, t in self.start]) for end in (0, 1))
        moved = self.symmetries.images[:, entry]  # (G, D)
        low, high = lower[moved], upper[moved]
        holds = np.where(above, (low == at) | (low >= at + _SURE), (high == at) | (high <= at - _SURE))
        fails = ~holds
        before = np.cumsum(fails, axis=1) - fails  # how many constraints above each split do not hold
        within = (high == at) | (high <= at - _SURE)  # the first child's side of each split
        missing = np.where(above, before + ~within, len(self.place))  # (G, D): of the region of the first child
        g, m = np.unravel_index(int(missing.argmin()), missing.shape)
        if missing[g, m] == 0:
            return Cut(self._close(int(g), owners[m]))
        return self._best_split(owners, above, at, (moved, low, high), (fails, within, missing))

    def _constraints(self, number: int) -> tuple[list[int], np.ndarray, np.ndarray, np.ndarray]:
        """From the root on, every split of policies: the node that is split, the entry, whether the path goes on in
        the second child, and where."""
        found = []
        k = number
        while (parent := self.nodes[k].parent) is not None:
            split = self.nodes[parent].split or {}
            if "agent" in split:
                i, t = split["agent"], split["depth"]
                entry = self.start[i, t] + split["class"] * self.counts[i, t] + split["action"]
                found.append((parent, entry, k != self.first[parent], float(split["at"])))
            k = parent
        found.reverse()
        owners, entries, above, at = zip(*found, strict=True) if found else ((), (), (), ())
        return list(owners), np.array(entries, dtype=np.int64), np.array(above, dtype=bool), np.array(at)

    def _close(self, g: int, owner: int) -> dict[str, Any]:
        return {"image": {"node": self.first[owner], "automorphism": g}}

    def _best_split(self, owners: list[int], above: np.ndarray, at: np.ndarray, ends: Any, state: Any) -> Cut | None:
        """The largest part of a box that one further constraint makes an image."""
        (moved, low, high), (fails, within, missing) = ends, state
        g, m = np.nonzero(missing == 1)
        if not len(g):
            return None
        j = np.where(within[g, m], fails.argmax(1)[g], m)  # the one constraint that does not hold
        side = above[j] & (j != m)
        ends_here, least, most = at[j], low[g, j], high[g, j]
        part = np.where(side, most - ends_here, ends_here - least) / np.maximum(most - least, 1e-300)
        part = np.where(part < 1, part, 0.0)
        best = int(part.argmax())
        if part[best] < _LEAST_PART:
            return None
        element, constraint = int(g[best]), int(j[best])
        i, t, k, a = self.place[moved[element, constraint]]
        split = {"agent": i, "depth": t, "class": k, "action": a, "at": self._exact(owners[constraint])}
        return Cut(self._close(element, owners[int(m[best])]), split, int(side[best]))

    def _exact(self, owner: int) -> Any:
        return (self.nodes[owner].split or {})["at"]
