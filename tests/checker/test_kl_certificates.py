"""Certificates of policies under KL with illegal actions: valid ones, attacks, what is malformed; by both engines."""

from __future__ import annotations

from pathlib import Path

import pytest

from certify.checker import Malformed, check_file

FOLDER = Path(__file__).resolve().parent.parent / "certificates" / "kl"
ENGINES = ("stdlib", "fast")


def files(folder: str) -> list:
    found = sorted((FOLDER / folder).glob("*.json"))
    assert found, folder
    return [pytest.param(path, id=path.stem) for path in found]


@pytest.mark.parametrize("path", files("valid"))
def test_valid(path: Path) -> None:
    for engine in ENGINES:
        verdict = check_file(path, engine)
        assert verdict.valid, verdict.failed_step
        assert verdict.claim.startswith("game 'mirror', horizon 2, with KL to its reference: ")


@pytest.mark.parametrize("path", files("invalid"))
def test_attacks_are_rejected(path: Path) -> None:
    for engine in ENGINES:
        verdict = check_file(path, engine)
        assert not verdict.valid
        assert verdict.failed_step is not None and "\n" not in verdict.failed_step["why"]


@pytest.mark.parametrize("path", files("malformed"))
def test_malformed(path: Path) -> None:
    for engine in ENGINES:
        with pytest.raises(Malformed):
            check_file(path, engine)
