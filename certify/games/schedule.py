"""The steps of a tree: a time for every information set (docs/theory/potential.md#turns)."""

from __future__ import annotations

from certify.errors import InputError
from certify.games.extensive import CHANCE, Extensive


def schedule(tree: Extensive) -> list[int]:
    """The least time of every information set, -1 for those that no node belongs to.

    Times rise along every path, except that players who move one after the other without anybody knowing move in
    one step.  Raises `InputError` where two information sets come in both orders.
    """
    edges = _edges(tree)
    met = {node.info for node in tree.nodes if node.player >= 0}
    times = dict.fromkeys(met, 0)
    import networkx as nx  # takes a fifth of a second

    graph = nx.DiGraph()
    graph.add_nodes_from(met)
    graph.add_edges_from(edges)
    condensed = nx.condensation(graph)
    home = condensed.graph["mapping"]
    for (one, two), later in edges.items():
        if later and home[one] == home[two]:
            raise _both_orders(tree, one, two)
    for component in nx.topological_sort(condensed):
        members = condensed.nodes[component]["members"]
        time = max(times[info] for info in members)
        for info in members:
            times[info] = time
            for following in graph.successors(info):
                if home[following] != component:
                    times[following] = max(times[following], time + edges[info, following])
    return [times.get(info, -1) for info in range(len(tree.sets))]


def _edges(tree: Extensive) -> dict[tuple[int, int], int]:
    """(earlier, later) information sets on a path: by how many steps they are apart at least, 0 or 1."""
    blocks = [_block(tree, k) for k in range(len(tree.nodes))]
    above = [-1] * len(tree.nodes)
    for k, node in enumerate(tree.nodes):
        for child in node.children:
            above[child] = k
    edges: dict[tuple[int, int], int] = {}
    for k, node in enumerate(tree.nodes):
        if node.player < 0:
            continue
        distance, n = 0, k
        while (n := above[n]) >= 0:
            distance += 1
            other = tree.nodes[n]
            if other.player == CHANCE:
                continue
            apart = int(distance >= blocks[n])
            edges[other.info, node.info] = max(apart, edges.get((other.info, node.info), 0))
            if apart:
                break  # earlier ones are earlier than this one by themselves
    return edges


def _block(tree: Extensive, k: int) -> int:
    """How many layers of nodes from node k down may be one step: every layer in one information set, of a player
    of its own; 0 for chance and leaves."""
    layer, players = [k], set[int]()
    while layer:
        first = tree.nodes[layer[0]]
        if first.player < 0 or first.player in players:
            break
        if any(tree.nodes[m].info != first.info or tree.nodes[m].player != first.player for m in layer):
            break
        players.add(first.player)
        layer = [child for m in layer for child in tree.nodes[m].children]
    return len(players)


def _both_orders(tree: Extensive, one: int, two: int) -> InputError:
    names = [f"{tree.sets[info][1]} of {tree.players[tree.sets[info][0]]}" for info in (one, two)]
    lines = [next(node.line for node in tree.nodes if node.player >= 0 and node.info == info) for info in (one, two)]
    return InputError(
        f"{tree.where}, line {lines[1]}",
        f"no order of steps: the information set {names[0]} (line {lines[0]}) comes before {names[1]} on one path, and "
        "after it, or after one that follows it, on another",
        "give a game whose information sets know what time it is",
    )
