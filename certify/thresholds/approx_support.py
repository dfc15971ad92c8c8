"""Boxes of policies in floats: vertices, centres, and the largest value of a slope over a box
(docs/certificate-format.md, section 4.4, (3) and (4))."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from certify.errors import InputError

TINY = 1e-300
MAX_VERTEX_ACTIONS = 10  # beyond this the vertices of a policy's box are too many to list
FEW = 4  # up to so many actions all vertices are faster than sorting
_ORDERS = 5  # up to so many actions they are filled up in every order
_SAME = 1e-12  # vertices nearer than this are one


def ein(spec: str, *arrays: np.ndarray) -> np.ndarray:
    """`np.einsum`, with a contraction order where there are three operands or more."""
    return np.einsum(spec, *arrays, optimize=len(arrays) > 2)


def centre(lower: np.ndarray, upper: np.ndarray) -> np.ndarray:
    """The point l + theta (u - l) of a box on the simplex, theta chosen so that rows sum to 1."""
    slack = (upper - lower).sum(-1, keepdims=True)
    theta = np.where(slack > 0, (1 - lower.sum(-1, keepdims=True)) / np.maximum(slack, TINY), 0.0)
    return lower + np.clip(theta, 0, 1) * (upper - lower)


def vertices(lower: np.ndarray, upper: np.ndarray) -> np.ndarray:
    """Vertices of box and simplex, (..., Q, A): fill the actions up in every order, or where there are many of them
    put all coordinates but one at an end."""
    count = lower.shape[-1]
    if count > MAX_VERTEX_ACTIONS:
        raise InputError(
            "localisation",
            f"an agent with {count} actions in a game of several steps or of more than "
            f"two agents (the limit is {MAX_VERTEX_ACTIONS})",
            "use --method structural",
        )
    if count > _ORDERS:
        return _by_ends(lower, upper)
    orders = np.array(list(itertools.permutations(range(count))))
    room = (upper - lower)[..., orders]
    rest = (1 - lower.sum(-1))[..., None, None]
    before = np.cumsum(room, -1) - room
    take = np.clip(rest - before, 0, room)
    points = np.take_along_axis(take, np.broadcast_to(np.argsort(orders, 1), take.shape), -1) + lower[..., None, :]
    return _distinct(points) if count > 3 else points


def _by_ends(lower: np.ndarray, upper: np.ndarray) -> np.ndarray:
    """Distinct vertices, some repeated where a box has fewer than others; of an empty box its centre."""
    count = lower.shape[-1]
    low, high = lower.reshape(-1, count), upper.reshape(-1, count)
    middle = centre(low, high)
    at_upper = (np.arange(2 ** (count - 1))[:, None] >> np.arange(count - 1)) & 1 == 1
    found: list[list[np.ndarray]] = [[] for _ in low]
    for free in range(count):
        rest = np.arange(count) != free
        corner = np.where(at_upper, high[:, None, rest], low[:, None, rest])
        last = 1 - corner.sum(-1)
        fits = (last >= low[:, None, free] - _SAME) & (last <= high[:, None, free] + _SAME)
        fits &= ~(at_upper & (low == high)[:, None, rest]).any(-1)
        for k, which in zip(*np.nonzero(fits), strict=True):
            point = np.empty(count)
            point[rest], point[free] = corner[k, which], np.clip(last[k, which], low[k, free], high[k, free])
            found[k].append(point)
    lists = [np.unique(np.round(points or [c], 12), axis=0) for points, c in zip(found, middle, strict=True)]
    width = max(map(len, lists))
    return np.stack([p[np.resize(np.arange(len(p)), width)] for p in lists]).reshape(*lower.shape[:-1], width, count)


def greedy_maximum(lower: np.ndarray, upper: np.ndarray, value: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """max over box and simplex of value . pi, by filling up in the order of the values: (..., A) ->
    the maximum (...) and where it is attained (..., A)."""
    order = np.argsort(-value, axis=-1)
    lower, upper = (np.take_along_axis(np.broadcast_to(x, value.shape), order, -1) for x in (lower, upper))
    room = upper - lower
    take = np.clip((1 - lower.sum(-1, keepdims=True)) - (np.cumsum(room, -1) - room), 0, room)
    point = np.empty(value.shape)
    np.put_along_axis(point, order, lower + take, -1)
    return (point * value).sum(-1), point


def _distinct(points: np.ndarray) -> np.ndarray:
    """Drop repeated vertices (up to 1e-12), repeating some where rows have fewer than others."""
    flat = points.reshape(-1, *points.shape[-2:])
    kept = [np.unique(np.round(p, 12), axis=0, return_index=True)[1] for p in flat]
    width = max(len(k) for k in kept)
    index = np.stack([np.resize(k, width) for k in kept])
    return np.take_along_axis(flat, index[..., None], 1).reshape(*points.shape[:-2], width, points.shape[-1])


@dataclass
class Block:
    """One agent's policies at one depth over a batch of boxes, and what the rule needs of them.

    lower, upper, centre : (B, K, A); points, shift : (B, K, Q, A) vertices, and minus the centre;
    divergence : (B, K, Q), KL(vertex || centre); log_centre : (B, K, A); entropy : (B, K) of centre.
    Vertices are made only where they are asked for: one-step games do without.
    """

    lower: np.ndarray
    upper: np.ndarray

    def __post_init__(self) -> None:
        self.centre = centre(self.lower, self.upper)
        self.log_centre = np.log(np.maximum(self.centre, TINY))
        self.entropy = -(self.centre * self.log_centre).sum(-1)

    @cached_property
    def points(self) -> np.ndarray:
        """Vertices of the boxes cut with the simplex, shape (..., vertices, actions)."""
        return vertices(self.lower, self.upper)

    @cached_property
    def shift(self) -> np.ndarray:
        """The vertices less the centre."""
        return self.points - self.centre[..., None, :]

    @cached_property
    def divergence(self) -> np.ndarray:
        """KL divergence of each vertex from the centre."""
        ratio = np.log(np.maximum(self.points, TINY)) - self.log_centre[..., None, :]
        return np.maximum((self.points * ratio).sum(-1), 0)


class Pinned(Block):
    """The centre of a box alone, as a box of its own with one vertex."""

    def __init__(self, block: Block) -> None:
        super().__init__(block.centre, block.centre)
        self.centre = block.centre

    @cached_property
    def points(self) -> np.ndarray:
        """The centre, (..., 1, actions)."""
        return self.centre[..., None, :]


def support(
    block: Block, index: np.ndarray, slope: np.ndarray, *, entropic: bool, rows: np.ndarray | None = None
) -> np.ndarray:
    """max over the box of slope . (delta, -KL) for the classes `index`.

    index : (..., D) int classes (-1: absent, slope 0 there); slope : (B, ..., D, A + 1), the last
    entry multiplies -KL(pi || centre).  `rows` (N,), if given, are the boxes that the first axis of
    both index (N, ..., D) and slope belongs to.  `entropic` also uses the exact cap
    e log sum_a c_a exp(g_a / e) - g . c (Donsker and Varadhan) where e > 0.
    """
    safe = np.maximum(index, 0)
    where = (slice(None), safe) if rows is None else (rows.reshape(-1, *(1,) * (index.ndim - 1)), safe)
    return support_of_each(block, where, slope[..., None, :], entropic=entropic)[..., 0]


def support_of_each(block: Block, where: tuple, slope: np.ndarray, *, entropic: bool) -> np.ndarray:
    """The same for several slopes per class: slope (..., R, A + 1) -> (..., R), `where` an index (...) into
    the boxes and classes of the block."""
    linear, weight = slope[..., :-1], slope[..., -1]
    values = np.matmul(linear, np.swapaxes(block.shift[where], -1, -2))
    values += np.maximum(-weight, 0)[..., None] * block.divergence[where][..., None, :]
    best = last_max(values)
    if entropic:
        c = block.centre[where]
        with np.errstate(all="ignore"):
            g = linear / weight[..., None]
            g -= last_max(g)[..., None]
            cap = weight * (np.log(_weighed(np.exp(g), c)) - _weighed(g, c))
        best = np.where(weight > 1e-13, np.fmin(best, cap), best)
    return best


def _weighed(x: np.ndarray, c: np.ndarray) -> np.ndarray:
    """sum_a x_a c_a: (..., R, A), (..., A) -> (..., R)."""
    return np.matmul(x, c[..., None])[..., 0]


def last_max(x: np.ndarray) -> np.ndarray:
    """Maximum along the last axis, which is short: much faster than numpy's own reduction there."""
    result = x[..., 0].copy()
    for k in range(1, x.shape[-1]):
        np.maximum(result, x[..., k], out=result)
    return result
