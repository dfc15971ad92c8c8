"""Built-in games against their published payoffs."""

import itertools
from fractions import Fraction as F

import pytest
from optimum_two_steps import optimum_two_steps

from certify.errors import InputError
from certify.games import builtin, check_game, list_builtins


def payoffs(name):
    game = builtin(name)
    assert (game.horizon, game.states, game.observations) == (1, ("s",), (("o",),) * len(game.agents))
    return [
        [game.reward.get((0, (a, b)), F(0)) for b in range(len(game.actions[1]))] for a in range(len(game.actions[0]))
    ]


def test_matrix_games():
    assert payoffs("climbing") == [[11, -30, 0], [-30, 7, 6], [0, 0, 5]]
    assert payoffs("penalty:-10") == [[10, 0, -10], [0, 2, 0], [-10, 0, 10]]
    assert payoffs("penalty:-1/2")[0] == [10, 0, F(-1, 2)]
    assert payoffs("matching-pennies") == [[1, -1], [-1, 1]]
    assert payoffs("lever:3") == [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
    assert payoffs("lever:3:0.9") == [[1, 0, 0], [0, 1, 0], [0, 0, F(9, 10)]]


def test_names_are_normalised():
    assert builtin("lever:10:0.90").name == "lever:10:9/10"
    assert builtin("lever:2:1") == builtin("lever:2")
    assert builtin("penalty:-10.0").name == "penalty:-10"


def test_match_has_any_number_of_agents():
    game = builtin("match:3x2x4")
    assert game.agents == ("agent1", "agent2", "agent3")
    assert dict(game.reward) == {(0, (0, 0, 0)): 1, (0, (1, 1, 1)): 1}


def test_two_stage_lever():
    game = builtin("two-stage-lever")
    assert game.horizon == 2
    assert {a: game.reward[0, a] for a in itertools.product((0, 1), repeat=2)} == {
        (0, 0): 1,
        (0, 1): -1,
        (1, 0): -1,
        (1, 1): 1,
    }
    assert game.observations[0][game.emission[(1, 0), 0][0][0][0]] == "10"
    assert optimum_two_steps(game) == 2
    assert builtin("two-stage-lever", horizon=3).horizon == 3


def signalling_optimum(game):
    """Best return over deterministic rules of a game in which agent 1 acts first, agent 2 second."""
    types = sorted({o[0] for _, o, _ in game.start})
    senders = itertools.product(game.actions_at(0, 0), repeat=len(types))
    best = F(0)
    for rule in senders:
        beliefs = {}
        for s, (o1, o2), p in game.start:
            action = (rule[types.index(o1)], game.actions_at(1, 0)[0])
            for s2, q in game.transition[s, action]:
                for (_, heard), e in game.emission[action, s2]:
                    beliefs.setdefault((o2, heard), []).append((s2, p * q * e))
        wait = game.actions_at(0, 1)[0]
        best = max(
            best,
            sum(
                max(sum(p * game.reward.get((s, (wait, b)), F(0)) for s, p in belief) for b in game.actions_at(1, 1))
                for belief in beliefs.values()
            ),
        )
    return best


def test_signalling_games_have_their_known_optima():
    best = {"A": F(9, 4), "B": 1, "C": F(5, 2), "D": F(5, 2), "E": 10, "F": F(7, 3)}  # as the suite says
    assert {variant: signalling_optimum(builtin(f"tiny-hanabi:{variant}")) for variant in best} == best
    assert signalling_optimum(builtin("lewis:3")) == 1


def test_tiny_hanabi_pays_by_cards_and_actions():
    game = builtin("tiny-hanabi:E")
    assert {p for *_, p in game.start} == {F(1, 4)}
    payoff = [
        [[[10, 0, 0], [4, 8, 4], [10, 0, 0]], [[0, 0, 10], [4, 8, 4], [0, 0, 10]]],
        [[[0, 0, 10], [4, 8, 4], [0, 0, 0]], [[10, 0, 0], [4, 8, 4], [10, 0, 0]]],
    ]
    for s, cards, _ in game.start:
        for a, b in itertools.product(range(3), repeat=2):
            ((s2, _),) = game.transition[s, (a, 3)]
            assert (s, (a, 3)) not in game.reward
            assert game.reward.get((s2, (3, b)), 0) == payoff[cards[0]][cards[1]][a][b]
            (((nothing, heard), _),) = game.emission[(a, 3), s2]
            assert (game.observations[0][nothing], game.observations[1][heard]) == ("nothing", f"played{a}")


@pytest.mark.parametrize(
    ("name", "discount", "optimum"),
    [("dectiger", None, -4), ("recycling", 1, 7), ("recycling", None, 6.8), ("broadcast-channel", None, 2)],
)
def test_benchmarks_have_their_known_optima(name, discount, optimum):
    assert optimum_two_steps(builtin(name, discount=discount)) == pytest.approx(optimum, abs=1e-9)


def test_the_list_is_complete_and_every_entry_loads():
    entries = list_builtins()
    assert len({entry.name for entry in entries}) == len(entries) >= 11
    for entry in entries:
        game = check_game(builtin(entry.example))
        assert f"{len(game.agents)} agents" in entry.sizes
        assert entry.source
        assert entry.description


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("levr:2", "did you mean 'lever'"),
        ("lever", "lever:N:Q"),
        ("lever:2:1:1", "wrong number of parameters"),
        ("lever:0", "at least 1"),
        ("lever:x", "'x' is not a number of levers"),
        ("lever:-1", "'-1'"),
        ("lever:²", "'²'"),
        ("lever:2:1/0", "divides by zero"),
        ("lever:2:nan", "'nan' is not a number"),
        ("lever:100000", "joint actions"),
        ("penalty", "penalty:K"),
        ("match:3x", "''"),
        ("match:1000x1000x1000", "1000000000 joint actions"),
        ("tiny-hanabi:Z", "choose one of A, B, C, D, E, F"),
        ("lewis:0", "at least 1"),
        ("", "no built-in game"),
        ("climbing:1", "parameters"),
    ],
)
def test_bad_names_are_refused(name, message):
    with pytest.raises(InputError) as caught:
        builtin(name)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("name", "horizon"),
    [
        ("climbing", 2),
        ("lewis:2", 1),
        ("tiny-hanabi:E", 3),
        ("dectiger", 0),
        ("dectiger", -1),
        ("dectiger", 10**7),
        ("dectiger", True),
        ("dectiger", 1.0),
    ],
)
def test_bad_horizons_are_refused(name, horizon):
    with pytest.raises(InputError, match="horizon"):
        builtin(name, horizon=horizon)


@pytest.mark.parametrize("discount", [0, "-1", "1.5", "x"])
def test_bad_discounts_are_refused(discount):
    with pytest.raises(InputError, match="discount"):
        builtin("dectiger", discount=discount)
