"""Python calls take what people hold, and what they cannot take is an `InputError`."""

from __future__ import annotations

import json
import subprocess
import sys
from decimal import Decimal
from fractions import Fraction as F
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import certify
from certify.answers.policy import policy_distance

PENNIES = [[1, 0], [0, 1]]
GAMES = [
    PENNIES,
    ((1, 0), (0, 1)),
    np.eye(2),
    np.eye(2, dtype=np.float16),
    {"kind": "one-shot", "payoff": [[1.0, 0], [0, 1]]},
]


def _name(value: object) -> str:
    """A name for a case that is the same in every process: no addresses."""
    return type(value).__name__ if " at 0x" in repr(value) else repr(value)


@pytest.mark.parametrize("game", GAMES, ids=lambda g: type(g).__name__)
def test_every_call_takes_a_game_as_it_is_held(game: Any, tmp_path: Path) -> None:
    known = certify.threshold(game, method="structural")
    assert known.alpha_star == F(1, 2)
    path = tmp_path / "known.json"
    path.write_text(json.dumps(known.document), encoding="utf-8")
    assert certify.optimum(game, 0.75, threshold=known).kind == "unique"
    assert certify.symmetries(game).order == 4
    assert certify.cross_play(game, np.float64(1), certificate=path).relation == "equal"
    half = [[[0.5, 0.5]], [np.array([0.5, 0.5])]]
    assert policy_distance(game, "1", half).status == "proved"


def test_from_array_is_exported() -> None:
    assert certify.threshold(certify.from_array(PENNIES), method="structural").alpha_star == F(1, 2)


@pytest.mark.parametrize("limit", [60, 60.0, "60", F(60), np.float32(60), np.int64(60)])
def test_limits_are_numbers_or_text(limit: Any, tmp_path: Path) -> None:
    known = certify.threshold(
        PENNIES, method="localisation", time_limit=limit, rtol="1/2", modulus_at=1.5, workers=np.int64(1), alpha_min=0.1
    )
    assert known.status == "proved"
    path = tmp_path / "known.json"
    path.write_text(json.dumps(known.document), encoding="utf-8")
    found = certify.optimum(PENNIES, "1", time_limit=limit, width=0.05, max_entries="1000", threshold=known)
    assert found.status == "proved"
    found = certify.cross_play(PENNIES, 1, time_limit=limit, starts="2", seed=np.int8(3), certificate=path)
    assert found.status == "proved"


def test_a_step_takes_lists_and_arrays() -> None:
    expected = certify.step_report(["1/4", "3/4"], ["1", "0"], "reinforce", {}, F(0), F(1, 100))
    assert expected.sign.sign == "increases"
    found = certify.step_report(np.array([0.25, 0.75]), (1.0, 0), "reinforce", {}, 0, 0.01)
    assert (found.sign, found.change) == (expected.sign, expected.change)


WRONG: list[Any] = [
    None, 3, object(), Decimal("0.1"), b"lever:2", set(), [], [[1], [1, 2]], [["x"]], [[float("nan")]], {1: 2}, {},
    lambda: 0, float("inf"), 1j, [[None]], np.array(1), np.array([["a", "b"]]), type,
]  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG, ids=_name)
def test_what_is_no_game_is_an_input_error(wrong: Any) -> None:
    for call in (
        lambda: certify.threshold(wrong),
        lambda: certify.optimum(wrong, 1),
        lambda: certify.symmetries(wrong),
        lambda: certify.cross_play(wrong, 1),
        lambda: policy_distance(wrong, 1, [[[1]]]),
        lambda: certify.from_array(wrong),
        lambda: certify.load(wrong),
        lambda: certify.check(wrong),
    ):
        with pytest.raises(certify.InputError):
            call()


@pytest.mark.parametrize(
    "wrong", [None, object(), "x", b"1", [], [1, 2, 3], float("nan"), -1, 0, "1/0", 1j, {}], ids=_name
)
def test_what_is_no_temperature_is_an_input_error(wrong: Any) -> None:
    for call in (certify.optimum, certify.cross_play, lambda g, a: policy_distance(g, a, [[[0.5, 0.5]]] * 2)):
        with pytest.raises(certify.InputError):
            call(PENNIES, wrong)


@pytest.mark.parametrize("wrong", [object(), "x", [], float("nan"), -1, 0, 1j, "", b"1"], ids=_name)
def test_what_is_no_limit_is_an_input_error(wrong: Any) -> None:
    for name in ("time_limit", "rtol", "workers", "alpha_min", "max_entries", "method"):
        with pytest.raises(certify.InputError):
            certify.threshold(PENNIES, **{name: wrong})
    for name in ("time_limit", "width", "max_entries", "threshold"):
        with pytest.raises(certify.InputError):
            certify.optimum(PENNIES, 1, **{name: wrong})
    for name in ("time_limit", "starts"):
        with pytest.raises(certify.InputError):
            certify.cross_play(PENNIES, 1, **{name: wrong})
    with pytest.raises(certify.InputError):
        certify.load("dectiger", horizon=wrong if wrong != [] else [1])


@pytest.mark.parametrize(
    "wrong", [None, object(), 3, "no-file.json", [1, 2], [[1, 2], [3]], {"x": 1}, [[["a", "b"]]] * 2], ids=_name
)
def test_what_is_no_policy_is_an_input_error(wrong: Any) -> None:
    with pytest.raises(certify.InputError):
        policy_distance(PENNIES, 1, wrong)
    with pytest.raises(certify.InputError):
        certify.step_report(wrong, [1, 0], "reinforce", {}, 0, 1)
    with pytest.raises(certify.InputError):
        certify.structural_threshold(wrong)


def test_an_unguarded_script_under_spawn_hears_one_line(tmp_path: Path) -> None:
    """Children that import the script again end quietly, the call says what to do."""
    script = tmp_path / "script.py"
    script.write_text(
        "import multiprocessing as m\nm.set_start_method('spawn', force=True)\nimport certify\n"
        "try:\n    certify.threshold('climbing', method='search', workers=2, time_limit=60)\n"
        "except certify.InputError as error:\n    print(error)\n",
        encoding="utf-8",
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=900, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    assert done.stderr.count("\n") <= 1
    assert "under `if __name__ == '__main__':`" in done.stdout
