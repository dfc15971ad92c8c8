"""Other people's libraries talk: what they write to stdout or stderr while they are loaded is no part of an answer."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def silenced(descriptor: int) -> Iterator[None]:
    """Drop what is written to file descriptor 1 or 2, by Python or by anything below it.

    >>> with silenced(2):
    ...     print("not seen", file=sys.stderr)
    """
    stream = sys.stdout if descriptor == 1 else sys.stderr
    stream.flush()
    with open(os.devnull, "wb") as nothing:
        kept = os.dup(descriptor)
        os.dup2(nothing.fileno(), descriptor)
        try:
            yield
        finally:
            for written in {stream, sys.stdout if descriptor == 1 else sys.stderr}:
                written.flush()
            os.dup2(kept, descriptor)
            os.close(kept)
