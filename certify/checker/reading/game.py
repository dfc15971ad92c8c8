"""Reads the game that a certificate restates (canonical form) and checks that it is one.

Every number is an exact rational; every row that full-support play can use within the horizon is a
distribution.  Anything else is `Malformed`.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from math import prod
from typing import Any

from certify.checker.reading.envelope import Malformed, array, check_hash, integer, rational, record

_FIELDS = (
    *("format", "version", "name", "agents", "weights", "horizon", "discount", "states", "actions"),
    *("observations", "available", "start", "transition", "emission", "reward"),
)
MAX_HORIZON = 10_000
MAX_JOINT_ACTIONS = 1_000_000
MAX_PAIRS = 10_000_000  # of a reachable state and a joint action, all steps together

Joint = tuple[int, ...]
Read = Callable[[Any, str], Any]


@dataclass(frozen=True)
class Game:
    """A finite-horizon Dec-POMDP; indices everywhere.  Without a reference all available actions are legal and equally
    likely."""

    name: str
    agents: int
    states: int
    sizes: tuple[tuple[int, int], ...]  # per agent the numbers of its actions and of its observations
    horizon: int
    discount: Fraction
    weights: tuple[Fraction, ...]
    actions: tuple[tuple[Joint, ...], ...]  # [i][t]: indices of the actions that agent i has at step t
    start: list[tuple[int, Joint, Fraction]]  # (state, joint initial observation or (), probability)
    transition: dict[tuple[int, Joint], list[tuple[int, Fraction]]]  # [s, a]: (target, probability)
    emission: dict[tuple[Joint, int], list[tuple[Joint, Fraction]]]  # [a, s']: (target, probability)
    reward: dict[tuple[int, Joint], Fraction]  # [s, a], absent means 0
    # [i, o]: {legal action: probability} after agent i's observation o, -1 at the first step without initial ones
    reference: dict[tuple[int, int], dict[int, Fraction]]
    kl: bool = False  # whether the objective pays -KL to the reference, not the entropy (which knows none)
    flows_back: bool = True  # whether what later steps pay beside the reward counts at earlier ones: not if local

    def joint_actions(self, step: int) -> list[Joint]:
        """Joint actions at a step, first agent most significant."""
        return list(itertools.product(*(sets[step] for sets in self.actions)))

    def row(self, agent: int, step: int, last: int) -> dict[int, Fraction]:
        """The reference at a step after the observation `last` (-1: none yet): {legal action: probability}."""
        sets = self.actions[agent][step]
        row = self.reference.get((agent, last), {a: Fraction(1, len(sets)) for a in sets})
        if not row.keys() <= set(sets):
            raise Malformed("game.reference", f"agent {agent}, observation {last}: not available at step {step}")
        return row

    def deciding(self, seen: Joint) -> Joint:
        """What of a joint observation decides what is legal: () where nothing does."""
        seen = seen or (-1,) * self.agents
        return tuple(o if (i, o) in self.reference else -2 for i, o in enumerate(seen)) if self.reference else ()

    def legal(self, step: int, decided: Joint) -> list[Joint]:
        """Legal joint actions at a step, `decided` by the last joint observation."""
        rows = [self.row(i, step, o) for i, o in enumerate(decided)]
        return list(itertools.product(*rows)) if self.reference else self.joint_actions(step)


def game_of(certificate: Any) -> Game:
    """The `Game` of a certificate, which must have the hash that the certificate names."""
    game = read_game(certificate["game"])
    objective = certificate.get("objective")
    if game.reference and objective not in (None, "kl", "local"):
        raise Malformed("certificate.objective", "a game with legal sets or a reference, and neither kl nor local")
    if objective == "local" and any(len(set(row.values())) > 1 for row in game.reference.values()):
        raise Malformed("game.reference", "not uniform on what is legal, and the objective is local")
    check_hash(certificate, "game")
    return replace(game, kl=objective == "kl", flows_back=objective != "local")


def read_game(data: Any) -> Game:
    """The `Game` that a canonical form describes."""
    record(data, "game", _FIELDS, ("reference",))
    if data["format"] != "certify-game" or data["version"] != 1 or data["version"] is True:
        raise Malformed("game", 'not of format "certify-game", version 1')
    if not isinstance(data["name"], str):
        raise Malformed("game.name", "not a string")
    n, states = _count(data["agents"], "game.agents"), _count(data["states"], "game.states")
    if not n or not states:
        raise Malformed("game", "no agents or no states")
    actions, observations = (
        [_count(names, f"game.{kind}[{i}]") for i, names in enumerate(array(data[kind], f"game.{kind}", n))]
        for kind in ("actions", "observations")
    )
    horizon = integer(data["horizon"], "game.horizon", 1, MAX_HORIZON)
    discount = rational(data["discount"], "game.discount")
    if not 0 < discount <= 1:
        raise Malformed("game.discount", "not in (0, 1]")
    weights = tuple(rational(w, "game.weights") for w in array(data["weights"], "game.weights", n))
    if min(weights) <= 0:
        raise Malformed("game.weights", "not positive")

    def state(value: Any, where: str) -> int:
        return integer(value, where, 0, states - 1)

    def joint(counts: list[int]) -> Callable[[Any, str], Joint]:
        return lambda value, where: tuple(
            integer(k, where, 0, count - 1) for k, count in zip(array(value, where, n), counts, strict=True)
        )

    def first_observation(value: Any, where: str) -> Joint:
        return () if value == [] else joint(observations)(value, where)

    start = _entries(data["start"], "game.start", state, first_observation, rational)
    if len({bool(o) for _, o in start}) > 1:
        raise Malformed("game.start", "initial observations on some entries only")
    game = Game(
        data["name"],
        n,
        states,
        tuple(zip(actions, observations, strict=True)),
        horizon,
        discount,
        weights,
        _action_sets(data["available"], actions, horizon),
        [(s, o, p) for (s, o), p in start.items()],
        _entries(data["transition"], "game.transition", state, joint(actions), _row(state)),
        _entries(data["emission"], "game.emission", joint(actions), state, _row(joint(observations))),
        _entries(data["reward"], "game.reward", state, joint(actions), rational),
        _reference(data.get("reference", []), actions, observations),
    )
    reachable(game)
    return game


def _count(value: Any, where: str) -> int:
    """How many different names there are."""
    names = array(value, where)
    if any(not isinstance(name, str) for name in names) or len(set(names)) != len(names):
        raise Malformed(where, "not a list of different names")
    return len(names)


def _action_sets(data: Any, counts: list[int], horizon: int) -> tuple[tuple[Joint, ...], ...]:
    """Per agent and step the tuple of available actions."""
    if 0 in counts:
        raise Malformed("game.actions", "an agent without actions")
    sets = [(tuple(range(count)),) * horizon for count in counts] if data is None else []
    for i, steps in enumerate([] if data is None else array(data, "game.available", len(counts))):
        where = f"game.available[{i}]"
        rows = [
            tuple(integer(a, where, 0, counts[i] - 1) for a in array(step, where))
            for step in array(steps, where, horizon)
        ]
        if any(not row or list(row) != sorted(set(row)) for row in rows):
            raise Malformed(where, "not nonempty ascending lists")
        sets.append(tuple(rows))
    if any(prod(map(len, step)) > MAX_JOINT_ACTIONS for step in zip(*sets, strict=True)):
        raise Malformed("game.actions", f"more than {MAX_JOINT_ACTIONS} joint actions")
    return tuple(sets)


def _reference(data: Any, actions: list[int], observations: list[int]) -> dict[tuple[int, int], dict[int, Fraction]]:
    """Rows [agent, last observation or null, [[action, probability], ..]], positive with sum 1."""
    rows: dict[tuple[int, int], dict[int, Fraction]] = {}
    for k, entry in enumerate(array(data, "game.reference")):
        where = f"game.reference[{k}]"
        agent, seen, row = array(entry, where, 3)
        i = integer(agent, where, 0, len(actions) - 1)
        key = i, -1 if seen is None else integer(seen, where, 0, observations[i] - 1)
        if key in rows:
            raise Malformed(where, "one entry twice")

        def action(value: Any, at: str, count: int = actions[i]) -> int:
            return integer(value, at, 0, count - 1)

        found = _row(action)(row, where)
        _distribution(where, found)
        rows[key] = dict(sorted(found))
    return rows


def _entries(data: Any, where: str, first: Read, second: Read, content: Read) -> dict[Any, Any]:
    """{(first, second): content} of a list of triples, none of them twice."""
    table = {}
    for k, entry in enumerate(array(data, where)):
        at = f"{where}[{k}]"
        one, two, value = array(entry, at, 3)
        key = (first(one, at), second(two, at))
        if key in table:
            raise Malformed(at, "one entry twice")
        table[key] = content(value, at)
    return table


def _row(target: Read) -> Read:
    """Reads the list of (target, number) of an entry."""

    def read(row: Any, at: str) -> list[tuple[Any, Fraction]]:
        pairs = [(target(array(pair, at, 2)[0], at), rational(pair[1], at)) for pair in array(row, at)]
        if len({to for to, _ in pairs}) != len(pairs):
            raise Malformed(at, "one target twice")
        return pairs

    return read


def _distribution(where: str, row: list[tuple[Any, Fraction]]) -> None:
    if any(p <= 0 for _, p in row) or sum(p for _, p in row) != 1:
        raise Malformed(where, "not positive probabilities with sum 1")


def reachable(game: Game) -> list[frozenset[tuple[int, Joint]]]:
    """Per step what full-support legal play can reach: states, each with what decides its legal actions (format,
    section 3); the rows that it uses must be distributions."""
    _distribution("game.start", [(None, p) for _, _, p in game.start])
    reached = [frozenset((s, game.deciding(o)) for s, o, _ in game.start)]
    pairs = 0
    following: dict[Any, set[tuple[int, Joint]]] = {}
    for t in range(game.horizon):
        pairs += len(reached[t]) * prod(len(sets[t]) for sets in game.actions)
        if pairs > MAX_PAIRS:
            raise Malformed("game", f"more than {MAX_PAIRS} pairs of a state and a joint action")
        if t + 1 < game.horizon:
            moves = {(s, a) for s, decided in reached[t] for a in game.legal(t, decided)}
            following.update({move: reached_by(game, *move) for move in sorted(moves - following.keys())})
            reached.append(frozenset().union(*(following[move] for move in moves)))
        else:
            for _, decided in reached[t]:
                game.legal(t, decided)
    return reached


def reached_by(game: Game, s: int, a: Joint) -> set[tuple[int, Joint]]:
    """What can come after state s and joint action a, whose rows must be distributions."""
    row = game.transition.get((s, a), [])
    _distribution(f"game.transition from state {s} under {list(a)}", row)
    found = set()
    for s2, _ in row:
        seen = game.emission.get((a, s2), [])
        _distribution(f"game.emission after {list(a)} in state {s2}", seen)
        found |= {(s2, game.deciding(o)) for o, _ in seen}
    return found
