"""`certify.check`: the independent checker's verdict on a certificate file."""

from __future__ import annotations

import os

from certify import checker
from certify.errors import InputError


def check(path: str | os.PathLike[str], engine: str = "auto", workers: int = 1) -> checker.Verdict:
    """The independent checker's verdict on a certificate file; `InputError` if it is malformed.

    `engine` is "auto", "stdlib" or "fast"; `workers` processes share the verification of a cover.
    """
    try:
        return checker.check_file(path, engine=engine, workers=workers)
    except ValueError as error:
        raise InputError(str(path), str(error), "give a certificate that `certify` wrote, unaltered") from None
