"""The examples in the docstrings of claims, their certificates and their scripts run."""

from __future__ import annotations

import doctest
import importlib
import importlib.util
from pathlib import Path

import pytest

MODULES = ("certify.claims.model", "certify.claims.text", "certify.claims.suite", "certify.certificates.crossplay")
SCRIPTS = sorted((Path(__file__).resolve().parents[2] / "proofs").glob("[0-9]*.py"))


@pytest.mark.parametrize("name", MODULES)
def test_modules(name: str) -> None:
    found = doctest.testmod(importlib.import_module(name))
    assert found.attempted and not found.failed


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda p: p.stem)
def test_scripts(path: Path) -> None:
    specification = importlib.util.spec_from_file_location(f"doctest_{path.stem}", path)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    assert not doctest.testmod(module).failed
