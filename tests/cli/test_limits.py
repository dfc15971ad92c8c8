"""The limit begins with reading, and the answer says which stage it cost."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from certify.cli.main import main


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A one-shot game of 200 x 200 payoffs."""
    rng = random.Random(0)
    path: Path = tmp_path_factory.mktemp("games") / "large.json"
    payoff = [[rng.randint(-9, 9) for _ in range(200)] for _ in range(200)]
    path.write_text(json.dumps({"kind": "one-shot", "payoff": payoff}), encoding="utf-8")
    return str(path)


@pytest.fixture(scope="module")
def imported() -> None:
    """Everything that the commands import: a module whose import was interrupted would stay half imported here."""
    for line in ("threshold lever:2", "optimum lever:2 --alpha 1", "crossplay lever:2 --alpha 1", "symmetries lever:2"):
        with pytest.raises(SystemExit):
            main([*line.split(), "--json"])


@pytest.mark.parametrize(
    "command",
    [("threshold",), ("symmetries",), ("crossplay", "--alpha", "1"), ("optimum", "--alpha", "1")],
    ids=lambda command: command[0],
)
@pytest.mark.parametrize("limit", ["0.05", "1", pytest.param("3", marks=pytest.mark.slow)])
def test_every_command_ends_at_its_limit(
    command: tuple[str, ...], limit: str, large: str, imported: None, capsys: pytest.CaptureFixture[str]
) -> None:
    """Was 5 to 38 seconds for a limit of 5, and no answer at all from `symmetries`; the room is for a busy machine.

    How far a command gets is the machine's matter, and that an alarm that rings during an import is heard after it,
    by whoever asks the clock next; the answer says that the time was over, mostly while what.
    """
    capsys.readouterr()
    began = time.process_time()
    with pytest.raises(SystemExit) as ended:
        main([command[0], large, *command[1:], "--time-limit", limit, "--json"])
    assert time.process_time() - began < 1.1 * float(limit) + 3
    found = json.loads(capsys.readouterr().out)
    assert ended.value.code in (0, 3)
    if ended.value.code == 3:
        assert found["status"] == "undecided"
        assert re.search(r"out of time(?! while$)", found["reason"]), found["reason"]


@pytest.fixture
def heard() -> Iterator[None]:
    """Interruptions are heard even where the suite runs in the background of a shell, which has them ignored."""
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, handler)


LONG = [
    ("threshold", "dectiger", "--horizon", "3", "--method", "search"),
    ("threshold", "dectiger", "--horizon", "3", "--method", "windows"),
    ("optimum", "dectiger", "--horizon", "2", "--alpha", "17:400"),
    ("crossplay", "dectiger", "--horizon", "2", "--alpha", "3", "--starts", "200"),
    ("symmetries", "large"),
    ("threshold", "large"),
]


@pytest.mark.parametrize(
    "command", [LONG[0], *(pytest.param(c, marks=pytest.mark.slow) for c in LONG[1:])], ids=lambda c: "-".join(c[:2])
)
@pytest.mark.usefixtures("heard")
@pytest.mark.parametrize("after", [0.7, pytest.param(2.5, marks=pytest.mark.slow)])
def test_the_first_ctrl_c_ends_the_work(
    command: tuple[str, ...], after: float, large: str, imported: None, capsys: pytest.CaptureFixture[str]
) -> None:
    """`optimum` worked on for 22 seconds.  One JSON value all the same, with what is proved; never a traceback.

    Between two stages (while the game's hash is taken, say) there is nothing to keep: one line and exit code 130.
    """
    capsys.readouterr()
    pressed: list[float] = []

    def press() -> None:
        pressed.append(time.process_time())
        os.kill(os.getpid(), signal.SIGINT)

    timer = threading.Timer(after, press)
    timer.start()
    try:
        with pytest.raises(SystemExit) as ended:
            main([large if part == "large" else part for part in command] + ["--json"])
    finally:
        timer.cancel()
        timer.join()
    took = time.process_time() - pressed[0] if pressed else 0.0
    said = capsys.readouterr()
    assert took < 4, f"{took:.1f} s after the interruption"
    assert "Traceback" not in said.err
    if ended.value.code == 130:
        assert pressed and said.err.strip() == "certify: interrupted" and not said.out
        return
    assert said.err.count("\n") <= 1
    found = json.loads(said.out)
    assert ended.value.code == (0 if found["status"] == "proved" else 3)
    if pressed and found["status"] != "proved":
        assert "interrupted" in found["reason"]
