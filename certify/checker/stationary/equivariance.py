"""Where symmetries carry the entries of a policy (format, section 8.4; docs/theory/symmetry.md#equivariance).

A unique stationary policy is fixed by every automorphism g: pi(g a | g x) = pi(a | x).  So entries in
one orbit of entries are equal; where they belong to one row, its actions are tied.
"""

from collections.abc import Iterator
from typing import Any

from certify.checker.reading.automorphism import Points
from certify.checker.reading.envelope import Failed
from certify.checker.reading.game import Game
from certify.checker.reading.process import Process
from certify.checker.stationary.equations import rows_of

Entry = tuple[int, int]  # row and action


def orbits(process: Process, game: Game, points: Points, generators: list[list[int]]) -> dict[Entry, Entry]:
    """Per entry of a legal action one that stands for its orbit: entries of one orbit have equal probabilities in every
    policy that all the generators fix."""
    images = [dict(entry_images(process, game, points, g)) for g in generators]
    found: dict[Entry, Entry] = {}
    for x, (i, t, k) in enumerate(rows_of(process)):
        for a in process.legal(i, t, k):
            pending = [(x, a)]
            while pending:
                entry = pending.pop()
                if entry not in found:
                    found[entry] = x, a
                    pending += [image[entry] for image in images]
    return found


def entry_images(process: Process, game: Game, points: Points, g: list[int]) -> Iterator[tuple[Entry, Entry]]:
    """((row, action), (row, action) of its image) for every entry of a legal action: automorphisms carry legal actions
    to legal actions, and the share of a policy that an action has by all its names to that of its image."""
    rows = rows_of(process)
    row = {name: x for x, name in enumerate(rows)}

    def image(*name: Any) -> Any:
        return points.names[g[points.index[name]]]

    def action(i: int, t: int, k: int, a: int) -> int:
        """The number of the image of action number a of agent i's class k at step t, at the image of that class."""
        _, j, moved = image("action", i, process.acts[t][i][k][a])
        there = process.acts[t][int(j)][classes[t][i][k]]
        if moved not in there:
            raise Failed("a generator does not carry legal actions to legal actions", step="symmetry")
        return int(there.index(moved))

    initial = bool(game.start[0][1])
    classes: list[list[dict[int, int]]] = []  # [t][i][k]: the class that holds the image of a history of class k
    for t in range(process.horizon):
        layer = []
        for i in range(process.agents):
            known = process.children[t][image("agent", i)[1]]
            found: dict[int, int] = {}
            for (before, a, o), k in process.children[t][i].items():
                moved = image("observation", i, o)[2] if t > 0 or initial else o
                key = (classes[t - 1][i][before], action(i, t - 1, before, a), moved) if t else (0, 0, moved)
                if key not in known:
                    raise Failed("a generator does not carry histories to histories", step="symmetry")
                found.setdefault(k, known[key])
            layer.append(found)
        classes.append(layer)
    for x, (i, t, k) in enumerate(rows):
        y = row[image("agent", i)[1], t, classes[t][i][k]]
        for a in process.legal(i, t, k):
            yield (x, a), (y, action(i, t, k, a))
