"""`--set NAME=VALUE` gives values to the parameters of a .json game, for every command that takes GAME."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from certify.cli.main import main

GAME = '{"kind": "one-shot", "payoff": [[1, 0], [0, "1 - eps"]], "parameters": {"eps": ["0 < eps", "eps < 1"]}}'
COMMANDS = {
    "threshold": ["threshold", "GAME", "--method", "structural", "--json"],
    "optimum": ["optimum", "GAME", "--alpha", "1", "--time-limit", "1000", "--json"],
    "policy": ["policy", "GAME", "TABLE", "--alpha", "1", "--json"],
    "crossplay": ["crossplay", "GAME", "--alpha", "1", "--time-limit", "1000", "--json"],
    "symmetries": ["symmetries", "GAME", "--json"],
    "games": ["games", "--aohs", "GAME", "--json"],
    "flow": ["entropy", "flow", "GAME", "--alpha", "1", "--json"],
}


def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, *arguments: str) -> tuple[int, str, str]:
    (tmp_path / "game.json").write_text(GAME, encoding="utf-8")
    half = {"0": "1/2", "1": "1/2"}
    (tmp_path / "table.json").write_text(json.dumps({"agent1:": half, "agent2:": half}), encoding="utf-8")
    places = {"GAME": str(tmp_path / "game.json"), "TABLE": str(tmp_path / "table.json")}
    with pytest.raises(SystemExit) as ended:
        main([places.get(argument, argument) for argument in arguments])
    captured = capsys.readouterr()
    return int(ended.value.code or 0), captured.out, captured.err


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_that_takes_a_game(capsys: pytest.CaptureFixture[str], tmp_path: Path, command: str) -> None:
    code, out, err = run(capsys, tmp_path, *COMMANDS[command], "--set", "eps=1/4")
    assert (code, err) == (0, ""), (out, err)
    assert json.loads(out)
    code, out, err = run(capsys, tmp_path, *COMMANDS[command], "--set", "eps=2")
    assert (code, out) == (2, "") and "constraint" in err
    code, _, err = run(capsys, tmp_path, *COMMANDS[command])
    assert (code, "--set" in err) == ((0, False) if command == "symmetries" else (2, True))


def test_the_value_is_the_one_given(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    found = {}
    for eps in ("1/4", "0.5"):
        _, out, _ = run(capsys, tmp_path, *COMMANDS["optimum"], "--set", f"eps={eps}")
        found[eps] = json.loads(out)["return"][0]
    _, out, _ = run(capsys, tmp_path, "optimum", "lever:2:3/4", "--alpha", "1", "--json")
    assert json.loads(out)["return"][0] == found["1/4"] != found["0.5"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["eps"], "write it as name=value"),
        (["=1"], "write it as name=value"),
        (["eps=1/4", "eps=1/4"], "given twice"),
        (["eps=x"], "is not a number"),
        (["eps=1/4", "delta=1"], "unknown parameter 'delta'"),
    ],
)
def test_values_that_are_none(capsys: pytest.CaptureFixture[str], tmp_path: Path, given: list[str], said: str) -> None:
    pairs = [part for pair in given for part in ("--set", pair)]
    code, out, err = run(capsys, tmp_path, *COMMANDS["threshold"], *pairs)
    assert (code, out) == (2, "") and said in err and err.count("\n") == 1
