"""Re-derives the clustered process from the game, in exact rationals (format, section 4.1).

Histories of one agent that have proportional chance weights of everything the others may have seen
are merged; stationary policies of the game are those of the process that is left
(docs/theory/localisation.md#lossless-clustering).
"""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from math import prod
from typing import Any, NamedTuple

from certify.checker.reading.envelope import Failed
from certify.checker.reading.game import Game, Joint

MAX_CHILDREN = 2_000_000  # joint children of one depth
MAX_WEIGHTS = 4_000_000  # entries of all weights of one depth

Child = tuple[int, int, int]  # class one depth before, action, observation; at depth 0 (0, 0, observation)
Belief = tuple[tuple[int, Fraction], ...]
Seen = list[tuple[Joint, Fraction, Belief]]  # joint observation, its probability, the belief after it
ClassWeights = list[list[dict[tuple[int, Joint], Fraction]]]  # [agent][class]: {(path, others' classes): weight}
Weights = list[dict[Child, list[tuple[int, tuple[Child, ...], int, Fraction]]]]


@dataclass(frozen=True)
class Process:
    """A Markov process over joint classes, depth by depth; every number a `Fraction`.

    The legal actions of a class have the numbers 0, 1, .. in their order.  Numbers that are left are other names of the
    first one, do what it does, and share its part of the reference evenly (docs/theory/legal-actions.md#other-names).
    """

    name: str
    agents: int
    horizon: int
    discount: Fraction
    weights: tuple[Fraction, ...]
    actions: tuple[Any, ...]  # [t][i]: the largest number of legal actions of agent i at depth t
    joint_actions: tuple[Any, ...]  # [t]: tuples of action numbers 0 .. actions[t][i] - 1, first agent most significant
    classes: tuple[Any, ...]  # [t][i]: number of classes of agent i at depth t
    joint: tuple[Any, ...]  # [t]: joint classes (k_1, .., k_n) of positive probability, sorted
    start: tuple[Fraction, ...]  # probability of each joint class of depth 0
    reward: tuple[Any, ...]  # [t][e][a]: E[R | e, a]; e indexes joint[t], a indexes joint_actions[t]
    following: tuple[Any, ...]  # [t][e][a]: tuple of (index into joint[t + 1], probability); for t < horizon - 1
    predecessor: tuple[Any, ...]  # [t][i][k]: (class, action) at depth t - 1 of the first child in class k; for t > 0
    children: tuple[Any, ...]  # [t][i]: {(class at t - 1, action, observation): class}; at depth 0 (0, 0, observation)
    odds: tuple[Any, ...]  # [t][i][k]: per action their number times its share of the reference: 1 where it is uniform
    meant: tuple[Any, ...]  # [t][i][k]: per number that of the legal action that it is a name of
    acts: tuple[Any, ...]  # [t][i][k]: per number the action of the game that it means
    flows_back: bool  # `Game.flows_back`

    def legal(self, i: int, t: int, k: int) -> list[int]:
        """The numbers of the legal actions of a class, ascending."""
        return [a for a, b in enumerate(self.meant[t][i][k]) if a == b]

    def tilts(self, t: int, e: int, a: int) -> list[tuple[Fraction, Fraction]]:
        """(weight, odds) of the agents in joint class e at joint action a where the odds are not 1: the reference
        pays sum weight log odds (docs/theory/legal-actions.md#the-reference-as-a-reward)."""
        members, move = self.joint[t][e], self.joint_actions[t][a]
        found = [self.odds[t][i][k][move[i]] for i, k in enumerate(members)]
        return [(w, odds) for w, odds in zip(self.weights, found, strict=True) if odds != 1]


class _Depth(NamedTuple):
    """The joint classes of one depth."""

    members: list[Joint]
    beliefs: list[Belief]  # at each
    weights: ClassWeights  # of the first child of every class
    cluster: list[dict[Child, int]]  # per agent its children, ascending, and their classes
    first: list[list[Child]]  # per agent and class its first child
    following: tuple[Any, ...]  # [joint class of the depth before][action]: (joint class, probability) pairs


def build_process(game: Game, clustering: bool = True) -> Process:
    """The clustered process of a `Game`; with `clustering` false every history is its own class."""
    n = game.agents

    @cache
    def see(belief: Belief, a: Joint) -> Seen:
        return _posteriors(
            (o, s2, p * q * r) for s, p in belief for s2, q in game.transition[s, a] for o, r in game.emission[a, s2]
        )

    # before depth 0 there is one joint class, and one thing to do: to look at the initial observations
    before = _Depth([(0,) * n], [()], [[{(0, (0,) * (n - 1)): Fraction(1)}]] * n, [], [], ())
    initial = _posteriors((o or (0,) * n, s, p) for s, o, p in game.start)
    rows = _Rows(game)
    moves: list[list[Sequence[Joint]]] = []
    depths = [_next_depth(before, [((0,) * n,)], [[initial]], rows if clustering else None, 0)]
    for t in range(game.horizon - 1):
        if len(depths[t].members) * prod(rows.counts(t, depths[t])) > MAX_CHILDREN:
            raise Failed("the process has more joint histories at one depth than this checker reads", part="game")
        moves.append(rows.moves(t, depths[t]))
        met = [[see(b, a) for a in meant] for b, meant in zip(depths[t].beliefs, moves[t], strict=True)]
        named = rows.moves(t, depths[t], numbers=True)  # another name of an action leads to the same histories
        depths.append(_next_depth(depths[t], named, met, rows if clustering else None, t + 1))
    moves.append(rows.moves(game.horizon - 1, depths[-1]))
    tables = [rows.tables(t, d) for t, d in enumerate(depths)]
    actions = tuple(rows.counts(t, d) for t, d in enumerate(depths))
    return Process(
        game.name,
        n,
        game.horizon,
        game.discount,
        game.weights,
        actions,
        tuple(tuple(itertools.product(*map(range, counts))) for counts in actions),
        tuple(tuple(map(len, d.first)) for d in depths),
        tuple(tuple(d.members) for d in depths),
        tuple(p for _, p in depths[0].following[0][0]),
        tuple(_rewards(game, meant, d.beliefs) for meant, d in zip(moves, depths, strict=True)),
        tuple(d.following for d in depths[1:]),
        ((), *(tuple(tuple(x[:2] for x in first) for first in d.first) for d in depths[1:])),
        tuple(tuple(d.cluster) for d in depths),
        tuple(odds for odds, _, _ in tables),
        tuple(numbers for _, numbers, _ in tables),
        tuple(meant for _, _, meant in tables),
        game.flows_back,
    )


class _Rows:
    """The reference after each child: it depends on the step and the last observation."""

    def __init__(self, game: Game) -> None:
        self.game, self.initial = game, bool(game.start[0][1])
        self.known: dict[tuple[int, int, int], tuple[tuple[int, Fraction], ...]] = {}

    def at(self, i: int, t: int, child: Child) -> tuple[tuple[int, Fraction], ...]:
        """The row of agent i at depth t after the child (class, action, observation): (legal action, probability)."""
        last = child[2] if t or self.initial else -1
        if (i, t, last) not in self.known:
            self.known[i, t, last] = tuple(sorted(self.game.row(i, t, last).items()))
        return self.known[i, t, last]

    def counts(self, t: int, depth: _Depth) -> tuple[int, ...]:
        """Per agent the largest number of actions that are legal at one of its classes."""
        return tuple(max(len(self.at(i, t, x)) for x in first) for i, first in enumerate(depth.first))

    def tables(self, t: int, depth: _Depth) -> tuple[Any, Any, Any]:
        """The odds of all numbers, the numbers of what they mean, and what that is in the game: [agent][class]."""
        found: tuple[list[Any], ...] = ([], [], [])
        for i, (first, count) in enumerate(zip(depth.first, self.counts(t, depth), strict=True)):
            rows = [self.at(i, t, x) for x in first]
            numbers = [tuple(a if a < len(row) else 0 for a in range(count)) for row in rows]
            pairs = list(zip(rows, numbers, strict=True))
            found[0].append([tuple(count * row[a][1] / own.count(a) for a in own) for row, own in pairs])
            found[1].append(numbers)
            found[2].append([tuple(row[a][0] for a in own) for row, own in pairs])
        return found[0], found[1], found[2]

    def moves(self, t: int, depth: _Depth, numbers: bool = False) -> list[Sequence[Joint]]:
        """Per joint class what its joint actions, in the order of their numbers, mean in the game, or by numbers."""
        named = self.tables(t, depth)[1 if numbers else 2]
        return [
            list(itertools.product(*(own[k] for own, k in zip(named, members, strict=True))))
            for members in depth.members
        ]


def _rewards(game: Game, moves: list[Sequence[Joint]], beliefs: list[Belief]) -> tuple[Any, ...]:
    return tuple(
        tuple(sum((p * game.reward.get((s, a), 0) for s, p in belief), Fraction(0)) for a in meant)
        for meant, belief in zip(moves, beliefs, strict=True)
    )


def _posteriors(terms: Iterable[tuple[Joint, int, Fraction]]) -> Seen:
    """What is seen, of (joint observation, state, chance), of which several may be equal but for the chance."""
    chance: dict[Joint, dict[int, Fraction]] = {}
    for o, s, p in terms:
        states = chance.setdefault(o, {})
        states[s] = states.get(s, Fraction(0)) + p
    found = []
    for o, states in sorted(chance.items()):
        total = sum(states.values(), Fraction(0))
        found.append((o, total, tuple(sorted((s, p / total) for s, p in states.items()))))
    return found


def _next_depth(
    before: _Depth, moves: list[Sequence[Joint]], met: list[list[Seen]], rows: "_Rows | None", t: int
) -> _Depth:
    """Depth t, after `before` under the joint actions `moves[e]` of joint class e, each by the numbers of what it
    means; `met[e][a]`: what is seen then; `rows` given: merged."""
    arrivals = [  # joint class, action, child of every agent, probability, belief
        (e, a, tuple(zip(members, move, o, strict=True)), p, belief)
        for e, (members, after) in enumerate(zip(before.members, met, strict=True))
        for a, (move, row) in enumerate(zip(moves[e], after, strict=True))
        for o, p, belief in row
    ]
    if len(arrivals) > MAX_CHILDREN:
        raise Failed(f"{len(arrivals)} joint histories at one depth, more than this checker reads", part="game")
    children = [sorted({child[i] for _, _, child, _, _ in arrivals}) for i in range(len(before.weights))]
    cluster = [{x: k for k, x in enumerate(row)} for row in children]
    weights = _weights(before, moves, met, cluster)
    if rows is not None:
        _merge(cluster, weights, [{x: rows.at(i, t, x) for x in own} for i, own in enumerate(cluster)])
    table: list[list[dict[Joint, Fraction]]] = [[{} for _ in row] for row in moves]
    beliefs: dict[Joint, Belief] = {}
    for e, a, child, p, belief in arrivals:
        to = tuple(own[x] for own, x in zip(cluster, child, strict=True))
        table[e][a][to] = table[e][a].get(to, Fraction(0)) + p
        if beliefs.setdefault(to, belief) != belief:
            raise Failed("histories of one joint class have different beliefs", part="game")
    index = {e: k for k, e in enumerate(sorted(beliefs))}
    following = tuple(tuple(tuple(sorted((index[to], p) for to, p in row.items())) for row in rows) for rows in table)
    earliest = [{k: x for x, k in reversed(own.items())} for own in cluster]
    first = [[row[k] for k in range(len(row))] for row in earliest]
    # the others' classes determine the belief, so weights are kept without
    kept = [
        [{key[:2]: weight for key, weight in _aggregate(weights[i][x], cluster, i).items()} for x in row]
        for i, row in enumerate(first)
    ]
    return _Depth(list(index), [beliefs[e] for e in index], kept, cluster, first, following)


def _weights(
    before: _Depth, moves: list[Sequence[Joint]], met: list[list[Seen]], children: list[dict[Child, int]]
) -> Weights:
    """omega of every child: [(path, children of the other agents, belief, weight)], paths and beliefs numbered."""
    at = {e: k for k, e in enumerate(before.members)}
    paths: dict[Any, int] = {}
    numbers: dict[Belief, int] = {}
    weights: Weights = [{x: [] for x in row} for row in children]
    entries = 0
    for i, classes in enumerate(before.weights):
        for k, known in enumerate(classes):
            for (path, others), weight in known.items():
                e = (*others[:i], k, *others[i:])
                for move, row in zip(moves[at[e]], met[at[e]], strict=True):
                    # the path so far, the others' classes at it, and what they do there
                    there = paths.setdefault((i, path, others, move[:i] + move[i + 1 :]), len(paths))
                    for o, p, belief in row:
                        child = tuple(zip(e, move, o, strict=True))
                        number = numbers.setdefault(belief, len(numbers))
                        weights[i][child[i]].append((there, child[:i] + child[i + 1 :], number, weight * p))
                    entries += len(row)
                if entries > MAX_WEIGHTS:
                    raise Failed("the weights of the histories are more than this checker holds", part="game")
    return weights


def _merge(cluster: list[dict[Child, int]], weights: Weights, rows: list[dict[Child, Any]]) -> None:
    """Class numbers per agent and child, by first appearance; rounds until nothing merges.  Children with different
    rows of the reference never do."""
    merged = True
    while merged:
        merged = False
        for i, own in enumerate(cluster):
            known: dict[Any, int] = {}
            numbers = {}
            for x in own:
                found = _aggregate(weights[i][x], cluster, i)
                total = sum(found.values())
                signature = frozenset((key, weight / total) for key, weight in found.items())
                numbers[x] = known.setdefault((rows[i][x], signature), len(known))
            if numbers != own:
                cluster[i], merged = numbers, True


def _aggregate(weights: list[Any], cluster: list[dict[Child, int]], i: int) -> dict[Any, Fraction]:
    """Weights with the other agents' children replaced by their current classes."""
    others = cluster[:i] + cluster[i + 1 :]
    found: dict[Any, Fraction] = {}
    for path, children, belief, weight in weights:
        key = (path, tuple(own[x] for own, x in zip(others, children, strict=True)), belief)
        found[key] = found.get(key, Fraction(0)) + weight
    return found
