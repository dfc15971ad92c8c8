"""Multiplicity from below: against known figures, against J itself, on games without any, on false limits."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_games import random_game
from symmetry_games import shared_game

from certify.bounds.arb_evaluate import arb_evaluate
from certify.bounds.hessian import hessian
from certify.bounds.tangent import lambda_max_lower, lambda_max_upper
from certify.errors import InputError
from certify.exact import simplest_between
from certify.games import builtin
from certify.games.histories import histories
from certify.games.oneshot import one_shot
from certify.games.tree import unroll
from certify.stationary.approx_branches import follow
from certify.stationary.approx_equations import ApproxEquations
from certify.stationary.approx_limits import Limit, limits
from certify.stationary.approx_policies import approx_policies
from certify.stationary.existence import prove_stationary
from certify.stationary.multiplicity import find_multiplicity
from certify.stationary.witness_proofs import WitnessProofs, steps_below
from certify.stationary.witnesses import MAXIMUM, SADDLE
from certify.symmetry.histories import act
from certify.thresholds.structural import structural_thresholds

NOT_MONOTONE = [["1.378", "-.574", "1.77"], ["1.695", "-.247", ".491"], ["-2.442", "1.233", "1.716"]]


def matrix_game(rows):
    payoff = {(a, b): Fraction(r) for a, row in enumerate(rows) for b, r in enumerate(row)}
    names = [[str(k) for k in range(len(rows))], [str(k) for k in range(len(rows[0]))]]
    return one_shot("matrix", names, payoff)


def check(found, reference, tolerance=2e-5):
    """The proofs are what they say, and lie within `tolerance` of the float figure (given to 4 digits)."""
    assert found is not None
    assert abs(float(found.alpha_multiple) / found.approx_limit - 1) < tolerance
    assert abs(found.approx_limit / reference - 1) < 2e-4
    assert found.alpha_multiple < structural_thresholds(found.tree.game)[0].alpha_star
    for witness in (found.witness, found.two_maxima):
        first, second = witness.solutions
        assert ((first.proof.upper < second.proof.lower) | (second.proof.upper < first.proof.lower)).any()
        assert first.proof.alpha == second.proof.alpha == witness.alpha
    assert {s.kind for s in found.two_maxima.solutions} == {MAXIMUM}
    assert found.alpha_two_maxima <= found.alpha_multiple


@pytest.mark.parametrize(
    "name, reference",
    [
        ("lever:2", 0.5),
        ("lever:3", 0.364213),
        pytest.param("lever:5", 0.280544, marks=pytest.mark.slow),
        pytest.param("lever:10", 0.219309, marks=pytest.mark.slow),
        ("lever:10:9/10", 0.219412),
        ("climbing", 8.27232),
        ("matching-pennies", 1.0),
        pytest.param("penalty:-10", 6.41370, marks=pytest.mark.slow),
        ("match:3x3x3", 0.305218),
    ],
)
def test_one_shot_games(name, reference):
    check(find_multiplicity(unroll(builtin(name))), reference)


@pytest.mark.parametrize(
    "name, reference", [pytest.param("broadcast-channel", 0.504731, marks=pytest.mark.slow), ("recycling", 1.09182)]
)
def test_two_steps(name, reference):
    check(find_multiplicity(unroll(builtin(name, 2))), reference)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name, horizon, reference",
    [
        ("dectiger", 2, 11.98797),
        ("2generals", 2, 3.46638),
        ("GridSmall", 2, 0.1417872),
        ("broadcastChannel", 3, 0.476431),
        ("dectiger", 3, 11.80936),
    ],
)
def test_benchmark_files(name, horizon, reference):
    check(find_multiplicity(unroll(shared_game(name, horizon)), time_limit=None), reference)


def test_above_a_gap_of_uniqueness():
    """Unique at .4212, multiple at .5 and .632, unique at .84: the search comes from above."""
    found = find_multiplicity(unroll(matrix_game(NOT_MONOTONE)))
    assert Fraction("0.632") < found.alpha_multiple < Fraction("0.84")


@pytest.mark.parametrize("rows", [["0 1", "1 8"], ["1 2 3"]])
def test_games_without_multiplicity(rows):
    """None is no claim, but nothing may be proved where nothing exists."""
    assert find_multiplicity(unroll(matrix_game([row.split() for row in rows]))) is None


def test_labels_against_the_objective():
    """J falls in every direction tried at a maximum, and rises in some direction at a saddle."""
    found = find_multiplicity(unroll(builtin("climbing")))
    eq = ApproxEquations(found.tree)
    rng = np.random.default_rng(3)
    kinds = set()
    for solution in (*found.witness.solutions, *found.two_maxima.solutions):
        z = eq.ratios(((solution.proof.lower + solution.proof.upper) / 2).astype(float)[:, None])
        beta = 1 / float(solution.proof.alpha)
        here = eq.value(z, beta)[0]
        moves = 1e-3 * rng.normal(size=(eq.size, 400))
        if solution.kind == SADDLE:
            vectors = np.linalg.eig(eq.linearised(z[:, 0], beta)[1])
            moves = 1e-3 * vectors[1][:, [vectors[0].real.argmin()]].real
            assert (eq.value(z + moves, beta) > here).all()
        else:
            assert (eq.value(z + moves, beta) < here).all()
        kinds.add(solution.kind)
    assert kinds == {MAXIMUM, SADDLE}


def test_labels_carry_over_to_the_unclustered_game():
    """Merged histories add directions of negative curvature only: maxima stay maxima, saddles saddles."""
    game = builtin("dectiger", 2)
    merged, whole = unroll(game), unroll(game, cluster=False)
    eq, alpha = ApproxEquations(merged), Fraction(54, 5)
    signs = set()
    for z in approx_policies(eq, float(alpha), np.random.default_rng(0), starts=32, newton_starts=60).up_to_symmetry():
        small = eq.nested(z)
        large = whole.uniform()
        for i in range(2):
            for x, y in zip(histories(whole, i), histories(merged, i), strict=True):
                assert x.key == y.key
                large[i][x.depth][x.class_index] = small[i][y.depth][y.class_index]
        proofs = [prove_stationary(tree, alpha, policy) for tree, policy in ((merged, small), (whole, large))]
        forms = [hessian(p.tree, p.policy, alpha, stationary=True) for p in proofs]
        below = [lambda_max_upper(form) < alpha for form in forms]
        above = [lambda_max_lower(form) > alpha for form in forms]
        assert below[0] == below[1] and above[0] == above[1] and below[0] != above[0]
        signs.add(below[0])
    assert signs == {True, False}


def test_symmetry_maps_the_first_policy_to_the_second():
    found = find_multiplicity(unroll(builtin("lever:3")))
    first, second = found.two_maxima.solutions
    image = act(found.tree, found.two_maxima.symmetry, first.proof.policy)
    layout = ApproxEquations(found.tree).layout
    assert second.proof.has_only(layout.flat(image.lower), layout.flat(image.upper))
    assert not first.proof.has_only(layout.flat(image.lower), layout.flat(image.upper))


def test_a_false_limit_proves_nothing():
    """Above the fold the proofs must fail, whatever the floats say."""
    tree = unroll(builtin("climbing"))
    eq = ApproxEquations(tree)
    policies = approx_policies(eq, 7.0, np.random.default_rng(0)).z
    fold = next(
        limit for z in policies for limit in limits(follow(eq, z, 7.0, top=20.0, floor=5.0)) if limit.kind == "fold"
    )
    proofs = WitnessProofs(tree, eq, Fraction(1, 2000))
    assert proofs.below(fold) is not None
    assert proofs.below(Limit(1.02 * fold.alpha, "fold", fold.branch, fold.at, fold.top)) is None


def test_deterministic():
    tree = unroll(builtin("lever:3"))
    first, second = (find_multiplicity(tree, time_limit=None) for _ in range(2))
    assert first.alpha_multiple == second.alpha_multiple and first.alpha_two_maxima == second.alpha_two_maxima
    assert (first.witness.solutions[0].proof.lower == second.witness.solutions[0].proof.lower).all()


@pytest.mark.parametrize("rtol", [0, 1, Fraction(-1, 2)])
def test_bad_tolerances(rtol):
    with pytest.raises(InputError):
        find_multiplicity(unroll(builtin("lever:2")), rtol=rtol)


@given(st.fractions(min_value=Fraction(1, 10**6), max_value=10**4), st.integers(2, 10**6))
def test_simplest_fractions(low, part):
    high = low * (1 + Fraction(1, part))
    simple = simplest_between(low, high)
    assert low <= simple <= high
    for q in range(1, min(simple.denominator, 60)):
        assert not any(low <= Fraction(p, q) <= high for p in (int(low * q), int(low * q) + 1))


def test_steps_stay_below_and_within_the_tolerance():
    alpha, rtol = 0.36421333, Fraction(1, 2000)
    steps = list(steps_below(alpha, rtol))
    assert steps == sorted(steps, reverse=True) and all(Fraction(alpha) * (1 - rtol) <= s < alpha for s in steps)


@pytest.mark.parametrize("seed", range(6))
def test_float_equations(seed):
    """Q against arb, the Jacobian against differences, on games with weights, discounts and action sets."""
    rng = np.random.default_rng(seed)
    game = random_game(
        rng,
        agents=2 + seed % 2,
        horizon=1 + seed % 3,
        actions=(2, 3, 2)[: 2 + seed % 2],
        discount=True,
        weights=True,
        available=seed > 3,
        initial_observations=seed == 2,
    )
    tree = unroll(game)
    eq = ApproxEquations(tree)
    z, alpha = rng.normal(size=eq.size), Fraction(3, 2)
    q = np.array([float(x.mid()) for x in arb_evaluate(tree, eq.nested(z), alpha).q]) / float(alpha)
    assert np.allclose(eq.advantage(z[:, None], 2 / 3)[:, 0], (q[eq.entry] - q[eq.last]) / eq.scale, atol=1e-10)
    value, slope, by_beta = eq.linearised(z, 2 / 3)
    step = 1e-6
    for c in range(eq.size):
        move = np.zeros((eq.size, 1))
        move[c] = step
        change = (eq.residual(z[:, None] + move, 2 / 3) - eq.residual(z[:, None] - move, 2 / 3))[:, 0] / (2 * step)
        assert np.allclose(change, slope[:, c], atol=1e-7)
    change = (eq.residual(z[:, None], 2 / 3 + step) - eq.residual(z[:, None], 2 / 3 - step))[:, 0] / (2 * step)
    assert np.allclose(change, by_beta, atol=1e-7) and np.allclose(value, eq.residual(z[:, None], 2 / 3)[:, 0])
