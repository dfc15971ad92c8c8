"""OpenSpiel's tabular policies become tables that earn what OpenSpiel says they earn, and come back unchanged."""

from __future__ import annotations

import itertools
from dataclasses import replace
from fractions import Fraction as F
from typing import Any

import numpy as np
import pytest

import certify
from certify.bounds.policy_table import as_policy
from certify.games.adapters import openspiel_policies
from certify.games.aoh import aoh_key
from certify.games.tree import unroll

HANABI = "hanabi(players=2,colors=1,ranks=2,hand_size=1,max_information_tokens=1,max_life_tokens=1)"
TWICE = "repeated_game(stage_game=matrix_coordination(),num_repetitions=2)"
GAMES = ["tiny_hanabi", "lewis_signaling", "trade_comm(num_items=2)", "matrix_coordination", HANABI]
PUSHING = "coop_box_pushing"


@pytest.fixture
def spiel() -> Any:
    return pytest.importorskip("pyspiel", reason="needs the extra openspiel")


def trained(game: Any, seed: int = 0) -> Any:
    """Another row at every text, zeros among them."""
    from open_spiel.python.policy import TabularPolicy

    policy, rng = TabularPolicy(game), np.random.default_rng(seed)
    rows = policy.action_probability_array
    rows[:] = rng.random(rows.shape) ** 2 * policy.legal_actions_mask
    several = policy.legal_actions_mask.sum(axis=1) > 1
    rows[np.arange(len(rows))[several], rows.argmax(axis=1)[several]] *= rng.integers(0, 2, several.sum())
    rows /= rows.sum(axis=1, keepdims=True)
    return policy


def earned(game: certify.Game, table: certify.PolicyTable) -> F:
    """The expected return of a table, walking over the model."""
    total = F(0)

    def walk(s: int, past: list[tuple[int | None, tuple]], last: tuple[int, ...], p: F) -> None:
        nonlocal total
        step = len(past[0][1])
        rows = [table[aoh_key(game, i, *x)] for i, x in enumerate(past)]
        for a in itertools.product(*(game.legal(i, step, o) for i, o in enumerate(last))):
            q = p
            for i, x in enumerate(a):
                q *= rows[i][game.actions[i][x]]
            if not q:
                continue
            total += q * game.reward.get((s, a), 0)
            for s2, c in game.transition[s, a] if step + 1 < game.horizon else ():
                for told, e in game.emission[a, s2]:
                    longer = [(first, (*seen, (a[i], told[i]))) for i, (first, seen) in enumerate(past)]
                    walk(s2, longer, told, q * c * e)

    for s, told, p in game.start:
        n = game.number_of_agents
        walk(s, [(told[i] if told else None, ()) for i in range(n)], told or (-1,) * n, p)
    return total


def earned_there(game: Any, policy: Any) -> float:
    """OpenSpiel's own expected score."""
    from open_spiel.python.algorithms.expected_game_score import policy_value

    state = game.new_initial_state()
    simultaneous = game.get_type().dynamics == type(game.get_type().dynamics).SIMULTANEOUS
    value = policy_value(state, policy if simultaneous else [policy] * game.num_players())
    return float(value[0])


@pytest.mark.parametrize("objective", [None, "local"])
@pytest.mark.parametrize("name", [*GAMES, TWICE])
def test_the_table_earns_what_the_policy_earns_and_comes_back(name: str, objective: str | None, spiel: Any) -> None:
    game = spiel.load_game(name)
    policy = trained(game)
    options = {} if objective is None else {"objective": objective}
    own = certify.from_openspiel(game, **options)
    table = certify.policy_from_openspiel(game, policy, **options)
    assert float(earned(own, table)) == pytest.approx(earned_there(game, policy), abs=1e-12)
    as_policy(unroll(own, cluster=False), table)  # as a policy for that game
    back = certify.policy_to_openspiel(game, table, **options)
    assert set(back.state_lookup) == set(policy.state_lookup)
    for text in policy.state_lookup:
        assert np.array_equal(back.policy_for_key(text), policy.policy_for_key(text))
    assert dict(certify.policy_from_openspiel(game, back, **options)) == dict(table)


def test_the_comparison_sees_an_action_in_the_place_of_another(spiel: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    game = spiel.load_game("tiny_hanabi")
    policy, asked = trained(game), openspiel_policies.traced_openspiel

    def confused(*given: Any) -> Any:
        traced = asked(*given)
        return replace(traced, actions=(traced.actions[0][1::-1] + traced.actions[0][2:], *traced.actions[1:]))

    monkeypatch.setattr(openspiel_policies, "traced_openspiel", confused)
    table = certify.policy_from_openspiel(game, policy)
    assert abs(float(earned(certify.from_openspiel(game), table)) - earned_there(game, policy)) > 1e-3


def test_other_forms_of_a_policy(spiel: Any) -> None:
    game = spiel.load_game("tiny_hanabi")
    policy = trained(game)
    rows = {text: list(enumerate(policy.policy_for_key(text).tolist())) for text in policy.state_lookup}
    table = certify.policy_from_openspiel(game, policy)
    assert dict(certify.policy_from_openspiel("tiny_hanabi", spiel.TabularPolicy(rows))) == dict(table)
    assert dict(certify.policy_from_openspiel(game, {text: dict(row) for text, row in rows.items()})) == dict(table)
    assert {row["wait"] for key, row in table.items() if "wait" in row} == {1}


def test_a_horizon_that_cuts(spiel: Any) -> None:
    """Two steps of a game of a hundred; what every player sees says nothing of the time."""
    game = certify.from_openspiel(PUSHING, 2)
    table = certify.tabulate(game, lambda h: [F(k + 1, 10) for k in range(4)])
    back = certify.policy_to_openspiel(PUSHING, table, 2)
    state = spiel.load_game(PUSHING).new_initial_state()
    assert back.policy_for_key(state.observation_string(0)).tolist() == [0.1, 0.2, 0.3, 0.4]
    assert dict(certify.policy_from_openspiel(PUSHING, back, 2)) == dict(table)
    other = certify.tabulate(game, lambda h: [F(k + 1, 10) for k in range(4)][:: 1 - 2 * h.step])
    with pytest.raises(certify.InputError, match=r"have the same text in OpenSpiel, .* and other rows; only a policy"):
        certify.policy_to_openspiel(PUSHING, other, 2)


def test_a_matrix_game_with_a_potential(spiel: Any) -> None:
    game = spiel.load_matrix_game("matrix_sh")
    policy = trained(game)
    table = certify.policy_from_openspiel(game, policy)
    assert set(table) == {"player0:", "player1:"}
    back = certify.policy_to_openspiel(game, table)
    assert np.array_equal(back.action_probability_array, policy.action_probability_array)


def test_refusals_are_one_line(spiel: Any) -> None:
    from open_spiel.python.policy import TabularPolicy, UniformRandomPolicy

    game = spiel.load_game("tiny_hanabi")
    with pytest.raises(certify.InputError, match=r"'p1:d0 p0:a0' .*: no row; give a policy of all players"):
        certify.policy_from_openspiel(game, TabularPolicy(game, players=[0]))
    with pytest.raises(certify.InputError, match="a UniformRandomPolicy as policy; give a TabularPolicy"):
        certify.policy_from_openspiel(game, UniformRandomPolicy(game))
    with pytest.raises(certify.InputError, match=r"a policy of OpenSpiel; use certify\.policy_from_openspiel"):
        certify.tabulate(game, TabularPolicy(game))
    short = trained(game)
    short.action_probability_array[0] /= 2
    with pytest.raises(certify.InputError, match=r"numbers that sum to 0\.5"):
        certify.policy_from_openspiel(game, short)
    rows = {text: trained(game).policy_for_key(text) for text in short.state_lookup}
    for bad, said in [
        (3, "no row but 3; give"),
        ("half", "no row but 'half'; give"),
        ({0: 0.5, 7: 0.5}, "a probability for action 7, which is not legal; choose from 0, 1, 2"),
        ([1, 0, 0, 0.5], "action 3, which is not legal"),
        ({"0": 1}, "action '0', which is not legal"),
        ({0: float("nan"), 1: 1}, "'nan' is not a number"),
        ([1], None),  # what is left out is 0
    ]:
        changed = rows | {"p0:d0": bad}
        if said is None:
            assert certify.policy_from_openspiel(game, changed)["player0:,p0-d0"]["p0a0"] == 1
            continue
        with pytest.raises(certify.InputError, match=said):
            certify.policy_from_openspiel(game, changed)
    table = dict(certify.policy_from_openspiel(game, trained(game)))
    with pytest.raises(certify.InputError, match="a list as policy; give a table of AOHs"):
        certify.policy_to_openspiel(game, list(table))  # type: ignore[arg-type]
    del table["player0:,p0-d0"]
    with pytest.raises(certify.InputError, match="no row for 'player0:,p0-d0'; give a row for every AOH"):
        certify.policy_to_openspiel(game, table)
