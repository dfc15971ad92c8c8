"""The examples in the docstrings of the fast engine run as written."""

import doctest
import importlib
import pkgutil

import pytest

import certify.checker

MODULES = [module.name for module in pkgutil.iter_modules(certify.checker.__path__) if module.name.startswith("fast")]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    assert doctest.testmod(importlib.import_module(f"certify.checker.{name}")).failed == 0


def test_there_are_examples():
    assert sum(doctest.testmod(importlib.import_module(f"certify.checker.{name}")).attempted for name in MODULES) > 15
