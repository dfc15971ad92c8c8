"""The examples in the documentation of the modules behind `certify optimum` and `certify policy`."""

from __future__ import annotations

import doctest
import importlib

import pytest

MODULES = ["certify.checker.slopes", "certify.cli.optimum", "certify.optimum_api", "certify.policy_api",
           "certify.uniqueness.approx_rate", "certify.uniqueness.enclosed", "certify.uniqueness.greedy"]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str) -> None:
    result = doctest.testmod(importlib.import_module(name))
    assert result.attempted > 0 and result.failed == 0
