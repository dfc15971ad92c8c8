"""`--method windows`, and `auto` where a tree would be too large."""

from __future__ import annotations

from typing import Any

import pytest

import certify
from certify.answers import ladder
from certify.errors import InputError
from certify.games import builtin
from certify.run import OutOfTime


def test_windows_are_a_method() -> None:
    found = certify.threshold(builtin("dectiger", horizon=2), method="windows", rtol="1/2")
    assert found.status == "proved"
    assert found.method.startswith("windows (k = ")
    assert found.document["proof"]["type"] == "windows"
    assert float(found.alpha_star) < 60


def test_auto_compares_windows_where_the_tree_is_too_large() -> None:
    found = certify.threshold(builtin("recycling", horizon=2), max_entries=3, rtol="1/2", time_limit=120)
    assert found.status == "proved"
    assert found.method.startswith("windows")
    assert "entries" in found.reason or "max" in found.reason


def test_auto_goes_on_with_windows_where_unrolling_takes_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(*_: Any, **__: Any) -> None:
        raise OutOfTime("out of time while unrolling the game")

    monkeypatch.setattr(ladder, "unroll", slow)
    found = certify.threshold(builtin("recycling", horizon=2), rtol="1/2", time_limit=120)
    assert found.status == "proved"
    assert found.method.startswith("windows")
    assert "unrolling" in found.reason


def test_windows_alone_say_what_they_cannot_do() -> None:
    with pytest.raises(InputError, match="13 actions"):
        certify.threshold(builtin("lever:13"), method="windows")
