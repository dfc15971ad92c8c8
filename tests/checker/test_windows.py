"""Proofs by windows: valid ones pass, attacks and false lemmas are refused, by both engines alike."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import pytest
from windows_certificates import rare

from certify import checker
from certify.checker.fast import window_bounds, window_tables
from certify.checker.reading.envelope import Malformed

FOLDER = Path(__file__).resolve().parent.parent / "certificates" / "windows"
ENGINES = ("stdlib", "fast")


def files(kind: str) -> list[Path]:
    found = sorted((FOLDER / kind).glob("*.json"))
    assert found
    return found


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("path", files("valid"), ids=lambda p: p.stem)
def test_valid_proofs_pass(path: Path, engine: str) -> None:
    verdict = checker.check_file(path, engine=engine)
    assert verdict.valid, verdict.failed_step
    assert verdict.engine == engine


@pytest.mark.parametrize("path", files("invalid"), ids=lambda p: p.stem)
def test_attacks_are_refused_at_the_same_place(path: Path) -> None:
    """Where floats are attacked, each engine has its own words for it."""
    verdicts = [checker.check_file(path, engine=engine) for engine in ENGINES]
    assert not any(verdict.valid for verdict in verdicts)
    if "floats" in path.stem:
        return
    first, second = (verdict.failed_step for verdict in verdicts)
    assert first is not None and second is not None
    assert first["why"] == second["why"]
    for key in ("interval", "agent", "depth"):
        assert first.get(key) == second.get(key)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("path", files("malformed"), ids=lambda p: p.stem)
def test_what_is_no_proof_is_malformed(path: Path, engine: str) -> None:
    with pytest.raises(Malformed):
        checker.check_file(path, engine=engine)


def test_every_file_says_another_thing() -> None:
    texts = [path.read_text(encoding="utf-8") for kind in ("valid", "invalid", "malformed") for path in files(kind)]
    assert len(set(texts)) == len(texts)


def test_the_valid_files_use_every_part_of_the_format() -> None:
    used = set()
    for path in files("valid"):
        document = json.loads(path.read_text(encoding="utf-8"))
        for interval in document["proof"]["intervals"]:
            for step in interval["steps"]:
                used |= {("mimic", x) for row in step["mimic"] for x in row}
            for part in interval["constants"]:
                used |= {("variance", part.get("variance") is not None)} if part["depth"] else set()
                used |= {("groups", len(part.get("groups", [])) > 1), ("ranges", len(part.get("ranges", [])) > 1)}
    for what in ("variance", "groups", "ranges"):
        assert {x for key, x in used if key == what} == {False, True}, what
    assert {("mimic", 0), ("mimic", 1)} <= used


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("chance", [Fraction(1, 2), Fraction(1, 10**90), Fraction(1, 10**400)])
def test_what_is_rare_has_to_be_proved_too(chance: Fraction, engine: str) -> None:
    assert not checker.check_certificate(rare(chance), engine=engine).valid


def test_floats_that_lose_a_chance_prove_what_is_false(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (window_bounds, window_tables):
        monkeypatch.setattr(module, "as_float", float)
    assert checker.check_certificate(rare(Fraction(1, 10**400)), engine="fast").valid
