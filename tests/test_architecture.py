"""The map in the README is true: imports go one way, and the checker stands apart."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "certify"
LAYERS = [{"errors", "exact"}, {"games"}, {"bounds"}, {"uniqueness", "symmetry", "entropy"}, {"certificates"},
          {"api"}, {"claims"}, {"cli"}]


def layer_of(part):
    if part.endswith(("_api", "_result")):      # the calls behind the commands, one module each
        part = "api"
    return next(k for k, names in enumerate(LAYERS) if part in names)


def imported(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def modules():
    return [p for p in sorted(PACKAGE.rglob("*.py")) if p != PACKAGE / "__init__.py"]


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_go_one_way(path):
    part = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    for name in imported(path):
        pieces = name.split(".")
        if pieces[0] != "certify":
            continue
        if part == "checker":
            assert pieces[1] == "checker", f"the checker imports {name}"
        elif len(pieces) > 1 and pieces[1] == "checker":
            assert layer_of(part) >= layer_of("api"), f"{part} imports the checker"
        elif len(pieces) > 1:
            assert layer_of(pieces[1]) <= layer_of(part), f"{part} imports {name}"


def test_the_standard_library_engine_needs_nothing_else():
    allowed = {"__future__", "argparse", "bisect", "collections", "concurrent", "dataclasses", "fractions", "functools",
               "hashlib", "itertools", "json", "math", "operator", "pathlib", "re", "sys", "os", "certify", "time", "typing",
               "struct"}
    for path in sorted((PACKAGE / "checker").glob("*.py")):
        if path.name.startswith("fast"):
            continue
        found = {name.split(".")[0] for name in imported(path)}
        assert found <= allowed, f"{path.name} imports {found - allowed}"
