"""How much memory a process may take, and pieces of arrays that keep to it (docs/thresholds.md#memory).

Every search in floats goes through depths in pieces, classes or joint classes side by side within a piece.  What is
found does not depend on how large pieces are: the same numbers, byte for byte.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from certify.errors import InputError

UNBOUNDED = 2**28  # bytes of temporary arrays where nothing was said
_USED = 0.7  # of what is free is for temporary arrays: allocators keep some of what is given back
_FILLED = 0.9  # ... and what must be there at least may fill
_BASE = 100 * 2**20  # of an interpreter with its libraries, where nobody can be asked
_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}


@dataclass(frozen=True)
class Memory:
    """At most `bound` bytes for a process (None: no bound was given)."""

    bound: int | None = None

    @classmethod
    def of(cls, given: Any) -> Memory:
        """What an option says: "1 GB", "512MiB", a number of bytes, None.  Raises `InputError`.

        >>> Memory.of("1.5 GB").bound, Memory.of("64MiB").bound, Memory.of(None).bound
        (1500000000, 67108864, None)
        """
        if given is None or isinstance(given, Memory):
            return given or cls()
        found = re.fullmatch(r"(\d+|\d*\.\d+)\s*([A-Za-z]*)", str(given).strip(), re.ASCII)
        if found is None or len(found[1]) > 30 or found[2].upper() not in _UNITS or not Fraction(found[1]):
            raise InputError("--memory", f"{str(given)[:40]!r}", "write a size like 1GB, 512MiB or a number of bytes")
        return cls(int(Fraction(found[1]) * _UNITS[found[2].upper()]))

    def free(self) -> float:
        """Bytes that temporary arrays may take, beside what the process has by now."""
        return UNBOUNDED if self.bound is None else max(0.0, _USED * (self.bound - resident()))

    def check(self, needed: float, where: str, what: str, mend: str) -> None:
        """Raises `InputError` where `needed` bytes beside what the process has are more than the bound."""
        if self.bound is None:
            return
        least = resident() + needed / _FILLED
        if least > self.bound:
            raise InputError(where, f"{what} needs about {size(least)}, --memory is {size(self.bound)}", mend)


NO_BOUND = Memory()


def pieces(count: int, each: float, room: float) -> Iterator[slice]:
    """Slices of `count` things, `each` bytes apiece, as many as there is `room` for, and at least one at a time.

    >>> list(pieces(5, 10, 25)), list(pieces(2, 10, 0))
    ([slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)], [slice(0, 1, None), slice(1, 2, None)])
    """
    most = max(1, int(min(count, room // max(each, 1))))
    for first in range(0, count, most):
        yield slice(first, min(count, first + most))


def resident() -> int:
    """Bytes that this process takes."""
    try:
        import resource

        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        return pages * resource.getpagesize()
    except (ImportError, OSError, ValueError, IndexError):
        return _BASE


def size(number: float) -> str:
    """Bytes for a person, rounded up.

    >>> size(1_230_000_000), size(2_000_001)
    ('1.3 GB', '3 MB')
    """
    if number >= 10**9:
        return f"{-(-number // 10**8) / 10:.1f} GB"
    return f"{-(-number // 10**6):.0f} MB"
