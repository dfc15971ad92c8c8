"""Multiplicity certificates: files with known verdicts, fresh ones, random damage; the checker alone."""

from __future__ import annotations

import copy
import json
import random
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from multiplicity_certificates import FOLDER, INVALID, MALFORMED, VALID, document
from random_games import random_game

from certify.certificates.multiplicity import multiplicity_certificate
from certify.certificates.reading import describe
from certify.checker import Malformed, check_certificate, check_file
from certify.checker.kinds.multiplicity import check_evidence
from certify.checker.reading.game import read_game
from certify.games.tree import unroll
from certify.stationary.approx_search import ApproxSearch
from certify.stationary.multiplicity import find_multiplicity


def files(kind: str) -> list[Path]:
    return sorted((FOLDER / kind).glob("*.json"))


def read(name: str) -> dict:
    return json.loads((FOLDER / "valid" / f"{name}.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", files("valid"), ids=lambda p: p.stem)
def test_valid(path: Path) -> None:
    verdict = check_file(path)
    assert verdict.valid and verdict.failed_step is None and verdict.steps >= 2, verdict
    claim = read(path.stem)["claim"]
    assert f"at alpha = {claim['alpha_multiple']} there are at least two stationary policies" in verdict.claim
    if claim["alpha_two_maxima"] is not None:
        assert verdict.claim.endswith(
            f"at alpha = {claim['alpha_two_maxima']} there are at least two strict local maxima"
        )


@pytest.mark.parametrize("path", files("invalid"), ids=lambda p: p.stem)
def test_attacks_are_rejected_with_the_step(path: Path) -> None:
    verdict = check_file(path)
    assert not verdict.valid and verdict.failed_step["step"] and verdict.failed_step["why"]


@pytest.mark.parametrize("path", files("malformed"), ids=lambda p: p.stem)
def test_malformed(path: Path) -> None:
    with pytest.raises(Malformed) as caught:
        check_file(path)
    assert "\n" not in str(caught.value)


def test_every_attack_has_a_file() -> None:
    for kind, attacks in (("valid", VALID), ("invalid", INVALID), ("malformed", MALFORMED)):
        assert {path.stem for path in files(kind)} == set(attacks)


def test_a_fresh_certificate_is_the_one_on_file() -> None:
    """Up to the last digits of the floats that propose centres and inverses."""
    fresh = document("lever:3")
    assert fresh["claim"] == read("three_levers")["claim"]
    assert check_certificate(json.loads(json.dumps(fresh))).valid


@pytest.mark.parametrize(
    "clustered, sizes",
    [
        (True, {"horizon": 2}),
        (False, {"horizon": 2}),
        (True, {"agents": 3, "actions": (2, 3, 2), "horizon": 1}),
        (True, {"initial_observations": True, "horizon": 1}),
        (True, {"available": True, "actions": (3, 3)}),
    ],
)
def test_random_games(clustered: bool, sizes: dict, monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights, discounts, three agents, initial observations, action sets, unclustered trees."""
    # as soon as there is something to prove the float search is over: no clock decides
    monkeypatch.setattr(ApproxSearch, "_in_time", lambda search: not search.limits)
    game = random_game(np.random.default_rng(0), **({"actions": (2, 3), "discount": True, "weights": True} | sizes))
    found = find_multiplicity(unroll(game, cluster=clustered), time_limit=None)
    assert found is not None
    verdict = check_certificate(json.loads(json.dumps(multiplicity_certificate(game, found))))
    assert verdict.valid, verdict.failed_step
    assert f"alpha = {found.alpha_multiple} " in verdict.claim and f"alpha = {found.alpha_two_maxima} " in verdict.claim


def test_evidence_inside_another_certificate() -> None:
    """What a threshold certificate embeds is checked with its own game and process."""
    certificate = read("climbing")
    found = check_evidence(read_game(certificate["game"]), certificate["proof"])
    assert found.alpha == Fraction(certificate["claim"]["alpha_multiple"])
    assert found.witness.kinds == ("saddle", "maximum")


def damaged(value: object, rng: random.Random) -> object:
    """Something else in place of one leaf or one branch."""
    if isinstance(value, dict) and value and rng.random() < 0.9:
        key = rng.choice(sorted(value))
        return {**value, key: damaged(value[key], rng)}
    if isinstance(value, list) and value and rng.random() < 0.9:
        k = rng.randrange(len(value))
        return [*value[:k], damaged(value[k], rng), *value[k + 1 :]]
    return rng.choice([None, True, -1, 0, 1 << 70, "x", "1/0", "-1", [], {}, [[]], "7/3"])


def test_random_damage_never_crashes_and_never_proves_more() -> None:
    rng = random.Random(1)
    whole = read("three_levers")
    claim = check_certificate(whole).claim
    accepted = 0
    for _ in range(250):
        try:
            verdict = check_certificate(damaged(copy.deepcopy(whole), rng))
        except Malformed:
            continue
        if verdict.valid:
            accepted += 1
            assert verdict.claim.split(";")[0].split("(")[0] == claim.split(";")[0].split("(")[0]
    assert accepted < 100


@pytest.mark.parametrize("path", files("valid"), ids=lambda p: p.stem)
def test_shown_to_people(path: Path) -> None:
    certificate = read(path.stem)
    page = describe(certificate, str(path))
    assert certificate["claim"]["alpha_multiple"] in page and "saddle" in page and "run `certify check`" in page
    assert ("Theorem A" in page) == (path.stem == "saddle_alone")
    assert ("a symmetry of the game maps" in page) == ("symmetry" in json.dumps(certificate["proof"]))
