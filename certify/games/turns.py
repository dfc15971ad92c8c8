"""A tree with perfect recall as a game with legal sets: turns, waiting and ends (docs/theory/potential.md#turns)."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction

from certify.errors import InputError
from certify.games.extensive import CHANCE, LEAF, Common, Extensive, Paths, common_payoff, paths, without_idle_nodes
from certify.games.model import Game, check_game
from certify.games.original import Original
from certify.games.potential import potential_game
from certify.games.schedule import schedule
from certify.games.turn_names import TurnNames

LARGEST = 10**6  # states: nodes, and copies of them for the steps that they are waited at
_ONE = Fraction(1)


def game_of(tree: Extensive, name: str, largest: int = LARGEST) -> Game:
    """The checked game that a tree stands for: a game of turns, or of one shot where nobody learns anything.

    Raises `InputError` for imperfect recall, payoffs that are not common (in one shot: without a potential), and
    information sets that come in both orders.
    """
    tree = without_idle_nodes(tree)
    ways = paths(tree)
    if _is_one_shot(tree, ways):
        return _one_shot(tree, ways, name)
    common = common_payoff(tree, ways)
    turns = _Turns(tree, common)
    turns.check_size(largest)
    return turns.game(name)


def _is_one_shot(tree: Extensive, ways: Paths) -> bool:
    """Whether everybody who decides has one information set, and every path meets all of them."""
    sets = {(node.player, node.info) for node in tree.nodes if node.player >= 0}
    leaves = (k for k, node in enumerate(tree.nodes) if node.player == LEAF)
    return len(sets) == len(tree.deciding) and all(ways.sequences[k][i] for k in leaves for i in tree.deciding)


def _one_shot(tree: Extensive, ways: Paths, name: str) -> Game:
    """The strategic form, payoffs averaged over chance."""
    strategies: list[tuple[str, ...]] = [("only",)] * len(tree.players)
    for node in tree.nodes:
        if node.player >= 0:
            strategies[node.player] = tree.sets[node.info][2]
    profiles = itertools.product(*(range(len(own)) for own in strategies))
    sums = {a: [Fraction(0)] * len(strategies) for a in profiles}
    agree = True
    for k, node in enumerate(tree.nodes):
        if node.player == LEAF:
            agree &= min(ways.paid[k]) == max(ways.paid[k])
            total = sums[tuple(ways.last[s][1] if s else 0 for s in ways.sequences[k])]
            for i, u in enumerate(ways.paid[k]):
                total[i] += ways.chance[k] * u
    original = Original(tree.players, tuple(strategies), tuple(map(tuple, sums.values())))
    chance = any(node.player == CHANCE for node in tree.nodes)
    remark = "" if agree or not chance else "payoffs in expectation over chance"
    if not tree.deciding:
        remark = "no player has a choice anywhere"
    return potential_game(original, name, tree.where, remark)


State = tuple[int, int]  # a node, and for how many steps it still waits; END for what is over
END: State = (-1, 0)


@dataclass
class _Tables:
    """What the walk over a tree collects, in terms of nodes, information sets and actions within them.

    A joint action is told by (agent, information set, action) of those who move, a joint observation by the
    information sets of those who will.
    """

    start: dict[State, Fraction] = field(default_factory=dict)
    transition: dict[tuple[State, tuple[tuple[int, int, int], ...]], dict[State, Fraction]] = field(
        default_factory=dict
    )
    reward: dict[tuple[State, tuple[tuple[int, int, int], ...]], Fraction] = field(default_factory=dict)


class _Turns:
    """Builds the game of a tree with common payoffs."""

    def __init__(self, tree: Extensive, common: Common) -> None:
        self.tree, self.common = tree, common
        self.agent = {player: k for k, player in enumerate(tree.deciding)}
        self.times = schedule(tree)
        self.horizon = max(self.times) + 1
        self.tables = _Tables()
        self.carried: dict[int, Fraction] = {}  # what chance paid before the first step

    def game(self, name: str) -> Game:
        """The checked game."""
        self._walk()
        start, transition, reward = self.tables.start, self.tables.transition, self.tables.reward
        states = list(dict.fromkeys([*start, *(s for s, _ in transition), *self._reached()]))
        index = {state: k for k, state in enumerate(states)}
        moving = {state: self._moving(state) for state in states}
        names = TurnNames(self.tree, self.agent, self.times, [moved.keys() for moved in moving.values()])
        seen = {state: names.observation(moved) for state, moved in moving.items()}
        rows = {(index[s], names.joint(a)): row for (s, a), row in transition.items()}
        return check_game(
            Game(
                name=name,
                agents=tuple(self.tree.players[p] for p in self.agent),
                states=tuple("end" if s == END else f"n{s[0]}" + f"-{s[1]}" * (s[1] > 0) for s in states),
                actions=names.actions,
                observations=names.observations,
                start=tuple((index[s], seen[s], p) for s, p in start.items()),
                transition={key: tuple((index[s], p) for s, p in row.items()) for key, row in rows.items()},
                emission={(a, index[s]): ((seen[s], _ONE),) for (_, a), row in rows.items() for s in row},
                reward={(index[s], names.joint(a)): r for (s, a), r in reward.items() if r},
                horizon=self.horizon,
                weights=tuple(self.common.weights[p] for p in self.agent),
                reference=names.reference(),
                source=self.tree.where,
                remark=self.common.remark,
            )
        )

    def check_size(self, largest: int) -> None:
        """Refuse with the numbers, before anything is built, where there would be more states than that: a state is
        a node at which a step begins, once for every step that it waits, and what is over, once for every step."""
        above = [0] * len(self.tree.nodes)  # the step after the one in which a node is reached
        states = self.horizon
        for k, node in enumerate(self.tree.nodes):
            now = self.times[node.info] if node.player >= 0 else above[k]
            if node.player >= 0:
                states += max(0, now - above[k] + 1)
            elif node.player == LEAF and not above[k]:
                states += 1  # over before the first step
            for child in node.children:
                above[child] = now + (node.player >= 0)
        if states > largest:
            raise InputError(
                self.tree.where,
                f"up to {states:,} states and joint histories ({len(self.tree.nodes):,} nodes, {self.horizon} steps)",
                "give a smaller game, or raise max_states= of certify.load",
            )

    # -- the walk

    def _walk(self) -> None:
        """Start, transitions and rewards of all states that play can meet."""
        waiting: list[tuple[State, int]] = []  # with the step
        for k, p, paid in self._arrivals(0, _ONE, Fraction(0)):
            state = self._state(k, 0) if self.tree.nodes[k].player >= 0 or not paid else (k, 0)
            self.carried[k] = paid
            self.tables.start[state] = self.tables.start.get(state, Fraction(0)) + p
        waiting = [(state, 0) for state in self.tables.start]
        done: set[tuple[State, int]] = set()
        while waiting:
            state, step = waiting.pop()
            if (state, step) in done:
                continue
            done.add((state, step))
            waiting += [(s, step + 1) for s in self._leave(state, step)]

    def _leave(self, state: State, step: int) -> set[State]:
        """Transitions and rewards of a state; the states that follow."""
        k, left = state
        found: set[State] = set()
        if state == END or left or self.tree.nodes[k].player == LEAF:
            following = (k, left - 1) if left else END
            if state != END and not left:
                self.tables.reward[state, ()] = self.carried.get(k, Fraction(0))
            if step + 1 < self.horizon:
                self.tables.transition[state, ()] = {following: _ONE}
                found.add(following)
            return found
        for moves, below, paid in self._block(k, step):
            mean = Fraction(0)
            row: dict[State, Fraction] = {}
            for m, p, gained in self._arrivals(below, _ONE, paid):
                mean += p * gained
                to = self._state(m, step + 1)
                row[to] = row.get(to, Fraction(0)) + p
            self.tables.reward[state, moves] = mean
            if step + 1 < self.horizon:
                self.tables.transition[state, moves] = row
                found |= row.keys()
        return found

    def _state(self, k: int, step: int) -> State:
        """The state in which node k is met before the given step."""
        node = self.tree.nodes[k]
        return END if node.player == LEAF else (k, self.times[node.info] - step)

    def _block(self, k: int, step: int) -> Iterator[tuple[tuple[tuple[int, int, int], ...], int, Fraction]]:
        """The joint actions at node k: who does what, the node after it, what was paid within the step."""
        waiting: list[tuple[int, tuple[tuple[int, int, int], ...], Fraction]] = [
            (k, (), self.carried.get(k, Fraction(0)))
        ]
        while waiting:
            m, moves, paid = waiting.pop()
            node = self.tree.nodes[m]
            for a, child in enumerate(node.children):
                now = (*moves, (self.agent[node.player], node.info, a))
                below = self.tree.nodes[child]
                if below.player >= 0 and self.times[below.info] == step:
                    waiting.append((child, now, paid + below.pay[self.common.player]))
                else:
                    yield now, child, paid

    def _arrivals(self, k: int, p: Fraction, paid: Fraction) -> Iterator[tuple[int, Fraction, Fraction]]:
        """The decisions and leaves that chance leads to from node k: their chance and what was paid on arrival."""
        waiting = [(k, p, paid)]
        while waiting:
            m, p, paid = waiting.pop()
            node = self.tree.nodes[m]
            paid += node.pay[self.common.player]
            if node.player != CHANCE:
                yield m, p, paid
            for child, q in zip(node.children, node.chances, strict=False) if node.player == CHANCE else ():
                waiting.append((child, p * q, paid))

    # -- who moves

    def _moving(self, state: State) -> dict[int, int]:
        """The information set of every agent that moves in a state."""
        k, left = state
        found: dict[int, int] = {}
        if state == END or left:
            return found
        node = self.tree.nodes[k]
        step = self.times[node.info] if node.player >= 0 else -1
        while node.player >= 0 and self.times[node.info] == step:
            found[self.agent[node.player]] = node.info
            node = self.tree.nodes[node.children[0]]
        return found

    def _reached(self) -> Iterator[State]:
        for row in self.tables.transition.values():
            yield from row
