"""J_alpha, its derivatives' ingredients and reach straight from the game: every trajectory in turn.

Shares nothing with the tree or the bounds: dictionaries over histories, floats or Fractions.
Used on raw trees only to match AOHs with classes.
"""

from __future__ import annotations

import itertools
from fractions import Fraction

import mpmath

from certify.games.tree import Tree


def aoh_classes(tree: Tree) -> list[dict[tuple, tuple[int, int]]]:
    """Per agent: AOH -> (depth, class), an AOH being (initial observation, ((action, observation), ...))."""
    found = []
    for i in range(tree.number_of_agents):
        table = {}
        initial = any(o for _, o, _ in tree.game.start)
        for o, k in enumerate(tree.initial_child[i]):
            if k >= 0:
                table[(o if initial else None, ())] = (0, int(k))
        frontier = list(table.items())
        for t, level in enumerate(tree.levels[:-1]):
            following = []
            for (first, steps), (_, k) in frontier:
                for a, o in itertools.product(*map(range, level.child[i].shape[1:])):
                    child = level.child[i][k, a, o]
                    if child >= 0:
                        following.append(((first, (*steps, (a, o))), (t + 1, int(child))))
            table.update(following)
            frontier = following
        found.append(table)
    return found


def trajectories(tree: Tree):
    """(chance probability, per step (classes of all agents, local actions, reward)) of every
    trajectory that chance allows."""
    game, n = tree.game, tree.number_of_agents
    classes = aoh_classes(tree)

    def extend(state, histories, t):
        where = tuple(classes[i][histories[i]][1] for i in range(n))
        for local in itertools.product(*(range(len(game.actions_at(i, t))) for i in range(n))):
            joint = tuple(game.actions_at(i, t)[a] for i, a in enumerate(local))
            step = (where, local, game.reward.get((state, joint), Fraction(0)))
            if t + 1 == game.horizon:
                yield Fraction(1), (step,)
                continue
            for following, p in game.transition[state, joint]:
                for o, q in game.emission[joint, following]:
                    longer = tuple((first, (*steps, (local[i], o[i]))) for i, (first, steps) in enumerate(histories))
                    for r, rest in extend(following, longer, t + 1):
                        yield p * q * r, (step, *rest)

    for state, o, p in game.start:
        start = tuple((o[i] if o else None, ()) for i in range(n))
        for q, steps in extend(state, start, 0):
            yield p * q, steps


def objective(tree: Tree, policy, alpha: Fraction, paths=None):
    """(J_alpha, return, entropy term) at 60 digits, as mpmath numbers."""
    game = tree.game
    with mpmath.workdps(60):

        def number(v):
            v = Fraction(v)
            return mpmath.mpf(v.numerator) / v.denominator

        p = [[[[number(v) for v in row] for row in table] for table in tables] for tables in policy]
        gains = [number(game.discount**t) for t in range(game.horizon)]
        reward = entropy = mpmath.mpf(0)
        for chance, steps in paths if paths is not None else trajectories(tree):
            weight, gain, bonus = number(chance), mpmath.mpf(0), mpmath.mpf(0)
            for t, (where, local, r) in enumerate(steps):
                gain += gains[t] * number(r)
                for i, (k, a) in enumerate(zip(where, local, strict=True)):
                    weight *= p[i][t][k][a]
                    bonus -= gains[t] * number(game.weights[i]) * mpmath.log(p[i][t][k][a])
            reward += weight * gain
            entropy += weight * bonus
        return reward + number(alpha) * entropy, reward, entropy
