"""Shared parameters: the Gram matrix in exact instances, in floats, and against steps of a last layer."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from click.testing import CliRunner

from certify.answers.entropy import step_report
from certify.answers.entropy_batch import entropy_batch
from certify.cli.entropy import entropy
from certify.entropy import advantages_from_json, policy_from_json
from certify.entropy.balls import Balls
from certify.entropy.shared import product, read_gram, shared_change
from certify.errors import InputError

POLICY = {"states": [{"probabilities": ["9/20", "3/20", "2/5"]}, {"probabilities": ["3/20", "1/20", "4/5"]}]}
ROWS = {"states": [["1", "0", "0"], ["0", "0", "0"]]}


@pytest.mark.parametrize("cosine, sign", [("0", "decreases"), ("1/2", "increases")])
def test_the_counterexample_to_orthogonality(cosine, sign):
    read = policy_from_json(POLICY)
    found = step_report(
        read,
        advantages_from_json(ROWS, read),
        "shared",
        {"action": "0", "gram": f"1,{cosine}"},
        Fraction(0),
        Fraction(1, 10),
    )
    assert found.sign.sign == sign


def finite_difference(features, weights, sampled, coefficient, bonus, eta):
    """(ΣH after − ΣH before)/η for the step ΔW = η Σ g_t φ_tᵀ, in plain float64."""

    def figures(w):
        z = features @ w.T
        log_pi = z - z.max(1, keepdims=True)
        log_pi -= np.log(np.exp(log_pi).sum(1, keepdims=True))
        return log_pi, -(np.exp(log_pi) * log_pi).sum(1)

    log_pi, before = figures(weights)
    pi = np.exp(log_pi)
    g = -coefficient[:, None] * pi
    g[np.arange(len(pi)), sampled] += coefficient
    g -= bonus[:, None] * pi * (log_pi + before[:, None])
    _, after = figures(weights + eta * g.T @ features)
    _, back = figures(weights - eta * g.T @ features)
    return (after - back) / (2 * eta)


@pytest.mark.parametrize("seed", range(6))
def test_changes_are_those_of_a_last_layer(seed):
    rng = np.random.default_rng(seed)
    n, v, d = 20, 30, 8
    features, weights = rng.normal(size=(n, d)) + 0.7, rng.normal(size=(v, d))
    sampled, c = rng.integers(0, v, n), rng.normal(size=n) / n
    bonus = np.full(n, 0.01 * (seed % 2))
    gram = product(Balls.exact(features), Balls.exact(features))
    found = shared_change(features @ weights.T, sampled, Balls.exact(c), Balls.exact(bonus), gram, np.ones(n, bool))
    numeric = finite_difference(features, weights, sampled, c, bonus, 1e-5)
    assert np.abs(found.change.mid - numeric).max() < 1e-6 and found.change.rad.max() < 1e-10


def test_products_hold_the_exact_ones():
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(5, 40)), rng.normal(size=(4, 40))
    found = product(Balls.exact(a), Balls.exact(b))
    for i in range(5):
        for j in range(4):
            exact = sum(Fraction(float(x)) * Fraction(float(y)) for x, y in zip(a[i], b[j], strict=True))
            assert abs(exact - Fraction(float(found.mid[i, j]))) <= Fraction(float(found.rad[i, j]))


def batch(tmp_path, rng):
    n, v, d = 24, 40, 6
    features, weights = rng.normal(size=(n, d)) + 1, rng.normal(size=(v, d))
    np.savez(
        tmp_path / "a.npz",
        logits=(features @ weights.T).astype(np.float32),
        token_id=rng.integers(0, v, n),
        advantage=rng.choice([-1.0, 1.0], n),
    )
    np.save(tmp_path / "f.npy", features)
    np.save(tmp_path / "g.npy", features @ features.T)
    return n


def test_features_and_gram_say_the_same(tmp_path):
    batch(tmp_path, np.random.default_rng(4))
    one = entropy_batch(tmp_path / "a.npz", "reinforce", features=tmp_path / "f.npy").shared
    two = entropy_batch(tmp_path / "a.npz", "reinforce", gram=tmp_path / "g.npy").shared
    assert np.abs(one.change.mid - two.change.mid).max() < 1e-10 and one.wrong == two.wrong
    none = entropy_batch(tmp_path / "a.npz", "reinforce")
    np.save(tmp_path / "one.npy", np.eye(24))
    diagonal = entropy_batch(tmp_path / "a.npz", "reinforce", gram=tmp_path / "one.npy")
    assert np.abs(diagonal.shared.change.mid - none.change.mid).max() < 1e-12 and diagonal.shared.wrong == 0


def test_the_command_says_what_orthogonality_gets_wrong(tmp_path):
    batch(tmp_path, np.random.default_rng(4))
    found = CliRunner().invoke(
        entropy, ["batch", str(tmp_path / "a.npz"), "--recipe", "reinforce", "--features", str(tmp_path / "f.npy")]
    )
    assert "orthogonal features would say" in found.output


@pytest.mark.parametrize(
    "array", [np.ones((3, 3)), np.ones(24), np.full((24, 24), np.nan), np.arange(576.0).reshape(24, 24)]
)
def test_bad_matrices(tmp_path, array):
    np.save(tmp_path / "g.npy", array)
    with pytest.raises(InputError):
        read_gram(tmp_path / "g.npy", 24, features=False)
