"""Structural thresholds: the figures of docs/theory/structural.md#theorem-b-form, and exactness."""

from fractions import Fraction

import numpy as np
import pytest
from multistart import distinct_policies
from random_games import random_game

from certify.certificates.threshold import parameters_certificate
from certify.checker import check_certificate
from certify.exact import rational_text
from certify.games import builtin
from certify.games.tree import unroll
from certify.thresholds.general_forms import general, largest_sum
from certify.thresholds.index_tables import Plan
from certify.thresholds.one_step_forms import positive_semidefinite
from certify.thresholds.row_form import row_form
from certify.thresholds.shapes import Shape, bare_shape, parse_parameters, shape_of
from certify.thresholds.structural import structural_thresholds


def forms(name, **options):
    return {s.form: s for s in structural_thresholds(builtin(name, **options))}


def test_two_levers_are_certified_at_exactly_one_half():
    found = forms("lever:2")
    assert (
        found["theorem-B"].alpha_star
        == found["one-step-rho"].alpha_star
        == found["one-step-spectral"].alpha_star
        == Fraction(1, 2)
    )
    assert found["theorem-B"].modulus == 0


def test_dectiger_both_forms():
    found = forms("dectiger", horizon=2)
    assert found["theorem-B"].alpha_star <= 338 and found["theorem-B"].modulus > 0
    assert found["theorem-D-prime"].alpha_star <= 167


def test_hanabi_size():
    shape, _ = parse_parameters("n=2,h=80,actions=20,return=0:25")
    assert general(shape, "theorem-D-prime").alpha_star <= 1190
    assert general(shape, "theorem-B").alpha_star <= 4130


@pytest.mark.parametrize("name", ["climbing", "penalty:-10", "match:3x3x3", "lever:3"])
def test_a_temperature_slightly_below_fails_the_exact_inequality(name):
    shape = shape_of(builtin(name))
    result = general(shape, "theorem-B")
    keys = shape.keys()
    vector = {key: Fraction(1) for key in keys}
    below = result.alpha_star * Fraction(999, 1000)
    assert largest_sum(shape, "theorem-B", below, vector) > 1


def test_single_agents_need_no_entropy_by_the_sharp_form():
    shape, _ = parse_parameters("n=1,h=3,actions=4,return=0:10")
    assert general(shape, "theorem-D-prime").alpha_star <= Fraction(1, 100)


def test_positive_semidefinite_against_floats():
    rng = np.random.default_rng(1)
    seen = set()
    for _ in range(200):
        root = rng.integers(-3, 4, size=(4, rng.integers(1, 5)))
        matrix = root @ root.T - rng.integers(0, 2) * np.eye(4, dtype=int)
        expected = bool(np.linalg.eigvalsh(matrix).min() > -1e-9)
        seen.add(expected)
        assert positive_semidefinite([[Fraction(int(x)) for x in row] for row in matrix]) is expected
    assert seen == {True, False}


def test_without_rewards_every_temperature_is_certified():
    shape, _ = parse_parameters("n=2,h=2,actions=2,return=0:1")
    flat = Shape((Fraction(0),) * 2, shape.actions, shape.weights, shape.discount)
    for form in ("theorem-B", "theorem-D-prime"):
        assert general(flat, form).alpha_star <= Fraction(1, 100)


def test_rows_take_the_past_as_one_random_variable():
    """Hanabi's size, and never above theorem-D-prime by more than its cruder same-time bound for unequal weights."""
    found = row_form(bare_shape(2, 80, 20, Fraction(0), Fraction(25)))
    assert found.alpha_star <= 540
    for horizon in (1, 2, 5):
        shape = bare_shape(3, horizon, 4, Fraction(0), Fraction(1))
        assert row_form(shape).alpha_star <= general(shape, "theorem-D-prime").alpha_star * Fraction(101, 100)


@pytest.mark.parametrize("seed", range(12))
def test_no_second_policy_where_rows_hold(seed):
    rng = np.random.default_rng(seed)
    game = random_game(rng, horizon=1 + seed % 3, discount=Fraction(1, 1 + seed % 2), weights=bool(seed % 2))
    found = row_form(shape_of(game))
    if found is None:
        return
    plan = Plan(unroll(game))
    assert distinct_policies(plan, float(found.alpha_star), rng, starts=3) <= 1


@pytest.mark.parametrize("part", [Fraction(1), Fraction(999, 1000)])
def test_the_checker_refuses_rows_below_their_threshold(part):
    shape, parameters = parse_parameters("n=2,h=6,actions=3,return=0:5")
    found = row_form(shape)
    document = parameters_certificate(parameters, found)
    document["claim"]["alpha_star"] = rational_text(found.alpha_star * part)
    verdict = check_certificate(document)
    assert verdict.valid == (part == 1)
    assert verdict.valid or "multiplier" in verdict.failed_step["why"]
