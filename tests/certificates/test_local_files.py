"""Certificates of the local bonus: one test per file found, by both engines."""

import json
from pathlib import Path

import pytest

from certify import checker

FOLDER = Path(__file__).resolve().parent / "local"
EXPECTED = json.loads((FOLDER / "expected.json").read_text(encoding="utf-8"))
ENGINES = ("stdlib", "fast")


def files(kind):
    return sorted((FOLDER / kind).glob("*.json"))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("path", files("valid"), ids=lambda p: p.stem)
def test_valid(path, engine):
    verdict = checker.check_file(path, engine=engine)
    assert verdict.valid, verdict.failed_step
    assert "with the local bonus" in verdict.claim


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("path", files("invalid"), ids=lambda p: p.stem)
def test_attacks_are_rejected_where_they_happen(path, engine):
    verdict = checker.check_file(path, engine=engine)
    assert not verdict.valid
    assert str(verdict.failed_step.get("step", "")).startswith(EXPECTED[path.stem]), verdict.failed_step


@pytest.mark.parametrize("path", files("malformed"), ids=lambda p: p.stem)
def test_malformed(path):
    with pytest.raises(checker.Malformed):
        checker.check_file(path)


def test_every_attack_has_a_file():
    assert {path.stem for path in files("invalid")} == set(EXPECTED) and len(EXPECTED) >= 20
