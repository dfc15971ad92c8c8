"""One small valid certificate of every kind, objective and form of proof, for tests that are about all of them."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent.parent / "certificates"


@functools.cache
def smallest() -> dict[str, Path]:
    """{name of a kind: the smallest valid file of it}."""
    found: dict[str, Path] = {}
    for path in sorted(FOLDER.glob("**/valid/*.json"), key=lambda p: (p.stat().st_size, str(p))):
        document = json.loads(path.read_text(encoding="utf-8"))
        proof = document.get("proof")
        form = proof.get("type", "") if isinstance(proof, dict) else ""
        objective = document.get("objective", "")
        bracket = "bracket" if document.get("multiplicity") else "original" if document.get("original") else ""
        name = "-".join(part for part in (document["kind"], form, objective, bracket) if part not in ("", "visitation"))
        found.setdefault(name, path)
    return found


def read(name: str) -> dict[str, Any]:
    """The certificate under one of the names of `smallest`."""
    document: dict[str, Any] = json.loads(smallest()[name].read_text(encoding="utf-8"))
    return document
