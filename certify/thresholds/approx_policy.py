"""Stationary policies in floats: damped soft policy iteration on a tree (docs/theory/objective.md#stationary-policies).

Approximate throughout; used to steer searches and as starting points for proofs.
"""

from __future__ import annotations

import numpy as np

from certify.thresholds.index_tables import Plan

Policy = list[list[np.ndarray]]


def approx_soft_values(plan: Plan, policy: Policy, beta: float) -> Policy:
    """Q of docs/theory/objective.md#stationary-policies, multiplied by beta: `values[i][t]` is (K_i, A_i), nan at
    classes whose chance of being reached is too small for a float."""
    joint = [_joint_policy(plan, policy, t) for t in range(plan.horizon)]
    reach = [plan.initial]
    for t in range(plan.horizon - 1):
        level = plan.levels[t]
        flow = (reach[t][:, None] * joint[t])[..., None] * level.approx_probability
        reach.append(np.bincount(level.successor.ravel(), flow.ravel(), minlength=len(plan.levels[t + 1].joint)))
    values: Policy = [[None] * plan.horizon for _ in range(plan.agents)]
    after = None
    for t in reversed(range(plan.horizon)):
        level = plan.levels[t]
        u = beta * level.approx_reward + plan.tree.approx_tilt[t]
        if after is not None:
            u = u + plan.gamma * (level.approx_probability * after[level.successor]).sum(-1)
        for i in range(plan.agents):
            own = policy[i][t][level.joint[:, i]]
            weight = reach[t][:, None] * joint[t]
            mass = plan.split_actions(weight, i, t, 1) / np.maximum(own, 1e-300)[:, :, None]
            q = (mass * plan.split_actions(u, i, t, 1)).sum(-1)
            k = level.joint[:, i]
            total = np.bincount(k, reach[t], minlength=level.classes[i])
            sums = np.stack([np.bincount(k, q[:, a], minlength=level.classes[i]) for a in range(q.shape[1])], 1)
            values[i][t] = np.divide(sums, total[:, None], out=np.full(sums.shape, np.nan), where=total[:, None] > 0)
        if not plan.flows_back:
            after = (joint[t] * (u - plan.tree.approx_tilt[t])).sum(1)
            continue
        after = (joint[t] * u).sum(1)
        for i in range(plan.agents):
            p = policy[i][t]
            after = after - plan.weights[i] * (p * np.log(np.maximum(p, 1e-300))).sum(-1)[level.joint[:, i]]
    return values


def _joint_policy(plan: Plan, policy: Policy, t: int) -> np.ndarray:
    level = plan.levels[t]
    result = np.ones((len(level.joint), 1))
    for i in range(plan.agents):
        result = (result[:, :, None] * policy[i][t][level.joint[:, i]][:, None]).reshape(len(level.joint), -1)
    return result


def approx_stationary(
    plan: Plan,
    beta: float,
    start: Policy | None = None,
    *,
    damping: float = 0.5,
    tolerance: float = 1e-11,
    rounds: int = 4000,
) -> tuple[Policy, float]:
    """Iterate log pi <- (1 - damping) log pi + damping Q / w from `start` (default: uniform).

    Returns the last policy and its residual max |pi - softmax(Q / w)|, inf where policies have become so extreme that
    some class is not reached any more.
    """
    policy = plan.tree.uniform() if start is None else [[p.copy() for p in row] for row in start]
    residual = np.inf
    for _ in range(rounds):
        values = approx_soft_values(plan, policy, beta)
        if any(np.isnan(q).any() for row in values for q in row):  # it would be passed on to every other class
            return policy, np.inf
        residual = 0.0
        for i in range(plan.agents):
            for t in range(plan.horizon):
                target = softmax(values[i][t] / plan.weights[i])
                residual = max(residual, float(np.abs(target - policy[i][t]).max()))
                mixed = (1 - damping) * np.log(np.maximum(policy[i][t], 1e-300)) + damping * np.log(
                    np.maximum(target, 1e-300)
                )
                policy[i][t] = softmax(mixed)
        if residual < tolerance:
            break
    return policy, residual


def softmax(logits: np.ndarray) -> np.ndarray:
    """Along the last axis."""
    weight = np.exp(logits - logits.max(-1, keepdims=True))
    return weight / weight.sum(-1, keepdims=True)
