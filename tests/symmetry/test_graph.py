"""The coloured graph of a game: its classes, its names, and its way out as GraphML."""

from __future__ import annotations

from pathlib import Path

import networkx
import numpy as np
import pytest
from click.testing import CliRunner

from certify.cli.main import cli
from certify.errors import InputError
from certify.games import builtin
from certify.symmetry import symmetries
from certify.symmetry.graph import coloured_graph, game_graph, refined_classes, write_graphml
from certify.symmetry.structure import Structure

GAMES = ["lever:3", "lever:4:9/10", "climbing", "dectiger", "tiny-hanabi:E"]


@pytest.mark.parametrize("name", GAMES)
def test_orbits_lie_within_classes(name: str) -> None:
    """Whatever an automorphism exchanges, refinement does not tell apart."""
    structure = Structure(symmetries(builtin(name)).game)
    cells = refined_classes(*coloured_graph(structure))
    group = symmetries(builtin(name))
    for orbit in group.orbits["agents"]:
        assert len({cells[i] for i in orbit}) == 1
    for orbit in group.orbits["actions"]:
        assert len({cells[structure.action_offset[i] + a] for i, a in orbit}) == 1


@pytest.mark.parametrize("name", GAMES)
def test_two_refinements_agree(name: str) -> None:
    """Exact classes of the graph against the hashed ones that the search uses, on the points."""
    structure = Structure(builtin(name))
    cells = refined_classes(*coloured_graph(structure))[: structure.number_of_points]
    colours, _ = structure.refine(structure.initial())
    pairs = set(zip(cells, colours.tolist(), strict=True))
    assert len(pairs) == len(set(cells)) == len(set(colours.tolist()))


def test_a_refinement_that_stops_early_is_coarser() -> None:
    path = np.array([[k, k + 1] for k in range(6)])
    assert refined_classes(7, path, [0] * 7) == [0, 1, 2, 3, 2, 1, 0]


def test_graphml_can_be_read_back(tmp_path: Path) -> None:
    game = builtin("dectiger")
    write_graphml(game, tmp_path / "dectiger.graphml")
    graph, read = game_graph(game), networkx.read_graphml(tmp_path / "dectiger.graphml", node_type=int)
    assert dict(read.nodes(data=True)) == dict(graph.nodes(data=True))
    assert set(map(frozenset, read.edges)) == set(map(frozenset, graph.edges))
    assert {"agent1: listen", "tiger-left", "agent2"} <= {label for _, label in graph.nodes(data="label")}


def test_a_folder_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot be written"):
        write_graphml(builtin("lever:2"), tmp_path / "none" / "game.graphml")


def test_the_command_writes_it(tmp_path: Path) -> None:
    path = tmp_path / "lever.graphml"
    done = CliRunner().invoke(cli, ["symmetries", "lever:3", "--graphml", str(path)])
    assert done.exit_code == 0
    assert f"coloured graph: {path}" in done.output
    assert networkx.read_graphml(path).number_of_nodes() == len(game_graph(builtin("lever:3")))
