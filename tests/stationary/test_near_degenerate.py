"""Games that are almost degenerate: their folds nearly meet, floats lose them, and something is proved all the same."""

from __future__ import annotations

from fractions import Fraction

import pytest

from certify.games.arrays import from_array
from certify.games.tree import unroll
from certify.stationary.multiplicity import find_multiplicity


@pytest.mark.parametrize("second", ["0.99999", pytest.param("0.9999999", marks=pytest.mark.slow), "0.9999999999999"])
def test_levers_that_are_almost_alike(second: str) -> None:
    """The last had no alpha_multiple, the first one below its own alpha_two_maxima."""
    found = find_multiplicity(unroll(from_array([["1", "0"], ["0", second]])), time_limit=None)
    assert found is not None
    assert Fraction(499, 1000) < found.alpha_multiple < Fraction(1, 2)
    assert found.alpha_two_maxima is None or found.alpha_multiple >= found.alpha_two_maxima


@pytest.mark.parametrize("seed", [k if k in (0, 3) else pytest.param(k, marks=pytest.mark.slow) for k in range(6)])
def test_several_policies_where_two_maxima_are(seed: int) -> None:
    """alpha_multiple >= alpha_two_maxima, always."""
    second = Fraction(10**seed - 1, 10**seed) if seed else Fraction(1, 2)
    found = find_multiplicity(unroll(from_array([[1, 0, 0], [0, second, 0], [0, 0, 1]])), time_limit=None)
    assert found is not None
    assert found.alpha_two_maxima is None or found.alpha_multiple >= found.alpha_two_maxima
