"""Falsification of what the scripts of claims 6 and 8 to 16 rest on."""

from __future__ import annotations

import importlib.util
import json
from fractions import Fraction
from pathlib import Path
from types import ModuleType

import pytest
from flint import arb

import certify
from certify.bounds.arb_numbers import working_precision
from certify.checker import check_certificate
from certify.claims import REFUTED
from certify.claims.steps import Update, saved_first_order, saved_sign
from certify.errors import Undecided

FOLDER = Path(__file__).resolve().parents[2] / "proofs"


def module(number: str) -> ModuleType:
    path = next(FOLDER.glob(f"{number}_*.py"))
    specification = importlib.util.spec_from_file_location(f"tested_{path.stem}", path)
    found = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(found)
    return found


def test_every_claim_of_the_list_is_there() -> None:
    assert {int(p.name[:2]) for p in FOLDER.glob("[0-9]*.py")} >= {6, *range(8, 17)}


def test_a_greedy_policy_is_not_called_optimal_against_a_better_one() -> None:
    greedy = module("06")
    found = certify.optimum("climbing", Fraction(20))
    assert greedy.outcome_of(found, Fraction(5)) == greedy.RECOVERED
    assert greedy.outcome_of(found, Fraction(11)) == greedy.LOST
    assert greedy.outcome_of(certify.optimum("lever:3", Fraction(1)), Fraction(1)) == greedy.TIED


@pytest.mark.parametrize(("coupling", "zeros"), [("11/10", 1), ("9/10", 0), ("5", 1), ("1/100", 0)])
def test_zeros_are_counted_on_either_side_of_one(coupling: str, zeros: int) -> None:
    with working_precision(128):
        assert (
            len(module("08").fixed_points(arb(Fraction(coupling).numerator) / Fraction(coupling).denominator)) == zeros
        )


def test_the_zero_for_three_actions_is_one_half() -> None:
    with working_precision(128):
        ((low, high),) = module("08").fixed_points(arb(3).log())
    assert low < Fraction(1, 2) < high


def test_the_degenerate_coupling_stays_undecided() -> None:
    with working_precision(128), pytest.raises(Undecided):
        module("08").fixed_points(arb(1))


def test_local_policies_that_are_the_same_are_not_apart() -> None:
    script, game = module("10"), certify.load("lever:2")
    same, other = (certify.optimum(game, 1, objective=objective) for objective in ("local", "entropy"))
    assert script.apart(same, other)[0] == 0 < script.apart(same, other)[1] < Fraction(1, 10**6)
    elsewhere = certify.optimum(certify.load("lever:2:1/2"), 1)
    assert script.apart(same, elsewhere)[0] > Fraction(1, 100)


def test_the_refutation_of_repo_r_is_in_its_certificates(tmp_path: Path) -> None:
    outcome = module("15").run(tmp_path, True)
    assert outcome.verdict == REFUTED
    plain, rescaled = (
        json.loads((tmp_path / f"sign-flips-{k}-first-order.cert.json").read_text(encoding="utf-8"))
        for k in ("plain", "repo-r")
    )
    assert (plain["policy"], plain["advantages"]) == (rescaled["policy"], rescaled["advantages"])
    assert [c["claim"]["sign"] for c in (plain, rescaled)] == ["increases", "decreases"]
    assert Fraction(rescaled["parameters"]["zeta"]) > 0
    for document in (plain, rescaled):
        assert check_certificate(document).valid
        document["claim"]["sign"] = "increases" if document["claim"]["sign"] == "decreases" else "decreases"
        assert not check_certificate(document).valid


def test_a_sign_that_is_not_proved_is_not_saved(tmp_path: Path) -> None:
    uniform = Update(("1/2", "1/2"), ("0", "0"), "reinforce", {}).report()
    for save in (saved_sign, saved_first_order):
        with pytest.raises(Undecided):
            save(uniform, tmp_path / "nothing.cert.json")
    assert not list(tmp_path.iterdir())


def test_saturation_is_attained_and_not_exceeded() -> None:
    script = module("16")
    for low, high in script.LIMITS:
        controller = script.ZetaController(low, high)
        assert script.longest_saturation(controller) <= controller.saturation_steps()
    assert any(
        script.longest_saturation(c) == c.saturation_steps()
        for c in (script.ZetaController(*limits) for limits in script.LIMITS)
    )
