"""The standard-library checker of optimum certificates: files with known verdicts, mutations, blindness."""

from __future__ import annotations

import copy
import json
import random
from pathlib import Path

import pytest
from optimum_certificates import FOLDER, everything

from certify.checker import Malformed, check_certificate
from certify.checker.kinds import optimum
from certify.checker.stationary import facts, krawczyk, rate

FILES = {folder: sorted((FOLDER / folder).glob("*.json")) for folder in ("valid", "invalid", "malformed")}
STEPS = {  # the step that an attack must be caught at, by the first word of its name
    "probability": "enclosure",
    "probabilities": "enclosure",
    "value": "enclosure",
    "return": "enclosure",
    "entropy": "enclosure",
    "rate": "rate",
    "radius": "piece",
    "centre": "piece",
    "inverse": "piece",
    "branch": "piece",
    "path": "enclosure",
    "greedy": "greedy",
    "tie": "greedy",
    "generator": "symmetry",
    "other": "enclosure",
    "piece": "piece",
    "temperature": "enclosure",
}
EXCEPTIONS = {
    "tie_by_a_map_that_is_none": "symmetry",
    "threshold_lowered": "threshold",
    "threshold_above_alpha": "piece",
    "game_hash_stale": "game_sha256",
}


def read(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


def named(folder: str) -> list:
    assert FILES[folder], folder
    return [pytest.param(path, id=path.stem) for path in FILES[folder]]


@pytest.mark.parametrize("path", named("valid"))
def test_valid_files_check(path: Path) -> None:
    verdict = check_certificate(read(path))
    assert verdict.valid, verdict.failed_step
    assert "lies in the boxes given" in verdict.claim and verdict.steps > 3


@pytest.mark.parametrize("path", named("invalid"))
def test_attacks_are_rejected_at_the_place_attacked(path: Path) -> None:
    verdict = check_certificate(read(path))
    assert not verdict.valid and verdict.failed_step["why"]
    step = EXCEPTIONS.get(path.stem) or STEPS.get(path.stem.split("_")[0])
    assert step is None or verdict.failed_step["step"] == step, verdict.failed_step


@pytest.mark.parametrize("path", named("malformed"))
def test_malformed_files_raise(path: Path) -> None:
    with pytest.raises(Malformed) as error:
        check_certificate(read(path))
    assert "\n" not in str(error.value)


def test_the_files_are_those_that_the_generator_names() -> None:
    for folder, files in everything().items():
        assert {path.stem for path in FILES[folder]} == set(files)


def mutated(rng: random.Random, value: dict) -> dict:
    """One random edit of one place of a JSON object."""
    document = copy.deepcopy(value)
    place = document
    while True:
        key = rng.choice(list(place) if isinstance(place, dict) else range(len(place)))
        if isinstance(place[key], (dict, list)) and place[key] and rng.random() < 0.9:
            place = place[key]
            continue
        action = rng.randrange(3)
        if action == 0:
            del place[key]
        elif action == 1:
            place[key] = rng.choice([None, -1, 0, 1, 10**30, "", "1/2", "-3", [], {}, True])
        else:
            place[key] = rng.choice([[0], 2, "x", {"a": 1}])
        return document


def test_mutations_never_crash_and_never_prove_another_claim() -> None:
    rng = random.Random(0)
    valid = read(FOLDER / "valid" / "tied_levers.json")
    truth = check_certificate(valid).claim
    accepted = 0
    for _ in range(250):
        document = mutated(rng, valid)
        try:
            verdict = check_certificate(document)
        except Malformed:
            continue
        if verdict.valid:
            accepted += 1
            assert document["game"] == valid["game"]
            rate_dropped = truth.split(", and the softmax flow")[0]
            assert verdict.claim in (truth, rate_dropped) or document["claim"]["rate"] != valid["claim"]["rate"]
    assert accepted < 60  # edits of what is not claimed: reals in the inverse, boxes that are wide enough


@pytest.mark.parametrize(
    "stem, module, name, blind",
    [
        ("rate_too_high", rate, "positive_definite", lambda matrix: True),
        ("branch_joint_dropped", facts, "lies_within", lambda image, box: True),
        (
            "tie_without_symmetries",
            optimum,
            "orbits",
            lambda *_: dict.fromkeys([(x, a) for x in range(2) for a in range(3)], (0, 0)),
        ),
    ],
)
def test_a_blind_checker_would_accept_attacks(monkeypatch, stem, module, name, blind) -> None:
    """Falsification: without the test that each attack aims at, it goes through."""
    attacked = read(FOLDER / "invalid" / f"{stem}.json")
    if stem == "tie_without_symmetries":
        monkeypatch.setattr(optimum, "read_generators", lambda *_: (None, [None]))
    if stem == "branch_joint_dropped":  # the neighbours must still share a beta
        attacked["proof"]["pieces"][1]["beta"][1] = attacked["proof"]["pieces"][2]["beta"][0]
    monkeypatch.setattr(module, name, blind)
    assert check_certificate(attacked).valid


def test_a_box_far_from_any_stationary_policy_is_not_proved() -> None:
    document = read(FOLDER / "valid" / "two_steps.json")
    piece = document["proof"]["pieces"][0]
    piece["centre"][0] = [m + (1 << 127) for m in piece["centre"][0]]
    assert check_certificate(document).failed_step["step"] == "piece"
    assert krawczyk.MAX_COORDINATES > 100


def test_a_table_too_large_for_a_rate_is_refused_before_it_is_built(monkeypatch) -> None:
    monkeypatch.setattr(rate, "MAX_LOGITS", 41)  # the whole table of dectiger, two steps, has 42
    failed = check_certificate(read(FOLDER / "valid" / "two_steps.json")).failed_step
    assert failed["step"] == "rate" and failed["why"].startswith("42 logits")
    monkeypatch.setattr(rate, "MAX_LOGITS", 42)
    assert check_certificate(read(FOLDER / "valid" / "two_steps.json")).valid
