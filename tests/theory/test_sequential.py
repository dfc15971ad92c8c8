"""docs/theory on random games of two steps, written out here from the definitions: two agents, two actions, two
observations, a KL term to random reference rows (the plain entropy is the uniform reference)."""

import itertools
import math
from dataclasses import dataclass

import numpy as np
import pytest

ROOTS, LATER = 1, 4  # AOHs of an agent per step: the empty one, and (action, observation)
ROWS = ROOTS + LATER
GAMMA = 0.9


@dataclass
class Game:
    """`reward[t][s, a, b]`, `move[s, a, b, s', o, p]`, `start[s]`; `reference[i]` has a row per AOH."""

    reward: list[np.ndarray]
    move: np.ndarray
    start: np.ndarray
    reference: np.ndarray
    alpha: float
    weights: np.ndarray

    @classmethod
    def random(cls, rng: np.random.Generator, alpha: float, tilt: float) -> "Game":
        move = rng.exponential(size=(2, 2, 2, 2, 2, 2)) ** 2
        move /= move.sum((3, 4, 5), keepdims=True)
        start = rng.dirichlet([1, 1])
        reference = softmax(rng.normal(size=(2, ROWS, 2)) * tilt)
        reference[:, ROOTS:] = reference[:, ROOTS : ROOTS + 1]  # the same at all AOHs of a step
        return cls(
            [rng.normal(size=(2, 2, 2)) for _ in range(2)], move, start, reference, alpha, rng.uniform(0.5, 2, 2)
        )

    def values(self, policy: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        """J, Q and the reach probability per agent and AOH, roots first; `policy` is an array like `reference`."""
        kl = (policy * np.log(policy / self.reference)).sum(2) * self.weights[:, None]
        first, q = policy[0, 0][:, None] * policy[1, 0], self.reward[1]
        one, two = policy[:, ROOTS:].reshape(2, 2, 2, 2)  # (action, observation, next action)
        joint = np.einsum("aoi,bpj,tij->abtop", one, two, q)
        costs = self.alpha * (kl[0, ROOTS:].reshape(2, 1, 1, 2, 1) + kl[1, ROOTS:].reshape(1, 2, 1, 1, 2))
        table = np.einsum("s,sab->ab", self.start, self.reward[0])
        table += GAMMA * np.einsum("s,sabtop,abtop->ab", self.start, self.move, joint - costs)
        chance = np.einsum("s,sabtop,ab->abtop", self.start, self.move, first)
        mass = np.ones((2, ROWS))
        mass[0, ROOTS:], mass[1, ROOTS:] = chance.sum((1, 2, 4)).ravel(), chance.sum((0, 2, 3)).ravel()
        later = np.zeros((2, ROWS, 2))
        later[0, 0], later[1, 0] = table @ policy[1, 0], policy[0, 0] @ table
        later[0, ROOTS:] = np.einsum("abtop,bpj,tij->aoi", chance, two, q).reshape(LATER, 2)
        later[1, ROOTS:] = np.einsum("abtop,aoi,tij->bpj", chance, one, q).reshape(LATER, 2)
        later[:, ROOTS:] /= mass[:, ROOTS:, None]
        return float((first * table).sum() - self.alpha * kl[:, 0].sum()), later, mass

    def gradient(self, theta: np.ndarray) -> np.ndarray:
        """The formula of docs/theory/objective.md#the-gradient, with the reference."""
        policy = softmax(theta)
        _, q, mass = self.values(policy)
        f = q - self.alpha * self.weights[:, None, None] * np.log(policy / self.reference)
        discount = np.array([1.0] + [GAMMA] * LATER)
        return (discount * mass)[..., None] * policy * (f - (policy * f).sum(2, keepdims=True))

    def widths(self) -> np.ndarray:
        """W_t of docs/theory/steps.md, by states."""
        last = self.reward[1]
        top, bottom = last.max((1, 2)), last.min((1, 2))
        reach = self.move.sum((4, 5))
        high = (self.reward[0] + GAMMA * reach @ top).max()
        low = (self.reward[0] + GAMMA * reach @ bottom).min()
        return np.array([high - low, last.max() - last.min()])

    def smoothness(self) -> float:
        """Lambda of docs/theory/steps.md#smoothness."""
        logs = np.log(self.reference)
        o = np.stack([np.ptp(logs, axis=2)[:, 0], np.ptp(logs, axis=2)[:, ROOTS:].max(1)], 1)  # (agent, step)
        depth = -logs.min(2)
        after = (self.weights * depth[:, ROOTS:].max(1)).sum()
        d = self.widths() + self.alpha * np.array([GAMMA * after, 0.0])
        kappa, n = self.alpha * self.weights, 2
        sigma = math.sqrt(math.log(n) ** 2 / 4 + math.log(n) / math.e + 4 / math.e**2)
        keys = list(itertools.product(range(2), range(2)))
        matrix = np.zeros((4, 4))
        for (k, (i, t)), (m, (j, u)) in itertools.product(enumerate(keys), repeat=2):
            later, agent = max(t, u), (i if t >= u else j)
            if k == m:
                matrix[k, m] = GAMMA**t * (
                    (d[t] + kappa[i] * o[i, t]) / (3 * math.sqrt(3)) + kappa[i] * (1 + math.log(n)) / 2
                )
            elif t == u:
                matrix[k, m] = GAMMA**later * d[later] / 4
            else:
                matrix[k, m] = GAMMA**later * (d[later] / 2 + kappa[agent] * (sigma + o[agent, 1] / 2)) / 2
        return float(np.linalg.eigvalsh(matrix)[-1])


def softmax(theta: np.ndarray) -> np.ndarray:
    weights = np.exp(theta - theta.max(-1, keepdims=True))
    return weights / weights.sum(-1, keepdims=True)


def hessian(game: Game, theta: np.ndarray) -> np.ndarray:
    """In the logits, by central differences of the gradient; (agent, row, action) twice."""
    h, size = 1e-5, theta.size
    columns = []
    for e in np.eye(size):
        step = h * e.reshape(theta.shape)
        columns.append((game.gradient(theta + step) - game.gradient(theta - step)).ravel() / (2 * h))
    return np.array(columns).reshape(*theta.shape, *theta.shape)


def settled(game: Game, theta: np.ndarray) -> np.ndarray:
    """Logits of a stationary policy, by damped steps to softmax(log rho + Q/kappa)."""
    for _ in range(400):
        _, q, _ = game.values(softmax(theta))
        theta = (theta + np.log(game.reference) + q / (game.alpha * game.weights[:, None, None])) / 2
    return theta


@pytest.mark.parametrize("tilt", [0.0, 1.0])
def test_gradient_and_bound_of_falls(tilt: float) -> None:
    """The gradient is that of J; no logit falls in a step by more than F (docs/theory/steps.md#bounded-iterates)."""
    rng = np.random.default_rng(0)
    used = 0.0
    for _ in range(40):
        game = Game.random(rng, float(rng.uniform(0.1, 2)), tilt)
        theta = rng.normal(size=(2, ROWS, 2)) * 2
        step = rng.normal(size=theta.shape)
        change = game.values(softmax(theta + 1e-6 * step))[0] - game.values(softmax(theta - 1e-6 * step))[0]
        gradient = game.gradient(theta)
        assert math.isclose(change / 2e-6, float((gradient * step).sum()), rel_tol=1e-5, abs_tol=1e-7)
        after = GAMMA * (game.weights * (-np.log(game.reference[:, 1]).min(1))).sum()
        for t, rows in ((0, slice(0, 1)), (1, slice(1, ROWS))):
            d = game.widths()[t] + (game.alpha * after if t == 0 else 0)
            logit = np.log((1 - game.reference) / game.reference)[:, rows]
            kappa = game.alpha * game.weights[:, None, None]
            most = GAMMA**t * (d / 4 + kappa * (9 / 40 + np.maximum(0, logit) / 4))
            share = float((-gradient[:, rows] / most).max())
            assert share <= 1
            used = max(used, share)
    assert used > 0.2


@pytest.mark.parametrize("tilt", [0.0, 1.0])
def test_smoothness(tilt: float) -> None:
    """|Hessian in the logits| <= Lambda everywhere; a constant five times smaller would be refuted."""
    rng = np.random.default_rng(1)
    used = 0.0
    for k in range(60):
        alpha = (0.01, 0.3, 3.0)[k % 3]
        game = Game.random(rng, alpha, tilt)
        theta = rng.normal(size=(2, ROWS, 2)) * rng.uniform(0, 3)
        form = hessian(game, theta).reshape(theta.size, theta.size)
        largest = float(np.abs(np.linalg.eigvalsh((form + form.T) / 2)).max())
        assert largest <= game.smoothness()
        used = max(used, largest / game.smoothness())
    assert used > 0.2


def test_ascent_and_stationary_policies() -> None:
    """Steps of 1/Lambda raise J by eta |grad|^2 / 2; where they end, blocks of one agent vanish, and another policy of
    one agent alone lowers J (docs/theory/steps.md#convergence-of-gradient-ascent,
    docs/theory/hessian.md#at-stationary-policies, docs/theory/symmetry.md#cross-play)."""
    rng = np.random.default_rng(2)
    for tilt in (0.0, 1.0, 1.0):
        game = Game.random(rng, 1.0, tilt)
        rate = 1 / game.smoothness()
        theta = rng.normal(size=(2, ROWS, 2))
        for _ in range(20):
            gradient = game.gradient(theta)
            before = game.values(softmax(theta))[0]
            theta = theta + rate * gradient
            assert game.values(softmax(theta))[0] >= before + rate * float((gradient**2).sum()) / 2 - 1e-12
        away = hessian(game, theta)
        theta = settled(game, theta)
        assert np.abs(game.gradient(theta)).max() < 1e-10
        here = hessian(game, theta)
        blocks = [
            np.abs(form[i, x, :, i, y]).max()
            for form in (here,)
            for i in range(2)
            for x in range(ROWS)
            for y in range(x)
        ]
        assert max(blocks) < 1e-5
        assert max(np.abs(away[i, 0, :, i, y]).max() for i in range(2) for y in range(1, ROWS)) > 1e-4
        best = game.values(softmax(theta))[0]
        for _ in range(30):
            other = theta.copy()
            agent = rng.integers(2)
            other[agent] += rng.normal(size=(ROWS, 2)) * rng.uniform(0.1, 3)
            assert game.values(softmax(other))[0] < best
