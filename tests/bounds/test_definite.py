"""Definiteness and eigenvalue bounds, on matrices that must pass and on matrices that must not."""

from fractions import Fraction

import numpy as np
import pytest

from certify.bounds import (
    definite,
    hessian,
    is_positive_definite,
    lambda_max_lower,
    lambda_max_upper,
    largest_eigenvalue_upper,
    smallest_eigenvalue_lower,
)
from certify.bounds.definite import norm_upper
from certify.games.builtin import builtin
from certify.games.tree import unroll


def exactly_positive_definite(matrix: np.ndarray) -> bool:
    """Rational elimination: all pivots positive."""
    a = [[Fraction(float(v)) for v in row] for row in matrix]
    for k in range(len(a)):
        if a[k][k] <= 0:
            return False
        for i in range(k + 1, len(a)):
            factor = a[i][k] / a[k][k]
            a[i] = [x - factor * y for x, y in zip(a[i], a[k], strict=True)]
    return True


def random_symmetric(rng: np.random.Generator, n: int, least: float) -> np.ndarray:
    q = np.linalg.qr(rng.normal(size=(n, n)))[0]
    matrix = (q * np.concatenate([[least], rng.uniform(0.5, 2, n - 1)])) @ q.T
    return (matrix + matrix.T) / 2


def test_what_must_pass_and_what_must_not():
    assert is_positive_definite(np.eye(4)) and is_positive_definite(np.zeros((0, 0)))
    for bad in (
        -np.eye(3),
        np.zeros((2, 2)),
        np.array([[1.0, 2], [2, 1]]),
        np.array([[1.0, 1], [1, 1]]),
        np.array([[1.0, np.nan], [np.nan, 1]]),
        np.array([[1.0, 0.5], [0.4, 1]]),
        np.diag([1.0, 1e-300, -1e-300]),
    ):
        assert not is_positive_definite(bad)
    assert is_positive_definite(np.eye(2), np.full((2, 2), 0.4)) and not is_positive_definite(
        np.eye(2), np.full((2, 2), 0.5)
    )
    assert not is_positive_definite(np.eye(2), np.array([[0, np.inf], [np.inf, 0]]))


def test_true_is_a_theorem_near_singularity():
    rng, proved = np.random.default_rng(0), 0
    for _k in range(300):
        n = int(rng.integers(2, 7))
        matrix = random_symmetric(rng, n, float(rng.choice([-1, 1])) * 10.0 ** rng.uniform(-17, -1))
        if is_positive_definite(matrix):
            proved += 1
            assert exactly_positive_definite(matrix)
    assert proved > 80


def test_without_its_shift_the_test_would_accept_what_is_not_definite(monkeypatch):
    """The shift is what makes True a theorem: a plain float Cholesky accepts indefinite matrices."""
    rng = np.random.default_rng(1)
    matrices = [random_symmetric(rng, 6, -float(v)) for v in 10.0 ** rng.uniform(-18, -15.5, 600)]
    wrong = [m for m in matrices if not exactly_positive_definite(m)]
    assert not any(is_positive_definite(m) for m in wrong)
    monkeypatch.setattr(definite, "UNIT", 0.0)
    assert any(is_positive_definite(m) for m in wrong)


def test_every_matrix_within_the_radius_is_definite():
    rng = np.random.default_rng(2)
    for _ in range(60):
        n = int(rng.integers(2, 6))
        mid = random_symmetric(rng, n, 0.3)
        radius = rng.random((n, n)) * 10.0 ** rng.uniform(-4, 0)
        radius = (radius + radius.T) / 2
        if is_positive_definite(mid, radius):
            for _ in range(10):
                sign = np.sign(rng.normal(size=(n, n)))
                corner = mid + radius * np.triu(sign) + (radius * np.triu(sign, 1)).T
                assert np.linalg.eigvalsh(corner)[0] > 0


def test_eigenvalue_bounds_are_bounds_and_sharp():
    rng = np.random.default_rng(5)
    for n in (1, 2, 5, 40):
        matrix = rng.normal(size=(n, n))
        matrix = (matrix + matrix.T) / 2
        values = np.linalg.eigvalsh(matrix)
        low, high = smallest_eigenvalue_lower(matrix), largest_eigenvalue_upper(matrix)
        assert low <= values[0] + 1e-12 and values[-1] <= high + 1e-12
        assert values[0] - low < 1e-9 and high - values[-1] < 1e-9
        radius = np.full((n, n), 0.01)
        assert abs(largest_eigenvalue_upper(matrix, radius) - high - 0.01 * n) < 1e-9
    assert smallest_eigenvalue_lower(np.array([[np.nan]])) == -np.inf


def test_norm_bound():
    rng = np.random.default_rng(6)
    for _ in range(50):
        radius = rng.random((7, 7)) * (rng.random((7, 7)) < 0.4)
        radius = radius + radius.T
        assert np.abs(np.linalg.eigvalsh(radius)).max() <= norm_upper(radius)


@pytest.mark.parametrize("cluster", [True, False])
def test_lambda_max_is_bracketed(cluster):
    tree = unroll(builtin("dectiger", horizon=2), cluster=cluster)
    rng = np.random.default_rng(7)
    for _ in range(5):
        policy = [[rng.dirichlet(np.ones(t.shape[1]), len(t)) for t in tables] for tables in tree.uniform()]
        form = hessian(tree, policy, Fraction(30))
        approx = np.linalg.eigvalsh((form.metric.lower + form.metric.upper) / 2)[-1]
        low, high = lambda_max_lower(form), lambda_max_upper(form)
        assert low - 1e-9 <= approx <= high + 1e-9
        assert high - low < 1e-6 * (1 + high)
