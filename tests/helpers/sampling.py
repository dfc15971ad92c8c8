"""Random small games in canonical form, random boxes and random policies in them, and values of the
clustered process in floats: what bounds of the checker are tested against."""

import itertools
import random
from fractions import Fraction

import numpy as np

from certify.checker.numbers.fixed_point import ONE
from certify.checker.plain.box import Block, Box
from certify.checker.reading.game import read_game
from certify.checker.reading.process import build_process


def random_game(seed, agents=2, horizon=2, actions=2, states=2, observations=2, initial=False):
    """A Dec-POMDP with random rational numbers, weights and a discount."""
    rng = random.Random(seed)

    def distribution(targets):
        parts = [rng.randrange(1, 6) for _ in targets]
        return [[to, str(Fraction(p, sum(parts)))] for to, p in zip(targets, parts, strict=True)]

    joint_actions = [list(a) for a in itertools.product(range(actions), repeat=agents)]
    joint_observations = [list(o) for o in itertools.product(range(observations), repeat=agents)]
    starts = [(s, o) for s in range(states) for o in (joint_observations if initial else [[]])]
    return {
        "format": "certify-game",
        "version": 1,
        "name": f"random-{seed}",
        "agents": [f"agent{i}" for i in range(agents)],
        "weights": [str(Fraction(rng.randrange(2, 6), 3)) for _ in range(agents)],
        "horizon": horizon,
        "discount": rng.choice(["1", "9/10", "1/2"]),
        "states": [f"s{k}" for k in range(states)],
        "actions": [[f"a{k}" for k in range(actions)]] * agents,
        "observations": [[f"o{k}" for k in range(observations)]] * agents,
        "available": None,
        "start": [[s, o, p] for (s, o), (_, p) in zip(starts, distribution(range(len(starts))), strict=True)],
        "transition": [[s, a, distribution(range(states))] for s in range(states) for a in joint_actions],
        "emission": [[a, s, distribution(joint_observations)] for a in joint_actions for s in range(states)],
        "reward": [[s, a, str(Fraction(rng.randrange(-20, 21), 4))] for s in range(states) for a in joint_actions],
    }


def random_process(seed, clustering=True, **sizes):
    return build_process(read_game(random_game(seed, **sizes)), clustering)


def random_box(process, rng, width=0.4):
    """A box around a random policy, on a coarse grid."""
    grid = 1 << 10
    layers = []
    for t in range(process.horizon):
        layer = []
        for count, classes in zip(process.actions[t], process.classes[t], strict=True):
            blocks = []
            for _ in range(classes):
                middle = rng.dirichlet(np.full(count, 3.0)) * 0.9 + 0.1 / count
                size = rng.uniform(0, width, count)
                low = np.floor(np.maximum(middle - size / 2, 0.01) * grid).astype(int)
                high = np.ceil(np.minimum(middle + size / 2, 1) * grid).astype(int)
                blocks.append(
                    Block(
                        [int(x) * (ONE // grid) for x in low] if count > 1 else [ONE],
                        [int(x) * (ONE // grid) for x in high] if count > 1 else [ONE],
                    )
                )
            layer.append(tuple(blocks))
        layers.append(tuple(layer))
    return Box(tuple(layers))


def random_policy(box, rng):
    """policy[t][i][k]: a distribution in the box, often one of its vertices."""

    def pick(block):
        vertices = np.array([[x / ONE for x in v] for v in block.vertices])
        if rng.random() < 0.5:
            return np.maximum(vertices[rng.integers(len(vertices))], 1e-12)
        return rng.dirichlet(np.full(len(vertices), 0.3)) @ vertices

    return [[[pick(block) for block in blocks] for blocks in layer] for layer in box.layers]


def entropy(p):
    return -float(np.sum(p * np.log(p)))


def values(process, policy, beta):
    """(U, V): U[t][e][a] and V[t][e] in floats, straight from the definition."""
    n, gamma = process.agents, float(process.discount)
    U, V = [None] * process.horizon, [None] * process.horizon
    for t in range(process.horizon - 1, -1, -1):
        U[t], V[t] = [], []
        for e, classes in enumerate(process.joint[t]):
            row = []
            for a in range(len(process.joint_actions[t])):
                value = float(beta * process.reward[t][e][a])
                if t + 1 < process.horizon:
                    value += gamma * sum(float(p) * V[t + 1][to] for to, p in process.following[t][e][a])
                row.append(value)
            U[t].append(row)
            own = [policy[t][i][k] for i, k in enumerate(classes)]
            mean = sum(
                u * np.prod([own[i][a[i]] for i in range(n)])
                for u, a in zip(row, process.joint_actions[t], strict=True)
            )
            V[t].append(mean + sum(float(w) * entropy(p) for w, p in zip(process.weights, own, strict=True)))
    return U, V


def objective(process, policy, beta):
    """beta J of the process."""
    return sum(float(p) * v for p, v in zip(process.start, values(process, policy, beta)[1][0], strict=True))


def reach(process, policy):
    """Probabilities of the joint classes, per depth."""
    found = [[float(p) for p in process.start]]
    for t in range(process.horizon - 1):
        later = [0.0] * len(process.joint[t + 1])
        for e, classes in enumerate(process.joint[t]):
            for number, a in enumerate(process.joint_actions[t]):
                weight = found[t][e] * np.prod([policy[t][i][k][a[i]] for i, k in enumerate(classes)])
                for to, p in process.following[t][e][number]:
                    later[to] += weight * float(p)
        found.append(later)
    return found


def action_values(process, policy, beta, agent, depth, k, known=None):
    """Q(k, .) of formula (1): values given the class, by reach probabilities of the whole process.

    `known` = (values(..)[0], reach(..)) saves computing them again.
    """
    U, weights = known or (values(process, policy, beta)[0], reach(process, policy))
    found = np.zeros(process.actions[depth][agent])
    mass = 0.0
    for e, classes in enumerate(process.joint[depth]):
        if classes[agent] != k:
            continue
        mass += weights[depth][e]
        for number, a in enumerate(process.joint_actions[depth]):
            others = np.prod([policy[depth][i][c][a[i]] for i, c in enumerate(classes) if i != agent])
            found[a[agent]] += weights[depth][e] * others * U[depth][e][number]
    return found / mass
