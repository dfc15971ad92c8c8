"""All automorphisms of a game: generators, exact order, orbits, completeness (docs/theory/symmetry.md#completeness).

The search is `certify.symmetry.search`; here its permutations of points become maps of the game,
each re-verified against the exact tables by an independent comparison.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from certify.errors import InputError, Undecided
from certify.games.load import load
from certify.games.model import GameTables, restrict_to_reachable
from certify.notebook import Facts, Shown
from certify.symmetry.compare import flat_tables, is_symmetry
from certify.symmetry.maps import GameMap, identity_map
from certify.symmetry.search import find_chain, orbits
from certify.symmetry.structure import Structure

Point = tuple


@dataclass(frozen=True, repr=False)
class SymmetryGroup(Shown):
    """The automorphism group of `game` (already restricted to the states asked for).

    Attributes
    ----------
    generators : strong generators relative to `base`, each verified exactly.
    order : number of distinct actions on agents, actions and observations; a lower bound unless
        `complete`.
    state_only_order : number of automorphisms that move nothing but states.
    complete : True is a theorem: no automorphism was missed.  False: the search limit ran out.
    base : points ("agent", i), ("action", i, a), ("observation", i, o), ("state", s).
    orbits : "agents", "actions", "observations", "states" -> tuple of orbits of indices, or of
        (agent, index) pairs.
    """

    game: GameTables
    generators: tuple[GameMap, ...]
    order: int
    state_only_order: int
    complete: bool
    base: tuple[Point, ...]
    orbits: Mapping[str, tuple[tuple, ...]]

    @property
    def status(self) -> str:
        """`proved` if these are all automorphisms, else `undecided`."""
        return "proved" if self.complete else "undecided"

    def facts(self) -> Facts:
        """What a prompt and a notebook show of it."""
        rows = [("order", f"{self.order}" if self.complete else f"at least {self.order}")]
        rows.append(("generators", str(len(self.generators))))
        agents = self.game.agents
        for kind, names in (("actions", self.game.actions), ("observations", self.game.observations)):
            moved = [orbit for orbit in self.orbits[kind] if len(orbit) > 1]
            shown = ["{" + ", ".join(f"{agents[i]}:{names[i][k]}" for i, k in orbit[:8]) + "}" for orbit in moved[:6]]
            rows.append((f"exchanged {kind}", " ".join(shown) or "none"))
        return Facts(f"symmetries of {self.game.name}", self.status, tuple(rows))

    def elements(self, limit: int = 10_000) -> Iterator[GameMap]:
        """One automorphism for each distinct action on agents, actions and observations.

        Raises `Undecided` where the order exceeds `limit`.

        >>> from certify.games import builtin
        >>> len(list(symmetries(builtin("matching-pennies")).elements()))
        4
        """
        if self.order > limit:
            raise Undecided(f"a group of order {self.order} is too large to list (limit {limit})")
        seen = {identity_map(self.game).key}
        frontier = [identity_map(self.game)]
        while frontier:
            current = frontier.pop()
            yield current
            for g in self.generators:
                if (following := g.after(current)).key not in seen:
                    seen.add(following.key)
                    frontier.append(following)


def symmetries(
    game: GameTables | str, *, states: str = "reachable", max_nodes: int = 200_000, accelerate: bool = False
) -> SymmetryGroup:
    """The automorphism group of `game` (or of the game of that name), on its reachable states or on
    `states="all"`.

    `max_nodes` bounds the search; where it runs out the result says `complete=False`.  With
    `accelerate`, igraph (optional) proposes generators, which are re-checked exactly.
    Raises `InputError` for another value of `states`, or where igraph is missing.

    >>> group = symmetries("lever:10:9/10")
    >>> group.order == 2 * math.factorial(9), group.complete, group.orbits["agents"]
    (True, True, ((0, 1),))
    """
    if states not in ("reachable", "all"):
        raise InputError("states", f"{states!r} is unknown", "use reachable or all")
    if isinstance(game, str):
        game = load(game)
    structure = Structure(restrict_to_reachable(game) if states == "reachable" else game)
    seeds: list[np.ndarray] = []
    if accelerate:
        from certify.symmetry.accelerate import igraph_generators

        seeds = igraph_generators(structure)
    chain = find_chain(structure, seeds=seeds, max_nodes=max_nodes)
    generators = tuple(structure.to_map(image) for image in chain.generators)
    tables = flat_tables(structure.game)
    for mapping in generators:
        if not is_symmetry(structure.game, mapping, tables):
            raise AssertionError("two exact comparisons of one map disagree")
    lengths = [(level.point >= structure.state_offset, len(level.orbit)) for level in chain.levels]
    return SymmetryGroup(
        game=structure.game,
        generators=generators,
        order=math.prod(length for on_states, length in lengths if not on_states),
        state_only_order=math.prod(length for on_states, length in lengths if on_states),
        complete=chain.complete,
        base=tuple(structure.describe(level.point) for level in chain.levels),
        orbits=MappingProxyType(_orbits(structure, chain.generators)),
    )


_PLURAL = {"agent": "agents", "action": "actions", "observation": "observations", "state": "states"}


def _orbits(structure: Structure, generators: tuple) -> dict[str, tuple[tuple, ...]]:
    found: dict[str, list[tuple]] = {plural: [] for plural in _PLURAL.values()}
    for orbit in orbits(structure.number_of_points, generators):
        kind, *_ = structure.describe(orbit[0])
        members = [structure.describe(p)[1:] for p in orbit]
        found[_PLURAL[kind]].append(tuple(m if len(m) > 1 else m[0] for m in members))
    return {plural: tuple(rows) for plural, rows in found.items()}
