"""The paper's public record is content-addressed: its canonical JSON hashes to the stated SHA-256.

The canonical form is that of our own certificates: sorted keys, compact separators, no ASCII escaping.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from pathlib import Path

from certify.claims import CERTIFIED, Claim, Outcome, undecided
from certify.claims.text import table

CLAIM = Claim(
    id="0",
    source="public record of arXiv 2511.22581v5",
    expected=CERTIFIED,
    statement="The canonical JSON of the paper's public record hashes to the SHA-256 that addresses it.",
)

ADDRESS = "9d66a427b2291e88035f70c557ba8fd62f3c5c1308ccb732e2ff94724e1b4d49"
RECORD = {
    "schema_version": "1.0",
    "source": {"id": "2511.22581", "kind": "arxiv", "version": 5},
    "metadata": {
        "abstract_canon_sha256": "819c6b1c9354a7f25db8dc7ab33bd055709d415f1534be8346080dd82694cc12",
        "cross_cats_sorted": ["cs.MA"],
        "license": "http://creativecommons.org/licenses/by/4.0/",
        "primary_cat": "cs.LG",
        "submitted_at": "2025-11-27T16:13:27Z",
        "title_canon_sha256": "c2a96431595a94e9af6a69640f799e7d9b707b5ec410a680d7dc97b49647592e",
    },
}


def canonical(record: dict) -> bytes:
    """Sorted keys, compact separators, no ASCII escaping, UTF-8: the bytes that are hashed."""
    return json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode("utf-8")


def readings() -> list[tuple[str, dict]]:
    """What the record may mean where its prose leaves a number's type open: name and record."""
    found = []
    for schema, version in itertools.product(("1.0", 1.0), (5, "5")):
        record = RECORD | {"schema_version": schema, "source": RECORD["source"] | {"version": version}}
        found.append((f"schema_version {schema!r}, version {version!r}", record))
    return found


def run(out: Path, quick: bool) -> Outcome:
    """Proves or refutes the claim above; writes the evidence to `out` (fewer games if `quick`)."""
    rows, matching = [], []
    for name, record in readings():
        digest = hashlib.sha256(canonical(record)).hexdigest()
        rows.append((name, f"`{digest}`", "yes" if digest == ADDRESS else "no"))
        if digest == ADDRESS:
            matching.append((name, record))
    figures = {
        "readings": table(("reading", "SHA-256", "matches"), rows),
        "address": ADDRESS,
        "matching": ", ".join(name for name, _ in matching) or "none",
    }
    if len(matching) != 1:
        return Outcome(undecided(f"{len(matching)} readings of the record match its address"), figures)
    path = out / "record.json"
    path.write_bytes(canonical(matching[0][1]))
    return Outcome(CERTIFIED, figures, (path,))
