"""Names of actions and observations that files and keys of histories can carry
(docs/games.md#environments-in-python)."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable
from functools import partial

from certify.games.adapters.enumeration import Enumerated

_LONGEST_NAME = 32


def observation_names(table: Enumerated) -> list[list[str]]:
    """Per agent the names of its observations, by the model's own words where it has some."""
    say = getattr(table.environment.model, "observation_name", None)
    return [names(own, partial(say, i) if callable(say) else _plain_text) for i, own in enumerate(table.observations)]


def action_names(table: Enumerated, agent: int, used: list[int]) -> tuple[str, ...]:
    """The same for the actions `used` of one agent."""
    say = getattr(table.environment.model, "action_name", None)
    labels = [table.environment.actions[agent][a] for a in used]
    return tuple(names(labels, partial(say, agent) if callable(say) else _plain_text))


def _plain_text(value: Hashable) -> str:
    """A text for people, or "" where there is no short one."""
    if isinstance(value, bool) or value is None or isinstance(value, (int, str)):
        return str(value)
    if isinstance(value, tuple) and all(isinstance(part, (bool, int, str)) for part in value):
        return ".".join(map(str, value))
    return ""


def names(values: Iterable[Hashable], say: Callable[[Hashable], str]) -> list[str]:
    """Names that files and keys of AOHs can carry, each once: texts where they are short, else numbers.

    >>> names(["left turn", "left  turn", "a" * 99], str)
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


def free(name: str, taken: list[str]) -> str:
    """`name`, or with primes where it is taken."""
    while name in taken:
        name += "'"
    return name
