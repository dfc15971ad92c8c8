"""Upper bounds of slopes over boxes: sigma and sigma+ of docs/certificate-format.md, (4), and maxima of
multilinear forms over products of vertices.  Arrays of slopes have a last axis (g_1 .. g_A, epsilon).
"""

from __future__ import annotations

import math

import numpy as np

from certify.checker.fast.box import BlockBox
from certify.checker.fast.numbers import (
    EXP_ERROR,
    LARGEST_EXPONENT,
    TINY,
    UNIT,
    Ball,
    exp,
    last_max,
    log,
    log_error,
    slop,
)
from certify.checker.reading.envelope import Failed

MOST_PRODUCTS = 2**24  # vertices times actions, of all agents at one joint class


def vertex_products(blocks: list[tuple[BlockBox, np.ndarray]], rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Products q of vertices and c of centres of several blocks, for `rows` rows of class numbers.

    Returns q (rows, products, joint actions) and c (rows, joint actions); with k blocks each entry
    carries k - 1 roundings.
    """
    return corners(blocks, rows), joint_product([block.centre[classes] for block, classes in blocks], rows)


def corners(blocks: list[tuple[BlockBox, np.ndarray]], rows: int) -> np.ndarray:
    """The products q alone."""
    if math.prod(block.vertices.shape[1] * block.actions for block, _ in blocks) > MOST_PRODUCTS:
        raise Failed("more products of vertices than the fast engine enumerates")
    first, *others = (block.vertices[classes] for block, classes in blocks) if blocks else (np.ones((rows, 1, 1)),)
    q = first
    for v in others:
        q = (q[:, :, None, :, None] * v[:, None, :, None, :]).reshape(rows, q.shape[1] * v.shape[1], -1)
    return q


def joint_product(factors: list[np.ndarray], rows: int) -> np.ndarray:
    """prod_i factors[i][row, a_i] for every joint action, first agent most significant: (rows, joint actions).

    >>> joint_product([np.array([[0.5, 0.5]]), np.array([[0.25, 0.75]])], 1)
    array([[0.125, 0.375, 0.125, 0.375]])
    """
    found = np.ones((rows, 1))
    for factor in factors:
        found = (found[:, :, None] * factor[:, None, :]).reshape(rows, -1)
    return found


def slope_error(largest: np.ndarray, rad: np.ndarray, block: BlockBox, classes: np.ndarray) -> np.ndarray:
    """By how much sigma of the true slope may exceed its float evaluation at the mid-points, where the
    entries of the slope are at most `largest` and off by at most `rad`.

    abs(g . (v - c)) <= 2 max abs(g), and the coefficient of epsilon is at most the largest divergence.
    """
    divergence = block.largest_divergence[classes].reshape(-1, *(1,) * (rad.ndim - 1))
    return (2 + divergence) * (rad + slop(block.actions) * largest) * (1 + 2.0**-20)


def sigma(slopes: np.ndarray, block: BlockBox, classes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(sigma(g, e), -sigma(-g, -e)) in floats, to be widened by `slope_error`; slopes (rows, .., actions + 1)."""
    h, divergence, e = _at_vertices(slopes, block, classes)
    return last_max(h + np.maximum(-e, 0) * divergence), -last_max(np.maximum(e, 0) * divergence - h)


def sigma_above(slopes: np.ndarray, block: BlockBox, classes: np.ndarray) -> np.ndarray:
    """sigma(g, e) alone."""
    h, divergence, e = _at_vertices(slopes, block, classes)
    return last_max(h + np.maximum(-e, 0) * divergence)


def _at_vertices(slopes: np.ndarray, block: BlockBox, classes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    middle = slopes.shape[1:-1]
    offsets = block.offsets[classes]
    flat = slopes[..., :-1].reshape(len(slopes), -1, block.actions)
    h = np.matmul(flat, offsets.transpose(0, 2, 1)).reshape(len(slopes), *middle, -1)
    divergence = block.divergence[classes].reshape(len(slopes), *(1,) * len(middle), -1)
    return h, divergence, slopes[..., -1:]


def sigma_plus(slopes: np.ndarray, rad: np.ndarray, block: BlockBox, classes: np.ndarray) -> np.ndarray:
    """An upper bound of sigma+ for slopes whose entries are off by at most `rad` (all but the last axis,
    broadcast).

    Donsker-Varadhan is decreasing in e and moves by at most 2 max abs(dg): evaluated at a lower end
    of e.  exp enters as c_a exp(z), z <= 0, and exp(z) abs(z) < 1, so the sum is off by less than
    (4 + 2 EXP_ERROR / UNIT + A) UNIT; its logarithm is taken of an upper bound.
    """
    A = block.actions
    largest = last_max(np.abs(slopes))
    bound = sigma_above(slopes, block, classes) + slope_error(largest, rad, block, classes)
    e = (slopes[..., -1] - rad) * (1 - UNIT)
    positive = e > 0
    if positive.any():
        g = slopes[..., :-1]
        centre = block.centre[classes].reshape(len(slopes), *(1,) * (slopes.ndim - 2), A)
        top = last_max(g)
        safe = np.where(positive, e, 1.0)
        z = np.clip((g - top[..., None]) / safe[..., None], -LARGEST_EXPONENT, 0.0)
        total = np.einsum("...a,...a->...", centre, exp(z)) + ((A + 8) * UNIT + 2 * EXP_ERROR)
        logarithm = log(total)
        free = (
            safe * (logarithm + log_error(logarithm))
            + top
            - np.einsum("...a,...a->...", g, centre)
            + 2 * rad
            + slop(A) * (3 * largest + safe * (np.abs(logarithm) + 1))
        )
        bound = np.where(positive, np.minimum(bound, free), bound)
    return bound


def fill(x: np.ndarray, block: BlockBox, classes: np.ndarray) -> np.ndarray:
    """max of sum_a x_a pi_a over box and simplex, in floats; x (rows, .., actions, ..) with the actions on
    axis -3 and two axes behind it.  The maximiser is exact for the floats x: it is on the grid.
    """
    shape = (len(x), *(1,) * (x.ndim - 4), block.actions, 1, 1)
    lower = block.lower[classes].reshape(shape)
    room = (block.upper[classes] - block.lower[classes]).reshape(shape)
    missing = 1 - lower.sum(-3, keepdims=True)
    order = np.argsort(-x, axis=-3)
    room = np.take_along_axis(np.broadcast_to(room, x.shape), order, axis=-3)
    before = np.zeros_like(room)
    np.cumsum(room[..., :-1, :, :], axis=-3, out=before[..., 1:, :, :])
    dealt = np.minimum(room, np.maximum(missing - before, 0.0))
    return (lower * x).sum(-3) + (dealt * np.take_along_axis(x, order, axis=-3)).sum(-3)


def times(weights: np.ndarray, x: np.ndarray) -> np.ndarray:
    """sum over `rest` of weights (rows, products, rest) and x (rows, rest, ..)."""
    return np.matmul(weights, x.reshape(*x.shape[:2], -1)).reshape(len(x), weights.shape[1], *x.shape[2:])


def widened(ball: Ball, terms: int) -> np.ndarray:
    """Radii that also pay for a sum of `terms` products with nonnegative weights; 0 for slopes that are exactly 0."""
    size = last_max(np.abs(ball.mid))
    return ball.rad + slop(terms) * size + TINY * (size + ball.rad > 0)
