"""The coupled form of a step for two agents, in floats: what the next depth adds to a difference of
values, with its bilinear remainder chosen together with the linear terms (docs/theory/continuation.md#covers;
docs/certificate-format.md, "The coupled form").

Bounding linear part and remainder apart lets one block of the other agent play two policies at once.
Here it is chosen once per class, and the own blocks against it, each with its share of its own slope.
"""

from __future__ import annotations

import numpy as np

from certify.memory import pieces
from certify.thresholds.approx_models import Models
from certify.thresholds.approx_support import ein, last_max, support, support_of_each
from certify.thresholds.room import room_of

_LARGEST_CASE = 2**15  # numbers per case beyond which the coupled form is left out
_TINY = 2.0**-40  # added to the width of every remainder: shares where none has any

Cases = tuple[np.ndarray, ...]  # (N,) each: box, class, node, ordered pair of own actions, vertex of the other's policy


class Coupled:
    """The coupled form at the nodes of (agent, t), where it applies; `place` is (agent, t, first class): classes of q,
    slopes and cases are counted from there."""

    def __init__(
        self, step: Models, place: tuple[int, int, int, bool], q: np.ndarray, slopes: dict[tuple[int, int], np.ndarray]
    ) -> None:
        self.step, self.q, self.slopes = step, q, slopes
        (agent, t, self.first, reply), plan = place, step.plan
        self.agent, self.t, self.size = agent, t, 0
        self.applies = plan.agents == 2 and t + 1 < plan.horizon
        if self.applies:
            self.change, self.joint = plan.successor_pairs(agent, t, reply)  # (K, M, P, AM, X, Y), (K, M, X, Y)
            own, theirs = step.box[agent][t + 1].points, step.box[1 - agent][t + 1].points
            self.size = self.joint.shape[2] * self.joint.shape[3] * theirs.shape[2] * own.shape[2] * own.shape[3]
            self.applies = self.size <= _LARGEST_CASE

    def extra(self, cases: Cases) -> np.ndarray:
        """(N,): bounds on sum_a q(a) [U(x, a, .) - U(x, b, .)] less its centred values."""
        found = np.empty(len(cases[0]))
        for part in pieces(len(found), 64.0 * self.size, room_of(self.step.plan).temporary):
            found[part] = self._extra(tuple(own[part] for own in cases))
        return found

    def _extra(self, cases: Cases) -> np.ndarray:
        step, plan, agent, other, t = self.step, self.step.plan, self.agent, 1 - self.agent, self.t
        box, k, m, pair, vertex = cases
        q = self.q[box, k, m, vertex]  # (N, AM)
        moved = {key: ein("na,nadx->ndx", q, g[box, k, m, pair]) for key, g in self.slopes.items()}
        k = k + self.first
        joint = self.joint[k, m]  # (N, X, Y)
        mine = plan.descendants[agent][t][t + 1][k]  # (N, X)
        rows = plan.path(agent, t)[t].rows
        yours = np.maximum(plan.below(other, t, t + 1)[rows][k, m], 0)  # (N, Y)
        weight = ein("na,naxy->nxy", q, self.change[k, m, pair])
        after, model = step.collapsed(t + 1), step.model(t + 1)
        own, theirs = step.box[agent][t + 1], step.box[other][t + 1]
        shift = theirs.shift[box[:, None], yours]  # (N, Y, V, AM)
        table = plan.split_actions(model.value, agent, t + 1, 2)[box[:, None, None], joint]  # (N, X, Y, A, AM)
        width = (after.high - after.low)[box[:, None, None], joint]
        strength = np.abs(weight) * (width + _TINY)
        share = strength / np.maximum(strength.sum(-1, keepdims=True), 1e-300)
        g = moved.pop((agent, t + 1))  # (N, X, A + 1)
        slope = np.empty((*share.shape, shift.shape[2], g.shape[2]))  # (N, X, Y, V, A + 1)
        slope[...] = (share[..., None] * g[:, :, None])[:, :, :, None]
        slope[..., :-1] += np.matmul(shift[:, None], np.swapaxes(weight[..., None, None] * table, -1, -2))
        each = slope.reshape(*slope.shape[:2], -1, slope.shape[-1])
        total = support_of_each(own, (box[:, None], np.maximum(mine, 0)), each, entropic=True).sum(1)
        total = total.reshape(*yours.shape, -1)  # (N, Y, V)
        if after.beyond is not None:
            high, low = (part[box[:, None, None], joint] for part in after.beyond[other])  # (N, X, Y, V)
            total += (np.maximum(weight, 0)[..., None] * high - np.maximum(-weight, 0)[..., None] * low).sum(1)
        g = moved.pop((other, t + 1))  # (N, Y, A + 1)
        total += ein("nyvm,nym->nyv", shift, g[..., :-1])
        total += np.maximum(-g[..., -1], 0)[..., None] * theirs.divergence[box[:, None], yours]
        result = last_max(total).sum(-1)
        for (j, u), g in moved.items():
            below = plan.descendants[agent][t][u][k] if j == agent else plan.below(j, t, u)[rows][k, m]
            result += support(step.box[j][u], below, g, entropic=True, rows=box).sum(-1)
        return result
