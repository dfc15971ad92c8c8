"""Text and JSON from files, with one line about what is wrong instead of a traceback."""

from __future__ import annotations

import codecs
import gzip
import io
import json
import zlib
from pathlib import Path
from typing import Any

from certify.errors import InputError

LARGEST_FILE = 2**28  # bytes of an unpacked file


def read_text(path: Path, *, comment: str | None = None) -> str:
    """The text of a file that is there, readable and not empty, else `InputError`.

    UTF-8, or UTF-16 with its byte order mark; a `.gz` file is unpacked; lines may end in any way.
    `comment` is the sign that begins a comment in the file's format: what follows it may be in any
    other encoding, since nothing is read from there.

    >>> read_text(Path("no-such-file.json"))
    Traceback (most recent call last):
    certify.errors.InputError: no-such-file.json: no such file; check the path
    """
    where = str(path)
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise InputError(where, "no such file", "check the path") from None
    except IsADirectoryError:
        raise InputError(where, "a directory", "give the path of a file") from None
    except OSError as error:
        raise InputError(where, error.strerror or str(error), "make the file readable") from None
    except ValueError as error:  # a NUL in the path
        raise InputError(repr(where), str(error), "check the path") from None
    if path.suffix.lower() == ".gz":
        content = _unpacked(content, where)
    if not content.strip():
        raise InputError(where, "an empty file", "give a file that describes a game")
    return _decoded(content, where, comment).replace("\r\n", "\n").replace("\r", "\n")


def _unpacked(content: bytes, where: str) -> bytes:
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as packed:
            found = packed.read(LARGEST_FILE + 1)
    except (OSError, EOFError, zlib.error):
        raise InputError(where, "not a whole gzip file", "pack it by gzip again") from None
    if len(found) > LARGEST_FILE:
        raise InputError(where, f"more than {LARGEST_FILE:,} bytes unpacked", "give a smaller game")
    return found


def _decoded(content: bytes, where: str, comment: str | None) -> str:
    if content[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        try:
            return content.decode("utf-16")
        except UnicodeDecodeError:
            raise InputError(where, "not UTF-16 text, which its first bytes announce", "save it as UTF-8") from None
    if b"\0" in content:
        raise InputError(where, "a binary file, or UTF-16 without a byte order mark", "save it as UTF-8 text")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        text = content.decode("latin-1").replace("\r\n", "\n").replace("\r", "\n")
        lines = text.split("\n")
        if comment is not None and all(line.partition(comment)[0].isascii() for line in lines):
            return text
        line = content.decode("latin-1")[: error.start].replace("\r\n", "\n").replace("\r", "\n").count("\n") + 1
        raise InputError(f"{where}, line {line}", "not UTF-8 text", "save the file as UTF-8") from None


def parse_json(text: str, where: str) -> Any:
    """The JSON value of a text in which every number is exact and every key stands once.

    A decimal becomes a string, the text as written, so that nothing rounds it to binary: 0.1 is 1/10.

    >>> parse_json('{"p": 0.1}', "game.json")
    {'p': '0.1'}
    """

    def constant(token: str) -> None:
        raise InputError(where, f"{token} is not a number", "give an exact one")

    def whole(token: str) -> int:
        if len(token) > 400:
            raise InputError(where, f"a number of {len(token)} digits", "use at most 400")
        return int(token)

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            twice = next(key for k, (key, _) in enumerate(pairs) if key in dict(pairs[:k]))
            raise InputError(where, f"the key {twice!r} stands twice in one object", "keep one of them")
        return found

    try:
        return json.loads(text, parse_float=str, parse_int=whole, parse_constant=constant, object_pairs_hook=unique)
    except json.JSONDecodeError as error:
        raise InputError(
            f"{where}, line {error.lineno}", f"not JSON: {error.msg}", "correct the syntax there"
        ) from None
    except RecursionError:
        raise InputError(where, "JSON nested too deeply", "flatten it") from None
