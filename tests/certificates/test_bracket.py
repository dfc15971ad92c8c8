"""Both ends of a bracket in one certificate: one test per file found."""

import json
from pathlib import Path

import pytest

from certify import checker

FOLDER = Path(__file__).resolve().parent / "bracket"
EXPECTED = json.loads((FOLDER / "expected.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", sorted((FOLDER / "valid").glob("*.json")), ids=lambda p: p.stem)
def test_valid(path):
    verdict = checker.check_file(path, engine="stdlib")
    assert verdict.valid and "there are several" in verdict.claim


@pytest.mark.parametrize("path", sorted((FOLDER / "invalid").glob("*.json")), ids=lambda p: p.stem)
def test_attacks_are_rejected_where_they_happen(path):
    verdict = checker.check_file(path, engine="stdlib")
    assert not verdict.valid
    assert EXPECTED[path.stem] in json.dumps(verdict.failed_step)
