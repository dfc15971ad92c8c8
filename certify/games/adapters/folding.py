"""From an enumeration to the exact model: observations, legal sets, ends, names.

The model's observation depends on the joint action and the next state only, and legal actions on the step and the
last observation.  What an environment knows beyond that goes into the state and into the observation, and no
joint history changes (docs/theory/environments.md#folding, docs/games.md#environments-in-python).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import partial

from certify.errors import InputError
from certify.games.adapters.enumeration import END, After, Enumerated, Rows, Told
from certify.games.adapters.protocol import Joint
from certify.games.adapters.rationals import add_to
from certify.games.model import Game, check_game

Legal = tuple[int, ...]
_LONGEST_NAME = 32
_ONE = Fraction(1)
_OVER = "over"  # the observation of whoever is told that nothing more happens


@dataclass
class _Folded:
    """The tables on their way: states by number, the one after the end last."""

    legal: list[tuple[Legal, ...]]
    start: list[tuple[int, Told, Fraction]]
    rows: list[Rows]
    names: list[list[str]]  # of observations
    horizon: int
    end: int | None = None
    reference: dict[tuple[int, int], tuple[tuple[int, Fraction], ...]] = field(default_factory=dict)
    origin: list[int] = field(default_factory=list)  # by state its number in the enumeration, none for the end

    def used(self) -> list[list[int]]:
        """Per agent the enumeration's indices of the actions that the game keeps."""
        return [sorted({a for legal in self.legal for a in legal[i]}) for i in range(len(self.names))]


@dataclass(frozen=True)
class Folding:
    """A game and where its parts come from.

    origin : per state its number in the enumeration; the state after the end, the last one, has none.
    actions : per agent and action its index in the environment.
    """

    game: Game
    origin: tuple[int, ...]
    actions: tuple[tuple[int, ...], ...]


def folding(table: Enumerated, objective: str | None, discount: Fraction, name: str) -> Folding:
    """The checked game of an enumeration, and where its states and actions come from.

    `objective` None: "entropy" where legal actions depend on agent and step only, else "kl".  Raises `InputError`
    where "entropy" is asked for and legal actions depend on more.
    """
    work = _Folded(
        list(table.legal), list(table.start), list(table.rows), _observation_names(table), max(table.horizon, 1)
    )
    work.origin = list(range(len(work.legal)))
    if getattr(table.environment.model, "cumulative", False):
        _tell_what_is_new(table, work)
    _split_by_observation(work)
    steps = _steps(work)
    fixed = all(len({work.legal[s][i] for s in met if s != END}) <= 1 for met in steps for i in range(len(work.names)))
    if objective == "entropy" and not fixed:
        raise InputError(name, "legal actions depend on more than agent and step", 'use objective="kl"')
    chosen = objective or ("entropy" if fixed else "kl")
    ends = _ends(work, steps)
    _tell_what_is_legal(work, steps, ends if chosen == "kl" else ())
    _add_the_end(work, ends, single=chosen == "kl")
    game = check_game(_game(table, work, steps, (chosen, discount, name)))
    return Folding(game, tuple(work.origin), tuple(map(tuple, work.used())))


def _steps(work: _Folded) -> list[set[int]]:
    """The states that play can be in at each step, END among them."""
    met = {s for s, *_ in work.start}
    found = [met]
    following = [{s for _, after in rows.values() for _, s, _ in after} for rows in work.rows]
    while len(found) < work.horizon:
        met = set().union(*({END} if s == END else following[s] for s in met))
        found.append(met)
    return found


def _tell_what_is_new(table: Enumerated, work: _Folded) -> None:
    """Where an observation repeats all that was seen before: tell what is new in it.

    Per agent, last observation and own action the new texts must still tell the observations apart; where they do
    not, the observations stay.  So histories of the agents correspond one to one
    (docs/theory/environments.md#telling-what-is-new).
    """
    carried: list[set[Told]] = [set() for _ in work.legal]
    for s, told, _ in work.start:
        carried[s].add(told)
    for rows in work.rows:
        for _, after in rows.values():
            for _, s, told in after:
                if s != END:
                    carried[s].add(told)
    if any(len(told) != 1 for told in carried) or any(() in told for told in carried):
        return  # a state that is met with different observations
    last = [next(iter(told)) for told in carried]
    groups: list[dict[tuple[int, int], set[int]]] = [{} for _ in work.names]
    for s, rows in enumerate(work.rows):
        for a, (_, after) in rows.items():
            for _, s2, told in after:
                if s2 != END:
                    for i, o in enumerate(told):
                        groups[i].setdefault((last[s][i], a[i]), set()).add(o)
    texts = [list(own) for own in table.observations]
    shorter: list[dict[tuple[int, int, int], Hashable]] = [{} for _ in work.names]
    for i, own in enumerate(groups):
        for (before, action), following in own.items():
            for o, text in _new_texts(texts[i][before], {o: texts[i][o] for o in following}).items():
                shorter[i][before, action, o] = text
    first = [_new_texts("", {told[i]: texts[i][told[i]] for _, told, _ in work.start}) for i in range(len(work.names))]
    numbers: list[dict[Hashable, int]] = [{} for _ in work.names]

    def number(i: int, text: Hashable) -> int:
        return numbers[i].setdefault(text, len(numbers[i]))

    work.start = [(s, tuple(number(i, first[i][o]) for i, o in enumerate(told)), p) for s, told, p in work.start]
    renamed: list[Rows] = []
    for s, rows in enumerate(work.rows):
        changed: Rows = {}
        for a, (reward, after) in rows.items():
            changed[a] = (
                reward,
                tuple(
                    (p, s2, tuple(number(i, shorter[i][last[s][i], a[i], o]) for i, o in enumerate(told)))
                    for p, s2, told in after
                ),
            )
        renamed.append(changed)
    work.rows = renamed
    work.names = [_names(own, str) for own in numbers]


def _new_texts(before: Hashable, following: dict[int, Hashable]) -> dict[int, Hashable]:
    """What is new in each of the texts that may follow; "nothing" where only one may."""
    if len(following) == 1:
        return dict.fromkeys(following, "nothing")
    found: dict[int, Hashable] = {}
    for o, text in following.items():
        if isinstance(text, str) and isinstance(before, str):
            known = set(before.splitlines())
            rest = (
                text[len(before) :]
                if text.startswith(before)
                else "\n".join(line for line in text.splitlines() if line not in known)
            )
            found[o] = rest.strip()
        else:
            found[o] = text
    return found if len(set(found.values())) == len(found) else dict(following)


def _split_by_observation(work: _Folded) -> None:
    """Where what is seen of the same action and next state depends on the state before: one copy of the next state
    for every joint observation, so that the copy determines it
    (docs/theory/environments.md#splitting-by-observation)."""
    seen: dict[tuple[Joint, int], frozenset[tuple[Told, Fraction]]] = {}
    mixed: set[int] = set()
    for rows in work.rows:
        for a, (_, after) in rows.items():
            for s2, row in _emissions(after).items():
                if s2 != END and seen.setdefault((a, s2), row) != row:
                    mixed.add(s2)
    if not mixed:
        return
    copies: dict[tuple[int, Told | None], int] = {}
    origin: list[int] = []

    def copy(s: int, told: Told | None) -> int:
        key = (s, told if s in mixed else None)
        if key not in copies:
            copies[key] = len(origin)
            origin.append(s)
        return copies[key]

    work.start = [(copy(s, told), told, p) for s, told, p in work.start]
    rows_of: list[Rows] = []
    while len(rows_of) < len(origin):
        rows_of.append(
            {
                a: (reward, tuple((p, s2 if s2 == END else copy(s2, told), told) for p, s2, told in after))
                for a, (reward, after) in work.rows[origin[len(rows_of)]].items()
            }
        )
    work.rows = rows_of
    work.legal = [work.legal[s] for s in origin]
    work.origin = [work.origin[s] for s in origin]


def _emissions(after: tuple[After, ...]) -> dict[int, frozenset[tuple[Told, Fraction]]]:
    """Of one row: per next state the distribution of what is then seen."""
    by_state: dict[int, list[tuple[Told, Fraction]]] = {}
    for p, s2, told in after:
        by_state.setdefault(s2, []).append((told, p))
    found = {}
    for s, row in by_state.items():
        weight = sum((p for _, p in row), Fraction(0)) if len(row) > 1 else None
        found[s] = frozenset({(row[0][0], _ONE)} if weight is None else {(told, p / weight) for told, p in row})
    return found


def _ends(work: _Folded, steps: list[set[int]]) -> tuple[int, ...]:
    """Per agent the action that stands for doing nothing after the end: one that is there anyway, if any is.

    () where nothing ends before the horizon.
    """
    met = [[s for s in states if s != END] for states in steps if END in states]
    if not met:
        return ()
    choice = []
    for i in range(len(work.names)):
        sets = [set().union(*(work.legal[s][i] for s in states)) for states in met if states]
        common = set.intersection(*sets) if sets else {0}
        choice.append(min(common or sets[0]))
    return tuple(choice)


def _tell_what_is_legal(work: _Folded, steps: list[set[int]], ends: tuple[int, ...]) -> None:
    """Observations that are met with less than what is available at their step get a row of legal actions; where
    one is met with several sets, the set becomes a part of it: an agent knows what it may do
    (docs/theory/environments.md#telling-what-is-legal)."""
    n = len(work.names)
    everything = [
        [
            set().union(*(work.legal[s][i] for s in met if s != END), {ends[i]} if ends and END in met else ())
            for met in steps
        ]
        for i in range(n)
    ]
    sets: list[dict[int, set[Legal]]] = [{} for _ in range(n)]
    less: list[set[int]] = [set() for _ in range(n)]
    initial = bool(work.start[0][1])
    for step, (s, told) in _met(work, steps):
        for i in range(n):
            if told or (step == 0 and not initial):
                o = told[i] if told else -1
                legal = work.legal[s][i]
                sets[i].setdefault(o, set()).add(legal)
                if set(legal) != everything[i][step]:
                    less[i].add(o)
    for i in range(n):
        if any(len(sets[i][o]) > 1 for o in less[i] if o == -1):
            raise InputError("initial()", "legal actions differ between first states", "give initial observations")
    split = {(i, o) for i in range(n) for o in less[i] if len(sets[i][o]) > 1}
    variants: dict[tuple[int, int, Legal], int] = {}

    def variant(i: int, o: int, s: int) -> int:
        if s == END or (i, o) not in split:
            return o
        key = (i, o, work.legal[s][i])
        if key not in variants:
            first = not any(k[:2] == key[:2] for k in variants)
            variants[key] = o if first else len(work.names[i])
            if not first:
                work.names[i].append(
                    _free(f"{work.names[i][o]}-{sum(k[:2] == key[:2] for k in variants)}", work.names[i])
                )
        return variants[key]

    def retold(s: int, told: Told) -> Told:
        return tuple(variant(i, o, s) for i, o in enumerate(told))

    if split:
        work.start = [(s, retold(s, told), p) for s, told, p in work.start]
        work.rows = [
            {a: (r, tuple((p, s2, retold(s2, told)) for p, s2, told in after)) for a, (r, after) in rows.items()}
            for rows in work.rows
        ]
    for i in range(n):
        for o in less[i]:
            for legal in sets[i][o]:
                number = variants.get((i, o, legal), o)
                work.reference[i, number] = tuple((a, Fraction(1, len(legal))) for a in legal)


def _met(work: _Folded, steps: list[set[int]]) -> Iterable[tuple[int, tuple[int, Told]]]:
    """Every (state, joint observation with which it is met) at every step."""
    for s, told, _ in work.start:
        yield 0, (s, told)
    arrivals = [{(s2, told) for _, after in rows.values() for _, s2, told in after if s2 != END} for rows in work.rows]
    for step, met in enumerate(steps[:-1]):
        for arrival in set().union(*(arrivals[s] for s in met if s != END)):
            yield step + 1, arrival


def _add_the_end(work: _Folded, ends: tuple[int, ...], *, single: bool) -> None:
    """The absorbing state after the end, announced to everyone: all available actions stay, or one does
    (docs/theory/environments.md#ends)."""
    if not ends:  # what ends with the last step needs no state
        work.rows = [
            {a: (r, tuple(x for x in after if x[1] != END)) for a, (r, after) in rows.items()} for rows in work.rows
        ]
        return
    end = work.end = len(work.legal)
    told = tuple(len(own) for own in work.names)
    for i, own in enumerate(work.names):
        own.append(_free(_OVER, own))
        if single:
            work.reference[i, told[i]] = ((ends[i], Fraction(1)),)
    work.rows = [
        {
            a: (r, tuple((p, end, told) if s2 == END else (p, s2, seen) for p, s2, seen in after))
            for a, (r, after) in rows.items()
        }
        for rows in work.rows
    ]
    work.legal.append(tuple((a,) for a in ends))


def _game(table: Enumerated, work: _Folded, steps: list[set[int]], about: tuple[str, Fraction, str]) -> Game:
    objective, discount, name = about
    n = len(work.names)
    used = work.used()
    index = [{a: k for k, a in enumerate(own)} for own in used]

    def joint(a: Joint) -> Joint:
        return tuple(index[i][x] for i, x in enumerate(a))

    available = _available(work, steps, used)
    transition: dict[tuple[int, Joint], tuple[tuple[int, Fraction], ...]] = {}
    emission: dict[tuple[Joint, int], tuple[tuple[Told, Fraction], ...]] = {}
    reward: dict[tuple[int, Joint], Fraction] = {}
    for s, rows in enumerate(work.rows):
        for a, (paid, after) in rows.items():
            key = joint(a)
            if paid:
                reward[s, key] = paid
            if not after:
                continue
            weight: dict[int, Fraction] = {}
            for p, s2, _ in after:
                add_to(weight, s2, p)
            transition[s, key] = tuple(sorted(weight.items()))
            for s2, row in _emissions(after).items():
                emission[key, s2] = tuple(sorted(row))
    game = Game(
        name=name,
        agents=tuple(_names(table.environment.agents, str)),
        states=tuple(f"s{k}" for k in range(len(work.rows))) + (("over",) if work.end is not None else ()),
        actions=tuple(_action_names(table, i, used[i]) for i in range(n)),
        observations=tuple(tuple(own) if own else ("nothing",) for own in work.names),
        start=tuple(work.start),
        transition=transition,
        emission=emission,
        reward=reward,
        horizon=work.horizon,
        discount=discount,
        available=available,
        reference={(i, o): tuple((index[i][a], p) for a, p in row) for (i, o), row in work.reference.items()},
        objective=objective,
        source=name,
    )
    return game if work.end is None else _with_the_end(game, work.end)


def _available(work: _Folded, steps: list[set[int]], used: list[list[int]]) -> tuple[tuple[Legal, ...], ...] | None:
    """Per agent and step what is legal somewhere, by position in `used`; None where that is always everything."""
    found = []
    for i, own in enumerate(used):
        sets = []
        for met in steps:
            legal: set[int] = set()
            for s in met:
                if s != END:
                    legal |= set(work.legal[s][i])
            if END in met and work.end is not None and (not legal or (i, len(work.names[i]) - 1) in work.reference):
                legal |= set(work.legal[work.end][i])
            sets.append(tuple(own.index(a) for a in sorted(legal)))
        found.append(tuple(sets))
    if all(step == tuple(range(len(used[i]))) for i, sets in enumerate(found) for step in sets):
        return None
    return tuple(found)


def _with_the_end(game: Game, end: int) -> Game:
    """The game with the rows of the state after the end: it stays, and everyone is told so."""
    over = tuple(len(own) - 1 for own in game.observations)
    transition, emission = dict(game.transition), dict(game.emission)
    for step in range(game.horizon):
        actions: Iterable[Joint] = game.legal_joint_actions(step, over)
        for a in actions:
            transition[end, a] = ((end, Fraction(1)),)
            emission[a, end] = ((over, Fraction(1)),)
        if game.available is None:
            break
    return replace(game, transition=transition, emission=emission)


def _observation_names(table: Enumerated) -> list[list[str]]:
    say = getattr(table.environment.model, "observation_name", None)
    return [_names(own, partial(say, i) if callable(say) else _plain_text) for i, own in enumerate(table.observations)]


def _action_names(table: Enumerated, agent: int, used: list[int]) -> tuple[str, ...]:
    say = getattr(table.environment.model, "action_name", None)
    labels = [table.environment.actions[agent][a] for a in used]
    return tuple(_names(labels, partial(say, agent) if callable(say) else _plain_text))


def _plain_text(value: Hashable) -> str:
    """A text for people, or "" where there is no short one."""
    if isinstance(value, bool) or value is None or isinstance(value, (int, str)):
        return str(value)
    if isinstance(value, tuple) and all(isinstance(part, (bool, int, str)) for part in value):
        return ".".join(map(str, value))
    return ""


def _names(values: Iterable[Hashable], say: Callable[[Hashable], str]) -> list[str]:
    """Names that files and keys of AOHs can carry, each once: texts where they are short, else numbers.

    >>> _names(["left turn", "left  turn", "a" * 99], str)
    ['left-turn', 'left-turn-1', 'o2']
    """
    found: list[str] = []
    taken: set[str] = set()
    for k, value in enumerate(values):
        text = re.sub(r"[\s,/:]+", "-", str(say(value)).strip()).strip("-")
        if not text or len(text) > _LONGEST_NAME or not text.isprintable():
            text = f"o{k}"
        name = text if text not in taken else next(x for j in range(1, k + 2) if (x := f"{text}-{j}") not in taken)
        taken.add(name)
        found.append(name)
    return found


def _free(name: str, taken: list[str]) -> str:
    while name in taken:
        name += "'"
    return name
