"""Chance posteriors within a window: given the state where it begins and the joint symbols since, the belief
over states does not depend on any policy (docs/windows.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from certify.thresholds.windows.seen import Window
from certify.thresholds.windows.tables import Tables

LEAST = 1e-14  # chances below are taken for impossible


@dataclass
class Back:
    """From a level back to the one before, on the way to where the window begins.

    chance[start, own window at the top, others' window, their action, slot] : of the own symbol and the slot;
    slot[others' window, action, slot] : the others' next window.
    """

    chance: np.ndarray
    slot: np.ndarray

    @cached_property
    def _parts(self) -> list[list[tuple[np.ndarray, np.ndarray]]]:
        actions, depth = self.slot.shape[1:]
        return [
            [(np.ascontiguousarray(self.chance[..., a, d]), self.slot[:, a, d]) for d in range(depth)]
            for a in range(actions)
        ]

    def means(self, x: np.ndarray) -> list[np.ndarray]:
        """Per action of the others, sums of chances times x [..., start, own window, others' window later]."""
        found = []
        for row in self._parts:
            total = row[0][0] * np.take(x, row[0][1], -1)
            for chance, slot in row[1:]:
                total += chance * np.take(x, slot, -1)
            found.append(total)
        return found


@dataclass
class Trail:
    """What agent i's posterior at a level needs, back to where the window begins (or a later level).

    starts : states there.  belief[start, own window, others' window, state] at the top, 0 where they do not go
    together.  back : from the top downwards.  possible[start, others' window] at the beginning.
    """

    starts: list[int]
    belief: np.ndarray
    back: list[Back]
    possible: np.ndarray

    @property
    def together(self) -> np.ndarray:
        """[start, own window, others' window]."""
        found: np.ndarray = self.belief.sum(-1) > 0
        return found


class Beliefs:
    """Posteriors and what hangs on them, cached by level."""

    def __init__(self, tables: Tables) -> None:
        self.tables = tables
        self.states = len(tables.game.states)
        self._vectors: dict[tuple, np.ndarray] = {}
        self._matrices: dict[tuple, dict[tuple[int, ...], np.ndarray]] = {}
        self._trails: dict[tuple, Trail] = {}
        self._first: dict[tuple[int, int], tuple[int, int]] = {}
        for s, action in tables.game.transition:
            for _, seen in tables.row(1, s, action):
                for j in range(tables.n):
                    x = tables.symbol(1, j, action[j], seen[j])
                    self._first[j, x] = min(self._first.get((j, x), (action[j], seen[j])), (action[j], seen[j]))

    def starts(self, level: int) -> list[int]:
        """The states that play can reach at a level."""
        begins = self.tables.levels[level]
        return sorted({s for s, _ in begins.nodes[: begins.reachable]})

    def _kernel(self, level: int, i: int, symbol: int, others: tuple[int, ...]) -> dict[tuple[int, ...], np.ndarray]:
        """{others' symbols: [state, next state]}: chances after the others' actions, with the pair that stands for
        agent i's symbol."""
        key = (level == 0, i, symbol, others)
        if key not in self._matrices:
            tables = self.tables
            a, o = (0, symbol) if level == 0 else self._first[i, symbol]
            joint = (*others[:i], a, *others[i:])
            found: dict[tuple[int, ...], np.ndarray] = {}
            for s in range(self.states) if level else (0,):
                if level and (s, joint) not in tables.game.transition:
                    continue
                for (s2, seen), p in tables.row(level, s, joint).items():
                    if seen[i] == o:
                        symbols = tuple(tables.symbol(level, j, joint[j], seen[j]) for j in range(tables.n) if j != i)
                        matrix = found.setdefault(symbols, np.zeros((self.states, self.states)))
                        matrix[s, s2] += float(p)
            self._matrices[key] = found
        return self._matrices[key]

    def _joint_kernel(self, level: int, symbols: tuple[int, ...]) -> np.ndarray:
        others = tuple(0 if level == 0 else self._first[j, x][0] for j, x in enumerate(symbols) if j > 0)
        found = self._kernel(level, 0, symbols[0], others)
        return found.get(symbols[1:], np.zeros((self.states, self.states)))

    def vectors(self, start: int, joint: tuple[Window, ...]) -> np.ndarray:
        """[start state, state]: beliefs after the joint symbols since level `start`; 0 where impossible."""
        starts, length = self.starts(start), len(joint[0])
        key = (start == 0, tuple(starts), joint)
        if key not in self._vectors:
            if length == 0:
                found = np.zeros((len(starts), self.states))
                found[np.arange(len(starts)), starts] = 1
            else:
                before = self.vectors(start, tuple(w[:-1] for w in joint))
                found = before @ self._joint_kernel(start + length - 1, tuple(w[-1] for w in joint))
                total = found.sum(-1, keepdims=True)
                found = np.where(total > LEAST, found / np.maximum(total, LEAST), 0.0)
            self._vectors[key] = found
        return self._vectors[key]

    def trail(self, top: int, i: int, lookback: int) -> Trail:
        """`Trail` of agent i from level `top` back to level top - lookback."""
        levels = self.tables.levels
        key = (i, lookback, top == lookback, *(id(levels[u]) for u in range(top - lookback, top + 1)))
        if key not in self._trails:
            self._trails[key] = self._trail(top, i, lookback)
        return self._trails[key]

    def _trail(self, top: int, i: int, lookback: int) -> Trail:
        levels, begin = self.tables.levels, top - lookback
        side = levels[top].sides[i]
        starts = self.starts(begin)
        own = [_last(w, lookback) for w in side.windows]
        belief = np.zeros((len(starts), len(own), len(side.others), self.states))
        for k, w in enumerate(own):
            for o, ws in enumerate(side.others):
                others = tuple(_last(x, lookback) for x in ws)
                found = self.vectors(begin, (*others[:i], w, *others[i:]))
                # a start that the older symbols rule out would put weight on nodes that do not exist
                meet = (found[:, side.nodes[k, o] < 0] == 0).all(1)
                belief[:, k, o] = np.where(meet[:, None], found, 0.0)
        first = levels[begin].sides[i]
        there: np.ndarray = np.any(first.nodes >= 0, axis=0)
        possible = there[:, starts].T
        back = [self._back(top, i, begin, u, own) for u in range(top - 1, begin - 1, -1)]
        return Trail(starts, belief, back, possible)

    def _back(self, top: int, i: int, begin: int, u: int, own: list[Window]) -> Back:
        """From level u + 1 to u: own symbols up to u are known."""
        tables, known = self.tables, u - begin
        side, after = tables.levels[u].sides[i], tables.levels[u + 1].sides[i]
        place = {ws: k for k, ws in enumerate(after.others)}
        actions = tables.others_actions(u, i)
        starts = self.starts(begin)
        entries: dict[tuple[int, int], dict[int, np.ndarray]] = {}
        for o, ws in enumerate(side.others):
            recent = tuple(_last(x, known) for x in ws)
            for c, b in enumerate(actions):
                row = entries.setdefault((o, c), {})
                memory: dict[Window, list[tuple[int, np.ndarray]]] = {}
                for k, w in enumerate(own):
                    so_far = w[: known + 1]
                    if so_far not in memory:
                        belief = self.vectors(begin, (*recent[:i], so_far[:-1], *recent[i:]))
                        memory[so_far] = []
                        for symbols, matrix in self._kernel(u, i, so_far[-1], b).items():
                            chance = (belief @ matrix).sum(-1)
                            to = place.get(tuple(tables.extended(u, x, y) for x, y in zip(ws, symbols, strict=True)))
                            if to is not None and (chance > 0).any():
                                memory[so_far].append((to, chance))
                    for to, chance in memory[so_far]:
                        row.setdefault(to, np.zeros((len(starts), len(own))))[:, k] += chance
        depth = max(1, *map(len, entries.values()))
        slot = np.zeros((len(side.others), len(actions), depth), dtype=np.int64)
        found = np.zeros((len(starts), len(own), *slot.shape))
        for (o, c), row in entries.items():
            for d, (to, chance) in enumerate(row.items()):
                slot[o, c, d], found[:, :, o, c, d] = to, chance
        return Back(found, slot)


def _last(window: Window, count: int) -> Window:
    return window[len(window) - count :]
