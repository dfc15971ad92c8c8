"""Models of the future, backwards (docs/certificate-format.md, (5)): for every joint class e and joint
action a, U(e,a) = centre + slopes . (delta, eta) + a remainder between `low` and `high`, for every policy
in the box; V(e) alike.  Float64 with the error bounds of `fast_numbers`.

Axis order: (joint class or pair, joint action, beta, slope entry).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from certify.checker.fast.box import BlockBox
from certify.checker.fast.layout import Layout
from certify.checker.fast.numbers import GROW, TINY, UNIT, Ball, last_max, second_max, slop
from certify.checker.fast.support import joint_product, sigma, slope_error, vertex_products

CHUNK_BYTES = 2**27  # of one temporary array
Boxes = tuple[tuple[BlockBox, ...], ...]  # per depth and agent


class Model(NamedTuple):
    """`slopes[j, u]` belongs to `Layout.pairs[t][j, u]` (in V also to the classes at t itself), and is missing where
    agent j is pinned to its centres, whose (delta, eta) are 0; radii of slopes lack the last axis and hold for all
    entries.  `beyond` (V of two agents only): per agent (low, high),
    each (joint classes, vertices of its block, beta), of what slopes and bilinear part leave, over the other's."""

    centre: Ball
    slopes: dict[tuple[int, int], Ball]
    low: np.ndarray
    high: np.ndarray
    beyond: tuple[tuple[np.ndarray, np.ndarray], ...] = ()


def averaged(matrix, x: Ball, terms: int) -> Ball:
    """A nonnegative sparse matrix times numbers; the radius may lack the last axis."""
    whole = x.rad.ndim == x.mid.ndim
    size = np.abs(x.mid) if whole else last_max(np.abs(x.mid))
    rad = sparse_times(matrix, x.rad + slop(terms) * size) * GROW + TINY
    return Ball(sparse_times(matrix, x.mid), rad)


def sparse_times(matrix, x: np.ndarray) -> np.ndarray:
    """matrix @ x along the first axis."""
    return (matrix @ x.reshape(len(x), -1)).reshape(matrix.shape[0], *x.shape[1:])


def most_terms(matrix) -> int:
    """The largest number of entries in a row."""
    return int(np.diff(matrix.indptr).max(initial=0))


def last_model(layout: Layout, betas: np.ndarray) -> Model:
    """U at the last depth: beta r and what the reference pays."""
    centre = _rewards(layout, layout.horizon - 1, betas)
    zero = np.zeros_like(centre.mid)
    return Model(centre, {}, zero, zero)


def _rewards(layout: Layout, t: int, betas: np.ndarray) -> Ball:
    d = layout.depths[t]
    value = d.reward[:, :, None] * np.repeat(betas, d.joint_classes // d.copies, axis=0)[:, None]
    rad = 2 * UNIT * np.abs(value) + TINY
    if not d.tilt.mid.any():
        return Ball(value, rad)
    value = value + d.tilt.mid[:, :, None]
    return Ball(value, (rad + d.tilt.rad[:, :, None] + UNIT * np.abs(value)) * GROW)


def action_model(layout: Layout, t: int, value: Model, betas: np.ndarray) -> Model:
    """U at depth t from V at depth t + 1: everything is averaged.  `betas` (copies, betas) as nearest floats."""
    d = layout.depths[t]
    matrix = layout.values[t]
    terms = most_terms(matrix)
    shape = (d.joint_classes, d.joint_actions, betas.shape[1])
    reward = _rewards(layout, t, betas)
    later = averaged(matrix, value.centre, terms)
    centre = reward.mid + later.mid.reshape(shape)
    rad = (reward.rad + later.rad.reshape(shape) + UNIT * np.abs(centre)) * GROW
    slopes = {}
    for key, steps in layout.slopes[t].items():
        if key not in value.slopes:
            continue
        found = averaged(steps, value.slopes[key], most_terms(steps))
        rows = (len(layout.pairs[t][key]), d.joint_actions)
        slopes[key] = Ball(found.mid.reshape(*rows, *found.mid.shape[1:]), found.rad.reshape(*rows, -1))
    high, low = (
        sparse_times(matrix, end) + sign * (slop(terms) * sparse_times(matrix, np.abs(end)) * GROW + TINY)
        for sign, end in ((1, value.high), (-1, value.low))
    )
    return Model(Ball(centre, rad), slopes, low.reshape(shape), high.reshape(shape))


def value_model(layout: Layout, t: int, action: Model, boxes: Boxes, pinned: int | None = None) -> Model:
    """V at depth t from U at depth t over the boxes of depth t and deeper, those of agent `pinned` single points."""
    d, box = layout.depths[t], boxes[t]
    n, batch = layout.agents, action.centre.mid.shape[2]
    centres = [block.centre[d.classes[:, i]] for i, block in enumerate(box)]
    product = joint_product(centres, d.joint_classes)
    terms = d.joint_actions + 2 * n
    centre = _weighted(product, action.centre, terms)
    slopes = {key: _weighted(product[layout.pairs[t][key].owner], s, terms) for key, s in action.slopes.items()}
    value, rad, size = centre.mid, centre.rad, np.abs(centre.mid)
    means = [_own_means(layout, t, i, action.centre, centres) for i in range(n)]
    for i, block in enumerate(box):
        entropy, w, k = block.entropy, layout.passed[i], d.classes[:, i]
        if i != pinned:
            slopes[i, t] = _with_entropy(means[i], block, k, w)
        part = w * entropy.mid[k][:, None]
        value, size = value + part, size + np.abs(part)
        rad = rad + w * entropy.rad[k][:, None]
    rad = (rad + slop(n) * size) * GROW
    parts = [
        _remainder(layout, t, action, boxes, rows, [mean.mid[rows] for mean in means])
        for rows in _chunks(layout, t, box, batch)
    ]
    low, high, *beyond = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Model(Ball(value, rad), slopes, low, high, tuple(zip(beyond[::2], beyond[1::2], strict=True)))


def _weighted(weights: np.ndarray, x: Ball, terms: int) -> Ball:
    """Sum over the joint action of nonnegative weights (rows, joint actions) with sum about 1."""
    whole = x.rad.ndim == x.mid.ndim
    size = np.abs(x.mid) if whole else last_max(np.abs(x.mid))
    mid = np.matmul(weights[:, None, :], x.mid.reshape(*x.mid.shape[:2], -1)).reshape(len(x.mid), *x.mid.shape[2:])
    rad = np.matmul(weights[:, None, :], (x.rad + slop(terms) * size).reshape(*size.shape[:2], -1))
    return Ball(mid, rad.reshape(len(x.mid), *size.shape[2:]) * GROW + TINY)


def _own_means(layout: Layout, t: int, i: int, centre: Ball, centres: list[np.ndarray]) -> Ball:
    """The mean of U over the others' centres, for every own action: (joint classes, beta, own action)."""
    d = layout.depths[t]
    others = joint_product([c for j, c in enumerate(centres) if j != i], d.joint_classes)[:, None, None, :]
    mid, rad = centre.mid[:, d.own[i]], centre.rad[:, d.own[i]]  # (joint classes, own, rest, beta)
    rad = np.matmul(others, rad + slop(d.joint_actions + 2 * layout.agents) * np.abs(mid))[:, :, 0]
    return Ball(np.matmul(others, mid)[:, :, 0].transpose(0, 2, 1), second_max(rad) * GROW + TINY)


def _with_entropy(means: Ball, block: BlockBox, classes: np.ndarray, w: float) -> Ball:
    """(g, epsilon) of a block at e itself: g = mean - w log c, epsilon = w."""
    log_c = w * block.log_centre.mid[classes][:, None]
    g = means.mid - log_c
    rad = (
        means.rad
        + w * block.log_centre.rad[classes].max(1)[:, None]
        + 2 * UNIT * (np.abs(log_c) + np.abs(g) + w).max(2)
    ) * GROW
    return Ball(np.concatenate([g, np.full((*g.shape[:2], 1), w)], axis=2), rad)


def _chunks(layout: Layout, t: int, box: tuple[BlockBox, ...], batch: int) -> list[slice]:
    """Ranges of joint classes whose largest temporary array stays near CHUNK_BYTES."""
    d = layout.depths[t]
    products = int(np.prod([block.vertices.shape[1] for block in box]))
    width = d.joint_actions
    for pairs in layout.pairs[t].values():
        per_class = -(-len(pairs) // d.joint_classes)
        width = max(width, per_class * batch * 12)
    size = max(1, CHUNK_BYTES // (8 * products * width))
    return [slice(k, min(k + size, d.joint_classes)) for k in range(0, d.joint_classes, size)]


def _remainder(
    layout: Layout, t: int, action: Model, boxes: Boxes, rows: slice, means: list[np.ndarray]
) -> tuple[np.ndarray, ...]:
    """low and high of V for a range of joint classes: extremes over products q of vertices; then `Model.beyond`
    of agent 0 and of agent 1, where there are two.  `means[i]` is the mean of U over the others' centres.

    The weights q - c are differences of products with up to n roundings, those of the n first-order terms are
    (q_i - c_i) c_-i; the sums of absolute values of all these products are at most 2 + 2 n.
    """
    d, n = layout.depths[t], layout.agents
    blocks = [(block, d.classes[rows, i]) for i, block in enumerate(boxes[t])]
    q, c = vertex_products(blocks, rows.stop - rows.start)
    terms = d.joint_actions + 4 * n
    value, above, below = action.centre.mid[rows], action.high[rows], action.low[rows]
    difference = q - c[:, None]
    base = np.matmul(difference, value) - _first_order(blocks, means)
    error = (2 + 2 * n) * (second_max(action.centre.rad[rows]) + slop(terms) * second_max(np.abs(value)))
    error = error + slop(terms) * (second_max(np.abs(above)) + second_max(np.abs(below)))
    high, low = np.matmul(q, above), np.matmul(q, below)
    for (j, u), slopes in action.slopes.items():
        pairs = layout.pairs[t][j, u]
        part = slice(pairs.starts[rows.start], pairs.starts[rows.stop])
        mid, rad = slopes.mid[part], slopes.rad[part]
        largest = second_max(last_max(np.abs(mid)))
        moved = np.matmul(difference[pairs.owner[part] - rows.start], mid.reshape(*mid.shape[:2], -1))
        moved = moved.reshape(*moved.shape[:2], *mid.shape[2:])
        up, down = sigma(moved, boxes[u][j], pairs.klass[part])
        total = pairs.total(rows)
        high, low = high + sparse_times(total, up), low + sparse_times(total, down)
        widened = slope_error(
            2 * largest, 2 * (second_max(rad) + slop(terms) * largest), boxes[u][j], pairs.klass[part]
        )
        widened = widened + slop(most_terms(total)) * (second_max(np.abs(up)) + second_max(np.abs(down)))
        error = error + sparse_times(total, widened)
    size = second_max(np.abs(high)) + second_max(np.abs(low)) + 2 * second_max(np.abs(base)) + error
    error = error * GROW + slop(2 * len(action.slopes) + 2) * size + TINY
    found = [-second_max(-base - low) - error, second_max(base + high) + error]
    if n == 2:
        shape = (len(low), *(block.vertices.shape[1] for block, _ in blocks), -1)
        for axis in (2, 1):
            found += [low.reshape(shape).min(axis) - error[:, None], high.reshape(shape).max(axis) + error[:, None]]
    return tuple(found)


def _first_order(blocks: list[tuple[BlockBox, np.ndarray]], means: list[np.ndarray]) -> np.ndarray:
    """sum_i sum_a_i (q_i - c_i)(a_i) means[i](a_i) for every product of vertices: (rows, products, beta)."""
    total = np.zeros((len(means[0]), 1, means[0].shape[1]))
    for (block, classes), mean in zip(blocks, means, strict=True):
        moved = np.matmul(block.offsets[classes], mean.transpose(0, 2, 1))
        total = (total[:, :, None] + moved[:, None]).reshape(len(moved), -1, moved.shape[2])
    return total
