"""What a long search has found so far, in a file: a killed run goes on where it was.

Everything in it is a proposal, like all that a search finds; certificates made from it are checked as
ever.  The file is JSON and written whole or not at all, at most twice a minute.
"""

from __future__ import annotations

import json
import os
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

from certify.errors import InputError
from certify.thresholds.cover_tree import Node, node_from_json, node_to_json

_FORMAT, _VERSION = "certify-checkpoint", 1
_EVERY = 30.0  # seconds between two writings of an unfinished tree
_MEND = "name another file, or delete it to begin anew"


class Checkpoint:
    """The stages of one search; `path` None keeps nothing.

    about : what the search is about (the game's hash, the method, ...): a file about something else is
    refused with `InputError`, for going on with it would not give the result of the command.
    """

    def __init__(self, path: str | os.PathLike[str] | None, about: dict[str, Any]) -> None:
        self.path = None if path is None else Path(path)
        self._data: dict[str, Any] = {"format": _FORMAT, "version": _VERSION, "about": about, "stages": {}}
        self._written = time.monotonic()
        self.trouble = ""  # why the file could not be written later on: no reason to end a search
        if self.path is None:
            return
        if self.path.exists():
            self._read(about)
        self._write()
        if self.trouble:
            raise InputError(str(self.path), self.trouble, "name a file in a folder that exists")

    def _read(self, about: dict[str, Any]) -> None:
        where = str(self.path)
        try:
            data = json.loads(self.path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise InputError(where, f"is not a checkpoint ({type(error).__name__})", _MEND) from None
        if not isinstance(data, dict) or data.get("format") != _FORMAT or data.get("version") != _VERSION:
            raise InputError(where, "is not a checkpoint of this version", _MEND)
        known = data.get("about")
        if known != about:
            other = [key for key in about if not isinstance(known, dict) or known.get(key) != about[key]]
            raise InputError(where, f"is about another search ({', '.join(other) or 'options differ'})", _MEND)
        if not isinstance(data.get("stages"), dict):
            raise self.damaged()
        self._data = data
        self.covers("localisation"), self.covers("pieces"), self._nodes(self.stage("unfinished") or [])

    def stage(self, name: str) -> Any:
        """What was saved for a stage, or None."""
        return self._data["stages"].get(name)

    def save(self, name: str, value: Any) -> None:
        """Keep the result of a stage, and write the file."""
        self._data["stages"][name] = value
        self._write()

    def covers(self, name: str) -> list[list[Node]] | None:
        """The trees that were saved for a stage, None where there are none."""
        value = self.stage(name)
        if value is None:
            return None
        if not isinstance(value, list):
            raise self.damaged()
        return [self._nodes(nodes) for nodes in value]

    def save_covers(self, name: str, covers: list[list[Node]]) -> None:
        """Keep trees as the result of a stage."""
        self.save(name, [[node_to_json(node) for node in nodes] for nodes in covers])

    def save_piece(self, nodes: list[Node]) -> None:
        """Add a finished piece of the cover; the unfinished tree is done with."""
        self._data["stages"].pop("unfinished", None)
        self.save("pieces", (self.stage("pieces") or []) + [[node_to_json(node) for node in nodes]])

    def unfinished(self, low: Fraction, high: Fraction) -> list[Node] | None:
        """The unfinished tree of the piece [low, high], if that is where the search was."""
        nodes = self._nodes(self.stage("unfinished") or [])
        return nodes if nodes and (nodes[0].low, nodes[0].high) == (low, high) else None

    def save_unfinished(self, nodes: list[Node], *, now: bool = False) -> None:
        """Keep the tree of a piece that is being searched."""
        if self.path is not None and (now or time.monotonic() - self._written > _EVERY):
            self.save("unfinished", [node_to_json(node) for node in nodes])

    def _nodes(self, value: Any) -> list[Node]:
        try:
            return [node_from_json(entry) for entry in value]
        except (InputError, KeyError, TypeError, ValueError, AttributeError):
            raise self.damaged() from None

    def damaged(self) -> InputError:
        """The error to raise where a stage is not what was saved."""
        return InputError(str(self.path), "is a damaged checkpoint", _MEND)

    def _write(self) -> None:
        if self.path is None:
            return
        draft = self.path.with_name(self.path.name + ".part")
        try:
            draft.write_text(json.dumps(self._data, separators=(",", ":")), encoding="utf-8")
            os.replace(draft, self.path)
            self.trouble = ""
        except OSError as error:
            self.trouble = f"cannot be written ({error.strerror})"
        self._written = time.monotonic()
