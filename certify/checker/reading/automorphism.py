"""Maps of a game onto itself: read, and verified exactly (docs/theory/symmetry.md#completeness).

A *point* is an agent, an action of an agent, an observation of an agent, or a state.  A *row* is an
entry of one table: its colour (which table, which number), its states in order, and one entry per
agent (action, observation).  An automorphism is a permutation of the points that keeps kinds and
owners and maps the set of rows onto itself.
"""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

from certify.checker.reading.envelope import MAX_INTEGER, Failed, Malformed, array, integer, record
from certify.checker.reading.game import Game, Joint

Name = tuple[Any, ...]  # ("agent", i), ("action", i, a), ("observation", i, o) or ("state", s)
Row = tuple[tuple[str, Fraction], tuple[int, ...], frozenset[tuple[int, ...]]]


class Points:
    """The points and rows of a game; a point is its index in `names`."""

    def __init__(self, game: Game) -> None:
        self.agents = game.agents
        self.names: list[Name] = [("agent", i) for i in range(game.agents)]
        for kind in (0, 1):
            for i, sizes in enumerate(game.sizes):
                self.names += [(("action", "observation")[kind], i, k) for k in range(sizes[kind])]
        self.names += [("state", s) for s in range(game.states)]
        self.index = {name: k for k, name in enumerate(self.names)}
        self.owner = [None if name[0] == "state" else name[1] for name in self.names]
        self.kind = [self._kind(game, *name) for name in self.names]
        self.rows = [row for row in self._rows(game) if row[0][1] != 0]  # an entry of 0 and an absent one are the same

    @staticmethod
    def _kind(game: Game, kind: str, *of: int) -> Name:
        if kind == "agent":
            return kind, game.weights[of[0]]
        if kind == "action":
            return kind, tuple(of[1] in step for step in game.actions[of[0]])
        return (kind,)

    def _row(self, table: str, number: Fraction, states: Sequence[int], a: Joint = (), o: Joint = ()) -> Row:
        per_agent = []
        for i in range(self.agents):
            entry: Joint = (self.index["agent", i],)
            entry += (self.index["action", i, a[i]],) if a else ()
            entry += (self.index["observation", i, o[i]],) if o else ()
            per_agent.append(entry)
        return (table, number), tuple(self.index["state", s] for s in states), frozenset(per_agent)

    def _rows(self, game: Game) -> Iterator[Row]:
        for s, o, p in game.start:
            yield self._row("start", p, [s], o=o)
        for (s, a), following in game.transition.items():
            for s2, p in following:
                yield self._row("transition", p, [s, s2], a)
        for (a, s), seen in game.emission.items():
            for o, p in seen:
                yield self._row("emission", p, [s], a, o)
        for (s, a), r in game.reward.items():
            yield self._row("reward", r, [s], a)
        for (i, last), chances in game.reference.items():
            observed = () if last < 0 else (self.index["observation", i, last],)
            for action, p in chances.items():
                entry: Joint = (self.index["agent", i], self.index["action", i, action], *observed)
                yield ("reference", p), (), frozenset([entry])

    def number(self, name: Any, where: str) -> int:
        """The point that a list like ["action", 0, 2] names; -1 where the game has no such point."""
        if any(type(part) not in (str, int) for part in array(name, where)):
            raise Malformed(where, "not the name of a point")
        return self.index.get(tuple(name), -1)

    def is_automorphism(self, image: list[int]) -> bool:
        """Whether the permutation of points `image` preserves kinds, owners and rows, exactly."""
        for p, q in enumerate(image):
            if self.kind[p] != self.kind[q]:
                return False
            owner = self.owner[p]
            if owner is not None and image[owner] != self.owner[q]:
                return False
        rows = set(self.rows)
        return all(
            (colour, tuple(image[s] for s in states), frozenset(tuple(image[p] for p in entry) for entry in per_agent))
            in rows
            for colour, states, per_agent in self.rows
        )


def read_generators(game: Game, data: Any, where: str, step: str = "symmetry") -> tuple[Points, list[list[int]]]:
    """The points of the game, and per entry {"agents", "states", "actions", "observations"} of `data` the
    permutation of points that it describes, each shown to be an automorphism; a `step` that ends in a blank is
    completed by the number of the entry that fails."""
    points = Points(game)
    images = []
    for k, entry in enumerate(array(data, where)):
        named = {"step": f"{step}{k}" if step.endswith(" ") else step}
        image = _read_map(points, game, entry, f"{where}[{k}]")
        if sorted(image) != list(range(len(points.names))):
            raise Failed(f"generator {k} is not a permutation of what the game has", **named)
        if not points.is_automorphism(image):
            raise Failed(f"generator {k} does not preserve the game", **named)
        images.append(image)
    return points, images


def _read_map(points: Points, game: Game, entry: Any, where: str) -> list[int]:
    """Per point its image, -1 where the game has none; an empty list where others are listed than the game has."""

    def whole(value: Any, part: str) -> list[int]:
        return [integer(k, f"{where}.{part}", 0, MAX_INTEGER) for k in array(value, f"{where}.{part}")]

    record(entry, where, ("agents",), ("states", "actions", "observations"))  # what is left out has no images
    agents, states = whole(entry["agents"], "agents"), whole(entry.get("states", []), "states")
    tables = {
        kind: [whole(row, f"{kind}s") for row in array(entry.get(f"{kind}s", []), f"{where}.{kind}s")]
        for kind in ("action", "observation")
    }
    listed = [[len(row) for row in tables[kind]] for kind in ("action", "observation")]
    if [len(agents), len(states), *listed] != [game.agents, game.states, *map(list, zip(*game.sizes, strict=True))]:
        return []
    targets: list[Name] = []
    for kind, *of in points.names:
        if kind == "agent":
            targets.append((kind, agents[of[0]]))
        elif kind == "state":
            targets.append((kind, states[of[0]]))
        else:
            targets.append((kind, agents[of[0]], tables[kind][of[0]][of[1]]))
    return [points.index.get(target, -1) for target in targets]
