"""docs/theory/potential.md by numbers: lambda = 1/alpha whatever the weights, and independent learners."""

from fractions import Fraction as F
from math import exp

import numpy as np
import pytest

import certify
from certify.games import from_payoffs

GAMES = {
    "stag hunt, weights 1 and 4/5": [[[4, 0], [3, 3]], [[9, 6], [0, 2]]],
    "dilemma, weights 1": [[[2, 0], [3, 1]], [[2, 3], [0, 1]]],
    "3x2, weights 1 and 1/3": [[[2, 0], [1, 5], [4, 4]], [[6, 1], [-1, 12], [9, 10]]],
}


def response(payoff, other, lam):
    """Logit response of the row player of a matrix."""
    gains = [lam * sum(float(u) * p for u, p in zip(row, other, strict=True)) for row in payoff]
    weights = [exp(g - max(gains)) for g in gains]
    return [w / sum(weights) for w in weights]


def misfit(tables, policies, lams):
    """By how much the policies miss the logit equations at one lambda per player."""
    mine, other = policies
    columns = list(zip(*tables[1], strict=True))
    answers = (response(tables[0], other, lams[0]), response(columns, mine, lams[1]))
    return max(
        abs(a - p) for answer, row in zip(answers, policies, strict=True) for a, p in zip(answer, row, strict=True)
    )


@pytest.mark.parametrize("name", GAMES)
def test_one_lambda_for_all_players_and_no_weight_in_it(name):
    tables = GAMES[name]
    game = from_payoffs(tables)
    assert name.endswith(f"weights {' and '.join(str(w) for w in dict.fromkeys(game.weights))}")
    threshold = certify.threshold(game, method="structural")
    alpha = threshold.alpha_star * F(11, 10)
    optimum = certify.optimum(game, alpha, threshold=threshold)
    policies = [[float(p.lower) for p in optimum.policy[f"{agent}:"].values()] for agent in game.agents]
    lam = float(1 / alpha)
    assert misfit(tables, policies, (lam, lam)) < 1e-12
    if len(set(game.weights)) > 1:  # and it can fail: the weight in the temperature, or entropy weights of 1
        wrong = tuple(lam / float(w) for w in game.weights)
        assert misfit(tables, policies, wrong) > 1e-3


def test_independent_learners_of_any_rates_end_there():
    """Every player ascends its own payoff plus alpha times its own entropy; rates only change the way."""
    tables = GAMES["stag hunt, weights 1 and 4/5"]
    game = from_payoffs(tables)
    threshold = certify.threshold(game, method="structural")
    alpha = threshold.alpha_star
    optimum = certify.optimum(game, alpha, threshold=threshold)
    target = [[float(p.lower) for p in optimum.policy[f"{agent}:"].values()] for agent in game.agents]
    one, two = (np.array(t, dtype=float) for t in tables)
    for rates in ((1, 1), (1, 1 / 4), (1 / 4, 1)):
        for start in ((4, -4), (-4, 4)):
            logits = [np.array([s, -s], dtype=float) / 2 for s in start]
            for _ in range(2000):
                p, q = (np.exp(z) / np.exp(z).sum() for z in logits)
                for z, own, gains, rate in ((0, p, one @ q, rates[0]), (1, q, p @ two, rates[1])):
                    f = gains - float(alpha) * np.log(own)
                    logits[z] = logits[z] + 0.4 * rate * own * (f - own @ f)
            p, q = (np.exp(z) / np.exp(z).sum() for z in logits)
            assert np.abs(np.concatenate([p, q]) - np.concatenate(target)).max() < 1e-4
