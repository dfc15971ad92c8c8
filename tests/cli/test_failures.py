"""No failure looks like a verdict or a user's mistake, no text breaks a stream, and no file is lost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import certify.cli.threshold
from certify.cli.main import main

RUN = "from certify.cli import main; main()"


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    captured = capsys.readouterr()
    return int(ended.value.code or 0), captured.out, captured.err


def test_an_internal_failure_is_one_line_and_exit_4(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("nobody saw\nthis coming")

    monkeypatch.setattr(certify.cli.threshold.api, "threshold", broken)
    code, out, err = run(capsys, "threshold", "lever:2", "--json")
    assert (code, out, err.count("\n")) == (4, "", 1)
    path = Path(err.strip().rpartition("traceback is in ")[2])
    assert "internal failure (ZeroDivisionError: nobody saw this coming)" in err
    assert "Traceback (most recent call last)" in path.read_text(encoding="utf-8")
    assert "['threshold', 'lever:2', '--json']" in path.read_text(encoding="utf-8")
    path.unlink()


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "utf-8"])
@pytest.mark.parametrize("form", [[], ["--json"]])
def test_every_encoding_of_stdout_will_do(encoding: str, form: list[str]) -> None:
    arguments = ["entropy", "--policy", "1/4,3/4", "--advantages", "1,0", "--algorithm", "reinforce", "--step", "1"]
    done = subprocess.run(
        [sys.executable, "-c", RUN, *arguments, *form],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": encoding},
        timeout=900,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    text = done.stdout.decode(encoding)
    assert json.loads(text)["sign"] == "increases" if form else ("η_max" if encoding == "utf-8" else "eta_max") in text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["threshold", "lever:2", "-o", ""], "no name of a file"),
        (["threshold", "lever:2", "-o", "no-such-folder/x.json"], "cannot be written (No such file or directory)"),
        (["symmetries", "lever:2", "-o", "."], "no name of a file"),
        (["symmetries", "lever:2", "--graphml", ""], "no name of a file"),
        (["optimum", "lever:2", "--alpha", "1", "-o", "a\0b"], "a zero byte; leave it out"),
        (["entropy", "--policy", "1/2,1/2", "--advantages", "1,0", "-o", ""], "no name of a file"),
        (["crossplay", "lever:2", "--alpha", "1", "--seed", "-1"], "'--seed': -1 is not in the range"),
        (["treshold", "lever:2"], "No such command 'treshold'. Did you mean 'threshold'?"),
        (["check", "nofile.json"], "nofile.json: no such file; give the path of a certificate"),
        (["show", "nofile.json"], "nofile.json: no such file"),
        (["plot", "nofile.json"], "nofile.json: no such file"),
        (["sign", "nofile.json", "--key", "k"], "nofile.json: no such file"),
        (["export", "--coq", "nofile.json"], "nofile.json: no such file"),
        (["check", "a\0b"], "a zero byte; leave it out"),
        (["check", ""], "'': a directory"),
    ],
)
def test_bad_input_is_one_line(capsys: pytest.CaptureFixture[str], arguments: list[str], said: str) -> None:
    """The file to be written is looked at before anything is computed, and a suggestion follows a typing error."""
    code, out, err = run(capsys, *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1), err
    assert said in err


def test_no_input_is_overwritten(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    game, certificate = tmp_path / "game.json", tmp_path / "c.json"
    game.write_text('{"kind": "one-shot", "payoff": [[1, 0], [0, 1]]}', encoding="utf-8")
    assert run(capsys, "threshold", str(game), "--method", "structural", "-o", str(certificate))[0] == 0
    for arguments in (
        ["threshold", str(game), "-o", str(game)],
        ["symmetries", str(game), "-o", str(tmp_path / "." / "game.json")],
        ["plot", str(certificate), "-o", str(certificate)],
        ["sign", str(certificate), "--key", str(tmp_path / "key"), "-o", str(certificate)],
        ["export", "--coq", str(certificate), "-o", str(certificate)],
        ["optimum", str(game), "--alpha", "1", "--threshold", str(certificate), "-o", str(certificate)],
    ):
        before = {path: path.read_bytes() for path in tmp_path.iterdir()}
        code, _, err = run(capsys, *arguments)
        assert code == 2, arguments
        assert "would be overwritten" in err, arguments
        assert before == {path: path.read_bytes() for path in tmp_path.iterdir()}


def test_no_warning_of_a_library_and_no_lost_alarm_reaches_stderr() -> None:
    script = """
import logging, sys, warnings
from certify.cli.main import COMMANDS, cli, main
from certify.run import OutOfTime
class Slow:
    def __del__(self):
        raise OutOfTime  # an alarm that rings here is heard by nobody, and rings again
@cli.command("noise")
def noise():
    warnings.warn("a solver murmurs", RuntimeWarning)
    logging.getLogger("matplotlib.font_manager").warning("building the font cache")
    Slow()
COMMANDS["noise"] = ("__main__", "noise", "")
main(["noise"])
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=900, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("command", [["plot", "-o", "new.svg"], ["show", "--html", "new.html"]], ids=lambda c: c[0])
def test_a_refused_certificate_is_drawn_with_the_reason(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    document = certify.threshold("lever:2", method="structural").document
    document["claim"]["alpha_star"] = "1/3"
    Path("false.json").write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(SystemExit) as ended:
        main([command[0], "false.json", *command[1:]])
    shown = capsys.readouterr()
    assert ended.value.code == 1 and not shown.err
    assert shown.out.splitlines()[0] == command[-1]
    assert shown.out.splitlines()[1].startswith("REFUSED by the independent checker. Its reason: ")
