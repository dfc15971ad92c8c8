"""OpenSpiel's games as environments that can be enumerated (`certify.from_openspiel`, docs/games.md#openspiel).

Trusted is what its states say: who acts, what is legal, the chances, the returns, the texts of what a player sees.
Not trusted is the game's description of itself, save for which of these texts exist: asking for one that does not
writes to stderr.
"""

from __future__ import annotations

import math
import random
import re
import sys
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, Unpack

from certify.errors import InputError
from certify.exact import whole_number
from certify.games.adapters.normal_form import table_of
from certify.games.adapters.protocol import shown
from certify.games.adapters.quiet import silenced
from certify.games.adapters.rationals import MAX_DENOMINATOR, TOLERANCE, Rationals, add_to
from certify.games.adapters.sizes import PLAYS, Sizes, estimated
from certify.games.adapters.steps import MAX_STATES, StepOptions, named, traced_steps
from certify.games.model import Game
from certify.games.objective import for_objective
from certify.games.potential import potential_game
from certify.run import OutOfTime

PREFIX = "openspiel:"
WAIT = "wait"
_OPTIONS = ("max_states", "max_denominator", "tolerance", "objective")


def is_openspiel(game: Any) -> bool:
    """Whether something is a game of OpenSpiel; does not import it.

    >>> is_openspiel([[1, 0], [0, 1]])
    False
    """
    loaded = sys.modules.get("pyspiel")
    return loaded is not None and isinstance(game, loaded.Game)


def from_openspiel(game: Any, horizon: int | None = None, **options: Unpack[StepOptions]) -> Game:
    """The exact game of a `pyspiel.Game`, or of its name, such as "tiny_hanabi" or "trade_comm(num_items=2)".

    A step is one decision, of everyone who acts at once; whoever does not act waits.  `horizon` None: to the end of
    every play.  Options as in `from_steps`; the name of the result says how near its rationals are to the floats.
    A matrix or tensor game whose payoffs differ becomes its potential, if it has one (docs/games.md#tables).
    Raises `InputError` for sampled chance, payoffs that differ between players, and games that are too large.
    """
    return traced_openspiel(game, horizon, options).game


@dataclass(frozen=True)
class TracedGame:
    """A game read from OpenSpiel, and what its parts are there.

    original : the `pyspiel.Game`.  nodes : per state what a player sees and may do there; the state after the end,
    the last one, has none.  actions : per agent and action the number in OpenSpiel, or `WAIT`.
    """

    game: Game
    original: Any
    nodes: tuple[OpenSpielNode, ...]
    actions: tuple[tuple[Any, ...], ...]


def traced_openspiel(game: Any, horizon: int | None, options: StepOptions) -> TracedGame:
    """The game that `from_openspiel` returns, with what its states and actions are in OpenSpiel."""
    pyspiel = _pyspiel()
    if isinstance(game, str):
        name, game = game, _loaded(pyspiel, game)
    elif isinstance(game, pyspiel.Game):
        name = str(game)
    else:
        raise InputError("from_openspiel", f"a {type(game).__name__}", "give a pyspiel.Game or its name")
    options.setdefault("name", _short_name(name))
    numbers = Rationals(options.get("max_denominator", MAX_DENOMINATOR), options.get("tolerance", TOLERANCE))
    model = OpenSpielModel(game, numbers, whole_number(options.get("max_states", MAX_STATES), "max_states"))
    built = _potential(game, horizon, options, numbers)
    nodes: list[Any]
    if built is not None:
        nodes = [node for _, node, _ in model.initial()]
        actions = [tuple(range(len(own))) for own in built.actions]
    else:
        table, found = traced_steps(model, horizon, options)
        built = found.game
        nodes = [table.states[s] for s in found.origin]
        actions = [tuple(model.actions[i][a] for a in own) for i, own in enumerate(found.actions)]
    name = named(built.name, numbers)
    return TracedGame(replace(built, name=name, source=name), game, tuple(nodes), tuple(actions))


def _potential(game: Any, horizon: int | None, options: StepOptions, numbers: Rationals) -> Game | None:
    """The potential of a matrix or tensor game whose payoffs differ; None for everything else."""
    name = str(options.get("name"))
    original = table_of(game, numbers, name) if horizon in (None, 1) else None
    if original is None or original.common:
        return None
    found = potential_game(original, name, name)
    objective = options.get("objective")
    return found if objective is None else for_objective(found, objective)


def load_openspiel(text: str, horizon: int | None = None, discount: Fraction | None = None) -> Game:
    """The game that `openspiel:NAME(param=value,...)` names, on the command line or for `certify.load`.

    Among the parameters may stand max_states, max_denominator, tolerance and objective, which are ours.

    >>> load_openspiel("openspiel:")
    Traceback (most recent call last):
    certify.errors.InputError: openspiel:: no name; write openspiel:NAME or openspiel:NAME(param=value,...)
    """
    match = re.fullmatch(r"([\w.-]+)(?:\((.*)\))?", text.removeprefix(PREFIX), re.DOTALL)
    if match is None:
        raise InputError(text, "no name", "write openspiel:NAME or openspiel:NAME(param=value,...)")
    theirs, ours = [], {}
    for part in filter(None, _split(match.group(2) or "")):
        key, _, value = (word.strip() for word in part.partition("="))
        if key in _OPTIONS:
            ours[key] = value
        else:
            theirs.append(part)
    name = match.group(1) + (f"({','.join(theirs)})" if theirs else "")
    options: StepOptions = {}
    if discount is not None:
        options["discount"] = discount
    for key, value in ours.items():
        options[key] = value  # type: ignore[literal-required]
    return from_openspiel(name, horizon, **options)


def openspiel_sizes(game: Any, horizon: int | None = None) -> Sizes:
    """Estimates of states and joint histories by step, from random plays, before anything is enumerated."""
    game = _loaded(_pyspiel(), game) if isinstance(game, str) else game
    model = OpenSpielModel(game, Rationals(), sys.maxsize)
    rng = random.Random(0)
    steps = horizon or game.max_game_length()
    return estimated([list(model.walk(rng, steps)) for _ in range(PLAYS)], steps)


def _split(text: str) -> list[str]:
    """Parameters at the outermost level: values may be games themselves."""
    parts, depth, start = [], 0, 0
    for k, c in enumerate(text):
        depth += (c == "(") - (c == ")")
        if c == "," and depth == 0:
            parts.append(text[start:k])
            start = k + 1
    return [*parts, text[start:]]


def _pyspiel() -> Any:
    try:
        import pyspiel
    except ImportError:
        raise InputError(
            "openspiel", "OpenSpiel is not installed", "install the extra: pip install 'certify[openspiel]'"
        ) from None
    return pyspiel


def _loaded(pyspiel: Any, name: str) -> Any:
    head = name.partition("(")[0]
    if head not in pyspiel.registered_names():
        raise InputError(PREFIX + name, f"OpenSpiel has no game {head!r}", "pyspiel.registered_names() lists them")
    try:
        with silenced(2):  # it writes what it raises there, too
            return pyspiel.load_game(name)
    except Exception as error:
        what = " ".join(str(error).split())
        raise InputError(PREFIX + name, f"OpenSpiel says: {what[:200]}", "give the game's own parameters") from None


def _short_name(text: str) -> str:
    name = PREFIX + re.sub(r"\s+", "", text).removesuffix("()")
    return name if name.isprintable() and len(name) <= 200 else name[:200]


class OpenSpielNode:
    """A state of OpenSpiel by what identifies it: the step, its text, and what every player sees."""

    __slots__ = ("key", "seen", "state", "step")

    def __init__(self, state: Any, step: int, seen: tuple[Hashable, ...]) -> None:
        self.state, self.step, self.seen = state, step, seen
        self.key = (step, str(state), seen)

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, OpenSpielNode) and self.key == other.key

    def __repr__(self) -> str:
        return f"{self.state.history_str()!r}"


class OpenSpielModel:
    """A `pyspiel.Game` as a model for `from_steps`.

    Histories are one state where step, text (`str(state)`) and what every player sees agree.  That the text says
    everything is OpenSpiel's word; a second way to every state is followed in parallel and
    must go on alike.
    """

    deterministic = True

    def __init__(self, game: Any, numbers: Rationals, max_states: int) -> None:
        pyspiel = _pyspiel()
        self.game, self.numbers, self.most = game, numbers, max_states
        kind = game.get_type()
        self.name = _short_name(str(game))
        if kind.chance_mode == pyspiel.GameType.ChanceMode.SAMPLED_STOCHASTIC:
            mend = "only games whose chance nodes list their outcomes can be enumerated"
            raise InputError(self.name, "its chance is sampled inside, not listed", mend)
        if kind.dynamics not in (pyspiel.GameType.Dynamics.SEQUENTIAL, pyspiel.GameType.Dynamics.SIMULTANEOUS):
            raise InputError(self.name, "mean field dynamics", "only turns and simultaneous moves are read")
        if kind.action_structs_only:
            raise InputError(self.name, "its actions are structures, not numbers", "such games are not read")
        if kind.provides_information_state_string:
            self.cumulative, self._see = True, "information_state_string"
        elif kind.provides_observation_string:
            self.cumulative, self._see = False, "observation_string"
        else:
            mend = "the game must provide information states or observations as text"
            raise InputError(self.name, "nothing says what a player sees", mend)
        self.agents = tuple(f"player{i}" for i in range(game.num_players()))
        self.actions = tuple((*range(game.num_distinct_actions()), WAIT) for _ in self.agents)
        self._texts: dict[tuple[int, Any], str] = {}
        self._first: dict[OpenSpielNode, OpenSpielNode] = {}
        self._ways: dict[OpenSpielNode, Any] = {}

    def initial(self) -> list[tuple[Fraction, OpenSpielNode, tuple[Hashable, ...]]]:
        """What chance deals before the first decision."""
        dealt = self._settled(self.game.new_initial_state())
        if any(state.is_terminal() for state, _ in dealt):
            raise InputError(self.name, "it may be over before anyone acts", "such a game has no first step")
        return [(p, node, node.seen) for node, p in ((self._node(state, 0), p) for state, p in dealt)]

    def legal(self, node: OpenSpielNode) -> list[list[Any]]:
        """Per player the legal actions, or to wait."""
        sets = self._legal(node.state)
        for i, own in enumerate(sets):
            for a in own:
                if a != WAIT and (i, a) not in self._texts:
                    self._texts[i, a] = node.state.action_to_string(i, a)
        return sets

    def outcomes(self, node: OpenSpielNode, joint: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        """What follows a joint action, chance included; a second way to the state must be followed by the same."""
        found = self._following(node.state, joint, node.step + 1)
        other = self._ways.get(node)
        if other is not None and self._following(other, joint, node.step + 1) != found:
            what = f"{shown(node)} and {shown(other.history_str())} have the same text, and go on differently"
            raise InputError(self.name, what, "its texts do not say all, so its histories cannot be folded")
        outcomes: list[tuple[Any, ...]] = []
        for (reward, after), p in found.items():
            if after is None:
                outcomes.append((p, reward, None, None, True))
            else:
                self._note_way(after)
                outcomes.append((p, reward, after, after.seen, False))
        return outcomes

    def walk(self, rng: random.Random, horizon: int) -> Iterator[tuple[int, Any]]:
        """A random play: the number of branches into each step, and what identifies the state there."""
        state, branches = self._drawn(self.game.new_initial_state(), rng)
        for step in range(horizon):
            if state.is_terminal():
                self._returns(state)
                return
            yield branches, (step, str(state))
            sets = self._legal(state)
            joint = tuple(rng.choice(own) for own in sets)
            state = self._played(state, joint)
            state, drawn = self._drawn(state, rng)
            branches = math.prod(len(own) for own in sets) * drawn

    def action_name(self, agent: int, label: Any) -> str:
        """OpenSpiel's text for an action."""
        return self._texts.get((agent, label), str(label))

    def observation_name(self, agent: int, observation: Hashable) -> str:
        """The text itself; long ones are numbered."""
        return str(observation)

    def _node(self, state: Any, step: int) -> OpenSpielNode:
        try:
            seen = tuple(getattr(state, self._see)(i) for i in range(len(self.agents)))
        except OutOfTime:
            raise
        except Exception as error:
            what = f"{self._see} failed: {shown(str(error))}"
            raise InputError(self.name, what, "the game must say what every player sees at every decision") from None
        return OpenSpielNode(state, step, seen)

    def _legal(self, state: Any) -> list[list[Any]]:
        if state.is_simultaneous_node():
            return [list(state.legal_actions(i)) or [WAIT] for i in range(len(self.agents))]
        mover = state.current_player()
        return [list(state.legal_actions()) if i == mover else [WAIT] for i in range(len(self.agents))]

    def _played(self, state: Any, joint: tuple[Any, ...]) -> Any:
        after = state.clone()
        if state.is_simultaneous_node():
            after.apply_actions([0 if a == WAIT else a for a in joint])
        else:
            after.apply_action(joint[state.current_player()])
        return after

    def _settled(self, state: Any) -> list[tuple[Any, Fraction]]:
        """The decisions and ends below a state, chance resolved."""
        found, open_nodes = [], [(state, Fraction(1))]
        while open_nodes:
            node, weight = open_nodes.pop()
            if not node.is_chance_node():
                found.append((node, weight))
                continue
            chances = node.chance_outcomes()
            where = f"{self.name}, chance after {shown(node.history_str())}"
            numbers = [self.numbers(p, where) for _, p in chances]
            if (total := sum(numbers, Fraction(0)) if len(numbers) > 1 else numbers[0]) != 1:
                mend = "raise max_denominator"
                raise InputError(where, f"probabilities sum to {total} as fractions", mend)
            open_nodes += [
                (node.child(a), weight * p) for (a, _), p in reversed(list(zip(chances, numbers, strict=True)))
            ]
            if len(found) + len(open_nodes) > self.most:
                raise InputError(
                    where, f"more than {self.most:,} outcomes of chance", "raise max_states, or take a smaller game"
                )
        return found

    def _drawn(self, state: Any, rng: random.Random) -> tuple[Any, int]:
        branches = 1
        while state.is_chance_node():
            chances = state.chance_outcomes()
            branches *= len(chances)
            state = state.child(rng.choice(chances)[0])
        return state, branches

    def _returns(self, state: Any) -> Fraction:
        where = f"{self.name}, returns after {shown(state.history_str())}"
        paid = [self.numbers(r, where) for r in state.returns()]
        if len(set(paid)) > 1:
            what = f"payoffs differ between players: {', '.join(map(str, paid))}"
            raise InputError(where, what, "only games with a common payoff are certified")
        return paid[0]

    def _following(
        self, state: Any, joint: tuple[Any, ...], step: int
    ) -> dict[tuple[Fraction, OpenSpielNode | None], Fraction]:
        """Probability of every (reward, next node or None at the end)."""
        found: dict[tuple[Fraction, OpenSpielNode | None], Fraction] = {}
        before = self._returns(state)
        for after, p in self._settled(self._played(state, joint)):
            key = (self._returns(after) - before, None if after.is_terminal() else self._node(after, step))
            add_to(found, key, p)
        return found

    def _note_way(self, node: OpenSpielNode) -> None:
        """Remember the first way to a state, then a second one."""
        first = self._first.setdefault(node, node)
        if first is not node and node not in self._ways and first.state.history() != node.state.history():
            if self._legal(first.state) != self._legal(node.state):
                what = f"{shown(first)} and {shown(node)} have the same text and other legal actions"
                raise InputError(self.name, what, "its texts do not say all, so its histories cannot be folded")
            self._ways[node] = node.state
