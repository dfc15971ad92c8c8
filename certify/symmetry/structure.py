"""A game as a coloured relational structure, and colour refinement on it (docs/theory/symmetry.md#completeness).

Points are agents, actions, observations and states; every table of the game is a list of rows of
points with a colour.  A permutation of the points is an automorphism of the game exactly if it
preserves types, membership in agents, and every table; refinement computes invariants of that.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from certify.games.model import FIRST, GameTables
from certify.symmetry.maps import GameMap

Colours = np.ndarray  # (number of points,) uint64, invariant under every automorphism

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)


def _mix(values: np.ndarray) -> np.ndarray:
    # splitmix64's finaliser: a collision only merges colours, which costs pruning, never soundness
    values = (values + _GOLDEN).astype(np.uint64)
    values = (values ^ (values >> np.uint64(30))) * _MIX_1
    values = (values ^ (values >> np.uint64(27))) * _MIX_2
    return values ^ (values >> np.uint64(31))


def _salt(number: int) -> np.uint64:
    return np.uint64((0xD1B54A32D192ED03 * (number + 1)) % 2**64)


@dataclass(frozen=True)
class _Table:
    """Rows of one relation: `states` (rows, roles; other points in the reference's table), `actions` and
    `observations` (rows, n) or None.

    `order`, `starts`, `touched` list, per column, the rows sorted by the point they hold, where
    each point's run begins, and which point it is.
    """

    colours: np.ndarray
    states: np.ndarray
    actions: np.ndarray | None
    observations: np.ndarray | None
    incidence: tuple[tuple[int, np.ndarray, np.ndarray, np.ndarray], ...]


class Structure:
    """The points and tables of a game, with everything that refinement needs precomputed.

    Parameters: `game`, already restricted to the states that matter.  Values are compared exactly
    (`Fraction`, or any hashable for parametric games): equal values get equal colours.
    """

    def __init__(self, game: GameTables) -> None:
        self.game = game
        n = game.number_of_agents
        sizes = [n, *(len(row) for row in game.actions), *(len(row) for row in game.observations), len(game.states)]
        offsets = np.concatenate([[0], np.cumsum(sizes)]).tolist()
        self.number_of_points: int = offsets[-1]
        self.action_offset = offsets[1 : 1 + n]
        self.observation_offset = offsets[1 + n : 1 + 2 * n]
        self.state_offset: int = offsets[1 + 2 * n]
        self._palette: dict[tuple[Hashable, ...], int] = {}
        self.owner = np.zeros(self.state_offset, dtype=np.int64)  # the agent point of each non-state point
        for i in range(n):
            self.owner[i] = i
            self.owner[self.action_offset[i] : self.action_offset[i] + len(game.actions[i])] = i
            self.owner[self.observation_offset[i] : self.observation_offset[i] + len(game.observations[i])] = i
        self.kind = self._initial_colours()
        self.tables = self._tables()

    def _colour(self, *value: Hashable) -> int:
        return self._palette.setdefault(value, len(self._palette))

    def meanings(self) -> list[tuple[Hashable, ...]]:
        """What each colour of a point or a row stands for: its type or table, then its values."""
        return list(self._palette)

    def _initial_colours(self) -> np.ndarray:
        game = self.game
        kind = np.empty(self.number_of_points, dtype=np.int64)
        for i, weight in enumerate(game.weights):
            kind[i] = self._colour("agent", weight, len(game.actions[i]), len(game.observations[i]))
            for a in range(len(game.actions[i])):
                steps = () if game.available is None else tuple(a in row for row in game.available[i])
                kind[self.action_offset[i] + a] = self._colour("action", steps)
            for o in range(len(game.observations[i])):
                kind[self.observation_offset[i] + o] = self._colour("observation")
        kind[self.state_offset :] = self._colour("state")
        return kind

    def _tables(self) -> tuple[_Table, ...]:
        game = self.game
        start: list = [((s,), None, o or None, p) for s, o, p in game.start]
        transition = [((s, s2), a, None, p) for (s, a), row in game.transition.items() for s2, p in row]
        emission = [((s,), a, o, p) for (a, s), row in game.emission.items() for o, p in row]
        reward = [((s,), a, None, r) for (s, a), r in game.reward.items() if r != 0]
        named = (("start", start), ("transition", transition), ("emission", emission), ("reward", reward))
        tables = [self._table(name, rows, self.state_offset) for name, rows in named if rows]
        if game.reference:
            tables.append(self._table("reference", self._reference_rows(), 0))
        return tuple(tables)

    def _reference_rows(self) -> list:
        """Entries of the reference as pairs of points: (last observation, or agent at the first step; action)."""
        return [
            ((i if o == FIRST else self.observation_offset[i] + o, self.action_offset[i] + a), None, None, p)
            for (i, o), row in self.game.reference.items()
            for a, p in row
        ]

    def _table(self, name: str, rows: list, offset: int) -> _Table:
        colours = np.array([self._colour(name, value) for *_, value in rows], dtype=np.int64)
        states = np.array([row[0] for row in rows], dtype=np.int64) + offset
        actions = observations = None
        if rows[0][1] is not None:
            actions = np.array([row[1] for row in rows], dtype=np.int64) + np.array(self.action_offset)
        if rows[0][2] is not None:
            observations = np.array([row[2] for row in rows], dtype=np.int64) + np.array(self.observation_offset)
        columns = [(role, states[:, role]) for role in range(states.shape[1])]
        for role, block in ((2, actions), (3, observations)):
            if block is not None:
                columns += [(role, block[:, i]) for i in range(block.shape[1])]
        incidence = []
        for role, column in columns:
            order = np.argsort(column, kind="stable")
            touched, starts = np.unique(column[order], return_index=True)
            incidence.append((role, order, starts, touched))
        return _Table(colours, states, actions, observations, tuple(incidence))

    def initial(self) -> Colours:
        """Colours (number of points,) by type, weight and availability, before any refinement."""
        return _mix(self.kind.astype(np.uint64))

    def individualise(self, colours: Colours, point: int) -> Colours:
        """The same colours with `point` singled out."""
        marked = colours.copy()
        marked[point] = _mix(colours[point : point + 1] ^ _salt(99))[0]
        return marked

    def _round(self, colours: Colours) -> Colours:
        total = np.zeros_like(colours)
        members = np.arange(len(self.owner))
        # membership: a member sees its agent, an agent its members
        total[: self.state_offset] += _mix(colours[self.owner] ^ _salt(0))
        np.add.at(total, self.owner, _mix(colours[members] ^ _salt(1)))
        for number, table in enumerate(self.tables):
            signature = _mix(table.colours.astype(np.uint64) ^ _salt(10 + number))
            for role in range(table.states.shape[1]):
                signature = signature + _mix(colours[table.states[:, role]] ^ _salt(2 + role))
            if table.actions is not None or table.observations is not None:
                part = np.zeros((len(table.colours), self.game.number_of_agents), dtype=np.uint64)
                if table.actions is not None:
                    part += _mix(colours[table.actions] ^ _salt(5))
                if table.observations is not None:
                    part += _mix(colours[table.observations] ^ _salt(6))
                # summed over agents: a row is a set of per-agent entries, not a sequence
                signature = signature + _mix(part).sum(axis=1, dtype=np.uint64)
            signature = _mix(signature)
            for role, order, starts, touched in table.incidence:
                seen = _mix(signature ^ _salt(20 + role))
                total[touched] += np.add.reduceat(seen[order], starts)
        return _mix(_mix(colours ^ _salt(7)) + total)

    def refine(self, colours: Colours, rounds: int | None = None) -> tuple[Colours, int]:
        """Colour refinement: `(stable colours, rounds)`; with `rounds` given, exactly so many.

        If g is an automorphism and `right[g(p)] == left[p]` for all p, the same holds after the
        same number of rounds: so unequal multisets of colours prove that no such g exists.
        """
        classes = len(np.unique(colours))
        done = 0
        while rounds is None or done < rounds:
            colours = self._round(colours)
            done += 1
            if rounds is None:
                now = len(np.unique(colours))
                if now == classes:
                    break
                classes = now
        return colours, done

    def is_automorphism(self, image: np.ndarray) -> bool:
        """Whether the permutation `image` (number of points,) is an automorphism: exact comparison."""
        if not np.array_equal(self.kind[image], self.kind):
            return False
        if not np.array_equal(image[self.owner], self.owner[image[: self.state_offset]]):
            return False
        return all(self._preserves(table, image) for table in self.tables)

    def _preserves(self, table: _Table, image: np.ndarray) -> bool:
        agents = np.argsort(image[: self.game.number_of_agents])  # the agent sent to each place

        def columns(states: np.ndarray, *blocks: np.ndarray | None) -> list[np.ndarray]:
            return [table.colours, *states.T, *(col for block in blocks if block is not None for col in block.T)]

        before = columns(table.states, table.actions, table.observations)
        after = columns(
            image[table.states],
            None if table.actions is None else image[table.actions][:, agents],
            None if table.observations is None else image[table.observations][:, agents],
        )
        first, second = np.lexsort(before), np.lexsort(after)
        return all(np.array_equal(x[first], y[second]) for x, y in zip(before, after, strict=True))

    def to_map(self, image: Sequence[int] | np.ndarray) -> GameMap:
        """The permutation of points as a `GameMap`."""
        points = [int(p) for p in image]
        n = self.game.number_of_agents
        agents = tuple(points[:n])

        def block(offsets: list[int], sizes: list[int]) -> tuple[tuple[int, ...], ...]:
            return tuple(
                tuple(p - offsets[agents[i]] for p in points[offsets[i] : offsets[i] + sizes[i]]) for i in range(n)
            )

        return GameMap(
            agents,
            tuple(p - self.state_offset for p in points[self.state_offset :]),
            block(self.action_offset, [len(row) for row in self.game.actions]),
            block(self.observation_offset, [len(row) for row in self.game.observations]),
        )

    def describe(self, point: int) -> tuple:
        """The point as certificates write it: ("agent", i), ("action", i, a), ("observation", i, o)
        or ("state", s)."""
        if point >= self.state_offset:
            return "state", point - self.state_offset
        agent = int(self.owner[point])
        if point < self.game.number_of_agents:
            return "agent", point
        if point >= self.observation_offset[0]:
            return "observation", agent, point - self.observation_offset[agent]
        return "action", agent, point - self.action_offset[agent]
