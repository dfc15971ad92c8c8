"""Figures and hashes of all rows of logits of a file, streamed in blocks and shared out among processes
(docs/recipes.md).
"""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

from certify.entropy import digest as merkle
from certify.entropy.dump import Dump, bad_row, check_rows, read_dump
from certify.entropy.formats import BFLOAT16, FLOAT16
from certify.entropy.rows import Histograms, RowFigures, blocks, concatenate, plain_figures
from certify.errors import InputError

_AT_ONCE = 1 << 22  # logits of a block


def row_figures(dump: Dump, processes: int = 1) -> tuple[RowFigures, bytes]:
    """The figures of all rows of logits and the hashes of the rows, 32 bytes each; rows are streamed."""
    assert dump.logits is not None
    parts = list(blocks(*dump.logits.shape, at_once=_AT_ONCE))
    if processes == 1 or len(parts) == 1:
        return _streamed(dump, 0, dump.tokens)
    cuts = np.array_split(np.arange(len(parts)), processes)
    jobs = [(dump.path, parts[c[0]].start, parts[c[-1]].stop) for c in cuts if len(c)]
    with ProcessPoolExecutor(len(jobs)) as pool:
        done = list(pool.map(_share, jobs))
    return concatenate([d[0] for d in done]), b"".join(d[1] for d in done)


def _share(job: tuple[Path, int, int]) -> tuple[RowFigures, bytes]:
    """The rows start..stop of a file, in a process of its own."""
    path, start, stop = job
    return _streamed(read_dump(path), start, stop)


def _streamed(dump: Dump, start: int, stop: int) -> tuple[RowFigures, bytes]:
    assert dump.logits is not None
    sampled = dump.need("token_id", "finding the sampled token").values
    worker, found, hashes = Rows(dump), [], []
    for part in blocks(stop - start, dump.logits.shape[1], at_once=_AT_ONCE):
        begin, end = start + part.start, start + part.stop
        f, h = worker(dump.logits.read(begin, end), sampled[begin:end], begin)
        found.append(f)
        hashes.append(h)
    return concatenate(found), b"".join(hashes)


class Rows:
    """Figures and hashes of blocks of rows of one dump."""

    def __init__(self, dump: Dump) -> None:
        assert dump.logits is not None
        self.where = f"{dump.path.name}, logits"
        self.format = dump.logits.format
        self.size = dump.logits.shape[1]
        self.coded = self.format in (BFLOAT16, FLOAT16)
        self.histograms = Histograms(self.format) if self.coded and self.format is not None else None

    def __call__(self, rows: np.ndarray, sampled: np.ndarray, start: int) -> tuple[RowFigures, bytes]:
        """The figures and the hashes of the rows from `start` on, with the sampled tokens."""
        hashes: list[bytes] = []
        if self.histograms is not None and self.format is not None:
            name = self.format.name

            def seen(codes: np.ndarray, counts: np.ndarray) -> None:
                own = rows[len(hashes), sampled[len(hashes)]]
                parts = codes.astype("<u2").tobytes(), counts.astype("<u4").tobytes(), own.astype("<u2").tobytes()
                hashes.append(merkle.row_hash(name, self.size, *parts))

            found = self.histograms.figures(rows, sampled, seen)
        else:
            check_rows(rows, self.where, start)
            found = plain_figures(rows, sampled)
            kind = "float64" if self.format is None else self.format.name
            hashes = [merkle.row_hash(kind, self.size, row.tobytes()) for row in np.ascontiguousarray(rows)]
        if not np.isfinite(found.entropy.mid).all():
            bad_row(self.where, start + int(np.flatnonzero(~np.isfinite(found.entropy.mid))[0]))
        if not np.isfinite(found.log_pi.mid).all():
            token = start + int(np.flatnonzero(~np.isfinite(found.log_pi.mid))[0])
            raise InputError(
                self.where, f"the sampled token of row {token} has logit -inf", "give the logits it was sampled from"
            )
        return found, b"".join(hashes)

    def distinct(self, row: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The distinct values of a row, -inf left out, and how often each occurs."""
        if self.histograms is not None:
            codes, counts = self.histograms.count(row)
            values, counts = self.histograms.value[codes], counts.astype(np.float64)
        else:
            values, found = np.unique(row.astype(np.float64), return_counts=True)
            counts = found.astype(np.float64)
        possible = values > -np.inf
        return values[possible], counts[possible]

    def value(self, row: np.ndarray, token: int) -> float:
        """The logit of one token."""
        return float(self.histograms.value[row[token]] if self.histograms is not None else row[token])
