"""Small files that are much work: bounded in advance from the file, or cheap as long digits are rounded to the safe
side.  The files lie under `certificates/costly/`.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from certify.checker.__main__ import main as checker_main
from certify.checker.check import check_certificate, check_file
from certify.checker.verdict import Costly
from certify.cli.main import main

FOLDER = Path(__file__).resolve().parent.parent / "certificates" / "costly"
ENGINES = ("stdlib", "fast")


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", ["twelve_agents", "long_probabilities", "coprime_vector"])
def test_what_was_slow_is_quick(name: str, engine: str) -> None:
    """They took 10 seconds and more, up to hours."""
    began = time.process_time()
    verdict = check_file(FOLDER / f"{name}.json", engine=engine)
    assert verdict.valid, verdict.failed_step
    assert time.process_time() - began < 20


@pytest.mark.parametrize("engine", ENGINES)
def test_what_is_too_much_is_refused_in_advance(engine: str) -> None:
    """A file of a few hundred bytes, which would take six minutes and more."""
    began = time.process_time()
    with pytest.raises(Costly, match="more than the budget of 300 s"):
        check_file(FOLDER / "nineteen_agents.json", engine=engine)
    assert time.process_time() - began < 60


def test_the_budget_is_an_option_and_no_verdict(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["check", str(FOLDER / "twelve_agents.json"), "--budget", "0.01"])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert "no verdict" in said
    assert "raise --budget" in said
    assert "INVALID" not in said


@pytest.mark.parametrize(
    "name",
    ["windows/valid/three_steps", "optimum/valid/branch", "crossplay/valid/three_levers", "valid/climbing_cover"],
)
@pytest.mark.parametrize("engine", ENGINES)
def test_the_clock_stops_what_is_not_estimated(name: str, engine: str) -> None:
    """Between intervals, enclosures and batches of claims."""
    path = FOLDER.parent / f"{name}.json"
    with pytest.raises(Costly, match=r"budget of 1e-06 s"):
        check_file(path, engine=engine, budget=1e-6)
    assert check_file(path, engine=engine).valid


def test_rounding_does_not_let_a_lower_threshold_pass() -> None:
    document = json.loads((FOLDER / "coprime_vector.json").read_text(encoding="utf-8"))
    document["claim"]["alpha_star"] = "1/1000000"
    assert not check_certificate(document, engine="stdlib").valid


def test_an_internal_failure_is_no_verdict(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Python's own exit code would be 1, which says "invalid"."""

    def broken(*_: object) -> None:
        raise ZeroDivisionError("of the checker itself")

    monkeypatch.setattr("certify.checker.__main__.check_file", broken)
    assert checker_main([str(FOLDER / "twelve_agents.json")]) == 4
    assert capsys.readouterr().err.count("\n") == 1
