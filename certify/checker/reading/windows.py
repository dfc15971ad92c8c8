"""A game seen through windows, in exact rationals (docs/certificate-windows.md): what both engines work on.

Level 0 lies before the start (one node; what is seen of it are the initial observations), level u > 0
is step u - 1.  A window is a tuple of symbols, the latest last.  No policy occurs in this file.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from typing import Any

from certify.checker.numbers.fixed_point import ONE, log_rational
from certify.checker.reading.envelope import Failed, Malformed, array, integer
from certify.checker.reading.game import Game

Window = tuple[int, ...]
Joint = tuple[int, ...]
Windows = tuple[Window, ...]
Node = tuple[int, Windows]  # state, one window per agent
Entries = list[tuple[int, Fraction]]  # (target, chance)
Rows = Callable[[int, Window], list[Fraction]]
Kernel = dict[tuple[int, Joint], dict[tuple[int, Joint], Fraction]]

MAX_LENGTH = 8  # of a window
MAX_WINDOW_NODES = 20_000  # of a level
MAX_WINDOW_ACTIONS = 12  # of an agent
MAX_VERTEX_ACTIONS = 6  # of an agent: up to here engines enumerate the vertices of boxes (rule W2)


def read_symbols(data: Any, game: Game, k: int) -> list[list[list[int]]]:
    """`symbols[i][a][o]`, verified: pairs of one agent with one symbol leave the same actions and, unless nothing looks
    back, have proportional kernels (rule W0)."""
    symbols = []
    for i, rows in enumerate(array(data, "proof.symbols", game.agents)):
        where = f"proof.symbols[{i}]"
        actions, observations = game.sizes[i]
        symbols.append(
            [
                [integer(x, where, 0, actions * observations) for x in array(row, where, observations)]
                for row in array(rows, where, actions)
            ]
        )
        standing: dict[int, Kernel] = {}
        left: dict[int, Any] = {}
        for a in range(actions):
            for o in range(observations):
                row = game.reference.get((i, o))
                if left.setdefault(symbols[i][a][o], row) != row:
                    raise Failed("pairs with one symbol leave different actions", agent=i, action=a)
                shape = _normalised(_kernel(game, i, a, o))
                if k and shape is not None and standing.setdefault(symbols[i][a][o], shape) != shape:
                    raise Failed("pairs with one symbol have kernels that are not proportional", agent=i, action=a)
    return symbols


def _kernel(game: Game, i: int, a: int, o: int) -> Kernel:
    """{(s, others' actions): {(s', others' observations): chance}} of the own pair (a, o)."""
    table: Kernel = {}
    for (s, joint), row in game.transition.items():
        if joint[i] == a:
            found = table.setdefault((s, joint[:i] + joint[i + 1 :]), {})
            for s2, p in row:
                for seen, q in game.emission.get((joint, s2), ()):
                    if seen[i] == o:
                        to = s2, seen[:i] + seen[i + 1 :]
                        found[to] = found.get(to, 0) + p * q
    return table


def _normalised(table: Kernel) -> Kernel | None:
    """The same for proportional kernels; None for a kernel that is 0."""
    total = sum(p for row in table.values() for p in row.values())
    if not total:
        return None
    return {key: {to: p / total for to, p in row.items()} for key, row in table.items()}


class Level:
    """Nodes (state, windows) of a level: first the `reachable` ones, then those that only comparisons need.

    `windows[i]`: first the `used[i]` windows that histories have; `rows[i]`: the reference at each, 0 for what is
    illegal.  `actions`: joint actions; `shape`: numbers of actions.
    """

    def __init__(self, reached: frozenset[Node], closed: frozenset[Node], actions: list[Joint], rows: Rows) -> None:
        first = sorted(reached)
        self.nodes = first + sorted(closed - reached)
        self.reachable = len(first)
        self.index = {e: k for k, e in enumerate(self.nodes)}
        self.actions = actions
        self.windows: list[list[Window]] = []
        self.used: list[int] = []
        self.place: list[dict[Window, int]] = []
        for i in range(len(first[0][1])):
            seen = sorted({w[i] for _, w in first})
            self.used.append(len(seen))
            self.windows.append(seen + sorted({w[i] for _, w in self.nodes} - set(seen)))
            self.place.append({w: k for k, w in enumerate(self.windows[i])})
        self.rows = [[rows(i, w) for w in windows] for i, windows in enumerate(self.windows)]
        self.shape = tuple(len(own[0]) for own in self.rows)
        self.nested = max(self.shape) > MAX_VERTEX_ACTIONS
        self.states = sorted({s for s, _ in first})
        self.others = [sorted({w[:i] + w[i + 1 :] for _, w in first}) for i in range(len(self.rows))]

    def references(self, node: Node) -> list[tuple[Fraction, ...]]:
        """[joint action] -> every agent's reference of its action; a 0 among them where it is illegal."""
        return list(itertools.product(*(self.rows[i][self.place[i][w]] for i, w in enumerate(node[1]))))

    def moves(self, node: Node) -> list[Joint]:
        """Legal joint actions."""
        return [joint for joint, chances in zip(self.actions, self.references(node), strict=True) if all(chances)]


class Trail:
    """Back from a level to where agent i's windows begin (`lookback` levels earlier).

    `starts`: states there.  `belief[n][w][o]`: {state: chance} at the top given start n and the symbols of own
    window w and others' windows o since; {} where they do not go together.  `back[k][n][w][o][c]`: {others'
    windows one level later: chance of own symbol and of them}, k = 0 the last level before the top, c the others'
    action.  `possible`: the pairs (n, o) at the beginning.
    """

    def __init__(self, starts: list[int], belief: Any, back: list[Any], possible: list[tuple[int, int]]) -> None:
        self.starts, self.belief, self.back, self.possible = starts, belief, back, possible


class WindowProcess:
    """Levels 0 .. horizon of `game`, and the chances between them."""

    def __init__(self, game: Game, k: int, symbols: list[list[list[int]]]) -> None:
        self.game, self.k, self.symbols, self.n = game, k, symbols, game.agents
        if any(len(step) > MAX_WINDOW_ACTIONS for steps in game.actions for step in steps):
            raise Malformed("game.actions", f"more than {MAX_WINDOW_ACTIONS} actions with a proof by windows")
        self._rows: dict[Any, dict[tuple[int, Joint], Fraction]] = {}
        self._cache: dict[Any, Any] = {}
        self._standing: dict[tuple[int, int], tuple[int, int]] = {}
        self._last = {(i, x): o for i, rows in enumerate(symbols) for row in rows for o, x in enumerate(row)}
        self._kept = k or int(bool(game.reference))  # symbols of a window at late levels
        for s, joint in game.transition:
            for _, seen in self.row(1, s, joint):
                for i in range(self.n):
                    key = i, self.symbols[i][joint[i]][seen[i]]
                    pair = joint[i], seen[i]
                    self._standing[key] = min(self._standing.get(key, pair), pair)
        self.levels = self._levels()

    # Chances -----------------------------------------------------------------------------------

    def row(self, level: int, state: int, joint: Joint) -> dict[tuple[int, Joint], Fraction]:
        """{(next state, observations): chance}; from level 0 the start of the game."""
        key = (None, ()) if level == 0 else (state, joint)
        if key not in self._rows:
            found: dict[tuple[int, Joint], Fraction] = {}
            if level == 0:
                for s, o, p in self.game.start:
                    to = s, o or (0,) * self.n
                    found[to] = found.get(to, 0) + p
            else:
                for s2, p in self.game.transition.get((state, joint), ()):
                    for seen, q in self.game.emission.get((joint, s2), ()):
                        found[s2, seen] = found.get((s2, seen), 0) + p * q
            if any(p <= 0 for p in found.values()):  # what legal play does not use was not looked at
                raise Malformed("game", f"chances that are not positive from state {state} under {list(joint)}")
            self._rows[key] = found
        return self._rows[key]

    def own_actions(self, level: int, i: int) -> tuple[int, ...]:
        """Actions of agent i; one at level 0."""
        return (0,) if level == 0 else self.game.actions[i][level - 1]

    def joint_actions(self, level: int) -> list[Joint]:
        """Joint actions, first agent most significant."""
        return [(0,) * self.n] if level == 0 else self.game.joint_actions(level - 1)

    def others_actions(self, level: int, i: int) -> list[Joint]:
        """Joint actions of the agents but i."""
        return list(itertools.product(*(self.own_actions(level, j) for j in range(self.n) if j != i)))

    def reference(self, level: int, i: int, window: Window) -> list[Fraction]:
        """Of agent i's actions at a window, 0 for illegal ones."""
        if level == 0:
            return [Fraction(1)]
        last = -2 if not self.game.reference else -1
        if self.game.reference and (level > 1 or self.game.start[0][1]):
            last = window[-1] if level == 1 else self._last[i, window[-1]]
        row = self.game.row(i, level - 1, last)
        return [row.get(a, Fraction(0)) for a in self.own_actions(level, i)]

    def rewards(self, level: Level, node: Node, beta: Fraction) -> list[tuple[Fraction, Fraction]]:
        """[joint action] -> bounds of beta R and what the reference pays: sum of w log odds, odds the reference times
        the number of actions; of an illegal action nothing (docs/theory/legal-actions.md#the-reference-as-a-reward)."""
        found = []
        for joint, chances in zip(level.actions, level.references(node), strict=True):
            low = high = beta * self.game.reward.get((node[0], joint), Fraction(0))
            for w, p, count in zip(self.game.weights, chances, level.shape, strict=True):
                if p * count not in (0, 1) and self.game.flows_back:
                    ends = log_rational(p * count)
                    low, high = low + w * Fraction(ends[0], ONE), high + w * Fraction(ends[1], ONE)
            found.append((low, high))
        return found

    def symbol(self, level: int, i: int, action: int, observation: int) -> int:
        """The symbol of an own pair; at level 0 the initial observation."""
        return observation if level == 0 else self.symbols[i][action][observation]

    def extended(self, level: int, window: Window, symbol: int) -> Window:
        """A window one level later: it keeps everything up to level k + 1, the last k symbols after that (the last one
        if k = 0 and there is a reference, only for what is legal)."""
        longer = (*window, symbol)
        return longer if level <= self.k else longer[len(longer) - self._kept :]

    def lookback(self, level: int) -> int:
        """How many levels earlier what windows say of the past begins."""
        return level if level <= self.k + 1 else self.k

    def after(self, level: int, node: Node, joint: Joint, remembered: Joint | None = None) -> dict[Node, Fraction]:
        """[(next node, chance)]; windows remember the actions `remembered`, if given."""
        state, windows = node
        found: dict[Node, Fraction] = {}
        for (s2, seen), p in self.row(level, state, joint).items():
            names = remembered or joint
            to = (
                s2,
                tuple(
                    self.extended(level, windows[i], self.symbol(level, i, names[i], seen[i])) for i in range(self.n)
                ),
            )
            found[to] = found.get(to, 0) + p
        return found

    # Levels ------------------------------------------------------------------------------------

    def _levels(self) -> list[Level]:
        root: Node = (0, ((),) * self.n)
        reached = closed = frozenset([root])
        levels: list[Level] = []
        sets: Any = None
        for u in range(self.game.horizon + 1):
            actions = self.joint_actions(u)
            same = u > self.k + 2 and levels[-1].actions == actions and sets == (reached, closed)
            levels.append(levels[-1] if same else Level(reached, closed, actions, partial(self.reference, u)))
            sets = reached, closed
            if u == self.game.horizon:
                break
            if same:
                continue  # what follows is what followed the level before, which is this one
            new: set[Node] = set()
            more: set[Node] = set()
            for e in closed:
                moves = levels[u].moves(e)
                for joint in moves:
                    (new if e in reached else more).update(self.after(u, e, joint))
                    if e in reached and u > 0:
                        for i in range(self.n):
                            for a in {other[i] for other in moves}:
                                more.update(self.after(u, e, joint, (*joint[:i], a, *joint[i + 1 :])))
                if len(new) + len(more) > MAX_WINDOW_NODES:
                    raise Malformed("proof.k", f"more than {MAX_WINDOW_NODES} nodes at one step")
            reached, closed = frozenset(new), frozenset(new | more)
            if u + 1 > self.k + 1 and (reached, closed) == sets:
                reached, closed = sets  # one object, so that comparing is quick
        return levels

    def _cached(self, key: Any, make: Callable[[], Any]) -> Any:
        if key not in self._cache:
            self._cache[key] = make()
        return self._cache[key]

    def follow(self, u: int) -> list[list[Entries]]:
        """[node][joint action] -> [(node of level u + 1, chance)]; nothing where it is illegal."""
        level, later = self.levels[u], self.levels[u + 1]

        def make() -> Any:
            return [
                [
                    [(later.index[e2], p) for e2, p in self.after(u, e, joint).items()] if all(chances) else []
                    for joint, chances in zip(level.actions, level.references(e), strict=True)
                ]
                for e in level.nodes
            ]

        found: list[list[Entries]] = self._cached(("follow", id(level), id(later), u > self.k), make)
        return found

    def mimic(self, u: int, i: int) -> list[list[list[Entries]]]:
        """[pair (a, b)][reachable node][others' action] -> [(node of level u + 1, P(s', o|a) - P(s', o|b))], nothing
        where one of them is illegal.

        a is remembered.  One entry for every (s', o): what follows two observations may have one node and
        different values.
        """
        level, later = self.levels[u], self.levels[u + 1]

        def change(e: Node, moves: set[Joint], a: int, b: int, c: Joint) -> Entries:
            (state, windows), first, second = e, (*c[:i], a, *c[i:]), (*c[:i], b, *c[i:])
            if not {first, second} <= moves:
                return []
            found = dict(self.row(u, state, first))
            for to, p in self.row(u, state, second).items():
                found[to] = found.get(to, 0) - p
            entries = []
            for (s2, seen), d in found.items():
                if d:
                    symbols = (self.symbol(u, j, first[j], seen[j]) for j in range(self.n))
                    after = tuple(self.extended(u, w, x) for w, x in zip(windows, symbols, strict=True))
                    entries.append((later.index[s2, after], d))
            return entries

        def make() -> Any:
            own, others = self.own_actions(u, i), self.others_actions(u, i)
            legal = [(e, set(level.moves(e))) for e in level.nodes[: level.reachable]]
            return [
                [[change(e, moves, a, b, c) for c in others] for e, moves in legal] for a in own for b in own if a != b
            ]

        found: list[list[list[Entries]]] = self._cached(("mimic", id(level), id(later), i, u > self.k), make)
        return found

    def own(self, u: int, i: int) -> list[list[list[Entries]]]:
        """[pair (state, own window)][own action][others' action] -> [(pair one level later, chance)]; what only
        illegal actions reach is left out."""
        level, later = self.levels[u], self.levels[u + 1]

        def make() -> Any:
            pairs = self.own_pairs(u, i)
            index = {x: k for k, x in enumerate(self.own_pairs(u + 1, i))}
            table = []
            for s, w in pairs:
                rows = []
                for a in self.own_actions(u, i):
                    row = []
                    for c in self.others_actions(u, i):
                        found: dict[int, Fraction] = {}
                        for (s2, seen), p in self.row(u, s, (*c[:i], a, *c[i:])).items():
                            window = self.extended(u, level.windows[i][w], self.symbol(u, i, a, seen[i]))
                            to = index.get((s2, later.place[i].get(window, -1)))
                            if to is not None:
                                found[to] = found.get(to, 0) + p
                        row.append(list(found.items()))
                    rows.append(row)
                table.append(rows)
            return table

        found: list[list[list[Entries]]] = self._cached(("own", id(level), id(later), i, u > self.k), make)
        return found

    def own_pairs(self, u: int, i: int) -> list[tuple[int, int]]:
        """Pairs (state, own window) of reachable nodes."""
        level = self.levels[u]
        found: list[tuple[int, int]] = self._cached(
            ("pairs", id(level), i),
            lambda: sorted({(s, level.place[i][w[i]]) for s, w in level.nodes[: level.reachable]}),
        )
        return found

    # Posteriors --------------------------------------------------------------------------------

    def _seen_by(self, level: int, i: int, symbol: int, others: Joint, state: int) -> list[tuple[int, Joint, Fraction]]:
        """[(next state, others' symbols, chance)] after the others' actions, together with agent i's symbol (one pair
        stands for all that share it: their kernels are proportional)."""
        a, o = (0, symbol) if level == 0 else self._standing[i, symbol]
        joint = (*others[:i], a, *others[i:])
        found: dict[tuple[int, Joint], Fraction] = {}
        for (s2, seen), p in self.row(level, state, joint).items():
            if seen[i] == o:
                names = tuple(self.symbol(level, j, joint[j], seen[j]) for j in range(self.n) if j != i)
                found[s2, names] = found.get((s2, names), 0) + p
        return [(s2, names, p) for (s2, names), p in found.items()]

    def posterior(self, begin: int, start: int, joint: tuple[Window, ...]) -> dict[int, Fraction]:
        """{state: chance} after the joint symbols since level `begin`, with the state `start`; {} if impossible."""
        if not joint[0]:
            return {start: Fraction(1)}

        def make() -> Any:
            level = begin + len(joint[0]) - 1
            last = tuple(w[-1] for w in joint)
            others = tuple(0 if level == 0 else self._standing[j, last[j]][0] for j in range(1, self.n))
            found: dict[int, Fraction] = {}
            for s, b in self.posterior(begin, start, tuple(w[:-1] for w in joint)).items():
                for s2, names, p in self._seen_by(level, 0, last[0], others, s):
                    if names == last[1:]:
                        found[s2] = found.get(s2, 0) + b * p
            total = sum(found.values())
            return {s: p / total for s, p in found.items()}

        known: dict[int, Fraction] = self._cached(("posterior", begin == 0, start, joint), make)
        return known

    def trail(self, top: int, i: int, lookback: int) -> Trail:
        """The `Trail` of agent i from level `top` over `lookback` levels."""
        begin = top - lookback
        key = ("trail", i, lookback, begin == 0, *(id(level) for level in self.levels[begin : top + 1]))
        trail: Trail = self._cached(key, lambda: self._trail(top, i, lookback, begin))
        return trail

    def _trail(self, top: int, i: int, lookback: int, begin: int) -> Trail:
        level, first = self.levels[top], self.levels[begin]
        starts, others = first.states, level.others[i]
        own = [_last(w, lookback) for w in level.windows[i][: level.used[i]]]
        reached = set(level.nodes[: level.reachable])

        def joint(mine: Window, theirs: Windows, count: int) -> Windows:
            recent = [_last(w, count) for w in theirs]
            return (*recent[:i], mine, *recent[i:])

        def meeting(start: int, w: int, ws: Windows) -> dict[int, Fraction]:
            """The posterior, {} where this start and these windows never meet: then no value matters."""
            found = self.posterior(begin, start, joint(own[w], ws, lookback))
            windows = (*ws[:i], level.windows[i][w], *ws[i:])
            return found if all((s, windows) in reached for s in found) else {}

        belief = [[[meeting(s, w, ws) for ws in others] for w in range(len(own))] for s in starts]
        back = [self._back(u, i, begin, own, joint) for u in range(top - 1, begin - 1, -1)]
        reachable = {(s, w[:i] + w[i + 1 :]) for s, w in first.nodes[: first.reachable]}
        possible = [
            (n, o) for n, s in enumerate(starts) for o, ws in enumerate(first.others[i]) if (s, ws) in reachable
        ]
        return Trail(starts, belief, back, possible)

    def _back(self, u: int, i: int, begin: int, own: list[Window], joint: Any) -> list[Any]:
        """Chances from level u to u + 1 given the start, the own symbols up to u and the others' windows."""
        level, known = self.levels[u], u - begin
        index = {ws: o for o, ws in enumerate(self.levels[u + 1].others[i])}
        actions = self.others_actions(u, i)
        made: dict[Any, Any] = {}

        def row(start: int, window: Window, ws: Windows, action: Joint) -> dict[int, Fraction]:
            found: dict[Windows, Fraction] = {}
            for s, b in self.posterior(begin, start, joint(window[:known], ws, known)).items():
                for _, names, p in self._seen_by(u, i, window[known], action, s):
                    after = tuple(self.extended(u, w, x) for w, x in zip(ws, names, strict=True))
                    found[after] = found.get(after, 0) + b * p
            # windows that no history has together with this start and window: their chance is another start's
            return {index[ws2]: p for ws2, p in found.items() if ws2 in index}

        def rows(start: int, window: Window) -> Any:
            key = start, window[: known + 1]
            if key not in made:
                made[key] = [[row(start, window, ws, c) for c in actions] for ws in level.others[i]]
            return made[key]

        return [[rows(start, window) for window in own] for start in self.levels[begin].states]


def _last(window: Window, count: int) -> Window:
    return window[len(window) - count :]
