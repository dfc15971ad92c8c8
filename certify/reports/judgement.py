"""Whether a page may say "proved": the checker is asked before it is written."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from certify import checker
from certify.certificates.markup import Sentence, say, shown_name
from certify.checker.reading.envelope import read_file
from certify.checker.verdict import Costly
from certify.errors import InputError

_LONGEST = 4_000  # characters of a verdict on a page
DEFAULT_BUDGET = 60.0  # seconds that a check for a page may be estimated at


@dataclass(frozen=True)
class Judgement:
    """`state` : "valid", "invalid", "unchecked" or "computed" (a result without a certificate).

    `claim` : what the checker says is proved, in its own words;
    `engine`, `steps` : what it took; `why` : the reason for another answer than "valid"."""

    state: str
    claim: str = ""
    engine: str = ""
    steps: int = 0
    why: str = ""

    @property
    def proved(self) -> bool:
        """Whether the checker has accepted the certificate."""
        return self.state == "valid"

    @property
    def sentences(self) -> tuple[Sentence, ...]:
        """The verdict as the first lines of a page."""
        if self.state == "valid":
            return (
                say(f"Checked when this page was made: the independent checker accepted the certificate "
                    f"({{=}} engine, {self.steps} steps verified).", self.engine),
                say("In its words: ") + _words(self.claim) + say("."),
            )  # fmt: skip
        if self.state == "invalid":
            return (
                say("REFUSED by the independent checker: nothing below is proved."),
                say("Its reason: ") + _words(self.why) + say("."),
            )
        if self.state == "computed":
            return (
                say("Computed, without a certificate: this rests on the program that computed it, and there is no file "
                    "that somebody else could check."),
            )  # fmt: skip
        return (
            say("NOT CHECKED: below is what the file claims; whether it proves it, `certify check` decides."),
            *((say("Why: ") + _words(self.why) + say("."),) if self.why else ()),
        )


def _words(text: str) -> Sentence:
    """The checker's words as text: printable, and no markup."""
    return Sentence((("text", shown_name(text, _LONGEST)),))


UNCHECKED = Judgement("unchecked")
COMPUTED = Judgement("computed")
ACCEPTED = Judgement("valid")  # of results: they carry a certificate only once the checker has agreed to it


def read_certificate(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The object in a certificate's file, within the checker's limits; raises `InputError`."""
    try:
        return read_file(path)
    except OSError as error:
        raise InputError(str(path), f"{error.strerror or error}", "name a file that can be read") from None
    except ValueError as error:
        why = str(error).removeprefix(f"{path}: ")
        raise InputError(str(path), why, "give a certificate file, unaltered") from None


def judge(
    document: dict[str, Any], *, budget: float = DEFAULT_BUDGET, progress: Callable[[str], object] | None = None
) -> Judgement:
    """The checker's answer about a certificate; "unchecked" where the work is estimated beyond `budget` seconds.

    >>> judge({"format": "certify-certificate", "version": 1, "kind": "none"}).state
    'invalid'
    """
    try:
        verdict = checker.check_certificate(document, budget=budget, progress=progress)
    except Costly as error:
        return Judgement("unchecked", why=str(error))
    except ValueError as error:
        return Judgement("invalid", why=f"malformed: {error}")
    if verdict.valid:
        return Judgement("valid", verdict.claim, verdict.engine, verdict.steps)
    failed = dict(verdict.failed_step or {})
    why = str(failed.pop("why", "it does not verify"))
    place = ", ".join(f"{key} {value}" for key, value in failed.items())
    return Judgement("invalid", engine=verdict.engine, why=f"{place}: {why}" if place else why)
