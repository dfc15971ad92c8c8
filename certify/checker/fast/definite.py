"""The definiteness rule over a box (docs/certificate-format.md, (7); docs/theory/hessian.md#interval-forms,
docs/theory/continuation.md#theorem-d): enclosures of every entry of the form, by reach weights and the models of
`fast_models`.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from scipy.sparse import csr_array

from certify.checker.fast.averages import Interval, interval_times, log_policy, same_depth, tails
from certify.checker.fast.box import BlockBox
from certify.checker.fast.layout import Depth, Layout
from certify.checker.fast.models import Boxes, Model, most_terms
from certify.checker.fast.numbers import TINY, UNIT, slop
from certify.checker.fast.positive_definite import certainly_positive
from certify.checker.fast.support import joint_product
from certify.checker.reading.envelope import Failed

Block = tuple[int, int]  # agent, depth


def not_definite(
    layout: Layout, models: list[Model], boxes: Boxes, factors: list[list[Fraction]], own: bool
) -> np.ndarray:
    """Where diag(D) factor - C is not shown to be positive definite on tangent vectors for every policy in the
    box, (copies, betas).

    `factors[copy][number]` is 1 - modulus beta; `own` keeps the blocks of one agent's classes.
    """
    for t, depth in enumerate(boxes):
        for i, block in enumerate(depth):
            if t > 0 and block.actions > 1 and block.lower.min() <= 0:  # only there log pi enters
                raise Failed(f"agent {i} at depth {t} has a lower bound 0: the form is not bounded")
    blocks = [(i, t) for t, d in enumerate(layout.depths) for i in range(layout.agents) if d.actions[i] > 1]
    result = np.zeros((layout.copies, len(factors[0])), dtype=bool)
    if not blocks:
        return result
    first, size = {}, 0
    for i, t in blocks:
        first[i, t] = size
        size += layout.depths[t].class_counts[i] // layout.copies * layout.depths[t].actions[i]
    low_reach, high_reach = _reach(layout, boxes, upper=False), _reach(layout, boxes, upper=True)
    diagonal = np.concatenate([_diagonal(layout, i, t, low_reach[t], boxes[t][i]) for i, t in blocks], axis=1)
    entries = _couplings(layout, models, boxes, blocks, (low_reach, high_reach), own or not layout.flows_back)
    last = np.concatenate([_last_actions(layout, i, t, first[i, t]) for i, t in blocks])
    for copy, row in enumerate(factors):
        for number, factor in enumerate(row):
            low, high = np.zeros((size, size)), np.zeros((size, size))
            for (one, two), parts in entries.items():
                part, x, y = Interval(*(end[copy] for end in parts[number])), first[one], first[two]
                at = np.s_[x : x + part.low.shape[0], y : y + part.low.shape[1]]
                low[at], high[at] = part
                low[at[::-1]], high[at[::-1]] = part.low.T, part.high.T
            rounded = float(factor) - 2 * UNIT if factor != 1 else 1.0
            result[copy, number] = not certainly_positive(diagonal[copy] * rounded * (1 - UNIT), low, high, last)
    return result


def _last_actions(layout: Layout, i: int, t: int, first: int) -> np.ndarray:
    """For every coordinate of a block list of one copy the coordinate of its class's last action."""
    d = layout.depths[t]
    return first + np.repeat(np.arange(1, d.class_counts[i] // d.copies + 1) * d.actions[i] - 1, d.actions[i])


def _ends(boxes: Boxes, t: int, d: Depth, upper: bool, leave_out: int | None = None) -> np.ndarray:
    """prod_j of the ends of pi_j(a_j | e), (joint classes, joint actions), agent `leave_out` left out."""
    ends = [(block.upper if upper else block.lower)[d.classes[:, j]] for j, block in enumerate(boxes[t])]
    return joint_product([np.ones_like(end) if j == leave_out else end for j, end in enumerate(ends)], d.joint_classes)


def _outward(data: np.ndarray, terms: int, upper: bool) -> np.ndarray:
    """Nonnegative sums of `terms` products, rounded to the safe side."""
    return data * (1 + slop(terms)) + TINY if upper else np.maximum(data * (1 - slop(terms)) - TINY, 0.0)


def _steps(layout: Layout, boxes: Boxes, t: int, upper: bool) -> csr_array:
    """Bounds of the discounted chances from joint classes at t (columns) to those at t + 1 (rows)."""
    d = layout.depths[t]
    data = d.discounted * _ends(boxes, t, d, upper)[d.source, d.action]
    found = csr_array((data, (d.target, d.source)), shape=(layout.depths[t + 1].joint_classes, d.joint_classes))
    found.data = _outward(found.data, d.joint_actions + 2 * layout.agents, upper)
    return found


def _reach(layout: Layout, boxes: Boxes, upper: bool) -> list[np.ndarray]:
    """Bounds of rho_t(e), gamma^t included."""
    found = [_outward(layout.start, 1, upper)]
    for t in range(layout.horizon - 1):
        steps = _steps(layout, boxes, t, upper)
        found.append(_outward(steps @ found[-1], most_terms(steps), upper))
    return found


def _diagonal(layout: Layout, i: int, t: int, reach: np.ndarray, block: BlockBox) -> np.ndarray:
    """Lower bounds of w_i gamma^t d(x) / pi(a|x), (copies, classes x actions)."""
    d = layout.depths[t]
    total = np.bincount(d.classes[:, i], weights=reach, minlength=d.class_counts[i])
    terms = d.joint_classes // d.copies
    return _outward(layout.weights[i] * total[:, None] / block.upper, terms, upper=False).reshape(layout.copies, -1)


def _couplings(
    layout: Layout,
    models: list[Model],
    boxes: Boxes,
    blocks: list[Block],
    reach: tuple[list[np.ndarray], list[np.ndarray]],
    own: bool,
) -> dict[tuple[Block, Block], list[Interval]]:
    """Enclosures of the coefficients C between block lists, per beta dense matrices (copies, rows, columns)."""
    found: dict[tuple[Block, Block], list[Interval]] = {}
    for j, later in blocks:
        for mine in (False, True) if own else (False,):
            earlier = [(i, t) for i, t in blocks if t < later and (i == j) == mine]
            weights = _tail_matrices(layout, models[later], boxes, (j, later), mine) if earlier else []
            for i, t in earlier:
                ends = [_arrivals(layout, boxes, i, t, later, reach[upper][t], upper) for upper in (False, True)]
                found[(i, t), (j, later)] = [_integrated(layout.copies, *ends, *w) for w in weights]
        for i, t in blocks:
            if t == later and i < j:
                found[(i, t), (j, t)] = _same_depth(layout, models[t], boxes, i, j, t, (reach[0][t], reach[1][t]))
    return found


def _arrivals(layout: Layout, boxes: Boxes, i: int, t: int, later: int, reach: np.ndarray, upper: bool) -> csr_array:
    """Bounds of R_{x,a}(e'): rows joint classes at `later`, columns (x, a)."""
    d = layout.depths[t]
    own, _ = d.parts(i)
    data = reach[d.source] * d.discounted * _ends(boxes, t, d, upper, leave_out=i)[d.source, d.action]
    column = d.classes[d.source, i] * d.actions[i] + own[d.action]
    found = csr_array(
        (data, (d.target, column)), shape=(layout.depths[t + 1].joint_classes, d.class_counts[i] * d.actions[i])
    )
    found.data = _outward(found.data, int(np.bincount(d.target).max()) + 2 * layout.agents, upper)
    for u in range(t + 1, later):
        steps = _steps(layout, boxes, u, upper)
        found = (steps @ found).tocsr()
        found.data = _outward(found.data, most_terms(steps), upper)
    return found


def _tail_matrices(layout: Layout, model: Model, boxes: Boxes, block: Block, mine: bool) -> list[tuple[csr_array, ...]]:
    """Per beta W of agent j at t as matrices, rows joint classes, columns (x', a'): positive and negative parts
    of the lower and of the upper bound.  Under the local bonus with half of the logarithms, and half of U alone where
    `mine`: as the agent's own earlier blocks meet it (docs/theory/local-bonus.md#the-form)."""
    j, t = block
    d = layout.depths[t]
    bounds = tails(layout, model, boxes, j, t)
    logs = log_policy(boxes[t][j], layout.weights[j], None if layout.flows_back else d.own_tilt[j])
    if not layout.flows_back and mine:
        bounds, logs = bounds.scaled(0.5), logs.scaled(0.0)
    elif not layout.flows_back:
        logs = logs.scaled(0.5)
    shape = (d.joint_classes, d.class_counts[j] * d.actions[j])
    column = d.classes[:, j, None] * d.actions[j] + np.arange(d.actions[j])
    row = np.repeat(np.arange(d.joint_classes), d.actions[j])
    found = []
    for number in range(bounds.low.shape[2]):
        low = bounds.low[:, :, number] - logs.high[d.classes[:, j]]
        high = bounds.high[:, :, number] - logs.low[d.classes[:, j]]
        low, high = low - UNIT * np.abs(low), high + UNIT * np.abs(high)
        found.append(
            tuple(
                csr_array((part.ravel(), (row, column.ravel())), shape=shape)
                for part in (np.maximum(low, 0), np.minimum(low, 0), np.maximum(high, 0), np.minimum(high, 0))
            )
        )
    return found


def _integrated(copies: int, low: csr_array, high: csr_array, *tail: csr_array) -> Interval:
    """Bounds of sum_e' R(e') W(e'), R between `low` and `high`, W by the parts of its bounds."""
    plus_low, minus_low, plus_high, minus_high = tail
    terms = low.shape[0] // copies
    down, up = 1 - slop(terms), 1 + slop(terms)
    below = _dense(copies, low.T @ plus_low) * down + _dense(copies, high.T @ minus_low) * up
    above = _dense(copies, high.T @ plus_high) * up + _dense(copies, low.T @ minus_high) * down
    return Interval(below - UNIT * np.abs(below) - TINY, above + UNIT * np.abs(above) + TINY)


def _dense(copies: int, matrix: csr_array) -> np.ndarray:
    """The diagonal blocks (copies, rows, columns) of a matrix that has no other entries."""
    matrix = matrix.tocsr()
    rows, columns = (count // copies for count in matrix.shape)
    indices = matrix.indices % columns
    return (
        csr_array((matrix.data, indices, matrix.indptr), shape=(copies * rows, columns))
        .toarray()
        .reshape(copies, rows, columns)
    )


def _same_depth(
    layout: Layout, model: Model, boxes: Boxes, i: int, j: int, t: int, reach: tuple[np.ndarray, np.ndarray]
) -> list[Interval]:
    """C between the classes of agents i and j at one depth, per beta."""
    d = layout.depths[t]
    bounds = same_depth(layout, model, boxes, i, j, t)
    A, B = d.actions[i], d.actions[j]
    row, column = np.broadcast_arrays(
        (d.classes[:, i] * A)[:, None, None] + np.arange(A)[None, :, None],
        (d.classes[:, j] * B)[:, None, None] + np.arange(B)[None, None, :],
    )
    shape = (d.class_counts[i] * A, d.class_counts[j] * B)
    found = []
    for number in range(bounds.low.shape[2]):
        part = Interval(bounds.low[:, :, number], bounds.high[:, :, number])
        low, high = interval_times(reach[0][:, None], reach[1][:, None], part)
        terms = d.joint_classes // d.copies
        size = np.maximum(np.abs(low), np.abs(high)) * slop(terms) + TINY
        found.append(
            Interval(
                *(
                    _dense(d.copies, csr_array((end.ravel(), (row.ravel(), column.ravel())), shape=shape))
                    for end in (low - size, high + size)
                )
            )
        )
    return found
