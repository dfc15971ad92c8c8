"""Certificates that speak of the original of a potential: one test per file found."""

import json
from fractions import Fraction
from pathlib import Path

import pytest

from certify import checker
from certify.certificates.reading import describe

FOLDER = Path(__file__).resolve().parent / "potential"
EXPECTED = json.loads((FOLDER / "expected.json").read_text(encoding="utf-8"))


def files(kind):
    return sorted((FOLDER / kind).glob("*.json"))


@pytest.mark.parametrize("path", files("valid"), ids=lambda p: p.stem)
def test_valid(path):
    verdict = checker.check_file(path, engine="stdlib")
    assert verdict.valid, verdict.failed_step
    document = json.loads(path.read_text(encoding="utf-8"))
    if document["kind"] == "optimum":
        sha256 = document["proof"]["threshold"]["original_sha256"]
        assert f"the one logit QRE of the original game (sha256 {sha256})" in verdict.claim
        return
    largest = 1 / Fraction(document["claim"]["alpha_star"])
    assert f"has exactly one logit QRE for every lambda from 0 to {largest}" in verdict.claim
    assert document["original_sha256"] in verdict.claim


@pytest.mark.parametrize("path", files("invalid"), ids=lambda p: p.stem)
def test_attacks_are_rejected_where_they_happen(path):
    verdict = checker.check_file(path, engine="stdlib")
    assert not verdict.valid
    assert str(verdict.failed_step.get("step", "")).startswith(EXPECTED[path.stem]), verdict.failed_step


@pytest.mark.parametrize("path", files("malformed"), ids=lambda p: p.stem)
def test_malformed(path):
    with pytest.raises(checker.Malformed):
        checker.check_file(path, engine="stdlib")


def test_every_attack_has_a_file():
    assert {path.stem for path in files("invalid")} == set(EXPECTED) and len(EXPECTED) >= 15


def test_what_is_said_of_the_original_on_a_page():
    document = json.loads((FOLDER / "valid" / "stag_hunt.json").read_text(encoding="utf-8"))
    text = describe(document, "here")
    largest = 1 / Fraction(document["claim"]["alpha_star"])
    assert document["original_sha256"] in text
    assert f"exactly one logit quantal response equilibrium for every lambda from 0 to {largest}" in " ".join(
        text.split()
    )
