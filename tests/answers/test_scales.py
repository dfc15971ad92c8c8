"""Payoffs of every scale: what is exact works from 1e-390 to 1e390, and says the same of the scaled game."""

from __future__ import annotations

from fractions import Fraction

import pytest

import certify
from certify.certificates.crossplay import crossplay_certificate
from certify.checker import check_certificate
from certify.cli.output import shown
from certify.crossplay.approx_runs import proved_runs
from certify.exact import significant_text
from certify.games.arrays import from_array
from certify.games.tree import unroll

SCALES = ("1e-390", "1e-30", "1e300", "1e309", "1e390")
SKEW = (("1", "0"), ("0", "0.9"))


def payoffs(scale: str, table: tuple[tuple[str, ...], ...] = SKEW) -> list[list[Fraction]]:
    return [[Fraction(x) * Fraction(scale) for x in row] for row in table]


@pytest.fixture(scope="module")
def plain() -> certify.ThresholdResult:
    return certify.threshold(payoffs("1"), rtol="1/20")


@pytest.mark.parametrize(
    "scale", [s if s in ("1e-390", "1e309") else pytest.param(s, marks=pytest.mark.slow) for s in SCALES]
)
def test_threshold_scales_with_the_payoffs(scale: str, plain: certify.ThresholdResult) -> None:
    """These were tracebacks (OverflowError, ZeroDivisionError), or brackets without their last digits."""
    unit = Fraction(scale)
    found = certify.threshold(payoffs(scale), rtol="1/20")
    assert found.status == "proved"
    assert plain.alpha_star is not None
    assert plain.alpha_multiple is not None
    assert found.alpha_star == plain.alpha_star * unit
    assert found.alpha_multiple == plain.alpha_multiple * unit
    assert found.modulus == (plain.modulus or 0) * unit
    assert found.forms == {form: alpha * unit for form, alpha in plain.forms.items()}
    assert found.document is not None
    # about the game as it was given, not about a scaled one
    assert {Fraction(r) for *_, r in found.document["game"]["reward"]} == {unit, unit * Fraction(9, 10)}
    assert check_certificate(found.document, engine="stdlib").valid


def ends_of(result: certify.OptimumResult) -> list[tuple[Fraction, Fraction]]:
    return [(p.lower, p.upper) for row in result.policy.values() for p in row.values()]


@pytest.mark.parametrize("alpha", ["0.4", "0.4:2"])
def test_optimum_scales_with_the_payoffs(alpha: str) -> None:
    first = certify.optimum(payoffs("1"), alpha)
    for scale in ("1e-300", "1e309"):
        unit = Fraction(scale)
        ends = [Fraction(a) * unit for a in alpha.split(":")]
        found = certify.optimum(payoffs(scale), ends)
        assert found.status == "proved", found.reason
        assert found.kind == first.kind
        assert first.return_ is not None
        assert found.return_ is not None
        assert found.return_.lower == first.return_.lower * unit
        assert ends_of(found) == ends_of(first)
        assert found.rate == (None if first.rate is None else first.rate * unit)
        assert found.document is not None
        assert check_certificate(found.document, engine="stdlib").valid


def test_a_threshold_in_a_file_serves_an_optimum_of_the_same_scale() -> None:
    game = payoffs("1e309")
    threshold = certify.threshold(game, rtol="1/20")
    found = certify.optimum(game, Fraction("4e308"), threshold=threshold)
    assert found.status == "proved"
    assert found.alpha_star == threshold.alpha_star


def test_a_return_of_another_scale_is_refused() -> None:
    """Measuring in units must not let a wrong enclosure pass."""
    found = certify.optimum(payoffs("1e-300"), Fraction("4e-301"))
    assert found.document is not None
    piece = found.document["claim"]["pieces"][0]
    low, high = (Fraction(x) for x in piece["return"])
    piece["return"] = [str(low + (high - low) * 2), str(high + (high - low) * 2)]
    verdict = check_certificate(found.document, engine="stdlib")
    assert not verdict.valid
    assert (verdict.failed_step or {})["step"] == "enclosure"


@pytest.mark.parametrize("scale", ["1e-300", "1e309"])
def test_crossplay_and_policies_scale_with_the_payoffs(scale: str) -> None:
    unit = Fraction(scale)
    first, found = (certify.cross_play(payoffs(s), Fraction(1, 5) * Fraction(s)) for s in ("1", scale))
    assert (found.status, found.relation) == ("proved", "gap")
    assert first.gap is not None
    assert found.gap is not None
    assert abs(found.gap.lower / unit - first.gap.lower) < Fraction(1, 10**9)
    half = {"0": "1/2", "1": "1/2"}
    game = from_array(payoffs(scale))
    distance = certify.policy_distance(game, Fraction(3, 5) * unit, {"agent1:": half, "agent2:": half})
    assert distance.status == "proved"
    assert distance.return_gap is not None
    assert Fraction(2, 100) < distance.return_gap.lower / unit < Fraction(3, 100)


def test_numbers_for_a_person_have_significant_digits() -> None:
    """Payoffs of 1e-30 were shown as "alpha* = 0.000001, alpha_multiple = 0.000000"."""
    assert shown(Fraction("3.5e-31"), up=True) == "3.5e-31"
    assert shown(Fraction(1, 3 * 10**30), up=False) == "3.3333333e-31"
    assert shown(Fraction(10) ** 309, up=True) == "1e309"
    assert shown(Fraction(1, 3), up=True) == "0.33333334"
    assert shown(Fraction(-2, 3), up=True) == "-0.66666666"


@pytest.mark.parametrize("value", [Fraction(1, 3), Fraction(2, 3), Fraction(-1, 7), Fraction("999999.96"), Fraction(7)])
@pytest.mark.parametrize("power", [-400, -6, -5, 0, 5, 9, 400])
def test_significant_digits_are_rounded_to_the_safe_side(value: Fraction, power: int) -> None:
    exact = value * Fraction(10) ** power
    low, high = (Fraction(significant_text(exact, 6, up=up)) for up in (False, True))
    assert low <= exact <= high
    assert high - low <= abs(exact) / 10**5


@pytest.mark.parametrize("scale", SCALES)
def test_bare_parameters_scale(scale: str) -> None:
    """`return=0:1e309` was an internal failure; `0:1e-309` named a threshold near the floats' 1e-12."""
    unit = certify.structural_threshold("n=2,h=2,actions=2,return=0:1")
    found = certify.structural_threshold(f"n=2,h=2,actions=2,return=0:{scale}")
    assert found.status == "proved"
    assert unit.alpha_star is not None and found.alpha_star is not None
    assert 1 <= found.alpha_star / Fraction(scale) / unit.alpha_star * Fraction(1001, 1000) < Fraction(1002, 1000)


@pytest.mark.parametrize("scale", ["1e-30", "1e300"])
def test_ends_of_cross_play_are_as_fine_as_the_payoffs(scale: str) -> None:
    """They were multiples of 1e-9, whatever the payoffs."""
    game = from_array(payoffs(scale, (("1", "0"), ("0", "1"))))
    proofs = proved_runs(unroll(game, cluster=False), Fraction(scale) / 10)
    document = crossplay_certificate(game, proofs)
    assert check_certificate(document).valid
    low, high = (Fraction(end) for end in document["claim"]["teams"][0]["return"])
    assert 0 < high - low < Fraction(scale) / 10**6
