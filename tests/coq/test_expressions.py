"""The mirror of Coq's normal form keeps values: every step against a direct evaluation, in exact arithmetic."""

from __future__ import annotations

import random
from fractions import Fraction

import pytest

from certify.coq import expressions as ex
from certify.coq.model import TooLargeError, equations, unroll
from certify.errors import InputError
from certify.games import builtin

GAMES = ["lever:2", "lever:3", "climbing", "match:2x3x2", "two-stage-lever", "dectiger", "recycling", "tiny-hanabi:E"]


def random_policy(sizes, rng):
    rows = []
    for size in sizes:
        row = [Fraction(rng.randint(1, 9)) for _ in range(size)]
        rows.append([p / sum(row) for p in row])
    return rows


def value(e, policy, entropies, payoff=Fraction(1)):
    """The value of an expression; entropies are free numbers, since every step is linear in them."""
    if e[0] == "c":
        return payoff * e[1]
    if e[0] == "e":
        return e[1] * entropies[e[2]]
    if e[0] == "+":
        return value(e[1], policy, entropies, payoff) + value(e[2], policy, entropies, payoff)
    return sum(policy[e[1]][k] * value(f, policy, entropies, payoff) for k, f in enumerate(e[2]))


@pytest.mark.parametrize("name", GAMES)
def test_the_equations_are_the_differences_of_the_tree(name):
    tree, rng = unroll(builtin(name)), random.Random(1)
    system = equations(tree)
    policy = random_policy(tree.sizes, rng)
    entropies = [Fraction(rng.randint(0, 9), 7) if size > 1 else Fraction(0) for size in tree.sizes]
    for x in range(len(tree.points)):
        own = Fraction(1)
        for y, k in tree.hints[x][0]:
            own *= policy[y][k]
        weight = value(ex.entropy_coefficient(x, tree.value), policy, entropies)
        assert own * value(system.denominators[x], policy, entropies) == weight > 0
        gains = [value(ex.deviation(x, a, tree.value), policy, entropies) for a in range(tree.sizes[x])]
        for (a, b), e in system.numerators[x].items():
            assert own * value(e, policy, entropies) == gains[a] - gains[b]


def test_the_tree_of_dec_tiger_has_its_value():
    """J of always listening and of opening at once, counted by hand: -2 a step; -101 or 9, then reset."""
    tree = unroll(builtin("dectiger"))
    listen = [[Fraction(k == 0) for k in range(size)] for size in tree.sizes]
    assert value(tree.value, listen, [Fraction(0)] * len(tree.sizes)) == -4
    open_left = [[Fraction(k == 1) for k in range(size)] for size in tree.sizes]
    assert value(tree.value, open_left, [Fraction(0)] * len(tree.sizes)) == 2 * (Fraction(-50) + 20) / 2


def test_a_wrong_normal_form_is_seen():
    """The comparison bites: a dropped term changes the value."""
    tree = unroll(builtin("climbing"))
    e = equations(tree).numerators[0][0, 1]
    policy, entropies = random_policy(tree.sizes, random.Random(2)), [Fraction(0)] * 2
    broken = ("a", e[1], (*e[2][:-1], ex.ZERO))
    assert value(e, policy, entropies) != value(broken, policy, entropies)


def test_large_games_are_refused_before_they_are_unrolled():
    with pytest.raises(TooLargeError, match="leaves"):
        unroll(builtin("dectiger", horizon=6))


def test_games_without_a_name_for_coq_are_no_trouble():
    from certify.coq.writing import _comment

    assert "*)" not in _comment('evil *) Axiom cheat : False. (* "')
    assert issubclass(InputError, Exception)
