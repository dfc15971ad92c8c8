"""What a long search has found so far, in a file: a killed run goes on where it was.

Everything in it is a proposal, like all that a search finds; certificates made from it are checked as
ever.  The file is JSON and written whole or not at all.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

from certify.errors import InputError
from certify.files import whole

_FORMAT, _VERSION = "certify-checkpoint", 1
_EVERY = 30.0  # seconds between two writings of what is not finished yet
_MEND = "name another file, or delete it to begin anew"


class Checkpoint:
    """The stages of one search; `path` None keeps nothing.

    about : what the search is about (the game's hash, the method, ...): a file about something else is
    refused with `InputError`, for going on with it would not give the result of the command.
    `trouble` : why the file could not be written later on, which is no reason to end a search.
    """

    def __init__(self, path: str | os.PathLike[str] | None = None, about: dict[str, Any] | None = None) -> None:
        self.path = None if path is None else Path(path)
        self._data: dict[str, Any] = {"format": _FORMAT, "version": _VERSION, "about": about or {}, "stages": {}}
        self._written = time.monotonic()
        self.trouble = ""
        if self.path is None:
            return
        if not self.path.name:
            raise InputError("checkpoint", "no name of a file", "name a file in a folder that exists")
        if self.path.exists():
            self._data = self._read(self.path, about or {})
        self._write()
        if self.trouble:
            raise InputError(str(self.path), self.trouble, "name a file in a folder that exists")

    def _read(self, path: Path, about: dict[str, Any]) -> dict[str, Any]:
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise InputError(str(path), f"is not a checkpoint ({type(error).__name__})", _MEND) from None
        if not isinstance(data, dict) or data.get("format") != _FORMAT or data.get("version") != _VERSION:
            raise InputError(str(path), "is not a checkpoint of this version", _MEND)
        known = data.get("about")
        if known != about:
            other = [key for key in about if not isinstance(known, dict) or known.get(key) != about[key]]
            raise InputError(str(path), f"is about another search ({', '.join(other) or 'options differ'})", _MEND)
        if not isinstance(data.get("stages"), dict):
            raise self.damaged()
        return data

    def stage(self, name: str) -> Any:
        """What was saved for a stage, or None."""
        return self._data["stages"].get(name)

    def save(self, name: str, value: Any) -> None:
        """Keep the result of a stage, and write the file."""
        self._data["stages"][name] = value
        self._write()

    def forget(self, name: str) -> None:
        """Drop a stage; the file changes with the next `save`."""
        self._data["stages"].pop(name, None)

    @property
    def due(self) -> bool:
        """Whether it is time to write down what is not finished yet."""
        return self.path is not None and time.monotonic() - self._written > _EVERY

    def damaged(self) -> InputError:
        """The error to raise where a stage is not what was saved."""
        return InputError(str(self.path), "is a damaged checkpoint", _MEND)

    def _write(self) -> None:
        if self.path is None:
            return
        try:
            with whole(self.path) as draft:
                draft.write_text(json.dumps(self._data, separators=(",", ":")), encoding="utf-8")
            self.trouble = ""
        except OSError as error:
            self.trouble = f"cannot be written ({error.strerror})"
        self._written = time.monotonic()
