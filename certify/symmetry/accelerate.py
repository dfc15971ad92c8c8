"""igraph, where it is installed, proposes generators; nothing of it is trusted.

igraph sees the game as a coloured graph (`certify.symmetry.graph`); each automorphism that it finds
is verified exactly before the search uses it.  igraph carries the GPL, so it is never a dependency.
"""

from __future__ import annotations

import numpy as np

from certify.errors import InputError
from certify.symmetry.graph import coloured_graph
from certify.symmetry.structure import Structure


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
