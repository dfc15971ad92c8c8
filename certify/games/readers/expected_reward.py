"""R(s, a) from reward lines with wildcards and lines that name s' or o (docs/theory/objective.md#the-model:
R is the expected reward).

Lines are kept as patterns, never expanded over all pairs: a file with one wildcard line per next
state costs its length, and the expectation visits only outcomes of positive probability.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction

ANY = -1
Key = tuple[int, int, int, int]


class RewardPatterns:
    """The function r(a, s, s', o) that a list of lines defines: the last line that matches counts.

    Indices are joint-action, state, next-state and joint-observation numbers, `ANY` for all.

    >>> lines = RewardPatterns()
    >>> lines.set(ANY, ANY, ANY, ANY, Fraction(-1))
    >>> lines.set(ANY, 0, 1, ANY, Fraction(9))
    >>> lines.expected(2, 0, {1: Fraction(1, 2), 3: Fraction(1, 2)}, lambda s2: {})
    Fraction(4, 1)
    """

    def __init__(self) -> None:
        self._value: dict[Key, tuple[int, Fraction]] = {}
        self._masks: dict[tuple[bool, ...], None] = {}
        self._count = 0

    def set(self, action: int, state: int, following: int, observation: int, value: Fraction) -> None:
        """One line; it overrides every earlier line where both match."""
        key = (action, state, following, observation)
        self._count += 1
        self._value[key] = (self._count, value)
        self._masks[tuple(k == ANY for k in key)] = None

    def _last(
        self, masks: Iterable[tuple[bool, ...]], a: int, s: int, s2: int, o: int, best: tuple[int, Fraction]
    ) -> tuple[int, Fraction]:
        for any_a, any_s, any_s2, any_o in masks:
            found = self._value.get(
                (ANY if any_a else a, ANY if any_s else s, ANY if any_s2 else s2, ANY if any_o else o)
            )
            if found is not None and found[0] > best[0]:
                best = found
        return best

    def expected(self, action: int, state: int, row: Mapping[int, Fraction], emission) -> Fraction:
        """`Σ P(s'|s,a) Σ O(o|a,s') r(a, s, s', o)`.

        `row` is P(·|s,a); `emission(s')` gives O(·|a,s') and is called only if some line names an
        observation.  Rows that sum to 1 are the caller's duty.
        """
        plain = [m for m in self._masks if m[2] and m[3]]
        by_state = [m for m in self._masks if not m[2] and m[3]]
        by_observation = [m for m in self._masks if not m[3]]
        base = self._last(plain, action, state, ANY, ANY, (0, Fraction(0)))
        total = base[1]
        if not by_state and not by_observation:
            return total
        # differences to the coarser value: zero for almost every outcome
        for s2, p in row.items():
            here = self._last(by_state, action, state, s2, ANY, base)
            if here[1] != base[1]:
                total += p * (here[1] - base[1])
            if by_observation:
                for o, q in emission(s2).items():
                    fine = self._last(by_observation, action, state, s2, o, here)
                    if fine[1] != here[1]:
                        total += p * q * (fine[1] - here[1])
        return total
