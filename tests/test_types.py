"""What a user's own type checker sees of `import certify`: every exported name with its type, no `Any`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import certify

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = """
import certify

game = certify.load("climbing", horizon=1)
found = certify.threshold(game, rtol="1/10", time_limit=5)
reveal_type(game)
reveal_type(found)
reveal_type(found.alpha_star)
found.save("climbing.cert.json")
best = certify.optimum(game, "13/2")
reveal_type(best.policy["agent1:"]["0"].lower)
reveal_type(certify.symmetries(game).order)
reveal_type(certify.check("climbing.cert.json").valid)
"""
REVEALED = [".Game", ".ThresholdResult", "fractions.Fraction | None", "fractions.Fraction", "int", "bool"]


def type_check(path: Path, text: str) -> subprocess.CompletedProcess[str]:
    """A strict run of mypy on one script, as a user would have it, with the project's cache."""
    path.write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", "--no-error-summary"]
    command += ["--config-file", str(ROOT / "pyproject.toml"), "--cache-dir", str(ROOT / ".mypy_cache"), str(path)]
    return subprocess.run(command, capture_output=True, text=True, timeout=900, cwd=ROOT, check=False)


def test_a_strict_script_has_no_error(tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    done = type_check(tmp_path / "script.py", SCRIPT)
    assert done.returncode == 0, done.stdout + done.stderr
    shown = [line.split('"')[1] for line in done.stdout.splitlines() if "Revealed type" in line]
    assert len(shown) == len(REVEALED)
    for seen, expected in zip(shown, REVEALED, strict=True):
        assert expected in seen
        assert "Any" not in seen


def test_a_misspelt_field_is_seen(tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    done = type_check(tmp_path / "script.py", SCRIPT + "found.alpha_sta\ncertify.thresold(game)\n")
    assert done.returncode == 1
    assert done.stdout.count("attr-defined") == 2


def test_every_exported_name_is_declared_for_type_checkers() -> None:
    text = (ROOT / "certify" / "__init__.py").read_text(encoding="utf-8")
    declared = text[text.index("if TYPE_CHECKING") : text.index("__version__")]
    assert all(name in declared for name in certify.__all__)
