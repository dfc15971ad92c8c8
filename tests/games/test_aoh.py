"""Keys of action-observation histories: there and back, and bad keys."""

import itertools

import pytest

from certify.errors import InputError
from certify.games import builtin
from certify.games.aoh import AOH, aoh_key, parse_aoh_key


def test_keys_of_the_interface():
    game = builtin("dectiger", horizon=3)
    assert aoh_key(game, 0, None, [(0, 0), (0, 1)]) == "agent1:listen,hear-left/listen,hear-right"
    assert aoh_key(game, 1) == "agent2:"
    assert aoh_key(builtin("lewis:3"), 0, 2, [(1, 3)]) == "agent1:,type3/signal2,nothing"
    assert parse_aoh_key(builtin("lewis:3"), "agent1:,type3/signal2,nothing") == AOH(0, 2, ((1, 3),))
    assert parse_aoh_key(game, "agent2:") == AOH(1)


@pytest.mark.parametrize("name", ["dectiger", "recycling", "lewis:2", "tiny-hanabi:E"])
def test_every_history_survives_the_round_trip(name):
    game = builtin(name, horizon=2)
    for agent in range(2):
        observations = range(len(game.observations[agent]))
        initials = observations if game.start[0][1] else [None]
        steps = itertools.product(game.actions_at(agent, 0), observations)
        for initial, step in itertools.product(initials, steps):
            for history in ((), (step,)):
                key = aoh_key(game, agent, initial, history)
                assert parse_aoh_key(game, key) == AOH(agent, initial, history)


def test_names_may_be_indices_but_names_come_first():
    game = builtin("dectiger")
    assert parse_aoh_key(game, "0:0,1") == AOH(0, None, ((0, 1),))
    levers = builtin("two-stage-lever")  # its observations are named 00, 01, 10 and 11
    assert parse_aoh_key(levers, "agent1:1,10").steps == ((1, 2),)
    assert parse_aoh_key(levers, "agent1:1,3").steps == ((1, 3),)


@pytest.mark.parametrize(
    ("name", "key", "message"),
    [
        ("dectiger", "agent1", "no ':'"),
        ("dectiger", "agent3:", "unknown agent 'agent3'"),
        ("dectiger", "2:", "unknown agent"),
        ("dectiger", "agent1:listen", "not a pair"),
        ("dectiger", "agent1:listen,hear-left/", "not a pair"),
        ("dectiger", "agent1:look,hear-left", "unknown action 'look'"),
        ("dectiger", "agent1:listen,see", "unknown observation 'see'"),
        ("dectiger", "agent1:,hear-left", "initial observation in a game without any"),
        ("dectiger", "agent1:listen,hear-left/listen,hear-left", "2 steps in a game of horizon 2"),
        ("lewis:2", "agent1:", "no initial observation"),
        ("lewis:2", "agent1:signal1,nothing", "no initial observation"),
        ("lewis:2", "agent2:,nothing/guess1,signal1", "no action 'guess1' at step 0"),
        ("dectiger", "agent1:-1,0", "unknown action '-1'"),
    ],
)
def test_bad_keys(name, key, message):
    with pytest.raises(InputError) as caught:
        parse_aoh_key(builtin(name), key, "policy.json")
    assert message in str(caught.value)
    assert str(caught.value).startswith("policy.json")
