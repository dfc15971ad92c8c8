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
    return [flat.take(entry).reshape(level.size, *axis) for entry, axis in zip(level.entry, level.axis, strict=True)]


def product_without(factors: list[np.ndarray], left_out: tuple[int, ...]) -> np.ndarray | None:
    """The product of all factors but those left out (None if none is left)."""
    result = None
    for k, factor in enumerate(factors):
        if k not in left_out:
            result = factor if result is None else result * factor
    return result


@dataclass(frozen=True, eq=False)
class Backward:
    """Values-to-go of the shifted rewards and of the bonuses.

    U : per depth (E, A_1, .., A_n).  V : per depth (E,).  means : per depth and agent (E, A_i), the
    mean of U over the others' actions.  factors : per depth, `split`.
    """

    U: list[np.ndarray]
    V: list[np.ndarray]
    means: list[list[np.ndarray]]
    factors: list[list[np.ndarray]]


def backward(
    tables: Tables, factors: list[list[np.ndarray]], row_bonus: np.ndarray | None, *, rewarded: bool = True
) -> Backward:
    """U = r + gamma sum_e' P(e'|e,a) V(e') and V = E_pi U + sum_i bonus_i.

    `row_bonus` holds what every row of the layout is paid beside the rewards, alpha w_i H(pi_x) say
    (None: nothing); without `rewarded` r is 0.  The mean over a joint action is taken one agent at a
    time: no term passes more roundings than in one sum over the joint actions.
    """
    horizon = len(tables.levels)
    U: list[np.ndarray] = [None] * horizon  # type: ignore[list-item]
    V: list[np.ndarray] = [None] * horizon  # type: ignore[list-item]
    means: list[list[np.ndarray]] = [None] * horizon  # type: ignore[list-item]
    for t in reversed(range(horizon)):
        level = tables.levels[t]
        to_go = level.reward if rewarded else np.zeros_like(level.reward)
        if t + 1 < horizon:
            following = np.einsum("exs,exs->ex", V[t + 1].take(level.successor), level.probability)
            following *= tables.discount
            following += to_go
            to_go = following
        U[t] = to_go.reshape(level.joint_shape)
        means[t] = [others_average(level, U[t], factors[t], i) for i in range(len(level.counts))]
        V[t] = np.einsum("ea,ea->e", means[t][0], factors[t][0].reshape(level.size, -1))
        if row_bonus is not None:
            for row in level.joint_row:
                V[t] += row_bonus.take(row)
    return Backward(U, V, means, factors)


def forward(tables: Tables, factors: list[list[np.ndarray]]) -> list[np.ndarray]:
    """Per depth (E,): the probability of every joint class."""
    reach = [tables.initial]
    for t, level in enumerate(tables.levels[:-1]):
        weight = reach[t][:, None] * product_without(factors[t], ()).reshape(level.size, -1)
        weight = weight[:, :, None] * level.probability
        reach.append(np.bincount(level.flat_successor, weight.ravel(), minlength=tables.levels[t + 1].size))
    return reach


def others_average(level: LevelTable, U: np.ndarray, factors: list[np.ndarray], *kept: int) -> np.ndarray:
    """(E, A_i for i in kept): the mean of U over the actions of everybody but `kept`."""
    axes = list(range(len(level.counts) + 1))
    for k in reversed(range(len(level.counts))):
        if k not in kept:
            left = [axis for axis in axes if axis != k + 1]
            U = np.einsum(U, axes, factors[k].reshape(level.size, -1), [0, k + 1], left)
            axes = left
    return U


def class_reach(tables: Tables, reach: list[np.ndarray], number_of_rows: int) -> np.ndarray:
    """(rows,) d(x) for every class: the sum of reach over its joint classes."""
    every = [reach[t] for t, level in enumerate(tables.levels) for _ in level.joint_row]
    return np.bincount(tables.every_row, np.concatenate(every), minlength=number_of_rows)


def weighted_values(tables: Tables, back: Backward, reach: list[np.ndarray], size: int) -> np.ndarray:
    """(N,) d(x) Q(x, a): the sums of reach times the mean of U over the others."""
    every = [(reach[t][:, None] * mean).ravel() for t, means in enumerate(back.means) for mean in means]
    return np.bincount(tables.every_entry, np.concatenate(every), minlength=size)
