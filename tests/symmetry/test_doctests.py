"""The examples in the docstrings run."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import certify.symmetry

MODULES = [f"certify.symmetry.{module.name}" for module in pkgutil.iter_modules(certify.symmetry.__path__)]


@pytest.mark.parametrize("name", [*MODULES, "certify.checker.symmetry", "certify.uniqueness.existence",
                                  "certify.uniqueness.jets"])
def test_examples(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0
