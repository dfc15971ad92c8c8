"""Reads the game that a certificate restates (canonical form) and checks that it is one.

Every number is an exact rational; every row that full-support play can use within the horizon is a
distribution.  Anything else is `Malformed`.
"""

import itertools
from dataclasses import dataclass
from fractions import Fraction
from math import prod

from certify.checker.reading.envelope import Malformed, array, integer, rational, record

_FIELDS = (
    "format",
    "version",
    "name",
    "agents",
    "weights",
    "horizon",
    "discount",
    "states",
    "actions",
    "observations",
    "available",
    "start",
    "transition",
    "emission",
    "reward",
)
MAX_HORIZON = 10_000
MAX_JOINT_ACTIONS = 1_000_000
MAX_PAIRS = 10_000_000  # of a reachable state and a joint action, all steps together


@dataclass(frozen=True)
class Game:
    """A finite-horizon Dec-POMDP; indices everywhere.

    `start`: (state, joint initial observation or (), probability); `transition[s, a]` and
    `emission[a, s']`: lists of (target, probability); `reward[s, a]`, absent means 0;
    `actions[i][t]`: indices of the actions that agent i has at step t.
    """

    name: str
    agents: int
    states: int
    horizon: int
    discount: Fraction
    weights: tuple
    actions: tuple
    start: list
    transition: dict
    emission: dict
    reward: dict

    def joint_actions(self, step):
        """Joint actions at a step, first agent most significant."""
        return list(itertools.product(*(sets[step] for sets in self.actions)))


def read_game(data):
    """The `Game` that a canonical form describes."""
    record(data, "game", _FIELDS)
    if data["format"] != "certify-game" or data["version"] != 1 or data["version"] is True:
        raise Malformed("game", 'not of format "certify-game", version 1')
    if not isinstance(data["name"], str):
        raise Malformed("game.name", "not a string")
    agents = _names(data["agents"], "game.agents")
    states = _names(data["states"], "game.states")
    if not agents or not states:
        raise Malformed("game", "no agents or no states")
    n = len(agents)
    counts = [
        len(_names(names, f"game.actions[{i}]")) for i, names in enumerate(array(data["actions"], "game.actions", n))
    ]
    seen = [
        len(_names(names, f"game.observations[{i}]"))
        for i, names in enumerate(array(data["observations"], "game.observations", n))
    ]
    horizon = integer(data["horizon"], "game.horizon", 1, MAX_HORIZON)
    discount = rational(data["discount"], "game.discount")
    if not 0 < discount <= 1:
        raise Malformed("game.discount", "not in (0, 1]")
    weights = tuple(rational(w, "game.weights") for w in array(data["weights"], "game.weights", n))
    if min(weights) <= 0:
        raise Malformed("game.weights", "not positive")

    def state(value, where):
        return integer(value, where, 0, len(states) - 1)

    def action(value, where):
        return tuple(integer(a, where, 0, counts[i] - 1) for i, a in enumerate(array(value, where, n)))

    def observation(value, where):
        return tuple(integer(o, where, 0, seen[i] - 1) for i, o in enumerate(array(value, where, n)))

    start = []
    initial = None
    for k, entry in enumerate(array(data["start"], "game.start")):
        where = f"game.start[{k}]"
        s, o, p = array(entry, where, 3)
        o = () if o == [] else observation(o, where)
        if initial not in (None, o == ()):
            raise Malformed(where, "initial observations on some entries only")
        initial = o == ()
        start.append((state(s, where), o, rational(p, where)))
    if len({(s, o) for s, o, _ in start}) != len(start):
        raise Malformed("game.start", "one target twice")
    game = Game(
        data["name"],
        n,
        len(states),
        horizon,
        discount,
        weights,
        _action_sets(data["available"], counts, horizon),
        start,
        _table(data["transition"], "game.transition", state, action, state),
        _table(data["emission"], "game.emission", action, state, observation),
        _rewards(data["reward"], state, action),
    )
    _check_rows(game)
    return game


def _names(value, where):
    names = array(value, where)
    if any(not isinstance(name, str) for name in names) or len(set(names)) != len(names):
        raise Malformed(where, "not a list of different names")
    return names


def _action_sets(data, counts, horizon):
    """Per agent and step the tuple of available actions."""
    if 0 in counts:
        raise Malformed("game.actions", "an agent without actions")
    if data is None:
        sets = tuple((tuple(range(c)),) * horizon for c in counts)
    else:
        sets = []
        for i, steps in enumerate(array(data, "game.available", len(counts))):
            where = f"game.available[{i}]"
            rows = [
                tuple(integer(a, where, 0, counts[i] - 1) for a in array(step, where))
                for step in array(steps, where, horizon)
            ]
            if any(not row or list(row) != sorted(set(row)) for row in rows):
                raise Malformed(where, "not nonempty ascending lists")
            sets.append(tuple(rows))
        sets = tuple(sets)
    for t in range(horizon):
        size = 1
        for steps in sets:
            size *= len(steps[t])
        if size > MAX_JOINT_ACTIONS:
            raise Malformed("game.actions", f"more than {MAX_JOINT_ACTIONS} joint actions")
    return sets


def _table(data, where, first, second, target):
    table = {}
    for k, entry in enumerate(array(data, where)):
        at = f"{where}[{k}]"
        one, two, row = array(entry, at, 3)
        key = (first(one, at), second(two, at))
        pairs = [(target(array(pair, at, 2)[0], at), rational(pair[1], at)) for pair in array(row, at)]
        if key in table or len({to for to, _ in pairs}) != len(pairs):
            raise Malformed(at, "one entry twice")
        table[key] = pairs
    return table


def _rewards(data, state, action):
    rewards = {}
    for k, entry in enumerate(array(data, "game.reward")):
        at = f"game.reward[{k}]"
        s, a, r = array(entry, at, 3)
        key = (state(s, at), action(a, at))
        if key in rewards:
            raise Malformed(at, "one entry twice")
        rewards[key] = rational(r, at)
    return rewards


def _distribution(where, row):
    if any(p <= 0 for _, p in row) or sum(p for _, p in row) != 1:
        raise Malformed(where, "not positive probabilities with sum 1")


def reachable_states(game):
    """Per step the set of states that full-support play can reach (format, section 3)."""
    reached = [frozenset(s for s, _, _ in game.start)]
    pairs = 0
    for t in range(game.horizon):
        pairs += len(reached[t]) * prod(len(sets[t]) for sets in game.actions)
        if pairs > MAX_PAIRS:
            raise Malformed("game", f"more than {MAX_PAIRS} pairs of a state and a joint action")
        if t + 1 == game.horizon:
            break
        reached.append(
            frozenset(
                s2 for a in game.joint_actions(t) for s in reached[t] for s2, _ in game.transition.get((s, a), ())
            )
        )
    return reached


def _check_rows(game):
    _distribution("game.start", [(None, p) for _, _, p in game.start])
    transitions, emissions = set(), set()
    for t, states in enumerate(reachable_states(game)[:-1]):
        new = {(s, a) for s in states for a in game.joint_actions(t)} - transitions
        transitions |= new
        for s, a in new:
            row = game.transition.get((s, a), [])
            _distribution(f"game.transition from state {s} under {list(a)}", row)
            for s2, _ in row:
                if (a, s2) not in emissions:
                    emissions.add((a, s2))
                    _distribution(f"game.emission after {list(a)} in state {s2}", game.emission.get((a, s2), []))
