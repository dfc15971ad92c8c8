"""How a command ends when certify itself fails: one line, exit code 4, the traceback in a file.

An internal failure must not look like a verdict (1 means refuted) or like a user's mistake (2).  Whatever
`--json` asked for, stdout stays as it is: empty, since nothing was found.
"""

from __future__ import annotations

import codecs
import contextlib
import os
import platform
import sys
import tempfile
import traceback
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version

_PLAIN = {  # for terminals and files whose encoding lacks them
    "α": "alpha", "β": "beta", "γ": "gamma", "ε": "eps", "ζ": "zeta", "η": "eta", "π": "pi", "σ": "sigma",
    "τ": "tau", "−": "-", "–": "-", "×": "x", "±": "+-", "≥": ">=", "≤": "<=", "…": "...", "→": "->",
    "∈": "in", "√": "sqrt", "∞": "inf", "·": "*", "²": "^2", "′": "'", "’": "'",
}  # fmt: skip
_HANDLER = "certify-plain"


def _plain(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    return "".join(_PLAIN.get(c) or c.encode("ascii", "backslashreplace").decode() for c in text), error.end


codecs.register_error(_HANDLER, _plain)


def printable_streams() -> None:
    """Let stdout and stderr print every text in whatever encoding they have, a redirected one on Windows included."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=_HANDLER)


@contextlib.contextmanager
def quiet_alarms() -> Iterator[None]:
    """Nothing is said of an alarm that rings in a destructor: Python swallows it, and it rings again."""
    before = sys.unraisablehook

    def heard(about: sys.UnraisableHookArgs) -> None:
        if about.exc_type.__name__ != "OutOfTime":  # by its name: the module is loaded where a command needs it
            before(about)

    sys.unraisablehook = heard
    try:
        yield
    finally:
        sys.unraisablehook = before


def report_failure(error: BaseException, arguments: Sequence[str]) -> str:
    """Write the traceback to a temporary file; the one line that names it.

    >>> line = report_failure(KeyError("x"), ["threshold", "lever:2"])
    >>> line.startswith("certify: an internal failure (KeyError: 'x'), no verdict; the traceback is in ")
    True
    >>> os.remove(line.rpartition("traceback is in ")[2])
    """
    try:
        released = version("certify")
    except PackageNotFoundError:
        released = "unknown"
    text = (
        f"certify {released}, Python {platform.python_version()}, {platform.platform()}\n"
        f"arguments: {list(arguments)!r}\n\n{''.join(traceback.format_exception(error))}"
    )
    what = " ".join(f"{type(error).__name__}: {error}".split())
    line = f"certify: an internal failure ({what[:200]}), no verdict; "
    try:
        handle, path = tempfile.mkstemp(prefix="certify-failure-", suffix=".txt")
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
    except OSError as trouble:
        return f"{line}the traceback could not be written ({trouble.strerror})"
    return f"{line}the traceback is in {path}"
