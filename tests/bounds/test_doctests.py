"""The examples in the docstrings of `certify.bounds` run as written."""

import doctest
import importlib
import pkgutil

import pytest

import certify.bounds


@pytest.mark.parametrize("name", [module.name for module in pkgutil.iter_modules(certify.bounds.__path__)])
def test_examples(name):
    found = doctest.testmod(importlib.import_module(f"certify.bounds.{name}"))
    if not found.attempted:
        pytest.skip("no examples")
    assert found.failed == 0
