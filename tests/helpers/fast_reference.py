"""What the engine's bounds are measured against: plain evaluation of single policies on the process.

Float64 without bounds; no formula of the engine is used (visitation instead of lines, differences
of J instead of the Hessian's formula).  Policies are lists [depth][agent] of arrays (classes, actions).
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from random_games import random_games

from certify.checker.fast.box import GRID, BlockBox
from certify.checker.fast.engine import FastEngine
from certify.checker.reading.game import read_game
from certify.checker.reading.process import Process, build_process
from certify.games.canonical import game_to_json

Policy = list[list[np.ndarray]]


def processes(seed: int, count: int, entries: int = 260) -> list[Process]:
    """Clustered processes of random games (1 to 3 agents, 1 to 3 steps), the small ones."""
    found = (build_process(read_game(game_to_json(game))) for game in random_games(seed, count))
    return [p for p in found if max(len(joint) for joint in p.joint) * max(map(len, p.joint_actions)) <= entries]


def engine_for(process: Process) -> FastEngine:
    engine = FastEngine()
    engine.begin(process)
    return engine


def floats(betas: tuple[Fraction, ...]) -> np.ndarray:
    """Betas of one copy, as the engine's parts take them."""
    return np.array([[float(beta) for beta in betas]])


def bounds(
    engine: FastEngine, box, agent: int, depth: int, betas: tuple[Fraction, ...], ratio: np.ndarray, form: str
) -> np.ndarray:
    """Upper bounds of F for one box by one form of the rule."""
    return engine.copies(1).bounds(box, agent, depth, floats(betas), ratio, form)


def forms(engine: FastEngine, agent: int, depth: int) -> list[str]:
    """The forms of the rule that the engine tries there."""
    return engine.copies(1).forms(agent, depth)


DIRECT, REPLIES = ("sharing", "separate", "coupled"), ("replies",)  # forms that bound F, and F°


def least_ratios(
    engine: FastEngine,
    box,
    agent: int,
    depth: int,
    betas: tuple[Fraction, ...],
    width: float = 60.0,
    halvings: int = 34,
    among: tuple[str, ...] = DIRECT + REPLIES,
) -> np.ndarray:
    """The smallest w_i M_ab in [-width, width] that the engine verifies, by forms `among` those of the rule, (classes,
    ordered pairs): F <= 0 at every beta, each by any form, or F° <= 0 at all of them."""
    names = [form for form in forms(engine, agent, depth) if form in among]
    d = engine._layout.depths[depth]
    shape = (d.class_counts[agent], d.actions[agent] * (d.actions[agent] - 1))
    low, high = np.full(shape, -width), np.full(shape, width)
    for _ in range(halvings):
        middle = (low + high) / 2
        found = {form: bounds(engine, box, agent, depth, betas, middle, form) <= 0 for form in names}
        direct = [shown for form, shown in found.items() if form in DIRECT]
        replies = [shown.all(2) for form, shown in found.items() if form in REPLIES]
        holds = np.any([*replies, *([np.any(direct, axis=0).all(2)] if direct else [])], axis=0)
        low, high = np.where(holds, low, middle), np.where(holds, middle, high)
    return high


def random_policy(rng: np.random.Generator, process: Process, spread: float = 1.0) -> Policy:
    """Dirichlet policies, nearer to uniform for a small `spread`."""
    return [
        [rng.dirichlet(np.full(actions, 1 / spread), size=count) for actions, count in zip(*sizes, strict=True)]
        for sizes in zip(process.actions, process.classes, strict=True)
    ]


def box_around(policy: Policy, radius: float):
    """A grid box that holds the policy, at most `radius` to each side (the whole space for radius 1)."""
    return tuple(
        tuple(
            BlockBox(
                np.maximum(np.floor((pi - radius) * GRID) / GRID, 0),
                np.minimum(np.ceil((pi + radius) * GRID) / GRID, 1),
            )
            for pi in depth
        )
        for depth in policy
    )


def sample(rng: np.random.Generator, box) -> Policy:
    """A policy in the box: a random mixture of few vertices, often at the boundary."""
    chosen = []
    for depth in box:
        row = []
        for block in depth:
            v = block.vertices
            weights = rng.dirichlet(np.full(v.shape[1], 0.2), size=len(v))
            row.append(np.einsum("kv,kva->ka", weights, v))
        chosen.append(row)
    return chosen


def _joint(process: Process, policy: Policy, t: int, e: int) -> np.ndarray:
    """Probabilities of the joint actions at joint class e."""
    found = np.ones(1)
    for i, k in enumerate(process.joint[t][e]):
        found = np.multiply.outer(found, policy[t][i][k]).ravel()
    return found


def entropy(pi: np.ndarray) -> float:
    return -sum(p * np.log(p) for p in pi if p > 0)


def action_values(process: Process, policy: Policy, beta: float) -> list[np.ndarray]:
    """U_t(e, a) for every depth."""
    found: list[np.ndarray] = [np.zeros(0)] * process.horizon
    later = None
    for t in reversed(range(process.horizon)):
        U = beta * np.array([[float(r) for r in row] for row in process.reward[t]])
        if later is not None:
            U += float(process.discount) * np.array(
                [[sum(float(p) * later[to] for to, p in row) for row in rows] for rows in process.following[t]]
            )
        found[t] = U
        later = [
            U[e] @ _joint(process, policy, t, e)
            + sum(
                float(w) * entropy(policy[t][i][k])
                for i, (w, k) in enumerate(zip(process.weights, classes, strict=True))
            )
            for e, classes in enumerate(process.joint[t])
        ]
    return found


def visits(process: Process, policy: Policy) -> list[np.ndarray]:
    """The probability of every joint class, depth by depth."""
    found = [np.array([float(p) for p in process.start])]
    for t in range(process.horizon - 1):
        after = np.zeros(len(process.joint[t + 1]))
        for e, rows in enumerate(process.following[t]):
            for weight, row in zip(_joint(process, policy, t, e), rows, strict=True):
                for to, p in row:
                    after[to] += found[t][e] * weight * float(p)
        found.append(after)
    return found


def own_values(process: Process, policy: Policy, agent: int, t: int, beta: float) -> np.ndarray:
    """Q(k, a) of every class of an agent at depth t, NaN where k is not reached."""
    U, reach = action_values(process, policy, beta)[t], visits(process, policy)[t]
    total = np.zeros((process.classes[t][agent], process.actions[t][agent]))
    mass = np.zeros(len(total))
    for e, classes in enumerate(process.joint[t]):
        k = classes[agent]
        mass[k] += reach[e]
        others = [pi[c] for i, (pi, c) in enumerate(zip(policy[t], classes, strict=True)) if i != agent]
        table = np.moveaxis(U[e].reshape(process.actions[t]), agent, 0)
        for pi in reversed(others):
            table = table @ pi
        total[k] += reach[e] * table
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(mass[:, None] > 1e-12, total / mass[:, None], np.nan)


def with_centres(policy: Policy, box, agent: int, t: int) -> Policy:
    """The policy with the agent's rows at depths > t at the centres of the box."""
    return [
        [box[u][i].centre if i == agent and u > t else pi for i, pi in enumerate(row)] for u, row in enumerate(policy)
    ]


def gaps(process: Process, policy: Policy, box, agent: int, t: int, beta: float, way: tuple[str, ...]) -> np.ndarray:
    """Q(k, a) - Q(k, b), (classes, a, b), NaN where k is not reached; for `REPLIES` Q(k, a) - Q°(k, b), where the
    agent's later policies are the centres of the box."""
    first = second = own_values(process, policy, agent, t, beta)
    if way == REPLIES:
        second = own_values(process, with_centres(policy, box, agent, t), agent, t, beta)
    return first[:, :, None] - second[:, None]


def climbed(
    rng: np.random.Generator,
    process: Process,
    box,
    agent: int,
    t: int,
    k: int,
    a: int,
    b: int,
    beta: float,
    sweeps: int = 2,
    way: tuple[str, ...] = DIRECT,
) -> float:
    """A large value of Q(k, a) - Q(k, b), or of Q(k, a) - Q°(k, b), over the box: one class after another moves to the
    best of its vertices, a mixture of them, or stays."""
    policy = sample(rng, box)

    def value() -> float:
        found = float(gaps(process, policy, box, agent, t, beta, way)[k, a, b])
        return -np.inf if np.isnan(found) else found

    best = value()
    for _ in range(sweeps):
        for depth, row in enumerate(box):
            for i, block in enumerate(row):
                if block.actions == 1 or (i == agent and depth == t):
                    continue
                for klass in range(len(block.lower)):
                    kept = policy[depth][i][klass].copy()
                    v = np.unique(block.vertices[klass], axis=0)
                    for candidate in (*v, rng.dirichlet(np.ones(len(v))) @ v, 0.2 * kept + 0.8 * v.mean(0)):
                        policy[depth][i][klass] = candidate
                        found = value()
                        if found > best:
                            best, kept = found, candidate
                    policy[depth][i][klass] = kept
    return best


def objective(process: Process, policy: Policy, beta: float) -> float:
    """beta J (the entropies included)."""
    U = action_values(process, policy, beta)[0]
    return sum(
        float(b)
        * (
            U[e] @ _joint(process, policy, 0, e)
            + sum(
                float(w) * entropy(policy[0][i][k])
                for i, (w, k) in enumerate(zip(process.weights, classes, strict=True))
            )
        )
        for e, (b, classes) in enumerate(zip(process.start, process.joint[0], strict=True))
    )


def curvature(
    process: Process, policy: Policy, beta: float, modulus: float = 0.0, own: bool = False, step: float = 2e-4
) -> np.ndarray:
    """-D^2 (beta J) on tangent vectors (each block's last action left out) by central differences.

    Without `own` the entries between different classes of one agent are dropped; `modulus` lowers the
    diagonal part w gamma^t d(x) / pi.  Coordinates are scaled by the roots of that part.
    """
    names = [
        (t, i, k, a)
        for t, row in enumerate(process.actions)
        for i, actions in enumerate(row)
        if actions > 1
        for k in range(process.classes[t][i])
        for a in range(actions - 1)
    ]
    reach = visits(process, policy)
    size = len(names)

    def moved(*changes):
        copy = [[pi.copy() for pi in depth] for depth in policy]
        for (t, i, k, a), amount in changes:
            copy[t][i][k, a] += amount
            copy[t][i][k, -1] -= amount
        return objective(process, copy, beta)

    def mass(t, i, k):
        total = sum(r for r, classes in zip(reach[t], process.joint[t], strict=True) if classes[i] == k)
        return float(process.weights[i]) * float(process.discount) ** t * total

    found = np.zeros((size, size))
    for m, x in enumerate(names):
        for n, y in enumerate(names[: m + 1]):
            same_block, same_agent = x[:3] == y[:3], x[1] == y[1]
            if same_block:  # J is affine in a block up to its entropy
                t, i, k, _ = x
                pi = policy[t][i][k]
                value = mass(t, i, k) * ((x == y) / pi[x[3]] + 1 / pi[-1]) * (1 - modulus * beta)
            elif same_agent and (not own or x[0] == y[0]):
                value = 0.0
            else:
                corners = ((s, r, moved((x, s * step), (y, r * step))) for s in (1, -1) for r in (1, -1))
                value = -sum(s * r * J for s, r, J in corners) / (4 * step * step)
            found[m, n] = found[n, m] = value
    root = np.sqrt(np.diag(found))
    return found / root[:, None] / root[None]
