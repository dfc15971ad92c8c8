"""The examples in the docstrings of `certify.entropy` and of its checker run as written."""

import doctest
import importlib
import pkgutil

import pytest

import certify.checker
import certify.entropy

NAMES = [f"certify.entropy.{m.name}" for m in pkgutil.iter_modules(certify.entropy.__path__)]
NAMES += [f"certify.checker.{m.name}" for m in pkgutil.iter_modules(certify.checker.__path__)
          if m.name.startswith("entropy")]
EXAMPLES = {name: importlib.import_module(name) for name in NAMES}


@pytest.mark.parametrize("name", [n for n, m in EXAMPLES.items() if ">>>" in "".join(
    t.docstring or "" for t in doctest.DocTestFinder().find(m))])
def test_examples(name):
    found = doctest.testmod(EXAMPLES[name])
    assert found.attempted and not found.failed
