"""Names that keys of AOHs and files can carry, from the labels of other formats (docs/games.md#names)."""

from __future__ import annotations

import re
from collections.abc import Sequence

_SEPARATORS = re.compile(r"[\s,/:]+")


def plain_names(labels: Sequence[str], prefix: str) -> tuple[str, ...]:
    """One name per label, all different: blanks, commas, slashes and colons become `-`, what is empty is
    numbered after `prefix`, and what occurs again gets a number.

    >>> plain_names(["go left", "", " go/left", "-1"], "a")
    ('go-left', 'a2', 'go-left-2', '-1')
    """
    taken: set[str] = set()
    counts: dict[str, int] = {}
    found = []
    for k, label in enumerate(labels):
        printable = "".join(c if c.isprintable() else " " for c in label)
        name = "-".join(filter(None, _SEPARATORS.split(printable))) or f"{prefix}{k + 1}"
        unique = name
        while unique in taken:
            counts[name] = counts.get(name, 1) + 1
            unique = f"{name}-{counts[name]}"
        taken.add(unique)
        found.append(unique)
    return tuple(found)
