"""What is built from a checkout: the wheel runs the proofs where no checkout is, the sdist holds everything."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BUILD = "import sys; from hatchling import build; print(getattr(build, sys.argv[1])(sys.argv[2]))"


def build(what: str, folder: Path, root: Path = ROOT) -> Path:
    """A wheel or an sdist, made as pip makes it."""
    pytest.importorskip("hatchling", reason="hatchling is not installed: nothing is built")
    command = [sys.executable, "-c", BUILD, f"build_{what}", str(folder)]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr
    return folder / done.stdout.split()[-1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("wheel", tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel unpacked, as an installer does it."""
    folder = tmp_path_factory.mktemp("site-packages")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def run(installed: Path, empty: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command of the unpacked wheel, in an empty folder."""
    code = "import sys; from certify.cli import main; main(sys.argv[1:])"
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=empty,
        env=environment,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )


def test_the_proofs_run_outside_a_checkout(installed: Path, tmp_path: Path) -> None:
    done = run(installed, tmp_path, "claims", "--quick", "--json", "4b", "11")
    assert done.returncode == 0, done.stderr
    assert [entry["id"] for entry in json.loads(done.stdout)] == ["4b", "11"]
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_every_claim_and_the_session_of_the_readme(installed: Path, tmp_path: Path) -> None:
    assert run(installed, tmp_path, "claims", "--quick").returncode == 0
    named = ["--horizon", "2", "--method", "localisation", "--rtol", "1/20", "-o", "dectiger.cert.json"]
    assert "alpha* = 13.32" in run(installed, tmp_path, "threshold", "dectiger", *named).stdout
    assert run(installed, tmp_path, "check", "dectiger.cert.json", "--engine", "stdlib").stdout.startswith("valid")
    assert run(installed, tmp_path, "show", "dectiger.cert.json").returncode == 0


def test_the_wheel_says_what_it_is(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        text = archive.read(next(name for name in names if name.endswith("METADATA"))).decode("utf-8")
    fields = Parser().parsestr(text)
    assert fields["License-Expression"] == "Apache-2.0" and fields["Keywords"]
    assert len(fields.get_all("Project-URL", [])) >= 1
    assert any("Science/Research" in line for line in fields.get_all("Classifier", []))
    assert {name.split("/")[0].split("-")[0] for name in names} == {"certify"}
    assert not [name for name in names if "__pycache__" in name or name.endswith(".cache")]
    assert {"certify/_proofs/coq/theories/Game.v", "certify/_proofs/README.md"} <= set(names)


@pytest.mark.slow
def test_the_sdist_makes_the_same_wheel_and_brings_its_tests(wheel: Path, tmp_path: Path) -> None:
    with tarfile.open(build("sdist", tmp_path)) as archive:
        archive.extractall(tmp_path, filter="data")
    (root,) = (path for path in tmp_path.iterdir() if path.is_dir())
    again = build("wheel", tmp_path, root)
    with zipfile.ZipFile(again) as made, zipfile.ZipFile(wheel) as first:
        assert sorted(made.namelist()) == sorted(first.namelist())
    for folder in ("tests", "docs", "proofs", "examples", "benchmarks"):
        here = {p.relative_to(ROOT) for p in (ROOT / folder).rglob("*.*") if p.suffix in {".py", ".md", ".v"}}
        assert here and all((root / path).is_file() for path in here)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "tests/test_architecture.py",
        "tests/games/test_load.py",
        "tests/claims/test_runner.py",
    ]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
