"""An enumeration on disk, so that an interrupted one goes on where it was.

A file of lines: what the enumeration is about, then the rows of one state after the other, each with a sum of itself.
States and observations are not written: they are found again by asking the environment for the steps that led to them,
and every answer is compared with the file.  So nothing is unpickled, damage is noticed, and so is a file about another
environment wherever the two lead to different states.  It is trusted as far as whoever may write to it.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from certify.errors import InputError

_FORMAT, _VERSION = "certify-steps", 1
_MEND = "name another file, or delete it to begin anew"


def _sum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


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
                self._write(json.dumps(head))
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
            first, *rest = whole.decode("utf-8").splitlines() or [""]
            found = json.loads(first)
        except ValueError:
            raise InputError(str(self.path), "is no file of an enumeration", _MEND) from None
        if not isinstance(found, dict) or found.get("format") != _FORMAT:
            raise InputError(str(self.path), "is no file of an enumeration", _MEND)
        known = found.get("about")
        if found != json.loads(json.dumps(head)):
            about = head["about"]
            other = [key for key in about if not isinstance(known, dict) or known.get(key) != about[key]]
            raise InputError(str(self.path), f"is about another game ({', '.join(other) or 'version'})", _MEND)
        for line in rest:
            mark, _, text = line.partition(" ")
            if mark != _sum(text):
                raise self.damaged()
            self.lines.append(json.loads(text))
        return len(whole)

    def append(self, line: Any) -> None:
        """Write one line."""
        if self._file is not None:
            text = json.dumps(line, separators=(",", ":"))
            self._write(f"{_sum(text)} {text}")

    def _write(self, line: str) -> None:
        assert self._file is not None
        try:
            self._file.write(line + "\n")
            self._file.flush()
        except OSError as error:
            raise InputError(str(self.path), f"cannot be written ({error.strerror})", "make room for it") from None

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
