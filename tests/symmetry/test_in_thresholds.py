"""Threshold certificates name the group by which the unique stationary policy is fixed."""

from __future__ import annotations

import copy
import json

import pytest

from certify import checker
from certify.answers.threshold import threshold
from certify.checker.kinds.symmetry import check_group
from certify.checker.reading.game import read_game
from certify.symmetry import symmetries


@pytest.fixture(scope="module")
def document() -> dict:
    result = threshold("lever:4:9/10", method="structural")
    return json.loads(json.dumps(result.document))


def test_the_claim_names_the_group(document: dict) -> None:
    verdict = checker.check_certificate(document)
    assert verdict.valid
    assert "fixed by this group of order 12, which is the whole automorphism group" in verdict.claim


def test_attacked_evidence_invalidates_the_certificate(document: dict) -> None:
    for field, value in (("order", "24"), ("generators", []), ("base", [])):
        attacked = copy.deepcopy(document)
        attacked["symmetry"][field] = value
        verdict = checker.check_certificate(attacked)
        assert not verdict.valid and verdict.failed_step["step"].startswith("symmetry")


def test_a_part_of_the_group_is_said_to_be_a_part(document: dict) -> None:
    part = copy.deepcopy(document)
    part["symmetry"]["complete"] = False
    verdict = checker.check_certificate(part)
    assert verdict.valid and "a part of the automorphism group" in verdict.claim


def test_every_structural_certificate_has_checked_generators(document: dict) -> None:
    from certify.games import builtin

    for name in ("dectiger", "recycling", "match:3x3x3", "climbing"):
        made = threshold(builtin(name), method="structural").document
        group = symmetries(builtin(name))
        result = check_group(read_game(made["game"]), made["symmetry"])
        assert result.order == group.order and result.complete
        assert len(made["symmetry"]["generators"]) == len(group.generators)
