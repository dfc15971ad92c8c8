"""`certify.check`: the independent checker's verdict on a certificate file."""

from __future__ import annotations

import os

from certify import checker
from certify.errors import InputError
from certify.exact import whole_number


def check(
    path: str | os.PathLike[str], engine: str = "auto", workers: int = 1, budget: float = checker.BUDGET
) -> checker.Verdict:
    """The independent checker's verdict on a certificate file; `InputError` if it is malformed.

    `engine` is "auto", "stdlib" or "fast"; `workers` processes share the verification of a cover; `budget`: seconds
    that a check may take, beyond which there is no verdict (docs/certificate-reading.md#how-much-work-a-file-may-be).
    """
    if not isinstance(path, (str, os.PathLike)):
        raise InputError("certificate", f"a {type(path).__name__} is no path", "give the path of a certificate")
    workers = whole_number(workers, "--workers")
    try:
        return checker.check_file(path, engine=engine, workers=workers, budget=budget)
    except ValueError as error:
        raise InputError(
            str(path), str(error).removeprefix(f"{path}: "), "give a certificate that `certify` wrote, unaltered"
        ) from None
