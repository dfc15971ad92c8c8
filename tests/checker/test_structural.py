"""Structural forms: known thresholds, the formulas of the format computed a second way, refusals."""

import itertools
import math
import random
from fractions import Fraction

import numpy as np
import pytest

from certify.checker.kinds.structural import (
    Shape,
    check_structural,
    one_step_sums,
    row_sums,
    semidefinite,
    shape_of_game,
    spectral_holds,
    spreads,
)
from certify.checker.reading.envelope import Failed
from certify.checker.reading.game import read_game
from certify.games import builtin
from certify.games.canonical import game_to_json

ONE_STEP = {
    "format": "certify-game",
    "version": 1,
    "horizon": 1,
    "discount": "1",
    "available": None,
    "transition": [],
    "emission": [],
}


def game(name, horizon=None, discount=None):
    return read_game(game_to_json(builtin(name, horizon, discount)))


def test_two_levers_at_exactly_one_half():
    lever = game("lever:2")
    for form, vector in (("one-step-rho", [["1"], ["1"]]), ("theorem-B", [["1"], ["1"]]), ("one-step-spectral", None)):
        proof = {"type": "structural", "form": form, **({"vector": vector} if vector else {})}
        assert check_structural(proof, Fraction(1, 2), [], lever) >= 1
        with pytest.raises(Failed):
            check_structural(proof, Fraction(1, 2) - Fraction(1, 10**30), [], lever)
    with pytest.raises(Failed):  # holds at stationary policies only, so equality does not do
        proof = {"type": "structural", "form": "theorem-D-prime", "vector": [["1"], ["1"]]}
        check_structural(proof, Fraction(1, 2), [], lever)


def test_dectiger_widths():
    """Best and worst return-to-go of Dec-Tiger: 20 and -101 a step."""
    assert shape_of_game(game("dectiger", 2)).widths == [242, 121]
    discounted = shape_of_game(game("dectiger", 3, "1/2"))
    assert discounted.widths == [121 * Fraction(7, 4), 121 * Fraction(3, 2), 121]


def test_row_sums_are_those_of_the_matrix():
    """(K y)_k / (alpha y_k) of the matrix of docs/theory/structural.md#theorem-b-form, in floats."""
    rng = random.Random(4)
    for cross_only in (False, True):
        actions = [[2, 3, 1], [4, 1, 2], [2, 2, 2]]
        weights, gamma, beta = (Fraction(1), Fraction(1, 2), Fraction(3)), Fraction(4, 5), Fraction(1, 7)
        widths = [Fraction(9), Fraction(5), Fraction(2)]
        shape = Shape(actions, weights, gamma, widths)
        c = np.zeros(3)
        for t in (2, 1, 0):
            c[t] = beta * widths[t] + sum(
                float(gamma) ** (u - t)
                * sum(
                    float(w) * min(math.log(actions[j][u]), (c[u] / float(w)) ** 2 / 8) for j, w in enumerate(weights)
                )
                for u in range(t + 1, 3)
            )
        assert [float(x) for x in spreads(shape, beta)] == pytest.approx(c)
        assert all(x >= y - 1e-15 for x, y in zip(spreads(shape, beta), c, strict=True))
        vector = [[Fraction(rng.randrange(1, 9), 4) for _ in range(3)] for _ in range(3)]
        keys = [(i, t) for i, t in itertools.product(range(3), range(3)) if actions[i][t] > 1]
        y = {k: float(vector[k[0]][k[1]]) * math.sqrt(float(weights[k[0]]) * float(gamma) ** k[1]) for k in keys}

        def entry(k, l):
            if k == l or (cross_only and k[0] == l[0]):
                return 0.0
            base = 0.5 * float(gamma) ** (abs(k[1] - l[1]) / 2) * c[max(k[1], l[1])]
            base /= math.sqrt(float(weights[k[0]] * weights[l[0]]))
            return base if cross_only or k[1] == l[1] else 2 * base

        for k, total in row_sums(shape, beta, vector, cross_only).items():
            assert float(total) == pytest.approx(sum(entry(k, l) * y[l] for l in keys) / y[k])


def test_interactions_of_a_bayesian_team_game():
    """E_ij by brute force over a, a', b, b' and the others' actions."""
    tables = {
        **ONE_STEP,
        "name": "team",
        "agents": ["x", "y", "z"],
        "weights": ["1", "2", "1/2"],
        "states": ["s", "t", "u"],
        "actions": [["a", "b"]] * 3,
        "observations": [["p", "q"]] * 3,
        "start": [[0, [0, 0, 1], "1/6"], [1, [0, 0, 1], "1/3"], [2, [1, 0, 0], "1/2"]],
        "reward": [
            [s, list(a), str(7 * s * a[0] - 3 * a[1] * a[2] + 5 * a[0] * a[1] * (s + 1) - 2 * a[2] * s * a[0])]
            for s in range(3)
            for a in itertools.product(range(2), repeat=3)
        ],
    }
    team = read_game(tables)
    vector = [[Fraction(1), Fraction(2)], [Fraction(3)], [Fraction(1), Fraction(1, 2)]]
    beta = Fraction(1, 10)
    chance = {(0, 0, 1): [(0, Fraction(1, 6)), (1, Fraction(1, 3))], (1, 0, 0): [(2, Fraction(1, 2))]}

    def u(o, a):
        return sum(p * team.reward.get((s, a), 0) for s, p in chance[o]) / sum(p for _, p in chance[o])

    for (i, oi), total in one_step_sums(team, beta, vector).items():
        expected = Fraction(0)
        for j in range(3):
            for oj in {o[j] for o in chance} if j != i else ():
                value = Fraction(0)
                for o in chance:
                    if (o[i], o[j]) == (oi, oj):
                        k = 3 - i - j
                        widest = max(
                            abs(
                                sum(
                                    sign * u(o, tuple({i: a, j: b, k: r}[m] for m in range(3)))
                                    for a, b, sign in ((a0, b0, 1), (a1, b0, -1), (a0, b1, -1), (a1, b1, 1))
                                )
                            )
                            for a0, a1, b0, b1, r in itertools.product(range(2), repeat=5)
                        )
                        value += sum(p for _, p in chance[o]) * widest
                marginal = sum(p for o in chance if o[i] == oi for _, p in chance[o])
                z = dict(zip(sorted({o[j] for o in chance}), vector[j], strict=True))
                own = dict(zip(sorted({o[i] for o in chance}), vector[i], strict=True))
                expected += beta * value * z[oj] / (4 * team.weights[i] * marginal * own[oi])
        assert total == expected


def test_spectral_form_against_singular_values():
    rng = np.random.default_rng(5)
    for _ in range(20):
        rows, columns = rng.integers(1, 5, 2)
        payoff = rng.integers(-9, 10, (rows, columns))
        tables = {
            **ONE_STEP,
            "name": "matrix",
            "agents": ["x", "y"],
            "weights": ["2", "1/3"],
            "states": ["s"],
            "actions": [[str(k) for k in range(count)] for count in (rows, columns)],
            "observations": [[], []],
            "start": [[0, [], "1"]],
            "reward": [[0, [a, b], str(payoff[a, b])] for a in range(rows) for b in range(columns)],
        }
        centred = payoff - payoff.mean(0) - payoff.mean(1)[:, None] + payoff.mean()
        level = np.linalg.norm(centred, 2) / (2 * math.sqrt(2 / 3))
        assert spectral_holds(read_game(tables), Fraction(level * 1.001 + 1e-9))
        assert level < 1e-9 or not spectral_holds(read_game(tables), Fraction(level * 0.999))


def test_semidefinite_by_elimination():
    rng = np.random.default_rng(6)
    for _ in range(30):
        root = rng.integers(-3, 4, (4, 2))
        gram = [[int(x) for x in row] for row in root @ root.T]
        assert semidefinite(gram)
        gram[3][3] -= 1
        assert semidefinite(gram) == (np.linalg.eigvalsh(np.array(gram, float))[0] > -1e-9)


def test_long_horizons_stay_exact_or_round_up():
    """At Hanabi's size digits would double at every step; the rounded values stay above."""
    shape = Shape([[20] * 80] * 2, (Fraction(1),) * 2, Fraction(1), [Fraction(25)] * 80)
    c = spreads(shape, Fraction(1, 1190))
    assert all(x >= y for x, y in itertools.pairwise(c)) and c[79] == Fraction(25, 1190)
    assert max(x.denominator.bit_length() for x in c) <= 4096
    floats = [0.0] * 80
    for t in range(79, -1, -1):
        floats[t] = 25 / 1190 + sum(2 * min(math.log(20), floats[u] ** 2 / 8) for u in range(t + 1, 80))
    assert [float(x) for x in c] == pytest.approx(floats)
