"""The standard-library checker: files with known verdicts, mutations, independence."""

from __future__ import annotations

import ast
import copy
import json
import random
import sys
from pathlib import Path

import pytest
from symmetry_certificates import FOLDER, everything
from symmetry_games import shared_game

from certify.certificates.symmetry import certificate, evidence
from certify.checker import Malformed, check_certificate
from certify.checker.kinds import symmetry as checker
from certify.checker.reading.envelope import Failed
from certify.checker.reading.game import read_game
from certify.games import builtin
from certify.games.canonical import game_to_json
from certify.symmetry import symmetries

FILES = {folder: sorted((FOLDER / folder).glob("*.json")) for folder in ("valid", "invalid", "malformed")}


def read(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", FILES["valid"], ids=lambda p: p.stem)
def test_valid_files_check(path: Path) -> None:
    verdict = check_certificate(read(path))
    assert verdict.valid and verdict.failed_step is None and verdict.steps > 2, verdict
    assert verdict.claim.endswith(f": {read(path)['claim']['text']}")


@pytest.mark.parametrize("path", FILES["invalid"], ids=lambda p: p.stem)
def test_attacked_files_are_rejected_with_the_step(path: Path) -> None:
    verdict = check_certificate(read(path))
    assert not verdict.valid and verdict.claim == "symmetry"
    assert verdict.failed_step["step"] and verdict.failed_step["why"]


@pytest.mark.parametrize(
    "stem, step",
    [
        ("generator_replaced", "generator 0"),
        ("generator_missing", "completeness"),
        ("orbit_merged", "orbits"),
        ("order_changed", "order"),
        ("complete_claimed", "completeness"),
        ("component_lost", "orbits"),
        ("game_hash_stale", "game_sha256"),
        ("weights_changed", "generator 1"),
        ("base_cut", "completeness"),
        ("states_counted_as_actions", "order"),
        ("base_states_first", "base"),
        ("claim_text", "claim"),
    ],
)
def test_the_step_that_fails_is_the_one_attacked(stem: str, step: str) -> None:
    assert check_certificate(read(FOLDER / "invalid" / f"{stem}.json")).failed_step["step"] == step


@pytest.mark.parametrize("path", FILES["malformed"], ids=lambda p: p.stem)
def test_malformed_files_raise(path: Path) -> None:
    with pytest.raises(Malformed):
        check_certificate(read(path))


def test_the_files_are_those_that_the_generator_makes() -> None:
    for folder, files in everything().items():
        assert {p.stem for p in FILES[folder]} == set(files)
        for path in FILES[folder]:
            assert read(path) == json.loads(json.dumps(files[path.stem])), path.stem


@pytest.mark.parametrize("name", ["GridSmall", "boxPushingUAI07", "fireFighting_2_3_3", "relay4"])
def test_benchmark_files_check(name: str) -> None:
    group = symmetries(shared_game(name))
    verdict = check_certificate(certificate(group))
    assert verdict.valid and f"order {group.order} " in verdict.claim


def test_a_large_order_is_exact() -> None:
    group = symmetries(builtin("lever:98"))
    verdict = check_certificate(certificate(group))
    assert verdict.valid and f"order {group.order} " in verdict.claim


def test_evidence_is_checked_inside_other_certificates_too() -> None:
    game = builtin("dectiger")
    group = checker.check_group(read_game(game_to_json(game)), evidence(game))
    assert (group.order, group.complete) == (4, True)
    other = read_game(game_to_json(builtin("recycling")))
    with pytest.raises((Failed, Malformed)):
        checker.check_group(other, evidence(game))


def mutations(rng: random.Random, value: object):
    """Random edits of one place of a JSON value."""
    document = copy.deepcopy(value)
    place = document
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        if not keys:
            return document
        key = rng.choice(keys)
        if isinstance(place[key], (dict, list)) and rng.random() < 0.8:
            place = place[key]
            continue
        action = rng.randrange(4)
        if action == 0:
            del place[key]
        elif action == 1:
            place[key] = rng.choice([None, -1, 0, 1, 10**30, "", "1/2", "nan", [], {}, True])
        elif action == 2 and isinstance(place, list):
            place.append(copy.deepcopy(place[key]))
        else:
            place[key] = rng.choice([[0], 2, "x"])
        return document


@pytest.mark.parametrize("seed", range(4))
def test_mutations_never_crash_and_never_prove_something_else(seed: int) -> None:
    rng = random.Random(seed)
    valid = read(FOLDER / "valid" / "dectiger.json")
    truth = check_certificate(valid).claim
    for _ in range(150):
        document = mutations(rng, valid)
        try:
            verdict = check_certificate(document)
        except Malformed as error:
            assert "\n" not in str(error)
            continue
        if verdict.valid:
            assert document["game"] == valid["game"] and verdict.claim == truth


def test_the_checker_imports_the_standard_library_only() -> None:
    tree = ast.parse(Path(checker.__file__).read_text(encoding="utf-8"))
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert all(name.split(".")[0] in sys.stdlib_module_names or name.startswith("certify.checker") for name in names)


def test_a_blind_checker_would_accept_attacks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Falsification: without the exhausted search a missing generator goes unnoticed."""
    attacked = read(FOLDER / "invalid" / "generator_missing.json")
    monkeypatch.setattr(checker.Search, "automorphism_between", lambda *_: False)
    assert check_certificate(attacked).valid


def test_a_generator_that_moves_actions_is_not_counted_as_moving_states_only() -> None:
    game = read_game(game_to_json(builtin("dectiger")))
    proof = evidence(builtin("dectiger"))
    flip = next(g for g in proof["generators"] if g["states"] == [1, 0])
    part = {
        "generators": [flip],
        "base": [["state", 0]],
        "complete": False,
        "order": "1",
        "state_only_order": "2",
        "orbits": {
            "agents": [[0], [1]],
            "states": [[0, 1]],
            "actions": [[[i, 0]] for i in range(2)] + [[[i, 1], [i, 2]] for i in range(2)],
            "observations": [[[i, 0], [i, 1]] for i in range(2)],
        },
    }
    with pytest.raises(Failed) as failed:
        checker.check_group(game, part)
    assert failed.value.where == {"step": "order"}
    assert checker.check_group(game, part | {"state_only_order": "1"}).order == 1
