"""The `.dpomdp` grammar, line by line, and what it refuses."""

from fractions import Fraction as F

import pytest

from certify.errors import InputError
from certify.games.readers.dpomdp import read_dpomdp

PREAMBLE = """agents: 2
discount: 1
values: reward
states: left right
start: left
actions:
a b
c d e
observations:
x y
2
"""
COMPLETE = PREAMBLE + "T: * : identity\nO: * : uniform\n"


def read(text, horizon=2, rows="exact"):
    return read_dpomdp(text, "game.dpomdp", "game", horizon, rows)


def test_preamble():
    game = read(COMPLETE)
    assert game.agents == ("agent1", "agent2")
    assert game.states == ("left", "right")
    assert game.actions == (("a", "b"), ("c", "d", "e"))
    assert game.observations == (("x", "y"), ("0", "1"))
    assert game.start == ((0, (), F(1)),)
    assert dict(game.reward) == {}
    assert game.transition[1, (1, 2)] == ((1, F(1)),)
    assert game.emission[(1, 2), 1] == tuple(((o1, o2), F(1, 4)) for o1 in (0, 1) for o2 in (0, 1))


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("start: right", {1: F(1)}),
        ("start: 1", {1: F(1)}),
        ("start: uniform", {0: F(1, 2), 1: F(1, 2)}),
        ("start:\nuniform", {0: F(1, 2), 1: F(1, 2)}),
        ("start:\n0.25 0.75", {0: F(1, 4), 1: F(3, 4)}),
        ("start:\n.25\n# comment\n\n75e-2", {0: F(1, 4), 1: F(3, 4)}),
        ("start: 0.25 0.75", {0: F(1, 4), 1: F(3, 4)}),
        ("start:\n1/3 2/3", {0: F(1, 3), 1: F(2, 3)}),
        ("start:\n0 1.0", {1: F(1)}),
        ("start include: right left", {0: F(1, 2), 1: F(1, 2)}),
        ("start include : 1", {1: F(1)}),
        ("start exclude: left", {1: F(1)}),
        ("start:\nright", {1: F(1)}),
        ("start include:\nright left", {0: F(1, 2), 1: F(1, 2)}),
        ("start include:\nright, left", {0: F(1, 2), 1: F(1, 2)}),
        ("start exclude:\n0", {1: F(1)}),
    ],
)
def test_start(lines, expected):
    game = read(COMPLETE.replace("start: left", lines))
    assert {s: p for s, _, p in game.start} == expected


def test_named_agents_comments_and_blank_lines_anywhere():
    text = COMPLETE.replace("agents: 2", "# head\n\nagents: ann, bob  # two").replace(
        "a b\n", "\n # first agent\n a  b \n"
    )
    text = text.replace("T: * : identity", "T: * :   # matrix\n\n1 0 # left\n#\n0 1\n")
    game = read(text.replace("\n", "\r\n"))
    assert game.agents == ("ann", "bob")
    assert game.transition == read(COMPLETE).transition


@pytest.mark.parametrize(
    "line",
    [
        "T:a d:left:right:1",
        "T: 0 1 : 0 : 1 : +1.0",
        "T: a 1 : left : 1 : 1e0",
        "T: 1 : left : right : 1.",
        "T : a d : left : right : 1",
    ],
)
def test_ways_to_write_one_transition(line):
    game = read(COMPLETE + line + "\nT: a d : left : left : 0\n")
    assert game.transition[0, (0, 1)] == ((1, F(1)),)
    assert game.transition[0, (0, 0)] == ((0, F(1)),)


def test_joint_indices_have_the_first_agent_most_significant():
    game = read(COMPLETE + "R: 4 : right : * : * : 7\nO: 4 : right :\n0 0 1 0\n")
    assert dict(game.reward) == {(1, (1, 1)): 7}
    assert game.emission[(1, 1), 1] == (((1, 0), F(1)),)


def test_partial_wildcards():
    game = read(COMPLETE + "R: b * : left : * : * : -.5\nR: * 2 : * : * : * : +20\n")
    assert dict(game.reward) == {(0, (1, 0)): F(-1, 2), (0, (1, 1)): F(-1, 2)} | {
        (s, (a, 2)): F(20) for s in (0, 1) for a in (0, 1)
    }


def test_later_lines_override():
    game = read(
        COMPLETE + "T: a c : * :\n0.5 0.5\nT: a c : left : right : 0\nT: a c : left : left : 1\n"
        "O: * : right : * : 0\nO: * : right : x 1 : 1\nR: * : * : * : * : 3\nR: a c : left : * : * : 0\n"
    )
    assert game.transition[0, (0, 0)] == ((0, F(1)),)
    assert game.transition[1, (0, 0)] == ((0, F(1, 2)), (1, F(1, 2)))
    assert game.emission[(1, 2), 1] == (((0, 1), F(1)),)
    assert (0, (0, 0)) not in game.reward
    assert game.reward[1, (0, 0)] == 3


def test_uniform_rows_and_matrices():
    game = read(PREAMBLE + "T: * :\nuniform\nT: a c : left :\n0.9 0.1\nO: * :\n" + "0.1 0.2 0.3 0.4\n1 0 0 0\n")
    assert game.transition[0, (0, 0)] == ((0, F(9, 10)), (1, F(1, 10)))
    assert game.transition[1, (1, 1)] == ((0, F(1, 2)), (1, F(1, 2)))
    assert game.emission[(1, 2), 0] == (((0, 0), F(1, 10)), ((0, 1), F(1, 5)), ((1, 0), F(3, 10)), ((1, 1), F(2, 5)))
    assert game.emission[(1, 2), 1] == (((0, 0), F(1)),)


def test_rewards_of_outcomes_are_expectations():
    """R(s, a) is the sum over s' and o of P O r, with the last matching line for each outcome."""
    text = (
        PREAMBLE + "T: * : uniform\nO: * : * :\n0.1 0.2 0.3 0.4\n"
        "R: * : * : * : * : -1\nR: * : left : right : * : 5\nR: a c : left : right : x 0 : 25\n"
        "R: a c : left : left : y * : 9\n"
    )
    game = read(text)
    assert game.reward[0, (1, 1)] == F(1, 2) * -1 + F(1, 2) * 5
    assert game.reward[1, (0, 0)] == -1
    left = F(3, 10) * -1 + F(7, 10) * 9
    right = F(1, 10) * 25 + F(9, 10) * 5
    assert game.reward[0, (0, 0)] == (left + right) / 2


def test_reward_rows_and_matrices():
    text = (
        PREAMBLE
        + "T: * : uniform\nO: * : uniform\nR: a c : left : right :\n4 8 0 0\nR: b c : left :\n4 4 4 4\n0 0 0 -8\n"
    )
    game = read(text)
    assert dict(game.reward) == {(0, (0, 0)): F(3, 2), (0, (1, 0)): F(1)}


def test_a_plain_reward_line_overrides_earlier_lines_of_outcomes():
    game = read(PREAMBLE + "T: * : uniform\nO: * : uniform\nR: * : * : right : * : 5\nR: a c : * : * : * : 2\n")
    assert game.reward[0, (0, 0)] == 2
    assert game.reward[0, (0, 1)] == F(5, 2)


def test_cost_is_negated_reward():
    game = read(COMPLETE.replace("values: reward", "values: cost") + "R: a c : left : * : * : 5\n")
    assert game.reward[0, (0, 0)] == -5


def test_one_agent():
    game = read(
        "agents: 1\ndiscount: 0.5\nvalues: reward\nstates: 2\nstart: 0\nactions:\ngo\nobservations:\n1\n"
        "T: go : identity\nO: 0 : uniform\nR: 0 : 1 : * : * : 3\n"
    )
    assert game.transition[0, (0,)] == ((0, F(1)),)
    assert dict(game.reward) == {(1, (0,)): 3}


def test_horizon_one_needs_no_transitions():
    assert read(PREAMBLE + "R: a c : * : * : * : 1\n", horizon=1).reward[0, (0, 0)] == 1


SHORT = COMPLETE + "T: a c : left :\n0.3333333333333333 0.6666666666666666\n"


def test_rows_that_miss_one():
    with pytest.raises(
        InputError, match=r"line 14: transition from left under a c: probabilities sum to 9999999999999999/"
    ):
        read(SHORT)
    row = read(SHORT, rows="renormalise").transition[0, (0, 0)]
    assert row == ((0, F(3333333333333333, 9999999999999999)), (1, F(6666666666666666, 9999999999999999)))


def test_renormalising_mends_rounding_only():
    with pytest.raises(InputError, match=r"line 14.*sum to 9/10"):
        read(COMPLETE + "T: a c : left :\n0.3 0.6\n", rows="renormalise")


def test_rows_that_play_cannot_reach_do_not_matter():
    text = PREAMBLE.replace("states: left right", "states: left right never") + "T: * : identity\nO: * : uniform\n"
    assert read(text + "T: * : never : left : 0.5\n").start == ((0, (), F(1)),)


def test_reset_rows_go_back_to_the_start():
    text = COMPLETE.replace("start: left", "start: 0.25 0.75")
    back = ((0, F(1, 4)), (1, F(3, 4)))
    for line in ("T: a c : left : reset", "T: a c : left\nreset", "T: a c : left :\nreset"):
        game = read(text + line + "\n")
        assert game.transition[0, (0, 0)] == back and game.transition[1, (0, 0)] == ((1, F(1)),)
    assert read(text + "T: a c :\nreset\n").transition[1, (0, 0)] == back


def test_a_row_that_misses_one_by_rounding_says_by_how_much_and_how_to_mend_it():
    digits = "0.1111111111111111 0.8888888888888887"
    with pytest.raises(InputError, match=r"misses by -2e-16.*--rows renormalise"):
        read(COMPLETE + f"T: a c : left :\n{digits}\n")
    long = f"0.{'1' * 40} 0.{'8' * 39}7"
    with pytest.raises(InputError, match=r"sum to about 1.*misses by -2e-40.*--rows renormalise"):
        read(COMPLETE + f"T: a c : left :\n{long}\n")


BAD = {
    "reset for O": (COMPLETE + "O: a c : left : reset\n", "line 14", "`reset` here"),
    "start with several states": (COMPLETE.replace("start: left", "start:\nleft right"), "line 6", "start include:"),
    "start include nothing": (COMPLETE.replace("start: left", "start include:"), "line 5", "without states"),
    "duplicate preamble": (COMPLETE.replace("discount: 1", "discount: 1\nagents: 2"), "line 3", "a second time"),
    "preamble again below": (COMPLETE + "discount: 1\n", "line 14", "a second time"),
    "preamble out of order": (
        COMPLETE.replace("agents: 2\ndiscount: 1", "discount: 1\nagents: 2"),
        "line 1",
        "agents:` must stand here",
    ),
    "missing keyword": (COMPLETE.replace("values: reward\n", ""), "line 3", "values:` must stand here"),
    "preamble only begun": ("agents: 2\n", "game.dpomdp:", "no `discount:` line"),
    "only comments": ("# nothing\n", "game.dpomdp:", "empty file"),
    "unknown keyword": (COMPLETE + "Q: a c : left : right : 1\n", "line 14", "unexpected 'Q'"),
    "no colon": (COMPLETE + "hello\n", "line 14", "unexpected 'hello'"),
    "unknown state": (COMPLETE + "T: a c : lft : right : 1\n", "line 14", "unknown state 'lft'"),
    "state number": (COMPLETE + "T: a c : 2 : right : 1\n", "line 14", "0 to 1"),
    "unknown action": (COMPLETE + "T: a f : left : right : 1\n", "line 14", "unknown action of agent2 'f'"),
    "unknown observation": (COMPLETE + "O: a c : left : z 0 : 1\n", "line 14", "unknown observation of agent1 'z'"),
    "joint index": (COMPLETE + "T: 6 : left : right : 1\n", "line 14", "0 to 5"),
    "too many actions": (COMPLETE + "T: a c c : left : right : 1\n", "line 14", "one for each of the 2 agents"),
    "negative probability": (COMPLETE + "T: a c : left : right : -0.5\n", "line 14", "a probability of -0.5"),
    "large probability": (COMPLETE + "O: a c : left : x 0 : 1.5\n", "line 14", "a probability of 1.5"),
    "nan": (COMPLETE + "T: a c : left : right : nan\n", "line 14", "'nan' is not a number"),
    "inf": (COMPLETE + "R: a c : left : * : * : inf\n", "line 14", "'inf' is not a number"),
    "hexadecimal": (COMPLETE + "R: a c : left : * : * : 0x10\n", "line 14", "is not a number"),
    "huge exponent": (COMPLETE + "R: a c : left : * : * : 1e999999999\n", "line 14", "exponent"),
    "word for a number": (COMPLETE + "T: a c : left :\n0.5 half\n", "line 15", "'half' is not a number"),
    "short row": (COMPLETE + "T: a c : left :\n0.5\nT: a d : identity\n", "line 14", "1 of 2 numbers"),
    "short row at the end": (COMPLETE + "T: a c : left :\n0.5\n", "line 14", "1 of 2 numbers"),
    "long row": (COMPLETE + "T: a c : left :\n0.5 0.25 0.25\n", "line 15", "3 numbers, not 2"),
    "long matrix": (COMPLETE + "T: a c :\n1 0\n0 1\n0 1\n", "line 17", "unexpected '0 1'"),
    "identity for O": (COMPLETE + "O: a c : identity\n", "line 14", "identity"),
    "fields": (COMPLETE + "T: a c : left : right : 1 : 1\n", "line 14", "5 fields"),
    "reward fields": (COMPLETE + "R: a c : left : right : 1\n", "line 14", "4 fields"),
    "reward without fields": (COMPLETE + "R:\n", "line 14", "0 fields"),
    "row sum": (COMPLETE + "O: a c : left :\n0.1 0.2 0.3 0.3\n", "line 14", "sum to 9/10"),
    "start sum": (COMPLETE.replace("start: left", "start:\n0.5 0.4"), "line 5", "sum to 9/10"),
    "start missing": (COMPLETE.replace("start: left", "start:"), "line 5", "without a distribution"),
    "start of unknown state": (COMPLETE.replace("start: left", "start: middle"), "line 5", "unknown state 'middle'"),
    "start in another way": (COMPLETE.replace("start: left", "start without: left"), "line 5", "start without"),
    "start exclude all": (COMPLETE.replace("start: left", "start exclude: 0 1"), "line 5", "no state"),
    "start include twice": (COMPLETE.replace("start: left", "start include: left 0"), "line 5", "twice"),
    "discount zero": (COMPLETE.replace("discount: 1", "discount: 0"), "line 2", "(0, 1]"),
    "discount above one": (COMPLETE.replace("discount: 1", "discount: 1.01"), "line 2", "(0, 1]"),
    "values": (COMPLETE.replace("values: reward", "values: profit"), "line 3", "profit"),
    "a billion states": (
        COMPLETE.replace("left right", "1000000000"),
        "line 4",
        "1000000000 states, more than fit into memory",
    ),
    "more digits than int takes": (COMPLETE.replace("left right", "9" * 5000), "line 4", "fit into memory"),
    "many joint actions": (COMPLETE.replace("a b\n", "1000000\n"), "line 8", "3000000 joint actions"),
    "table too large": (
        COMPLETE.replace("left right", "1000000").replace("start: left", "start: 0").replace("a b\n", "10\n"),
        "line 8",
        "1000000 states times 30 joint actions",
    ),
    "dense matrix too large": (
        COMPLETE.replace("left right", "10000").replace("start: left", "start: 0").replace("identity", "uniform"),
        "line 12",
        "tables of 600000000 entries",
    ),
    "no states": (COMPLETE.replace("states: left right", "states: 0"), "line 4", "0 states"),
    "a name twice": (COMPLETE.replace("left right", "left left"), "line 4", "'left' occurs twice"),
    "a number as a name": (COMPLETE.replace("left right", "1 2"), "line 4", "'1' cannot name"),
    "missing action line": (COMPLETE.replace("c d e\n", ""), "line 8", "no actions of agent2"),
    "actions on the same line": (COMPLETE.replace("actions:\n", "actions: 2\n"), "line 6", "one line per agent"),
    "no transition": (PREAMBLE + "O: * : uniform\n", "game.dpomdp:", "transition from state left"),
    "no observation": (PREAMBLE + "T: * : identity\n", "game.dpomdp:", "observation in state left"),
}


@pytest.mark.parametrize("case", BAD)
def test_refusals_name_the_line(case):
    text, place, what = BAD[case]
    with pytest.raises(InputError) as caught:
        read(text)
    message = str(caught.value)
    assert place in message
    assert what in message
    assert "\n" not in message
