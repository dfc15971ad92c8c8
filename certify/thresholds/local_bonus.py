"""Uniqueness of the stationary point under the PPO-style local bonus, by contraction: the map
pi -> softmax(Q^R / (alpha w)) contracts log-ratios for every alpha above an explicit bound
(docs/theory/local-bonus.md#contraction-without-boxes; the proof is written out in proofs/10_local_bonus.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from flint import arb

from certify.bounds.arb_numbers import arb_ends, to_arb, working_precision
from certify.bounds.evaluate import check_alpha
from certify.bounds.local_bonus import local_bonus_q
from certify.bounds.policy import layout_of
from certify.errors import InputError, Undecided
from certify.games.model import Game
from certify.games.tree import Tree, unroll
from certify.thresholds.shapes import Shape, shape_of

_PRECISION = 192
_SWEEPS = 2000
_DENOMINATOR = 10**6
_FLOOR = 1e-6  # of the vector relative to its largest entry: any positive vector proves a bound


@dataclass(frozen=True)
class LocalContraction:
    """The local bonus has exactly one stationary point for every alpha > `alpha`.

    widths : D_t.  vector : y > 0 with (L y)_k <= alpha w_k y_k for every `keys`[k] = (agent, step).
    """

    alpha: Fraction
    widths: tuple[Fraction, ...]
    keys: tuple[tuple[int, int], ...]
    vector: tuple[Fraction, ...]


def influence(shape: Shape) -> list[list[Fraction]]:
    """L[(i, t), (j, u)]: how much of a change of log-ratios at (j, u) reaches Q^R(x, a) - Q^R(x, b) at (i, t).

    D_t for others' earlier steps, D_t/2 for others at the same step, gamma^(u-t) D_u/2 for everyone's
    later steps, 0 for the agent's own earlier and present step.
    """
    keys = shape.keys()
    return [[_influence(shape, first, second) for second in keys] for first in keys]


def _influence(shape: Shape, first: tuple[int, int], second: tuple[int, int]) -> Fraction:
    (i, t), (j, u) = first, second
    if u > t:
        return shape.discount ** (u - t) * shape.widths[u] / 2
    if i == j:
        return Fraction(0)
    return shape.widths[t] if u < t else shape.widths[t] / 2


def local_contraction(game: Game) -> LocalContraction:
    """An exact bound on the spectral radius of W^-1 L (Collatz and Wielandt, any positive vector).

    Raises `InputError` where no agent has a choice.

    >>> from certify.games import builtin
    >>> local_contraction(builtin("lever:2")).alpha
    Fraction(1, 2)
    """
    shape = shape_of(game)
    keys = shape.keys()
    if not keys:
        raise InputError(game.name, "no agent has a choice", "give a game in which actions differ")
    table = influence(shape)
    weights = [shape.weights[i] for i, _ in keys]
    approx = np.array([[float(e / w) for e in row] for row, w in zip(table, weights, strict=True)])
    y = np.ones(len(keys))
    for _ in range(_SWEEPS):
        y = approx @ y + 1e-3 * y.max() * y  # the shift makes the iteration settle
        y /= y.max()
    vector = [Fraction(max(float(e), _FLOOR)).limit_denominator(_DENOMINATOR) for e in y]
    alpha = max(
        sum((e * v for e, v in zip(row, vector, strict=True)), Fraction(0)) / (w * vector[k])
        for k, (row, w) in enumerate(zip(table, weights, strict=True))
    )
    return LocalContraction(alpha, shape.widths, tuple(keys), tuple(vector))


@dataclass(frozen=True, eq=False)
class LocalPoint:
    """The one stationary point of the local bonus at `alpha` on the unclustered `tree`.

    policy : nested float tables near it.  radius : at it every log-ratio log pi(a|x)/pi(b|x) is
    within `radius` of that of `policy`, hence every probability within `radius`/4.
    """

    tree: Tree
    alpha: Fraction
    policy: list[list[np.ndarray]]
    radius: Fraction


def local_stationary_point(game: Game, alpha: Fraction | int, contraction: LocalContraction) -> LocalPoint:
    """Iterates the map in floats and bounds the distance to its fixed point (Banach).

    Raises `InputError` for alpha at or below the contraction's, `Undecided` where the iteration
    does not settle.

    >>> from certify.games import builtin
    >>> game = builtin("lever:2:1/2")
    >>> point = local_stationary_point(game, Fraction(1), local_contraction(game))
    >>> point.radius < Fraction(1, 10**9), bool(point.policy[0][0][0, 0] > 0.5)
    (True, True)
    """
    alpha = check_alpha(alpha)
    if alpha <= contraction.alpha:
        raise InputError("alpha", f"{alpha}", f"use a temperature above {contraction.alpha}, where the map contracts")
    tree = unroll(game, cluster=False)
    layout = layout_of(tree)
    policy: Any = tree.uniform()
    for _ in range(_SWEEPS):
        before = layout.flat(policy)
        policy = _approx_image(tree, game, policy, float(alpha))
        if np.abs(layout.flat(policy) - before).max() < 1e-15:
            break
    largest = max(
        gap / y for gap, y in zip(_residuals(tree, game, policy, alpha, contraction), contraction.vector, strict=True)
    )
    radius = largest * max(contraction.vector) / (1 - contraction.alpha / alpha)
    if radius >= 1:
        raise Undecided(f"the iteration did not settle: radius {float(radius):.3g}")
    return LocalPoint(tree, alpha, policy, radius)


def _approx_image(tree: Tree, game: Game, policy: Any, alpha: float) -> list[list[np.ndarray]]:
    """softmax(Q^R / (alpha w)) in floats."""
    q = local_bonus_q(tree, policy)
    found: list[Any] = []
    for i, levels in enumerate(policy):
        found.append([])
        for t in range(len(levels)):
            block = q[i, t]
            z = (np.asarray(block.lower) + np.asarray(block.upper)) / 2 / (alpha * float(game.weights[i]))
            p = np.exp(z - z.max(-1, keepdims=True))
            found[-1].append(p / p.sum(-1, keepdims=True))
    return found


def _residuals(tree: Tree, game: Game, policy: Any, alpha: Fraction, contraction: LocalContraction) -> list[Fraction]:
    """Per (agent, step) an upper bound on the largest oscillation of Q^R/(alpha w) - log pi over a row."""
    q = local_bonus_q(tree, policy)
    found = []
    with working_precision(_PRECISION):
        for i, t in contraction.keys:
            scale = to_arb(1 / (alpha * game.weights[i]))
            block, worst = q[i, t], Fraction(0)
            for low, high, row in zip(block.lower, block.upper, policy[i][t], strict=True):
                ends = [
                    arb_ends(scale * arb(float(a)).union(arb(float(b))) - arb(float(p)).log())
                    for a, b, p in zip(low, high, row, strict=True)
                ]
                worst = max(worst, max(up for _, up in ends) - min(down for down, _ in ends))
            found.append(Fraction(worst))
    return found
