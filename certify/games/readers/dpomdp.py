"""Reader of `.dpomdp` files (the MADP toolbox's format), with exact numbers and line numbers.

Later lines override earlier ones, `cost` is negated reward, and R lines that name s' or o mean
the expected reward (docs/theory/objective.md#the-model).  The grammar is described in docs/game-format.md.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from fractions import Fraction

from certify.games.model import Game, check_game
from certify.games.names import choices, index_of
from certify.games.readers.dpomdp_preamble import PREAMBLE, PreambleReader, Row
from certify.games.readers.expected_reward import ANY, RewardPatterns

_SHORTHANDS = ("uniform", "identity", "reset")  # words that stand for rows of numbers


def read_dpomdp(text: str, where: str, name: str, horizon: int, rows: str = "exact") -> Game:
    """The checked game that the text of a `.dpomdp` file describes.

    `where` names the file in errors; `rows` is "exact" (a row of probabilities that misses 1 is
    an error that names the row and its sum) or "renormalise" (such a row is divided by its sum,
    if it misses 1 by at most 1/1000).  Raises `InputError` naming the line.

    >>> game = read_dpomdp('''agents: 1
    ... discount: 1
    ... values: reward
    ... states: 2
    ... start: 0
    ... actions:
    ... stay go
    ... observations:
    ... 1
    ... T: * : identity
    ... T: go : 0 : 1 : 1
    ... T: go : 0 : 0 : 0
    ... O: * : uniform
    ... R: * : * : 1 : * : 0.5
    ... ''', "small.dpomdp", "small", horizon=2)
    >>> game.transition[0, (1,)], game.reward[0, (1,)]
    (((1, Fraction(1, 1)),), Fraction(1, 2))
    """
    return _Reader(text, where, rows).game(name, horizon)


class _Reader(PreambleReader):
    """Index fields and the T, O and R lines after the preamble."""

    # -- indices in T, O and R lines

    def _state(self, field: str) -> Sequence[int]:
        token = field.strip()
        found = self._state_cache.get(token)
        if found is None:
            found = range(len(self.states)) if token == "*" else (self.one_state(token),)
            self._state_cache[token] = found
        return found

    def _joint(self, field: str, names: Sequence[Sequence[str]], what: str) -> Sequence[int]:
        """Numbers of all joint actions or observations that a field matches, first agent most significant."""
        cache = self._joint_cache[what]
        found = cache.get(field)
        if found is not None:
            return found
        tokens, n, count = field.split(), len(names), math.prod(map(len, names))
        if tokens == ["*"]:
            found = range(count)
        elif len(tokens) == 1 and n > 1:
            if not (tokens[0].isascii() and tokens[0].isdigit()) or len(tokens[0]) > 9 or int(tokens[0]) >= count:
                raise self.error(
                    f"{tokens[0]!r} is no joint {what}",
                    f"give one {what} per agent, `*`, or a number from 0 to {count - 1}",
                )
            found = (int(tokens[0]),)
        elif len(tokens) != n:
            raise self.error(f"{len(tokens)} {what}s in {field.strip()!r}", f"give one for each of the {n} agents")
        else:
            found = [0]
            for i, token in enumerate(tokens):
                chosen = self._individual(token, names[i], f"{what} of {self.agents[i]}")
                found = [k * len(names[i]) + c for k in found for c in chosen]
            found = tuple(found) if len(found) < count else range(count)
        cache[field] = found
        return found

    def _individual(self, token: str, names: Sequence[str], what: str) -> Sequence[int]:
        if token == "*":
            return range(len(names))
        if (index := index_of(token, names)) is None:
            raise self.error(f"unknown {what} {token!r}", choices(names))
        return (index,)

    # -- T, O and R

    def body(self) -> None:
        self._state_cache: dict[str, Sequence[int]] = {}
        self._joint_cache: dict[str, dict[str, Sequence[int]]] = {"action": {}, "observation": {}}
        self.transition: dict[tuple[int, int], Row] = {}  # (state, joint action)
        self.emission: dict[tuple[int, int], Row] = {}  # (next state, joint action)
        self.row_line: dict[tuple[str, int, int], int] = {}
        self.rewards = RewardPatterns()
        while (content := self.next_line()) is not None:
            key, *fields = content.split(":")
            key = key.strip()
            if fields and not fields[-1].strip():
                fields.pop()
            if key in ("T", "O"):
                self._probabilities(key, fields)
            elif key == "R":
                self._reward(fields)
            else:
                self.misplaced(key, PREAMBLE, "lines here begin with `T:`, `O:` or `R:`")

    def _probabilities(self, key: str, fields: list[str]) -> None:
        """One `T: ja : s : s' : p` or `O: ja : s' : jo : p`, or its row or matrix form."""
        if not 1 <= len(fields) <= 4 or (len(fields) == 3 and fields[2].strip() not in _SHORTHANDS):
            last = "s'" if key == "T" else "jo"
            raise self.error(f"`{key}:` with {len(fields)} fields", f"write `{key}: ja : s : {last} : number`")
        actions = self._joint(fields[0], self.actions, "action")
        width = len(self.states if key == "T" else self.joint_observations)
        if len(fields) == 4:
            states = self._state(fields[1])
            targets = self._state(fields[2]) if key == "T" else self._joint(fields[2], self.observations, "observation")
            p = self.probability(fields[3])
            self.spend(len(actions) * len(states) * len(targets))
            table = self.transition if key == "T" else self.emission
            for s, a in itertools.product(states, actions):
                row = table.get((s, a))
                if row is None:
                    row = table[s, a] = {}
                self.row_line[key, s, a] = self.line
                for target in targets:
                    if p:
                        row[target] = p
                    else:
                        row.pop(target, None)
            return
        shorthand = fields.pop().strip() if fields[-1].strip() in _SHORTHANDS and len(fields) > 1 else None
        states = self._state(fields[1]) if len(fields) == 2 else range(len(self.states))
        self._rows(key, actions, states, width, whole=len(fields) == 1, shorthand=shorthand)

    def _rows(
        self, key: str, actions: Sequence[int], states: Sequence[int], width: int, *, whole: bool, shorthand: str | None
    ) -> None:
        """Rows of numbers, `uniform`, `identity` or `reset` (to the start); one row serves all `states`."""
        begun = self.line
        if shorthand is None:
            content = self.next_line()
            if content in _SHORTHANDS:
                shorthand = content
            elif content is not None:
                self.put_back(content, begun)
        if shorthand == "identity" and not (key == "T" and whole):
            raise self.error("`identity` here", "it stands for the whole matrix of a `T: ja :` line only")
        if shorthand == "reset" and key != "T":
            raise self.error("`reset` here", "it stands for rows of `T:` lines only")
        self.spend(len(actions) * len(states) * (1 if shorthand == "identity" else width))
        if shorthand == "uniform":
            rows: Iterable[Row] = itertools.repeat(dict.fromkeys(range(width), Fraction(1, width)))
        elif shorthand == "reset":
            rows = itertools.repeat(self.start)
        elif shorthand == "identity":
            rows = ({s: Fraction(1)} for s in states)
        else:
            values = self.block(width * (len(states) if whole else 1), self.probability, f"this `{key}:`")
            cut = [values[k : k + width] for k in range(0, len(values), width)]
            rows = itertools.cycle([{k: p for k, p in enumerate(row) if p} for row in cut])
        table = self.transition if key == "T" else self.emission
        for s, row in zip(states, rows, strict=False):
            for a in actions:
                table[s, a] = dict(row)
                self.row_line[key, s, a] = begun

    def _reward(self, fields: list[str]) -> None:
        if not 2 <= len(fields) <= 5 or len(fields) == 4:
            raise self.error(f"`R:` with {len(fields)} fields", "write `R: ja : s : s' : jo : number`")
        actions = self._joint(fields[0], self.actions, "action")
        state = self._pattern(self._state(fields[1]), len(self.states))
        following = self._pattern(self._state(fields[2]), len(self.states)) if len(fields) > 2 else None
        actions = [ANY] if len(actions) == len(self.joint_actions) else actions
        outcomes = len(self.joint_observations)
        if len(fields) == 5:
            found = self._joint(fields[3], self.observations, "observation")
            value = self.sign * self.number(fields[4])
            entries = [(following, o, value) for o in ([ANY] if len(found) == outcomes else found)]
        else:
            rows = [following] if following is not None else list(range(len(self.states)))
            self.spend(len(rows) * outcomes)
            values = self.block(len(rows) * outcomes, self.number, "this `R:`")
            entries = [
                (s2, o, self.sign * values[k * outcomes + o]) for k, s2 in enumerate(rows) for o in range(outcomes)
            ]
        self.spend(len(actions) * len(entries))
        for a in actions:
            for s2, o, value in entries:
                self.rewards.set(a, state, s2, o, value)

    @staticmethod
    def _pattern(found: Sequence[int], size: int) -> int:
        return found[0] if len(found) == 1 < size else ANY

    # -- the game

    def game(self, name: str, horizon: int) -> Game:
        self.preamble()
        self.body()
        self._check_rows()
        n_actions = range(len(self.joint_actions))
        joint_a, joint_o = self.joint_actions, self.joint_observations
        reward = {}
        for s in range(len(self.states)):
            for a in n_actions:
                r = self.rewards.expected(
                    a, s, self.transition.get((s, a), {}), lambda s2, a=a: self.emission.get((s2, a), {})
                )
                if r:
                    reward[s, joint_a[a]] = r
        return check_game(
            Game(
                name=name,
                agents=self.agents,
                states=self.states,
                actions=self.actions,
                observations=self.observations,
                start=tuple((s, (), p) for s, p in self.start.items()),
                transition={
                    (s, joint_a[a]): tuple(sorted(row.items())) for (s, a), row in self.transition.items() if row
                },
                emission={
                    (joint_a[a], s): tuple((joint_o[o], p) for o, p in sorted(row.items()))
                    for (s, a), row in self.emission.items()
                    if row
                },
                reward=reward,
                horizon=horizon,
                discount=self.discount,
                source=self.where,
            )
        )

    def _check_rows(self) -> None:
        """Rows that play can reach sum to 1; a row never written is left to `check_game`, because
        whether it is needed depends on the horizon."""
        reached, frontier, seen = set(self.start), list(self.start), set()
        while frontier:
            s = frontier.pop()
            for a in range(len(self.joint_actions)):
                if not (row := self.transition.get((s, a))):
                    continue
                what = f"transition from {self.states[s]} under {self._action_text(a)}"
                row = self.transition[s, a] = self.distribution(row, what, self.row_line["T", s, a])
                for s2 in row:
                    if s2 not in reached:
                        reached.add(s2)
                        frontier.append(s2)
                    if (s2, a) not in seen and (out := self.emission.get((s2, a))):
                        seen.add((s2, a))
                        what = f"observation in {self.states[s2]} after {self._action_text(a)}"
                        self.emission[s2, a] = self.distribution(out, what, self.row_line["O", s2, a])

    def _action_text(self, a: int) -> str:
        return " ".join(self.actions[i][k] for i, k in enumerate(self.joint_actions[a]))
