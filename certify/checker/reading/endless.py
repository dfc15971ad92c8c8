"""A game of any number of steps seen through windows (docs/certificate-windows.md, "Every horizon").

One level stands for all steps: what any number of them can reach.  Before the start are blank steps, which leave
the state as it is, so that every window holds k symbols.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from functools import partial

from certify.checker.reading.envelope import Malformed
from certify.checker.reading.game import Game, Joint
from certify.checker.reading.windows import MAX_WINDOW_NODES, Level, Node, Trail, Window, WindowProcess

BLANK = -1


class EndlessProcess(WindowProcess):
    """Levels 0 .. before + 1 + last, all of them one: the `last` steps at the end, then (level `common`) any step
    before them, and steps before that."""

    def __init__(self, game: Game, k: int, symbols: list[list[list[int]]], last: int, before: int) -> None:
        self.common = before + 1
        super().__init__(replace(game, horizon=last + before + 1), k, symbols)
        self._standing |= {(i, BLANK): (0, 0) for i in range(self.n)}

    def own_actions(self, level: int, i: int) -> tuple[int, ...]:
        """The same at every level."""
        return self.game.actions[i][0]

    def joint_actions(self, level: int) -> list[Joint]:
        """The same at every level."""
        return self.game.joint_actions(0)

    def symbol(self, level: int, i: int, action: int, observation: int) -> int:
        """The symbol of an own pair; initial observations are not looked at."""
        return self.symbols[i][action][observation]

    def extended(self, level: int, window: Window, symbol: int) -> Window:
        """The last k symbols."""
        return (*window, symbol)[len(window) + 1 - self.k :]

    def lookback(self, level: int) -> int:
        """Always k."""
        return self.k

    def _levels(self) -> list[Level]:
        joint = self.joint_actions(1)
        reached = self._closure({(s, ((BLANK,) * self.k,) * self.n) for s, _, _ in self.game.start})
        beside = {
            e2
            for e in reached
            for a in joint
            for i in range(self.n)
            for b in self.own_actions(1, i)
            for e2 in self.after(1, e, a, (*a[:i], b, *a[i + 1 :]))
        }
        level = Level(frozenset(reached), frozenset(reached | self._closure(beside)), joint, partial(self.reference, 1))
        return [level] * (self.game.horizon + 1)

    def _closure(self, first: set[Node]) -> set[Node]:
        found = new = first
        while new:
            new = {e2 for e in new for a in self.joint_actions(1) for e2 in self.after(1, e, a)} - found
            found = found | new
            if len(found) > MAX_WINDOW_NODES:
                raise Malformed("proof.k", f"more than {MAX_WINDOW_NODES} nodes")
        return found

    def _seen_by(self, level: int, i: int, symbol: int, others: Joint, state: int) -> list[tuple[int, Joint, Fraction]]:
        if symbol == BLANK:
            return [(state, (BLANK,) * (self.n - 1), Fraction(1))]
        return super()._seen_by(1, i, symbol, others, state)

    def posterior(self, begin: int, start: int, joint: tuple[Window, ...]) -> dict[int, Fraction]:
        """The same wherever the window begins."""
        return super().posterior(1, start, joint)

    def trail(self, top: int, i: int, lookback: int) -> Trail:
        """The same from every level."""
        trail: Trail = self._cached(("trail", i, lookback), lambda: self._trail(lookback + 1, i, lookback, 1))
        return trail
