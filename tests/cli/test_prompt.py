"""At the prompt: help by task, suggestions for a game, a line of progress, colours where they are seen, completion."""

from __future__ import annotations

import io
import json
import re
import sys
import time
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from certify.cli import output, progress
from certify.cli.main import COMMANDS, cli, main
from certify.cli.tasks import EXAMPLES
from certify.run import Run, Watcher


class Terminal(io.StringIO):
    """Stands for a terminal."""

    def isatty(self) -> bool:
        return True


def said(*arguments: str) -> str:
    done = CliRunner().invoke(cli, list(arguments))
    assert done.exit_code == 0, done.output
    return str(done.output)


def test_help_shows_every_command_under_a_task_with_an_example() -> None:
    shown = said("--help")
    assert "More:" not in shown, "give the new command a task and an example in certify/cli/tasks.py"
    for name in COMMANDS:
        assert f"  {EXAMPLES[name]}\n" in shown
        assert EXAMPLES[name].startswith(f"certify {name}")
    assert "Example:\n    certify check" in said("check", "--help")


@pytest.mark.parametrize("game", ["lever:2", "climbing", "two-stage-lever", "dectiger"])
def test_a_game_alone_suggests_commands(game: str) -> None:
    shown = said(game)
    assert shown.startswith(f"{game}: a game of 2 agents")
    assert f"  certify threshold {game} -o game.cert.json\n" in shown


def test_files_alone(tmp_path: Path) -> None:
    steps = tmp_path / "tiger.dpomdp"
    steps.write_text((Path(__file__).resolve().parents[2] / "examples" / "tiger.dpomdp").read_text(encoding="utf-8"))
    assert f"threshold {steps} --horizon 2" in said(str(steps))
    certificate = tmp_path / "lever.cert.json"
    certificate.write_text(json.dumps({"format": "certify", "claim": {}, "proof": {}}), encoding="utf-8")
    assert said(str(certificate)).splitlines()[3] == f"  certify check {certificate}"
    legal = tmp_path / "legal.json"
    game = {
        "kind": "dec-pomdp", "agents": ["a"], "states": ["s"], "actions": [["x", "y"]], "observations": [["o", "p"]],
        "horizon": 2, "start": {"s": 1}, "transitions": [{"prob": 1, "to": "s", "from": "s"}], "rewards": [],
    }  # fmt: skip
    legal.write_text(json.dumps(game), encoding="utf-8")
    with pytest.raises(SystemExit) as ended:  # a file that is no game: one line, as everywhere
        main([str(legal)])
    assert ended.value.code == 2


@pytest.mark.parametrize("arguments", [["nonsense"], ["dectiger", "--horizon", "2"], ["thresold", "lever:2"]])
def test_what_is_neither_stays_bad_input(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    shown = capsys.readouterr()
    assert ended.value.code == 2 and not shown.out and shown.err.count("\n") == 1


def test_progress_is_a_watcher_of_runs() -> None:
    with progress.Progress() as line:
        assert isinstance(line, Watcher) and not isinstance(print, Watcher)
        run = Run.lasting(100, progress=line)
        run.progress("covering")
        run.part(0.5).found(above=4.0)
        run.found(above=8.0, below=2.0)
        assert re.fullmatch(
            r"\d+ s, at most (1 min \d+|\d+) s left; one policy from alpha = 4 on, several at 2 \(ratio 2\); covering",
            line.line(),
        )


def test_a_pipe_gets_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert progress.EVERY == 10
    monkeypatch.setattr(progress, "EVERY", 0.1)
    began = time.monotonic()
    with progress.Progress() as line:
        for k in range(1000):
            line(f"stage {k}")
        time.sleep(0.25)
    lines = capsys.readouterr().err.splitlines()
    assert 1 <= len(lines) <= (time.monotonic() - began) / progress.EVERY + 1 and lines[-1].endswith("s; stage 999")


def test_a_pipe_gets_nothing_beside_json(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(progress, "EVERY", 0.01)
    context = click.Context(click.Command("threshold"))
    context.params["as_json"] = True
    with context, progress.Progress():
        time.sleep(0.1)
    assert not capsys.readouterr().err


def test_a_terminal_gets_one_line_that_goes_away(monkeypatch: pytest.MonkeyPatch) -> None:
    screen, results = Terminal(), io.StringIO()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setattr(sys, "stdout", results)
    monkeypatch.setattr(progress, "QUIET", 0.0)
    monkeypatch.setenv("TERM", "xterm")
    with progress.Progress() as line:
        line("covering")
        until = time.monotonic() + 100
        while "covering" not in screen.getvalue() and time.monotonic() < until:
            time.sleep(0.05)
        line.print("a result")
    assert "covering" in screen.getvalue() and results.getvalue() == "a result\n"
    assert screen.getvalue().rstrip("\r\n").endswith(("\x1b[2K", "\x1b[?25h")), "the line is erased"


@pytest.mark.parametrize(
    ("variables", "seen"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)], ids=str
)
def test_colour_only_where_it_is_seen(
    variables: dict[str, str], seen: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert output.styled("valid", "green") == "valid"  # not a terminal
    monkeypatch.setattr(sys, "stdout", Terminal())
    assert ("\x1b[" in output.styled("valid", "green")) is seen
    output.print_table(["game"], [["lever:2"]])
    assert isinstance(sys.stdout, Terminal) and "lever:2" in sys.stdout.getvalue()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(shell: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert "_CERTIFY_COMPLETE" in said("completion", shell)
    if shell == "bash":
        for words, count, expected in (("certify thr", 1, "threshold"), ("certify optimum clim", 2, "climbing")):
            monkeypatch.setenv("_CERTIFY_COMPLETE", "bash_complete")
            monkeypatch.setenv("COMP_WORDS", words)
            monkeypatch.setenv("COMP_CWORD", str(count))
            with pytest.raises(SystemExit):
                main([])
            assert capsys.readouterr().out.splitlines() == [f"plain,{expected}"]
