"""Environments become exactly the games that they are: folding, legal sets, ends, limits, caches, refusals."""

from __future__ import annotations

import hashlib
import itertools
import json
import random
import time
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction as F
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from joint_histories import joint_histories
from random_games import random_game

import certify
from certify.errors import InputError
from certify.games import Game, builtin, check_game, from_steps
from certify.games.adapters import folding
from certify.games.adapters.steps import sizes
from certify.games.model import FIRST
from certify.run import OutOfTime, Run


class Played:
    """A game of ours as an environment; `memory` says what of the past its states carry beside the game's own."""

    def __init__(self, game: Game, memory: str = "none") -> None:
        self.game, self.memory = game, memory
        self.agents = game.agents
        self.actions = game.actions
        self.name = game.name

    def seen(self, o: tuple[int, ...]) -> tuple[str, ...] | None:
        return tuple(self.game.observations[i][x] for i, x in enumerate(o)) if o else None

    def state(self, s: int, step: int, o: tuple[int, ...], past: tuple) -> tuple:
        kept = {"none": (), "observation": o, "everything": (*past, o)}[self.memory]
        by_step = step if self.game.available is not None else 0
        return s, by_step, o if self.game.reference else (), kept

    def initial(self) -> list:
        return [(p, self.state(s, 0, o, ()), self.seen(o)) for s, o, p in self.game.start]

    def legal(self, state: tuple) -> list:
        _, step, last, _ = state
        last = last or (FIRST,) * len(self.agents)
        return [[self.actions[i][a] for a in self.game.legal(i, step, last[i])] for i in range(len(self.agents))]

    def outcomes(self, state: tuple, joint_action: tuple) -> list:
        s, step, _, past = state
        a = tuple(self.actions[i].index(x) for i, x in enumerate(joint_action))
        r = self.game.reward.get((s, a), 0)
        found = []
        for s2, p in self.game.transition.get((s, a), ()):
            for o, q in self.game.emission[a, s2]:
                found.append((p * q, r, self.state(s2, step + 1, o, (*past, a)), self.seen(o), False))
        return found or [(1, r, None, None, True)]  # after the last step


def legal_game(seed: int) -> Game:
    """Random legal sets after each observation, uniform references."""
    rng = random.Random(seed)
    rows = {}
    for i, o in itertools.product(range(2), (FIRST, 0, 1)):
        legal = sorted(rng.sample(range(3), rng.choice([1, 2, 3])))
        rows[i, o] = tuple((a, F(1, len(legal))) for a in legal)
    return check_game(replace(builtin("dectiger", horizon=3), reference=rows))


@pytest.mark.parametrize("memory", ["none", "observation", "everything"])
def test_the_game_comes_back_whatever_its_states_remember(memory: str) -> None:
    rng = np.random.default_rng(3)
    for k in range(12):
        game = random_game(
            rng,
            agents=1 + k % 3,
            horizon=1 + k // 3 % 2 + (k % 3 == 0),
            states=2 + k % 2,
            initial_observations=k % 2 == 0,
            available=k % 4 == 1,
            observations=2,
        )
        found = from_steps(Played(game, memory), game.horizon)
        assert joint_histories(found) == joint_histories(game)
    for name in ("dectiger", "recycling", "broadcast-channel", "two-stage-lever"):
        game = replace(builtin(name, horizon=2), discount=F(1))
        assert joint_histories(from_steps(Played(game, memory), 2)) == joint_histories(game)


def test_a_reward_that_is_off_is_seen() -> None:
    game = builtin("dectiger", horizon=2)
    wrong = replace(game, reward={**game.reward, (0, (0, 0)): F(-3)})
    assert joint_histories(from_steps(Played(wrong), 2)) != joint_histories(game)


def test_states_are_folded_and_the_hash_is_that_of_the_built_in() -> None:
    game = replace(builtin("dectiger", horizon=3), discount=F(1))
    found = from_steps(Played(game), 3)
    assert len(found.states) == 2
    assert replace(found, states=game.states) == game


@pytest.mark.parametrize("seed", range(6))
def test_legal_sets_that_depend_on_the_observation(seed: int) -> None:
    game = legal_game(seed)
    found = from_steps(Played(game, "none"), 3)
    assert joint_histories(found) == joint_histories(game)
    fixed = not certify.games.restrict_to_reachable(game).reference
    assert found.objective == ("entropy" if fixed else "kl")
    if not fixed:
        with pytest.raises(InputError, match="legal actions depend on more than agent and step"):
            from_steps(Played(game), 3, objective="entropy")


class Doors:
    """One agent; which of two doors is locked is in the state, and the agent sees nothing but what it may do."""

    agents, actions = 1, (["left", "right", "wait"],)

    def initial(self) -> list:
        return [(F(1, 2), door, ("dark",)) for door in ("left", "right")]

    def legal(self, state: str) -> list:
        return [[door for door in ("left", "right") if door != state] + ["wait"]]

    def outcomes(self, state: str, joint_action: tuple) -> list:
        return [(1, int(joint_action[0] != "wait"), state, ("dark",), False)]


def test_an_agent_is_told_what_it_may_do() -> None:
    game = from_steps(Doors(), 2)
    assert game.objective == "kl"
    assert game.observations == (("dark", "dark-2"),)
    assert {tuple(game.actions[0][a] for a, _ in row) for row in game.reference.values()} == {
        ("right", "wait"),
        ("left", "wait"),
    }
    assert len(joint_histories(game)) == 2 + 4


class Ends:
    """Two agents go on for a coin each; who stops ends the game for both."""

    agents, actions = ("ann", "bob"), (("go", "stop"),) * 2

    def initial(self) -> list:
        return [(1, 0, None)]

    def outcomes(self, state: int, joint_action: tuple) -> list:
        over = "stop" in joint_action
        return [(1, 0 if over else 1, state + 1, ("on", "on"), over)]


def test_after_the_end_actions_stay_for_entropy_and_one_is_left_for_kl() -> None:
    entropy, kl = from_steps(Ends(), 3), from_steps(Ends(), 3, objective="kl")
    assert entropy.objective == "entropy" and not entropy.reference
    assert kl.objective == "kl" and [len(row) for row in kl.reference.values()] == [1, 1]
    over = ("stop", "over")
    for game, width in ((entropy, 2), (kl, 1)):
        table = joint_histories(game)
        chance, legal, paid = table[over, over]
        assert (chance, len(legal[0]), set(paid.values())) == (1, width, {0})
    live = {k: v for k, v in joint_histories(entropy).items() if "over" not in k[0]}
    assert live == {k: v for k, v in joint_histories(kl).items() if "over" not in k[0]}
    # the same policies: one temperature certifies both
    assert certify.threshold(kl, objective="kl", method="structural").status == "proved"
    assert certify.threshold(entropy, method="structural").status == "proved"


def test_without_a_horizon_play_goes_on_until_it_is_over() -> None:
    class Three(Ends):
        def outcomes(self, state: int, joint_action: tuple) -> list:
            return [(1, 1, state + 1, ("on", "on"), state == 2)]

    assert from_steps(Three()).horizon == 3
    with pytest.raises(InputError, match="limit is 50 states"):
        from_steps(Ends(), max_states=50)


def test_turns_become_waits_by_step_and_need_no_kl() -> None:
    class Turns:
        agents, actions = 2, (("a", "b", "wait"),) * 2

        def initial(self) -> list:
            return [(1, (), ("", ""))]

        def legal(self, state: tuple) -> list:
            moves = [["a", "b"], ["wait"]]
            return moves if len(state) % 2 == 0 else moves[::-1]

        def outcomes(self, state: tuple, joint_action: tuple) -> list:
            move = joint_action[len(state) % 2]
            last = len(state) == 1
            return [(1, int(last and state[0] == move), (*state, move), (move, move), last)]

    game = from_steps(Turns())
    assert (game.objective, game.horizon, game.reference) == ("entropy", 2, {})
    assert game.available == (((0, 1), (2,)), ((2,), (0, 1)))


class Notes:
    """Observations that repeat everything: only what is new is told."""

    agents, actions = 2, (2, 2)
    cumulative = True

    def initial(self) -> list:
        return [(F(1, 2), card, (f"card {card}", "blank")) for card in "xy"]

    def outcomes(self, state: str, joint_action: tuple) -> list:
        longer = f"{state}{joint_action[0]}{joint_action[1]}"
        seen = (f"card {state[0]} {longer[1:]}", f"blank {longer[1::2]}")
        return [(1, 0, longer, seen, False)]


def test_cumulative_observations_are_told_by_what_is_new() -> None:
    short = from_steps(Notes(), 3)
    whole = from_steps(type("Whole", (Notes,), {"cumulative": False})(), 3)
    assert len(short.observations[0]) < len(whole.observations[0])
    assert "nothing" in short.observations[1]
    a, b = joint_histories(short), joint_histories(whole)
    assert len(a) == len(b)
    assert sorted(v[0] for v in a.values()) == sorted(v[0] for v in b.values())


# numbers


@pytest.mark.parametrize("third", [1 / 3, F(1, 3), "1/3", np.float64(1 / 3)])
def test_floats_become_fractions_and_the_name_says_so(third: Any) -> None:
    class Thirds(Ends):
        name = "thirds"

        def outcomes(self, state: int, joint_action: tuple) -> list:
            return [(third, Decimal("0.5"), k, ("on", "on"), False) for k in range(3)]

    game = from_steps(Thirds(), 2)
    assert {p for row in game.transition.values() for _, p in row} == {F(1, 3)}
    assert set(game.reward.values()) == {F(1, 2)}
    assert game.name.startswith("thirds (floats as rationals, within ") == isinstance(third, float)


def test_float32_is_the_decimal_that_prints_it() -> None:
    class Single(Ends):
        def outcomes(self, state: int, joint_action: tuple) -> list:
            return [(1, np.float32(0.1), state, ("on", "on"), False)]

    game = from_steps(Single(), 1)
    assert set(game.reward.values()) == {F(1, 10)}
    assert "within 1.5e-9" in game.name


# refusals: one line each, and no traceback


def broken(**changes: Any) -> Any:
    def value(given: Any) -> Any:
        return (lambda self, *_: given()) if callable(given) else given

    return type("Broken", (Ends,), {key: value(v) for key, v in changes.items()})()


def one(p: Any = 1, r: Any = 0, state: Any = 1, seen: Any = ("on", "on"), done: Any = False) -> Any:
    return lambda: [(p, r, state, seen, done)]


def one_start(state: Any) -> Any:
    return lambda: [(1, state, None)]


def two() -> list:
    return [["go", "stop"], ["go", "stop"]]


class Odd:
    """A state with whatever it is asked for going wrong."""

    def __init__(self, wrong: str) -> None:
        self.wrong = wrong

    def __hash__(self) -> int:
        return 1 // (self.wrong != "hash")

    def __eq__(self, other: object) -> bool:
        return bool(1 // (self.wrong != "eq"))

    def __repr__(self) -> str:
        return "x" * (1 // (self.wrong != "repr"))


REFUSED = {
    "hash": (broken(outcomes=one(state=Odd("hash"))), "next state of type Odd: not hashable"),
    "repr": (broken(initial=one_start(Odd("repr")), outcomes=one(p=2)), "cannot be printed: ZeroDivisionError"),
    "eq": (broken(outcomes=lambda: one(state=Odd("eq"))() + one(p=0, state=Odd("eq"))(), legal=two), "ZeroDivision"),
    "endless start": (broken(initial=lambda: itertools.repeat((1, 0, None))), "more than 100,000 first states"),
    "endless outcomes": (broken(outcomes=lambda: itertools.repeat((0, 0, 0, 0, True))), "more than 1,000,000 outcomes"),
    "digits": (broken(outcomes=one(r="9" * 5_000)), "a number of 5000 characters"),
    "a billion agents": (broken(agents=10**9), "1000000000 agents"),
    "a billion actions": (broken(actions=(10**9, 2)), "1000000000 actions of ann"),
    "no sum": (broken(outcomes=one(p=F(1, 2))), "probabilities sum to 1/2"),
    "negative": (broken(outcomes=lambda: [(2, 0, 1, ("a", "b"), False), (-1, 0, 1, ("a", "b"), False)]), "of -1"),
    "nan": (broken(outcomes=one(p=float("nan"))), "nan is no number"),
    "infinite": (broken(outcomes=one(r=float("inf"))), "inf is no number"),
    "pi": (broken(outcomes=one(r=3.14159265358979)), "no fraction with a denominator up to"),
    "no number": (broken(outcomes=one(r="many")), "is not a number"),
    "unhashable state": (broken(outcomes=one(state=[1, 2])), "next state of type list: not hashable"),
    "unhashable array": (broken(outcomes=one(state=np.zeros(2))), "ndarray: not hashable"),
    "unhashable observation": (broken(outcomes=one(seen=({}, "on"))), "observation of type dict"),
    "observations": (broken(outcomes=one(seen="onon")), "give one per agent"),
    "one observation": (broken(outcomes=one(seen=("on",))), "give one per agent"),
    "four parts": (broken(outcomes=lambda: [(1, 0, 1, ("a", "b"))]), "write (probability, reward"),
    "nothing": (broken(outcomes=lambda: None), "raised TypeError"),
    "empty": (broken(outcomes=list), "sum to 0"),
    "raises": (broken(outcomes=lambda: 1 // 0), "raised ZeroDivisionError"),
    "different rewards": (broken(outcomes=one(r=(1, 2))), "not the same for all agents"),
    "no agents": (broken(agents=0), "0 agents"),
    "no names": (broken(agents=()), "no agents"),
    "counts of actions": (broken(actions=(2, 2, 2)), "3 entries for 2 agents"),
    "no actions": (broken(actions=(0, 2)), "0 actions of ann"),
    "an action twice": (broken(actions=(("a", "a"), 2)), "one twice"),
    "too many": (broken(actions=(10**5, 10**5)), "10,000,000,000 rows"),
    "other actions": (broken(legal=lambda: [["go"], ["run"]]), "'run' is no action of bob"),
    "unhashable action": (broken(legal=lambda: [["go"], [[]]]), "is no action of bob"),
    "legal for one": (broken(legal=lambda: [["go"]]), "1 lists of actions for 2 agents"),
    "nothing legal": (broken(legal=lambda: [["go"], []]), "no action of bob"),
    "start": (broken(initial=lambda: [(F(1, 3), 0, None)]), "sum to 1/3"),
    "some see": (
        broken(initial=lambda: [(F(1, 2), 0, None), (F(1, 2), 1, ("a", "b"))]),
        "observations for some first states",
    ),
    "no initial": (object(), "no `initial` and no `outcomes`"),
    "a name": (broken(name=3), "is no name"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_in_one_line(case: str) -> None:
    model, message = REFUSED[case]
    with pytest.raises(InputError) as refused:
        from_steps(model, 2)
    assert message in str(refused.value) and "\n" not in str(refused.value)
    assert len(str(refused.value)) < 500


def test_legal_actions_that_differ_without_observations() -> None:
    model = broken(initial=lambda: [(F(1, 2), 0, None), (F(1, 2), 1, None)])
    type(model).legal = lambda self, state: [["go", "stop"][: state + 1], ["go"]]
    with pytest.raises(InputError, match="give initial observations"):
        from_steps(model, 1)


def test_reset_and_step_alone_are_refused_with_what_is_missing() -> None:
    class Gym:
        def reset(self) -> Any: ...

        def step(self, actions: Any) -> Any: ...

    with pytest.raises(InputError, match="draw their randomness themselves"):
        from_steps(Gym(), 2)


def test_an_environment_that_draws_is_noticed() -> None:
    rng = random.Random(1)

    class Draws(Ends):
        def outcomes(self, state: int, joint_action: tuple) -> list:
            return [(1, 0, rng.randrange(10**6), ("on", "on"), False)]

    with pytest.raises(InputError, match="two calls gave two answers"):
        from_steps(Draws(), 3)


def test_actions_that_change_from_call_to_call_are_noticed() -> None:
    calls = itertools.count()

    class Changing(Ends):
        def legal(self, state: int) -> list:
            return [["go"], ["go", "stop"][: 1 + next(calls) % 2]]

    try:
        game = from_steps(Changing(), 3)  # whatever was asked first counts, for the whole enumeration
    except InputError:
        return
    check_game(game)


@pytest.mark.parametrize("horizon", [0, -1, 1.5, True, "x", 10**9])
def test_horizons_out_of_range(horizon: Any) -> None:
    with pytest.raises(InputError, match="horizon"):
        from_steps(Ends(), horizon)


def test_unknown_objectives_and_options() -> None:
    with pytest.raises(InputError, match="choose from entropy, kl, local"):
        from_steps(Ends(), 2, objective="max")
    with pytest.raises(TypeError, match="max_state"):
        from_steps(Ends(), 2, max_state=3)  # type: ignore[call-arg]


_NUMBER = st.one_of(
    st.integers(-2, 2), st.floats(), st.fractions(max_denominator=4), st.sampled_from(["1/2", "x", None, True, 1j])
)
_LABEL = st.one_of(st.integers(0, 2), st.text(max_size=2), st.none(), st.lists(st.integers(), max_size=1))
_ENTRY = st.one_of(
    st.tuples(_NUMBER, _NUMBER, _LABEL, st.tuples(_LABEL, _LABEL), st.booleans()),
    st.tuples(st.just(1), _NUMBER, _LABEL, st.one_of(_LABEL, st.tuples(_LABEL, _LABEL)), _LABEL),
    _LABEL,
)


@settings(max_examples=60, deadline=None)
@given(
    st.one_of(_LABEL, st.lists(st.tuples(_NUMBER, _LABEL, st.tuples(_LABEL, _LABEL)), max_size=2)),
    st.one_of(_LABEL, st.lists(_ENTRY, max_size=3)),
    st.one_of(st.none(), _LABEL, st.lists(st.lists(_LABEL, max_size=2), max_size=2)),
)
def test_whatever_an_environment_says_is_a_game_or_one_line(start: Any, outcomes: Any, legal: Any) -> None:
    changes = {"initial": lambda: start, "outcomes": lambda: outcomes}
    if legal is not None:
        changes["legal"] = lambda: legal
    for model in (broken(**changes), broken(outcomes=changes["outcomes"])):
        try:
            game = from_steps(model, 2, max_states=100)
        except InputError as refused:
            assert "\n" not in str(refused)
        else:
            check_game(game)


# sizes and caches


class Tree:
    """Every joint action leads to another state."""

    agents, actions = 2, (3, 3)

    def __init__(self) -> None:
        self.calls = 0

    def initial(self) -> list:
        return [(1, (), None)]

    def outcomes(self, state: tuple, joint_action: tuple) -> list:
        self.calls += 1
        return [(1, sum(joint_action), (*state, joint_action), ("on", joint_action[0]), False)]


def test_sizes_are_estimated_before_and_named_in_the_refusal() -> None:
    found = sizes(Tree(), 5)
    assert found.paths == (1.0, 9.0, 81.0, 729.0, 6561.0)
    assert found.states[:3] == pytest.approx((1, 9, 81), rel=0.5)
    model = Tree()
    with pytest.raises(InputError, match=r"limit is 1,000 states") as refused:
        from_steps(model, 12, max_states=1_000)
    assert "joint histories at most about 1, 9, 81, 729, 6,561" in str(refused.value)
    assert model.calls < 5_000
    assert len(from_steps(Tree(), 3, max_states=1_000).states) == 91


def test_an_interrupted_enumeration_goes_on(tmp_path: Any) -> None:
    path = tmp_path / "tree.steps"
    whole = Tree()
    game = from_steps(whole, 4)

    class Stops(Tree):
        def outcomes(self, state: tuple, joint_action: tuple) -> list:
            if self.calls == 1_500:
                raise KeyboardInterrupt
            return super().outcomes(state, joint_action)

    with pytest.raises(KeyboardInterrupt):
        from_steps(Stops(), 4, cache=path, name="Tree")
    kept = path.read_text(encoding="utf-8").count("\n") - 1
    assert kept > 10
    path.write_text(path.read_text(encoding="utf-8")[:-7], encoding="utf-8")  # cut off in the middle of a line
    second = Tree()
    assert from_steps(second, 4, cache=path) == game
    assert path.read_text(encoding="utf-8").count("\n") == 1 + len(game.states)
    third = Tree()
    assert from_steps(third, 4, cache=path) == game  # everything is there


def test_a_cache_of_a_deterministic_step_asks_less(tmp_path: Any) -> None:
    class Grid(Tree):
        deterministic = True

        def outcomes(self, state: tuple, joint_action: tuple) -> list:
            self.calls += 1
            x, y = state or (0, 0)
            place = ((x + joint_action[0]) % 7, (y + joint_action[1]) % 7)
            return [(1, 0, place, place, False)]

    path = tmp_path / "grid"
    first, second = Grid(), Grid()
    game = from_steps(first, 9, cache=path)
    assert from_steps(second, 9, cache=path) == game
    assert second.calls < 0.3 * first.calls


def test_caches_of_something_else_are_refused(tmp_path: Any) -> None:
    path = tmp_path / "cache"
    from_steps(Tree(), 3, cache=path)
    with pytest.raises(InputError, match=r"about another game \(horizon\)"):
        from_steps(Tree(), 2, cache=path)

    class Other(Tree):
        def outcomes(self, state: tuple, joint_action: tuple) -> list:
            return [(1, 7, (*state, joint_action), ("on", joint_action[0]), False)]

    with pytest.raises(InputError, match="does not fit this environment"):
        from_steps(Other(), 3, cache=path, name="Tree")
    for text in ("{}\n", "not json\n", "[1]\n", "x" * 10_000):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(InputError):
            from_steps(Tree(), 3, cache=path)
    with pytest.raises(InputError, match="name a file in a folder that exists"):
        from_steps(Tree(), 3, cache=tmp_path / "no" / "file")


def signed(text: str) -> str:
    return f"{hashlib.sha256(text.encode()).hexdigest()[:16]} {text}"


def test_damaged_lines_are_refused(tmp_path: Any) -> None:
    path = tmp_path / "cache"
    from_steps(Tree(), 3, cache=path)
    lines = path.read_text(encoding="utf-8").splitlines()
    row = lines[1].partition(" ")[2]
    bad = ["[]", "3", "[[1,2]]", row.replace('"1"', '"1/0"'), json.dumps([[0, [["1", 10**6, []]]]] * 9)]
    for damaged in [*map(signed, bad), row, lines[1].replace('"1"', '"2"'), lines[1][1:], ""]:
        path.write_text("\n".join([lines[0], damaged, *lines[2:]]) + "\n", encoding="utf-8")
        with pytest.raises(InputError, match="does not fit"):
            from_steps(Tree(), 3, cache=path)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(st.data())
def test_a_mutated_cache_gives_the_same_game_or_one_line(tmp_path: Any, data: Any) -> None:
    path = tmp_path / "cache"
    if not (tmp_path / "whole").exists():
        from_steps(Tree(), 3, cache=tmp_path / "whole")
    whole = bytearray((tmp_path / "whole").read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(whole)
    try:
        game = from_steps(Tree(), 3, cache=path)
    except InputError as refused:
        assert "\n" not in str(refused)
    else:
        assert game == from_steps(Tree(), 3)


def test_a_limit_of_time_ends_an_enumeration() -> None:
    class Slow(Tree):
        def outcomes(self, state: tuple, joint_action: tuple) -> list:
            time.sleep(0.002)
            return super().outcomes(state, joint_action)

    with pytest.raises(OutOfTime, match="out of time while reading"), Run.lasting(0.05).stage("reading"):
        from_steps(Slow(), 6)


def test_progress_is_told() -> None:
    lines: list[str] = []
    from_steps(Tree(), 3, progress=lines.append)
    assert lines[-1] == "step 3: 91 states"


def test_batches_are_asked_at_once() -> None:
    class Many(Tree):
        outcomes = None  # type: ignore[assignment]

        def outcomes_many(self, pairs: list) -> list:
            self.calls += 1
            return [Tree.outcomes(Tree(), s, a) for s, a in pairs]

    model = Many()
    assert joint_histories(from_steps(model, 3)) == joint_histories(from_steps(Tree(), 3))
    assert model.calls < 12
    short = Many()
    short.outcomes_many = lambda pairs: []  # type: ignore[method-assign]
    with pytest.raises(InputError, match="give one for each"):
        from_steps(short, 3)


class Automaton:
    """A random environment: observations depend on everything, legal actions on the state, some outcomes end it."""

    agents, actions = 2, (("a", "b", "c"),) * 2

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.sets = {s: self.draw_sets() for s in range(4)}
        self.table: dict = {}
        for s in range(4):
            for joint in itertools.product("abc", repeat=2):
                weights = [self.rng.randrange(1, 4) for _ in range(self.rng.randrange(1, 4))]
                self.table[s, joint] = [
                    (
                        F(w, sum(weights)),
                        self.rng.randrange(-2, 3),
                        self.rng.randrange(4),
                        (self.rng.choice("xy"), self.rng.choice("xy")),
                        self.rng.random() < 0.2,
                    )
                    for w in weights
                ]

    def draw_sets(self) -> list:
        return [sorted(self.rng.sample("abc", self.rng.choice([1, 2, 3, 3, 3]))) for _ in range(2)]

    def initial(self) -> list:
        return [(F(1, 3), 0, ("x", "x")), (F(2, 3), 1, ("x", "y"))]

    def legal(self, state: int) -> list:
        return self.sets[state]

    def outcomes(self, state: int, joint_action: tuple) -> list:
        return self.table[state, joint_action]


def told_histories(model: Any, horizon: int) -> dict:
    """By joint history, of which every agent knows observations, legal sets and own actions: chance and rewards."""
    level: dict = {}
    for p, s, seen in model.initial():
        key = tuple(((o, tuple(own)),) for o, own in zip(seen, model.legal(s), strict=True))
        level.setdefault(key, {})[s] = p
    found = {}
    for _ in range(horizon):
        following: dict = {}
        for key, weights in level.items():
            paid = {}
            for joint in itertools.product(*(history[-1][1] for history in key)):
                paid[joint] = F(0)
                for s, p in weights.items():
                    for q, r, s2, seen, over in model.outcomes(s, joint):
                        paid[joint] += p * q * r
                        if not over:
                            longer = tuple(
                                (*key[i], joint[i], (seen[i], tuple(model.legal(s2)[i]))) for i in range(len(key))
                            )
                            belief = following.setdefault(longer, {})
                            belief[s2] = belief.get(s2, F(0)) + p * q
            found[key] = (sum(weights.values()), paid)
        level = following
    return found


def as_told(game: Game) -> dict:
    """The same of a game: names without what tells legal sets apart, and the sets themselves."""
    table = joint_histories(game)
    found = {}
    for key, (chance, _, paid) in table.items():
        if "over" in key[0]:
            assert not any(paid.values())
            continue
        histories = []
        for i, history in enumerate(key):
            parts: list = []
            for k, part in enumerate(history):
                prefix = tuple(h[: k + 1] for h in key)
                parts.append(part if k % 2 else (part.split("-")[0], table[prefix][1][i]))
            histories.append(tuple(parts))
        found[tuple(histories)] = (chance, paid)
    return found


@pytest.mark.parametrize("seed", range(10))
def test_random_environments_come_out_history_by_history(seed: int) -> None:
    model = Automaton(seed)
    for horizon in (1, 2, 3):
        for objective in (None, "kl"):
            game = from_steps(model, horizon, objective=objective)
            assert as_told(game) == told_histories(model, horizon)


@pytest.mark.parametrize("part", ["split_by_observation", "tell_what_is_legal"])
def test_the_comparison_sees_a_part_of_the_folding_that_is_left_out(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folding, part, lambda *_: None)
    wrong = 0
    for seed in range(4):
        model = Automaton(seed)
        try:
            wrong += as_told(from_steps(model, 3)) != told_histories(model, 3)
        except (InputError, KeyError):  # rows of states in which an action is not legal
            wrong += 1
    assert wrong
