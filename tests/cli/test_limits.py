"""The limit begins with reading, and the answer says which stage it cost."""

from __future__ import annotations

import json
import random
import time
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


@pytest.mark.parametrize(
    "command",
    [("threshold",), ("symmetries",), ("crossplay", "--alpha", "1"), ("optimum", "--alpha", "1")],
    ids=lambda command: command[0],
)
@pytest.mark.parametrize("limit", ["0.05", "3"])
def test_every_command_ends_at_its_limit(
    command: tuple[str, ...], limit: str, large: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Was 5 to 38 seconds for a limit of 5, and no answer at all from `symmetries`; the room is for a busy machine."""
    began = time.process_time()
    with pytest.raises(SystemExit) as ended:
        main([command[0], large, *command[1:], "--time-limit", limit, "--json"])
    assert time.process_time() - began < 1.1 * float(limit) + 1.5
    found = json.loads(capsys.readouterr().out)
    assert ended.value.code in (0, 3)
    if ended.value.code == 3:
        assert found["status"] == "undecided"
        assert limit != "0.05" or found["reason"] == "out of time while reading the game"
