"""The coupled form of the step rule for two agents, in vectorised float64 (docs/certificate-format.md, 4.4).

At a node of depth t < h - 1 a difference of values is a sum over the joint classes e' = (k', l') one depth
further, weighed with D(e').  The other agent's policy at l' is one vertex p for its linear terms and for the
bilinear remainder; each own block k' answers it, with a share of its own slope.

It is dearer than the other forms, so it is evaluated for single cases: a node, a vertex of the other's policy
there, and an ordered pair of own actions.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array

from certify.checker.fast.box import BlockBox
from certify.checker.fast.layout import Depth, Layout, Pairs, expand, starts_of
from certify.checker.fast.lines import Key, Level, Lines
from certify.checker.fast.models import Boxes, Model, most_terms, sparse_times
from certify.checker.fast.numbers import GROW, TINY, UNIT, Ball, inflated, last_max, slop
from certify.checker.fast.support import sigma_plus, slope_error, widened

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
        for number, (pair, where) in enumerate(zip(entries, keys, strict=True)):
            for table, part, key in zip((self.plus, self.minus), pair, where, strict=True):
                table[np.searchsorted(found, key), part.row % rest, number] = part.data
        self.terms = max(most_terms(plus) + most_terms(minus) for plus, minus in chances)


class Later(NamedTuple):
    """What the coupled form needs of depth t + 1: U and V there, and the links to it."""

    action: Model
    value: Model
    links: Links


class Cases(NamedTuple):
    """Where the coupled form is asked for: (cases,) nodes, numbers of a vertex of the other's policy at them, and
    ordered pairs of own actions; q (cases, rest) those vertices, deeper (cases, beta) what later blocks add."""

    node: np.ndarray
    vertex: np.ndarray
    pair: np.ndarray
    q: np.ndarray
    deeper: np.ndarray


class _Rows(NamedTuple):
    """Blocks of one agent one depth further, per case: whose they are, their class, their averaged slope."""

    case: np.ndarray
    klass: np.ndarray
    slope: Ball


class _Reached(NamedTuple):
    """Per case the joint classes e' that its difference puts weight on: `d` (rows,) is that weight, off by at
    most `error`; `own`, `theirs`: where their blocks stand among the `_Rows` of both agents."""

    case: np.ndarray
    target: np.ndarray
    d: np.ndarray
    error: np.ndarray
    own: np.ndarray
    theirs: np.ndarray


def case_bytes(lines: Lines, boxes: Boxes, later: Later) -> int:
    """About the size of the largest temporary array of one case."""
    mine, theirs = (boxes[lines.depth + 1][j] for j in (lines.agent, 1 - lines.agent))
    betas = later.value.high.shape[1]
    return (
        8
        * int(np.diff(later.links.starts).max())
        * theirs.vertices.shape[1]
        * betas
        * (mine.vertices.shape[1] + mine.actions + 1)
    )


def coupled_bounds(
    layout: Layout, lines: Lines, cases: Cases, bare: np.ndarray, slopes: dict[Key, Ball], boxes: Boxes, later: Later
) -> np.ndarray:
    """(cases, beta): upper bounds of a node's value at one vertex of the other's policy.

    bare : (nodes, rest, ordered pairs, beta), X without remainders.  slopes : (pairs, rest, ordered pairs, beta,
    slope).
    """
    level = lines.levels[-1]
    agent, other, depth = lines.agent, 1 - lines.agent, lines.depth + 1
    mine, yours = (_rows(level.pairs[j, depth], slopes[j, depth], cases) for j in (agent, other))
    reached = _reached(layout, lines, level, cases, mine, yours, later.links)
    shares, whole = _shares(mine, reached, later.value)
    answers = _answers(layout.depths[depth], agent, boxes[depth], later.action, reached, shares, mine)
    answers = answers + _left(later.value.beyond[other], reached)
    against = _added(reached.theirs, answers, len(yours.case)) + _linear(boxes[depth][other], yours)
    # own blocks on which no e' puts weight keep their slope whole (it is 0 up to rounding)
    rest = sigma_plus(mine.slope.mid, mine.slope.rad, boxes[depth][agent], mine.klass)
    x = bare[cases.node, :, cases.pair]
    parts = [
        np.einsum("cm,cmb->cb", cases.q, inflated(x, x.shape[1] + 4)),
        cases.deeper,
        _added(yours.case, last_max(np.moveaxis(against, 1, 2)), len(cases.node)),
        _added(mine.case, np.where(whole, rest, 0.0), len(cases.node)),
    ]
    # e' that rounding hides: their D is below 8 u, what they multiply at most the largest remainder
    hidden = np.maximum(np.abs(later.value.high), np.abs(later.value.low)).reshape(layout.copies, -1).max(1)
    copy = level.joint_class[cases.node] // (layout.depths[lines.depth].joint_classes // layout.copies)
    size = sum(np.abs(part) for part in parts) + 8 * later.links.terms * hidden[copy][:, None]
    return sum(parts) + slop(2 * len(parts) + 8) * size + TINY


def _added(index: np.ndarray, values: np.ndarray, count: int) -> np.ndarray:
    """Upper bounds added up by index."""
    adding = csr_array((np.ones(len(index)), (index, np.arange(len(index)))), shape=(count, len(index)))
    return sparse_times(adding, inflated(values, most_terms(adding)))


def _rows(pairs: Pairs, slopes: Ball, cases: Cases) -> _Rows:
    case, row = expand(pairs.starts, cases.node)
    q, pair = cases.q[case], cases.pair[case]
    mid = np.einsum("rm,rmbx->rbx", q, slopes.mid[row, :, pair])
    rad = np.einsum("rm,rmb->rb", q, widened(Ball(slopes.mid[row, :, pair], slopes.rad[row, :, pair]), q.shape[1] + 4))
    return _Rows(case, pairs.klass[row], Ball(mid, rad * GROW))


def _reached(
    layout: Layout, lines: Lines, level: Level, cases: Cases, mine: _Rows, yours: _Rows, links: Links
) -> _Reached:
    case, link = expand(links.starts, level.joint_class[cases.node])
    q, pair = cases.q[case], cases.pair[case]
    plus, minus = (np.einsum("rm,rm->r", q, part[link, :, pair]) for part in (links.plus, links.minus))
    # d is off by at most 4 u times two chances, q sums to 1
    error = slop(q.shape[1] + 8) * (plus + minus) + 8 * UNIT
    target = links.target[link]
    classes = layout.depths[lines.depth + 1].classes[target]
    own, theirs = (_positions(rows, case, classes[:, j]) for rows, j in ((mine, lines.agent), (yours, 1 - lines.agent)))
    return _Reached(case, target, plus - minus, error, own, theirs)


def _positions(rows: _Rows, case: np.ndarray, klass: np.ndarray) -> np.ndarray:
    """Where (case, klass) stands among the rows, which are sorted."""
    width = int(max(rows.klass.max(initial=0), klass.max(initial=0))) + 1
    return np.searchsorted(rows.case * width + rows.klass, case * width + klass)


def _shares(mine: _Rows, reached: _Reached, value: Model) -> tuple[np.ndarray, np.ndarray]:
    """(reached, beta): the part of its own block's slope that each e' takes, in proportion to abs(D) times the
    width of the remainder; and the own blocks (rows, beta) of which none takes a part."""
    strength = np.abs(reached.d)[:, None] * (value.high - value.low + SMALLEST_WIDTH)[reached.target]
    adding = csr_array(
        (np.ones(len(strength)), (reached.own, np.arange(len(strength)))), shape=(len(mine.case), len(strength))
    )
    total = adding @ strength
    return strength / np.where(total > 0, total, 1.0)[reached.own], ~(total > 0)


def _answers(
    d: Depth, agent: int, box: tuple[BlockBox, ...], action: Model, reached: _Reached, shares: np.ndarray, mine: _Rows
) -> np.ndarray:
    """sigma+ of every own block's share and its part of the bilinear remainder: (reached, vertices p, beta)."""
    other = 1 - agent
    block = box[agent]
    table = action.centre.mid[:, d.own[agent]]  # (E', own, theirs, beta)
    offsets = box[other].offsets[d.classes[:, other]]  # (E', p, theirs)
    # abs(p - c) sums to at most 2
    error = 2 * (action.centre.rad.max(1) + slop(offsets.shape[2]) * np.abs(action.centre.mid).max(1))
    against = np.einsum("evj,eijb->evbi", offsets, table)[reached.target]
    size = last_max(np.abs(against))
    mid, rad = mine.slope.mid[reached.own], mine.slope.rad[reached.own]
    slope = np.repeat((shares[..., None] * mid)[:, None], against.shape[1], axis=1)  # (reached, p, beta, own + 1)
    weight = np.abs(reached.d)[:, None, None]
    slope[..., :-1] += reached.d[:, None, None, None] * against
    # shares sum to 1 up to rounding: what is missing counts as an error of every one of them
    count = int(np.bincount(reached.own).max(initial=1))
    radius = (shares * rad + slop(count + 8) * last_max(np.abs(mid)))[:, None]
    radius = radius + reached.error[:, None, None] * size
    radius = radius + (weight + reached.error[:, None, None]) * (error[reached.target][:, None] + 4 * UNIT * size)
    return sigma_plus(slope, radius * GROW + TINY, block, d.classes[reached.target, agent])


def _left(beyond: tuple[np.ndarray, np.ndarray], reached: _Reached) -> np.ndarray:
    """An upper bound of D times what is left of V beside slopes and bilinear part: (reached, vertices p, beta)."""
    low, high = (part[reached.target] for part in beyond)
    d = reached.d[:, None, None]
    largest = np.maximum(np.abs(low), np.abs(high))
    return d * np.where(d > 0, high, low) + (reached.error[:, None, None] + 4 * UNIT * np.abs(d)) * largest * GROW


def _linear(block: BlockBox, yours: _Rows) -> np.ndarray:
    """g . (p - c) + max(0, -e) KL(p || c) of the other's blocks, bounded: (rows, vertices p, beta)."""
    offsets, divergence = block.offsets[yours.klass], block.divergence[yours.klass]
    mid = yours.slope.mid
    value = np.einsum("rba,rva->rvb", mid[..., :-1], offsets)
    value = value + np.maximum(-mid[..., -1], 0)[:, None] * divergence[:, :, None]
    return value + slope_error(last_max(np.abs(mid)), yours.slope.rad, block, yours.klass)[:, None]
