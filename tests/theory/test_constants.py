"""The constants of docs/theory against random and extreme instances, in floats.

Each search returns the largest share of a bound that some instance uses up: above 1 it would refute the
statement, and a constant that is smaller by more than the share in the test would be refuted by it.
"""

import math
from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np
import pytest

SLACK = 1 + 1e-9


def rows(rng: np.random.Generator, count: int) -> Iterator[np.ndarray]:
    """Policies of 2 to 6 actions, from nearly uniform to nearly deterministic."""
    for _ in range(count):
        logits = rng.normal(size=rng.integers(2, 7)) * 10 ** rng.uniform(-2, 1)
        yield softmax(logits)


def softmax(logits: np.ndarray) -> np.ndarray:
    weights = np.exp(logits - logits.max())
    return weights / weights.sum()


def entropy(pi: np.ndarray) -> float:
    positive = pi[pi > 0]
    return float(-(positive * np.log(positive)).sum())


def osc(x: np.ndarray) -> float:
    return float(x.max() - x.min())


def second_entropy(pi: np.ndarray, u: np.ndarray) -> float:
    """H'' along logits + eta u (docs/theory/entropy.md#finite-steps)."""
    centred = u - pi @ u
    return float(-(pi @ centred**2) - pi @ ((np.log(pi) + entropy(pi)) * centred**2))


def entropy_of_localised_rows(rng: np.random.Generator) -> Iterator[float]:
    """docs/theory/localisation.md#entropy-of-a-localised-row: log k - H <= min(log k, r^2/8)."""
    for pi in rows(rng, 4000):
        r = osc(np.log(pi))
        yield (math.log(len(pi)) - entropy(pi)) / min(math.log(len(pi)), r**2 / 8)


def divergence_from_a_reference(rng: np.random.Generator) -> Iterator[float]:
    """docs/theory/legal-actions.md#localisation-with-a-reference: KL <= min(max -log rho, r^2/8)."""
    for pi in rows(rng, 4000):
        reference = softmax(rng.normal(size=len(pi)))
        ratio = np.log(pi / reference)
        yield float(pi @ ratio) / min(float(-np.log(reference).min()), osc(ratio) ** 2 / 8)


def smoothness_of_expected_advantages(rng: np.random.Generator) -> Iterator[float]:
    """docs/theory/updates.md#second-derivatives, Lemma 1: |f''| <= osc(A) |u|^2 / (3 sqrt 3)."""
    worst = 0.5 - 0.5 / math.sqrt(3)
    cases = [(pi, rng.normal(size=len(pi)), rng.normal(size=len(pi))) for pi in rows(rng, 4000)]
    cases.append((np.array([worst, 1 - worst]), np.array([1.0, -1.0]), np.array([1.0, 0.0])))
    for pi, u, advantage in cases:
        centred = u - pi @ u
        second = pi @ (advantage * (centred**2 - pi @ centred**2))
        yield abs(second) / (osc(advantage) * (u @ u) / (3 * math.sqrt(3)))


def smoothness_of_entropy_above(rng: np.random.Generator) -> Iterator[float]:
    """Lemma 2 of the same page from above: H'' <= (1 + log n) |u|^2 / 2; the second part of its proof is met."""
    for n in (2, 3, 10, 1000, 10**6):
        for mass in np.linspace(0.001, 0.6, 200):  # one probable action, the mass spread over the others
            pi, u = np.array([1 - mass, mass]), np.array([1.0, 0.0])
            copies = np.array([1, n - 1])
            each = pi / copies
            h = float(-(pi * np.log(each)).sum())
            centred = u - pi @ u
            second = float(-(pi @ centred**2) - pi @ ((np.log(each) + h) * centred**2))
            yield second / (0.5 * (1 + math.log(n)))
    for pi in rows(rng, 3000):
        u = rng.normal(size=len(pi))
        yield second_entropy(pi, u) / (0.5 * (1 + math.log(len(pi))) * (u @ u))


def smoothness_of_entropy_below(rng: np.random.Generator) -> Iterator[float]:
    """Lemma 2 from below: -H'' <= (1 + log n) osc(u)^2 / 4."""
    for pi in rows(rng, 4000):
        u = rng.normal(size=len(pi))
        yield -second_entropy(pi, u) / ((1 + math.log(len(pi))) * osc(u) ** 2 / 4)


def drift(rng: np.random.Generator) -> Iterator[float]:
    """docs/theory/updates.md#safe-step: |H'| <= osc(u) H."""
    for pi in rows(rng, 4000):
        pi = np.maximum(pi, 1e-12)
        pi /= pi.sum()
        u = np.eye(len(pi))[rng.integers(len(pi))]
        yield abs(pi @ ((np.log(pi) + entropy(pi)) * u)) / (osc(u) * entropy(pi))
    for k in range(1, 300, 10):
        small = math.exp(-k)
        pi = np.array([1 - small, small])
        h = small * k + small
        yield small * (1 - small) * (k + math.log1p(-small)) / h


def tangent_norm(rng: np.random.Generator) -> Iterator[float]:
    """docs/theory/structural.md#one-step-forms: |v|^2 <= sum v^2/pi / 2 where sum v = 0."""
    for pi in rows(rng, 4000):
        v = rng.normal(size=len(pi))
        v -= v.mean()
        yield float(v @ v) / (float(v**2 @ (1 / pi)) / 2)


def mixed_terms(rng: np.random.Generator) -> Iterator[float]:
    """The same section, rho: E[g g' u] <= D/4 sd(g) sd(g')."""
    for _ in range(3000):
        p, q = (softmax(rng.normal(size=2) * 10 ** rng.uniform(-2, 1)) for _ in range(2))
        u = rng.normal(size=(2, 2))
        g, h = (x - pi @ x for x, pi in ((rng.normal(size=2), p), (rng.normal(size=2), q)))
        size = math.sqrt((p @ g**2) * (q @ h**2))
        yield abs((p * g) @ u @ (q * h)) / (abs(u[0, 0] - u[1, 0] - u[0, 1] + u[1, 1]) / 4 * size)


def radius_as_a_diagonal(rng: np.random.Generator) -> Iterator[float]:
    """docs/theory/hessian.md#interval-forms: v C v <= sum v_k^2 (rad y)_k / y_k."""
    for _ in range(2000):
        n = rng.integers(2, 6)
        rad = np.abs(rng.normal(size=(n, n)))
        rad += rad.T
        _, vectors = np.linalg.eigh(rad)
        for y, v in ((rng.uniform(0.1, 1, n), rng.normal(size=n)), (np.abs(vectors[:, -1]), vectors[:, -1])):
            yield float(v @ rad @ v) / float(v**2 @ (rad @ y / y))


def falling_logits(rng: np.random.Generator) -> Iterator[float]:
    """docs/theory/steps.md#bounded-iterates: pi(a)(log(pi/rho) - KL) <= 9/40 + max(0, -logit rho_a)/4."""
    for p in np.linspace(0.001, 0.999, 500):
        yield p * (1 - p) * math.log(p / (1 - p)) / (9 / 40)
    for pi in rows(rng, 3000):
        reference = softmax(rng.normal(size=len(pi)) * 2)
        ratio = np.log(pi / reference)
        yield max(
            float(pi[a] * (ratio[a] - pi @ ratio))
            / (9 / 40 + max(0.0, math.log((1 - reference[a]) / reference[a])) / 4)
            for a in range(len(pi))
        )


def spread_of_log_probabilities(rng: np.random.Generator) -> Iterator[float]:
    """docs/theory/steps.md#smoothness: Var log pi <= log(n)^2/4 + log(n)/e + 4/e^2."""
    for n in (2, 10, 10**3, 10**6, 10**12, 10**40):
        for mass in np.linspace(0.001, 0.999, 300):  # one action, and its rest over n - 1
            first, second = -math.log1p(-mass), math.log(n - 1) - math.log(mass)
            variance = mass * (1 - mass) * (first - second) ** 2
            yield variance / (math.log(n) ** 2 / 4 + math.log(n) / math.e + 4 / math.e**2)
    for pi in rows(rng, 3000):
        logs, n = np.log(pi), len(pi)
        yield float(pi @ (logs - pi @ logs) ** 2) / (math.log(n) ** 2 / 4 + math.log(n) / math.e + 4 / math.e**2)


def conditional_covariances(rng: np.random.Generator) -> Iterator[float]:
    """docs/theory/windows.md#the-form-by-windows, Lemma 4, range: sd(v m) <= max F/4 |v|, and by all F_ab."""
    for _ in range(4000):
        n, cases = rng.integers(2, 5), rng.integers(2, 5)
        pi = softmax(rng.normal(size=n) * rng.uniform(0, 3))
        m, nu = rng.normal(size=(cases, n)), softmax(rng.normal(size=cases) * rng.uniform(0, 3))
        v = rng.normal(size=n)
        v -= v.mean()
        spread = math.sqrt(nu @ (m @ v - nu @ m @ v) ** 2)
        differences = m[:, :, None] - m[:, None, :]
        ranges = differences.max(0) - differences.min(0)
        size = math.sqrt(v**2 @ (1 / pi))
        by_all = math.sqrt(float(pi @ ranges**2 @ pi) / 2 / 4)
        yield spread / (min(by_all, ranges.max() / 4) * size)


@pytest.mark.parametrize(
    ("search", "used"),
    [
        (entropy_of_localised_rows, 0.99),
        (divergence_from_a_reference, 0.95),
        (smoothness_of_expected_advantages, 0.9999),
        (smoothness_of_entropy_above, 0.18),
        (smoothness_of_entropy_below, 0.55),
        (drift, 0.99),
        (tangent_norm, 0.999),
        (mixed_terms, 0.99),
        (radius_as_a_diagonal, 0.999999),
        (falling_logits, 0.99),
        (spread_of_log_probabilities, 0.95),
        (conditional_covariances, 0.95),
    ],
)
def test_constant(search: Callable[[np.random.Generator], Iterator[float]], used: float) -> None:
    """No instance exceeds the bound, and some instance uses the stated share of it."""
    largest = max(search(np.random.default_rng(0)))
    assert used < largest <= SLACK, largest


def test_mode_token() -> None:
    """docs/theory/updates.md#mode-token: H never rises along e_k - p for a mode k, and does for others."""
    rng = np.random.default_rng(1)
    rises = 0
    for p in rows(rng, 500):
        for k in range(len(p)):
            u = np.eye(len(p))[k] - p
            values = [entropy(softmax(np.log(p) + eta * u)) for eta in (0, 0.01, 0.1, 1, 10)]
            change = max(after - before for before, after in pairwise(values))
            if p[k] == p.max():
                assert change < 1e-12
            rises += change > 1e-6
    assert rises > 100


def test_safe_step() -> None:
    """docs/theory/updates.md#safe-step: H(eta) >= H(0) up to 8 H'(0)/((1 + log n) osc(u)^2), and not far beyond."""
    rng = np.random.default_rng(2)
    lower_beyond = 0
    for p in rows(rng, 3000):
        u = rng.normal(size=len(p))
        slope = -float(p @ ((np.log(p) + entropy(p)) * u))
        if slope > 1e-6:
            eta = 8 * slope / ((1 + math.log(len(p))) * osc(u) ** 2)
            assert entropy(softmax(np.log(p) + eta * u)) >= entropy(p) - 1e-12
            lower_beyond += entropy(softmax(np.log(p) + 4 * eta * u)) < entropy(p)
    assert lower_beyond > 10


def test_figures_of_legal_actions() -> None:
    """docs/theory/legal-actions.md: p = 3/4 is stationary for k = 3; the two rows under different references."""
    assert math.isclose(math.log(3), 2 * math.log(3) * (2 * 0.75 - 1))
    for reference, policy in ((0.9, 0.718), (0.1, 0.540)):
        odds = reference * (math.e - 1) + 1
        assert abs(odds / (1 + odds) - policy) < 5e-4
    assert abs(1 / (2 - 2 * math.log(2)) - 1.629) < 5e-4


def test_jacobian_and_mean_return() -> None:
    """docs/theory/hessian.md#at-stationary-policies, (2), and the last lemma of docs/theory/symmetry.md#cross-play,
    on one-shot games with several stationary policies: I - J_F = -(kappa)^-1 S D2J."""
    rng = np.random.default_rng(3)
    pairs, zero = 0, np.zeros((3, 3))
    tangent = np.kron(np.eye(2), np.eye(3) - 1 / 3)
    for _ in range(30):
        payoff, alpha = rng.normal(size=(3, 3)) * 2, 0.25
        found = quantal_responses(rng, payoff, alpha)
        for p, q in found:
            s, s2 = (np.diag(x) - np.outer(x, x) for x in (p, q))
            jacobian = np.block([[zero, s @ payoff], [s2 @ payoff.T, zero]]) / alpha
            hessian = np.block([[-alpha * np.diag(1 / p), payoff], [payoff.T, -alpha * np.diag(1 / q)]])
            scaled = np.block([[s, zero], [zero, s2]]) @ hessian / alpha
            assert np.allclose((jacobian - np.eye(6)) @ tangent, scaled @ tangent, atol=1e-8)
        for a, (p, q) in enumerate(found):
            for p2, q2 in found[:a]:
                pairs += 1
                assert (p - p2) @ payoff @ (q - q2) > 0
    assert pairs > 20


def quantal_responses(
    rng: np.random.Generator, payoff: np.ndarray, alpha: float
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Different stationary policies of a one-shot game, from 20 starts at once."""

    def response(values: np.ndarray) -> np.ndarray:
        weights = np.exp((values - values.max(1, keepdims=True)) / alpha)
        return weights / weights.sum(1, keepdims=True)

    p, q = (response(rng.normal(size=(20, 3))) for _ in range(2))
    for _ in range(1500):
        p = (p + response(q @ payoff.T)) / 2
        q = (q + response(p @ payoff)) / 2
    settled = abs(p - response(q @ payoff.T)).max(1) < 1e-12
    found: list[tuple[np.ndarray, np.ndarray]] = []
    for x, y in zip(p[settled], q[settled], strict=True):
        if all(abs(x - other).max() > 1e-3 for other, _ in found):
            found.append((x, y))
    return found


def repo_ascent(pi: np.ndarray, reward: np.ndarray, beta: float, steps: int, normalised: bool) -> list[float]:
    """Entropies along docs/theory/updates.md#floor at the largest step that it allows."""
    theta, n, found = np.log(pi), len(pi), [entropy(pi)]
    for _ in range(steps):
        pi = softmax(theta)
        advantage = reward - pi @ reward
        if normalised:
            advantage = advantage / math.sqrt(pi @ advantage**2)
        centred = np.log(pi) + entropy(pi)
        smooth = osc(advantage) / (3 * math.sqrt(3)) + beta * (1 + math.log(n)) / 2
        theta = theta + pi * (advantage - beta * centred) / smooth
        found.append(entropy(softmax(theta)))
    return found


def test_floor() -> None:
    """docs/theory/updates.md#floor holds on random rows, and is false with normalised advantages."""
    rng = np.random.default_rng(4)
    for pi in rows(rng, 40):
        reward, beta = rng.normal(size=len(pi)), float(rng.uniform(0.05, 1))
        pi = np.maximum(pi, 1e-9) / np.maximum(pi, 1e-9).sum()
        floor = entropy(pi) - (reward.max() - pi @ reward) / beta
        assert min(repo_ascent(pi, reward, beta, 200, normalised=False)) >= floor - 1e-12
    pi = np.full(1000, 0.2 / 999)
    pi[0] = 0.8
    reward = np.eye(1000)[0]
    floor = entropy(pi) - 0.2 / math.sqrt(0.8 * 0.2) / 0.29
    assert abs(floor - 0.158) < 5e-4
    assert repo_ascent(pi, reward, 0.29, 8000, normalised=True)[-1] < 0.0006


def test_figures_of_updates() -> None:
    """Shared features turn the sign of the total change; E[pi L^2] for two actions (docs/theory/updates.md,
    docs/theory/entropy.md#repo); the window that bounds two ends by two forms (docs/theory/windows.md)."""
    first, second = np.array([9, 3, 8]) / 20, np.array([3, 1, 16]) / 20
    step = 0.1 * (np.eye(3)[0] - first)
    for cosine, total in ((0.0, -0.0069), (0.5, 0.0038)):
        change = entropy(softmax(np.log(first) + step)) - entropy(first)
        change += entropy(softmax(np.log(second) + cosine * step)) - entropy(second)
        assert abs(change - total) < 5e-5
    sizes = []
    for p in np.linspace(0.001, 0.999, 5000):
        pi = np.array([p, 1 - p])
        sizes.append(float((pi**2 * (np.log(pi) + entropy(pi)) ** 2).sum()))
    assert 0.1 < max(sizes) < 0.1003
    beta = 0.41
    assert abs(beta * 0.6 + math.log(2) - math.log(math.exp(beta) + 1) - 0.0201) < 5e-5
