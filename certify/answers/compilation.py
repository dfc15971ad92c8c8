"""The call behind `certify compile`: compiled loops for searches, made once
(docs/thresholds.md#compiled-loops)."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

from certify.errors import InputError
from certify.run import Progress, quiet
from certify.thresholds import loops
from certify.thresholds.compiled import compiler


@dataclass(frozen=True)
class Compilation:
    """Machine code that is ready.  folder : where it is kept.  seconds : that making it took, 0 where it was there."""

    folder: Path
    seconds: float


def compile_loops(progress: Progress = quiet) -> Compilation:
    """Compile the loops of the search, which takes about a minute, unless they are kept already.

    Raises `InputError` where they cannot be compiled, or kept, or are switched off.
    """
    where = "certify compile"
    if not compiler.installed():
        raise InputError(where, "numba is not installed", "install the extra: pip install 'certify[compiled]'")
    if not compiler.available():
        raise InputError(where, f"{compiler.SWITCH} is set to no", "unset it: it keeps searches to numpy")
    folder = compiler.folder()
    if folder is None:
        raise InputError(where, "no folder can be written to", "name one by NUMBA_CACHE_DIR, now and for searches")
    if loops.ready():
        return Compilation(folder, 0.0)
    progress("compiling the loops of the search: about a minute")
    began = time.monotonic()
    try:
        loops.make()
    except OSError as error:
        what = f"machine code cannot be kept ({error.strerror or error})"
        raise InputError(os.fspath(folder), what, "make room, or name another folder by NUMBA_CACHE_DIR") from None
    return Compilation(folder, time.monotonic() - began)
