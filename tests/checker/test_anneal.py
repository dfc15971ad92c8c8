"""Annealing certificates: valid ones pass, attacks are refused where they are made, what is none is malformed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from certify import checker
from certify.checker.reading.envelope import Malformed

FOLDER = Path(__file__).resolve().parent.parent / "certificates" / "anneal"
EXPECTED = json.loads((FOLDER / "expected.json").read_text(encoding="utf-8"))


def files(kind: str) -> list[Path]:
    return sorted((FOLDER / kind).glob("*.json"))


@pytest.mark.parametrize("path", files("valid"), ids=lambda p: p.stem)
def test_valid(path: Path) -> None:
    verdict = checker.check_file(path, "stdlib")
    assert verdict.valid, verdict.failed_step
    critical = json.loads(path.read_text(encoding="utf-8"))["claim"]["critical"]
    assert f"nondegenerate maximum of J down to alpha = {critical['alpha'][1]}" in verdict.claim
    assert ("it ceases to be one" in verdict.claim) == (critical["kind"] == "symmetry-breaking")


@pytest.mark.parametrize("path", files("invalid"), ids=lambda p: p.stem)
def test_attacks(path: Path) -> None:
    verdict = checker.check_file(path, "stdlib")
    assert not verdict.valid and verdict.failed_step is not None
    assert verdict.failed_step["step"] == EXPECTED[path.stem]["step"], verdict.failed_step


@pytest.mark.parametrize("path", files("malformed"), ids=lambda p: p.stem)
def test_malformed(path: Path) -> None:
    with pytest.raises(Malformed):
        checker.check_file(path)


def test_every_attack_has_a_file() -> None:
    assert {path.stem for path in files("invalid")} == set(EXPECTED) and len(EXPECTED) >= 18
