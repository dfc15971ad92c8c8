"""Stationary policies in compiled loops: what `approx_policy.approx_stationary` does with arrays."""

from __future__ import annotations

from math import exp, log
from typing import NamedTuple

import numpy as np

from certify.thresholds.compiled.compiler import borrower, compiled, nested
from certify.thresholds.compiled.definite import forward
from certify.thresholds.compiled.models import product_of
from certify.thresholds.compiled.step import kept_for
from certify.thresholds.compiled.tables import (
    AGENTS,
    CLASSES,
    COLUMNS,
    COUNTS,
    FIRST,
    FLOW,
    HORIZON,
    JA,
    JOINT,
    LEVEL,
    LOWER,
    REWARD,
    SPLIT,
    SPLIT_AT,
    START,
    SUCCESSOR,
    TILT,
    E,
    S,
)
from certify.thresholds.index_tables import Plan

Policy = list[list[np.ndarray]]  # as in `approx_policy`
_LEAST = 1e-300
_borrowed = borrower()


class _Work(NamedTuple):
    """Room.  policy, values : (entries,).  total : (blocks,) how often each is reached.  reach, after : (joint classes
    of all depths,) and at : (h + 1,) where those of a depth begin.  u, c : (joint actions,)."""

    policy: np.ndarray
    values: np.ndarray
    total: np.ndarray
    reach: np.ndarray
    after: np.ndarray
    at: np.ndarray
    u: np.ndarray
    c: np.ndarray


@compiled
def iterate(tables, work, limits):
    """Replaces `work.policy`; its last residual.  limits : beta, damping, tolerance, rounds."""
    tables, work = _borrowed(tables), _borrowed(work)
    beta, damping, tolerance, rounds = limits
    residual = np.inf
    for _ in range(rounds):
        _reach(tables, work)
        _values(tables, work, beta)
        for block in range(len(work.total)):
            if not work.total[block] > 0:
                return np.inf
        residual = _move(tables, work, damping)
        if residual < tolerance:
            break
    return residual


@nested
def _reach(tables, work):
    numbers, reals, at = tables.numbers, tables.reals, work.at
    work.reach[:] = 0.0
    for e in range(numbers[numbers[LEVEL] + E]):
        work.reach[e] = reals[numbers[AGENTS] + e]
    for t in range(numbers[HORIZON] - 1):
        level = numbers[LEVEL] + t * COLUMNS
        c = work.c[: numbers[level + JA]]
        for e in range(numbers[level + E]):
            product_of(tables, work.policy, (t, e, LOWER), -1, c)
            forward(tables, (t, e), work.reach[at[t] + e], c, work.reach[at[t + 1] :])


@nested
def _values(tables, work, beta):
    """Values of all actions times `total` into `work.values`."""
    numbers, links, reals = tables
    n, h, policy = numbers[AGENTS], numbers[HORIZON], work.policy
    work.values[:], work.total[:] = 0.0, 0.0
    for t in range(h - 1, -1, -1):
        level = numbers[LEVEL] + t * COLUMNS
        joint_actions, successors = numbers[level + JA], numbers[level + S]
        u, c = work.u, work.c[:joint_actions]
        for e in range(numbers[level + E]):
            weight = work.reach[work.at[t] + e]
            for a in range(joint_actions):
                cell = e * joint_actions + a
                u[a] = beta * reals[numbers[level + REWARD] + cell] + reals[numbers[level + TILT] + cell]
                if t + 1 == h:
                    continue
                for s in range(cell * successors, (cell + 1) * successors):
                    below = work.at[t + 1] + links[numbers[level + SUCCESSOR] + s]
                    u[a] += reals[numbers[level + FLOW] + s] * work.after[below]
            product_of(tables, policy, (t, e, LOWER), -1, c)
            value = 0.0
            for a in range(joint_actions):
                value += c[a] * u[a]
            for i in range(n):
                block, count = links[numbers[level + JOINT] + e * n + i], numbers[numbers[COUNTS] + i * h + t]
                start, others = numbers[numbers[START] + block], joint_actions // count
                split = numbers[SPLIT] + numbers[numbers[SPLIT_AT] + i * h + t]
                product_of(tables, policy, (t, e, LOWER), i, c[:others])
                work.total[block] += weight
                for a in range(count):
                    p, mean = policy[start + a], 0.0
                    for m in range(others):
                        mean += c[m] * u[numbers[split + a * others + m]]
                    work.values[start + a] += weight * mean * (p / max(p, _LEAST))
                    value -= reals[i] * p * log(max(p, _LEAST))
            work.after[work.at[t] + e] = value


@nested
def _move(tables, work, damping):
    """One damped step; how far policies are from where they are drawn to."""
    numbers, n, h, residual = tables.numbers, tables.numbers[AGENTS], tables.numbers[HORIZON], 0.0
    for i in range(n):
        for t in range(h):
            count, first = numbers[numbers[COUNTS] + i * h + t], numbers[numbers[FIRST] + i * h + t]
            for block in range(first, first + numbers[numbers[CLASSES] + i * h + t]):
                start = numbers[numbers[START] + block]
                policy, values = work.policy[start : start + count], work.values[start : start + count]
                for a in range(count):
                    values[a] /= work.total[block] * tables.reals[i]
                _softmax(values)
                for a in range(count):
                    residual = max(residual, abs(values[a] - policy[a]))
                    old, new = log(max(policy[a], _LEAST)), log(max(values[a], _LEAST))
                    policy[a] = (1 - damping) * old + damping * new
                _softmax(policy)
    return residual


@nested
def _softmax(x):
    largest, total = -np.inf, 0.0
    for a in range(len(x)):
        largest = max(largest, x[a])
    for a in range(len(x)):
        x[a] = exp(x[a] - largest)
        total += x[a]
    for a in range(len(x)):
        x[a] /= total


def approx_stationary(
    plan: Plan, beta: float, start: Policy, *, damping: float = 0.5, tolerance: float = 1e-11, rounds: int = 4000
) -> tuple[Policy, float]:
    """`approx_policy.approx_stationary`, from the policy `start`."""
    kept, depths = kept_for(plan), range(plan.horizon)
    policy = np.concatenate([row[t].ravel() for t in depths for row in start])
    classes = int(kept.at[-1])
    actions = max(level.approx_reward.shape[1] for level in plan.levels)
    values, total = np.zeros(len(policy)), np.zeros(int(kept.block[-1]) + 1)
    reach, after, u, c = (np.zeros(size) for size in (classes, classes, actions, actions))
    work = _Work(policy, values, total, reach, after, kept.at, u, c)
    residual = float(iterate(kept.tables, work, (beta, damping, tolerance, rounds)))
    found: Policy = [[] for _ in start]
    at = 0
    for t in depths:
        for row, given in zip(found, start, strict=True):
            row.append(policy[at : at + given[t].size].reshape(given[t].shape))
            at += given[t].size
    return found, residual
