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
    found = []
    for k, label in enumerate(labels):
        printable = "".join(c if c.isprintable() else " " for c in label)
        name = "-".join(filter(None, _SEPARATORS.split(printable))) or f"{prefix}{k + 1}"
        unique, again = name, 2
        while unique in taken:
            unique, again = f"{name}-{again}", again + 1
        taken.add(unique)
        found.append(unique)
    return tuple(found)
