"""The examples in every docstring run as written: one runner for the package and for `proofs/`."""

from __future__ import annotations

import doctest
import importlib
import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCES = sorted([*(ROOT / "certify").rglob("*.py"), *(ROOT / "proofs").glob("[0-9]*.py")])


def with_examples() -> list[Path]:
    return [path for path in SOURCES if ">>>" in path.read_text(encoding="utf-8")]


def module_at(path: Path) -> ModuleType:
    parts = path.relative_to(ROOT).with_suffix("").parts
    if parts[0] == "certify":
        return importlib.import_module(".".join(part for part in parts if part != "__init__"))
    specification = importlib.util.spec_from_file_location(f"doctest_{path.stem}", path)
    assert specification is not None and specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.mark.parametrize("path", with_examples(), ids=lambda p: str(p.relative_to(ROOT)))
def test_examples(path: Path) -> None:
    found = doctest.testmod(module_at(path))
    assert found.attempted and not found.failed
