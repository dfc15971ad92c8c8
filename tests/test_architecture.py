"""The map in the README is true: imports between rooms go one way, and the checker stands apart.

`ROOMS` names for every room the rooms that it may import from, room by room, so that no circle
hides inside a set of rooms.
"""

from __future__ import annotations

import ast
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "certify"
ROOMS = {
    "errors": set(),
    "exact": {"errors"},
    "memory": {"errors"},
    "files": set(),
    "checkpoint": {"errors", "files"},
    "run": {"checkpoint"},
    "notebook": {"exact"},
    "games": {"exact", "errors"},
    "bounds": {"games"},
    "thresholds": {"bounds", "games"},
    "symmetry": {"bounds", "games"},
    "entropy": {"bounds", "games"},
    "stationary": {"symmetry", "thresholds", "bounds", "games"},
    "crossplay": {"stationary", "thresholds", "symmetry", "bounds", "games"},
    "certificates": {"crossplay", "stationary", "thresholds", "symmetry", "entropy", "bounds", "games"},
    "coq": {"symmetry", "games"},
    "answers": {
        "certificates",
        "crossplay",
        "stationary",
        "thresholds",
        "symmetry",
        "entropy",
        "bounds",
        "games",
        "checker",
    },
    "reports": {
        "answers",
        "certificates",
        "crossplay",
        "stationary",
        "thresholds",
        "symmetry",
        "entropy",
        "bounds",
        "games",
        "checker",
    },
    "claims": {"answers", "certificates", "stationary", "symmetry", "entropy", "games", "checker"},
    "cli": {
        "reports",
        "claims",
        "answers",
        "certificates",
        "coq",
        "crossplay",
        "symmetry",
        "entropy",
        "bounds",
        "games",
        "checker",
    },
    "checker": set(),
}
GROUND = {
    "exact",
    "errors",
    "files",
    "memory",
    "run",
    "checkpoint",
    "notebook",
}  # what every room of the generator may use
STANDARD_LIBRARY = {
    "__future__",
    "argparse",
    "bisect",
    "collections",
    "concurrent",
    "dataclasses",
    "fractions",
    "functools",
    "hashlib",
    "importlib",
    "itertools",
    "json",
    "math",
    "operator",
    "os",
    "pathlib",
    "re",
    "struct",
    "sys",
    "time",
    "typing",
}


TOP_LEVEL = {
    ".ci",
    ".gitignore",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "LICENSE",
    "Makefile",
    "README.md",
    "benchmarks",
    "certify",
    "docs",
    "examples",
    "proofs",
    "pyproject.toml",
    "tests",
}


def test_nothing_else_lies_at_the_top() -> None:
    """What a visitor sees first: whatever is new belongs into one of these."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("no checkout: what belongs to the project is not known here")
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert {line.split("/")[0] for line in listed.splitlines()} == TOP_LEVEL


def imported(path: Path) -> Iterator[str]:
    """The full names that a file imports, `from a import b` as `a.b`."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def allowed(room: str) -> set[str]:
    return ROOMS[room] | {room} | (set() if room == "checker" else GROUND)


def forbidden(room: str, names: Iterator[str]) -> list[str]:
    """Those of `names` that a file in `room` must not import."""
    found = [name for name in names if name.split(".")[0] == "certify"]
    return [name for name in found if name.count(".") and name.split(".")[1] not in allowed(room)]


def modules() -> list[Path]:
    return [p for p in sorted(PACKAGE.rglob("*.py")) if p != PACKAGE / "__init__.py"]


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_go_one_way(path: Path) -> None:
    assert not forbidden(room_of(path), imported(path))


def test_the_rooms_form_no_circle() -> None:
    left = dict(ROOMS)
    while left:
        ground = [room for room, below in left.items() if not below & left.keys()]
        assert ground, f"a circle among {sorted(left)}"
        for room in ground:
            del left[room]


def test_an_import_that_runs_back_up_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "new.py"
    path.write_text("from certify import errors, symmetry\nfrom certify.stationary import greedy\n", encoding="utf-8")
    assert forbidden("symmetry", imported(path)) == ["certify.stationary.greedy"]
    assert forbidden("checker", imported(path)) == ["certify.errors", "certify.symmetry", "certify.stationary.greedy"]


def file_circles(edges: dict[str, set[str]]) -> list[str]:
    """The files on circles of imports: what is left after those that import nothing left are taken away."""
    left = {name: set(targets) for name, targets in edges.items()}
    while ground := [name for name, targets in left.items() if not targets & left.keys()]:
        for name in ground:
            del left[name]
    return sorted(left)


def edges() -> dict[str, set[str]]:
    names = {".".join(p.relative_to(ROOT).with_suffix("").parts): p for p in modules()}
    found = {}
    for name, path in names.items():
        targets = {t if t in names else t.rpartition(".")[0] for t in imported(path)}
        found[name] = (targets & names.keys()) - {name}
    return found


def test_no_two_files_import_each_other() -> None:
    assert not file_circles(edges())


def test_a_circle_is_seen() -> None:
    assert file_circles({"a": {"b"}, "b": {"a"}, "c": {"a"}, "d": set()}) == ["a", "b", "c"]


def test_the_plain_engine_needs_the_standard_library_only() -> None:
    for path in sorted((PACKAGE / "checker").rglob("*.py")):
        if path.parent.name == "fast":
            continue
        found = {name.split(".")[0] for name in imported(path)}
        assert found <= STANDARD_LIBRARY | {"certify"}, f"{path.name} imports {found - STANDARD_LIBRARY}"


@pytest.mark.parametrize("engine, other", [("plain", "fast"), ("fast", "plain")])
def test_the_engines_never_meet(engine: str, other: str) -> None:
    for path in sorted((PACKAGE / "checker" / engine).glob("*.py")):
        assert not [name for name in imported(path) if name.startswith(f"certify.checker.{other}.")]


EXACT_BASES = {"discount"}  # attributes that are always a Fraction


def handles_balls(path: Path) -> bool:
    """Whether a file of the generator may hold a ball of python-flint in a variable."""
    sources = ("flint", "certify.bounds.arb_", "certify.entropy.enclosure")
    return any(name.startswith(sources) for name in imported(path))


def powers_of_balls(path: Path) -> list[int]:
    """The lines with a power whose base may be a ball: neither a literal, nor `Fraction(…)`, nor a known Fraction."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "pow":
            found.append(node.lineno)
        if not (isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Pow)):
            continue
        base = node.left if isinstance(node, ast.BinOp) else node.target
        literal = isinstance(base, ast.Constant)
        converted = (
            isinstance(base, ast.Call) and isinstance(base.func, ast.Name) and base.func.id in ("Fraction", "float")
        )
        if not (literal or converted or (isinstance(base, ast.Attribute) and base.attr in EXACT_BASES)):
            found.append(node.lineno)
    return found


def test_no_ball_is_raised_to_a_power_by_the_operator() -> None:
    """python-flint's `arb ** 2` is nan where the midpoint is exactly 0 and the radius is not: `square`, `power`."""
    for path in modules():
        if room_of(path) != "checker" and handles_balls(path):
            assert not powers_of_balls(path), f"{path.name}: use square or power of certify.bounds.arb_numbers"


@pytest.mark.parametrize("line", ["y = x ** 2", "x **= 3", "y = pow(x, 2)", "y = (x - z) ** n", "y = arb(2) ** -20"])
def test_a_power_of_a_ball_is_seen(tmp_path: Path, line: str) -> None:
    path = tmp_path / "new.py"
    path.write_text(f"from flint import arb\n{line}\n", encoding="utf-8")
    assert handles_balls(path) and powers_of_balls(path) == [2]


def test_exact_powers_are_allowed(tmp_path: Path) -> None:
    path = tmp_path / "new.py"
    path.write_text("from flint import arb\ny = 2**40 + Fraction(2) ** k + shape.discount**t\n", encoding="utf-8")
    assert not powers_of_balls(path)


JUDGE = {
    "certify.checker",
    "certify.checker.check_certificate",
    "certify.checker.check_file",
    "certify.checker.Verdict",
}


def seen_of_the_checker(names: Iterator[str]) -> list[str]:
    """What is imported of the checker beside the functions that judge a certificate."""
    return [name for name in names if name.split(".")[:2] == ["certify", "checker"] and name not in JUDGE]


@pytest.mark.parametrize("path", sorted((PACKAGE / "answers").glob("*.py")), ids=lambda p: p.name)
def test_answers_only_ask_the_checker_for_its_verdict(path: Path) -> None:
    """A search that uses the referee's internals as a tool would no longer be judged by somebody else."""
    assert not seen_of_the_checker(imported(path))


def test_a_use_of_the_checkers_internals_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "new.py"
    path.write_text("from certify import checker\nfrom certify.checker.stationary import krawczyk\n", encoding="utf-8")
    assert seen_of_the_checker(imported(path)) == ["certify.checker.stationary.krawczyk"]
