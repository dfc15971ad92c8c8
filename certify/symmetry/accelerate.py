"""igraph, where it is installed, proposes generators; nothing of it is trusted.

The game becomes a coloured graph: one vertex for each point, one for each role that a state can
play in a row, one for each row.  Its automorphisms, restricted to the points, are those of the
game (docs/theory/symmetry.md#completeness); each is verified exactly before the search uses it.  igraph carries the
GPL, so it is never a dependency.
"""

from __future__ import annotations

import numpy as np

from certify.errors import InputError
from certify.symmetry.structure import Structure


def coloured_graph(structure: Structure) -> tuple[int, np.ndarray, list[int]]:
    """(number of vertices, edges (E, 2), colour of each vertex); the points come first.

    >>> from certify.games import builtin
    >>> coloured_graph(Structure(builtin("lever:2")))[0]  # 9 points, 2 copies of the state, 3 rows
    14
    """
    size = structure.number_of_points
    palette: dict[tuple, int] = {}

    def colour(*key: object) -> int:
        return palette.setdefault(key, len(palette))

    colours = [colour("point", int(k)) for k in structure.kind]
    states = np.arange(structure.state_offset, size)
    edges = [np.stack([np.arange(len(structure.owner)), structure.owner], axis=1)]
    edges[0] = edges[0][edges[0][:, 0] != edges[0][:, 1]]
    copies = {}
    for role in range(2):
        copies[role] = len(colours) + states - structure.state_offset
        colours += [colour("role", role)] * len(states)
        edges.append(np.stack([states, copies[role]], axis=1))
    for number, table in enumerate(structure.tables):
        rows = len(colours) + np.arange(len(table.colours))
        colours += [colour("row", number, int(k)) for k in table.colours]
        columns = [
            copies[role][table.states[:, role] - structure.state_offset] for role in range(table.states.shape[1])
        ]
        columns += [
            block[:, i]
            for block in (table.actions, table.observations)
            if block is not None
            for i in range(block.shape[1])
        ]
        edges += [np.stack([rows, column], axis=1) for column in columns]
    return len(colours), np.concatenate(edges), colours


def igraph_generators(structure: Structure) -> list[np.ndarray]:
    """Permutations of the points that igraph proposes (not verified).

    Raises `InputError` where igraph is not installed.
    """
    try:
        import igraph
    except ImportError:
        raise InputError("--igraph", "igraph is not installed", "install it, or leave the option out") from None
    size, edges, colours = coloured_graph(structure)
    graph = igraph.Graph(size, edges.tolist())
    return [
        np.array(image[: structure.number_of_points], dtype=np.int64)
        for image in graph.automorphism_group(color=colours)
    ]
