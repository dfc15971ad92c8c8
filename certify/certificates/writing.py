"""The one way in which a certificate reaches a disk: whole, or not at all."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from certify.errors import InputError


def save_document(document: dict[str, Any] | None, path: str | os.PathLike[str]) -> Path:
    """Write a certificate whole or not at all (a temporary file beside it, then one rename)."""
    target = Path(path)
    if document is None:
        raise InputError(str(target), "there is no certificate to write", "nothing was proved; raise the limits")
    draft = target.with_name(target.name + ".part")
    try:
        draft.write_text(json.dumps(document, separators=(",", ":"), ensure_ascii=False) + "\n", encoding="utf-8")
        os.replace(draft, target)
    except OSError as error:
        raise InputError(
            str(target), f"cannot be written ({error.strerror})", "name a file in a folder that exists"
        ) from None
    return target
