"""Krawczyk proofs of stationary policies against closed forms, evaluation and known multiplicity."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import flint
import numpy as np
import pytest
from random_games import random_game

from certify.bounds.arb_evaluate import arb_evaluate
from certify.bounds.arb_numbers import working_precision
from certify.bounds.policy import layout_of
from certify.crossplay.approx_runs import proved_runs
from certify.errors import InputError, Undecided
from certify.games import builtin
from certify.games.oneshot import one_shot
from certify.games.tree import unroll
from certify.stationary import existence, krawczyk
from certify.stationary.existence import prove_stationary


def one_shot_tree(rows):
    payoff = {(a, b): Fraction(str(r)) for a, row in enumerate(rows) for b, r in enumerate(row)}
    names = [[str(k) for k in range(len(rows))], [str(k) for k in range(len(rows[0]))]]
    return unroll(one_shot("matrix", names, payoff), cluster=False)


def test_a_single_agent_is_a_softmax() -> None:
    game = one_shot("bandit", [["a", "b", "c"]], {(0,): 1, (1,): 2})
    tree = unroll(game, cluster=False)
    proof = prove_stationary(tree, Fraction(2), tree.uniform())
    weights = [math.exp(r / 2) for r in (1, 2, 0)]
    for k, w in enumerate(weights):
        assert abs(float(proof.lower[k]) - w / sum(weights)) < 1e-15
        assert proof.lower[k] <= proof.upper[k] and proof.radius < Fraction(1, 10**40)


def test_two_levers_below_one_half() -> None:
    """p / (1 - p) = exp((2p - 1) / alpha) on the diagonal: three solutions below 1/2, one above."""
    tree = unroll(builtin("lever:2"), cluster=False)
    for alpha, count in ((Fraction(2, 5), 3), (Fraction(3, 5), 1)):
        proofs = proved_runs(tree, alpha)
        assert len(proofs) == count
        for proof in proofs:
            p = float(proof.lower[0])
            assert abs(math.log(p / (1 - p)) - (2 * p - 1) / float(alpha)) < 1e-12


@pytest.mark.parametrize("alpha, count", [(".2106", 3), (".4212", 1), (".5", 3), (".632", 3), (".84", 1)])
def test_uniqueness_is_not_monotone(alpha: str, count: int) -> None:
    """The game of docs/theory/continuation.md#from-below, with 3, 1, 3, 3, 1 stationary policies; runs find the stable
    ones at least, and never more than there are."""
    tree = one_shot_tree([[1.378, -0.574, 1.77], [1.695, -0.247, 0.491], [-2.442, 1.233, 1.716]])
    found = len(proved_runs(tree, Fraction(alpha), starts=12))
    assert found <= count and (found > 1) == (count > 1)


@pytest.mark.parametrize("seed", range(8))
def test_the_gradient_vanishes_in_the_box(seed: int) -> None:
    rng = np.random.default_rng(seed)
    tree = unroll(
        random_game(
            rng,
            agents=2 + seed % 2,
            horizon=2,
            actions=2,
            observations=2,
            weights=True,
            discount=True,
            available=bool(seed % 3),
        ),
        cluster=bool(seed % 2),
    )
    proofs = proved_runs(tree, Fraction(3, 2), starts=2)
    assert proofs
    for proof in proofs:
        gradient = arb_evaluate(tree, proof.policy, proof.alpha, precision=192).gradient
        assert all(g.contains(0) and float(g.rad()) < 1e-30 for g in gradient)


@pytest.mark.parametrize("seed", range(4))
def test_jets_agree_with_difference_quotients(seed: int) -> None:
    """The Jacobian that the Krawczyk step uses, entry by entry."""
    rng = np.random.default_rng(seed)
    tree = unroll(
        random_game(rng, agents=2, horizon=2, actions=(2, 3), observations=2, weights=True, discount=True),
        cluster=False,
    )
    layout = layout_of(tree)
    flat = layout.flat([[rng.dirichlet(np.ones(p.shape[1]) * 3, size=len(p)) for p in row] for row in tree.uniform()])
    ratios = krawczyk.Ratios.around(layout, flat)
    with working_precision(200):
        z = flint.arb_mat(ratios.size, 1, ratios.start(flat))
        step = flint.arb(2) ** -60
        _, slope = krawczyk.stationarity(tree, ratios, Fraction(5, 4), z)
        for b in range(0, ratios.size, 3):
            shift = flint.arb_mat(ratios.size, 1, [step if k == b else 0 for k in range(ratios.size)])
            up, down = (
                krawczyk.stationarity(tree, ratios, Fraction(5, 4), z + sign * shift, slopes=False)[0]
                for sign in (1, -1)
            )
            for c in range(ratios.size):
                quotient = (up[c, 0] - down[c, 0]) / (2 * step)
                assert abs(float((quotient - slope[c, b]).mid())) < 1e-25


def test_a_wrong_jacobian_proves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Falsification: with the Jacobian of another game the step does not contract."""
    tree = unroll(builtin("lever:2"), cluster=False)
    right = krawczyk.stationarity

    def wrong(*arguments, slopes=True):
        value, slope = right(*arguments, slopes=slopes)
        return value, slope * flint.arb(5)

    inverse = []
    newton = existence.newton
    monkeypatch.setattr(existence, "newton", lambda *a: inverse.append(newton(*a)) or inverse[0])
    prove_stationary(tree, Fraction(1), tree.uniform())
    monkeypatch.setattr(existence, "newton", lambda *a: inverse[0])
    monkeypatch.setattr(krawczyk, "stationarity", wrong)
    with pytest.raises(Undecided, match="interior"):
        prove_stationary(tree, Fraction(1), tree.uniform())


def test_a_box_next_to_the_solution_is_not_it() -> None:
    tree = unroll(builtin("lever:2"), cluster=False)
    proof = prove_stationary(tree, Fraction(1, 4), [[np.array([[0.98, 0.02]])], [np.array([[0.97, 0.03]])]])
    assert proof.has_only(proof.lower, proof.upper)
    assert not proof.has_only(proof.lower - Fraction(1, 1000), proof.upper + Fraction(1, 1000))
    assert not proof.has_only(proof.lower[::-1], proof.upper[::-1])
    assert not proof.has_only(proof.lower - 1, proof.upper)


def test_at_the_fold_it_is_undecided() -> None:
    tree = unroll(builtin("lever:2"), cluster=False)
    with pytest.raises(Undecided):
        prove_stationary(tree, Fraction(1, 2), tree.uniform())


def test_what_is_refused() -> None:
    tree = unroll(builtin("lever:2"), cluster=False)
    with pytest.raises(InputError, match="positive"):
        prove_stationary(tree, 1, [[np.array([[1.0, 0.0]])]] * 2)
    with pytest.raises(InputError, match="temperature"):
        prove_stationary(tree, 0, tree.uniform())
    large = unroll(builtin("lever:202"), cluster=False)
    with pytest.raises(InputError, match="402 log-ratios"):
        prove_stationary(large, 1, large.uniform())


def test_entropy_weights_enter_the_softmax() -> None:
    game = replace(one_shot("bandit", [["a", "b"]], {(0,): 1}), weights=(Fraction(3),))
    tree = unroll(game, cluster=False)
    proof = prove_stationary(tree, Fraction(2), tree.uniform())
    assert abs(math.log(float(proof.lower[0] / proof.lower[1])) - 1 / 6) < 1e-14
    assert layout_of(tree).size == 2
