"""Candidate maps for near-symmetries: those whose table entries, counted, differ in few places.

Every failing entry of a map makes at most two rows differ, so a map with few failing entries is
found among those whose profiles, the counts of kinds of rows, nearly agree (docs/theory/symmetry.md#automorphisms).
"""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterator

from certify.games.model import GameTables
from certify.symmetry.group import SymmetryGroup
from certify.symmetry.maps import GameMap, Indices

Candidate = tuple[Indices, tuple[Indices, ...], tuple[Indices, ...] | None]
Point = tuple[str, int, int]  # "action" or "observation", agent, index


class Candidates:
    """Maps of agents, actions and observations that may fail in at most `max_entries` entries; of
    agents and actions only (observations None) where `observations` is False.

    Iterate over it; afterwards `exhausted` says whether `max_nodes` sufficed to see them all.
    Images that generators fixing every earlier image exchange are tried once only, which is what
    keeps large groups from being listed element by element.
    """

    def __init__(self, group: SymmetryGroup, max_entries: int, max_nodes: int, *, observations: bool = True) -> None:
        self.game = game = group.game
        self._members = {"action": game.actions} | ({"observation": game.observations} if observations else {})
        self.tolerance = 2 * max_entries
        self.nodes = max_nodes
        self.exhausted = True
        self._moves = [_Moves(g) for g in group.generators]
        self._profiles = _profiles(group.game)

    def __iter__(self) -> Iterator[Candidate]:
        game = self.game
        for agents in itertools.permutations(range(game.number_of_agents)):
            if any(
                game.weights[i] != game.weights[j]
                or len(game.actions[i]) != len(game.actions[j])
                or len(game.observations[i]) != len(game.observations[j])
                for i, j in enumerate(agents)
            ):
                continue
            for chosen in self._assignments(agents):
                maps = {
                    kind: tuple(tuple(chosen[kind, i, k][2] for k in range(len(row))) for i, row in enumerate(rows))
                    for kind, rows in self._members.items()
                }
                yield agents, maps["action"], maps.get("observation")

    def _distance(self, first: tuple, second: tuple) -> int:
        here, there = self._profiles.get(first), self._profiles.get(second)
        if not here and not there:
            return 0
        here, there = here or Counter(), there or Counter()
        return ((here - there) + (there - here)).total()

    def _assignments(self, agents: Indices) -> Iterator[dict[Point, Point]]:
        members = self._members
        sources: list[Point] = [
            (kind, i, k) for kind, rows in members.items() for i, row in enumerate(rows) for k in range(len(row))
        ]
        images = {
            source: [
                target
                for k in range(len(members[source[0]][source[1]]))
                if self._distance((source,), (target := (source[0], agents[source[1]], k),)) <= self.tolerance
            ]
            for source in sources
        }
        # fewest choices first; actions of different agents with one index often belong together
        sources.sort(key=lambda source: (len(images[source]), source[0], source[2], source[1]))
        chosen: dict[Point, Point] = {}
        used: set[Point] = set()

        def extend(depth: int, failing: dict[str, int]) -> Iterator[dict[Point, Point]]:
            if depth == len(sources):
                yield dict(chosen)
                return
            source = sources[depth]
            fixing = [m for m in self._moves if not m.moved & used]
            seen: set[Point] = set()
            for target in images[source]:
                if target in used or target in seen:
                    continue
                if self.nodes <= 0:
                    self.exhausted = False
                    return
                self.nodes -= 1
                _spread(target, fixing, seen)
                chosen[source] = target
                used.add(target)
                kind = source[0]
                total = failing[kind] + self._completed(source, members[kind], chosen)
                if total <= self.tolerance:
                    yield from extend(depth + 1, {**failing, kind: total})
                used.discard(target)
                del chosen[source]

        return extend(0, {"action": 0, "observation": 0})

    def _completed(self, source: Point, rows: tuple, chosen: dict[Point, Point]) -> int:
        """The count distance over the joint actions (or observations) that `source` completes.

        Joint actions partition the entries of P, O and R, joint observations those of O and b0: so
        these distances add up to at most twice the number of failing entries.
        """
        kind, agent, k = source
        options = [
            [k] if i == agent else [m for m in range(len(row)) if (kind, i, m) in chosen] for i, row in enumerate(rows)
        ]
        total = 0
        for joint in itertools.product(*options):
            before = tuple((kind, i, m) for i, m in enumerate(joint))
            after = tuple(sorted(chosen[p] for p in before))
            total += self._distance(before, after)
            if total > self.tolerance:
                break
        return total


def _profiles(game: GameTables) -> dict[tuple[Point, ...], Counter]:
    """How often each action, observation, joint action and joint observation meets each kind of row.

    A row is (s, a) with its reward and the numbers of its transitions, or (a, s') with the numbers
    of its emissions, or a start state with those of b0: an entry that fails makes two rows differ.
    """
    profiles: dict[tuple[Point, ...], Counter] = defaultdict(Counter)

    def note(kind: str, joint: tuple[int, ...], row: tuple) -> None:
        points = tuple((kind, i, k) for i, k in enumerate(joint))
        for group in ((point,) for point in points):
            profiles[group][row] += 1
        if len(points) > 1:
            profiles[points][row] += 1

    for key in {*game.transition, *game.reward}:
        row = ("outcome", game.reward.get(key, 0), tuple(sorted(p for _, p in game.transition.get(key, ()))))
        note("action", key[1], row)
    for (a, _), emitted in game.emission.items():
        note("action", a, ("emission", tuple(sorted(p for _, p in emitted))))
        for o, p in emitted:
            note("observation", o, ("emission", p))
    for _, o, p in game.start:
        note("observation", o, ("start", p))
    return profiles


class _Moves:
    """A generator as a function on action and observation points, with the points that it moves."""

    def __init__(self, mapping: GameMap) -> None:
        self.image = {
            (kind, i, k): (kind, mapping.agents[i], j)
            for kind, rows in (("action", mapping.actions), ("observation", mapping.observations))
            for i, row in enumerate(rows)
            for k, j in enumerate(row)
        }
        self.moved = {p for p, q in self.image.items() if p != q}


def _spread(point: Point, moves: list[_Moves], seen: set[Point]) -> None:
    frontier = [point]
    seen.add(point)
    while frontier:
        p = frontier.pop()
        for q in (m.image[p] for m in moves):
            if q not in seen:
                seen.add(q)
                frontier.append(q)
