"""Boxes of policies per window, and bounds on the values of nodes (floats, proposals only).

Rules W1 and W2 of docs/certificate-windows.md.  Arrays carry the ends of the interval of beta first.
"""

from __future__ import annotations

import itertools

import numpy as np

from certify.thresholds.windows.tables import Level

GRID = 2.0**-40  # box ends are multiples of this
ROOM = 2.0**-5  # of the grid, for rounding
MOST_VERTICES = 6  # actions of an agent: up to here the vertices of a box are enumerated
MOST_ACTIONS = 12  # per agent


class Box:
    """low <= pi <= high per window, [window, action], with the vertices of box and simplex.

    Windows that no history has hold one policy, the uniform one up to the grid.
    """

    def __init__(self, low: np.ndarray, high: np.ndarray) -> None:
        self.low, self.high = low, high
        width = (high - low).sum(1, keepdims=True)
        share = (1 - low.sum(1, keepdims=True)) / np.maximum(width, 1e-300)
        self.centre = low + np.clip(share, 0, 1) * (high - low)
        # log of the centre where H is replaced by a linear bound; entropies of the vertices
        self.linear = -np.log(np.maximum(self.centre, 1e-300))
        if low.shape[1] <= MOST_VERTICES:
            self.vertices = _vertices(low, high)
            self.entropy = entropies(self.vertices).sum(-1)
        # -p log p >= chord + slope p between the ends of the box
        first, last = entropies(low), entropies(high)
        self.slope = (last - first) / np.maximum(high - low, GRID)
        self.chord = (first - self.slope * low).sum(1)

    @classmethod
    def whole(cls, legal: np.ndarray, used: int) -> Box:
        """Every policy on what is `legal` [window, action] at the first `used` windows, the uniform one at the rest."""
        share = legal / legal.sum(1, keepdims=True)
        low, high = np.floor(share / GRID) * GRID, np.ceil(share / GRID) * GRID
        free = (legal.sum(1) > 1) & (np.arange(len(legal)) < used)
        low[free], high[free] = 0.0, legal[free]
        return cls(low, high)

    def shrunk(self, bound: np.ndarray) -> Box:
        """With log pi(a) - log pi(b) <= bound[w, a, b] (0 on the diagonal, inf for none) at the first windows."""
        used = len(bound)
        played = (self.high[:used] > 0)[:, :, None] | np.eye(bound.shape[1], dtype=bool)
        with np.errstate(over="ignore"):
            high = 1 / np.exp(-bound).sum(-1)
            low = 1 / np.where(played, np.exp(bound), 0.0).sum(-2)
        # as wide as a checker may make it: a policy that is ruled out must not be missing here by rounding alone
        low = np.maximum(self.low[:used], np.floor(np.maximum(low / GRID - ROOM, 0)) * GRID)
        high = np.minimum(self.high[:used], np.ceil(high / GRID + ROOM) * GRID)
        for _ in range(2):
            low = np.maximum(low, 1 - (high.sum(-1, keepdims=True) - high))
            high = np.minimum(high, 1 - (low.sum(-1, keepdims=True) - low))
        return Box(np.concatenate([low, self.low[used:]]), np.concatenate([high, self.high[used:]]))

    def empty(self) -> bool:
        """Whether some window has no policy: the bounds went wrong, or no stationary policy exists."""
        sums = (self.low > self.high).any() or (self.low.sum(1) > 1).any() or (self.high.sum(1) < 1).any()
        return bool(sums)


def entropies(p: np.ndarray) -> np.ndarray:
    """-p log p, elementwise."""
    return np.asarray(-p * np.log(np.maximum(p, 1e-300)))


def best_rows(low: np.ndarray, high: np.ndarray, x: np.ndarray) -> np.ndarray:
    """The p in the box that maximises sum p x along the last axis: filled up from `low`, the best actions first."""
    order = np.argsort(-x, axis=-1)
    low, high = np.broadcast_to(low, x.shape), np.broadcast_to(high, x.shape)
    width = np.take_along_axis(high - low, order, -1)
    left = 1 - low.sum(-1, keepdims=True)
    result = np.array(low)
    step = np.take_along_axis(low, order, -1) + np.clip(left - (np.cumsum(width, -1) - width), 0, width)
    np.put_along_axis(result, order, step, -1)
    return result


def _nested_values(
    level: Level, boxes: list[Box], weights: list[float], high: np.ndarray, low: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    up, down = (x.reshape(*x.shape[:2], *level.shape) for x in (high, -low))
    for i, box in reversed(list(enumerate(boxes))):
        w = level.node_windows[i]
        shape = (1, len(w), *(1,) * (up.ndim - 3), -1)
        ends = box.low[w].reshape(shape), box.high[w].reshape(shape)
        up = up + weights[i] * box.linear[w].reshape(shape)
        down = down - weights[i] * box.slope[w].reshape(shape)
        up, down = ((best_rows(*ends, x) * x).sum(-1) for x in (up, down))
        down = down - weights[i] * box.chord[w].reshape(shape[:-1])
    return up, -down


def _vertices(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """[window, vertex, action]: fill up from `low` in every order of the actions; repeated where there are fewer."""
    found = []
    for order in itertools.permutations(range(low.shape[1])):
        p, rest = low.copy(), 1 - low.sum(1)
        for a in order:
            step = np.minimum(high[:, a] - low[:, a], rest)
            p[:, a] += step
            rest = rest - step
        found.append(p)
    stacked = np.stack(found, 1)
    if low.shape[1] <= 2:
        return stacked
    # the first of equal ones to the front, copies of the first vertex in place of the others
    again = np.zeros(stacked.shape[:2], dtype=bool)
    for v in range(1, stacked.shape[1]):
        again[:, v] = (stacked[:, :v] == stacked[:, v : v + 1]).all(-1).any(1)
    front: np.ndarray = np.argsort(again, axis=1, kind="stable")[:, : int((~again).sum(1).max())]
    stacked[again] = np.broadcast_to(stacked[:, :1], stacked.shape)[again]
    return np.take_along_axis(stacked, front[:, :, None], 1)


def ahead(level: Level, beta: np.ndarray, gamma: float, later: np.ndarray | None) -> np.ndarray:
    """U(e, a) = beta R + gamma E V, [end, node, joint action]."""
    now = beta[:, None, None] * level.reward + level.tilt
    if later is None or level.follow is None:
        return now
    return now + gamma * level.follow.mean(later)


def node_values(
    level: Level, boxes: list[Box], weights: list[float], high: np.ndarray, low: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(upper, lower) bounds of V over the boxes, [end, node] (rule W2)."""
    shape = level.shape
    many, allowed = max(shape) > MOST_VERTICES, np.ones((len(level.nodes), 1))
    for i, box in enumerate(boxes):
        allowed = (allowed[:, :, None] * (box.high[level.node_windows[i]] > 0)[:, None, :]).reshape(len(allowed), -1)
    most, least = (_nested_values if many else _vertex_values)(level, boxes, weights, high, low)
    return np.minimum(most, soft_maximum(high, allowed, max(weights))) if max(weights) > 0 else most, least


def _vertex_values(
    level: Level, boxes: list[Box], weights: list[float], high: np.ndarray, low: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    shape = level.shape
    up = high.reshape(*high.shape[:2], 1, *shape)
    down = low.reshape(*low.shape[:2], 1, *shape)
    count = len(level.nodes)
    linear, entropy = np.zeros((count, 1)), np.zeros((count, 1))
    for i, box in enumerate(boxes):
        w = level.node_windows[i]
        v = box.vertices[w]
        up, down = (np.einsum("nva,enca...->envc...", v, x) for x in (up, down))
        up, down = (x.reshape(x.shape[0], count, -1, *shape[i + 1 :]) for x in (up, down))
        more = weights[i] * np.einsum("nva,na->nv", v, box.linear[w])
        linear = (more[:, :, None] + linear[:, None, :]).reshape(count, -1)
        entropy = (weights[i] * box.entropy[w][:, :, None] + entropy[:, None, :]).reshape(count, -1)
    return (up + linear).max(-1), (down + entropy).min(-1)


def soft_maximum(x: np.ndarray, allowed: np.ndarray, w: float) -> np.ndarray:
    """w log sum exp(x / w) over the joint actions that boxes allow; sum w_i H(pi_i) <= w H(joint policy)."""
    top = x.max(-1, keepdims=True)
    total = (np.exp(np.maximum((x - top) / w, -600)) * allowed).sum(-1)
    found: np.ndarray = top[..., 0] + w * np.log(total)
    return found
