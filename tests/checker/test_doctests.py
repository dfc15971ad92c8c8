"""The examples in the checker's docstrings run."""

import doctest
import importlib
import pkgutil

import pytest

import certify.checker

MODULES = sorted(m.name for m in pkgutil.iter_modules(certify.checker.__path__) if m.name != "__main__")


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    assert doctest.testmod(importlib.import_module(f"certify.checker.{name}")).failed == 0
