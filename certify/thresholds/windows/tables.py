"""Sparse tables of a game seen through windows: nodes (state, windows) per level, what follows them, and the
same seen by one agent (docs/windows.md).  Levels and windows are those of `seen`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from certify.games.model import Game, JointAction
from certify.games.reachability import restrict_to_reachable
from certify.thresholds.windows.links import Links, links, row_of
from certify.thresholds.windows.seen import Node, Window, WindowedGame
from certify.thresholds.windows.symbols import lossless_symbols


class TooLarge(Exception):
    """More nodes than the limit."""


@dataclass
class Side:
    """A level as agent i sees it.

    windows : its windows that histories have.  others : joint windows of the other agents, as tuples.
    nodes[w, o, s] : the node, or -1.  own_states, own_windows : pairs (state, own window).
    mimic : Links [pair (a, b), reachable node, others' actions] with P(.|a) - P(.|b) instead of chances.
    own_next : Links [pair (state, own window), own action, others' actions].
    """

    windows: list[Window]
    others: list[tuple[Window, ...]]
    nodes: np.ndarray
    own_windows: np.ndarray
    own_states: np.ndarray
    mimic: Links | None = None
    own_next: Links | None = None


@dataclass
class Level:
    """All nodes of a level: those that play can reach come first (`reachable` of them), then those that only
    the comparison of two own actions needs.

    windows[i] : all windows, those that histories have first; node_windows[i] : index per node.
    actions : joint actions in order, `shape` their numbers per agent.  reward : [node, joint action]; tilt : what the
    reference pays there, not scaled by beta.  legal[i] : [window, action].
    """

    nodes: list[Node]
    reachable: int
    windows: list[list[Window]]
    node_windows: list[np.ndarray]
    shape: tuple[int, ...]
    reward: np.ndarray
    tilt: np.ndarray
    legal: list[np.ndarray]
    sides: list[Side]
    follow: Links | None = None


class Tables(WindowedGame):
    """The levels 0 .. h of a game for windows of length `k`; equal levels are one object.

    Raises `TooLarge` beyond `limit` nodes in one level.
    """

    def __init__(self, game: Game, k: int, limit: int = 100_000) -> None:
        game, self.limit = restrict_to_reachable(game), limit
        symbols = lossless_symbols(game, k > 0 or not game.reference)
        super().__init__(game, k, game.horizon, symbols, kept=k or int(bool(game.reference)))
        reached, closed = self._node_sets()
        self.levels = self._build(reached, closed)

    # Nodes -----------------------------------------------------------------------------------

    def _after(
        self, level: int, node: Node, action: JointAction, believed: JointAction | None = None
    ) -> Iterator[tuple[Node, Fraction]]:
        state, windows = node
        for s2, symbols, p in self.seen(level, state, action, believed):
            yield (s2, tuple(self.extended(level, w, x) for w, x in zip(windows, symbols, strict=True))), p

    def _believed(self, action: JointAction, legal: list[JointAction]) -> Iterator[JointAction]:
        """The joint actions that differ from `action` in one agent's."""
        for i in range(self.n):
            for a in {other[i] for other in legal}:
                if a != action[i]:
                    yield (*action[:i], a, *action[i + 1 :])

    def _node_sets(self) -> tuple[list[frozenset[Node]], list[frozenset[Node]]]:
        """Per level the nodes of full-support play, and those together with all that comparisons need."""
        root: frozenset[Node] = frozenset([(0, ((),) * self.n)])
        reached, closed = [root], [root]
        memory: dict[object, tuple[frozenset[Node], frozenset[Node]]] = {}
        for u in range(self.horizon):
            key = (u > self.k, u == 1, self._signature(u), reached[u], closed[u])
            if key not in memory:
                legal = {e: self.legal_actions(u, e) for e in closed[u]}
                new = frozenset(e2 for e in reached[u] for a in legal[e] for e2, _ in self._after(u, e, a))
                more = {e2 for e in closed[u] - reached[u] for a in legal[e] for e2, _ in self._after(u, e, a)}
                if u > 0:
                    more.update(
                        e2
                        for e in reached[u]
                        for a in legal[e]
                        for b in self._believed(a, legal[e])
                        for e2, _ in self._after(u, e, a, b)
                    )
                memory[key] = new, new | more
            for known, found in zip((reached, closed), memory[key], strict=True):
                known.append(next((k for k in known if k == found), found))
            if len(closed[-1]) > self.limit:
                raise TooLarge(f"more than {self.limit} nodes at one step with windows of length {self.k}")
        return reached, closed

    def _signature(self, level: int) -> tuple[Any, ...]:
        return level == 0, tuple(tuple(self.own_actions(level, i)) for i in range(self.n))

    # Tables ----------------------------------------------------------------------------------

    def _build(self, reached: list[frozenset[Node]], closed: list[frozenset[Node]]) -> list[Level]:
        memory: dict[object, Level] = {}
        levels: list[Level] = []
        later: Level | None = None
        for u in range(self.horizon, -1, -1):
            ahead = None if later is None else (u >= self.k, reached[u + 1], closed[u + 1])
            key = (u > self.k, u == 1, self._signature(u), reached[u], closed[u], ahead)
            if key not in memory:
                memory[key] = self._level(u, reached[u], closed[u], later)
            later = memory[key]
            levels.append(later)
        return levels[::-1]

    def _level(self, u: int, reached: frozenset[Node], closed: frozenset[Node], later: Level | None) -> Level:
        first = sorted(reached)
        nodes = first + sorted(closed - reached)
        actions = self.actions(u)
        shape = tuple(len(self.own_actions(u, i)) for i in range(self.n))
        windows = []
        for i in range(self.n):
            seen = sorted({w[i] for _, w in first})
            windows.append(seen + sorted({w[i] for _, w in nodes} - set(seen)))
        index = [{w: k for k, w in enumerate(ws)} for ws in windows]
        node_windows = [np.array([index[i][w[i]] for _, w in nodes]) for i in range(self.n)]
        reward = np.zeros((len(nodes), len(actions)))
        if u > 0:
            rows: dict[int, list[float]] = {}
            for s in {s for s, _ in nodes}:
                rows[s] = [float(self.game.reward.get((s, a), 0)) for a in actions]
            reward[:] = [rows[s] for s, _ in nodes]
        shares = [[self.reference(u, i, w) for w in ws] for i, ws in enumerate(windows)]
        tilt = np.zeros(reward.shape)
        if self.flows_back and self.game.reference:
            tilt[:] = self._tilts(shares, node_windows)
        legal = [np.array([[p > 0 for p in row] for row in own]) for own in shares]
        level = Level(nodes, len(first), windows, node_windows, shape, reward, tilt, legal, [])
        for i in range(self.n):
            level.sides.append(self._side(level, i, index[i]))
        if later is not None:
            place = {e: k for k, e in enumerate(later.nodes)}
            legal_sets = [set(self.legal_actions(u, e)) for e in nodes]
            level.follow = links(
                (len(nodes), len(actions)),
                (
                    row_of(self._after(u, e, a) if a in moves else (), place)
                    for e, moves in zip(nodes, legal_sets, strict=True)
                    for a in actions
                ),
            )
            for i in range(self.n):
                self._link_side(u, level, later, i, place)
        return level

    def _tilts(self, rows: list[list[list[Fraction]]], node_windows: list[np.ndarray]) -> np.ndarray:
        """[node, joint action]: sum of w log(reference times number of actions), 0 for what is illegal."""
        total = np.zeros((len(node_windows[0]), 1))
        for w, own, place in zip(self.weights, rows, node_windows, strict=True):
            table = w * np.array([[math.log(p * len(row)) if p else 0.0 for p in row] for row in own])
            total = (total[:, :, None] + table[place][:, None, :]).reshape(len(place), -1)
        return total

    def _side(self, level: Level, i: int, index: dict[Window, int]) -> Side:
        first = level.nodes[: level.reachable]
        others = sorted({w[:i] + w[i + 1 :] for _, w in first})
        which = {w: k for k, w in enumerate(others)}
        count = 1 + max(index[w[i]] for _, w in first)
        nodes = np.full((count, len(others), len(self.game.states)), -1)
        for k, (s, w) in enumerate(first):
            nodes[index[w[i]], which[w[:i] + w[i + 1 :]], s] = k
        own = sorted({(s, index[w[i]]) for s, w in first})
        windows, states = (np.array([x[part] for x in own]) for part in (1, 0))
        return Side(level.windows[i][:count], others, nodes, windows, states)

    def _link_side(self, u: int, level: Level, later: Level, i: int, place: dict[Node, int]) -> None:
        side, after = level.sides[i], later.sides[i]
        own_actions, others_actions = self.own_actions(u, i), self.others_actions(u, i)
        if u == 0:
            return
        pairs = [(a, b) for a in own_actions for b in own_actions if a != b]
        side.mimic = links(
            (len(pairs), level.reachable, len(others_actions)),
            (
                self._difference(u, i, node, pair, b, place)
                for pair in pairs
                for node in level.nodes[: level.reachable]
                for b in others_actions
            ),
        )
        own = {
            (int(s), after.windows[w]): k
            for k, (s, w) in enumerate(zip(after.own_states, after.own_windows, strict=True))
        }
        side.own_next = links(
            (len(side.own_states), len(own_actions), len(others_actions)),
            (
                row_of(
                    (
                        ((s2, self.extended(u, side.windows[w], x[i])), p)
                        for s2, x, p in self.seen(u, int(s), (*b[:i], a, *b[i:]))
                        if (s2, self.extended(u, side.windows[w], x[i])) in own
                    ),
                    own,
                )
                for s, w in zip(side.own_states, side.own_windows, strict=True)
                for a in own_actions
                for b in others_actions
            ),
        )

    def _difference(
        self, u: int, i: int, node: Node, pair: tuple[int, int], b: tuple[int, ...], place: dict[Node, int]
    ) -> list[tuple[int, float]]:
        """P(s', o|a) - P(s', o|b) with the node that remembers a, one entry for every (s', o): histories with one
        node may have different values, so differences at one node must not be added up."""
        state, windows = node
        first, second = ((*b[:i], own, *b[i:]) for own in pair)
        if self.game.reference and not {first, second} <= set(self.legal_actions(u, node)):
            return []
        exact = dict(self.row(u, state, first))
        for to, p in self.row(u, state, second).items():
            exact[to] = exact.get(to, Fraction(0)) - p
        result = []
        for (s2, seen), d in exact.items():
            if d:
                names = (self.symbol(u, j, first[j], seen[j]) for j in range(self.n))
                after = tuple(self.extended(u, w, x) for w, x in zip(windows, names, strict=True))
                result.append((place[s2, after], float(d)))
        return result
