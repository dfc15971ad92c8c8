"""A game as the tree of `proofs/coq/theories/Models.v`: decision points, their hints, and the equations of section 2.

The tree is that of joint histories; decision points are numbered in the order in which they first appear in it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from certify.coq import expressions as ex
from certify.coq.expressions import ZERO, Expression
from certify.errors import InputError
from certify.games.model import Game, restrict_to_reachable
from certify.symmetry.maps import GameMap

Seen = tuple[int, tuple[tuple[int, int], ...]]
Point = tuple[int, Seen]
Belief = dict[int, Fraction]
MAX_LEAVES = 200_000  # of the unrolled tree; beyond, the equations alone take Coq longer than anyone waits


@dataclass(frozen=True)
class Tree:
    """The unrolled game: decision points, numbers of their actions, hints, and J as an expression."""

    game: Game
    form: str  # "tensor", "bayesian" or "dec-pomdp": the front end that the file uses
    points: tuple[Point, ...]
    sizes: tuple[int, ...]
    value: Expression
    hints: tuple[tuple[tuple[tuple[int, int], ...], tuple[int, ...]], ...]


@dataclass(frozen=True)
class Equations:
    """D_x (log p_a - log p_b) = N_xab: `numerators[x][a, b]` for a < b and `denominators[x]`."""

    numerators: tuple[dict[tuple[int, int], Expression], ...]
    denominators: tuple[Expression, ...]


def unroll(game: Game) -> Tree:
    """The tree of a game; `TooLargeError` beyond what this calculus takes.

    >>> from certify.games import builtin
    >>> unroll(builtin("lever:2")).sizes
    (2, 2)
    """
    game = restrict_to_reachable(game)
    if game.reference:
        why = "legal actions or a reference that depend on the history"
        raise InputError(game.name, why, "export games with the entropy objective")
    _refuse_large(game)
    if game.horizon > 1 or game.available is not None:
        return _with_common_moves(_unroll_steps(game))
    simple = len(game.start) == 1 and not any(game.start[0][1])
    return _unroll_tensor(game) if simple else _unroll_bayesian(game)


def _refuse_large(game: Game) -> None:
    leaves = len({o for _, o, _ in game.start})
    for step in range(game.horizon):
        for i in range(game.number_of_agents):
            leaves *= len(game.actions_at(i, step)) * (len(game.observations[i]) if step else 1)
    if leaves > MAX_LEAVES:
        raise TooLargeError(f"{game.name}: a tree of up to {leaves} leaves; this calculus takes at most {MAX_LEAVES}")


class TooLargeError(Exception):
    """The game is too large for the calculus; the message says by how much."""


def _sum(parts: Sequence[Expression]) -> Expression:
    total = ZERO
    for e in reversed(parts):
        total = ("+", e, total)
    return total


def _decide(
    points: Sequence[int],
    weights: Sequence[Fraction],
    sizes: Sequence[int],
    follow: Callable[[tuple[int, ...]], Expression],
) -> Expression:
    """All agents decide at their points, then what follows their joint action."""

    def agent(i: int, actions: tuple[int, ...]) -> Expression:
        if i == len(points):
            return follow(actions)
        parts = tuple(agent(i + 1, (*actions, a)) for a in range(sizes[i]))
        return ("+", ("e", weights[i], points[i]), ("a", points[i], parts))

    return agent(0, ())


def _unroll_tensor(game: Game) -> Tree:
    n, sizes = game.number_of_agents, tuple(len(names) for names in game.actions)
    state = game.start[0][0]
    value = _decide(range(n), game.weights, sizes, lambda a: ("c", game.reward.get((state, a), Fraction(0))))
    points = tuple((i, (0, ())) for i in range(n))
    return Tree(game, "tensor", points, sizes, value, _hints(game, points))


def _unroll_bayesian(game: Game) -> Tree:
    n, initial = game.number_of_agents, any(o for _, o, _ in game.start)
    kinds = [1 + max(o[i] for _, o, _ in game.start) if initial else 1 for i in range(n)]
    points = tuple((i, (o, ())) for i in range(n) for o in range(kinds[i]))
    sizes, position = tuple(len(game.actions[i]) for i, _ in points), {point: x for x, point in enumerate(points)}

    def case(state: int, seen: tuple[int, ...], p: Fraction) -> Expression:
        at = [position[i, (seen[i] if initial else 0, ())] for i in range(n)]
        return _decide(
            at,
            [p * w for w in game.weights],
            [sizes[x] for x in at],
            lambda a: ("c", p * game.reward.get((state, a), Fraction(0))),
        )

    value = _sum([case(*entry) for entry in sorted(game.start)])
    return Tree(game, "bayesian", points, sizes, value, _hints(game, points))


def _unroll_steps(game: Game) -> Tree:
    steps = _Steps(game)
    roots = []
    for o in sorted({o for _, o, _ in game.start}):
        first = tuple((o[i] if o else 0, ()) for i in range(game.number_of_agents))
        roots.append(steps.node(0, Fraction(1), first, {s: p for s, o2, p in game.start if o2 == o}))
    points = tuple(steps.points)
    sizes = tuple(len(game.actions_at(i, len(taken))) for i, (_, taken) in points)
    return Tree(game, "dec-pomdp", points, sizes, _sum(roots), _hints(game, points))


class _Steps:
    """Joint histories unrolled; decision points are numbered as they first appear, an agent before what follows."""

    def __init__(self, game: Game) -> None:
        self.game = game
        self.points: dict[Point, int] = {}
        self.joint = list(itertools.product(*(range(len(names)) for names in game.observations)))

    def after(self, belief: Belief, actions: tuple[int, ...]) -> dict[tuple[int, ...], Belief]:
        """Probabilities of the next states by joint observation."""
        following: dict[tuple[int, ...], Belief] = {}
        for s, p in belief.items():
            for s2, q in self.game.transition.get((s, actions), ()):
                for o, r in self.game.emission.get((actions, s2), ()):
                    row = following.setdefault(o, {})
                    row[s2] = row.get(s2, Fraction(0)) + p * q * r
        return following

    def node(self, t: int, g: Fraction, seen: tuple[Seen, ...], belief: Belief) -> Expression:
        """What is still to come at a joint history, times its discounted probability."""
        game = self.game
        if t == game.horizon:
            return ZERO
        available = [game.actions_at(i, t) for i in range(game.number_of_agents)]
        mass = g * sum(belief.values())
        at = [self.points.setdefault((i, s), len(self.points)) for i, s in enumerate(seen)]

        def follow(chosen: tuple[int, ...]) -> Expression:
            actions = tuple(available[i][k] for i, k in enumerate(chosen))
            payoff = sum((p * game.reward.get((s, actions), Fraction(0)) for s, p in belief.items()), Fraction(0))
            following = self.after(belief, actions) if t + 1 < game.horizon else {}
            parts: list[Expression] = [("c", g * payoff)]
            for o in self.joint:
                if o in following:
                    then = tuple((s[0], ((a, ob), *s[1])) for s, a, ob in zip(seen, actions, o, strict=True))
                    parts.append(self.node(t + 1, g * game.discount, then, following[o]))
                else:
                    parts.append(ZERO)
            return _sum(parts)

        return _decide(at, [mass * w for w in game.weights], [len(actions) for actions in available], follow)


def _hints(game: Game, points: Sequence[Point]) -> tuple[tuple[tuple[tuple[int, int], ...], tuple[int, ...]], ...]:
    """Own earlier moves; then the others' decisions by time, then the own later ones."""
    position = {point: x for x, point in enumerate(points)}
    by_time = sorted(range(len(points)), key=lambda x: (len(points[x][1][1]), x))
    hints = []
    for i, (first, steps) in points:
        own = tuple(
            (position[i, (first, steps[k + 1 :])], game.actions_at(i, len(steps) - 1 - k).index(steps[k][0]))
            for k in reversed(range(len(steps)))
        )
        others = [x for x in by_time if points[x][0] != i]
        later = [x for x in by_time if points[x][0] == i and len(points[x][1][1]) > len(steps)]
        hints.append((own, (*others, *later)))
    return tuple(hints)


def renaming(tree: Tree, mapping: GameMap) -> tuple[tuple[int, tuple[int, ...]], ...]:
    """Where a symmetry sends each decision point and each of its actions; whether it is one, Coq decides.

    >>> from certify.games import builtin
    >>> renaming(unroll(builtin("lever:2")), GameMap((0, 1), (0,), ((1, 0), (1, 0)), ((0,), (0,))))
    ((0, (1, 0)), (1, (1, 0)))
    """
    game, position = tree.game, {point: x for x, point in enumerate(tree.points)}
    initial = any(o for _, o, _ in game.start)
    images = []
    for i, (first, steps) in tree.points:
        j, actions, seen = mapping.agents[i], mapping.actions[i], mapping.observations[i]
        image = (seen[first] if initial else first, tuple((actions[a], seen[o]) for a, o in steps))
        here, there = game.actions_at(i, len(steps)), game.actions_at(j, len(steps))
        images.append((position[j, image], tuple(there.index(actions[a]) for a in here)))
    return tuple(images)


def _with_common_moves(tree: Tree) -> Tree:
    """The hints with the moves of others that a decision point has seen: they divide out like its own earlier ones."""
    hints = []
    for x, (moves, order) in enumerate(tree.hints):
        own = tuple((y, k) for y, k in moves if tree.sizes[y] > 1)  # the only action divides out by itself
        below, gains = _raw(x, tree)
        parts = [ex.strip(own, e, tree.sizes) for e in (below, *gains.values())]
        seen = []
        for y, size in enumerate(tree.sizes):
            for k in range(size if y != x and size > 1 and ex.occurs(y, parts[0]) else 0):
                if all(ex.through(y, k, e) for e in parts):
                    seen.append((y, k))
                    parts = [ex.strip([(y, k)], e, tree.sizes) for e in parts]
        hints.append(((*own, *seen), order))
    return replace(tree, hints=tuple(hints))


def _raw(x: int, tree: Tree) -> tuple[Expression, dict[tuple[int, int], Expression]]:
    """The coefficient of the entropy of `x`, and what `x` gains by one action instead of another."""
    below = ex.simplify(ex.entropy_coefficient(x, tree.value), tree.sizes)
    pairs = itertools.combinations(range(tree.sizes[x]), 2)
    return below, {(a, b): ex.simplify(ex.difference(x, a, b, tree.value), tree.sizes) for a, b in pairs}


def equations(tree: Tree) -> Equations:
    """The stationarity equations, normalised as Coq normalises them.

    >>> from certify.games import builtin
    >>> equations(unroll(builtin("lever:2"))).denominators
    (('c', Fraction(1, 1)), ('c', Fraction(1, 1)))
    """
    numerators, denominators = [], []
    for x, (own, order) in enumerate(tree.hints):
        below, gains = _raw(x, tree)
        denominators.append(ex.expand(order, ex.strip(own, below, tree.sizes), tree.sizes))
        numerators.append(
            {pair: ex.expand(order, ex.strip(own, e, tree.sizes), tree.sizes) for pair, e in gains.items()}
        )
    return Equations(tuple(numerators), tuple(denominators))
