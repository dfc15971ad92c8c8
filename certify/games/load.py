"""Games from files and names: the one door through which every game enters, checked.

A game that leaves `load` satisfies every invariant of the model (theory, section 1).
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

from certify.errors import InputError
from certify.games.builtin import _FAMILIES, adjusted, builtin
from certify.games.canonical import FORMAT, game_from_json
from certify.games.model import Game

_SUFFIXES = ".dpomdp, .json"


def load(path_or_name: str | os.PathLike[str], horizon: int | None = None,
         discount: Fraction | int | str | None = None) -> Game:
    """The game in a `.dpomdp` or `.json` file, or the built-in of that name, as a checked model.

    Raises `InputError` (one line) for anything else.

    >>> load("lever:10:9/10").name
    'lever:10:9/10'
    """
    text = os.fspath(path_or_name)
    if text.split(":")[0] in _FAMILIES:
        return builtin(text, horizon, discount)
    path = Path(text)
    suffix = path.suffix.lower()
    if suffix == ".json":
        data = json.loads(path.read_text())
        return adjusted(game_from_json(data, text), horizon, discount, fixed=False)
    return builtin(text, horizon, discount)
