"""How makers of certificates write a folder under tests/certificates anew."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any


def write_anew(root: Path, folders: Mapping[str, Mapping[str, Any]], separators: tuple[str, str] = (",", ":")) -> None:
    """`folders`: name of a folder below `root` -> stem of a file -> document.  What lay there before goes."""
    for folder, documents in folders.items():
        (root / folder).mkdir(parents=True, exist_ok=True)
        for old in (root / folder).glob("*.json"):
            old.unlink()
        for stem, document in documents.items():
            text = json.dumps(document, separators=separators) + "\n"
            (root / folder / f"{stem}.json").write_text(text, encoding="utf-8")


def write_sorted(folder: Path, documents: Iterable[tuple[str, Any]]) -> None:
    """(stem of a file, document) with keys in order; what else lies there stays."""
    folder.mkdir(parents=True, exist_ok=True)
    for stem, document in documents:
        text = json.dumps(document, separators=(",", ":"), sort_keys=True)
        (folder / f"{stem}.json").write_text(text + "\n", encoding="utf-8")
