"""Completeness a second way, for small games: z3 looks for an automorphism outside the group.

docs/theory/symmetry.md#completeness.  The unknown permutation is a matrix of Booleans; unsat says that the elements
found are all there are.  The first way is the exhausted search of `certify.symmetry.search`.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import z3

from certify.errors import Undecided
from certify.symmetry.compare import flat_tables
from certify.symmetry.group import SymmetryGroup
from certify.symmetry.maps import GameMap
from certify.symmetry.structure import Structure

_MOST_CLAUSES = 200_000


@dataclass(frozen=True)
class ResidualVerdict:
    """`status`: "proved" (no automorphism outside), "refuted" (`missing` is one) or "undecided"."""

    status: str
    missing: GameMap | None = None
    reason: str | None = None


def residual_question(group: SymmetryGroup, *, timeout: float = 60.0, most_elements: int = 1_000) -> ResidualVerdict:
    """Is there an automorphism whose action on agents, actions and observations is not in `group`?

    Undecided where the group has more than `most_elements` elements, the tables are large, or z3
    runs out of `timeout` seconds.

    >>> from certify.games import builtin
    >>> from certify.symmetry.group import symmetries
    >>> residual_question(symmetries(builtin("dectiger"))).status
    'proved'
    """
    structure = Structure(group.game)
    try:
        elements = list(group.elements(most_elements))
        solver, matrix = _automorphisms(structure, timeout)
    except Undecided as reason:
        return ResidualVerdict("undecided", reason=str(reason))
    for g in elements:
        solver.add(z3.Or([z3.Not(matrix[p, q]) for p, q in _points(structure, g).items()]))
    answer = solver.check()
    if answer == z3.unsat:
        return ResidualVerdict("proved")
    if answer == z3.unknown:
        return ResidualVerdict("undecided", reason=f"z3: {solver.reason_unknown()}")
    model = solver.model()
    image = {p: q for (p, q), x in matrix.items() if z3.is_true(model.eval(x, model_completion=True))}
    return ResidualVerdict("refuted", structure.to_map([image[p] for p in range(structure.number_of_points)]))


def _points(structure: Structure, mapping: GameMap) -> dict[int, int]:
    """The map on agents, actions and observations, as points."""
    image = dict(enumerate(mapping.agents))
    for offsets, rows in (
        (structure.action_offset, mapping.actions),
        (structure.observation_offset, mapping.observations),
    ):
        for i, row in enumerate(rows):
            for k, j in enumerate(row):
                image[offsets[i] + k] = offsets[mapping.agents[i]] + j
    return image


def _automorphisms(structure: Structure, timeout: float) -> tuple[z3.Solver, dict[tuple[int, int], z3.BoolRef]]:
    solver = z3.Solver()
    solver.set("timeout", max(1, int(1000 * timeout)))
    size, kind, owner = structure.number_of_points, structure.kind.tolist(), structure.owner.tolist()
    matrix = {(p, q): z3.Bool(f"x_{p}_{q}") for p in range(size) for q in range(size) if kind[p] == kind[q]}
    for p in range(size):
        for line in ([x for (a, _), x in matrix.items() if a == p], [x for (_, b), x in matrix.items() if b == p]):
            solver.add(z3.PbEq([(x, 1) for x in line], 1))
    for (p, q), x in matrix.items():
        if p < len(owner) and owner[p] != p:
            solver.add(z3.Implies(x, matrix[owner[p], owner[q]]) if (owner[p], owner[q]) in matrix else z3.Not(x))
    _preserve_tables(structure, solver, matrix)
    return solver, matrix


def _preserve_tables(structure: Structure, solver: z3.Solver, matrix: dict[tuple[int, int], z3.BoolRef]) -> None:
    """Every entry goes to an entry with the same number; tables are finite, so onto them."""
    clauses = 0
    for entries in flat_tables(structure.game).values():
        classes = defaultdict(list)
        for key, value in entries.items():
            states, action, observation = key
            points = [structure.state_offset + s for s in states]
            per_agent = [
                (
                    *(structure.action_offset[i] + a for a in action[i : i + 1]),
                    *(structure.observation_offset[i] + o for o in observation[i : i + 1]),
                )
                for i in range(structure.game.number_of_agents)
            ]
            classes[value].append((points, per_agent))
        for rows in classes.values():
            clauses += len(rows) ** 2
            if clauses > _MOST_CLAUSES:
                raise Undecided(f"more than {_MOST_CLAUSES} pairs of table entries")
            for row in rows:
                solver.add(z3.Or([_goes_to(row, other, matrix) for other in rows]))


def _goes_to(row: tuple, other: tuple, matrix: dict[tuple[int, int], z3.BoolRef]) -> z3.BoolRef:
    # the entries of the two rows meet as sets: an agent's entry may be sent to any agent's entry
    states = [matrix[p, q] for p, q in zip(row[0], other[0], strict=True)]
    agents = [
        z3.Or(
            [
                z3.And([matrix[p, q] for p, q in zip(entry, target, strict=True)])
                for target in other[1]
                if all((p, q) in matrix for p, q in zip(entry, target, strict=True))
            ]
        )
        for entry in row[1]
    ]
    return z3.And([*states, *agents])
