"""The certificate of a batch, kind `entropy-batch`: the totals, the digest that commits to every token, and a
sample of tokens drawn by that digest, with everything needed to recompute them (docs/entropy.md, "Batches").
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from certify.entropy import digest as merkle
from certify.entropy.dump import Dump
from certify.entropy.formats import BFLOAT16, FLOAT16
from certify.exact import rational_text


@dataclass(frozen=True, eq=False)
class Evidence:
    """What a report hands over: its batch, the recipe as JSON, the fields per token and the tree over them."""

    source: Dump
    recipe: dict[str, Any]
    fields: Mapping[str, np.ndarray]
    levels: Sequence[Sequence[merkle.Node]]
    block: int

    @property
    def header(self) -> dict[str, Any]:
        """What the digest commits to besides the tree."""
        logits = self.source.logits
        return {
            "tokens": self.source.tokens,
            "block": self.block,
            "fields": list(self.fields),
            "rows": None if logits is None else ("float64" if logits.format is None else logits.format.name),
            "vocabulary": None if logits is None else logits.shape[1],
            "recipe": self.recipe,
        }

    @property
    def digest(self) -> str:
        """SHA-256 of the header, the root's sums and the root's hash."""
        return seal(self.header, self.levels[-1][0])


def seal(header: dict[str, Any], root: merkle.Node) -> str:
    """The digest of a batch."""
    text = json.dumps(header, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    sums = ",".join(map(str, root.sums))
    return hashlib.sha256(f"batch {text} {sums}\n".encode() + root.hash).hexdigest()


def batch_certificate(evidence: Evidence, size: int) -> dict[str, Any]:
    """The certificate with a sample of `size` leaves (all of them where there are no more).

    Raises `ValueError` for a size below 1.
    """
    if size < 1:
        raise ValueError("a sample of at least one leaf")
    root = evidence.levels[-1][0]
    chosen = merkle.sample(bytes.fromhex(evidence.digest), len(evidence.levels[0]), size)
    return {
        "format": "certify-certificate",
        "version": 1,
        "kind": "entropy-batch",
        "claim": {"digest": evidence.digest, "sums": dict(zip(merkle.SUMS, map(str, root.sums), strict=True))},
        "batch": evidence.header,
        "root": root.hash.hex(),
        "sample": [_leaf(evidence, i) for i in chosen],
    }


def _leaf(evidence: Evidence, index: int) -> dict[str, Any]:
    start = index * evidence.block
    stop = min(evidence.source.tokens, start + evidence.block)
    node = evidence.levels[0][index]
    return {
        "leaf": index,
        "sums": [str(x) for x in node.sums],
        "fields": {name: [_number(x) for x in values[start:stop].tolist()] for name, values in evidence.fields.items()},
        "rows": [_row(evidence.source, t) for t in range(start, stop)] if evidence.source.logits is not None else [],
        "path": [
            {"side": side, "hash": sibling.hash.hex(), "sums": [str(x) for x in sibling.sums]}
            for side, sibling in merkle.path_to(evidence.levels, index)
        ],
    }


def _number(x: float | int) -> str:
    return rational_text(Fraction(x))


def _row(dump: Dump, token: int) -> dict[str, Any]:
    """A row as its histogram of codes, or as its numbers (−inf as "-inf")."""
    assert dump.logits is not None
    row = dump.logits.read(token, token + 1)[0]
    if dump.logits.format in (BFLOAT16, FLOAT16):
        codes, counts = np.unique(row, return_counts=True)
        return {"codes": codes.tolist(), "counts": counts.tolist(), "sampled": int(row[_sampled(dump, token)])}
    return {"values": ["-inf" if x == -np.inf else _number(float(x)) for x in row], "sampled": _sampled(dump, token)}


def _sampled(dump: Dump, token: int) -> int:
    return int(dump.need("token_id", "the sampled token").values[token])
