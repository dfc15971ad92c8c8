"""A game as windows see it: what follows joint actions, and windows that remember symbols of it (docs/windows.md).

Level 0 is before the start: one node, one joint action, and the initial observations are what is seen
of it.  Level u > 0 is step u - 1.  A window is a tuple of symbols, the latest last: all of them up to
level k + 1 (the initial observation included), the last k of them after that.
"""

from __future__ import annotations

import itertools
from fractions import Fraction
from typing import Any

from certify.games.model import FIRST, Game, JointAction

Window = tuple[int, ...]
Node = tuple[int, tuple[Window, ...]]  # state, one window per agent
Symbols = tuple[tuple[tuple[int, ...], ...], ...]  # by agent, action, observation


class WindowedGame:
    """`game` over `horizon` steps for windows of length `k` with own pairs told apart by `symbols`; late windows keep
    `kept` of them."""

    def __init__(self, game: Game, k: int, horizon: int, symbols: Symbols, kept: int) -> None:
        self.game, self.k, self.horizon, self.symbols, self._kept = game, k, horizon, symbols, kept
        self.n = game.number_of_agents
        self.gamma = float(game.discount)
        self.weights = [float(w) for w in game.weights]
        self.flows_back = game.flows_back
        self.pays = [w * game.flows_back for w in self.weights]  # for entropy, in values
        # what a symbol's last observation may be
        self._last = [{x: o for row in rows for o, x in enumerate(row)} for rows in symbols]
        self._rows: dict[tuple[int, JointAction], dict[tuple[int, tuple[int, ...]], Fraction]] = {}
        self._seen: dict[Any, list[tuple[int, tuple[int, ...], Fraction]]] = {}

    def actions(self, level: int) -> list[JointAction]:
        """Joint actions of a level; level 0 has one."""
        return [(0,) * self.n] if level == 0 else list(self.game.joint_actions_at(level - 1))

    def own_actions(self, level: int, agent: int) -> list[int]:
        """Actions of one agent."""
        return [0] if level == 0 else list(self.game.actions_at(agent, level - 1))

    def others_actions(self, level: int, agent: int) -> list[tuple[int, ...]]:
        """Joint actions of the other agents."""
        return list(itertools.product(*(self.own_actions(level, j) for j in range(self.n) if j != agent)))

    def row(self, level: int, state: int, action: JointAction) -> dict[tuple[int, tuple[int, ...]], Fraction]:
        """{(next state, observations): chance}."""
        key = (-1, action) if level == 0 else (state, action)
        known = self._rows.get(key)
        if known is None:
            known = {}
            if level == 0:
                for s, o, p in self.game.start:
                    known[s, o or (0,) * self.n] = known.get((s, o or (0,) * self.n), Fraction(0)) + p
            else:
                for s2, p in self.game.transition.get((state, action), ()):
                    for seen, q in self.game.emission.get((action, s2), ()):
                        known[s2, seen] = known.get((s2, seen), Fraction(0)) + p * q
            self._rows[key] = known
        return known

    def reference(self, level: int, agent: int, window: Window) -> list[Fraction]:
        """The reference of an agent's actions at a window, 0 where illegal."""
        if level == 0:
            return [Fraction(1)]
        last = FIRST
        if self.game.reference and (level > 1 or self.game.start[0][1]):
            last = window[-1] if level == 1 else self._last[agent][window[-1]]
        row = dict(self.game.reference_row(agent, level - 1, last))
        return [row.get(a, Fraction(0)) for a in self.own_actions(level, agent)]

    def legal_actions(self, level: int, node: Node) -> list[JointAction]:
        """Legal joint actions at a node."""
        if not self.game.reference:
            return self.actions(level)
        own = [
            [a for a, p in zip(self.own_actions(level, i), self.reference(level, i, w), strict=True) if p]
            for i, w in enumerate(node[1])
        ]
        return list(itertools.product(*own))

    def symbol(self, level: int, agent: int, action: int, observation: int) -> int:
        """The symbol of an own pair; at level 0 the initial observation."""
        return observation if level == 0 else self.symbols[agent][action][observation]

    def seen(
        self, level: int, state: int, action: JointAction, believed: JointAction | None = None
    ) -> list[tuple[int, tuple[int, ...], Fraction]]:
        """(next state, a symbol per agent, chance); symbols are those of `believed` actions if given."""
        key = (min(level, 1), state, action, believed)
        known = self._seen.get(key)
        if known is None:
            names = believed or action
            total: dict[tuple[int, tuple[int, ...]], Fraction] = {}
            for (s2, seen), p in self.row(level, state, action).items():
                to = s2, tuple(self.symbol(level, i, names[i], seen[i]) for i in range(self.n))
                total[to] = total.get(to, Fraction(0)) + p
            known = self._seen[key] = [(s2, symbols, p) for (s2, symbols), p in total.items()]
        return known

    def extended(self, level: int, window: Window, symbol: int) -> Window:
        """The window one level later."""
        longer = (*window, symbol)
        return longer if level <= self.k else longer[len(longer) - self._kept :]

    def lookback(self, level: int) -> int:
        """How many own symbols a window of this level holds; level - lookback is where a window begins."""
        return level if level <= self.k + 1 else self.k
