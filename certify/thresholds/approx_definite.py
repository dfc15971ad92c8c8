"""The definiteness test that closes a box, in floats: is every stationary policy in the box a
nondegenerate maximum (docs/theory/hessian.md#interval-forms, docs/theory/continuation.md#theorem-d)?  With the blocks
between an agent's own AOHs kept, the same form decides strong concavity on the whole box (Theorem B).

The enclosure is the one that docs/certificate-format.md states ("The definiteness rule"); the
checker computes it rigorously and on its own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from certify.memory import pieces
from certify.thresholds.approx_step import Step
from certify.thresholds.approx_support import support
from certify.thresholds.room import joint_bytes, room_of, weights_bytes

_MATRICES = 6  # (N, N) arrays of a test at its peak, beside the form
_LEAST = 1e-200  # of a probability: smaller ones count as this


@dataclass
class Form:
    """Enclosure of the quadratic form over a batch of boxes, blocks in the order of `tree.blocks`.

    diagonal : (B, N) lower bounds of w gamma^t d / pi; middle, radius : (B, N, N) of the cross
    terms; block : (N,) number of the block that each coordinate belongs to.
    """

    diagonal: np.ndarray
    middle: np.ndarray
    radius: np.ndarray
    block: np.ndarray


class Hessian:
    """Reach probabilities and advantages over the boxes of a `Step`, and the form they make."""

    def __init__(self, step: Step) -> None:
        self.step, self.plan = step, step.plan
        self.sizes = [
            (i, t, self.plan.levels[t].classes[i], self.plan.levels[t].action_counts[i])
            for i, t in self.plan.tree.blocks
        ]
        self.offset, total = {}, 0
        for i, t, k, a in self.sizes:
            self.offset[i, t] = total
            total += k * a
        self.total = total
        self._advantages: dict[tuple[int, int, float], tuple[np.ndarray, np.ndarray]] = {}
        self.reach = {end: self.reach_at(end) for end in ("lower", "upper")}

    def _policies(self, t: int, agents: list[int], end: str) -> np.ndarray:
        """(B, E, prod A_j): product of the lower or of the upper ends of the agents' policies."""
        return self.step._joint(t, agents, np.arange(len(self.plan.levels[t].joint)), end)

    def _forward(self, t: int, weight: np.ndarray) -> np.ndarray:
        """(..., E, JA) at depth t -> (..., E') at depth t + 1, discounted."""
        level, after = self.plan.levels[t], self.plan.levels[t + 1]
        e, a, s = level.successor.shape
        columns = np.repeat(np.arange(e * a), s)
        matrix = sparse.csr_array(
            (self.plan.gamma * level.approx_probability.ravel(), (level.successor.ravel(), columns)),
            shape=(len(after.joint), e * a),
        )
        flat = weight.reshape(-1, e * a)
        return (matrix @ flat.T).T.reshape(*weight.shape[:-2], len(after.joint))

    def reach_at(self, end: str) -> list[np.ndarray]:
        """Per depth (B, E): discounted weight of every joint class, policies at their "lower" or
        "upper" ends or at the "centre"."""
        everyone, table = list(range(self.plan.agents)), []
        weight = np.broadcast_to(self.plan.initial, (len(self.step.beta), len(self.plan.initial)))
        for t in range(self.plan.horizon):
            table.append(weight)
            if t + 1 < self.plan.horizon:
                weight = self._forward(t, weight[..., None] * self._policies(t, everyone, end))
        return table

    def _advantage(self, agent: int, t: int, part: float, some: slice) -> tuple[np.ndarray, np.ndarray]:
        """(B, E', A) bounds on W(e, a) = E[U(e, (a, .))] - part w log pi(a), centred over the agent's a, for some e."""
        step, plan = self.step, self.plan
        others, rows = plan.others(agent), np.arange(len(plan.levels[t].joint))[some]
        model, q = step.model(t), step._joint(t, others, rows, "points")

        def centred(x):
            return (y := plan.split_actions(x[:, some], agent, t, 2)) - y.mean(2, keepdims=True)

        value = _middle(q, centred(model.value))
        remainder_high, remainder_low = (plan.split_actions(x[:, some], agent, t, 2) for x in (model.high, model.low))
        count = value.shape[2]
        # centring over a: the remainder of U(a) - mean_b U(b), own term kept once
        share = (count - 1) / count
        high = share * remainder_high + (remainder_low - remainder_low.sum(2, keepdims=True)) / count
        low = share * remainder_low + (remainder_high - remainder_high.sum(2, keepdims=True)) / count
        upper, lower = value + _middle(q, high), value + _middle(q, low)
        for (j, u), g in model.slope.items():
            moved = np.einsum("beqm,beamdx->beaqdx", q, centred(g))
            index = plan.below(j, t, u)[some][:, None, None, :]
            upper = upper + support(step.box[j][u], index, moved, entropic=False).sum(-1)
            lower = lower - support(step.box[j][u], index, -moved, entropic=False).sum(-1)
        lower, upper = lower.min(-1), upper.max(-1)
        if not part:
            return lower, upper
        block = step.box[agent][t]
        with np.errstate(divide="ignore"):
            logs = [part * np.log(end) for end in (block.lower, block.upper)]
        if not plan.flows_back:  # U is without what the reference pays for the agent's own action
            odds = part * np.log(plan.levels[t].odds[agent].astype(np.float64))
            logs = [end - odds for end in logs]
        with np.errstate(invalid="ignore"):  # a lower end of 0 leaves the form unusable, as nan
            return self._with_logs(agent, (t, some), (lower, upper), logs)

    def _with_logs(
        self, agent: int, where: tuple[int, slice], bounds: Sequence[np.ndarray], logs: Sequence[np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Bounds at some joint classes less w (log pi(a) - mean_b log pi(b)), log pi between the logarithms of
        its ends."""
        (lower, upper), (log_low, log_high), (t, some) = bounds, logs, where
        k, w, count = self.plan.levels[t].joint[some, agent], self.plan.weights[agent], lower.shape[-1]
        share = (count - 1) / count
        others_low = (log_low.sum(-1, keepdims=True) - log_low) / count
        others_high = (log_high.sum(-1, keepdims=True) - log_high) / count
        return (lower + w * (others_low - share * log_high)[:, k], upper + w * (others_high - share * log_low)[:, k])

    def form(self, *, own: bool) -> Form:
        """The enclosure; `own` keeps the blocks between AOHs of one agent (Theorem B), as the local bonus always does
        (docs/theory/local-bonus.md#the-form)."""
        plan, batch = self.plan, len(self.step.beta)
        low, high = np.zeros((batch, self.total, self.total)), np.zeros((batch, self.total, self.total))
        for i, t, classes, _ in self.sizes:
            for j in range(plan.agents):
                if j > i:
                    self._same_time(low, high, i, j, t)
            if t + 1 < plan.horizon:
                for part in pieces(classes, batch * weights_bytes(plan, i, t), room_of(plan).temporary):
                    self._later(low, high, (i, t, part), own)
        diagonal = np.concatenate([self._diagonal(i, t).reshape(batch, -1) for i, t, _, _ in self.sizes], 1)
        block = np.repeat(
            np.arange(sum(k for *_, k, _ in self.sizes)), np.concatenate([np.full(k, a) for *_, k, a in self.sizes])
        )
        with np.errstate(invalid="ignore"):  # a lower end of 0 again
            middle, radius = low + high, np.subtract(high, low, out=high)
        del low, high  # the largest arrays of a search
        for whole in (middle, radius):
            whole /= 2
            for one in whole:
                one[...] = one + one.T
        return Form(diagonal, middle, radius, block)

    def _later(self, low: np.ndarray, high: np.ndarray, first: tuple[int, int, slice], own: bool) -> None:
        """The cross terms of some classes of agent i at t with everything later."""
        plan, (i, t, part) = self.plan, first
        everyone = list(range(plan.agents))
        starts = {end: self._start(i, t, end, part) for end in ("lower", "upper")}
        for u in range(t + 1, plan.horizon):
            starts = {end: self._forward(u - 1, x) for end, x in starts.items()}
            for j in range(plan.agents):
                if own or j != i or not plan.flows_back:
                    self._cross_time(low, high, first, (j, u), starts)
            if u + 1 < plan.horizon:
                starts = {end: x[..., None] * self._policies(u, everyone, end)[:, None] for end, x in starts.items()}

    def _diagonal(self, i: int, t: int) -> np.ndarray:
        level, block = self.plan.levels[t], self.step.box[i][t]
        visits = _gather(self.reach["lower"][t], level.joint[:, i], level.classes[i])
        return self.plan.weights[i] * visits[..., None] / np.maximum(block.upper, _LEAST)

    def _start(self, i: int, t: int, end: str, part: slice) -> np.ndarray:
        """(B, K' A, E, JA): discounted weight of (e, joint action) through class k, one of `part`, and own action a,
        the factor pi_i(a|k) left out."""
        plan, level = self.plan, self.plan.levels[t]
        others = self._policies(t, plan.others(i), end)
        weight = self.reach[end][t][..., None] * others
        own = np.eye(level.action_counts[i])
        counts = level.action_counts
        full = np.einsum("bem,ac->beacm", weight, own)
        shape = (*full.shape[:3], counts[i], *(c for j, c in enumerate(counts) if j != i))
        full = np.moveaxis(full.reshape(shape), 3, 3 + i).reshape(*full.shape[:3], -1)  # (B, E, A, JA)
        inside = (level.joint[:, i][None, :] == np.arange(level.classes[i])[part, None]).astype(float)
        full = np.einsum("ke,beaj->bkaej", inside, full)
        return full.reshape(len(full), -1, *full.shape[3:])

    def _cross_time(self, low, high, first, second, starts) -> None:
        (j, u), (i, t, part) = second, first
        same = i == j
        below, above = self._advantage_of(j, u, 1.0 if self.plan.flows_back else 0.0 if same else 0.5)
        if same and not self.plan.flows_back:
            below, above = below / 2, above / 2
        down, up = starts["lower"], starts["upper"]  # (B, X, E')
        level = self.plan.levels[u]
        with np.errstate(invalid="ignore"):
            smallest = np.minimum(down[..., None] * below[:, None], up[..., None] * below[:, None])
            largest = np.maximum(down[..., None] * above[:, None], up[..., None] * above[:, None])
        r, c = self.offset[i, t] + part.start * self.plan.levels[t].action_counts[i], self.offset[j, u]
        self._add(low, r, c, _gather(np.moveaxis(smallest, 3, 2), level.joint[:, j], level.classes[j]))
        self._add(high, r, c, _gather(np.moveaxis(largest, 3, 2), level.joint[:, j], level.classes[j]))

    def _advantage_of(self, j: int, u: int, part: float) -> tuple[np.ndarray, np.ndarray]:
        if (j, u, part) not in self._advantages:
            shape = (len(self.step.beta), len(self.plan.levels[u].joint), self.plan.levels[u].action_counts[j])
            lower, upper = np.empty(shape), np.empty(shape)
            each = shape[0] * joint_bytes(self.plan, u, self.plan.others(j))
            for rows in pieces(shape[1], each, room_of(self.plan).temporary):
                lower[:, rows], upper[:, rows] = self._advantage(j, u, part, rows)
            self._advantages[j, u, part] = lower, upper
        return self._advantages[j, u, part]

    def _add(self, target: np.ndarray, r: int, c: int, values: np.ndarray) -> None:
        """values : (B, K A, A', K'), to rows from r and columns from c on."""
        values = np.moveaxis(values, 2, 3).reshape(*values.shape[:2], -1)
        target[:, r : r + values.shape[1], c : c + values.shape[2]] += values

    def _same_time(self, low, high, i: int, j: int, t: int) -> None:
        """C[(x, a), (x', a')] = sum_e rho(e) E[U(e, (a, a', .))], x and x' at the same depth."""
        level, batch = self.plan.levels[t], len(self.step.beta)
        (k, a), (m, b) = ((level.classes[n], level.action_counts[n]) for n in (i, j))
        tables = [np.zeros((batch, k, a, m, b)) for _ in range(2)]
        others = [m for m in range(self.plan.agents) if m not in (i, j)]
        each = batch * joint_bytes(self.plan, t, others)
        for some in pieces(len(level.joint), each, room_of(self.plan).temporary):
            below, above = self._differences(i, j, t, some)  # (B, E', A, A')
            down, up = (self.reach[end][t][:, some, None, None] for end in ("lower", "upper"))
            smallest, largest = np.minimum(down * below, up * below), np.maximum(down * above, up * above)
            where = level.joint[some, i], level.joint[some, j]
            for table, values in zip(tables, (smallest, largest), strict=True):
                for row in range(batch):
                    np.add.at(table[row].transpose(0, 2, 1, 3), where, values[row])
        r, c = self.offset[i, t], self.offset[j, t]
        for target, table in zip((low, high), tables, strict=True):
            target[:, r : r + k * a, c : c + m * b] += table.reshape(batch, k * a, -1)

    def _differences(self, i: int, j: int, t: int, some: slice) -> tuple[np.ndarray, np.ndarray]:
        """(B, E', A, A') bounds on E[U(e, (a, a', .))], centred twice, for some joint classes e."""
        plan, level, step = self.plan, self.plan.levels[t], self.step
        others = [m for m in range(plan.agents) if m not in (i, j)]
        model, rows = step.model(t), np.arange(len(level.joint))[some]
        q = step._joint(t, others, rows, "points")

        def centred(x: np.ndarray) -> np.ndarray:
            """(B, E, JA, ...) -> (B, E', A_i, A_j, rest, ...), both own axes centred."""
            y = x[:, some].reshape(x.shape[0], -1, *level.action_counts, *x.shape[3:])
            y = np.moveaxis(y, (2 + i, 2 + j), (2, 3))
            y = y.reshape(*y.shape[:4], -1, *x.shape[3:])
            y = y - y.mean(2, keepdims=True)
            return y - y.mean(3, keepdims=True)

        def spread(x: np.ndarray) -> np.ndarray:
            y = x[:, some].reshape(x.shape[0], -1, *level.action_counts)
            y = np.moveaxis(y, (2 + i, 2 + j), (2, 3))
            return y.reshape(*y.shape[:4], -1)

        value = np.einsum("beqm,beacm->beacq", q, centred(model.value))
        # the remainder, centred twice: coefficients (1 - 1/A)(1 - 1/A') on itself, and so on
        upper = value + np.einsum("beqm,beacm->beacq", q, _twice_centred(spread(model.high), spread(model.low)))
        lower = value + np.einsum("beqm,beacm->beacq", q, _twice_centred(spread(model.low), spread(model.high)))
        for (k, u), g in model.slope.items():
            moved = np.einsum("beqm,beacmdx->beacqdx", q, centred(g))
            index = plan.below(k, t, u)[some][:, None, None, None, :]
            upper = upper + support(step.box[k][u], index, moved, entropic=False).sum(-1)
            lower = lower - support(step.box[k][u], index, -moved, entropic=False).sum(-1)
        return lower.min(-1), upper.max(-1)


def _middle(q: np.ndarray, x: np.ndarray) -> np.ndarray:
    return np.einsum("beqm,beam->beaq", q, x)


def _twice_centred(own: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Largest value (own = upper, other = lower ends) of r - mean_a r - mean_b r + mean_ab r."""
    a, b = own.shape[2:4]
    row_other, column_other = other.sum(2, keepdims=True) - other, other.sum(3, keepdims=True) - other
    rest = own.sum((2, 3), keepdims=True) - own.sum(2, keepdims=True) - own.sum(3, keepdims=True) + own
    return (
        (1 - 1 / a) * (1 - 1 / b) * own - (1 - 1 / b) / a * row_other - (1 - 1 / a) / b * column_other + rest / (a * b)
    )


def _gather(values: np.ndarray, classes: np.ndarray, count: int) -> np.ndarray:
    """Sum the last axis by class: (..., E) -> (..., K)."""
    order = np.argsort(classes, kind="stable")
    starts = np.searchsorted(classes[order], np.arange(count))
    return np.add.reduceat(values[..., order], starts, axis=-1)


def approx_margin(form: Form, soft: bool = False, room: float = math.inf) -> tuple[np.ndarray, np.ndarray | None]:
    """(B,) largest m with (1 - m) diagonal - middle - radius positive semidefinite on tangent
    directions, up to rounding (-inf where the diagonal is not positive); with `soft` also (B, N),
    the size of each entry of the softest direction, in plain coordinates.

    The radius enters as the diagonal (R y)_k / y_k of a positive vector y (Collatz and Wielandt).
    `room` : bytes of temporary arrays.
    """
    margins, directions = np.empty(len(form.diagonal)), np.empty(form.diagonal.shape)
    for part in pieces(len(margins), 8.0 * _MATRICES * form.diagonal.shape[1] ** 2, room):
        parts = (form.diagonal[part], form.middle[part], form.radius[part])
        margins[part], direction = _margins(Form(*parts, form.block), soft)
        if direction is not None:
            directions[part] = direction
    return margins, directions if soft else None


def _margins(form: Form, soft: bool) -> tuple[np.ndarray, np.ndarray | None]:
    """`approx_margin` of some boxes side by side."""
    usable = (form.diagonal > 0).all(1) & np.isfinite(form.middle).all((1, 2)) & np.isfinite(form.radius).all((1, 2))
    diagonal = np.maximum(np.where(usable[:, None], form.diagonal, 1.0), 1e-12)
    scale = 1 / np.sqrt(diagonal)
    frame = scale[:, :, None] * scale[:, None, :]
    matrix = np.where(usable[:, None, None], form.middle, 0.0)
    matrix *= frame
    spread = np.where(usable[:, None, None], form.radius, 0.0)
    spread *= frame
    del frame
    y = np.ones(diagonal.shape)
    for _ in range(12):
        y = np.matmul(spread, y[..., None])[..., 0]
        y = (y + 1e-6 * y.max(1, keepdims=True) + 1e-30) / (y.max(1, keepdims=True) + 1e-30)
    index = np.arange(matrix.shape[1])
    matrix[:, index, index] += np.matmul(spread, y[..., None])[..., 0] / y
    del spread
    blocks = (form.block[:, None] == np.arange(form.block[-1] + 1)).astype(float)  # (N, blocks)
    normal = scale[:, :, None] * blocks
    normal = normal / np.linalg.norm(normal, axis=1, keepdims=True)
    tangent = normal @ normal.transpose(0, 2, 1)
    np.subtract(np.eye(matrix.shape[1]), tangent, out=tangent)
    matrix = tangent @ matrix
    matrix = matrix @ tangent
    del tangent
    if soft:
        values, vectors = np.linalg.eigh(matrix)
        direction = (np.abs(vectors[:, :, -1]) + 0.02) / scale
    else:
        values, direction = np.linalg.eigvalsh(matrix), None
    return np.where(usable, 1 - values[:, -1], -np.inf), direction
