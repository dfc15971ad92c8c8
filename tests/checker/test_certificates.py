"""Folders of certificates: all valid ones are accepted, every attack is rejected at the place it
concerns, whatever is not a certificate is called malformed; by both engines."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from certify.checker import Malformed, check_file

FOLDER = Path(__file__).resolve().parent.parent / "certificates"
EXPECTED = json.loads((FOLDER / "expected.json").read_text())
ENGINES = ("stdlib", "fast")


def files(kind):
    return sorted((FOLDER / kind).glob("*.json"))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("path", files("valid"), ids=lambda path: path.stem)
def test_valid(path, engine):
    verdict = check_file(path, engine)
    assert verdict.valid, verdict.failed_step
    assert verdict.failed_step is None and verdict.steps > 0
    claim = json.loads(path.read_text())["claim"]["alpha_star"]
    assert f"for every alpha >= {claim} " in verdict.claim.replace(",", "") and "\n" not in verdict.claim


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("path", files("invalid"), ids=lambda path: path.stem)
def test_attack_is_rejected_where_it_is_made(path, engine):
    verdict = check_file(path, engine)
    assert not verdict.valid
    why = verdict.failed_step["why"]
    assert why and "\n" not in why
    for key, value in EXPECTED[path.stem].items():
        assert verdict.failed_step[key] == value


@pytest.mark.parametrize("path", files("malformed"), ids=lambda path: path.stem)
def test_malformed(path):
    for engine in ENGINES:
        with pytest.raises(Malformed) as caught:
            check_file(path, engine)
        assert str(caught.value) and "\n" not in str(caught.value) and len(str(caught.value)) <= 500


def test_every_attack_has_a_file_and_every_file_an_attack():
    assert len(EXPECTED) >= 20
    assert {path.stem for path in files("invalid")} == set(EXPECTED)


def command(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "certify.checker", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )


@pytest.mark.parametrize(
    "kind, name, code",
    [("valid", "lever_rho", 0), ("invalid", "rho_widened", 1), ("malformed", "nan", 2), ("malformed", "not_there", 2)],
)
def test_command(kind, name, code):
    path = FOLDER / kind / f"{name}.json"
    plain, as_json = command(path), command("--json", path)
    assert plain.returncode == as_json.returncode == code
    assert "Traceback" not in plain.stderr + as_json.stderr
    assert len((plain.stdout + plain.stderr).strip().splitlines()) == 1
    found = json.loads(as_json.stdout)
    assert found["valid"] is (code == 0)
    if code == 1:
        assert found["failed_step"]["step"] in plain.stdout and found["failed_step"]["why"] in plain.stdout


@pytest.mark.parametrize("workers, code", [("2", 0), ("0", 2), ("two", 2)])
def test_command_with_workers(workers, code):
    done = command("--workers", workers, FOLDER / "valid" / "climbing_cover.json")
    assert done.returncode == code and "Traceback" not in done.stderr
    assert done.stdout.startswith("valid") is (code == 0)


def test_checker_imports_the_standard_library_only(tmp_path):
    """The plain engine runs where numpy and flint are missing, and pulls in nothing else of the project."""
    script = tmp_path / "check.py"
    script.write_text(
        "import sys\n"
        "for name in ('numpy', 'flint', 'scipy', 'mpmath', 'sympy'):\n"
        "    sys.modules[name] = None\n"
        "from certify.checker import check_file\n"
        f"assert check_file({str(FOLDER / 'valid' / 'climbing_cover.json')!r}).valid\n"
        "ours = {m for m in sys.modules if m.startswith('certify')}\n"
        "assert ours <= {'certify'} | {m for m in ours if m.startswith('certify.checker')}, ours\n"
        "print('fine')\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=900, check=False)
    assert done.stdout.strip() == "fine", done.stderr
