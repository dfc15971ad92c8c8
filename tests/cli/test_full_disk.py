"""Where the disk is full, nothing is lost that was there and nothing is left behind; devices and links stay what they
are.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from certify.checkpoint import Checkpoint
from certify.cli.main import main

resource = pytest.importorskip("resource", reason="no limits of processes on this system")


@contextlib.contextmanager
def full() -> Iterator[None]:
    """No file may grow beyond a few bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (16, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def code_of(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    return int(ended.value.code or 0)


@pytest.fixture
def certificate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    path = tmp_path / "lever.json"
    assert code_of("threshold", "lever:2", "--method", "structural", "-o", str(path)) == 0
    capsys.readouterr()
    return path


@pytest.mark.parametrize(
    ("command", "name"),
    [
        (["threshold", "lever:2", "--method", "structural", "-o"], "new.json"),
        (["plot", "lever.json", "-o"], "new.svg"),
        (["plot", "lever.json", "-o"], "new.png"),
        (["symmetries", "lever:2", "--graphml"], "new.xml"),
        (
            [
                "entropy",
                *["--policy", "1/2,1/2", "--advantages", "1,0", "--algorithm", "natural", "--steps", "0:1", "--plot"],
            ],
            "new.svg",
        ),
        (["sign", "lever.json", "-o", "signed.json", "--key"], "new"),
    ],
    ids=lambda x: x[0] if isinstance(x, list) else x,
)
def test_a_full_disk_costs_no_file(
    command: list[str],
    name: str,
    certificate: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(certificate.parent)
    if name.endswith((".svg", ".png")):  # whoever draws for the first time writes down which fonts there are
        assert code_of(*command, f"warm-{name}") == 0
        capsys.readouterr()
    if command[0] != "sign":  # which makes a key only where there is none
        Path(name).write_text("of before")
    before = {path.name: path.read_bytes() for path in Path().iterdir()}
    with full():
        code = code_of(*command, name)
    said = capsys.readouterr()
    assert (code, said.out, said.err.count("\n")) == (2, "", 1)
    assert "cannot be written" in said.err
    assert {path.name: path.read_bytes() for path in Path().iterdir()} == before
    assert code_of(*command, name) == 0
    assert Path(name).read_bytes() != b"of before"


def test_a_checkpoint_that_does_not_fit_keeps_the_one_of_before(tmp_path: Path) -> None:
    path = tmp_path / "book"
    book = Checkpoint(path, {"game": "x"})
    book.save("below", {"evidence": None})
    before = path.read_bytes()
    with full():
        book.save("pieces", ["y" * 100])
    assert "cannot be written" in book.trouble
    assert path.read_bytes() == before and os.listdir(tmp_path) == ["book"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no device that is always full")
def test_an_answer_that_cannot_be_printed_is_one_line() -> None:
    script = "from certify.cli import main; main(['threshold', 'lever:2', '--method', 'structural'])"
    with open("/dev/full", "w", encoding="ascii") as device:
        done = subprocess.run(
            [sys.executable, "-c", script], stdout=device, stderr=subprocess.PIPE, text=True, timeout=900, check=False
        )
    assert done.returncode == 2
    assert done.stderr == "certify: the answer cannot be written (No space left on device); make room for it\n"


def test_links_and_devices_stay_what_they_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`-o /dev/null` as root replaced the device by a file."""
    link, pipe = tmp_path / "link.json", tmp_path / "pipe"
    link.symlink_to("real.json")
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        for path in (link, pipe):
            assert code_of("threshold", "lever:2", "--method", "structural", "-o", str(path)) == 0
        assert os.read(reader, 10**6) == (tmp_path / "real.json").read_bytes()
    finally:
        os.close(reader)
    assert link.is_symlink() and pipe.is_fifo()
    assert sorted(os.listdir(tmp_path)) == ["link.json", "pipe", "real.json"]
