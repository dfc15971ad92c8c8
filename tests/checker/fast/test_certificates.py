"""Both engines on every certificate file, valid or attacked: the same verdict, the same failing step."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from certify.checker.check import check_file

FILES = sorted((Path(__file__).parents[2] / "certificates").glob("*valid/*.json"))
COVERS = [path for path in FILES if json.loads(path.read_text()).get("proof", {}).get("type") == "cover"]


def test_there_are_valid_and_attacked_covers():
    assert len(COVERS) > 20 and {path.parent.name for path in COVERS} == {"valid", "invalid"}


@pytest.mark.parametrize("path", COVERS, ids=lambda path: path.stem)
def test_engines_agree(path):
    plain, fast = (check_file(path, engine) for engine in ("stdlib", "fast"))
    assert fast.valid is plain.valid is (path.parent.name == "valid")
    assert (fast.claim, fast.steps) == (plain.claim, plain.steps)
    if not fast.valid:
        assert {**fast.failed_step, "why": ""} == {**plain.failed_step, "why": ""}
