"""The tables of an enumeration on their way to a game (docs/theory/environments.md#folding)."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

from certify.games.adapters.enumeration import END, After, Rows, Told

Legal = tuple[int, ...]
_ONE = Fraction(1)


@dataclass
class Folded:
    """The tables on their way: states by number, the one after the end last."""

    legal: list[tuple[Legal, ...]]
    start: list[tuple[int, Told, Fraction]]
    rows: list[Rows]
    names: list[list[str]]  # of observations
    horizon: int
    end: int | None = None
    reference: dict[tuple[int, int], tuple[tuple[int, Fraction], ...]] = field(default_factory=dict)
    origin: list[int] = field(default_factory=list)  # by state its number in the enumeration, none for the end

    def used(self) -> list[list[int]]:
        """Per agent the enumeration's indices of the actions that the game keeps."""
        return [sorted({a for legal in self.legal for a in legal[i]}) for i in range(len(self.names))]


def steps_of(work: Folded) -> list[set[int]]:
    """The states that play can be in at each step, END among them."""
    met = {s for s, *_ in work.start}
    found = [met]
    following = [{s for _, after in rows.values() for _, s, _ in after} for rows in work.rows]
    while len(found) < work.horizon:
        met = set().union(*({END} if s == END else following[s] for s in met))
        found.append(met)
    return found


def emissions(after: tuple[After, ...]) -> dict[int, frozenset[tuple[Told, Fraction]]]:
    """Of one row: per next state the distribution of what is then seen."""
    by_state: dict[int, list[tuple[Told, Fraction]]] = {}
    for p, s2, told in after:
        by_state.setdefault(s2, []).append((told, p))
    found = {}
    for s, row in by_state.items():
        weight = sum((p for _, p in row), Fraction(0)) if len(row) > 1 else None
        found[s] = frozenset({(row[0][0], _ONE)} if weight is None else {(told, p / weight) for told, p in row})
    return found
