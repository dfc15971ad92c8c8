"""First-order models of the values of a game over boxes of policies, in floats
(docs/theory/localisation.md#boxes-from-log-ratios, docs/theory/continuation.md#covers; docs/certificate-format.md,
"The step rule").  Everything here is approximate.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from certify.memory import pieces
from certify.thresholds.approx_support import FEW, Block, Pinned, ein, greedy_maximum, support
from certify.thresholds.index_tables import Plan
from certify.thresholds.room import room_of, vertex_bytes


@dataclass
class Model:
    """First-order model of U_t(e, a) (or of V_t(e)) over a batch of boxes.

    U is the reward to go, entropies (and what the reference pays) included where they flow back.
    U = value + sum_y slope_y . (delta_y, -KL_y) + a remainder in [low, high], y over later blocks.
    value, low, high : (B, E, JA) (V: (B, E)); slope[j, u] : (B, E, JA, D, A + 1) (V: without JA),
    D over `plan.below(j, t, u)`.  beyond[j] (V of two agents, None at the last depth): (high, low),
    each (B, E, Q_j), of the part of the remainder that is not bilinear in the policies at t, for
    every vertex of agent j's, over the other agent's.
    """

    value: np.ndarray
    slope: dict[tuple[int, int], np.ndarray]
    low: np.ndarray
    high: np.ndarray
    beyond: list[tuple[np.ndarray, np.ndarray]] | None = None


class Models:
    """The models of a batch of boxes at fixed beta, worked out backwards as they are asked for.

    box[i][t] : `Block`; beta : (B,) (docs/theory/objective.md#temperatures-as-beta: everything is multiplied by beta).
    """

    def __init__(self, plan: Plan, box: list[list[Block]], beta: np.ndarray) -> None:
        self.plan, self.box, self.beta = plan, box, beta
        self._models: dict[int, Model] = {}
        self._collapsed: dict[int, Model] = {}
        self._pinned: dict[int, Models] = {}

    def pinned(self, agent: int) -> Models:
        """The models over the policies of the boxes in which this agent plays its centres
        (docs/theory/localisation.md#replies)."""
        if agent not in self._pinned:
            box = [[Pinned(x) for x in row] if i == agent else list(row) for i, row in enumerate(self.box)]
            self._pinned[agent] = Models(self.plan, box, self.beta)
        return self._pinned[agent]

    def replace(self, agent: int, t: int, block: Block) -> None:
        """Use another box for one agent's policies at one depth; models it does not touch are kept."""
        self.box[agent][t] = block
        self._collapsed = {u: m for u, m in self._collapsed.items() if u > t}
        self._models = {u: m for u, m in self._models.items() if u >= t}
        for i, models in self._pinned.items():
            models.replace(agent, t, Pinned(block) if i == agent else block)

    def _joint(self, t: int, agents: list[int], rows: np.ndarray, of: str) -> np.ndarray:
        """Products over `agents` of "centre", "lower" or "upper" ends (B, ..., A) or of "points", the
        vertices (B, ..., Q, A); joint actions (and vertices) flattened."""
        classes = self.plan.levels[t].joint[rows]
        result = None
        for j in agents:
            part = getattr(self.box[j][t], of)[:, classes[..., j]]
            if result is None:
                result = part
            elif of != "points":
                result = ein("...a,...b->...ab", result, part).reshape(*part.shape[:-1], -1)
            else:
                q = result.shape[-2] * part.shape[-2]
                result = ein("...pa,...qb->...pqab", result, part).reshape(*part.shape[:-2], q, -1)
        if result is None:  # a single agent: the others have one empty action
            shape = (len(self.beta), *rows.shape) + ((1, 1) if of == "points" else (1,))
            result = np.ones(shape)
        return result

    def model(self, t: int) -> Model:
        """The model of U_t."""
        if t not in self._models:
            level, plan = self.plan.levels[t], self.plan
            reward = self.beta[:, None, None] * level.approx_reward
            if plan.flows_back:
                reward = reward + plan.tree.approx_tilt[t]
            if t == plan.horizon - 1:
                zero = np.zeros_like(reward)
                self._models[t] = Model(reward, {}, zero, zero)
            else:
                after = self.collapsed(t + 1)
                flow = plan.gamma * level.approx_probability

                def total(x):
                    return (flow * x[:, level.successor]).sum(-1)

                slope = {key: self._pull(t, key, g, flow) for key, g in after.slope.items()}
                self._models[t] = Model(reward + total(after.value), slope, total(after.low), total(after.high))
        return self._models[t]

    def _pull(self, t: int, key: tuple[int, int], slope: np.ndarray, flow: np.ndarray) -> np.ndarray:
        link, successor = self.plan.link(key[0], t, key[1]), self.plan.levels[t].successor
        result = 0.0
        for s in range(successor.shape[-1]):
            picked = slope[:, successor[:, :, s, None], np.maximum(link[:, :, s], 0)]
            result = result + (flow[:, :, s, None] * (link[:, :, s] >= 0))[..., None] * picked
        return result

    def collapsed(self, t: int) -> Model:
        """The model of V_t."""
        if t not in self._collapsed:
            self._collapsed[t] = self._collapse(t)
        return self._collapsed[t]

    def remainder_of_difference(self, agent: int, t: int, rows: np.ndarray) -> np.ndarray:
        """(B, *rows, P, AM): the largest remainder of U(e, (a, .)) - U(e, (b, .)) at joint classes e, the remainder of
        a joint class that both actions can lead to being the same in both."""
        after = self.collapsed(t + 1)
        where, change = (table[rows] for table in self.plan.pair_successors(agent, t))
        return (np.maximum(change, 0) * after.high[:, where] + np.minimum(change, 0) * after.low[:, where]).sum(-1)

    def _collapse(self, t: int) -> Model:
        """The model of V_t(e) = sum_a prod pi_i(a_i) U_t(e, a) + sum_i w_i H(pi_i), entropies only where they flow
        back."""
        plan, level = self.plan, self.plan.levels[t]
        model = self.model(t)
        everyone = list(range(plan.agents))
        rows = np.arange(len(level.joint))
        c = self._joint(t, everyone, rows, "centre")
        value = (c * model.value).sum(-1)
        slope: dict[tuple[int, int], np.ndarray] = {}
        if plan.agents == 2 and not model.slope and max(level.action_counts) > FEW:
            return self._bilinear(t, value)
        gradients = [self._gradient(t, i) for i in everyone]
        for i in everyone:
            slope[i, t], entropy = self._own_slope(t, i, gradients[i])
            value = value + entropy
        for key, g in model.slope.items():
            slope[key] = ein("bea,beadx->bedx", c, g)
        sizes = [self.box[i][t].points.shape[-2] for i in everyone]
        shape = (len(self.beta), len(rows))
        low, high = np.empty(shape), np.empty(shape)
        beyond = [(np.empty((*shape, q)), np.empty((*shape, q))) for q in sizes]
        for part in pieces(len(rows), len(self.beta) * vertex_bytes(plan, t), room_of(plan).temporary):
            lows, highs, rise = self._remainders(t, part, gradients, slope)
            low[:, part], high[:, part] = lows.min(-1), highs.max(-1)
            if plan.agents == 2 and model.slope:
                above, below = ((x - rise).reshape(*rise.shape[:2], *sizes) for x in (highs, lows))
                for j, (most, least) in enumerate(beyond):
                    most[:, part], least[:, part] = above.max(3 - j), below.min(3 - j)
        return Model(value, slope, low, high, beyond if plan.agents == 2 and model.slope else None)

    def _remainders(
        self, t: int, part: slice, gradients: list[np.ndarray], slope: dict[tuple[int, int], np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(B, E', Q) bounds of the remainder of V at every vertex of the policies at t, and what of them is bilinear in
        those, for some joint classes."""
        level, model, everyone = self.plan.levels[t], self.model(t), list(range(self.plan.agents))
        rows = np.arange(len(level.joint))[part]
        q, c = (self._joint(t, everyone, rows, of) for of in ("points", "centre"))
        rise = ein("beqa,bea->beq", q, model.value[:, part])
        rise = rise - (c * model.value[:, part]).sum(-1)[:, :, None]
        sizes = [self.box[i][t].points.shape[-2] for i in everyone]
        for i in everyone:
            linear = ein("beqa,bea->beq", self.box[i][t].shift[:, level.joint[rows, i]], gradients[i][:, part])
            spread = linear.reshape(*linear.shape[:2], *(-1 if j == i else 1 for j in everyone))
            rise = rise - np.broadcast_to(spread, (*linear.shape[:2], *sizes)).reshape(rise.shape)
        high = rise + ein("beqa,bea->beq", q, model.high[:, part])
        low = rise + ein("beqa,bea->beq", q, model.low[:, part])
        for (j, u), g in model.slope.items():
            moved = ein("beqa,beadx->beqdx", q, g[:, part]) - slope[j, u][:, part][:, :, None]
            index = self.plan.below(j, t, u)[part][:, None, :]
            high = high + support(self.box[j][u], index, moved, entropic=False).sum(-1)
            low = low - support(self.box[j][u], index, -moved, entropic=False).sum(-1)
        return low, high, rise

    def _gradient(self, t: int, i: int) -> np.ndarray:
        """(B, E, A): the mean of U over the others' centres, for every action of agent i."""
        rows = np.arange(len(self.plan.levels[t].joint))
        others = self._joint(t, self.plan.others(i), rows, "centre")
        return ein("beam,bem->bea", self.plan.split_actions(self.model(t).value, i, t, 2), others)

    def _own_slope(self, t: int, i: int, gradient: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The slope of V in agent i's own block at t, and what the entropy of its centre adds."""
        block, k = self.box[i][t], self.plan.levels[t].joint[:, i]
        weight = self.plan.weights[i] if self.plan.flows_back else 0.0
        parts = [gradient - weight * block.log_centre[:, k], np.full((*gradient.shape[:2], 1), weight)]
        return np.concatenate(parts, -1)[:, :, None, :], weight * block.entropy[:, k]

    def _bilinear(self, t: int, value: np.ndarray) -> Model:
        """The model of V_t of two agents where nothing follows: the remainder is bilinear, so that one policy is a
        vertex and the other is filled up in the order of what it earns against it."""
        plan, level = self.plan, self.plan.levels[t]
        (first, second), (k, m) = (self.box[i][t] for i in (0, 1)), level.joint.T
        slope = {}
        for i in (0, 1):
            slope[i, t], entropy = self._own_slope(t, i, self._gradient(t, i))
            value = value + entropy
        against = ein("beqa,beam->beqm", first.shift[:, k], plan.split_actions(self.model(t).value, 0, t, 2))
        lower, upper = second.lower[:, m][:, :, None], second.upper[:, m][:, :, None]
        middle = ein("beqm,bem->beq", against, second.centre[:, m])
        high = (greedy_maximum(lower, upper, against)[0] - middle).max(-1)
        low = (-greedy_maximum(lower, upper, -against)[0] - middle).min(-1)
        return Model(value, slope, low, high)
