"""The float64 recursions over depths: values backwards, reach probabilities forwards.

Everything here takes nonnegative arrays and only adds and multiplies (no subtraction), so a
result's defect is `rounding.defect(tables.roundings, ...)`: whoever calls states the bound.
Formulas: docs/theory/objective.md#stationary-policies.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from certify.bounds.tables import LevelTable, Tables


def split(level: LevelTable, flat: np.ndarray) -> list[np.ndarray]:
    """Per agent (E, 1, .., A_i, .., 1): its action probabilities in every joint class."""
    return [
        flat[level.entries[i]].reshape(level.shapes[i])[level.joint[i]].reshape(level.size, *level.axis[i])
        for i in range(len(level.counts))
    ]


def product_without(factors: list[np.ndarray], left_out: tuple[int, ...]) -> np.ndarray | None:
    """The product of all factors but those left out (None if none is left)."""
    result = None
    for k, factor in enumerate(factors):
        if k not in left_out:
            result = factor if result is None else result * factor
    return result


@dataclass(frozen=True, eq=False)
class Backward:
    """Values-to-go of the shifted rewards (part 0) and of the weighted entropies (part 1).

    U : per depth (2, E, A_1, .., A_n).  V : per depth (2, E).  factors : per depth, `split`.
    """

    U: list[np.ndarray]
    V: list[np.ndarray]
    factors: list[list[np.ndarray]]


def backward(tables: Tables, policy: np.ndarray, row_entropy: np.ndarray) -> Backward:
    """U = r + gamma sum_e' P(e'|e,a) V(e') and V = E_pi U + sum_i w_i H_i, for both parts.

    `row_entropy` holds w_i H(pi_x) for every row of the layout.
    """
    horizon = len(tables.levels)
    U: list[np.ndarray] = [None] * horizon  # type: ignore[list-item]
    V: list[np.ndarray] = [None] * horizon  # type: ignore[list-item]
    factors = [split(level, policy) for level in tables.levels]
    for t in reversed(range(horizon)):
        level = tables.levels[t]
        if t + 1 < horizon:
            to_go = np.einsum("bexs,exs->bex", V[t + 1][:, level.successor], level.probability)
            to_go *= tables.discount
            to_go[0] += level.reward
        else:
            to_go = np.zeros((2, *level.reward.shape))
            to_go[0] = level.reward
        U[t] = to_go.reshape(2, *level.joint_shape)
        joint = product_without(factors[t], ()).reshape(level.size, -1)
        V[t] = np.einsum("bex,ex->be", to_go, joint)
        V[t][1] += row_entropy[level.row].sum(axis=1)
    return Backward(U, V, factors)


def forward(tables: Tables, factors: list[list[np.ndarray]]) -> list[np.ndarray]:
    """Per depth (E,): the probability of every joint class."""
    reach = [tables.initial]
    for t, level in enumerate(tables.levels[:-1]):
        weight = reach[t][:, None] * product_without(factors[t], ()).reshape(level.size, -1)
        weight = weight[:, :, None] * level.probability
        reach.append(np.bincount(level.flat_successor, weight.ravel(), minlength=tables.levels[t + 1].size))
    return reach


def others_average(level: LevelTable, U: np.ndarray, factors: list[np.ndarray], *kept: int) -> np.ndarray:
    """(..., E, A_i for i in kept): the mean of U over the actions of everybody but `kept`."""
    rest = product_without(factors, kept)
    n = len(level.counts)
    axes = tuple(k - n for k in range(n) if k not in kept)
    return U if rest is None else (U * rest).sum(axis=axes)


def class_reach(tables: Tables, reach: list[np.ndarray], number_of_rows: int) -> np.ndarray:
    """(rows,) d(x) for every class: the sum of reach over its joint classes."""
    d = np.empty(number_of_rows)
    for t, level in enumerate(tables.levels):
        for i, joint in enumerate(level.joint):
            d[level.rows[i]] = np.bincount(joint, reach[t], minlength=level.classes[i])
    return d


def weighted_values(tables: Tables, back: Backward, reach: list[np.ndarray], size: int) -> np.ndarray:
    """(2, N): d(x) Q(x, a), the part of the reward and the part of the entropy."""
    result = np.empty((2, size))
    for t, level in enumerate(tables.levels):
        U = back.U[t] * reach[t].reshape(1, level.size, *(1,) * len(level.counts))
        for i in range(len(level.counts)):
            mean = others_average(level, U, back.factors[t], i)
            count = level.classes[i] * level.counts[i]
            result[:, level.entries[i]] = np.bincount(level.action_rows[i], mean.ravel(), minlength=2 * count).reshape(
                2, count
            )
    return result
