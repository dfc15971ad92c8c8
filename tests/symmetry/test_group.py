"""Orders, completeness and generators, against brute force, known orders and relabelled copies."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from random_games import random_game
from symmetry_certificates import two_cycles
from symmetry_games import all_maps, apply_map, random_map, same_tables, shared_game

from certify.certificates.symmetry import certificate
from certify.checker import check_certificate
from certify.errors import InputError, Undecided
from certify.games import builtin
from certify.games.model import Game, restrict_to_reachable
from certify.games.oneshot import one_shot
from certify.symmetry import is_symmetry, symmetries
from certify.symmetry.search import find_chain
from certify.symmetry.structure import Structure


@pytest.mark.parametrize(
    "name, order",
    [
        ("dectiger", 4),
        ("Grid3x3corners", 4),
        ("fireFighting_2_3_3", 4),
        ("2generals", 2),
        ("recycling", 2),
        ("relay4", 2),
        ("GridSmall", 2),
        ("Mars", 2),
        ("broadcastChannel", 1),
        ("boxPushingUAI07", 1),
    ],
)
def test_orders_of_the_benchmark_files(name: str, order: int) -> None:
    group = symmetries(shared_game(name))
    assert (group.order, group.complete) == (order, True)


@pytest.mark.parametrize(
    "name, order",
    [
        ("lever:10:9/10", 2 * math.factorial(9)),
        ("lever:98", 2 * math.factorial(98)),
        ("lever:2", 4),
        ("match:3x3x3", 36),
        ("two-stage-lever", 4),
        ("matching-pennies", 4),
        ("climbing", 1),
        ("penalty:-3", 4),
    ],
)
def test_orders_of_built_ins(name: str, order: int) -> None:
    group = symmetries(builtin(name))
    assert (group.order, group.complete) == (order, True)


def small_games():
    for seed in range(12):
        rng = np.random.default_rng(seed)
        yield random_game(rng, agents=2, horizon=2, actions=2, observations=2, states=2)
    for seed in range(30):  # payoffs from few values: symmetries are frequent
        rng = np.random.default_rng(1000 + seed)
        shape = (3, 3) if seed % 2 else (2, 2, 2)
        payoff = {index: int(rng.integers(0, 2)) for index in np.ndindex(*shape)}
        yield one_shot("small", [[str(k) for k in range(size)] for size in shape], payoff)


@pytest.mark.parametrize("game", list(small_games()))
def test_order_agrees_with_brute_force(game) -> None:
    game = restrict_to_reachable(game)
    expected = {m.key for m in all_maps(game) if same_tables(apply_map(game, m), game)}
    group = symmetries(game)
    assert group.order == len(expected) and group.complete
    assert {g.key for g in group.elements()} == expected


@pytest.mark.parametrize("seed", range(6))
def test_brute_force_and_comparison_agree_map_by_map(seed: int) -> None:
    rng = np.random.default_rng(seed)
    payoff = {index: int(rng.integers(0, 2)) for index in np.ndindex(3, 3)}
    game = one_shot("small", ["abc", "abc"], payoff)
    for mapping in all_maps(game):
        assert is_symmetry(game, mapping) == same_tables(apply_map(game, mapping), game)


@pytest.mark.parametrize("name", ["dectiger", "lever:6:9/10", "match:3x3x3", "recycling", "lewis:3"])
def test_a_relabelled_game_has_a_conjugate_group(name: str) -> None:
    game = restrict_to_reachable(builtin(name))
    mapping = random_map(np.random.default_rng(5), game)
    first, second = symmetries(game), symmetries(apply_map(game, mapping))
    assert first.order == second.order and first.state_only_order == second.state_only_order
    for g in first.generators:
        assert is_symmetry(second.game, mapping.after(g).after(mapping.inverse()))


def test_agents_of_different_weight_are_not_exchanged() -> None:
    game = builtin("lever:3")
    assert symmetries(replace(game, weights=(Fraction(1), Fraction(2)))).order == 6
    assert symmetries(game).order == 12


def test_action_sets_restrict_the_group() -> None:
    game = replace(builtin("two-stage-lever"), available=(((0, 1), (0,)), ((0, 1), (0, 1))))
    full, less = symmetries(builtin("two-stage-lever")), symmetries(game)
    assert full.order == 4 and less.order == 1


def test_states_that_move_alone_are_counted_apart() -> None:
    third = Fraction(1, 3)
    game = one_shot("twins", ["ab", "ab"], {})
    game = replace(
        game,
        states=("x", "y", "z"),
        start=tuple((s, (), third) for s in range(3)),
        reward={(s, (0, 0)): Fraction(1) for s in range(3)},
    )
    group = symmetries(game)
    assert (group.order, group.state_only_order) == (2, 6)


def test_unreachable_states_count_only_when_asked() -> None:
    game = one_shot("lost", ["ab", "ab"], {(0, 0): 1, (1, 1): 1})
    game = replace(game, states=("s", "lost"), reward=dict(game.reward) | {(1, (0, 0)): Fraction(7)})
    assert symmetries(game).order == 4
    assert symmetries(game, states="all").order == 2
    with pytest.raises(InputError, match="reachable or all"):
        symmetries(game, states="some")


def test_orbits() -> None:
    group = symmetries(builtin("lever:4:9/10"))
    assert group.orbits["agents"] == ((0, 1),)
    assert sorted(map(len, group.orbits["actions"])) == [2, 6]


def test_a_search_cut_short_says_so() -> None:
    game = one_shot("cycle", [[str(k) for k in range(7)]] * 2, {(k, (k + 1) % 7): 1 for k in range(7)})
    full = symmetries(game)
    cut = symmetries(game, max_nodes=1)
    assert full.complete and full.status == "proved"
    assert not cut.complete and cut.status == "undecided" and cut.order <= full.order
    with pytest.raises(Undecided):
        list(full.elements(limit=3))


def test_false_seeds_are_refused() -> None:
    structure = Structure(builtin("climbing"))
    wrong = np.arange(structure.number_of_points)
    wrong[[2, 3]] = wrong[[3, 2]]
    assert len(find_chain(structure, seeds=[wrong]).generators) == 0


def two_strongly_regular_graphs() -> Game:
    """Two vertices of one graph win 1 where adjacent, 2 where equal: the 4x4 rook's graph beside the
    Shrikhande graph, which have the same parameters (16, 6, 2, 2)."""
    cells = [(x, y) for x in range(4) for y in range(4)]
    steps = {(1, 0), (3, 0), (0, 1), (0, 3), (1, 1), (3, 3)}
    payoff = {}
    for j, (x, y) in enumerate(cells):
        payoff[j, j] = payoff[16 + j, 16 + j] = 2
        for k, (u, v) in enumerate(cells):
            if j != k and (x == u or y == v):
                payoff[j, k] = 1
            if ((u - x) % 4, (v - y) % 4) in steps:
                payoff[16 + j, 16 + k] = 1
    return one_shot("graphs", [[str(k) for k in range(32)]] * 2, payoff)


def test_where_one_individualisation_is_not_enough() -> None:
    group = symmetries(two_strongly_regular_graphs())
    assert (group.order, group.complete) == (1152 * 192 * 2, True)
    result = check_certificate(certificate(group))
    assert result.valid, result


def test_where_refinement_is_blind_the_search_decides() -> None:
    game = two_cycles()
    structure = Structure(game)
    colours, _ = structure.refine(structure.initial())
    actions = colours[structure.action_offset[0] : structure.observation_offset[0]]
    assert len(np.unique(actions)) == 1
    group = symmetries(game)
    # dihedral groups of order 8 and 16; either both exchange the agents or none does
    assert (group.order, group.complete) == (8 * 16 // 2, True)
    assert sorted(map(len, group.orbits["actions"])) == [4, 8]


def test_without_verification_the_order_would_be_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    """Falsification: the tests above can fail."""
    game = two_cycles()
    monkeypatch.setattr(Structure, "is_automorphism", lambda self, image: True)
    structure = Structure(game)
    maps = [structure.to_map(image) for image in find_chain(structure).generators]
    assert not all(is_symmetry(game, mapping) for mapping in maps)
