"""What is maximised beside the reward, and which games an objective is defined for (docs/theory/objective.md,
docs/theory/legal-actions.md, docs/theory/local-bonus.md).

An objective is data for the rest of the house: the reference policy of every class of AOHs, and whether what
later steps pay flows back to earlier ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any, Literal

from certify.errors import InputError
from certify.exact import exact_number
from certify.games.aoh import parse_aoh_key
from certify.games.model import FIRST, Game, check_game
from certify.games.names import choices, index_of
from certify.games.reachability import met_observations, restrict_to_reachable

Objective = Literal["entropy", "kl", "local"]
OBJECTIVES: tuple[Objective, ...] = ("entropy", "kl", "local")
BONUS = {"entropy": "entropy", "kl": "-KL", "local": "entropy"}  # what is paid beside the return, for people
GRADIENTS = ("entropy", "kl")  # those whose flow is the flow of a gradient


def for_objective(game: Game, objective: str, among: Sequence[str] = OBJECTIVES) -> Game:
    """The game as the objective, one of `among`, sees it: `entropy` and `local` know uniform references only.

    Raises `InputError` for an unknown objective, and for `entropy` where legal actions depend on the history.

    >>> from certify.games import builtin
    >>> for_objective(builtin("climbing"), "entropy") == builtin("climbing")
    True
    """
    if objective not in OBJECTIVES:
        raise InputError("objective", f"{objective!r} is unknown", f"choose from {', '.join(OBJECTIVES)}")
    if objective not in among:
        what = f"{objective} is not certified for what is asked here"
        raise InputError("objective", what, f"use {' or '.join(among)}")
    game = replace(game, objective=objective)
    if not game.reference or objective == "kl":
        return game
    uniform = restrict_to_reachable(
        replace(game, reference={key: _uniform(row) for key, row in game.reference.items()})
    )
    if objective == "local" or not uniform.reference:
        return uniform
    raise InputError(
        game.source or game.name,
        f"{_where(uniform)} other actions are legal than elsewhere at that step: the entropy of what is legal "
        "can then break every symmetry, at every temperature (claim 8)",
        "use --objective kl",
    )


def named_in_certificates(game: Game) -> str:
    """What certificates call the objective of the game.

    >>> from certify.games import builtin
    >>> named_in_certificates(builtin("climbing")), named_in_certificates(for_objective(builtin("climbing"), "kl"))
    ('visitation', 'kl')
    """
    return "visitation" if game.objective == "entropy" else game.objective


def with_reference(game: Game, rows: Any, where: str) -> Game:
    """The game with the reference of a document `{agent: {observation or "": {action: number}}}`, or of a table per AOH
    as policies have it, where that depends on the last observation only.

    Rows keep to what the game has as legal there.  Raises `InputError` naming the place.

    >>> from certify.games import builtin
    >>> half = {"": {"0": "1/2", "1": "1/4", "2": "1/4"}}
    >>> with_reference(builtin("lever:3"), {"agent1": half}, "here").reference[0, FIRST][0]
    (0, Fraction(1, 2))
    """
    found = dict(game.reference)
    rows = _object(rows, where)
    if any(":" in str(key) for key in rows):
        rows = _by_last_observation(game, rows, where)
    for agent, entries in rows.items():
        i = _index(agent, game.agents, where)
        for observation, row in _object(entries, f"{where}, {agent}").items():
            at = f"{where}, {agent}, {observation or 'first step'}"
            o = FIRST if not observation else _index(observation, game.observations[i], at)
            numbers = {
                _index(name, game.actions[i], at): exact_number(p, f"{at}, {name}")
                for name, p in _object(row, at).items()
            }
            legal = {a for a, _ in found.get((i, o), ())} or None
            if legal is not None and set(numbers) != legal:
                raise InputError(at, "not one number for every legal action", "name exactly the legal actions")
            if legal is None and game.available is None and len(numbers) != len(game.actions[i]):
                raise InputError(at, "not one number for every action", "name every action")
            found[i, o] = tuple(sorted(numbers.items()))
    return check_game(replace(game, reference=found))


def _by_last_observation(game: Game, table: Mapping[str, Any], where: str) -> dict[str, dict[str, Any]]:
    """A table per AOH by agent and last observation; `InputError` where AOHs with the same one differ."""
    found: dict[str, dict[str, Any]] = {}
    first: dict[tuple[int, int | None], tuple[str, Any]] = {}
    for key, row in table.items():
        x = parse_aoh_key(game, str(key), where)
        last = x.steps[-1][1] if x.steps else x.initial
        numbers = {
            _index(name, game.actions[x.agent], f"{where}, {key}"): exact_number(p, f"{where}, {key}, {name}")
            for name, p in _object(row, f"{where}, {key}").items()
        }
        known, other = first.setdefault((x.agent, last), (str(key), numbers))
        if numbers != other:
            raise InputError(
                f"{where}, {key}",
                f"not the row of {known}, and a reference depends on the step's last observation only",
                "put what else it depends on into the observations of the game",
            )
        name = "" if last is None else game.observations[x.agent][last]
        found.setdefault(game.agents[x.agent], {})[name] = row
    return found


def _object(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise InputError(where, "not an object", 'write {agent: {observation or "": {action: number}}}')
    return value


def _index(name: Any, names: Sequence[str], where: str) -> int:
    if (index := index_of(str(name), names)) is None:
        raise InputError(where, f"unknown name {name!r}", choices(names))
    return index


def _uniform(row: tuple[tuple[int, Fraction], ...]) -> tuple[tuple[int, Fraction], ...]:
    return tuple((a, Fraction(1, len(row))) for a, _ in row)


def _where(game: Game) -> str:
    """An observation after which less is legal than is available at its step."""
    for i, steps in enumerate(met_observations(game)):
        for step, observations in enumerate(steps):
            for o in sorted(observations):
                if o >= FIRST and game.legal(i, step, o) != game.actions_at(i, step):
                    return f"for {game.agents[i]} after {game.observations[i][o]} at step {step}"
    return "somewhere"
