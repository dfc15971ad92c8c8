"""Whether loops can be compiled here, and the decorator that does it (the extra `compiled`: numba).

Compiled code only proposes; nothing rigorous depends on it.  The environment variable CERTIFY_COMPILED=no keeps to
numpy.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import shutil
import sys
import tempfile
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

    with _kept() as keeps:
        return numba.njit(cache=keeps, nogil=True, error_model="numpy", no_cfunc_wrapper=True)(function)


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
def folder() -> Path | None:
    """Where machine code is kept: where the compiler is told to keep its own, or beside the source, or in the user's
    folder for such things, the first that can be written to; None where none can.  What older versions left beside the
    source goes."""
    import numba

    here, told = Path(__file__).parent, numba.config.CACHE_DIR
    own = here / "__pycache__"
    users = Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")) / "certify"
    for root in (*([Path(told)] if told else []), own, users):
        found = kept_in(here, root)
        others = [] if found.exists() or root != own else list(root.glob("certify-*"))
        if _writable(found):
            for other in others:
                shutil.rmtree(other, ignore_errors=True)
            return found
    return None


def _writable(place: Path) -> bool:
    try:
        place.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=place):
            return True
    except OSError:
        return False


@contextlib.contextmanager
def _kept() -> Iterator[bool]:
    """The compiler keeps what it is given meanwhile in our folder; False where there is none."""
    import numba

    before, place = numba.config.CACHE_DIR, folder()
    if place is not None:
        numba.config.CACHE_DIR = str(place)
    try:
        yield place is not None
    finally:
        numba.config.CACHE_DIR = before


def _marker() -> Path | None:
    """The file that says that everything is kept, for this source, interpreter and kind of processor: to the compiler
    other ones are others, and so are copies of the source at two places."""
    from numba.core.registry import cpu_target

    place, processor = folder(), cpu_target.target_context.codegen().magic_tuple()
    about = repr((str(Path(__file__).parent), sys.implementation.cache_tag, getattr(sys, "abiflags", ""), processor))
    return None if place is None else place / f"complete-{hashlib.sha256(about.encode()).hexdigest()[:16]}.json"


def is_complete() -> bool:
    """Whether machine code for everything is kept: `mark_complete` was called, and what was there then still is."""
    marker = _marker()
    if marker is None:
        return False
    try:
        kept = json.loads(marker.read_text(encoding="utf-8"))
        return bool(kept) and all((marker.parent / name).is_file() for name in kept)
    except (OSError, ValueError, TypeError):
        return False


def mark_complete() -> None:
    """Say so once everything has been compiled; whoever compiles at the same time says the same.  Nothing is said where
    nothing is kept."""
    marker = _marker()
    if marker is None:
        return
    kept = sorted(str(path.relative_to(marker.parent)) for path in marker.parent.rglob("*.nb[ci]"))
    draft = marker.with_name(f"{marker.name}.{os.getpid()}.part")
    draft.write_text(json.dumps(kept), encoding="utf-8")
    os.replace(draft, marker)


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
