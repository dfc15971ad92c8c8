"""One hash for a batch and what was certified of it: a Merkle tree whose nodes also carry the sums of their
leaves, so that a sample of tokens, drawn by the hash itself, can be checked against the totals
(docs/entropy.md, "Batches").

A leaf is a block of tokens: for each of the `FIELDS` that the batch has, the numbers of its tokens (float64 for
figures, int64 for token ids, one byte for flags, bit k standing for COUNTS[k], little-endian), the SHA-256 of each
row of logits, and its share of the totals in whole numbers: counts, and ends of intervals in units of 2^-96,
rounded outward.
A node is SHA-256 of its children's hashes and of its sums as text; an odd child goes up alone.  The totals
of the root are the totals that are claimed: nobody can change one token without changing the hash.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import floor

import numpy as np

from certify.bounds.rounding import UNIT as U

UNIT_BITS = 96
FIGURES = (
    "log_pi",
    "entropy",
    "change",
    "coefficient",
    "bonus",
    "advantage",
    "log_ratio",
)  # two ends each, in this order
COUNTS = ("active", "up", "down", "undecided", "still", "kept", "cut", "ambiguous")
SUMS = ("entropy_low", "entropy_high", "change_low", "change_high", *COUNTS)
FIELDS = (*(f"{name}_{end}" for name in FIGURES for end in ("low", "high")), "token", "flags")


@dataclass(frozen=True)
class Node:
    """A node of the tree: its hash and its sums, in the order of `SUMS`."""

    hash: bytes
    sums: tuple[int, ...]


def row_hash(format_name: str, size: int, *parts: bytes) -> bytes:
    """The SHA-256 that stands for a row: its format, its length, and its histogram or its numbers.

    >>> len(row_hash("bfloat16", 3, b"ab", b"cd"))
    32
    """
    digest = hashlib.sha256(f"row {format_name} {size} {len(parts)}\n".encode())
    for part in parts:
        digest.update(part)
    return digest.digest()


def units(value: float, up: bool) -> int:
    """A float in units of 2^-96, rounded down or up."""
    exact = Fraction(value) * (1 << UNIT_BITS)
    return -floor(-exact) if up else floor(exact)


def leaf(records: bytes, rows: bytes, sums: tuple[int, ...]) -> Node:
    """A leaf from the records of its tokens, the hashes of their rows (empty without logits) and its sums."""
    text = "leaf " + ",".join(map(str, sums)) + f" {len(records)} {len(rows)}\n"
    return Node(hashlib.sha256(text.encode() + records + rows).digest(), sums)


def leaves(fields: dict[str, np.ndarray], row_hashes: bytes, size: int) -> list[Node]:
    """The leaves, blocks of `size` tokens, for the columns of numbers by name and the hashes of the rows."""
    n = len(fields["flags"])
    starts = np.arange(0, n, size)
    totals = [np.add.reduceat((fields["flags"] >> k) & 1, starts, dtype=np.int64) for k in range(len(COUNTS))]
    live = (fields["flags"] & 1) != 0
    ends = np.zeros((4, len(starts)))
    for j, name in enumerate(SUMS[:4]):
        if name in fields:
            values = np.where(live, fields[name], 0.0)
            total = np.add.reduceat(values, starts)
            slack = (size - 1) * 2 * U * np.add.reduceat(np.abs(values), starts)
            ends[j] = total + slack if j % 2 else total - slack
    views = [np.ascontiguousarray(x).data.cast("B") for x in fields.values()]
    widths = [x.itemsize for x in fields.values()]
    found = []
    for i, start in enumerate(starts.tolist()):
        sums = tuple(units(e, bool(j % 2)) if e else 0 for j, e in enumerate(ends[:, i].tolist()))
        sums += tuple(int(x[i]) for x in totals)
        stop = min(n, start + size)
        data = b"".join(v[start * w : stop * w] for v, w in zip(views, widths, strict=True))
        found.append(leaf(data, row_hashes[32 * start : 32 * stop], sums))
    return found


def join(left: Node, right: Node) -> Node:
    """The parent of two nodes."""
    sums = tuple(a + b for a, b in zip(left.sums, right.sums, strict=True))
    text = "node " + ",".join(map(str, left.sums)) + ";" + ",".join(map(str, right.sums)) + "\n"
    return Node(hashlib.sha256(text.encode() + left.hash + right.hash).digest(), sums)


def tree(leaves: Sequence[Node]) -> list[list[Node]]:
    """All levels, leaves first, the root last.

    >>> a = Node(bytes(32), (1,))
    >>> [len(level) for level in tree([a, a, a])], tree([a, a, a])[-1][0].sums
    ([3, 2, 1], (3,))
    """
    levels = [list(leaves)]
    while len(levels[-1]) > 1:
        below = levels[-1]
        level = [join(below[i], below[i + 1]) for i in range(0, len(below) - 1, 2)]
        levels.append(level + below[len(level) * 2 :])
    return levels


def path_to(levels: Sequence[Sequence[Node]], index: int) -> list[tuple[str, Node]]:
    """The siblings on the way from a leaf to the root: ("left" or "right", node)."""
    found = []
    for level in levels[:-1]:
        sibling = index ^ 1
        if sibling < len(level):
            found.append(("left" if sibling < index else "right", level[sibling]))
        index //= 2
    return found


def sample(seed: bytes, leaves: int, size: int) -> list[int]:
    """Leaf numbers drawn by the digest, ascending, without repetition; all of them where `size` covers them.

    >>> sample(bytes(32), 5, 9), len(sample(bytes(32), 1000, 9))
    ([0, 1, 2, 3, 4], 9)
    """
    if size >= leaves:
        return list(range(leaves))
    chosen: set[int] = set()
    counter = 0
    while len(chosen) < size:
        digest = hashlib.sha256(seed + counter.to_bytes(8, "big")).digest()
        chosen.add(int.from_bytes(digest[:16], "big") % leaves)
        counter += 1
    return sorted(chosen)
