"""Lines, exact numbers and the preamble of `.dpomdp` files: agents, discount, values, states,
start, actions, observations, in this order (docs/game-format.md).
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction

from certify.errors import InputError
from certify.exact import parse_rational
from certify.games.oneshot import agent_names

PREAMBLE = ("agents", "discount", "values", "states", "start", "actions", "observations")
LARGEST_LIST = 10**6  # states, joint actions, joint observations
LARGEST_TABLE = 2 * 10**7  # entries written while reading
LONGEST_SUM = 40  # characters of a fraction that a message shows as it is
ROUNDING = Fraction(1, 1000)  # rows that miss 1 by more are mistakes, which no renormalising mends
_NAME = re.compile(r"[^\W\d][^\s,/:*#]*\Z")
Row = dict[int, Fraction]


class PreambleReader:
    """Lines, exact numbers and the preamble of a `.dpomdp` file; errors name the line."""

    def __init__(self, text: str, where: str, rows: str) -> None:
        self.where, self.renormalise = where, rows == "renormalise"
        self._lines = self._meaningful(text)
        self._waiting: tuple[int, str] | None = None
        self.line = 0
        self._head = ""  # what stands before the colon of the preamble's line
        self._numbers: dict[str, Fraction] = {}
        self._written = 0

    def error(self, what: str, mend: str, line: int | None = None) -> InputError:
        """An error at `line`, by default the current one: what is wrong and how to mend it."""
        return InputError(f"{self.where}, line {line or self.line}", what, mend)

    # -- lines and numbers

    @staticmethod
    def _meaningful(text: str) -> Iterator[tuple[int, str]]:
        for number, line in enumerate(text.split("\n"), start=1):
            content = line.partition("#")[0].strip()
            if content:
                yield number, content

    def next_line(self) -> str | None:
        """The next line that is neither blank nor a comment, None at the end."""
        if self._waiting is not None:
            (self.line, content), self._waiting = self._waiting, None
            return content
        following = next(self._lines, None)
        if following is None:
            return None
        self.line, content = following
        return content

    def put_back(self, content: str, line: int) -> None:
        """Leaves a line for the next reader; `line` is where errors are reported until then."""
        self._waiting = (self.line, content)
        self.line = line

    def number(self, token: str) -> Fraction:
        """The exact number that a token spells."""
        value = self._numbers.get(token)
        if value is None:
            value = self._numbers[token] = parse_rational(token, f"{self.where}, line {self.line}")
        return value

    def probability(self, token: str) -> Fraction:
        """The exact number of a token, which must lie in [0, 1]."""
        value = self.number(token)
        if not 0 <= value <= 1:
            raise self.error(f"a probability of {token.strip()}", "use a number from 0 to 1")
        return value

    def block(self, count: int, read: Callable[[str], Fraction], what: str) -> list[Fraction]:
        """`count` numbers from the following lines, which must end with the last of them."""
        begun = self.line
        values: list[Fraction] = []
        while len(values) < count:
            content = self.next_line()
            if content is None or ":" in content:
                raise self.error(
                    f"{what} has {len(values)} of {count} numbers", "write the missing ones below it", begun
                )
            values += [read(token) for token in content.split()]
        if len(values) > count:
            raise self.error(f"{what} has {len(values)} numbers, not {count}", "remove those too many")
        return values

    def distribution(self, row: Row, what: str, line: int) -> Row:
        """The row, if it sums to 1; divided by its sum where that is asked for and it nearly does."""
        total = sum(row.values(), Fraction(0))
        if total == 1:
            return row
        if self.renormalise and abs(total - 1) <= ROUNDING:
            return {k: p / total for k, p in row.items()}
        mend = f"make it 1 (it misses by {float(total - 1):.2g})"
        if abs(total - 1) <= ROUNDING:
            mend += ", or pass --rows renormalise"
        shown = str(total) if len(str(total)) <= LONGEST_SUM else f"about {float(total):.17g}"
        raise self.error(f"{what}: probabilities sum to {shown}", mend, line)

    def spend(self, entries: int) -> None:
        """Counts entries about to be written; refuses files whose shorthands would fill the memory."""
        self._written += entries
        if self._written > LARGEST_TABLE:
            raise self.error(
                f"tables of {self._written} entries and more",
                f"this reader holds {LARGEST_TABLE}; use fewer wildcards or a smaller game",
            )

    # -- preamble

    def preamble(self) -> None:
        """Reads the seven lines before the tables, in their order."""
        names = " ".join(f"{keyword}:" for keyword in PREAMBLE)
        for position, keyword in enumerate(PREAMBLE):
            content = self.next_line()
            if content is None:
                raise InputError(
                    self.where, f"no `{keyword}:` line" if position else "an empty file", f"begin with {names}"
                )
            head, colon, rest = content.partition(":")
            head = " ".join(head.split())
            if not colon or head.split()[:1] != [keyword] or (keyword not in (head, "start")):
                self.misplaced(head, PREAMBLE[:position], f"`{keyword}:` must stand here; the order is {names}")
            self._head = head
            getattr(self, f"_read_{keyword}")(rest.strip())

    def misplaced(self, head: str, before: Sequence[str], mend: str) -> None:
        """Raises for a line that has no place here: a keyword met again, or anything unknown."""
        if head.split()[:1] and head.split(maxsplit=1)[0] in before:
            raise self.error(f"`{head}:` a second time", "keep one of the two")
        raise self.error(f"unexpected {head[:40]!r}", mend)

    def _names(self, text: str, what: str) -> tuple[str, ...]:
        """INT or a list of names."""
        tokens = text.replace(",", " ").split()
        if not tokens:
            raise self.error(f"no {what}", "give their number or their names")
        if len(tokens) == 1 and re.fullmatch(r"\+?[0-9]+", tokens[0]):
            count = int(tokens[0]) if len(tokens[0]) < 20 else 10**19
            if count < 1:
                raise self.error(f"{count} {what}", "give at least one")
            if count > LARGEST_LIST:
                raise self.error(
                    f"{tokens[0]} {what}, more than fit into memory as exact tables",
                    f"this reader takes up to {LARGEST_LIST}",
                )
            return agent_names(count) if what == "agents" else tuple(map(str, range(count)))
        for token in tokens:
            if not _NAME.match(token):
                raise self.error(f"{token!r} cannot name one of the {what}", "begin names with a letter; numbers count")
        if len(set(tokens)) < len(tokens):
            twice = next(t for k, t in enumerate(tokens) if t in tokens[:k])
            raise self.error(f"the name {twice!r} occurs twice", "give each its own name")
        return tuple(tokens)

    def _read_agents(self, rest: str) -> None:
        self.agents = self._names(rest, "agents")

    def _read_discount(self, rest: str) -> None:
        self.discount = self.number(rest)
        if not 0 < self.discount <= 1:
            raise self.error(f"a discount of {rest}", "use a number in (0, 1]")

    def _read_values(self, rest: str) -> None:
        if rest not in ("reward", "cost"):
            raise self.error(f"values: {rest!r}", "write `values: reward` or `values: cost`")
        self.sign = 1 if rest == "reward" else -1

    def _read_states(self, rest: str) -> None:
        self.states = self._names(rest, "states")
        self._state_index = {state: s for s, state in enumerate(self.states)}

    def one_state(self, token: str) -> int:
        """The number of the state that a token names."""
        index = self._state_index.get(token)
        if index is None and token.isascii() and token.isdigit() and len(token) < 10:
            index = int(token)
        if index is None or index >= len(self.states):
            raise self.error(
                f"unknown state {token!r}",
                "declare it in `states:`"
                if not token.isdigit()
                else f"states are numbered from 0 to {len(self.states) - 1}",
            )
        return index

    def _read_start(self, rest: str) -> None:
        head, every = self._head, range(len(self.states))
        if head in ("start include", "start exclude"):
            begun = self.line
            if not rest and (not (rest := self.next_line() or "") or ":" in rest):
                raise self.error(f"`{head}:` without states", "list them on the same line or on the next one", begun)
            listed = [self.one_state(token) for token in rest.replace(",", " ").split()]
            if len(set(listed)) < len(listed):
                raise self.error(f"`{head}:` names a state twice", "name each once")
            support = listed if head == "start include" else [s for s in every if s not in set(listed)]
            if not support:
                raise self.error(f"`{head}:` leaves no state to start in", "leave at least one")
            self.start = {s: Fraction(1, len(support)) for s in sorted(support)}
        elif head != "start":
            raise self.error(f"unexpected {head!r}", "write `start:`, `start include:` or `start exclude:`")
        elif len(rest.split()) == 1 and rest != "uniform":
            self.start = {self.one_state(rest): Fraction(1)}
        else:
            self._start_distribution(rest)

    def _start_distribution(self, rest: str) -> None:
        begun, count = self.line, len(self.states)
        if not rest and (rest := self.next_line() or "").partition(":")[1]:
            raise self.error(
                "`start:` without a distribution", "write `uniform` or one number per state below it", begun
            )
        if rest == "uniform":
            self.start = {s: Fraction(1, count) for s in range(count)}
            return
        named = [token for token in rest.split() if token in self._state_index and not token.isdigit()]
        if named:
            if len(rest.split()) > 1:
                raise self.error("`start:` with several states", "write `start include:` before them")
            self.start = {self.one_state(named[0]): Fraction(1)}
            return
        values = [self.probability(token) for token in rest.split()]
        if len(values) < count:
            values += self.block(count - len(values), self.probability, "`start:`")
        if len(values) > count:
            raise self.error(f"`start:` has {len(values)} numbers, not {count}", "give one per state")
        row = {s: p for s, p in enumerate(values) if p}
        self.start = self.distribution(row, "start", begun)

    def _per_agent(self, what: str) -> tuple[tuple[str, ...], ...]:
        lists = []
        for agent in self.agents:
            content = self.next_line()
            if content is None or ":" in content:
                raise self.error(f"no {what} of {agent}", f"write one line per agent below `{what}:`")
            lists.append(self._names(content, what))
            if (joint := math.prod(map(len, lists))) > LARGEST_LIST:
                raise self.error(f"{joint} joint {what}", f"this reader takes up to {LARGEST_LIST}")
        return tuple(lists)

    def _read_actions(self, rest: str) -> None:
        if rest:
            raise self.error("actions on the line of `actions:`", "write one line per agent below it")
        self.actions = self._per_agent("actions")
        self.joint_actions = list(itertools.product(*(range(len(names)) for names in self.actions)))
        if (size := len(self.joint_actions) * len(self.states)) > LARGEST_TABLE:
            raise self.error(
                f"{len(self.states)} states times {len(self.joint_actions)} joint actions",
                f"this reader holds tables of {LARGEST_TABLE} rows, not {size}",
            )

    def _read_observations(self, rest: str) -> None:
        if rest:
            raise self.error("observations on the line of `observations:`", "write one line per agent below it")
        self.observations = self._per_agent("observations")
        self.joint_observations = list(itertools.product(*(range(len(names)) for names in self.observations)))
