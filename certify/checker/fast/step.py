"""One contraction: upper bounds of F, docs/certificate-format.md, (6), for all classes of an agent at a
depth, all ordered pairs of actions and both ends of the interval of beta at once.

Numbers X are upper bounds throughout; slopes carry radii.  Axis order: (node or pair, others' joint
action, ordered pair of own actions, beta, slope entry).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array, diags_array

from certify.checker.fast.box import BlockBox
from certify.checker.fast.coupled import Cases, Later, case_bytes, coupled_bounds
from certify.checker.fast.layout import Layout, Pairs
from certify.checker.fast.lines import Key, Level, Lines
from certify.checker.fast.models import Boxes, Model, most_terms, sparse_times
from certify.checker.fast.numbers import GROW, UNIT, Ball, inflated, last_max, second_max, slop
from certify.checker.fast.support import (
    corners,
    fill,
    sigma_above,
    sigma_plus,
    slope_error,
    times,
    vertex_products,
    widened,
)

FEW_ACTIONS = 4  # for which trying all vertices is faster than sorting
CASES_BYTES = 2**22  # of one temporary array of the coupled form


class Differences(NamedTuple):
    """U(e,(a,.)) - U(e,(b,.)) for all joint classes: `above` (joint classes, rest, pairs of actions, beta)
    an upper bound of centre and remainder, `bare` of the centre alone, `slopes` per group of `Layout.pairs`."""

    above: np.ndarray
    bare: np.ndarray
    slopes: dict[Key, Ball]


class Coupling(NamedTuple):
    """The coupled form is tried where `open_` (classes, pairs of actions)."""

    later: Later
    open_: np.ndarray


def ordered_pairs(actions: int) -> tuple[np.ndarray, np.ndarray]:
    """The ordered pairs (a, b), a != b, a major.

    >>> ordered_pairs(2)
    (array([0, 1]), array([1, 0]))
    """
    a, b = np.divmod(np.arange(actions * actions), actions)
    return a[a != b], b[a != b]


def chance_differences(layout: Layout, agent: int, t: int, reply: bool = False) -> list[tuple[csr_array, csr_array]]:
    """For every ordered pair (a, b) the positive and negative parts of gamma (P(.|e,(a,.)) - P(.|e,(b,.))), rows
    (joint class, rest); with `reply` of gamma P(.|e,(a,.)) alone.  Each entry is off by at most 4 u times the two
    chances."""
    d = layout.depths[t]
    rest = d.own[agent].shape[1]
    rows = (np.arange(d.joint_classes)[:, None] * d.joint_actions + d.own[agent].reshape(-1)[None]).reshape(
        d.joint_classes, d.actions[agent], rest
    )
    found = []
    for a, b in zip(*ordered_pairs(d.actions[agent]), strict=True):
        change = layout.values[t][rows[:, a].ravel()]
        change = (change if reply else change - layout.values[t][rows[:, b].ravel()]).tocsr()
        found.append((change.maximum(0).tocsr(), (-change).maximum(0).tocsr()))
    return found


def differences(
    layout: Layout, agent: int, t: int, action: Model, value: Model | None, chances: list[tuple[csr_array, csr_array]]
) -> Differences:
    """The differences that a step of `agent` at depth t needs; `value` is V at t + 1."""
    d = layout.depths[t]
    own = d.own[agent]
    bare, slopes = _centred(own, action, action)
    above = bare.copy()
    if value is not None:
        rest, batch = own.shape[1], above.shape[3]
        largest = np.maximum(np.abs(value.high), np.abs(value.low)).reshape(layout.copies, -1).max(1)
        largest = np.repeat(largest, d.joint_classes // layout.copies)[:, None, None]
        for p, (plus, minus) in enumerate(chances):
            terms = most_terms(plus) + most_terms(minus)
            rho = (plus @ value.high - minus @ value.low).reshape(d.joint_classes, rest, batch)
            above[:, p] += rho + slop(terms + 8) * 4 * (largest + np.abs(above[:, p]))
    return Differences(above.transpose(0, 2, 1, 3), bare.transpose(0, 2, 1, 3), slopes)


def reply_differences(layout: Layout, agent: int, t: int, action: Model, after: Model) -> Differences:
    """U(e,(a,.)) - U°(e,(b,.)) likewise, docs/certificate-format.md, (6°): `after` is U° at t, the model where the
    agent's later policies are its centres.  Its remainder is in `bare`, too: the coupled form takes in that of U alone.
    """
    own = layout.depths[t].own[agent]
    a, b = ordered_pairs(layout.depths[t].actions[agent])
    bare, slopes = _centred(own, action, after)
    bare = _less(bare, after.low[:, own[b]])
    above = _less(bare, -action.high[:, own[a]])
    return Differences(above.transpose(0, 2, 1, 3), bare.transpose(0, 2, 1, 3), slopes)


def _centred(own: np.ndarray, first: Model, second: Model) -> tuple[np.ndarray, dict[Key, Ball]]:
    """An upper bound of the centre of first(a) - second(b), (joint classes, pairs of actions, rest, beta), and slopes;
    those that `second` has none of are 0 there."""
    a, b = ordered_pairs(len(own))
    (mid, rad), (other, off) = first.centre, second.centre
    difference = mid[:, own[a]] - other[:, own[b]]
    bare = difference + (rad[:, own[a]] + off[:, own[b]] + 2 * UNIT * np.abs(difference)) * GROW
    slopes = {}
    for key, (mid, rad) in first.slopes.items():
        change, radius = mid[:, own[a]], rad[:, own[a]]
        if key in second.slopes:
            other, off = second.slopes[key]
            change = change - other[:, own[b]]
            radius = (radius + off[:, own[b]] + UNIT * last_max(np.abs(change))) * GROW
        slopes[key] = Ball(change.transpose(0, 2, 1, 3, 4), radius.transpose(0, 2, 1, 3))
    return bare, slopes


def upper_bounds(
    layout: Layout,
    lines: Lines,
    found: Differences,
    boxes: Boxes,
    ratio: np.ndarray,
    sharing: bool,
    coupling: Coupling | None = None,
) -> np.ndarray:
    """Upper bounds of F, or of F° from `reply_differences`, (classes, pairs of actions, beta): all nodes below a
    single top sharing, or all separate.  `ratio` (classes, pairs) is a lower bound of w_i M_ab; `coupling` allows the
    coupled form."""
    level = lines.levels[-1]
    x, bare = (
        _less(part[level.joint_class], ratio[level.node_class][:, None, :, None]) for part in (found.above, found.bare)
    )
    slopes = {key: Ball(s.mid[level.order[key]], s.rad[level.order[key]]) for key, s in found.slopes.items()}
    way = _Way(layout, lines, boxes, bare, coupling)
    for u in range(lines.depth, -1, -1):
        if u < lines.depth:
            x, slopes = way.carried(lines.levels[u], x, slopes)
        x, slopes = way.closed(lines.levels[u], x, slopes, sharing and not (u == 0 and lines.single))
    if lines.single:
        return x
    return way.rooted(x, slopes)


def _less(x: np.ndarray, ratio: np.ndarray) -> np.ndarray:
    """x - ratio, rounded up."""
    x = x - ratio
    return x + 2 * UNIT * np.abs(x)


class _Way(NamedTuple):
    """From the nodes at the step's depth to the top, over one box."""

    layout: Layout
    lines: Lines
    boxes: Boxes
    bare: np.ndarray
    coupling: Coupling | None

    def carried(self, level: Level, value: np.ndarray, slopes: dict[Key, Ball]) -> tuple[np.ndarray, dict[Key, Ball]]:
        """X and slopes of the nodes of a level from the values of the nodes one deeper."""
        rest = self.layout.depths[level.depth].own[self.lines.agent].shape[1]
        x = sparse_times(level.up, inflated(value, most_terms(level.up)))
        carried = {}
        for key, ball in slopes.items():
            steps = level.up_slopes[key]
            rows = (len(level.pairs[key]), rest)
            mid = sparse_times(steps, ball.mid)
            rad = sparse_times(steps, widened(ball, most_terms(steps))) * GROW
            carried[key] = Ball(mid.reshape(*rows, *mid.shape[1:]), rad.reshape(*rows, *rad.shape[1:]))
        return x.reshape(len(level.joint_class), rest, *value.shape[1:]), carried

    def closed(
        self, level: Level, x: np.ndarray, slopes: dict[Key, Ball], share: bool
    ) -> tuple[np.ndarray, dict[Key, Ball]]:
        """The value of every node, maximised over the others' policies at it, and the slopes passed on.

        What cannot be met counts exactly 0: all errors are added to X, which the policies weigh.
        Where slopes are not shared at the step's own depth, the coupled form improves the bounds at single vertices.
        """
        classes = self.layout.depths[level.depth].classes[level.joint_class]
        others = [j for j in range(self.layout.agents) if j != self.lines.agent]
        blocks = [(self.boxes[level.depth][j], classes[:, j]) for j in others]
        terms = x.shape[1] + 2 * self.layout.agents + 2 * len(slopes)
        if not slopes:
            return _linear_maximum(inflated(x, terms), blocks), {}
        q, c = vertex_products(blocks, len(x))
        weights = q - c[:, None] if share else q
        passed, added = {}, {}
        for key, ball in slopes.items():
            pairs, block = level.pairs[key], self.boxes[key[1]][key[0]]
            adding = pairs.total(slice(0, len(x)))
            moved, rad = times(weights[pairs.owner], ball.mid), widened(ball, terms)
            if share:  # abs(q - c) <= q + c
                above = sigma_above(moved, block, pairs.klass)
                error = sparse_times(adding, slope_error(2 * last_max(np.abs(ball.mid)), rad, block, pairs.klass))
                x = x + error + times(c[:, None], error) * GROW
                passed[key] = Ball(
                    times(c[pairs.owner][:, None], ball.mid)[:, 0], times(c[pairs.owner][:, None], rad)[:, 0] * GROW
                )
            else:
                above = sigma_plus(moved, times(q[pairs.owner], rad) * GROW, block, pairs.klass)
            added[key] = sparse_times(adding, inflated(above, most_terms(adding) + terms))
        value = sum(added.values(), inflated(times(q, inflated(x, terms)), terms))
        if self.coupling is not None and level.depth == self.lines.depth and not share:
            deeper = sum((part for (_, u), part in added.items() if u > level.depth + 1), np.zeros_like(value))
            value = self._coupled(self.coupling, value, q, slopes, deeper)
        return second_max(value), passed

    def _coupled(
        self, coupling: Coupling, value: np.ndarray, q: np.ndarray, slopes: dict[Key, Ball], deeper: np.ndarray
    ) -> np.ndarray:
        """Bounds at every vertex q, those of the coupled form where they are smaller, among the classes and pairs that
        are `open_` and at vertices where the maximum over them can be; at a single top only the sign counts."""
        lines, later = self.lines, coupling.later
        level = lines.levels[-1]
        wanted = np.broadcast_to(coupling.open_[level.node_class][:, None], value.shape[:3])
        # where no own action can change what comes next, there is nothing to couple
        wanted = wanted & (np.diff(later.links.starts) > 0)[level.joint_class][:, None, None]
        if lines.depth == 0 and lines.single:
            wanted = wanted & (value > 0).any(3)
        value, best = value.copy(), second_max(value)
        size = max(1, CASES_BYTES // max(1, case_bytes(lines, self.boxes, later)))
        for _ in range(2):  # the largest; then whatever exceeds what they have become
            now = wanted & (value >= best[:, None]).any(3)
            where, wanted = np.argwhere(now), wanted & ~now
            for part in (where[k : k + size] for k in range(0, len(where), size)):
                node, vertex, pair = part.T
                cases = Cases(node, vertex, pair, q[node, vertex], deeper[node, vertex, pair])
                found = coupled_bounds(self.layout, lines, cases, self.bare, slopes, self.boxes, later)
                value[node, vertex, pair] = np.minimum(value[node, vertex, pair], found)
            best = second_max(np.where(now[..., None], value, -np.inf))
        return value

    def rooted(self, value: np.ndarray, slopes: dict[Key, Ball]) -> np.ndarray:
        """F <= sum_m b(m) value(m) + R from the nodes of depth 0."""
        lines, boxes = self.lines, self.boxes
        root, top = lines.root, lines.levels[0]
        bound = sparse_times(root.start, inflated(value, most_terms(root.start)))
        for key, ball in slopes.items():
            block, pairs = boxes[key[1]][key[0]], top.pairs[key]
            if key[0] == lines.agent:
                adding, klass, owners = root.own[key], root.own_pairs[key].klass, root.own_pairs[key].owner
            else:
                adding = diags_array(root.chance[pairs.owner], format="csr")
                klass, owners = pairs.klass, top.node_class[pairs.owner]
            mid, rad = sparse_times(adding, ball.mid), sparse_times(adding, widened(ball, most_terms(adding))) * GROW
            above = sigma_plus(mid, rad, block, klass)
            per_class = Pairs(owners, klass, len(lines.classes)).total(slice(0, len(lines.classes)))
            part = sparse_times(per_class, inflated(above, most_terms(per_class)))
            bound = inflated(bound, 1) + inflated(part, 1)
        return bound


def _linear_maximum(x: np.ndarray, blocks: list[tuple[BlockBox, np.ndarray]]) -> np.ndarray:
    """max over the others' policies of a multilinear form: vertices of all but the last, filling up for it (or
    vertices, where they are few)."""
    if not blocks:
        return x[:, 0]
    *first, (last, classes) = blocks
    if last.actions <= FEW_ACTIONS:
        return second_max(times(corners(blocks, len(x)), x))
    by_last = x.reshape(len(x), -1, last.actions, *x.shape[2:])
    if not first:
        return fill(by_last[:, 0], last, classes)
    q = corners(first, len(x))
    return second_max(fill(times(q, by_last), last, classes))
