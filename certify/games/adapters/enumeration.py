"""Every state that play can reach, breadth first, with what can follow: the raw table of an environment."""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import dataclass, field
from fractions import Fraction

from certify.errors import InputError
from certify.exact import rational_text
from certify.games.adapters.cache import Cache
from certify.games.adapters.protocol import Environment, Joint, Outcome, State, raised, shown
from certify.games.adapters.rationals import add_to
from certify.run import OutOfTime, Progress, quiet

END = -1  # stands for every state after the end
_ROWS_PER_STATE = 100  # rows allowed for each allowed state
_BATCH = 4_096  # questions that are asked at once, where an environment takes many

Told = tuple[int, ...]  # one observation per agent, by number
After = tuple[Fraction, int, Told]  # probability, next state (or END), observations (() at the end)
Rows = dict[Joint, tuple[Fraction, tuple[After, ...]]]  # expected reward, what follows; nothing at the last step


@dataclass
class Enumerated:
    """States by number in the order in which they are met.

    observations : per agent its observations by number.  legal : per state and agent the indices of actions.
    start : (state, observations, probability).  rows : per state.  horizon : steps that are played.
    """

    environment: Environment
    states: list[State] = field(default_factory=list)
    observations: list[dict[Hashable, int]] = field(default_factory=list)
    legal: list[tuple[tuple[int, ...], ...]] = field(default_factory=list)
    start: list[tuple[int, Told, Fraction]] = field(default_factory=list)
    rows: list[Rows] = field(default_factory=list)
    horizon: int = 0

    def __post_init__(self) -> None:
        self.number: dict[State, int] = {}
        self.observations = [{} for _ in self.environment.agents]

    def add(self, state: State) -> int:
        """The number of a state."""
        try:
            found = self.number.get(state)
        except OutOfTime:
            raise
        except Exception as error:  # of its __eq__
            raise raised(error, f"{self.environment.name}, comparing states") from error
        if found is None:
            found = self.number[state] = len(self.states)
            self.states.append(state)
            self.legal.append(self.environment.legal(state))
        return found

    def told(self, seen: tuple[Hashable, ...]) -> Told:
        """Observations by number."""
        try:
            return tuple(own.setdefault(o, len(own)) for own, o in zip(self.observations, seen, strict=True))
        except OutOfTime:
            raise
        except Exception as error:
            raise raised(error, f"{self.environment.name}, comparing observations") from error


def enumerate_states(
    environment: Environment, horizon: int | None, max_states: int, cache: Cache, progress: Progress = quiet
) -> Enumerated:
    """Enumerate what `horizon` steps can reach (None: until every branch is done).

    Raises `InputError` with the numbers before there would be more than `max_states` states, or 100 times as many
    rows; what has been enumerated by then is in the cache.
    """
    work = _Work(environment, horizon, max_states, cache, progress)
    work.begin()
    while work.frontier and (horizon is None or work.step < horizon):
        work.expand_step()
    work.table.horizon = work.step if horizon is None else horizon
    return work.table


class _Work:
    """The frontier of an enumeration."""

    def __init__(
        self, environment: Environment, horizon: int | None, max_states: int, cache: Cache, progress: Progress
    ) -> None:
        self.environment, self.horizon, self.max_states = environment, horizon, max_states
        self.cache, self.progress = cache, progress
        self.table = Enumerated(environment)
        self.known = iter(cache)
        self.step, self.asked = 0, 0
        self.batch = _BATCH if hasattr(environment.model, "outcomes_many") else 1
        self.frontier: list[int] = []

    def begin(self) -> None:
        """The first states."""
        table = self.table
        weights: dict[tuple[int, Told], Fraction] = {}
        for p, state, seen in self.environment.start(self.max_states):
            if p:
                key = (table.add(state), () if seen is None else table.told(seen))
                add_to(weights, key, p)
        table.start = [(s, told, p) for (s, told), p in weights.items()]
        self.frontier = list(range(len(table.states)))

    def expand_step(self) -> None:
        """Everything that one more step can reach."""
        table, last = self.table, self.horizon is not None and self.step + 1 == self.horizon
        rows = sum(math.prod(len(own) for own in table.legal[s]) for s in self.frontier)
        self._refuse_if_beyond(len(table.states), self.asked + rows)
        self.asked += rows
        before, waiting, size = len(table.states), list[int](), 0
        for done, s in enumerate(self.frontier):
            waiting.append(s)
            size += math.prod(len(own) for own in table.legal[s])
            if size >= self.batch or done + 1 == len(self.frontier):
                self._expand(waiting, last=last)
                waiting, size = [], 0
                self.progress(f"step {self.step + 1}: {len(table.states):,} states")
        self.frontier = list(range(before, len(table.states)))
        self.step += 1

    def _expand(self, states: list[int], *, last: bool) -> None:
        joint = {s: self.environment.joint_actions(self.table.legal[s]) for s in states}
        kept = [(s, line) for s, line in zip(states, self.known, strict=False)]
        for s, line in kept:
            self._replay(s, joint[s], line, last=last)
        fresh = states[len(kept) :]
        if not fresh:
            return
        pairs = [(self.table.states[s], a) for s in fresh for a in joint[s]]
        answers = iter(self.environment.outcomes(pairs))
        taken = {s: [next(answers) for _ in joint[s]] for s in fresh}
        if not getattr(self.environment.model, "deterministic", False):
            self._ask_again(fresh, joint, taken)
        for s in fresh:
            rows = {a: self._row(found, last=last) for a, found in zip(joint[s], taken[s], strict=True)}
            self.table.rows.append(rows)
            self.cache.append(_written(rows))
            self._refuse_if_beyond(len(self.table.states), self.asked)

    def _row(self, found: list[Outcome], *, last: bool) -> tuple[Fraction, tuple[After, ...]]:
        reward = sum((p * r for p, r, *_ in found if r), Fraction(0)) if len(found) > 1 else found[0][1]
        if last:
            return reward, ()
        weights: dict[tuple[int, Told], Fraction] = {}
        for p, _, state, seen, over in found:
            key = (END, ()) if over else (self.table.add(state), self.table.told(seen))
            add_to(weights, key, p)
        return reward, tuple((p, s, told) for (s, told), p in weights.items())

    def _ask_again(
        self, states: list[int], joint: dict[int, list[Joint]], taken: dict[int, list[list[Outcome]]]
    ) -> None:
        """One question for each state once more: whoever draws randomness inside answers differently."""
        pairs = [(self.table.states[s], joint[s][-1]) for s in states]
        for s, second in zip(states, self.environment.outcomes(pairs), strict=True):
            if second != taken[s][-1]:
                raise InputError(
                    f"{self.environment.name}, outcomes({shown(self.table.states[s])}, ...)",
                    "two calls gave two answers",
                    "list all that may happen with its probability; draw nothing, and remember nothing elsewhere",
                )

    def _replay(self, s: int, joint: list[Joint], line: object, *, last: bool) -> None:
        """Rows from the file; the environment is asked where they lead to something new, and where nothing is
        new once per state, so that a file about another environment is noticed."""
        rows = self._read(joint, line)
        table, known = self.table, len(self.table.states)
        asked = {joint[-1]}
        told = [len(own) for own in table.observations]
        for a, (_, after) in rows.items():
            for _, following, seen in after:
                new = following >= known or any(o >= m for o, m in zip(seen, told, strict=False))
                if new:
                    asked.add(a)
                    known = max(known, following + 1)
                    told = [max(m, o + 1) for m, o in zip(told, seen, strict=False)] or told
        order = [a for a in joint if a in asked]
        answers = self.environment.outcomes([(table.states[s], a) for a in order])
        for a, found in zip(order, answers, strict=True):
            if self._row(found, last=last) != rows[a]:
                raise self.cache.damaged()
        if any(following >= len(table.states) for _, after in rows.values() for _, following, _ in after):
            raise self.cache.damaged()
        table.rows.append(rows)
        self._refuse_if_beyond(len(table.states), self.asked)

    def _read(self, joint: list[Joint], line: object) -> Rows:
        try:
            assert isinstance(line, list)
            return {
                a: (Fraction(reward), tuple((Fraction(p), int(s), tuple(map(int, told))) for p, s, told in after))
                for a, (reward, after) in zip(joint, line, strict=True)
            }
        except (TypeError, ValueError, AssertionError, ZeroDivisionError):
            raise self.cache.damaged() from None

    def _refuse_if_beyond(self, states: int, rows: int) -> None:
        most = self.max_states * _ROWS_PER_STATE
        if states > self.max_states or rows > most:
            what = f"{states:,} states" if states > self.max_states else f"{rows:,} rows (states times joint actions)"
            raise InputError(
                self.environment.name,
                f"{what} within {self.step + 1} of {self.horizon or 'all'} steps; the limit is {self.max_states:,} "
                f"states and {most:,} rows",
                "shorten the horizon, or raise max_states",
            )


def _written(rows: Rows) -> list[object]:
    """The rows of one state as a line of the cache."""
    return [
        [rational_text(reward), [[rational_text(p), s, list(told)] for p, s, told in after]]
        for reward, after in rows.values()
    ]
