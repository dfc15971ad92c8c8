"""Re-derives the clustered process from the game, in exact rationals (format, section 4.1).

Histories of one agent that have proportional chance weights of everything the others may have seen
are merged; stationary policies of the game are those of the process that is left
(docs/theory/localisation.md#lossless-clustering).
"""

import itertools
from dataclasses import dataclass
from fractions import Fraction

from certify.checker.reading.envelope import Failed

MAX_CHILDREN = 2_000_000  # joint children of one depth
MAX_WEIGHTS = 4_000_000  # entries of all weights of one depth


@dataclass(frozen=True)
class Process:
    """A Markov process over joint classes, depth by depth; every number a `Fraction`.

    actions[t][i]         number of actions of agent i at depth t
    joint_actions[t]      tuples of action numbers 0 .. actions[t][i] - 1, first agent most significant
    classes[t][i]         number of classes of agent i at depth t
    joint[t]              joint classes (k_1, .., k_n) of positive probability, sorted
    start                 probability of each joint class of depth 0
    reward[t][e][a]       E[R | e, a];  e indexes joint[t], a indexes joint_actions[t]
    following[t][e][a]    tuple of (index into joint[t + 1], probability); for t < horizon - 1
    predecessor[t][i][k]  (class, action) at depth t - 1 of the first child in class k; for t > 0
    children[t][i]        (class at t - 1, action, observation) -> class; at depth 0 (0, 0, observation)
    """

    name: str
    agents: int
    horizon: int
    discount: Fraction
    weights: tuple
    actions: tuple
    joint_actions: tuple
    classes: tuple
    joint: tuple
    start: tuple
    reward: tuple
    following: tuple
    predecessor: tuple
    children: tuple


def build_process(game, clustering=True):
    """The clustered process of a `Game`; with `clustering` false every history is its own class."""
    n = game.agents
    actions = tuple(tuple(len(sets[t]) for sets in game.actions) for t in range(game.horizon))
    numbered = tuple(tuple(itertools.product(*map(range, counts))) for counts in actions)
    layer = _first_layer(game)
    classes, joint, reward, following, predecessor, children = [], [], [], [], [()], []
    for t in range(game.horizon):
        cluster = _merge(layer, n, clustering)
        weights = _class_weights(layer, cluster, n)
        members, beliefs = _joint_classes(layer, cluster)
        index = {e: k for k, e in enumerate(members)}
        if t == 0:
            start = [Fraction(0)] * len(members)
            for child, p, _ in layer.joint_children:
                start[index[tuple(cluster[i][x] for i, x in enumerate(child))]] += p
        else:
            following.append(_transitions(layer, cluster, index, len(joint[-1]), len(numbered[t - 1])))
            predecessor.append(tuple(tuple(_first_members(layer.children[i], cluster[i])) for i in range(n)))
        children.append(tuple(dict(zip(layer.children[i], cluster[i])) for i in range(n)))
        classes.append(tuple(max(c) + 1 for c in cluster))
        joint.append(tuple(members))
        global_actions = game.joint_actions(t)
        reward.append(
            tuple(
                tuple(sum((p * game.reward.get((s, a), 0) for s, p in belief), Fraction(0)) for a in global_actions)
                for belief in beliefs
            )
        )
        if t + 1 < game.horizon:
            layer = _next_layer(game, global_actions, numbered[t], members, beliefs, weights)
    return Process(
        game.name,
        n,
        game.horizon,
        game.discount,
        game.weights,
        actions,
        numbered,
        tuple(classes),
        tuple(joint),
        tuple(start),
        tuple(reward),
        tuple(following),
        tuple(predecessor),
        tuple(children),
    )


class _Layer:
    """The children of one depth before merging.

    children[i]      list of (class, action, observation), sorted; a child is its index here
    joint_children   list of (child of every agent, probability, belief); after depth 0 the
                     probability is that of the step, and `origin` lists (joint class, action)
    weights[i][x]    list of (path, children of the other agents, belief number, weight)
    """

    def __init__(self, children, joint_children, origin, weights):
        self.children, self.joint_children, self.origin, self.weights = children, joint_children, origin, weights


def _first_layer(game):
    n = game.agents
    chance = {}
    for s, o, p in game.start:
        chance.setdefault(o or (0,) * n, {})[s] = p
    children = [sorted({o[i] for o in chance}) for i in range(n)]
    index = [{o: x for x, o in enumerate(row)} for row in children]
    joint_children = []
    weights = [[[] for _ in row] for row in children]
    numbers = {}
    for o, states in sorted(chance.items()):
        total = sum(states.values())
        belief = tuple(sorted((s, p / total) for s, p in states.items()))
        child = tuple(index[i][o[i]] for i in range(n))
        joint_children.append((child, total, belief))
        number = numbers.setdefault(belief, len(numbers))
        for i in range(n):
            weights[i][child[i]].append((0, child[:i] + child[i + 1 :], number, total))
    return _Layer([[(0, 0, o) for o in row] for row in children], joint_children, None, weights)


def _next_layer(game, global_actions, numbered, members, beliefs, class_weights):
    """Children one depth further: `class_weights[i][k]` maps (path, others' classes) to a weight."""
    n = game.agents
    outcomes = {}  # (belief, action number) -> [(joint observation, probability, next belief)]

    def step(belief, a):
        if (belief, a) not in outcomes:
            chance = {}
            for s, p in belief:
                for s2, q in game.transition[s, global_actions[a]]:
                    for o, r in game.emission[global_actions[a], s2]:
                        states = chance.setdefault(o, {})
                        states[s2] = states.get(s2, 0) + p * q * r
            row = []
            for o, states in sorted(chance.items()):
                total = sum(states.values())
                row.append((o, total, tuple(sorted((s, p / total) for s, p in states.items()))))
            outcomes[belief, a] = row
        return outcomes[belief, a]

    if len(beliefs) * len(numbered) > MAX_CHILDREN:
        raise Failed("the process has more joint histories at one depth than this checker reads", part="game")
    count = sum(len(step(belief, a)) for belief in beliefs for a in range(len(numbered)))
    if count > MAX_CHILDREN:
        raise Failed(f"the process has {count} joint histories at one depth, more than this checker reads", part="game")
    triples = [set() for _ in range(n)]
    for e, belief in zip(members, beliefs):
        for a, local in enumerate(numbered):
            for o, _, _ in step(belief, a):
                for i in range(n):
                    triples[i].add((e[i], local[i], o[i]))
    children = [sorted(found) for found in triples]
    index = [{triple: x for x, triple in enumerate(row)} for row in children]
    joint_children, origin = [], []
    for number, (e, belief) in enumerate(zip(members, beliefs)):
        for a, local in enumerate(numbered):
            for o, p, after in step(belief, a):
                joint_children.append((tuple(index[i][e[i], local[i], o[i]] for i in range(n)), p, after))
                origin.append((number, a))
    weights = _child_weights(n, numbered, members, beliefs, class_weights, children, index, step)
    return _Layer(children, joint_children, origin, weights)


def _child_weights(n, numbered, members, beliefs, class_weights, children, index, step):
    """omega of every child: chance weights of the others' paths, children and the belief."""
    belief_at = dict(zip(members, beliefs))
    paths, numbers = {}, {}
    weights = [[[] for _ in row] for row in children]
    entries = 0
    for i in range(n):
        for k, known in enumerate(class_weights[i]):
            for (path, others), weight in known.items():
                e = others[:i] + (k,) + others[i:]
                for a, local in enumerate(numbered):
                    further = local[:i] + local[i + 1 :]
                    # the path so far, the others' classes at it, and what they do there
                    there = paths.setdefault((i, path, others, further), len(paths))
                    for o, p, after in step(belief_at[e], a):
                        child = tuple(index[j][e[j], local[j], o[j]] for j in range(n))
                        number = numbers.setdefault(after, len(numbers))
                        weights[i][child[i]].append((there, child[:i] + child[i + 1 :], number, weight * p))
                        entries += 1
                if entries > MAX_WEIGHTS:
                    raise Failed("the weights of the histories are more than this checker holds", part="game")
    return weights


def _merge(layer, n, clustering):
    """Class numbers per agent and child, by first appearance; rounds until nothing merges."""
    cluster = [list(range(len(row))) for row in layer.children]
    merged = clustering
    while merged:
        merged = False
        for i in range(n):
            known, numbers = {}, []
            for weights in layer.weights[i]:
                numbers.append(known.setdefault(_signature(weights, cluster, i), len(known)))
            if numbers != cluster[i]:
                cluster[i], merged = numbers, True
    return cluster


def _aggregate(weights, cluster, i):
    """Weights with the other agents' children replaced by their current classes."""
    others = cluster[:i] + cluster[i + 1 :]
    found = {}
    for path, children, belief, weight in weights:
        key = (path, tuple(c[x] for c, x in zip(others, children)), belief)
        found[key] = found.get(key, 0) + weight
    return found


def _signature(weights, cluster, i):
    found = _aggregate(weights, cluster, i)
    total = sum(found.values())
    return frozenset((key, weight / total) for key, weight in found.items())


def _class_weights(layer, cluster, n):
    """Per agent and class the weights of its first child, by (path, others' classes)."""
    result = []
    for i in range(n):
        first = []
        for x, k in enumerate(cluster[i]):
            if k == len(first):
                first.append(
                    {
                        (path, others): weight
                        for (path, others, _), weight in _aggregate(layer.weights[i][x], cluster, i).items()
                    }
                )
        result.append(first)
    return result


def _joint_classes(layer, cluster):
    """Joint classes, sorted, and the belief of each (the same for all histories in it)."""
    beliefs = {}
    for child, _, belief in layer.joint_children:
        e = tuple(cluster[i][x] for i, x in enumerate(child))
        if beliefs.setdefault(e, belief) != belief:
            raise Failed("histories of one joint class have different beliefs", part="game")
    members = sorted(beliefs)
    return members, [beliefs[e] for e in members]


def _transitions(layer, cluster, index, parents, joint_actions):
    table = [[{} for _ in range(joint_actions)] for _ in range(parents)]
    for (child, p, _), (parent, a) in zip(layer.joint_children, layer.origin):
        to = index[tuple(cluster[i][x] for i, x in enumerate(child))]
        row = table[parent][a]
        row[to] = row.get(to, 0) + p
    return tuple(tuple(tuple(sorted(row.items())) for row in rows) for rows in table)


def _first_members(children, cluster):
    """(class, action) of the first child of every class."""
    for x, k in enumerate(cluster):
        if k not in cluster[:x]:
            yield children[x][:2]
