"""A game as a coloured graph: for igraph, for colour refinement a second way, and as GraphML.

One vertex for each point (agent, action, observation, state), one for each role that a state can
play in a row, one for each row of a table.  The automorphisms of the graph, restricted to the
points, are those of the game (docs/theory/symmetry.md#completeness).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from certify.errors import InputError
from certify.files import whole
from certify.games.model import GameTables
from certify.symmetry.structure import Structure

if TYPE_CHECKING:
    import networkx

ROLES = ("from", "to")  # what a state is in a row: where the step begins, where it leads


def coloured_graph(structure: Structure) -> tuple[int, np.ndarray, list[int]]:
    """(number of vertices, edges (E, 2), colour of each vertex); the points come first.

    >>> from certify.games import builtin
    >>> coloured_graph(Structure(builtin("lever:2")))[0]  # 9 points, 2 copies of the state, 3 rows
    14
    """
    size = structure.number_of_points
    palette: dict[tuple[object, ...], int] = {}

    def colour(*key: object) -> int:
        return palette.setdefault(key, len(palette))

    colours = [colour("point", int(k)) for k in structure.kind]
    states = np.arange(structure.state_offset, size)
    edges = [np.stack([np.arange(len(structure.owner)), structure.owner], axis=1)]
    edges[0] = edges[0][edges[0][:, 0] != edges[0][:, 1]]
    copies = {}
    for role in range(len(ROLES)):
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


def refined_classes(size: int, edges: np.ndarray, colours: list[int]) -> list[int]:
    """The stable colouring of a graph: classes, numbered as they are first met, one per vertex.

    Vertices of different classes are in different orbits of the graph's automorphisms.  Exact:
    a vertex is told apart by its colour and the multiset of its neighbours' colours, not by hashes.

    >>> refined_classes(4, np.array([[0, 1], [1, 2], [2, 3]]), [0, 0, 0, 0])
    [0, 1, 1, 0]
    """
    neighbours: list[list[int]] = [[] for _ in range(size)]
    for a, b in edges.tolist():
        neighbours[a].append(b)
        neighbours[b].append(a)
    classes, count = list(colours), len(set(colours))
    while True:
        seen: dict[tuple[int, tuple[int, ...]], int] = {}
        classes = [
            seen.setdefault((classes[v], tuple(sorted(classes[w] for w in near))), len(seen))
            for v, near in enumerate(neighbours)
        ]
        if len(seen) == count:
            return classes
        count = len(seen)


def game_graph(game: GameTables) -> networkx.Graph:
    """The coloured graph of a game, with names.

    Attributes of a vertex: `kind` (agent, action, observation, state, from, to, start, transition,
    emission or reward), `label` (the name, or the row's number), `colour` (equal for vertices
    that may be exchanged by type and value alone) and `cell` (its class after refinement).

    >>> from certify.games import builtin
    >>> graph = game_graph(builtin("lever:2"))
    >>> graph.number_of_nodes(), graph.nodes[2]["kind"], graph.nodes[2]["label"]
    (14, 'action', 'agent1: 0')
    """
    import networkx

    structure = Structure(game)
    size, edges, colours = coloured_graph(structure)
    cells = refined_classes(size, edges, colours)
    graph = networkx.Graph(name=game.name)
    for vertex, (kind, label) in enumerate(_vertices(structure)):
        graph.add_node(vertex, kind=kind, label=label, colour=colours[vertex], cell=cells[vertex])
    graph.add_edges_from(edges.tolist())
    return graph


def _vertices(structure: Structure) -> Iterator[tuple[str, str]]:
    """Kind and label of every vertex, in the order of `coloured_graph`."""
    game, meanings = structure.game, structure.meanings()
    for point in range(structure.number_of_points):
        kind, *place = structure.describe(point)
        yield kind, _name(game, kind, place)
    for role in ROLES:
        for state in game.states:
            yield role, str(state)
    for table in structure.tables:
        for colour in table.colours.tolist():
            name, value = meanings[colour]
            yield str(name), str(value)


def _name(game: GameTables, kind: str, place: list[Any]) -> str:
    if kind == "agent":
        return str(game.agents[place[0]])
    if kind == "state":
        return str(game.states[place[0]])
    names = game.actions if kind == "action" else game.observations
    return f"{game.agents[place[0]]}: {names[place[0]][place[1]]}"


def write_graphml(game: GameTables, path: str | Path) -> None:
    """Write the coloured graph of a game as GraphML, for graph tools and drawing programs.

    Raises `InputError` where the file cannot be written.
    """
    import networkx

    graph = game_graph(game)
    try:
        with whole(path) as draft, draft.open("wb") as file:
            networkx.write_graphml_xml(graph, file)
    except OSError as error:
        raise InputError(
            str(path), f"cannot be written ({error.strerror})", "name a file in a folder that exists"
        ) from None
