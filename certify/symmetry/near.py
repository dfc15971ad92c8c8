"""Near-symmetries: maps that would be symmetries but for a few entries, and those entries.

Such an entry is often a slip in the file.  The search is heuristic (state maps are inferred by
vote); each map it lists is compared with the game exactly (theory, section 8).
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from itertools import islice

from certify.games.model import GameTables
from certify.symmetry.compare import Difference, differences, flat_tables
from certify.symmetry.group import SymmetryGroup
from certify.symmetry.maps import GameMap, Indices
from certify.symmetry.near_candidates import Candidates


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


def near_symmetries(group: SymmetryGroup, *, max_entries: int = 4, max_nodes: int = 20_000,
                    time_limit: float = 30.0) -> NearReport:
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
    deadline = time.monotonic() + time_limit
    game = _numbered(group.game)
    tables = flat_tables(game)
    infer = StateInference(game)
    candidates = Candidates(replace(group, game=game), max_entries, max_nodes)
    orbit = _orbit_numbers(group)
    best: dict[tuple, NearSymmetry] = {}
    in_time = True
    for agents, actions, observations in candidates:
        if time.monotonic() > deadline:
            in_time = False
            break
        states = infer.states(agents, actions, observations, max_entries)
        if states is None:
            continue
        mapping = GameMap(agents, states, actions, observations)
        if not 0 < len(list(islice(differences(game, mapping, tables), max_entries + 1))) <= max_entries:
            continue
        failing = tuple(differences(group.game, mapping))
        pattern = tuple(sorted((d.table, str(d.value), str(d.image_value), _numbers(d.key, orbit),
                                _numbers(d.image, orbit)) for d in failing))
        near = NearSymmetry(mapping, failing)
        if pattern not in best or _moved(mapping) < _moved(best[pattern].mapping):
            best[pattern] = near
    ranked = sorted(best.values(), key=lambda near: (len(near.differences), _moved(near.mapping), near.mapping))
    return NearReport(tuple(ranked), candidates.exhausted and in_time, max_entries)


def _numbered(game: GameTables) -> GameTables:
    """The game with each number replaced by an index (0 by 0): comparisons become cheap."""
    number: dict = {0: 0}

    def index(value: object) -> int:
        return number.setdefault(value, len(number))

    def rows(table: dict) -> dict:
        return {key: tuple((to, index(p)) for to, p in row) for key, row in table.items()}

    return replace(game, start=tuple((s, o, index(p)) for s, o, p in game.start), transition=rows(game.transition),
                   emission=rows(game.emission), reward={key: index(r) for key, r in game.reward.items()})


def _moved(mapping: GameMap) -> int:
    """How many points the map moves: of maps with one pattern, the plainest is shown."""
    return sum(k != j for rows in ((mapping.agents, mapping.states), mapping.actions, mapping.observations)
               for row in rows for k, j in enumerate(row))


def _orbit_numbers(group: SymmetryGroup) -> dict:
    return {(kind, member): number for kind, rows in group.orbits.items()
            for number, orbit in enumerate(rows) for member in orbit}


def _numbers(key: tuple, orbit: dict) -> tuple:
    states, action, observation = key
    return (tuple(orbit["states", s] for s in states),
            tuple(sorted(orbit["actions", (i, a)] for i, a in enumerate(action))),
            tuple(sorted(orbit["observations", (i, o)] for i, o in enumerate(observation))))


class StateInference:
    """The map of states that a map of actions and observations suggests.

    Every transition row votes for the images of its successors, and rewards and emissions for the
    images of their state; so a few wrong rows are outvoted.
    """

    _ROUNDS = 6

    def __init__(self, game: GameTables) -> None:
        self.game = game
        self.start = {(s, o): p for s, o, p in game.start}
        self.features: list[dict] = [{} for _ in game.states]
        for (s, a), r in game.reward.items():
            if r != 0:
                self.features[s][a,] = r
        for (a, s), row in game.emission.items():
            for o, p in row:
                self.features[s][a, o] = p
        self.classes: dict[frozenset, list[int]] = defaultdict(list)
        for t, features in enumerate(self.features):
            self.classes[frozenset(features.items())].append(t)
        self.rows: list[dict] = [{} for _ in game.states]
        for (s, a), row in game.transition.items():
            self.rows[s][a] = row

    def states(self, agents: Indices, actions: tuple[Indices, ...], observations: tuple[Indices, ...],
               max_entries: int) -> Indices | None:
        """The inferred permutation of states, `(number of states,)`; None where rewards and
        emissions alone fail in more than `max_entries` entries, whatever the map of states is."""
        mapping = GameMap(agents, tuple(range(len(self.game.states))), actions, observations)
        likeness = self._likeness(mapping, max_entries)
        if likeness is None:
            return None
        images = self._outwards(mapping, likeness)
        for _ in range(self._ROUNDS):
            votes: dict[int, Counter] = defaultdict(Counter)
            for s, t in enumerate(images):
                self._vote(mapping, s, t, likeness, votes)
            improved = self._assign(votes, likeness)
            if improved == images:
                break
            images = improved
        return images

    def _likeness(self, mapping: GameMap, max_entries: int) -> list[dict[int, float]] | None:
        """For each state, how well rewards, emissions and b0 of others agree with its image (0 to 1)."""
        memo: dict[frozenset, tuple[int, dict[int, float]]] = {}
        likeness = []
        failing = 0
        for features in self.features:
            moved = frozenset(((mapping.joint_action(a), *(mapping.joint_observation(o) for o in rest)), value)
                              for (a, *rest), value in features.items())
            if moved not in memo:
                shared = {key: len(key & moved) for key in self.classes}
                memo[moved] = (min(len(key) + len(moved) - 2 * both for key, both in shared.items()),
                               {t: both / max(1, len(key) + len(moved) - both)
                                for key, both in shared.items() for t in self.classes[key]})
            failing += memo[moved][0]
            if failing > 2 * max_entries:  # an entry that differs counts once here and once there
                return None
            likeness.append(dict(memo[moved][1]))
        for (s, o), p in self.start.items():
            for t in likeness[s]:
                likeness[s][t] += self.start.get((t, mapping.joint_observation(o))) == p
        return likeness

    def _outwards(self, mapping: GameMap, likeness: list[dict[int, float]]) -> Indices:
        """A first guess, from the start states along the transitions."""
        number = len(self.game.states)
        votes: dict[int, Counter] = defaultdict(Counter)
        images: dict[int, int] = {}
        taken: set[int] = set()
        order = [*dict.fromkeys(s for s, _ in self.start), *range(number)]
        while order:
            s = order.pop(0)
            if s in images:
                continue
            free = [t for t in range(number) if t not in taken]
            images[s] = max(free, key=lambda t: (votes[s][t] + likeness[s][t], -t))
            taken.add(images[s])
            self._vote(mapping, s, images[s], likeness, votes)
            order = [*dict.fromkeys(s2 for row in self.rows[s].values() for s2, _ in row if s2 not in images), *order]
        return tuple(images[s] for s in range(number))

    def _vote(self, mapping: GameMap, s: int, target: int, likeness: list[dict[int, float]],
              votes: dict[int, Counter]) -> None:
        there = self.rows[target]
        for a, row in self.rows[s].items():
            by_probability: dict = defaultdict(list)
            for t, q in there.get(mapping.joint_action(a), ()):
                by_probability[q].append(t)
            for s2, p in row:
                options = by_probability.get(p, ())
                for t in options:
                    votes[s2][t] += (1 + likeness[s2][t]) / len(options)

    @staticmethod
    def _assign(votes: dict[int, Counter], likeness: list[dict[int, float]]) -> Indices:
        number = len(likeness)
        ranked = sorted(((votes[s][t] + likeness[s][t], -s, -t) for s in range(number)
                         for t in {*votes[s], *likeness[s]}), reverse=True)
        images: dict[int, int] = {}
        taken: set[int] = set()
        for _, s, t in ranked:
            if -s not in images and -t not in taken:
                images[-s] = -t
                taken.add(-t)
        return tuple(images[s] for s in range(number))
