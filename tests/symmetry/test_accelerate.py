"""igraph as an optional accelerator: same group with and without it; refused where absent."""

from __future__ import annotations

import importlib.util
import sys

import networkx
import pytest

from certify.errors import InputError
from certify.games import builtin
from certify.symmetry import symmetries
from certify.symmetry.graph import coloured_graph
from certify.symmetry.structure import Structure


@pytest.mark.parametrize("name", ["dectiger", "lever:6:9/10", "match:3x3x3", "lewis:3"])
def test_with_igraph_the_group_is_the_same(name: str) -> None:
    if importlib.util.find_spec("igraph") is None:
        pytest.skip("igraph (optional, GPL) is not installed")
    plain, fast = symmetries(builtin(name)), symmetries(builtin(name), accelerate=True)
    assert (fast.order, fast.complete, fast.orbits) == (plain.order, True, plain.orbits)


@pytest.mark.parametrize("name, order", [("climbing", 1), ("matching-pennies", 4), ("two-stage-lever", 4)])
def test_the_graph_has_the_automorphisms_of_the_game(name: str, order: int) -> None:
    """networkx counts them by brute force."""
    size, edges, colours = coloured_graph(Structure(builtin(name)))
    graph = networkx.Graph(edges.tolist())
    graph.add_nodes_from((v, {"colour": colours[v]}) for v in range(size))
    matcher = networkx.isomorphism.GraphMatcher(graph, graph, node_match=lambda a, b: a["colour"] == b["colour"])
    assert sum(1 for _ in matcher.isomorphisms_iter()) == order


def test_without_igraph_it_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "igraph", None)
    with pytest.raises(InputError, match="not installed"):
        symmetries(builtin("climbing"), accelerate=True)
