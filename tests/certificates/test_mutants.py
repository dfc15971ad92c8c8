"""Certificates and attacks that mutation testing of the checker asked for (tests/mutation.py, tests/mutants.md)."""

import json
from pathlib import Path

import pytest

from certify.checker import Malformed, check_file

FOLDER = Path(__file__).resolve().parent / "mutants"
EXPECTED = json.loads((FOLDER / "expected.json").read_text(encoding="utf-8"))
CLAIMS = {  # what some of the valid ones must say
    "crossplay_of_two": "2 different stationary policies and 4 teams",
    "crossplay_enclosures_that_touch": "is undecided in",
    "witness_of_two_maxima": "two strict local maxima",
    "cover_with_a_modulus_of_zero": "modulus 0 ",
}


def files(kind):
    return sorted((FOLDER / kind).glob("*.json"))


@pytest.mark.parametrize("path", files("valid"), ids=lambda p: p.stem)
def test_valid(path):
    verdict = check_file(path, engine="stdlib")
    assert verdict.valid, verdict.failed_step
    assert CLAIMS.get(path.stem, "") in verdict.claim


@pytest.mark.parametrize("path", files("invalid"), ids=lambda p: p.stem)
def test_attacks_are_rejected_where_they_are_made(path):
    verdict = check_file(path, engine="stdlib")
    assert not verdict.valid
    assert EXPECTED[path.stem].items() <= verdict.failed_step.items()


@pytest.mark.parametrize("path", files("malformed"), ids=lambda p: p.stem)
def test_malformed(path):
    with pytest.raises(Malformed):
        check_file(path, engine="stdlib")
