"""Centred means of U over a box for the definiteness rule (docs/certificate-format.md, 4.5): W(e', a') and
the doubly centred U(e, a, a'), between a lower and an upper bound for every policy in the box.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from certify.checker.fast.box import BlockBox
from certify.checker.fast.layout import Layout
from certify.checker.fast.models import CHUNK_BYTES, Boxes, Model, most_terms, sparse_times
from certify.checker.fast.numbers import GROW, TINY, UNIT, Ball, last_max, log, log_error, slop
from certify.checker.fast.support import sigma, slope_error, vertex_products


class Interval(NamedTuple):
    """Elementwise low <= true <= high."""

    low: np.ndarray
    high: np.ndarray

    def scaled(self, factor: float) -> Interval:
        """Times a power of two, or 0: exactly."""
        return Interval(factor * self.low, factor * self.high)


def interval_times(low: np.ndarray, high: np.ndarray, x: Interval) -> Interval:
    """[low, high] x with 0 <= low <= high, before rounding."""
    return Interval(np.minimum(low * x.low, high * x.low), np.maximum(low * x.high, high * x.high))


def centred_ball(x: Ball, axis: int) -> Ball:
    """x less its mean over an axis (of the radius too)."""
    A = x.mid.shape[axis]
    size = np.abs(x.mid).max(axis, keepdims=True)
    if x.rad.ndim < x.mid.ndim:
        size = last_max(size)
    rad = 2 * (x.rad.max(axis, keepdims=True) + slop(A) * size)
    return Ball(x.mid - x.mid.mean(axis, keepdims=True), np.broadcast_to(rad * GROW, x.rad.shape))


def centred_interval(x: Interval, axis: int) -> Interval:
    """Bounds of r less its mean, r between x.low and x.high: own term r (1 - 1/A), the others' r/A."""
    A = x.low.shape[axis]
    total_low, total_high = x.low.sum(axis, keepdims=True), x.high.sum(axis, keepdims=True)
    low = x.low - (x.low + (total_high - x.high)) / A
    high = x.high - (x.high + (total_low - x.low)) / A
    size = 2 * slop(A + 4) * np.maximum(np.abs(x.low), np.abs(x.high)).max(axis, keepdims=True)
    return Interval(low - size, high + size)


def log_policy(block: BlockBox, w: float, odds: Ball | None = None) -> Interval:
    """w (log pi(a), or log (pi / odds) of logarithms `odds`, less its mean over a), (classes, actions); lower bounds
    of the box positive."""
    low, high = log(block.lower), log(block.upper)
    ends = Interval(low - log_error(low), high + log_error(high))
    if odds is not None:
        size = 4 * UNIT * (np.abs(ends.low) + np.abs(ends.high) + np.abs(odds.mid)) + 2 * odds.rad
        ends = Interval(ends.low - odds.mid - size, ends.high - odds.mid + size)
    found = centred_interval(ends, 1)
    low, high = w * found.low, w * found.high
    return Interval(low - 2 * UNIT * np.abs(low), high + 2 * UNIT * np.abs(high))


def tails(layout: Layout, model: Model, boxes: Boxes, j: int, t: int) -> Interval:
    """Sum over the others' policies of U(e, (a, .)), less its mean over a: (joint classes, own actions, beta)."""
    own = layout.depths[t].own[j]
    return _enclosed(layout, model, boxes, t, [j], own[:, None, :])


def same_depth(layout: Layout, model: Model, boxes: Boxes, i: int, j: int, t: int) -> Interval:
    """U(e, a, a') averaged over the remaining agents, less its means: (joint classes, a and a', beta).

    Agents i < j; the pair (a, a') is one axis, a major.
    """
    d = layout.depths[t]
    joint = np.arange(d.joint_actions).reshape(d.actions)
    table = np.moveaxis(joint, (i, j), (0, 1)).reshape(d.actions[i], d.actions[j], -1)
    return _enclosed(layout, model, boxes, t, [i, j], table)


def _enclosed(layout: Layout, model: Model, boxes: Boxes, t: int, kept: list[int], table: np.ndarray) -> Interval:
    """`table` (a, a', rest) of joint actions, a' of length 1 for one kept agent; centred over a, and over a'
    where two agents are kept; then bounded over vertices of the remaining agents' policies."""
    d = layout.depths[t]
    batch = model.centre.mid.shape[2]
    low = np.empty((d.joint_classes, table.shape[0] * table.shape[1], batch))
    high = np.empty_like(low)
    products = int(np.prod([block.vertices.shape[1] for i, block in enumerate(boxes[t]) if i not in kept]))
    width = max(
        [d.joint_actions]
        + [-(-len(p) // d.joint_classes) * low.shape[1] * batch * 12 for p in layout.pairs[t].values()]
    )
    size = max(1, CHUNK_BYTES // (8 * products * width))
    for k in range(0, d.joint_classes, size):
        rows = slice(k, min(k + size, d.joint_classes))
        low[rows], high[rows] = _enclosed_rows(layout, model, boxes, t, kept, table, rows)
    return Interval(low, high)


def _enclosed_rows(
    layout: Layout, model: Model, boxes: Boxes, t: int, kept: list[int], table: np.ndarray, rows: slice
) -> Interval:
    """`_enclosed` for some of the joint classes."""
    classes = layout.depths[t].classes[rows]
    rest = [(block, classes[:, i]) for i, block in enumerate(boxes[t]) if i not in kept]
    axes = range(1, 1 + len(kept))
    count = rows.stop - rows.start
    value = Ball(model.centre.mid[rows][:, table], model.centre.rad[rows][:, table])  # (rows, a, a', rest, beta)
    remainder = Interval(model.low[rows][:, table], model.high[rows][:, table])
    for axis in axes:
        value, remainder = centred_ball(value, axis), centred_interval(remainder, axis)
    flat = (count, table.shape[0] * table.shape[1], table.shape[2], value.mid.shape[-1])
    low = (value.mid - value.rad + remainder.low).reshape(flat)
    high = (value.mid + value.rad + remainder.high).reshape(flat)
    size = np.maximum(np.abs(low), np.abs(high)).max(2) + np.abs(value.mid).reshape(flat).max(2)
    q, _ = vertex_products(rest, count)
    terms = table.shape[2] + 2 * layout.agents
    low, high = (np.matmul(q[:, None], end) for end in (low, high))  # (rows, kept, products, beta)
    error = slop(terms) * size
    for (j, u), slopes in model.slopes.items():
        pairs, block = layout.pairs[t][j, u], boxes[u][j]
        part = slice(pairs.starts[rows.start], pairs.starts[rows.stop])
        ball = Ball(slopes.mid[part][:, table], slopes.rad[part][:, table])
        for axis in axes:
            ball = centred_ball(ball, axis)
        mid = ball.mid.reshape(len(ball.mid), flat[1], flat[2], -1)
        rad = ball.rad.reshape(len(ball.mid), flat[1], flat[2], -1).max(2)
        moved = np.matmul(q[pairs.owner[part] - rows.start][:, None], mid)
        moved = moved.reshape(*moved.shape[:3], flat[3], block.actions + 1)
        largest = last_max(np.abs(mid.reshape(*mid.shape[:3], flat[3], -1))).max(2)
        up, down = sigma(moved, block, pairs.klass[part])
        total = pairs.total(rows)
        low, high = low + sparse_times(total, down), high + sparse_times(total, up)
        widened = slope_error(largest, rad + slop(terms) * largest, block, pairs.klass[part])
        widened = widened + slop(most_terms(total)) * (np.abs(up).max(2) + np.abs(down).max(2))
        error = error + sparse_times(total, widened)
    rounding = slop(2 * len(model.slopes)) * (np.abs(low).max(2) + np.abs(high).max(2) + size)
    error = error * GROW + rounding + TINY
    return Interval(low.min(2) - error, high.max(2) + error)
