"""Keys of action-observation histories: the text by which files and results name an information
set (interface, small print), such as `agent1:listen,hear-left/listen,hear-right`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from certify.errors import InputError
from certify.games.model import Game
from certify.games.names import choices, index_of


@dataclass(frozen=True)
class AOH:
    """One action-observation history: the agent's index, its initial observation (None in games
    without any), and the `(action, observation)` pairs of the steps played so far, as indices."""

    agent: int
    initial: int | None = None
    steps: tuple[tuple[int, int], ...] = ()

    @property
    def time(self) -> int:
        """The step at which this history is met, from 0."""
        return len(self.steps)


def aoh_key(game: Game, agent: int, initial: int | None = None, steps: Sequence[tuple[int, int]] = ()) -> str:
    """The key of a history: `AGENT:` and then `action,observation` steps joined by `/`.

    >>> from certify.games import builtin
    >>> aoh_key(builtin("dectiger"), 0, None, [(0, 1)]), aoh_key(builtin("lewis:3"), 1, 3)
    ('agent1:listen,hear-right', 'agent2:,nothing')
    """
    actions, observations = game.actions[agent], game.observations[agent]
    parts = [] if initial is None else [f",{observations[initial]}"]
    parts += [f"{actions[a]},{observations[o]}" for a, o in steps]
    return f"{game.agents[agent]}:{'/'.join(parts)}"


def parse_aoh_key(game: Game, key: str, where: str = "AOH key") -> AOH:
    """The history that a key names; names may also be written as indices.

    Raises `InputError` for unknown names, actions that are not available at their step, a
    missing or needless initial observation, and histories as long as the horizon.  Whether play
    can reach the history is not checked here.

    >>> from certify.games import builtin
    >>> parse_aoh_key(builtin("dectiger"), "agent1:listen,hear-right")
    AOH(agent=0, initial=None, steps=((0, 1),))
    """
    head, colon, history = key.partition(":")
    if not colon:
        raise InputError(where, f"{key!r} has no ':'", "write AGENT:action,observation/...")
    where = f"{where} {key!r}"
    agent = _index(head, game.agents, where, "agent")
    parts = [part.split(",") for part in history.split("/")] if history else []
    if any(len(part) != 2 for part in parts):
        raise InputError(where, "a step that is not a pair", "write each step as action,observation")
    initial = None
    has_initial = bool(game.start[0][1])
    if has_initial:
        if not parts or parts[0][0]:
            raise InputError(
                where,
                "no initial observation",
                f"begin with an empty action, like {head}:,{game.observations[agent][game.start[0][1][agent]]}",
            )
        initial = _index(parts.pop(0)[1], game.observations[agent], where, "observation")
    if len(parts) >= game.horizon:
        raise InputError(
            where,
            f"{len(parts)} steps in a game of horizon {game.horizon}",
            f"name a history of at most {game.horizon - 1}",
        )
    steps = []
    for t, (action, observation) in enumerate(parts):
        if not action and not has_initial:
            raise InputError(where, "an initial observation in a game without any", "leave it out")
        a = _index(action, game.actions[agent], where, "action")
        if a not in game.actions_at(agent, t):
            names = ", ".join(game.actions[agent][b] for b in game.actions_at(agent, t))
            raise InputError(
                where, f"{game.agents[agent]} has no action {action!r} at step {t}", f"choose from {names}"
            )
        steps.append((a, _index(observation, game.observations[agent], where, "observation")))
    return AOH(agent, initial, tuple(steps))


def _index(text: str, names: Sequence[str], where: str, what: str) -> int:
    if (index := index_of(text, names)) is None:
        raise InputError(where, f"unknown {what} {text!r}", choices(names))
    return index
