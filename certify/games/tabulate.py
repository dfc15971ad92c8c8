"""`certify.tabulate`: a policy that somebody has trained, run along every AOH into a table (docs/policies.md).

Whatever plays (a network with memory, a function, a lookup) is asked once per AOH; its numbers enter exactly as it
gives them, and everything that is certified is certified of the table.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from certify.errors import InputError
from certify.exact import exact_number
from certify.games.aoh import AOH, aoh_key
from certify.games.arrays import as_game
from certify.games.histories import histories
from certify.games.names import numbers_by_name
from certify.games.tree import DEFAULT_MAX_ENTRIES, Tree, unroll
from certify.notebook import Facts, Shown

_ROWS_SHOWN = 12  # in a notebook
TOLERANCE = Fraction(1, 10**6)  # by which a row may miss 1, here and in files


@dataclass(frozen=True)
class PlayedHistory:
    """What a policy knows when it acts.

    agent : its name.  key : of the AOH.  action, observation : the last ones, names, None at the first step (the
    observation only in games without initial ones).  legal : names of the legal actions; mask : the same as one bool
    per available action, in the order in which a row is expected (`available`).  memory : what the policy returned
    beside its row one step before, None at the first step.
    """

    agent: str
    key: str
    step: int
    action: str | None
    observation: str | None
    available: tuple[str, ...]
    mask: tuple[bool, ...]
    memory: Any = field(default=None, compare=False)

    @property
    def legal(self) -> tuple[str, ...]:
        """The legal actions."""
        return tuple(name for name, legal in zip(self.available, self.mask, strict=True) if legal)


PolicyFunction = Callable[[PlayedHistory], Any]


@dataclass(frozen=True, eq=False)
class PolicyTable(Shown, Mapping[str, Mapping[str, Fraction]]):
    """`{AOH key: {action: probability}}`, exact; wherever a policy is asked for, this is one.

    rows : in the order of `certify games --aohs`.  agents : their names; a .npz has one array for each.
    """

    rows: Mapping[str, Mapping[str, Fraction]]
    agents: tuple[str, ...]

    def __getitem__(self, key: str) -> Mapping[str, Fraction]:
        return self.rows[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def facts(self) -> Facts:
        """What a notebook shows of it."""
        rows = [
            (key, ", ".join(f"{action} {float(p):.6g}" for action, p in row.items()))
            for key, row in list(self.rows.items())[:_ROWS_SHOWN]
        ]
        more = len(self) - _ROWS_SHOWN
        note = f"and {more} more AOHs" if more > 0 else ""
        return Facts(f"policy of {', '.join(self.agents)}", "", tuple(rows), note)

    def __repr__(self) -> str:
        return f"PolicyTable({len(self)} AOHs of {', '.join(self.agents)})"

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write POLICY.json (exact) or, where the name ends in .npz, one float64 array per agent.

        >>> import tempfile
        >>> table = tabulate("lever:2", lambda history: ["1/3", "2/3"])
        >>> table.save(tempfile.mkdtemp() + "/policy.json").name
        'policy.json'
        """
        path = Path(path)
        try:
            if path.suffix.lower() == ".npz":
                with path.open("wb") as file:
                    np.savez(file, **self.arrays())  # type: ignore[arg-type]  # mistakes them for allow_pickle
            else:
                text = json.dumps(
                    {key: {a: str(p) for a, p in row.items()} for key, row in self.rows.items()}, indent=1
                )
                path.write_text(text + "\n", encoding="utf-8")
        except OSError as error:
            raise InputError(str(path), error.strerror or str(error), "name a file that can be written") from None
        return path

    def arrays(self) -> dict[str, np.ndarray]:
        """By agent, float64, rows in the order of `certify games --aohs`, padded by zeros."""
        found = {}
        for agent in self.agents:
            rows = [list(row.values()) for key, row in self.rows.items() if key.startswith(f"{agent}:")]
            width = max(map(len, rows))
            found[agent] = np.array([[float(p) for p in row] + [0.0] * (width - len(row)) for row in rows])
        return found


def tabulate(
    game: Any, policy_fn: PolicyFunction, *, horizon: int | None = None, max_entries: int = DEFAULT_MAX_ENTRIES
) -> PolicyTable:
    """The table of a policy, asked once at every AOH that play can reach, parents before children.

    Parameters
    ----------
    game : a `Game`, a path, a name, or payoffs.
    policy_fn : called with a `PlayedHistory`.  Returns a row: `{action: number}`, or one number per available action
        (an array or a tensor will do), illegal ones 0.  A policy with memory returns `(row, memory)`; the memory comes
        back as `history.memory` one step later and must not be changed in place, since several AOHs follow.
    horizon : of a sequential game.

    Raises `InputError` where a row is none: which AOH, what, how to mend it.

    >>> table = tabulate("dectiger", lambda h: {"listen": 1} if h.step == 0 else {"open-left": "1/2", "listen": 0.5})
    >>> table["agent1:listen,hear-left"]["open-left"]
    Fraction(1, 2)
    >>> def counts_left(history):
    ...     seen = (history.memory or 0) + (history.observation == "hear-left")
    ...     return [1 - seen / 4, 0, seen / 4], seen
    >>> tabulate("dectiger", counts_left)["agent1:listen,hear-left"]["open-right"]
    Fraction(1, 4)
    """
    if hasattr(policy_fn, "action_probabilities"):  # may be callable, but of states
        raise InputError("tabulate", "a policy of OpenSpiel", "use certify.policy_from_openspiel(game, policy)")
    if not callable(policy_fn):
        raise InputError("tabulate", f"a {type(policy_fn).__name__} as policy", "give a function of a history")
    tree = unroll(as_game(game, horizon), cluster=False, max_entries=max_entries)
    rows: dict[str, Mapping[str, Fraction]] = {}
    for agent in range(tree.number_of_agents):
        memories: dict[str, Any] = {}
        for listed in histories(tree, agent):
            before = listed.aoh.steps[:-1]
            parent = aoh_key(tree.game, agent, listed.aoh.initial, before) if listed.aoh.steps else None
            history = _played(tree, listed.aoh, listed.class_index, None if parent is None else memories[parent])
            row, memories[listed.key] = _answer(policy_fn(history))
            rows[listed.key] = _row(row, history)
    return PolicyTable(rows, tree.game.agents)


def _played(tree: Tree, aoh: AOH, row: int, memory: Any) -> PlayedHistory:
    game, i, step = tree.game, aoh.agent, aoh.time
    available, legal = game.actions_at(i, step), set(tree.levels[step].legal_actions(i, row))
    last = aoh.steps[-1] if aoh.steps else None
    seen = aoh.initial if last is None else last[1]
    return PlayedHistory(
        agent=game.agents[i],
        key=aoh_key(game, i, aoh.initial, aoh.steps),
        step=step,
        action=None if last is None else game.actions[i][last[0]],
        observation=None if seen is None else game.observations[i][seen],
        available=tuple(game.actions[i][a] for a in available),
        mask=tuple(a in legal for a in available),
        memory=memory,
    )


def _answer(found: Any) -> tuple[Any, Any]:
    """(row, memory): a pair is one where its first part is a row itself."""
    if isinstance(found, tuple) and len(found) == 2 and _is_row(found[0]):
        return found
    return found, None


def _is_row(value: Any) -> bool:
    return isinstance(value, (Mapping, list, tuple)) or getattr(value, "ndim", 0) > 0


def _row(row: Any, history: PlayedHistory) -> dict[str, Fraction]:
    where, names = f"policy at {history.key!r}", history.available
    if isinstance(row, Mapping):
        values = numbers_by_name(row, names, where, _number)
    else:
        numbers = _numbers(row, where)
        if len(numbers) != len(names):
            mend = f"give one for each of {', '.join(names)}"
            raise InputError(where, f"{len(numbers)} numbers", mend)
        values = [_number(number, f"{where}, {name}") for name, number in zip(names, numbers, strict=True)]
    for name, legal, value in zip(names, history.mask, values, strict=True):
        if value < 0 or (value and not legal):
            raise InputError(where, f"{float(value):.9g} for {name!r}", "give 0 to illegal actions, else probabilities")
    total = sum(values, Fraction(0))
    if abs(total - 1) > TOLERANCE:
        raise InputError(
            where, f"numbers that sum to {float(total):.9g}", "normalise them in float64: within 1e-6 of 1"
        )
    return dict(zip(names, values, strict=True))


def _numbers(row: Any, where: str) -> Sequence[Any]:
    """The entries of a row: a tensor is taken off its graph and its device."""
    for leave in ("detach", "cpu", "numpy"):
        row = getattr(row, leave)() if callable(getattr(row, leave, None)) else row
    if isinstance(row, (list, tuple)):
        return row
    try:
        array = np.asarray(row)
    except (TypeError, ValueError) as error:
        raise InputError(where, f"no row: {error}", "give {action: number} or one number per action") from None
    if array.ndim != 1 or array.dtype.kind not in "fiuO":
        what = f"a {type(row).__name__} of shape {array.shape} and type {array.dtype}"
        raise InputError(where, what, "give {action: number} or one number per action")
    found: list[Any] = array.tolist()  # exact: every float16, float32 and float64 is a Python float
    return found


def _number(number: Any, where: str) -> Fraction:
    if isinstance(number, np.generic) or getattr(number, "ndim", None) == 0:
        number = number.item()
    return exact_number(number, where)
