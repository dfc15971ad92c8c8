"""The sharper forms for games of one step, Bayesian ones included: `one-step-rho`, `one-step-spectral`
(docs/theory/structural.md#one-step-forms; docs/certificate-format.md, section 3).

Exact rational arithmetic decides; floats only propose vectors and temperatures.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from certify.games.model import Game
from certify.thresholds.structural_form import Structural, candidates, perron

MAX_SPECTRAL = 64  # actions per agent up to which the exact LDL test is tried
MAX_PAYOFF_ENTRIES = 2_000_000
_LONGEST_SCALE, _ROUNDED = 4_096, 512  # bits of a common denominator; of numbers with a longer one
_SMALL = 2**60  # of whole numbers whose mixed differences, of four, are within int64
_VECTOR_GRID = 2**24  # of the entries of a proposed vector
_LONGEST_DENOMINATOR, _ALPHA_GRID = 10**6, 10**9  # longer temperatures are rounded up to the grid


@dataclass(frozen=True)
class OneStep:
    """A one-step game by joint initial observation: probability and exact payoff array."""

    probabilities: dict[tuple[int, ...], Fraction]
    payoffs: dict[tuple[int, ...], np.ndarray]
    weights: tuple[Fraction, ...]


def one_step(game: Game) -> OneStep | None:
    """E[R | o, a] for every joint initial observation o, or None if the game has more steps or illegal actions."""
    counts = [len(game.actions_at(i, 0)) for i in range(game.number_of_agents)]
    everything_legal = all(len(row) == counts[i] for (i, _), row in game.reference.items())
    if game.horizon != 1 or not everything_legal or math.prod(counts) > MAX_PAYOFF_ENTRIES:
        return None
    joint = list(game.joint_actions_at(0))
    chance: dict[tuple[int, ...], Fraction] = {}
    total: dict[tuple[int, ...], list[Fraction]] = {}
    for s, o, p in game.start:
        key = o or (0,) * game.number_of_agents
        chance[key] = chance.get(key, Fraction(0)) + p
        row = total.setdefault(key, [Fraction(0)] * len(joint))
        for k, a in enumerate(joint):
            row[k] += p * game.reward.get((s, a), Fraction(0))
    payoffs = {o: np.array([x / chance[o] for x in row], dtype=object).reshape(counts) for o, row in total.items()}
    return OneStep(chance, payoffs, game.weights)


def interaction(payoff: np.ndarray, i: int, j: int) -> Fraction:
    """max |u(a,b) - u(a',b) - u(a,b') + u(a',b')| over agents i and j, and the others' actions.

    For fixed (a, a') it is the width of u(a, .) - u(a', .) over b.
    """
    whole, scale = _whole(payoff)
    moved = np.moveaxis(whole, (i, j), (0, 1))
    best = 0
    for a in range(moved.shape[0] - 1):
        difference = moved[a] - moved[a + 1 :]  # axes: a', b, the others
        best = max(best, int(np.max(difference.max(1) - difference.min(1))))
    return Fraction(best, scale)


def _whole(payoff: np.ndarray) -> tuple[np.ndarray, int]:
    """Whole numbers, int64 where their mixed differences are, and what they are divided by."""
    flat = [Fraction(value) for value in payoff.ravel()]
    scale = 1
    for value in flat:
        scale = math.lcm(scale, value.denominator)
        if scale.bit_length() > _LONGEST_SCALE:  # then temperatures are rounded up, by far more than this
            most = max(v.numerator.bit_length() - v.denominator.bit_length() for v in flat)
            scale = 1 << max(0, _ROUNDED - most)
            break
    numbers = [round(value * scale) for value in flat]
    small = max(map(abs, numbers), default=0) < _SMALL
    return np.array(numbers, dtype=np.int64 if small else object).reshape(payoff.shape), scale


def one_step_rho(step: OneStep) -> Structural | None:
    """alpha >= rho(D) / 4, for Bayesian games weighted by the chance of the observations
    (docs/theory/structural.md#one-step-forms)."""
    marginal = [_marginal(step, i) for i in range(len(step.weights))]
    keys = [(i, o) for i, chances in enumerate(marginal) for o in sorted(chances)]
    table = _interactions(step, keys)
    for row, (i, o) in zip(table, keys, strict=True):
        row[:] = [v / (4 * step.weights[i] * marginal[i][o]) for v in row]
    bound, y = perron(np.array([[float(v) for v in row] for row in table]))
    if bound == 0:
        return None
    vector = [Fraction(max(1, round(v * _VECTOR_GRID)), _VECTOR_GRID) for v in y]
    alpha = most = _largest_quotient(table, vector)
    if alpha.denominator > _LONGEST_DENOMINATOR:
        alpha = Fraction(math.ceil(alpha * _ALPHA_GRID), _ALPHA_GRID)
    place = dict(zip(keys, vector, strict=True))
    rows = tuple(tuple(place[i, o] for o in sorted(chances)) for i, chances in enumerate(marginal))
    return Structural("one-step-rho", alpha, rows, most < alpha, most / alpha)


def _interactions(step: OneStep, keys: list[tuple[int, int]]) -> list[list[Fraction]]:
    """Per pair of (agent, observation) the interactions of the two agents, weighted by the chance of meeting."""
    place = {key: k for k, key in enumerate(keys)}
    table = [[Fraction(0)] * len(keys) for _ in keys]
    for o, p in step.probabilities.items():
        for i, j in itertools.combinations(range(len(step.weights)), 2):
            value = p * interaction(step.payoffs[o], i, j)
            x, y = place[i, o[i]], place[j, o[j]]
            table[x][y] += value
            table[y][x] += value
    return table


def _largest_quotient(table: list[list[Fraction]], vector: list[Fraction]) -> Fraction:
    """max_k (T z)_k / z_k (Collatz and Wielandt)."""
    return max(
        sum((v * w for v, w in zip(row, vector, strict=True)), Fraction(0)) / own
        for row, own in zip(table, vector, strict=True)
    )


def _marginal(step: OneStep, agent: int) -> dict[int, Fraction]:
    result: dict[int, Fraction] = {}
    for o, p in step.probabilities.items():
        result[o[agent]] = result.get(o[agent], Fraction(0)) + p
    return result


def one_step_spectral(step: OneStep) -> Structural | None:
    """alpha >= sigma_max(P U P) / (2 sqrt(w_1 w_2)), two agents without observations (arXiv 2605.15651)."""
    if len(step.weights) != 2 or len(step.payoffs) != 1:
        return None
    payoff = next(iter(step.payoffs.values()))
    if max(payoff.shape) > MAX_SPECTRAL:
        return None
    x = payoff - payoff.mean(0, keepdims=True) if payoff.shape[0] else payoff
    x = x - x.mean(1, keepdims=True)
    sigma = float(np.linalg.norm(x.astype(np.float64), 2))
    if sigma == 0:
        return None
    w = step.weights[0] * step.weights[1]
    gram = x @ x.T
    for alpha in candidates(sigma / (2 * math.sqrt(w))):
        shifted = [
            [4 * alpha * alpha * w * (r == c) - Fraction(gram[r, c]) for c in range(len(gram))]
            for r in range(len(gram))
        ]
        if positive_semidefinite(shifted):
            return Structural("one-step-spectral", alpha, None, False, None)
    return None


def positive_semidefinite(matrix: list[list[Fraction]]) -> bool:
    """Exact decision by LDL^T without pivoting: a zero pivot must have a zero row.

    >>> positive_semidefinite([[Fraction(1), Fraction(1)], [Fraction(1), Fraction(1)]])
    True
    >>> positive_semidefinite([[Fraction(0), Fraction(1)], [Fraction(1), Fraction(5)]])
    False
    """
    a = [row[:] for row in matrix]
    n = len(a)
    for k in range(n):
        pivot = a[k][k]
        if pivot < 0 or (pivot == 0 and any(a[k][m] != 0 for m in range(k + 1, n))):
            return False
        if pivot == 0:
            continue
        for r in range(k + 1, n):
            factor = a[r][k] / pivot
            if factor:
                for c in range(r, n):
                    a[r][c] -= factor * a[k][c]
                    a[c][r] = a[r][c]
    return True
