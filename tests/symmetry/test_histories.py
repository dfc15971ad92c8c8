"""The action on histories and policies: J is invariant, groups act, equivariance, fixed subspaces."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from symmetry_games import shared_game

from certify.bounds.evaluate import evaluate
from certify.bounds.policy import PolicyBox, layout_of
from certify.errors import InputError
from certify.games import builtin
from certify.games.tree import unroll
from certify.symmetry import read_map, symmetries
from certify.symmetry.histories import act, entry_permutation, fixed_subspace, is_equivariant

GAMES = [("dectiger", 3), ("recycling", 2), ("lewis:3", None), ("two-stage-lever", None), ("match:3x3x3", None)]


def random_policy(tree, seed: int):
    rng = np.random.default_rng(seed)
    return [[rng.dirichlet(np.ones(p.shape[1]), size=len(p)) for p in row] for row in tree.uniform()]


def trees():
    for name, horizon in GAMES:
        for cluster in (False, True):
            yield pytest.param(
                unroll(builtin(name, horizon), cluster=cluster), id=f"{name}-{'merged' * cluster or 'raw'}"
            )


@pytest.mark.parametrize("tree", list(trees()))
def test_j_return_and_entropy_are_invariant(tree) -> None:
    policy = random_policy(tree, 1)
    here = evaluate(tree, policy, Fraction(3, 2))
    for g in symmetries(tree.game).generators:
        there = evaluate(tree, act(tree, g, policy), Fraction(3, 2))
        for name in ("value", "reward", "entropy"):
            a, b = getattr(here, name), getattr(there, name)
            assert a.lower <= b.upper and b.lower <= a.upper and b.width < 1e-9


def test_a_map_that_is_no_symmetry_changes_j() -> None:
    """Falsification: the invariance test can fail."""
    tree = unroll(builtin("climbing"), cluster=False)
    swap = read_map(tree.game, {"agents": [1, 0]})
    policy = [[np.array([[0.2, 0.7, 0.1]])], [np.array([[0.1, 0.1, 0.8]])]]
    assert (
        evaluate(tree, act(tree, swap, policy), 1).reward.lower > evaluate(tree, policy, 1).reward.upper
        or evaluate(tree, act(tree, swap, policy), 1).reward.upper < evaluate(tree, policy, 1).reward.lower
    )


@pytest.mark.parametrize("tree", list(trees()))
def test_the_group_acts(tree) -> None:
    group = symmetries(tree.game)
    generators = group.generators
    for g in generators:
        for k in generators:
            composed = entry_permutation(tree, g.after(k))
            assert np.array_equal(composed, entry_permutation(tree, g)[entry_permutation(tree, k)])
        back = entry_permutation(tree, g.inverse())
        assert np.array_equal(back[entry_permutation(tree, g)], np.arange(layout_of(tree).size))


@pytest.mark.parametrize("tree", list(trees()))
def test_fixed_subspace_by_averaging(tree) -> None:
    """The dimension is the rank of the average over the group, a projection on the fixed logits."""
    group = symmetries(tree.game)
    space = fixed_subspace(tree, group.generators)
    images = [entry_permutation(tree, g) for g in group.elements()]
    average = sum(np.eye(layout_of(tree).size)[image] for image in images) / len(images)
    assert round(float(np.trace(average))) == space.logits == len(np.unique(space.entry_orbit))
    assert 0 <= space.parameters <= space.all_parameters


def test_dimensions_of_lever_games() -> None:
    tree = unroll(builtin("lever:10:9/10"))
    space = fixed_subspace(tree, symmetries(tree.game).generators)
    assert (space.logits, space.parameters, space.all_parameters) == (2, 1, 18)


def test_equivariance_three_answers() -> None:
    tree = unroll(builtin("dectiger", 2), cluster=False)
    group = symmetries(tree.game)
    policy = random_policy(tree, 3)
    refuted = is_equivariant(tree, group.generators, policy)
    assert refuted.status == "refuted" and refuted.aoh.startswith("agent") and refuted.values[0] != refuted.values[1]
    exact = [[np.full(p.shape, Fraction(1, 3), dtype=object) for p in row] for row in tree.uniform()]
    assert is_equivariant(tree, group.generators, exact).status == "proved"
    wide = PolicyBox(
        [[p - Fraction(1, 10) for p in row] for row in exact], [[p + Fraction(1, 10) for p in row] for row in exact]
    )
    assert is_equivariant(tree, group.generators, wide).status == "undecided"
    narrow = PolicyBox(*([[np.array(p + d, dtype=object) for p in row] for row in policy] for d in (-1e-9, 1e-9)))
    assert is_equivariant(tree, group.generators, narrow).status == "refuted"
    assert is_equivariant(tree, group.generators, act(tree, group.generators[0], narrow)).status == "refuted"


def test_door_flip_and_agent_swap_on_named_histories() -> None:
    tree = unroll(builtin("dectiger", 2), cluster=False)
    policy = tree.uniform()
    policy[0][0][0] = [0.5, 0.3, 0.2]
    flip = read_map(tree.game, {"states": [1, 0], "actions": [[0, 2, 1]] * 2, "observations": [[1, 0]] * 2})
    swap = read_map(tree.game, {"agents": [1, 0]})
    assert act(tree, flip, policy)[0][0][0].tolist() == [0.5, 0.2, 0.3]
    assert act(tree, swap, policy)[1][0][0].tolist() == [0.5, 0.3, 0.2]


def test_maps_that_do_not_act_on_histories_are_refused() -> None:
    tree = unroll(builtin("lewis:3"), cluster=False)
    group = symmetries(tree.game)
    wrong = group.generators[0]
    actions = tuple(tuple(reversed(row)) for row in wrong.actions)
    with pytest.raises(InputError, match="does not carry histories"):
        entry_permutation(tree, type(wrong)(wrong.agents, wrong.states, actions, wrong.observations))


def test_larger_tree() -> None:
    tree = unroll(shared_game("Grid3x3corners"), cluster=True)
    generators = symmetries(tree.game).generators
    assert fixed_subspace(tree, generators).parameters < fixed_subspace(tree, []).parameters
