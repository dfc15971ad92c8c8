"""All claims in their quick form, every certificate checked; falsification of what the scripts rest on."""

from __future__ import annotations

import hashlib
import importlib.util
import json
from fractions import Fraction
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import certify
from certify.certificates.reading import describe
from certify.checker import check_certificate
from certify.claims.runner import find_proofs, run_proof
from certify.claims.text import marks
from certify.errors import Undecided

PROOFS = find_proofs()


def module(name: str) -> ModuleType:
    path = next(p.script for p in PROOFS if p.script.stem.startswith(name))
    specification = importlib.util.spec_from_file_location(f"tested_{path.stem}", path)
    found = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(found)
    return found


DEAR = ("2", "5a", "10", "18")  # thresholds of many games, which the tests of thresholds go through too


@pytest.mark.parametrize(
    "proof",
    [pytest.param(p, marks=[pytest.mark.slow] * (p.claim.id in DEAR)) for p in PROOFS],
    ids=lambda p: p.claim.id,
)
def test_quick(proof, tmp_path: Path) -> None:
    result = run_proof(proof, tmp_path, quick=True)
    assert not result.failure, result.failure
    assert result.verdict == proof.claim.expected or not result.decided
    assert marks(result.text) == marks(proof.text.read_text(encoding="utf-8"))


def test_every_claim_of_the_list_is_there() -> None:
    numbers = {int(p.claim.id.rstrip("abcdefgh")) for p in PROOFS}
    assert numbers >= set(range(17))


def test_the_record_is_the_only_reading_that_matches() -> None:
    record = module("00")
    digests = [hashlib.sha256(record.canonical(data)).hexdigest() for _, data in record.readings()]
    assert digests.count(record.ADDRESS) == 1
    spaced = json.dumps(record.RECORD, sort_keys=True).encode()
    assert hashlib.sha256(spaced).hexdigest() != record.ADDRESS


def test_theorem_a_notices_a_bound_that_is_too_small() -> None:
    study = module("01").Trajectories(certify.load("climbing"), Fraction(1, 2))
    study.width = study.width / 4
    with pytest.raises(Undecided, match="oscillates certainly more than D"):
        study.follow(0, 60)


def test_theorem_b_notices_a_constant_that_is_too_small(monkeypatch: pytest.MonkeyPatch) -> None:
    proof = module("02")
    assert proof.curvature_share(certify.load("lever:2"), 1)[0] <= 1
    smaller = proof.general

    def too_small(shape, form):
        found = smaller(shape, form)
        return type(found)(
            found.form, found.alpha_star * Fraction(9, 10), found.vector, found.strict, found.largest_sum
        )

    monkeypatch.setattr(proof, "general", too_small)
    assert proof.curvature_share(certify.load("lever:2"), 1)[0] > 1


@pytest.mark.parametrize("beta", [Fraction(1, 10), Fraction(2), Fraction(4)])
def test_the_odd_lever_stays_below_by_the_certified_slope(beta: Fraction) -> None:
    odd = module("04a")
    at = certify.optimum(certify.load("lever:10:9/10"), 1 / beta)
    low, high = odd.enclosures(at.policy)
    assert (high.upper - low.lower) / beta >= odd.slope_bound(beta)


def test_only_the_policy_that_repeats_earns_a_half() -> None:
    stage, game = module("04b"), certify.load("two-stage-lever")
    assert stage.equivariant_return(game, certify.symmetries(game).generators) == Fraction(1, 2)


@pytest.mark.parametrize("n", [3, 4, 7])
def test_the_closed_form_is_stationary(n: int) -> None:
    from certify.bounds import evaluate
    from certify.games.tree import unroll

    low, high = module("07").closed_form(n)
    tree = unroll(certify.load(f"lever:{n}"))
    row = np.array([[Fraction(1, 2), *[Fraction(1, 2 * (n - 1))] * (n - 1)]], dtype=object)
    gradient = evaluate(tree, [[row], [row]], (low + high) / 2).gradient
    assert max(np.abs(gradient.lower).max(), np.abs(gradient.upper).max()) < 1e-9
    away = evaluate(tree, [[row], [row]], high + Fraction(1, 10)).gradient
    assert np.abs(away.lower).max() > 1e-3


@pytest.fixture(scope="module")
def rising(tmp_path_factory: pytest.TempPathFactory) -> dict:
    outcome = module("05b").run(tmp_path_factory.mktemp("rising"), True)
    return json.loads(outcome.evidence[0].read_text(encoding="utf-8"))


def test_crossplay_certificate_says_what_happens(rising: dict) -> None:
    verdict = check_certificate(rising)
    assert verdict.valid and "J falls in 4; return falls in 2, rises in 2" in verdict.claim
    page = describe(rising, "rising")
    assert (
        "agents from runs 1, 1 (self-play): return in [6.6449" in page
        and "agents from runs 1, 2: return in [7.1434" in page
    )


@pytest.mark.parametrize("attack", ["team", "return", "centre", "alpha", "game", "twice"])
def test_attacks_on_crossplay(rising: dict, attack: str) -> None:
    document = json.loads(json.dumps(rising))
    teams, policy = document["claim"]["teams"], document["proof"]["policies"][0]
    if attack == "team":
        teams[0]["policies"] = [0, 1]
        del teams[2:]
    elif attack == "return":
        teams[0]["return"] = ["0", "1"]
    elif attack == "centre":
        policy["centre"][0][0] += 1 << (document["proof"]["unit_bits"] - 20)
    elif attack == "alpha":
        document["claim"]["alpha"] = "31/10"
    elif attack == "game":
        document["game_sha256"] = "0" * 64
    else:
        teams[1] = teams[0]
    if attack == "twice":
        with pytest.raises(ValueError, match="occurs twice"):
            check_certificate(document)
    else:
        assert not check_certificate(document).valid


@pytest.mark.slow
@pytest.mark.parametrize("proof", PROOFS, ids=lambda p: p.claim.id)
def test_in_full(proof, tmp_path: Path) -> None:
    result = run_proof(proof, tmp_path)
    assert not result.failure and result.verdict == proof.claim.expected, (result.failure, result.verdict)
