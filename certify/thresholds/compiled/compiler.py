"""Whether loops can be compiled here, and the decorator that does it (the extra `compiled`: numba).

Compiled code only proposes; nothing rigorous depends on it.  The environment variable CERTIFY_COMPILED=no keeps to
numpy.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

SWITCH = "CERTIFY_COMPILED"


@functools.cache
def installed() -> bool:
    """Whether numba is there, and works with the numpy that is."""
    try:
        import numba  # noqa: F401
    except ImportError:
        return False
    return True


def available() -> bool:
    """Whether searches run compiled: numba is installed and `CERTIFY_COMPILED` is not "no"."""
    return os.environ.get(SWITCH, "") != "no" and installed()


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function as machine code, made at its first call and kept (`kept_in`); itself where there is no compiler:
    a hundred times slower, and the same."""
    if not installed():
        return function
    import numba

    with _kept():
        return numba.njit(cache=True, nogil=True, error_model="numpy", no_cfunc_wrapper=True)(function)


def nested(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same for what only compiled code calls: nothing is made for callers in Python, nor kept by itself."""
    if not installed():
        return function
    import numba

    return numba.njit(nogil=True, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)(function)


def plain(function: Callable[..., Any]) -> Callable[..., Any]:
    """What a function was before it was compiled."""
    return getattr(function, "py_func", function)


def kept_in(source: Path, root: Path) -> Path:
    """The folder below `root` for the machine code of the modules in `source`: another one for every version of any of
    them and of the compiler, for machine code holds what it calls, and the compiler looks at one module's age alone."""
    import numba

    version = hashlib.sha256(numba.__version__.encode())
    for path in sorted(source.glob("*.py")):
        version.update(path.name.encode() + path.read_bytes())
    return root / f"certify-{version.hexdigest()[:16]}"


@functools.cache
def _folder() -> Path:
    """Beside the source, or where the compiler is told to keep its own; what older versions left beside it goes."""
    import numba

    here = Path(__file__).parent
    told = numba.config.CACHE_DIR
    folder = kept_in(here, Path(told) if told else here / "__pycache__")
    if not told and not folder.exists():
        for other in folder.parent.glob("certify-*"):
            shutil.rmtree(other, ignore_errors=True)
    return folder


@contextlib.contextmanager
def _kept() -> Iterator[None]:
    """The compiler keeps what it is given meanwhile in our folder, or where that cannot be written where it likes."""
    import numba

    before = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = str(_folder())
    try:
        yield
    finally:
        numba.config.CACHE_DIR = before


@functools.cache
def borrower() -> Callable[[Any], Any]:
    """A function for compiled code: an array whose owner is not told of its uses, and of which functions are given no
    more than where it is and how long, for indices that are never negative; or a tuple of such arrays.

    Counting uses, atomically and at every call, takes more time than what is called does, and so does handing on the
    seven numbers of every array.  The owner must outlive the uses: borrow what a caller in Python holds, nothing that
    compiled code has allocated.
    """
    if not installed():
        return lambda array: array
    from certify.thresholds.compiled.borrowing import borrowed

    return borrowed
