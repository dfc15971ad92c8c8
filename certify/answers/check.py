"""`certify.check`: the independent checker's verdict on a certificate file."""

from __future__ import annotations

import os
from dataclasses import dataclass

from certify import checker
from certify.errors import InputError, Undecided
from certify.exact import whole_number
from certify.notebook import Facts, Shown


@dataclass(frozen=True, repr=False)
class Checked(Shown, checker.Verdict):
    """A `Verdict` that shows itself at a prompt and in a notebook; its fields are the checker's."""

    def facts(self) -> Facts:
        """What is to be seen of it."""
        if self.valid:
            rows = (("proved:", self.claim), ("engine", self.engine), ("steps verified", str(self.steps)))
            return Facts("certificate", "valid", rows)
        failed = dict(self.failed_step or {})
        why = str(failed.pop("why", ""))
        place = ", ".join(f"{key} {value}" for key, value in failed.items())
        return Facts("certificate", "INVALID", (("at", place or "the claim"), ("why:", why), ("engine", self.engine)))


def check(
    path: str | os.PathLike[str], engine: str = "auto", workers: int = 1, budget: float = checker.BUDGET
) -> Checked:
    """The independent checker's verdict on a certificate file; `InputError` if it is malformed, `Undecided` if the
    engine that was asked for cannot verify a proof of its kind.

    `engine` is "auto", "stdlib" or "fast"; `workers` processes share the verification of a cover; `budget`: seconds
    that a check may take, beyond which there is no verdict (docs/certificate-reading.md#how-much-work-a-file-may-be).
    """
    if not isinstance(path, (str, os.PathLike)):
        raise InputError("certificate", f"a {type(path).__name__} is no path", "give the path of a certificate")
    workers = whole_number(workers, "--workers")
    try:
        return Checked(**checker.check_file(path, engine=engine, workers=workers, budget=budget).as_dict())
    except checker.Unable as error:
        raise Undecided(str(error)) from None
    except ValueError as error:
        raise InputError(
            str(path), str(error).removeprefix(f"{path}: "), "give a certificate that `certify` wrote, unaltered"
        ) from None
