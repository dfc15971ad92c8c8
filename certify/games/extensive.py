"""Games in extensive form: a tree of chance, decisions in information sets and payoffs
(docs/theory/potential.md#payoffs-that-agree).

What decides nothing is taken out first: branches of probability 0, and nodes with one branch.  Then everybody's
memory is looked at, and in which sense the payoffs are common.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

from certify.errors import InputError
from certify.exact import rational_text

CHANCE = -1  # in place of a player
LEAF = -2
Sequences = tuple[int, ...]  # per player the number of its sequence of information sets and actions
Payoffs = tuple[Fraction, ...]


@dataclass(frozen=True)
class Node:
    """A node: of a `player` in the information set `info`, of `CHANCE` with probabilities, or a `LEAF`.

    children : their numbers, larger than the node's own.  pay : what every player gets on arriving.
    line : where the node stands in its file.
    """

    player: int
    info: int
    children: tuple[int, ...]
    chances: tuple[Fraction, ...]
    pay: Payoffs
    line: int


@dataclass(frozen=True)
class Extensive:
    """A tree, its root first and every node before those below it.

    players : names.  sets : (player, name, names of the actions) of every information set.
    """

    players: tuple[str, ...]
    sets: tuple[tuple[int, str, tuple[str, ...]], ...]
    nodes: tuple[Node, ...]
    where: str

    @property
    def deciding(self) -> tuple[int, ...]:
        """The players who have a choice somewhere, ascending."""
        return tuple(sorted({node.player for node in self.nodes if node.player >= 0}))


def without_idle_nodes(tree: Extensive) -> Extensive:
    """The same game without branches of probability 0 and without nodes that have one branch; payoffs met there
    are paid at the node that follows."""
    kept: list[tuple[int, Payoffs]] = []  # node of the old tree, what was paid on the way to it
    place: dict[int, int] = {}
    zero = (Fraction(0),) * len(tree.players)
    waiting = [(0, zero)]
    links: list[tuple[int, ...]] = []
    tops: list[int] = []  # for every node kept the node of the old tree that its parent knows
    while waiting:
        top, carried = waiting.pop()
        k = top
        while len(following := _possible(tree.nodes[k])) == 1:
            carried = _sum(carried, tree.nodes[k].pay)
            k = following[0]
        place[top] = len(kept)
        tops.append(top)
        kept.append((k, carried))
        links.append(following)
        waiting.extend((child, zero) for child in reversed(following))
    nodes = []
    for (k, carried), following in zip(kept, links, strict=True):
        node = tree.nodes[k]
        chances = tuple(p for p in node.chances if p)
        children = tuple(place[child] for child in following)
        nodes.append(replace(node, children=children, chances=chances, pay=_sum(carried, node.pay)))
    return replace(tree, nodes=tuple(nodes))


def _possible(node: Node) -> tuple[int, ...]:
    if node.player != CHANCE:
        return node.children
    return tuple(child for child, p in zip(node.children, node.chances, strict=True) if p)


def _sum(one: Payoffs, two: Payoffs) -> Payoffs:
    if not any(one):
        return two
    if not any(two):
        return one
    return tuple(a + b for a, b in zip(one, two, strict=True))


@dataclass
class Paths:
    """What leads to every node: `sequences` of all players, the `chance` of its chance moves, and the sum `paid`.

    last : of every sequence but the empty one, number 0, the information set and action at its end.
    """

    sequences: list[Sequences]
    chance: list[Fraction]
    paid: list[Payoffs]
    last: dict[int, tuple[int, int]] = field(default_factory=dict)


def paths(tree: Extensive) -> Paths:
    """What leads to every node; raises `InputError` where a player forgets what it knew or did.

    Sequences are numbered per game: equal numbers, equal information sets and actions so far.
    """
    zero = (Fraction(0),) * len(tree.players)
    found = Paths(
        [(0,) * len(tree.players)] * len(tree.nodes), [Fraction(1)] * len(tree.nodes), [zero] * len(tree.nodes)
    )
    numbers: dict[tuple[int, int, int], int] = {}  # (sequence before, information set, action): number
    first: dict[int, int] = {}  # the first node of an information set
    for k, node in enumerate(tree.nodes):
        found.paid[k] = _sum(found.paid[k], node.pay)
        sequences, i = found.sequences[k], node.player
        if i >= 0:
            earlier = first.setdefault(node.info, k)
            if found.sequences[earlier][i] != sequences[i]:
                raise _forgets(tree, earlier, k)
        for a, child in enumerate(node.children):
            found.paid[child], found.chance[child] = found.paid[k], found.chance[k]
            if i >= 0:
                number = numbers.setdefault((sequences[i], node.info, a), len(numbers) + 1)
                found.last[number] = node.info, a
                found.sequences[child] = (*sequences[:i], number, *sequences[i + 1 :])
            else:
                found.sequences[child] = sequences
                found.chance[child] *= node.chances[a]
    return found


def _forgets(tree: Extensive, earlier: int, later: int) -> InputError:
    player, name, _ = tree.sets[tree.nodes[later].info]
    return InputError(
        f"{tree.where}, line {tree.nodes[later].line}",
        f"imperfect recall: in the information set {name} the player {tree.players[player]} does not know what it "
        f"did or knew before (the other way there is at line {tree.nodes[earlier].line})",
        "give a game with perfect recall",
    )


@dataclass(frozen=True)
class Common:
    """One payoff for all who decide: that of `player`, each player's `weights`, and in what sense."""

    player: int
    weights: tuple[Fraction, ...]
    remark: str


def common_payoff(tree: Extensive, ways: Paths) -> Common:
    """In what sense all who decide want the same; raises `InputError` with two of them who do not.

    At every leaf, or in expectation over chance, or up to a positive factor and a constant per player
    (docs/theory/potential.md#payoffs-that-agree).
    """
    deciding = tree.deciding
    leaves = [k for k, node in enumerate(tree.nodes) if node.player == LEAF]
    first, ones = deciding[0], (Fraction(1),) * len(tree.players)
    paid = [[ways.paid[k][i] for i in deciding] for k in leaves]
    if all(min(row) == max(row) for row in paid):
        idle = "" if len(deciding) == len(tree.players) else "payoffs of players who decide nothing are left out"
        return Common(first, ones, idle)
    sums: dict[Sequences, list[Fraction]] = {}
    for k, row in zip(leaves, paid, strict=True):
        total = sums.setdefault(ways.sequences[k], [Fraction(0)] * len(deciding))
        for position, u in enumerate(row):
            total[position] += ways.chance[k] * u
    if all(min(total) == max(total) for total in sums.values()):
        return Common(first, ones, "a team game in expectation over chance")
    weights = list(ones)
    for position, i in enumerate(deciding):
        factor = _factor(paid, position)
        if factor is None:
            raise _differ(tree, leaves, paid, position)
        weights[i] = 1 / factor
    if weights == list(ones):
        return Common(first, ones, f"payoffs are those of {tree.players[first]}, the others' differ by constants")
    listed = ", ".join(rational_text(w) for w in weights)
    remark = f"payoffs are those of {tree.players[first]}, the others' by factors and constants; weights {listed}"
    return Common(first, tuple(weights), remark)


def _factor(paid: Sequence[Sequence[Fraction]], position: int) -> Fraction | None:
    """c > 0 with u = c u_first + d at all leaves, if there is one."""
    if all(row[position] == row[0] for row in paid):
        return Fraction(1)
    low = min(paid, key=lambda row: row[0])
    high = max(paid, key=lambda row: row[0])
    if low[0] == high[0]:
        return None
    factor = (high[position] - low[position]) / (high[0] - low[0])
    agree = all(row[position] - low[position] == factor * (row[0] - low[0]) for row in paid)
    return factor if agree and factor > 0 else None


def _differ(tree: Extensive, leaves: Sequence[int], paid: Sequence[Sequence[Fraction]], position: int) -> InputError:
    """Two leaves about which two players disagree, or whose differences fit no factor."""
    one, two = tree.players[tree.deciding[0]], tree.players[tree.deciding[position]]
    at = next(k for k, row in enumerate(paid) if row[position] != row[0])
    return InputError(
        f"{tree.where}, line {tree.nodes[leaves[at]].line}",
        f"no team game: there player {one} gets {rational_text(paid[at][0])} and player {two} gets "
        f"{rational_text(paid[at][position])}, and their payoffs are not the same up to a factor and a constant either",
        "give one payoff for all; potentials are looked for in one-shot games only",
    )
