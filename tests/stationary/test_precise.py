"""High-precision stationary policies: against closed forms, against floats, and where floats end."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from certify.errors import Undecided
from certify.games import builtin
from certify.games.oneshot import one_shot
from certify.games.tree import Tree, unroll
from certify.stationary.approx_equations import ApproxEquations
from certify.stationary.approx_precise import _PreciseEquations, approx_continue, approx_polish

TINY = Fraction(1, 10**50)


def matrix(*rows: tuple[int, ...]) -> Tree:
    """The tree of a two-agent game with these payoffs."""
    names = [tuple(map(str, range(len(rows)))), tuple(map(str, range(len(rows[0]))))]
    payoff = {(a, b): Fraction(v) for a, row in enumerate(rows) for b, v in enumerate(row)}
    return unroll(one_shot("matrix", names, payoff))


@pytest.mark.parametrize("alpha", ["3", "1/7", "1/900"])
def test_one_agent_has_a_closed_form(alpha: str) -> None:
    """z = (r(a) - r(last)) / alpha, at any temperature."""
    tree = unroll(one_shot("single", [("a", "b", "c")], {(0,): Fraction(2), (1,): Fraction(-5), (2,): Fraction(1, 3)}))
    found = approx_continue(tree, Fraction(alpha))
    exact = [(Fraction(r) - Fraction(1, 3)) / Fraction(alpha) for r in (2, -5)]
    assert all(abs(z - e) < TINY * 10**3 for z, e in zip(found.log_ratios, exact, strict=True))


@pytest.mark.parametrize("alpha", ["1/10", "1/100", "1/1000"])
def test_where_floats_find_nothing(alpha: str) -> None:
    """At range/1000 the second action's odds are exp(7/alpha), beyond every float64."""
    found = approx_continue(matrix((0, 1), (1, 8)), Fraction(alpha))
    assert found.residual < TINY
    assert all(abs(z + 7 / Fraction(alpha)) < Fraction(1, 10**20) for z in found.log_ratios)


@pytest.mark.parametrize(
    "name, horizon, alpha", [("climbing", None, 9), ("dectiger", 2, 14), ("lever:4:9/10", None, 1)]
)
def test_floats_agree_where_they_suffice(name: str, horizon: int | None, alpha: int) -> None:
    """Two implementations of the same equations."""
    tree = unroll(builtin(name, horizon))
    found = approx_continue(tree, Fraction(alpha), digits=30)
    z = np.array([float(v) for v in found.log_ratios])
    assert np.abs(ApproxEquations(tree).residual(z[:, None], 1 / alpha)).max() < 1e-12


def test_equations_without_entropy_are_other_equations(monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison above bites: leaving Q^H out is seen in a game of two steps."""
    whole = _PreciseEquations(unroll(builtin("dectiger", 2)), 30)
    z = whole.array([Fraction(k, 7) for k in range(len(whole.entry))])
    floats = ApproxEquations(whole.tree)
    there = floats.residual(np.array([[float(v)] for v in z]), 0.1)[:, 0]
    tenth = whole.convert(Fraction(1, 10))
    assert max(abs(float(v) - w) for v, w in zip(whole.residual(z, tenth), there, strict=True)) < 1e-12
    monkeypatch.setattr("certify.bounds.objects.ObjectRecursion.entropy_of_joint", lambda run, t: 0)
    assert max(abs(float(v) - w) for v, w in zip(whole.residual(z, tenth), there, strict=True)) > 1e-3


def test_every_maximum_of_a_cold_game_is_polished() -> None:
    """Float starts, two policies that no float64 can tell from pure ones."""
    for start in ([550, 0, 550, 0], [-1400, 300, -1700, 60]):
        found = approx_polish(unroll(builtin("climbing")), Fraction(1, 50), start)
        assert found.residual < TINY
        assert all(abs(z - s) < 1600 for z, s in zip(found.log_ratios, start, strict=True))


def test_a_hopeless_start_is_undecided() -> None:
    with pytest.raises(Undecided, match=r"did not converge"):
        approx_polish(matrix((1, 0), (0, 1)), Fraction(1, 1000), [3, -4])


def test_a_branch_that_cannot_be_followed_is_undecided(monkeypatch: pytest.MonkeyPatch) -> None:
    solve = _PreciseEquations.solve

    def until(equations: _PreciseEquations, z: np.ndarray, beta: Any, tolerance: Any) -> Any:
        return solve(equations, z, beta, tolerance) if beta <= 0.5 else None

    monkeypatch.setattr(_PreciseEquations, "solve", until)
    with pytest.raises(Undecided, match=r"ends near alpha = 2\.0"):
        approx_continue(unroll(builtin("climbing")), Fraction(1), digits=15)
