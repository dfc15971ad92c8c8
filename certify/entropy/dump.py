"""A training batch as a file: .npz, .safetensors or .parquet with one entry per token, types kept
(docs/recipes.md#the-dump).

What is read is checked once, here: shapes, types, nan, masks, and every trouble is one line that names the
column.  Logits, which may be larger than the memory, are read in blocks of rows.  bfloat16 is `BF16` in
safetensors, numpy's `V2` (what ml_dtypes leaves in .npz), and rows of bytes in parquet.
"""

from __future__ import annotations

import json
import struct
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from certify.entropy.formats import BFLOAT16, FLOAT16, FLOAT32, FloatFormat
from certify.errors import InputError

COLUMNS = (
    "token_id", "logp_train", "logp_old", "logp_sampler", "logp_ref", "entropy", "advantage", "reward", "mask",
    "seq_id", "group_id", "selected", "logits",
)  # fmt: skip
_INTEGERS = ("token_id", "mask", "seq_id", "group_id", "selected")
_HIGHEST_LOG = 1e-3  # a log-probability this far above 0 is a rounding error of whoever wrote it; more is not
_LOWEST_LOG, _LARGEST = 1e5, 1e15  # sizes beyond which float64 figures say nothing any more
_SAFE = {
    "BF16": "bfloat16", "F16": "<f2", "F32": "<f4", "F64": "<f8", "I64": "<i8", "I32": "<i4", "I16": "<i2",
    "I8": "<i1", "U8": "<u1", "BOOL": "?", "U16": "<u2", "U32": "<u4", "U64": "<u8",
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Column:
    """Values of one column with the type in which they were stored: `values` float64 (or integers), exact.

    `format` is None for float64 and integers.
    """

    values: np.ndarray
    format: FloatFormat | None


@dataclass(frozen=True, eq=False)
class Logits:
    """Rows of logits that are read when they are asked for: `read(start, stop)` gives codes (B, V) uint16 for
    16-bit formats, float32 or float64 otherwise."""

    shape: tuple[int, int]
    format: FloatFormat | None
    read: Callable[[int, int], np.ndarray]


@dataclass(frozen=True, eq=False)
class Dump:
    """The columns of a batch of `tokens` tokens; `columns` has no `logits`, which stand alone."""

    path: Path
    tokens: int
    columns: dict[str, Column]
    logits: Logits | None

    def get(self, name: str) -> Column | None:
        """The column, or None where the file has none of that name."""
        return self.columns.get(name)

    def need(self, name: str, purpose: str) -> Column:
        """The column; `InputError` says what it is needed for."""
        if name not in self.columns:
            raise InputError(
                self.path.name, f"no column {name!r}, needed for {purpose}", "add it, or choose another recipe"
            )
        return self.columns[name]

    @property
    def mask(self) -> np.ndarray:
        """Which tokens count, (N,) bool: all of them without a column `mask`."""
        column = self.get("mask")
        return np.ones(self.tokens, dtype=bool) if column is None else column.values != 0


@dataclass(frozen=True, eq=False)
class _Raw:
    """An array of the file before it is checked: `kind` is bfloat16 or a numpy type, `read(start, stop)` rows."""

    name: str
    kind: str
    shape: tuple[int, ...]
    read: Callable[[int, int], np.ndarray]


def read_dump(path: str | Path) -> Dump:
    """The batch in the file `path`, checked; `InputError` in one line for everything that cannot be used.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     name = Path(folder) / "batch.npz"
    ...     np.savez(name, logp_train=np.array([-1.0, -2.0], np.float32), advantage=np.array([1.0, -1.0]))
    ...     read_dump(name).tokens
    2
    """
    path = Path(path)
    if not path.exists():
        raise InputError(path.name, "no such file", "check the path")
    if path.is_dir() or path.stat().st_size == 0:
        raise InputError(
            path.name, "an empty file" if path.is_file() else "a folder", "give a .npz, .safetensors or .parquet"
        )
    readers = {".npz": _npz, ".safetensors": _safetensors, ".parquet": _parquet}
    if path.suffix not in readers:
        raise InputError(path.name, f"files ending in {path.suffix!r} are not read", f"use one of {', '.join(readers)}")
    try:
        raw = {r.name: r for r in readers[path.suffix](path)}
    except InputError:
        raise
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, struct.error) as error:
        raise InputError(
            path.name, f"not a {path.suffix[1:]} file that can be read ({type(error).__name__})", "write it again"
        ) from None
    return _checked(path, raw)


def _checked(path: Path, raw: dict[str, _Raw]) -> Dump:
    unknown = [name for name in raw if name not in COLUMNS]
    if unknown:
        raise InputError(path.name, f"unknown column {unknown[0]!r}", f"the columns are {', '.join(COLUMNS)}")
    rows = {name: r.shape[0] if r.shape else 0 for name, r in raw.items() if name != "reward"}
    if not rows:
        raise InputError(path.name, "no column of the batch", f"the columns are {', '.join(COLUMNS)}")
    first, tokens = next(iter(rows.items()))
    for name, n in rows.items():
        if n != tokens:
            raise InputError(path.name, f"{name} has {n} rows, {first} has {tokens}", "give one row per token")
    if tokens == 0:
        raise InputError(path.name, "a batch of 0 tokens", "give at least one token")
    columns = {name: _column(path, r) for name, r in raw.items() if name != "logits"}
    logits = _logits(path, raw["logits"]) if "logits" in raw else None
    dump = Dump(path, tokens, columns, logits)
    if not dump.mask.any():
        raise InputError(path.name, "the mask is 0 everywhere", "leave at least one token unmasked")
    if logits is not None:
        ids = dump.need("token_id", "finding the sampled token in its row of logits").values
        if ids.min() < 0 or ids.max() >= logits.shape[1]:
            raise InputError(
                path.name,
                f"token_id {int(ids.min() if ids.min() < 0 else ids.max())}",
                f"ids run from 0 to {logits.shape[1] - 1}",
            )
    return dump


def _column(path: Path, raw: _Raw) -> Column:
    name, where = raw.name, f"{path.name}, {raw.name}"
    if len(raw.shape) != 1:
        raise InputError(where, f"shape {list(raw.shape)}", "give one number per token, flat")
    if raw.shape[0] == 0:
        raise InputError(where, "no numbers", "give one per token or per sequence")
    stored = raw.read(0, raw.shape[0])
    if name in _INTEGERS:
        if raw.kind == "bfloat16" or np.dtype(raw.kind).kind not in "iub":
            raise InputError(where, f"type {raw.kind}", "store whole numbers or booleans")
        return Column(stored.astype(np.int64), None)
    if raw.kind != "bfloat16" and np.dtype(raw.kind).kind not in ("f" if name != "reward" else "fiu"):
        raise InputError(where, f"type {raw.kind}", "store bfloat16, float16, float32 or float64")
    format_ = _format(raw.kind)
    values = BFLOAT16.decode(BFLOAT16.codes())[stored] if format_ is BFLOAT16 else stored.astype(np.float64)
    if not np.isfinite(values).all():
        at = int(np.flatnonzero(~np.isfinite(values))[0])
        raise InputError(where, f"{values[at]} at token {at}", "give finite numbers, or mask the token and write 0")
    largest = _LOWEST_LOG if name.startswith("logp_") else _LARGEST
    if np.abs(values).max() > largest:
        at = int(np.abs(values).argmax())
        raise InputError(
            where, f"{values[at]:.6g} at token {at}", f"rescale: numbers up to {largest:.0e} are worked with"
        )
    if name.startswith("logp_") and values.max() > _HIGHEST_LOG:
        at = int(values.argmax())
        raise InputError(where, f"{values[at]:.6g} at token {at} is above 0", "give logarithms of probabilities")
    if name == "entropy" and values.min() < 0:
        raise InputError(where, f"{values.min():.6g} is below 0", "give entropies in nats")
    return Column(values, format_)


def _format(kind: str) -> FloatFormat | None:
    return {"bfloat16": BFLOAT16, "<f2": FLOAT16, "<f4": FLOAT32}.get(kind)


def _logits(path: Path, raw: _Raw) -> Logits:
    where = f"{path.name}, logits"
    if len(raw.shape) != 2 or raw.shape[1] < 2:
        raise InputError(where, f"shape {list(raw.shape)}", "give one row of at least two logits per token")
    if raw.kind != "bfloat16" and np.dtype(raw.kind).kind != "f":
        raise InputError(where, f"type {raw.kind}", "store bfloat16, float16, float32 or float64")
    return Logits((raw.shape[0], raw.shape[1]), _format(raw.kind), raw.read)


def check_rows(rows: np.ndarray, where: str, start: int) -> None:
    """`InputError` for a float row with nan or +inf (rows of codes are looked at when they are counted)."""
    bad = ~(rows < np.inf).all(axis=1) | ~(rows > -np.inf).any(axis=1)
    if bad.any():
        bad_row(where, start + int(np.flatnonzero(bad)[0]))


def bad_row(where: str, token: int) -> NoReturn:
    """The `InputError` for the row of that token."""
    raise InputError(
        where, f"nan or infinity in the row of token {token}", "give finite logits (or -inf for what cannot be sampled)"
    )


def _as_codes(array: np.ndarray, kind: str) -> np.ndarray:
    """16-bit floats as their codes, uint16; everything else as it is."""
    if kind in ("bfloat16", "<f2"):
        return np.ascontiguousarray(array).view(np.uint16)
    return array


def _npz(path: Path) -> Iterator[_Raw]:
    with zipfile.ZipFile(path) as archive:
        members = [m for m in archive.namelist() if m.endswith(".npy")]
        headers = {}
        for member in members:
            with archive.open(member) as stream:
                version = np.lib.format.read_magic(stream)
                read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
                headers[member] = (*read(stream), stream.tell())
    for member, (shape, fortran, dtype, offset) in headers.items():
        name = member[: -len(".npy")]
        kind = _kind(dtype)
        if kind is None or (fortran and len(shape) > 1):
            raise InputError(
                f"{path.name}, {name}",
                f"type {dtype}{' in Fortran order' if fortran else ''}",
                "store plain numbers in C order",
            )
        yield _Raw(name, kind, shape, _NpyRows(path, member, offset, shape, dtype, kind))


class _NpyRows:
    """Rows of an array inside a .npz, one forward stream at a time: nothing else stays in memory."""

    def __init__(
        self, path: Path, member: str, offset: int, shape: tuple[int, ...], dtype: np.dtype, kind: str
    ) -> None:
        self.path, self.member, self.offset, self.shape, self.dtype, self.kind = (
            path,
            member,
            offset,
            shape,
            dtype,
            kind,
        )
        self.stream: Any = None
        self.position = 0

    def __call__(self, start: int, stop: int) -> np.ndarray:
        width = int(np.prod(self.shape[1:], dtype=np.int64))
        size = width * self.dtype.itemsize
        wanted = self.offset + start * size
        if self.stream is None or self.position > wanted:
            # stays open: rows are read on from where the last call stopped
            self.stream, self.position = zipfile.ZipFile(self.path).open(self.member), 0  # noqa: SIM115
        while self.position < wanted:
            self.position += len(self.stream.read(min(1 << 24, wanted - self.position)))
        data = self.stream.read((stop - start) * size)
        self.position += len(data)
        if len(data) != (stop - start) * size:
            raise InputError(f"{self.path.name}, {self.member}", "the file ends before its last row", "write it again")
        array = np.frombuffer(data, dtype=self.dtype).reshape((stop - start, *self.shape[1:]))
        if self.kind == "bfloat16":
            return array.view(np.uint16)
        array = array.astype(self.dtype.newbyteorder("<"), copy=False)
        return _as_codes(array, self.kind) if len(self.shape) > 1 else array


def _kind(dtype: np.dtype) -> str | None:
    if dtype.kind == "V" and dtype.itemsize == 2 and not dtype.names:
        return "bfloat16"
    if dtype.kind not in "fiub" or (dtype.kind == "f" and dtype.itemsize not in (2, 4, 8)):
        return None
    return dtype.newbyteorder("<").str


def _safetensors(path: Path) -> Iterator[_Raw]:
    with path.open("rb") as stream:
        (length,) = struct.unpack("<Q", stream.read(8))
        if length > min(100_000_000, path.stat().st_size - 8):
            raise ValueError("header")
        header = json.loads(stream.read(length))
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        kind = _SAFE.get(entry["dtype"])
        if kind is None:
            raise InputError(f"{path.name}, {name}", f"type {entry['dtype']}", "store floats, integers or booleans")
        begin, end = entry["data_offsets"]
        dtype = np.dtype("<u2" if kind == "bfloat16" else kind)
        shape = tuple(int(n) for n in entry["shape"])
        if (
            end - begin != dtype.itemsize * int(np.prod(shape, dtype=np.int64))
            or 8 + length + end > path.stat().st_size
        ):
            raise ValueError("offsets")
        yield _Raw(name, kind, shape, _mapped(path, 8 + length + begin, shape, dtype, kind))


def _mapped(
    path: Path, offset: int, shape: tuple[int, ...], dtype: np.dtype, kind: str
) -> Callable[[int, int], np.ndarray]:
    size = int(np.prod(shape[1:], dtype=np.int64)) * dtype.itemsize

    def read(start: int, stop: int) -> np.ndarray:
        array = np.fromfile(
            path, dtype=dtype, offset=offset + start * size, count=(stop - start) * size // dtype.itemsize
        )
        array = array.reshape((stop - start, *shape[1:]))
        return _as_codes(array, kind) if len(shape) > 1 else array

    return read


def _parquet(path: Path) -> Iterator[_Raw]:
    try:
        import pyarrow as arrow
        from pyarrow import parquet
    except ImportError:
        raise InputError(path.name, "parquet files need pyarrow", "pip install 'certify[batch]'") from None
    try:
        table = parquet.read_table(path)
    except arrow.ArrowException as error:
        raise InputError(
            path.name, f"not a parquet file that can be read ({type(error).__name__})", "write it again"
        ) from None
    for name in table.column_names:
        column = table.column(name).combine_chunks()
        if column.null_count:
            raise InputError(f"{path.name}, {name}", "missing values", "give a number for every token")
        if arrow.types.is_fixed_size_binary(column.type) or arrow.types.is_binary(column.type):
            rows = [np.frombuffer(value, dtype=np.uint16) for value in column.to_pylist()]
            array, kind = _rectangular(path, name, rows), "bfloat16"
            array = array[:, 0] if array.shape[1] == 1 else array
        elif (
            arrow.types.is_list(column.type)
            or arrow.types.is_fixed_size_list(column.type)
            or arrow.types.is_large_list(column.type)
        ):
            rows = [value.values.to_numpy(zero_copy_only=False) for value in column]
            array = _rectangular(path, name, rows)
            kind = _kind(array.dtype) or "O"
        else:
            array = column.to_numpy(zero_copy_only=False)
            kind = _kind(array.dtype) or "O"
        if kind == "O":
            raise InputError(f"{path.name}, {name}", f"type {column.type}", "store floats, integers or booleans")
        yield _Raw(name, kind, array.shape, _held(array, kind))


def _rectangular(path: Path, name: str, rows: list[np.ndarray]) -> np.ndarray:
    if len({len(row) for row in rows}) != 1:
        raise InputError(f"{path.name}, {name}", "rows of different lengths", "give as many entries for every token")
    return np.stack(rows)


def _held(array: np.ndarray, kind: str) -> Callable[[int, int], np.ndarray]:
    def read(start: int, stop: int) -> np.ndarray:
        part = array[start:stop]
        return _as_codes(part, kind) if part.ndim > 1 and kind != "bfloat16" else part

    return read
