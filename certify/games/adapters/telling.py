"""What observations must tell: what is new, what the next state does not determine, and what is legal, so that they
depend on the joint action and the next state only, and legal actions on the step and the last observation
(docs/theory/environments.md#folding).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from fractions import Fraction

from certify.errors import InputError
from certify.games.adapters.enumeration import END, Enumerated, Rows, Told
from certify.games.adapters.folded import Folded, Legal, emissions
from certify.games.adapters.naming import free, names
from certify.games.adapters.protocol import Joint


def tell_what_is_new(table: Enumerated, work: Folded) -> None:
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
    work.names = [names(own, str) for own in numbers]


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


def split_by_observation(work: Folded) -> None:
    """Where what is seen of the same action and next state depends on the state before: one copy of the next state
    for every joint observation, so that the copy determines it
    (docs/theory/environments.md#splitting-by-observation)."""
    seen: dict[tuple[Joint, int], frozenset[tuple[Told, Fraction]]] = {}
    mixed: set[int] = set()
    for rows in work.rows:
        for a, (_, after) in rows.items():
            for s2, row in emissions(after).items():
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


def tell_what_is_legal(work: Folded, steps: list[set[int]], ends: tuple[int, ...]) -> None:
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
                    free(f"{work.names[i][o]}-{sum(k[:2] == key[:2] for k in variants)}", work.names[i])
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


def _met(work: Folded, steps: list[set[int]]) -> Iterable[tuple[int, tuple[int, Told]]]:
    """Every (state, joint observation with which it is met) at every step."""
    for s, told, _ in work.start:
        yield 0, (s, told)
    arrivals = [{(s2, told) for _, after in rows.values() for _, s2, told in after if s2 != END} for rows in work.rows]
    for step, met in enumerate(steps[:-1]):
        for arrival in set().union(*(arrivals[s] for s in met if s != END)):
            yield step + 1, arrival
