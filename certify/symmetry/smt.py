"""z3 decides whether a map is a symmetry (docs/theory/symmetry.md#deciding-a-candidate): it searches for a (s, a, s',
o) at which P, O, R or b0 differ under the map.  Unsat is the proof, sat gives the witness, and a timeout
is undecided.  `certify.symmetry.compare` answers the same question by exact arithmetic.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from typing import Any

import z3

from certify.exact import rational_text
from certify.games.model import GameTables
from certify.symmetry.compare import Difference, Key, agent_differences, flat_tables, image_of
from certify.symmetry.maps import GameMap

_BATCH = 500  # entries per query: z3's time grows faster than linearly in the number of facts


@dataclass(frozen=True)
class Verdict:
    """`status` is "proved", "refuted" (with `witness`) or "undecided" (with `reason`).

    `parameters` holds, for parametric games, the values of the symbols at which the map fails.
    """

    status: str
    witness: Difference | None = None
    reason: str | None = None
    parameters: dict[str, str] | None = None
    queries: int = 0


def decide(game: GameTables, mapping: GameMap, *, timeout: float = 60.0) -> Verdict:
    """Whether `mapping` is a symmetry of `game`, by z3 within `timeout` seconds.

    >>> from certify.games import builtin
    >>> from certify.symmetry.maps import read_map
    >>> game = builtin("dectiger")
    >>> decide(game, read_map(game, {"agents": {"agent1": "agent2", "agent2": "agent1"}})).status
    'proved'
    """
    if (difference := next(agent_differences(game, mapping), None)) is not None:
        return Verdict("refuted", difference)
    deadline = time.monotonic() + timeout
    inverse = mapping.inverse()
    queries = 0
    for table, entries in flat_tables(game).items():
        keys = iter(dict.fromkeys([*entries, *(image_of(inverse, key) for key in entries)]))
        while batch := list(islice(keys, _BATCH)):
            left = deadline - time.monotonic()
            if left <= 0:
                return Verdict("undecided", reason=f"z3 ran out of {timeout:g} s", queries=queries)
            queries += 1
            solver, variables = _query(mapping, batch, entries, left)
            answer = solver.check()
            if answer == z3.sat:
                model = solver.model()
                key = _split([model.eval(v).as_long() for v in variables], batch[0])
                image = image_of(mapping, key)
                return Verdict(
                    "refuted",
                    Difference(table, key, image, entries.get(key, Fraction(0)), entries.get(image, Fraction(0))),
                    queries=queries,
                )
            if answer == z3.unknown:
                return Verdict("undecided", reason=f"z3: {solver.reason_unknown()}", queries=queries)
    return Verdict("proved", queries=queries)


def _query(mapping: GameMap, batch: Sequence[Key], entries: dict, seconds: float) -> tuple[z3.Solver, list]:
    """A solver that asks for an entry among `batch` whose image holds another number.

    The table and the parts of the map are uninterpreted functions given by their values.
    """
    integer = z3.IntSort()
    states, actions, observations = (len(part) for part in batch[0])
    agents = range(len(mapping.agents))
    table = z3.Function("T", *[integer] * (states + actions + observations), z3.RealSort())
    state_map = z3.Function("S", integer, integer)
    action_maps = [z3.Function(f"A{i}", integer, integer) for i in agents]
    observation_maps = [z3.Function(f"O{i}", integer, integer) for i in agents]
    solver = z3.Solver()
    solver.set("timeout", max(1, int(1000 * seconds)))
    for key in dict.fromkeys([*batch, *(image_of(mapping, key) for key in batch)]):
        solver.add(table(*_flat(key)) == z3.RealVal(rational_text(entries.get(key, Fraction(0)))))
    for s in sorted({s for key in batch for s in key[0]}):
        solver.add(state_map(s) == mapping.states[s])
    for functions, images in ((action_maps, mapping.actions), (observation_maps, mapping.observations)):
        for function, image in zip(functions, images, strict=True):
            solver.add(*(function(k) == image[k] for k in range(len(image))))
    variables = [z3.Int(f"v{k}") for k in range(states + actions + observations)]
    solver.add(z3.Or([z3.And([v == x for v, x in zip(variables, _flat(key), strict=True)]) for key in batch]))
    image = [state_map(v) for v in variables[:states]]
    for functions, part in (
        (action_maps, variables[states : states + actions]),
        (observation_maps, variables[states + actions :]),
    ):
        moved: list[Any] = [None] * len(part)
        for i, v in enumerate(part):
            moved[mapping.agents[i]] = functions[i](v)
        image += moved
    solver.add(table(*variables) != table(*image))
    return solver, variables


def _flat(key: Key) -> list[int]:
    return [*key[0], *key[1], *key[2]]


def _split(values: Sequence[int], like: Key) -> Key:
    first, second = len(like[0]), len(like[0]) + len(like[1])
    return tuple(values[:first]), tuple(values[first:second]), tuple(values[second:])
