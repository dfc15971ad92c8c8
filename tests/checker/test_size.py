"""What a stranger must read to trust a check, counted from the imports: the README states these numbers."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from certify.checker.check import KINDS

ROOT = Path(__file__).resolve().parent.parent.parent
PREFIX = "certify.checker."


def path_of(module: str) -> Path:
    return ROOT / Path(*module.split(".")).with_suffix(".py")


def imported(tree: ast.Module, inside_functions: bool) -> Iterator[str]:
    """The checker's modules that a module imports when it is loaded, or also later, by its functions."""
    for node in ast.walk(tree) if inside_functions else tree.body:
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            yield from (name for name in names if name.startswith(PREFIX) and path_of(name).exists())


def to_read(start: Iterable[str], inside_functions: bool) -> set[str]:
    """The modules that those of `start` rest on, the fast engine left out: the plain one does not need it."""
    found: set[str] = set()
    pending = [PREFIX + name for name in start]
    while pending:
        module = pending.pop()
        if module not in found and not module.startswith(PREFIX + "fast."):
            found.add(module)
            tree = ast.parse(path_of(module).read_text(encoding="utf-8"))
            pending += imported(tree, inside_functions)
    return found


def threshold_path() -> set[str]:
    """For a certificate of kind "threshold" without the optional evidence, which is loaded where it is met."""
    return to_read(["check", KINDS["threshold"][0]], inside_functions=False)


def game_kinds() -> set[str]:
    """For every kind about a game, all evidence included."""
    kinds = {module for kind, (module, _) in KINDS.items() if not kind.startswith("entropy-")}
    return to_read(["check", *sorted(kinds)], inside_functions=True)


def lines(modules: set[str]) -> int:
    return sum(len(path_of(module).read_text(encoding="utf-8").splitlines()) for module in modules)


def test_the_readme_states_the_measured_numbers() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    stated = re.search(r"([\d,]+) lines for a threshold, ([\d,]+) for all kinds about\s+games", text)
    assert stated, "the README states both numbers"
    measured = f"{lines(threshold_path()):,}", f"{lines(game_kinds()):,}"
    assert stated.groups() == measured, f"write {measured[0]} and {measured[1]} into the README"


def test_the_paths_are_what_they_should_be() -> None:
    threshold, games = threshold_path(), game_kinds()
    assert threshold < games
    rooms = {module.removeprefix(PREFIX).split(".")[0] for module in threshold}
    assert rooms == {"check", "verdict", "reading", "kinds", "cover", "plain", "numbers"}
    assert {PREFIX + f"kinds.{kind}" for kind in ("multiplicity", "optimum", "crossplay", "symmetry")} <= games
    assert not [module for module in games if ".entropy" in module or ".fast" in module]


@pytest.mark.parametrize("line", ["from certify.checker.kinds import symmetry", "import json"])
def test_an_import_more_is_counted(line: str) -> None:
    """Falsification: what is imported counts, and nothing of the standard library."""
    found = list(imported(ast.parse(line), inside_functions=False))
    assert found == ([PREFIX + "kinds.symmetry"] if "checker" in line else [])
