"""OpenSpiel's tabular policies as tables of ours, and back (docs/policies.md#openspiel).

OpenSpiel finds a row by the text that a player sees, we by the AOH.  The states of a game read from OpenSpiel know
which of its states they are; so does every AOH, by the states that it is compatible with.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Unpack

from certify.errors import InputError
from certify.games.adapters.openspiel import TracedGame, traced_openspiel
from certify.games.adapters.protocol import shown
from certify.games.adapters.steps import StepOptions
from certify.games.aoh import aoh_key
from certify.games.model import Game
from certify.games.tabulate import PlayedHistory, PolicyTable, tabulate

_Start = tuple[int | None, tuple[tuple[int, int], ...]]  # an AOH: initial observation, steps
_Row = Callable[[str], Mapping[int, Any] | Sequence[Any] | None]


def policy_from_openspiel(
    game: Any, policy: Any, horizon: int | None = None, **options: Unpack[StepOptions]
) -> PolicyTable:
    """The table of a tabular policy of OpenSpiel, for the game of `from_openspiel` with the same arguments.

    policy : a `TabularPolicy` (of `open_spiel.python.policy`, or `pyspiel`'s own), or `{text: {action: number}}`; the
        texts are information states, or observations where the game has none; actions are OpenSpiel's numbers.

    Who does not act waits with probability 1.  After the end, where nothing matters, rows are uniform.
    Raises `InputError` where a text has no row, or a row is no distribution on the legal actions.
    """
    traced = traced_openspiel(game, horizon, options)
    row_of, turns = _rows_by_text(policy), _turns(traced)

    def played(history: PlayedHistory) -> list[Any]:
        turn = turns[history.key]
        if turn is None:
            return [Fraction(int(legal), sum(history.mask)) for legal in history.mask]
        where = f"the policy of OpenSpiel at {shown(turn.text)} ({history.key!r})"
        row = row_of(turn.text)
        if row is None:
            raise InputError(where, "no row", "give a policy of all players for this very game")
        if isinstance(row, str) or not hasattr(row, "__len__"):
            raise InputError(where, f"no row but {shown(row)}", "give {number of action: probability}")
        numbers = row if isinstance(row, Mapping) else dict(enumerate(row))
        if illegal := [a for a, p in numbers.items() if p and a not in turn.legal]:
            mend = f"choose from {', '.join(map(str, sorted(turn.legal)))}"
            raise InputError(where, f"a probability for action {shown(illegal[0])}, which is not legal", mend)
        return [numbers.get(a, 0) if a in turn.legal else 0 for a in turn.actions]

    return tabulate(traced.game, played)


def policy_to_openspiel(
    game: Any, table: Mapping[str, Mapping[str, Any]], horizon: int | None = None, **options: Unpack[StepOptions]
) -> Any:
    """The `TabularPolicy` of `open_spiel.python.policy` that plays a table, for the game of `from_openspiel` with the
    same arguments; numbers are rounded to float64.

    It has a row for every text that is met within the horizon.  Raises `InputError` where an AOH has no row, or where
    OpenSpiel has one text for AOHs at which the table plays differently.
    """
    if not isinstance(table, Mapping):
        raise InputError("policy_to_openspiel", f"a {type(table).__name__} as policy", "give a table of AOHs")
    traced = traced_openspiel(game, horizon, options)
    from open_spiel.python.policy import TabularPolicy

    def read(history: PlayedHistory) -> Any:
        if history.key not in table:
            raise InputError("policy_to_openspiel", f"no row for {history.key!r}", "give a row for every AOH")
        return table[history.key]

    exact = tabulate(traced.game, read)
    states = {node.state.history_str(): node.state for node in traced.nodes}
    policy = TabularPolicy(traced.original, states=states)
    filled: dict[str, tuple[str, dict[Any, Fraction]]] = {}
    for key, turn in _turns(traced).items():
        if turn is None:
            continue
        row = {a: p for a, p in zip(turn.actions, exact[key].values(), strict=True) if a in turn.legal}
        other, same = filled.setdefault(turn.text, (key, row))
        if same != row:
            what = f"{other!r} and {key!r} have the same text in OpenSpiel, {shown(turn.text)}, and other rows"
            raise InputError("policy_to_openspiel", what, "only a policy that plays alike there has a TabularPolicy")
        values = policy.policy_for_key(turn.text)
        values[:] = 0
        for a, p in row.items():
            values[a] = float(p)
    return policy


@dataclass(frozen=True)
class _Turn:
    """What OpenSpiel knows of an AOH at which the player acts.

    text : what the player sees.  legal : its numbers of the legal actions.  actions : of those available at the step,
    in our order.
    """

    text: str
    legal: frozenset[int]
    actions: tuple[Any, ...]


def _turns(traced: TracedGame) -> dict[str, _Turn | None]:
    """By the key of every AOH: its turn in OpenSpiel; None where the player waits or the play is over."""
    game, found = traced.game, dict[str, _Turn | None]()
    for i in range(game.number_of_agents):
        for (initial, steps), states in _compatible_states(game, i).items():
            key = aoh_key(game, i, initial, steps)
            actions = tuple(traced.actions[i][a] for a in game.actions_at(i, len(steps)))
            turns = {_turn(traced, i, s, actions) for s in states}
            if len(turns) > 1:  # the folding keeps histories apart
                texts = " and ".join(sorted("the end" if t is None else shown(t.text) for t in turns))
                mend = "read the rows from the policy yourself, and give them to certify.tabulate"
                raise InputError(game.name, f"{key!r} is several things in OpenSpiel: {texts}", mend)
            found[key] = turns.pop()
    return found


def _turn(traced: TracedGame, agent: int, state: int, actions: tuple[Any, ...]) -> _Turn | None:
    if state >= len(traced.nodes):
        return None
    node = traced.nodes[state]
    if not (node.state.is_simultaneous_node() or node.state.current_player() == agent):
        return None
    legal = frozenset(node.state.legal_actions(agent))
    return _Turn(str(node.seen[agent]), legal, actions) if legal else None


def _compatible_states(game: Game, agent: int) -> dict[_Start, set[int]]:
    """By AOH of the agent, within the horizon: every state that play can be in."""
    moves: dict[int, dict[tuple[int, int], set[int]]] = {}
    for (s, joint), after in game.transition.items():
        for s2, _ in after:
            for told, _ in game.emission[joint, s2]:
                moves.setdefault(s, {}).setdefault((joint[agent], told[agent]), set()).add(s2)
    level: dict[_Start, set[int]] = {}
    for s, told, _ in game.start:
        level.setdefault((told[agent] if told else None, ()), set()).add(s)
    found = dict(level)
    for _ in range(game.horizon - 1):
        following: dict[_Start, set[int]] = {}
        for (initial, steps), states in level.items():
            for s in states:
                for pair, targets in moves.get(s, {}).items():
                    following.setdefault((initial, (*steps, pair)), set()).update(targets)
        found |= following
        level = following
    return found


def _rows_by_text(policy: Any) -> _Row:
    """A function that gives the row of a text, None where there is none."""
    if hasattr(policy, "state_lookup") and hasattr(policy, "policy_for_key"):
        return lambda text: policy.policy_for_key(text) if text in policy.state_lookup else None
    if callable(getattr(policy, "policy_table", None)):
        policy = {text: dict(row) for text, row in policy.policy_table().items()}
    if not isinstance(policy, Mapping):
        mend = "give a TabularPolicy (in games of turns policy.to_tabular() makes one) or {text: {action: number}}"
        raise InputError("policy_from_openspiel", f"a {type(policy).__name__} as policy", mend)
    return policy.get
