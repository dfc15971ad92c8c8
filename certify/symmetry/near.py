"""Near-symmetries: maps that would be symmetries but for a few entries, and those entries.

Such an entry is often a slip in the file.  The search is heuristic (state maps are inferred by
vote); each map it lists is compared with the game exactly (docs/theory/symmetry.md#automorphisms).
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from certify.games.model import GameTables
from certify.symmetry.compare import Difference, differences, flat_tables
from certify.symmetry.group import SymmetryGroup
from certify.symmetry.maps import GameMap
from certify.symmetry.near_candidates import Candidate, Candidates
from certify.symmetry.near_inference import Inference


@dataclass(frozen=True)
class NearSymmetry:
    """`mapping` fails at exactly `differences` (not empty)."""

    mapping: GameMap
    differences: tuple[Difference, ...]


@dataclass(frozen=True)
class NearReport:
    """What was found, fewest failing entries first, one for each pattern of failing entries.

    `exhausted` says whether every map of agents, actions and observations that may fail in at most
    `max_entries` entries was tried within the limits.
    """

    found: tuple[NearSymmetry, ...]
    exhausted: bool
    max_entries: int


def near_symmetries(
    group: SymmetryGroup, *, max_entries: int = 4, max_nodes: int = 20_000, time_limit: float = 30.0
) -> NearReport:
    """Maps of `group.game` that fail in at least one and at most `max_entries` entries.

    Both directions count: two rows that ought to be images of each other and differ in one
    successor make four entries.  `max_nodes` bounds the search for candidates, `time_limit` the
    seconds for everything.

    >>> from certify.games import builtin
    >>> from certify.symmetry.group import symmetries
    >>> report = near_symmetries(symmetries(builtin("lever:4:9/10")), max_entries=2)
    >>> len(report.found), len(report.found[0].differences), report.exhausted
    (1, 2, True)
    """
    began = time.monotonic()
    game = _numbered(group.game)
    tables, infer, orbit = flat_tables(game), Inference(game), _orbit_numbers(group)
    best: dict[tuple, NearSymmetry] = {}
    exhausted = False
    # maps of actions alone are few, and their observations can be inferred: they come first
    for with_observations, seconds in ((False, time_limit / 2), (True, time_limit)):
        exhausted = False
        candidates = Candidates(replace(group, game=game), max_entries, max_nodes, observations=with_observations)
        for agents, actions, observations in candidates if with_observations else sorted(candidates, key=_plainness):
            if time.monotonic() > began + seconds:
                break
            mapping = infer.complete(agents, actions, observations, max_entries)
            if mapping is None:
                continue
            if not 0 < len(list(islice(differences(game, mapping, tables), max_entries + 1))) <= max_entries:
                continue
            near = NearSymmetry(mapping, tuple(differences(group.game, mapping)))
            pattern = tuple(
                sorted(
                    (d.table, str(d.value), str(d.image_value), _numbers(d.key, orbit), _numbers(d.image, orbit))
                    for d in near.differences
                )
            )
            if pattern not in best or _moved(mapping) < _moved(best[pattern].mapping):
                best[pattern] = near
        else:
            exhausted = candidates.exhausted
    ranked = sorted(best.values(), key=lambda near: (len(near.differences), _moved(near.mapping), near.mapping))
    return NearReport(tuple(ranked), exhausted, max_entries)


def _plainness(candidate: Candidate) -> tuple:
    """Maps that do the same to every agent come first, among them those that move little."""
    _, actions, _ = candidate
    return len(set(actions)), sum(k != j for row in actions for k, j in enumerate(row)), candidate[:2]


def _numbered(game: GameTables) -> GameTables:
    """The game with each number replaced by an index (0 by 0): comparisons become cheap."""
    number: dict = {0: 0}

    def index(value: object) -> Any:  # stands where a number stood
        return number.setdefault(value, len(number))

    def rows(table: Mapping[Any, Any]) -> dict[Any, Any]:
        return {key: tuple((to, index(p)) for to, p in row) for key, row in table.items()}

    return replace(
        game,
        start=tuple((s, o, index(p)) for s, o, p in game.start),
        transition=rows(game.transition),
        emission=rows(game.emission),
        reward={key: index(r) for key, r in game.reward.items()},
    )


def _moved(mapping: GameMap) -> int:
    """How many points the map moves: of maps with one pattern, the plainest is shown."""
    return sum(
        k != j
        for rows in ((mapping.agents, mapping.states), mapping.actions, mapping.observations)
        for row in rows
        for k, j in enumerate(row)
    )


def _orbit_numbers(group: SymmetryGroup) -> dict:
    return {
        (kind, member): number
        for kind, rows in group.orbits.items()
        for number, orbit in enumerate(rows)
        for member in orbit
    }


def _numbers(key: tuple, orbit: dict) -> tuple:
    states, action, observation = key
    return (
        tuple(orbit["states", s] for s in states),
        tuple(sorted(orbit["actions", (i, a)] for i, a in enumerate(action))),
        tuple(sorted(orbit["observations", (i, o)] for i, o in enumerate(observation))),
    )
