"""The examples in the docstrings of `certify.games` run as written."""

import doctest
import importlib
import pkgutil

import pytest

import certify.games


@pytest.mark.parametrize("name", [module.name for module in pkgutil.iter_modules(certify.games.__path__)])
def test_examples(name):
    found = doctest.testmod(importlib.import_module(f"certify.games.{name}"))
    if not found.attempted:
        pytest.skip("no examples")
    assert found.failed == 0
