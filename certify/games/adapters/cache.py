"""An enumeration on disk, so that an interrupted one goes on where it was.

A file of JSON lines: what the enumeration is about, then the rows of one state after the other.  States and
observations are not written: they are found again by asking the environment for the steps that led to them, and
every answer is compared with the file.  So nothing is unpickled, and a file about another environment is noticed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from certify.errors import InputError

_FORMAT, _VERSION = "certify-steps", 1
_MEND = "name another file, or delete it to begin anew"


class Cache:
    """Lines that were written, and a place to append more; `path` None keeps nothing."""

    def __init__(self, path: str | os.PathLike[str] | None, about: dict[str, Any]) -> None:
        self.path = None if path is None else Path(path)
        self.lines: list[Any] = []
        self._file: TextIO | None = None
        if self.path is None:
            return
        head = {"format": _FORMAT, "version": _VERSION, "about": about}
        try:
            kept = self._read(head) if self.path.exists() else 0
            self._file = self.path.open("r+" if kept else "w", encoding="utf-8", newline="\n")
            if kept:
                self._file.seek(kept)
                self._file.truncate()  # a line that was cut off
            else:
                self.append(head)
        except OSError as error:
            raise InputError(
                str(self.path), f"cannot be used ({error.strerror})", "name a file in a folder that exists"
            ) from None

    def _read(self, head: dict[str, Any]) -> int:
        """Fill `lines`; the number of bytes that whole lines take."""
        assert self.path is not None
        data = self.path.read_bytes()
        whole = data[: data.rfind(b"\n") + 1]
        if not whole and len(data) < 2 * len(json.dumps(head)):
            return 0  # interrupted before its first line was written, or empty
        try:
            lines = [json.loads(line) for line in whole.decode("utf-8").splitlines()]
        except ValueError:
            raise self.damaged() from None
        if not lines or not isinstance(lines[0], dict) or lines[0].get("format") != _FORMAT:
            raise InputError(str(self.path), "is no file of an enumeration", _MEND)
        known = lines[0].get("about")
        if lines[0] != json.loads(json.dumps(head)):
            about = head["about"]
            other = [key for key in about if not isinstance(known, dict) or known.get(key) != about[key]]
            raise InputError(str(self.path), f"is about another game ({', '.join(other) or 'version'})", _MEND)
        self.lines = lines[1:]
        return len(whole)

    def append(self, line: Any) -> None:
        """Write one line."""
        if self._file is not None:
            self._file.write(json.dumps(line, separators=(",", ":")) + "\n")
            self._file.flush()

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def damaged(self) -> InputError:
        """The error to raise where a line is not what the environment says."""
        return InputError(str(self.path), "does not fit this environment", _MEND)

    def __enter__(self) -> Cache:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[Any]:
        return iter(self.lines)
