"""The one way in which a certificate reaches a disk: whole, or not at all."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from certify.errors import InputError
from certify.files import whole


def save_document(document: dict[str, Any] | None, path: str | os.PathLike[str]) -> Path:
    """Write a certificate whole or not at all."""
    if document is None:
        raise InputError(str(path), "there is no certificate to write", "nothing was proved; raise the limits")
    return save_text(json.dumps(document, separators=(",", ":"), ensure_ascii=False) + "\n", path)


def save_text(text: str, path: str | os.PathLike[str]) -> Path:
    """Write a file whole or not at all (a temporary file beside it, then one rename); raises `InputError`."""
    target = checked_target(path)
    try:
        with whole(target) as draft:
            draft.write_text(text, encoding="utf-8", errors="surrogatepass")
    except OSError as error:
        raise InputError(
            str(target), f"cannot be written ({error.strerror})", "name a file in a folder that exists"
        ) from None
    return target


def checked_target(path: str | os.PathLike[str]) -> Path:
    """The path of a file that can be written, as far as that is known before anything is computed.

    >>> checked_target("")
    Traceback (most recent call last):
    certify.errors.InputError: '': no name of a file; name a file in a folder that exists
    """
    target, mend = Path(path), "name a file in a folder that exists"
    if not os.fspath(path) or not target.name or "\0" in os.fspath(path):
        raise InputError(repr(os.fspath(path)), "no name of a file", mend)
    try:
        trouble = (
            "a directory" if target.is_dir()
            else "" if target.parent.is_dir() and os.access(target.parent, os.W_OK)
            else "cannot be written (its folder can not)" if target.parent.is_dir()
            else "cannot be written (No such file or directory)"
        )  # fmt: skip
    except OSError as error:  # a name that is too long
        trouble = f"cannot be written ({error.strerror})"
    if trouble:
        raise InputError(str(target), trouble, mend)
    return target
