"""The commands `certify optimum` and `certify policy`: fields, exit codes, one line for bad input."""

from __future__ import annotations

import json
from fractions import Fraction

import pytest
from symmetry_games import shared_game

from certify.cli import main


def run(capsys, *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    out, err = capsys.readouterr()
    return end.value.code, out, err


def exact(ends: list[str]) -> tuple[Fraction, Fraction]:
    low, high = map(Fraction, ends)
    assert low <= high
    return low, high


def test_the_json_of_an_optimum(capsys, tmp_path) -> None:
    path = tmp_path / "optimum.json"
    code, out, err = run(capsys, "optimum", "dectiger", "--horizon", "2", "--alpha", "340", "--json", "-o", str(path))
    found = json.loads(out)
    assert code == 0 and err == "" and found["status"] == "proved" and found["alpha"] == "340"
    for name in ("value", "return", "entropy"):
        low, high = exact(found[name])
        assert high - low < Fraction(1, 10**12)
    assert len(found["policy"]) == 14 and set(found["policy"]["agent1:"]) == {"listen", "open-left", "open-right"}
    for row in found["policy"].values():
        ends = [exact(p) for p in row.values()]
        assert sum(low for low, _ in ends) <= 1 <= sum(high for _, high in ends)
        assert all(high - low <= Fraction(1, 10**12) for low, high in ends)
    assert found["greedy"]["agent1:"] == ["listen"] and found["greedy_return"] == "-4" and Fraction(found["rate"]) > 0
    assert run(capsys, "check", str(path))[0] == 0
    shown = run(capsys, "show", str(path))[1]
    assert "dectiger" in shown and "rate" in shown


def test_an_optimum_for_people(capsys) -> None:
    code, out, _ = run(capsys, "optimum", "lever:3:1/2", "--alpha", "1")
    assert code == 0 and "unique stationary policy" in out and "by symmetry" in out and "± 1e-12" in out
    code, out, _ = run(capsys, "optimum", "lever:3:1/2", "--alpha", "1/2:3/4")
    assert code == 0 and "tube" in out


def test_a_path_as_json(capsys) -> None:
    code, out, _ = run(capsys, "optimum", "lever:3:1/2", "--alpha", "1/2:3/4", "--json")
    found = json.loads(out)
    assert code == 0 and found["alpha"] == ["1/2", "3/4"] and len(found["pieces"]) > 1 and found["rate"] is None
    assert exact(found["pieces"][0]["value"])[0] >= exact(found["value"])[0]


@pytest.fixture
def structural(capsys, tmp_path) -> str:
    """The structural threshold of two levers, exactly 1/2."""
    path = str(tmp_path / "threshold.json")
    assert run(capsys, "threshold", "lever:2", "--method", "structural", "-o", path)[0] == 0
    return path


def test_undecided_is_3(capsys, structural) -> None:
    code, out, _ = run(capsys, "optimum", "lever:2", "--alpha", "2/5", "--threshold", structural, "--json")
    assert code == 3 and json.loads(out)["status"] == "undecided" and "degenerate" in json.loads(out)["reason"]


def test_a_policy_file(capsys, tmp_path, structural) -> None:
    table = tmp_path / "policy.json"
    table.write_text('{"agent1:": {"0": 0.5, "1": 0.5}, "agent2:": {"0": 0.7, "1": 0.3}}')
    code, out, _ = run(capsys, "policy", "lever:2", "--alpha", "1", str(table), "--json")
    found = json.loads(out)
    assert (
        code == 0
        and found["norm"] == "max |π − π*|"
        and abs(Fraction(found["distance"]) - Fraction(1, 5)) < Fraction(1, 10**12)
    )
    assert exact(found["return_gap"])[0] <= 0
    assert "is at most 0.2000000000" in run(capsys, "policy", "lever:2", "--alpha", "1", str(table))[1]
    assert run(capsys, "policy", "lever:2", "--alpha", "2/5", "--threshold", structural, str(table))[0] == 3
    # degenerate there, but uniform
    assert run(capsys, "policy", "lever:2", "--alpha", "1/2", "--threshold", structural, str(table))[0] == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ("optimum", "lever:2"),
        ("optimum", "lever:2", "--alpha", "0"),
        ("optimum", "lever:2", "--alpha", "1:"),
        ("optimum", "lever:2", "--alpha", "1", "--width", "2"),
        ("optimum", "lever:2", "--alpha", "1", "--time-limit", "-1"),
        ("optimum", "lever:2", "--alpha", "1", "--threshold", "missing.json"),
        ("optimum", "nothing", "--alpha", "1"),
        ("policy", "lever:2", "--alpha", "1", "missing.json"),
        ("policy", "lever:2", "--alpha", "1:2", "missing.json"),
    ],
)
def test_bad_input_is_one_line_and_2(capsys, arguments) -> None:
    code, out, err = run(capsys, *arguments)
    assert code == 2 and out == "" and err.count("\n") == 1 and "Traceback" not in err


def test_a_benchmark_file(capsys) -> None:
    file = shared_game("recycling").source
    code, out, _ = run(capsys, "optimum", file, "--horizon", "2", "--alpha", "60", "--json")
    assert code == 0 and json.loads(out)["status"] == "proved"
