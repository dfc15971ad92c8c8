"""The local entropy bonus is another vector field, exact against float64 and arb."""

from fractions import Fraction

import numpy as np
import pytest
from random_policies import random_policy, small_trees

from certify.bounds import PolicyBox, evaluate, exact_evaluate, layout_of, local_bonus_field, local_bonus_q
from certify.errors import InputError
from certify.games.builtin import builtin
from certify.games.tree import unroll


def test_field_and_q_contain_the_exact_ones():
    rng = np.random.default_rng(0)
    for tree in small_trees(71, 27):
        policy, alpha = random_policy(tree, rng), Fraction(int(rng.integers(1, 20)), 3)
        exact = exact_evaluate(tree, policy, alpha)
        field, q = local_bonus_field(tree, policy, alpha), local_bonus_q(tree, policy)
        assert q.contains(exact.q_reward)
        assert field.contains(exact.local_gradient.lower) and field.contains(exact.local_gradient.upper)
        assert field.width.max() < 1e-10


def test_it_is_the_gradient_in_one_shot_games_only():
    rng = np.random.default_rng(1)
    differ = 0
    for tree in small_trees(73, 27):
        policy = random_policy(tree, rng)
        local, full = local_bonus_field(tree, policy, 2), evaluate(tree, policy, 2).gradient
        apart = (local.lower > full.upper) | (full.lower > local.upper)
        if tree.horizon == 1:
            assert not apart.any()
        else:
            differ += apart.any()
    assert differ > 5


def test_the_field_vanishes_at_its_own_fixed_point():
    """One agent: backward, pi = softmax(Q^R / alpha) at the last step, then at the one before."""
    tree = unroll(builtin("dectiger", horizon=1))
    alpha = 30
    policy = tree.uniform()
    for _ in range(400):
        q = local_bonus_q(tree, policy)
        for i in range(2):
            z = np.exp(q[i, 0].lower / alpha - q[i, 0].lower.max() / alpha)
            policy[i][0] = z / z.sum(axis=1, keepdims=True)
    assert np.abs(local_bonus_field(tree, policy, alpha).upper).max() < 1e-10


def test_tiny_probabilities_are_left_to_arb():
    tree = unroll(builtin("lever:2"))
    tiny = Fraction(1, 2**700)
    policy = [[np.array([[tiny, 1 - tiny]], dtype=object)] for _ in range(2)]
    exact = exact_evaluate(tree, policy, 1, digits=3000)
    assert local_bonus_field(tree, policy, 1).contains(exact.local_gradient.lower)


def test_boxes_are_refused():
    tree = unroll(builtin("lever:2"))
    with pytest.raises(InputError, match="one policy"):
        local_bonus_field(tree, PolicyBox(tree.uniform(), tree.uniform()), 1)


def test_blocks_come_in_the_order_of_the_tree():
    tree = unroll(builtin("dectiger", horizon=2))
    layout = layout_of(tree)
    field = local_bonus_field(tree, tree.uniform(), 1)
    stacked = np.concatenate([field[block].lower.ravel() for block in tree.blocks])
    assert np.array_equal(stacked, field.lower) and len(stacked) == layout.size
