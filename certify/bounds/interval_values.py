"""Float64 bounds over a box of policies: interval dynamic programming
(docs/theory/localisation.md#interval-dynamic-programming).

Way 1 over boxes.  Values: bounded backwards, one agent's exact extreme after the other.  Reach:
sums of products of the ends.  Q(x, a): a mean of joint values under the posterior of the others'
histories, whose weights range over intervals independently (linear-fractional extremes).  Sound
for every policy of the box; loose in that a block shared by two branches is chosen twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from certify.bounds.enclosure import Enclosure
from certify.bounds.policy import Blocks, Box, Layout
from certify.bounds.recursion import class_reach, forward, product_without, split
from certify.bounds.rounding import LOG_ROUNDINGS, UNIT, defect, log, widened
from certify.bounds.simplex import entropy_bounds, entropy_term, linear_lower, linear_upper
from certify.bounds.tables import LevelTable, Tables

REWARD, ENTROPY, VALUE = range(3)

# Added where a product may underflow: such a product loses at most 2^-1075, and no sum here has 2^70 terms, so
# that 2^-1005 would do; 1e-300 > 2^-997.
_UNDERFLOW = 1e-300
# Of `_differences`: c and a mean of c are at most M = max |c|, so that c - mean and the subtraction of the room
# itself err by u 2M + u (2M + 8 u M) < 5 u M.
_DIFFERENCE = 8 * UNIT
# Of the second way in `_gradient`: the bonus has two products of at most 4 roundings, of sizes kappa/e and kappa H,
# and a subtraction, the sum with the first term and the subtraction of the room two more: at most
# 5 u kappa (1 + H) + 3 u |sum| in all, where `units` has paid for the logarithm, alpha and the weight.
_BONUS = 16 * UNIT
# Beside the logarithm's own: alpha and the weight rounded, their product, the product with the logarithm, the
# factor itself and its product: 6.
_LOG_UNITS = (LOG_ROUNDINGS + 8) * UNIT


def _lost(roundings: int) -> float:
    """What a sum so many roundings deep loses at most, as a part of the sum of its terms' absolute values.

    That is gamma_k <= 1.02 k u as long as k u <= 2^-20 (`rounding`); the rest of 1.03 pays for this product
    and for the one with the sum.
    """
    return 1.03 * roundings * UNIT


@dataclass(frozen=True, eq=False)
class BoxValues:
    """Bounds on the joint values and reach probabilities over a box.

    lower, upper : flat ends, cut off where products could underflow.  U : per depth (lower,
    upper), each (3, E, A_1, .., A_n) for reward, entropy and J_alpha, V likewise (3, E).
    reach : per depth (lower, upper), each (E,).  factors : per end and depth, `split`.
    """

    box: Box
    U: list[tuple[np.ndarray, np.ndarray]]
    V: list[tuple[np.ndarray, np.ndarray]]
    reach: list[tuple[np.ndarray, np.ndarray]]
    factors: tuple[list[list[np.ndarray]], list[list[np.ndarray]]]
    relative: float


def box_values(tables: Tables, layout: Layout, box: Box, alpha: float) -> BoxValues:
    """Values backwards and reach forwards over a box (alpha: its nearest float64)."""
    box = without_tiny(tables, layout, box)
    factors = tuple([split(level, end) for level in tables.levels] for end in (box.lower, box.upper))
    U, V = _backward(tables, box, factors, alpha)
    relative = widened(defect(tables.roundings))
    low, high = (forward(tables, f) for f in factors)
    reach = [(lo * (1 - relative), np.minimum(up * (1 + relative), 1.0)) for lo, up in zip(low, high, strict=True)]
    return BoxValues(box, U, V, reach, factors, relative)


def without_tiny(tables: Tables, layout: Layout, box: Box) -> Box:
    """A box around `box` in which no product of its entries underflows: ends below a cut go to 0
    (lower ends) or up to the cut (upper ends)."""
    cut = 2.0 ** -tables.room(len(layout.blocks))
    return Box(np.where(box.lower < cut, 0.0, box.lower), np.maximum(box.upper, cut))


def _backward(tables: Tables, box: Box, factors, alpha: float):
    horizon, n = len(tables.levels), len(tables.weight)
    U: list[Any] = [None] * horizon
    V: list[Any] = [None] * horizon
    for t in reversed(range(horizon)):
        level = tables.levels[t]
        entropy = _entropy_sums(tables, level, box, alpha)
        ends = []
        for side, bound in enumerate((linear_lower, linear_upper)):
            away = 1.0 if side else -1.0
            to_go = np.zeros((3, *level.plain_reward.shape))
            if t + 1 < horizon:
                following = V[t + 1][side]
                to_go += np.einsum("bexs,exs->bex", following[:, level.successor], level.probability) * tables.discount
                # P, gamma and V's products: width + 4 roundings of at most max|V| each
                to_go += away * _lost(level.width + 5) * np.abs(following).max() + away * _UNDERFLOW
            for part in (REWARD, VALUE):
                to_go[part] += level.plain_reward
            to_go += away * 4 * UNIT * (np.abs(to_go) + np.abs(level.plain_reward))
            to_go = to_go.reshape(3, *level.joint_shape)
            mean = to_go
            for k in reversed(range(n)):
                low, high = (_trailing(factors[s][t][k], k) for s in (0, 1))
                mean = bound(mean, low, high)
            value = mean + entropy[side]
            ends.append((to_go, value + away * 4 * UNIT * (np.abs(mean) + np.abs(entropy[side]))))
        U[t], V[t] = zip(*ends, strict=True)
    return U, V


def _trailing(factor: np.ndarray, k: int) -> np.ndarray:
    """(E, 1, .., A_k): the factor of agent k once the axes of all later agents are gone."""
    return factor.reshape(factor.shape[: k + 1] + (-1,))


def _entropy_sums(tables: Tables, level: LevelTable, box: Box, alpha: float) -> tuple[np.ndarray, np.ndarray]:
    """(3, E) bounds of the entropy terms of one step, weighted as each of the three parts needs."""
    n = len(level.counts)
    result = []
    bounds = [
        entropy_bounds(*(end[level.entries[i]].reshape(level.shapes[i]) for end in (box.lower, box.upper)))
        for i in range(n)
    ]
    for side in range(2):
        total = sum(tables.weight[i] * bounds[i][side][level.joint[i]] for i in range(n))
        # nonnegative terms: w and alpha rounded, two products, n - 1 sums, the factor and its product: n + 5
        factor = 1 + (2 * n + 8) * UNIT * (1 if side else -1)
        result.append(np.stack([np.zeros_like(total), total * factor, total * alpha * factor]))
    return result[0], result[1]


def others_bound(
    level: LevelTable, U: tuple[np.ndarray, np.ndarray], factors, kept: tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """(E, A_i for i in kept) bounds of the mean of U, ends (E, A_1, .., A_n), over the actions of
    everybody but `kept` (ascending); factors = (lower, upper)."""
    n = len(level.counts)
    ends = []
    for side, bound in enumerate((linear_lower, linear_upper)):
        mean = np.moveaxis(U[side], [1 + i for i in kept], range(1, 1 + len(kept)))  # own actions first
        for k in reversed([k for k in range(n) if k not in kept]):
            shape = (level.size, *(1,) * (mean.ndim - 2), level.counts[k])
            mean = bound(mean, *(f[k].reshape(shape) for f in factors))
        ends.append(mean)
    return ends[0], ends[1]


def others_weight(tables: Tables, agent: int, factors: list[list[np.ndarray]]) -> list[np.ndarray]:
    """Per depth (E,): chance and the others' policies, summed over the own histories of a class.

    The posterior of the others given a class is this, normalised, free of the agent's own policy:
    every member history of a class has the same one (docs/theory/localisation.md#lossless-clustering), so their sum
    has it too.
    """
    weight = [tables.initial]
    for t, level in enumerate(tables.levels[:-1]):
        rest = product_without(factors[t], (agent,))
        shape = (level.size, *level.counts)
        joint = np.ones((level.size, 1)) if rest is None else np.broadcast_to(rest, shape).reshape(level.size, -1)
        flow = (weight[t][:, None] * joint)[:, :, None] * level.probability
        weight.append(np.bincount(level.flat_successor, flow.ravel(), minlength=tables.levels[t + 1].size))
    return weight


def interval_values(tables: Tables, layout: Layout, read: Box, alpha: Fraction) -> dict[str, Any]:
    """The fields of an `Evaluation` over a box."""
    temperature = float(alpha)
    at = box_values(tables, layout, read, temperature)
    root = []
    for side in range(2):
        mean = at.V[0][side] @ tables.initial
        away = _lost(len(tables.initial) + 3) * np.abs(at.V[0][side]).max(axis=1)
        root.append(mean + away if side else mean - away)
    d = d_bounds(tables, layout, at)
    q = q_bounds(tables, layout, at)
    found = {
        name: Enclosure(float(root[0][k]), float(root[1][k]))
        for name, k in (("value", VALUE), ("reward", REWARD), ("entropy", ENTROPY))
    }
    return {
        **found,
        "reach": Blocks(*d, layout, per_row=True),
        "q": Blocks(*q, layout),
        "gradient": Blocks(*_gradient(tables, layout, at, d, q, temperature), layout),
    }


def d_bounds(tables: Tables, layout: Layout, at: BoxValues) -> tuple[np.ndarray, np.ndarray]:
    """(rows,) lower and upper d(x): sums of at most `most_in_class` bounds of joint classes."""
    low, high = (class_reach(tables, [r[k] for r in at.reach], layout.number_of_rows) for k in range(2))
    return low * (1 - at.relative), np.minimum(high * (1 + at.relative), 1.0)


def q_bounds(tables: Tables, layout: Layout, at: BoxValues) -> tuple[np.ndarray, np.ndarray]:
    """(N,) bounds of Q_alpha(x, a) over the box."""
    low, high = np.empty(layout.size), np.empty(layout.size)
    for i in range(len(tables.weight)):
        weights = [others_weight(tables, i, f) for f in at.factors]
        for t, level in enumerate(tables.levels):
            mean = others_bound(level, tuple(u[VALUE] for u in at.U[t]), [f[t] for f in at.factors], (i,))
            m = (weights[0][t] * (1 - at.relative), weights[1][t] * (1 + at.relative))
            entries = level.entries[i]
            high[entries] = largest_mean(mean[1], m, level.joint[i], level.classes[i]).ravel()
            low[entries] = -largest_mean(-mean[0], m, level.joint[i], level.classes[i]).ravel()
    return low, high


def largest_mean(
    c: np.ndarray, m: tuple[np.ndarray, np.ndarray], group: np.ndarray, groups: int, steps: int = 12
) -> np.ndarray:
    """(groups, A) upper bounds of sum_e m_e c_e / sum_e m_e over each group, m within its ends.

    A number z is one as soon as sum_e (m^up (c_e - z)^+ - m^low (z - c_e)^+) <= 0.  Newton's
    iteration (`steps` of it) proposes z (untrusted); z is kept where the test holds with the
    rounding error, at most 1.02 (G + 4) u times the sum of the terms' absolute values, G the
    group's size, else the group's largest c.
    """
    low, high = m[0][:, None], m[1][:, None]
    index = group[:, None] * c.shape[1] + np.arange(c.shape[1])

    def gathered(values: np.ndarray) -> np.ndarray:
        return np.bincount(index.ravel(), values.ravel(), minlength=groups * c.shape[1]).reshape(groups, -1)

    largest = np.full((groups, c.shape[1]), -np.inf)
    np.maximum.at(largest, group, c)
    middle = np.broadcast_to((low + high) / 2, c.shape)
    z = gathered(middle * c) / np.maximum(gathered(middle), _UNDERFLOW)
    for _ in range(steps):
        difference = c - z[group]
        weight = np.where(difference > 0, high, low)
        step = gathered(weight * difference) / np.maximum(gathered(weight), _UNDERFLOW)
        z = z + step
        if np.abs(step).max() <= 4 * UNIT * np.abs(c).max():
            break
    size = int(np.bincount(group).max()) + 4
    z = z + 4 * size * UNIT * np.abs(c).max()
    difference = c - z[group]
    weighted = np.where(difference > 0, high, low) * difference
    total, error = gathered(weighted), _lost(size) * gathered(np.abs(weighted)) + _UNDERFLOW
    return np.where(total + error <= 0, np.minimum(z, largest), largest)


def _gradient(tables: Tables, layout: Layout, at: BoxValues, d, q, alpha: float) -> tuple[np.ndarray, np.ndarray]:
    """gamma^t d pi_a (c_a - sum_b pi_b c_b), c = Q - alpha w log pi, in two ways, intersected.

    Either as it stands, the mean's own entry a kept equal to c_a; or as pi_a (Q_a - mean Q)
    + alpha w (-pi_a log pi_a - pi_a H), which stays finite where a lower end is 0.
    """
    low, high = np.empty(layout.size), np.empty(layout.size)
    for (i, t), part in layout.entries.items():
        shape = layout.shape[i, t]
        l, u, q_low, q_high = (v[part].reshape(shape) for v in (at.box.lower, at.box.upper, *q))
        kappa = alpha * tables.weight[i]
        units = _LOG_UNITS
        with np.errstate(divide="ignore"):
            log_high = -np.where(l > 0, log(np.where(l > 0, l, 1.0)), -np.inf) * kappa * (1 + units)
        log_low = np.maximum(-log(u), 0.0) * kappa * (1 - units)
        direct = _scaled(l, u, _differences(l, u, q_low + log_low, q_high + log_high))
        h_low, h_high = entropy_bounds(l, u)
        ends = entropy_term(np.stack([l, u]))
        peak = np.where((l < 0.3679) & (u > 0.3678), 0.36788, ends[1].max(axis=0))
        bonus = (
            kappa * (1 - units) * (ends[0].min(axis=0)) - kappa * (1 + units) * u * h_high[:, None],
            kappa * (1 + units) * peak - kappa * (1 - units) * l * h_low[:, None],
        )
        apart = [a + b for a, b in zip(_scaled(l, u, _differences(l, u, q_low, q_high)), bonus, strict=True)]
        size = np.abs(apart[0]) + np.abs(apart[1]) + kappa * (1 + h_high[:, None]) + np.abs(q_low) + np.abs(q_high)
        size *= _BONUS
        both = np.fmax(direct[0], apart[0] - size), np.fmin(direct[1], apart[1] + size)
        reach = [v[layout.rows[i, t]][:, None] * tables.entry_discount[part.start] for v in d]
        low[part], high[part] = (v.ravel() for v in _scaled(reach[0], reach[1], both))
    return low, high


def _differences(l: np.ndarray, u: np.ndarray, c_low: np.ndarray, c_high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(K, A) bounds of c_a - sum_b pi_b c_b for c between its ends; (-inf, inf) where those are."""
    own = np.eye(l.shape[1], dtype=bool)
    finite = np.isfinite(c_high).all(axis=1)[:, None]
    c_high = np.where(finite, c_high, 0.0)
    least = linear_lower(np.where(own, c_high[:, :, None], c_low[:, None, :]), l[:, None, :], u[:, None, :])
    most = linear_upper(np.where(own, c_low[:, :, None], c_high[:, None, :]), l[:, None, :], u[:, None, :])
    size = _DIFFERENCE * np.maximum(np.abs(c_low), np.abs(c_high)).max(axis=1, keepdims=True)
    return np.where(finite, c_low - most - size, -np.inf), np.where(finite, c_high - least + size, np.inf)


def _scaled(low: np.ndarray, high: np.ndarray, ends) -> tuple[np.ndarray, np.ndarray]:
    """Bounds of s c for 0 <= low <= s <= high and c between `ends` (infinite ones stay so)."""
    with np.errstate(invalid="ignore"):
        upper = np.where(ends[1] > 0, high * (1 + 4 * UNIT), low * (1 - 4 * UNIT)) * ends[1]
        lower = np.where(ends[0] < 0, high * (1 + 4 * UNIT), low * (1 - 4 * UNIT)) * ends[0]
    return lower - 4 * UNIT * np.abs(lower) - _UNDERFLOW, upper + 4 * UNIT * np.abs(upper) + _UNDERFLOW
