"""Certificates for every horizon where one number of steps is needed, and where an engine cannot verify them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import certify
from certify.checker.__main__ import main as check_alone
from certify.cli.main import main
from certify.errors import InputError, Undecided

VALID = Path(__file__).resolve().parent.parent / "certificates" / "endless" / "valid"
WINDOWS, ROWS = str(VALID / "windows_one.json"), str(VALID / "recycling.json")


def ended(*arguments: str) -> int:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert isinstance(end.value.code, int)
    return end.value.code


@pytest.mark.parametrize("command", ["threshold", "optimum", "policy", "crossplay", "anneal", "symmetries"])
def test_a_game_of_every_horizon_is_not_taken_with_one_step(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each took horizon 1, which the file holds for want of another, and did not say so."""
    rest = ["nothing.json", "--alpha", "1"] if command == "policy" else ["--alpha", "1"]
    arguments = [] if command in ("threshold", "symmetries") else rest
    assert ended(command, ROWS, *arguments) == 2
    said = capsys.readouterr()
    assert said.out == "" and said.err.count("\n") == 1
    assert "a certificate for every horizon, not for one; pass --horizon N" in said.err


def test_with_a_number_of_steps_it_is_taken(capsys: pytest.CaptureFixture[str]) -> None:
    assert ended("threshold", ROWS, "--horizon", "2", "--method", "structural", "--json") == 0
    assert json.loads(capsys.readouterr().out)["horizon"] == 2
    assert ended("threshold", ROWS, "--horizon", "inf", "--method", "structural", "--json") == 0
    assert json.loads(capsys.readouterr().out)["horizon"] is None
    with pytest.raises(InputError, match="pass --horizon N"):
        certify.optimum(ROWS, 600)


def test_a_threshold_for_every_horizon_is_not_one_of_another_game(capsys: pytest.CaptureFixture[str]) -> None:
    assert ended("optimum", ROWS, "--horizon", "2", "--alpha", "600", "--threshold", ROWS) == 2
    assert "a certificate for every horizon; give one for this horizon" in capsys.readouterr().err


def test_an_engine_that_cannot_verify_a_proof_gives_no_verdict(capsys: pytest.CaptureFixture[str]) -> None:
    """The plain engine called valid certificates of windows for every horizon invalid."""
    why = "windows for every horizon are verified by the fast engine only"
    assert ended("check", WINDOWS, "--engine", "stdlib") == 3
    assert "undecided (stdlib engine)" in (said := capsys.readouterr().out) and why in said
    assert ended("check", WINDOWS, "--engine", "stdlib", "--json") == 3
    found = json.loads(capsys.readouterr().out)
    assert found["valid"] is False and found["failed_step"] is None and why in found["undecided"]
    assert check_alone([WINDOWS, "--engine", "stdlib"]) == 3
    assert "undecided" in (said := capsys.readouterr().err) and why in said
    assert check_alone([WINDOWS, "--engine", "stdlib", "--json"]) == 3
    assert why in json.loads(capsys.readouterr().out)["undecided"]
    with pytest.raises(Undecided, match="fast engine only"):
        certify.check(WINDOWS, engine="stdlib")
    assert ended("check", WINDOWS, "--engine", "fast") == 0
