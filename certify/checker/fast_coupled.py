"""The coupled form of the step rule for two agents, in vectorised float64 (docs/certificate-format.md, 4.4).

At a node of depth t < h - 1 a difference of values is a sum over the joint classes e' = (k', l') one depth
further, weighed with D(e').  The other agent's policy at l' is one vertex p for its linear terms and for the
bilinear remainder; each own block k' answers it, with a share of its own slope.

Axis order: (node, pair or link, vertex q of the other's policy, ordered pair of own actions, vertex p, beta, slope).
A *link* is a node and a joint class e' one depth further.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array

from certify.checker.fast_layout import Layout, Pairs, expand, starts_of
from certify.checker.fast_lines import Key, Level, Lines
from certify.checker.fast_models import Boxes, Model, most_terms, sparse_times
from certify.checker.fast_numbers import GROW, TINY, UNIT, Ball, inflated, last_max, slop
from certify.checker.fast_support import sigma_plus, slope_error, times, widened

SMALLEST_WIDTH = 2.0**-40  # added to the width of every remainder: shares where none has any


class Links:
    """The joint classes one depth further that a difference between two own actions can put weight on.

    owner, target (links,): joint classes at t and at t + 1; starts: of each owner; plus, minus
    (links, rest, ordered pairs): positive and negative parts of d(e'), each off by at most 4 u times the two chances.
    """

    def __init__(self, layout: Layout, t: int, chances: list[tuple[csr_array, csr_array]]) -> None:
        count, after = layout.depths[t].joint_classes, layout.depths[t + 1].joint_classes
        entries = [[part.tocoo() for part in pair] for pair in chances]
        rest = entries[0][0].shape[0] // count
        keys = [[(part.row // rest) * after + part.col for part in pair] for pair in entries]
        found = np.unique(np.concatenate([key for pair in keys for key in pair]))
        self.owner, self.target = np.divmod(found, after)
        self.starts = starts_of(self.owner, count)
        self.plus, self.minus = (np.zeros((len(found), rest, len(chances))) for _ in range(2))
        for number, (pair, where) in enumerate(zip(entries, keys)):
            for table, part, key in zip((self.plus, self.minus), pair, where):
                table[np.searchsorted(found, key), part.row % rest, number] = part.data
        self.terms = max(most_terms(plus) + most_terms(minus) for plus, minus in chances)


class Later(NamedTuple):
    """What the coupled form needs of depth t + 1: U and V there, and the links to it."""

    action: Model
    value: Model
    links: Links


class _Weights(NamedTuple):
    """D of every link, (links, q, ordered pairs), and by how much it may be off."""

    value: np.ndarray
    error: np.ndarray


def coupled_bounds(layout: Layout, lines: Lines, level: Level, q: np.ndarray, bare: np.ndarray,
                   moved: dict[Key, Ball], deeper: list[np.ndarray], boxes: Boxes, later: Later) -> np.ndarray:
    """(nodes, q, ordered pairs, beta): upper bounds at every vertex q (nodes, q, rest) of the other's policy.

    bare : (nodes, rest, ordered pairs, beta), X without remainders.  moved : slopes averaged with q, mid (pairs,
    q, ordered pairs, beta, slope), rad without the last axis.  deeper : what blocks of later depths add.
    """
    agent, other, depth = lines.agent, 1 - lines.agent, lines.depth + 1
    links = later.links
    node, member = expand(links.starts, level.joint_class)
    target = links.target[member]
    weights = _weights(q[node], links.plus[member], links.minus[member])
    classes = layout.depths[depth].classes[target]
    mine, yours = level.pairs[agent, depth], level.pairs[other, depth]
    own = _positions(mine, node, classes[:, agent])
    theirs = _positions(yours, node, classes[:, other])
    shares, whole = _shares(mine, own, weights.value, later.value, target)
    answer = _answers(layout, agent, depth, boxes, later.action, weights, shares, moved[agent, depth], own, target)
    answer = answer + _left(later.value.beyond[other], weights, target)
    adding = csr_array((np.ones(len(node)), (theirs, np.arange(len(node)))), shape=(len(yours), len(node)))
    against = sparse_times(adding, inflated(answer, most_terms(adding)))           # (yours, q, pairs, p, beta)
    against = last_max(np.moveaxis(_linear(boxes[depth][other], yours, moved[other, depth]) + against, 3, 4))
    parts = [times(q, inflated(bare, q.shape[2] + 4))]
    # own blocks on which no link puts weight keep their slope whole (it is 0 up to rounding)
    ball, block = moved[agent, depth], boxes[depth][agent]
    rest = sigma_plus(ball.mid, ball.rad, block, mine.klass)
    for pairs, found in ((yours, against), (mine, np.where(whole, rest, 0.0))):
        total = pairs.total(slice(0, len(q)))
        parts.append(sparse_times(total, inflated(found, most_terms(total))))
    parts += deeper
    # links that rounding hides: their D is below 8 u, what they multiply at most the largest remainder
    hidden = np.maximum(np.abs(later.value.high), np.abs(later.value.low))
    hidden = hidden.reshape(layout.copies, -1).max(1)[layout_copy(layout, level, lines.depth)][:, None, None, None]
    size = sum(np.abs(part) for part in parts)
    return sum(parts) + slop(2 * len(parts) + 8) * (size + 8 * links.terms * hidden) + TINY


def layout_copy(layout: Layout, level: Level, depth: int) -> np.ndarray:
    """The copy of the process that each node belongs to."""
    return level.joint_class // (layout.depths[depth].joint_classes // layout.copies)


def _weights(q: np.ndarray, plus: np.ndarray, minus: np.ndarray) -> _Weights:
    """sum_rest q d, and its error: d is off by at most 4 u times two chances, q sums to 1."""
    positive, negative = np.matmul(q, plus), np.matmul(q, minus)
    return _Weights(positive - negative, slop(q.shape[2] + 8) * (positive + negative) + 8 * UNIT)


def _positions(pairs: Pairs, owner: np.ndarray, klass: np.ndarray) -> np.ndarray:
    """Where (owner, klass) stands in `pairs`."""
    width = int(max(pairs.klass.max(initial=0), klass.max(initial=0))) + 1
    return np.searchsorted(pairs.owner * width + pairs.klass, owner * width + klass)


def _shares(mine: Pairs, own: np.ndarray, weights: np.ndarray, value: Model,
            target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(links, q, ordered pairs, beta): the part of its own block's slope that each link takes, in proportion to
    abs(D) times the width of the remainder; and the own blocks (pairs, ...) of which no link takes a part."""
    width = (value.high - value.low + SMALLEST_WIDTH)[target]
    strength = np.abs(weights)[..., None] * width[:, None, None]
    adding = csr_array((np.ones(len(own)), (own, np.arange(len(own)))), shape=(len(mine), len(own)))
    total = sparse_times(adding, strength)
    share = strength / np.where(total > 0, total, 1.0)[own]
    return share, ~(total > 0)


def _answers(layout: Layout, agent: int, depth: int, boxes: Boxes, action: Model, weights: _Weights,
             shares: np.ndarray, slopes: Ball, own: np.ndarray, target: np.ndarray) -> np.ndarray:
    """sigma+ of every own block's share and its part of the bilinear remainder: (links, q, pairs, p, beta)."""
    other = 1 - agent
    d, block = layout.depths[depth], boxes[depth][agent]
    table = action.centre.mid[:, d.own[agent]]                        # (E', own, theirs, beta)
    offsets = boxes[depth][other].offsets[d.classes[:, other]]        # (E', p, theirs)
    # abs(p - c) sums to at most 2
    error = 2 * (action.centre.rad.max(1) + slop(offsets.shape[2]) * np.abs(action.centre.mid).max(1))
    against = np.einsum("evj,eijb->evbi", offsets, table)[target]     # (links, p, beta, own)
    size = last_max(np.abs(against))
    mid, rad = slopes.mid[own], slopes.rad[own]
    count = int(np.bincount(own).max(initial=1))
    share = shares[:, :, :, None]
    slope = share[..., None] * mid[:, :, :, None]
    slope = np.broadcast_to(slope, (*slope.shape[:3], against.shape[1], *slope.shape[4:])).copy()
    slope[..., :-1] += weights.value[:, :, :, None, None, None] * against[:, None, None]
    # shares sum to 1 up to rounding: what is missing counts as an error of every one of them
    radius = (share * rad[:, :, :, None] + slop(count + 8) * last_max(np.abs(mid))[:, :, :, None]
              + weights.error[..., None, None] * size[:, None, None]
              + np.abs(weights.value)[..., None, None] * (error[target][:, None, None, None] + 4 * UNIT * size[:, None, None]))
    return sigma_plus(slope, radius * GROW + TINY, block, d.classes[target, agent])


def _left(beyond: tuple[np.ndarray, np.ndarray], weights: _Weights, target: np.ndarray) -> np.ndarray:
    """An upper bound of D times what is left of V beside slopes and bilinear part: (links, q, pairs, p, beta)."""
    low, high = (part[target][:, None, None] for part in beyond)
    d = weights.value[..., None, None]
    largest = np.maximum(np.abs(low), np.abs(high))
    return d * np.where(d > 0, high, low) + (weights.error[..., None, None] + 4 * UNIT * np.abs(d)) * largest * GROW


def _linear(block, pairs: Pairs, slopes: Ball) -> np.ndarray:
    """g . (p - c) + max(0, -e) KL(p || c) of the other's blocks, bounded: (pairs, q, ordered pairs, p, beta)."""
    offsets, divergence = block.offsets[pairs.klass], block.divergence[pairs.klass]
    value = np.einsum("gqpba,gva->gqpvb", slopes.mid[..., :-1], offsets)
    value = value + np.maximum(-slopes.mid[..., -1], 0)[:, :, :, None] * divergence[:, None, None, :, None]
    error = slope_error(last_max(np.abs(slopes.mid)), slopes.rad, block, pairs.klass)
    return value + error[:, :, :, None]
