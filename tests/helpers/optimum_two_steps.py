"""The optimal deterministic return of a two-agent game at horizon 2, by enumeration: an oracle
that shares nothing with the library but the `Game` tables."""

import itertools

import numpy as np


def optimum_two_steps(game):
    """Maximum over all deterministic joint policies, as a float (discount included)."""
    n1, n2 = map(len, game.actions)
    m1, m2 = map(len, game.observations)
    reward = np.zeros((len(game.states), n1, n2))
    for (s, (a, b)), r in game.reward.items():
        reward[s, a, b] = float(r)
    best = -np.inf
    for a in itertools.product(range(n1), range(n2)):
        now = sum(float(p) * reward[s][a] for s, _, p in game.start)
        belief = np.zeros((m1, m2, len(game.states)))
        for s, _, p in game.start:
            for s2, q in game.transition[s, a]:
                for (o1, o2), e in game.emission[a, s2]:
                    belief[o1, o2, s2] += float(p * q * e)
        later = float(game.discount) * np.einsum("xys,sab->xyab", belief, reward)
        for rule in itertools.product(range(n1), repeat=m1):
            given = later[np.arange(m1), :, list(rule), :].sum(axis=0)  # [o2, a2]
            best = max(best, now + given.max(axis=1).sum())
    return best
