"""What a proof script declares (`Claim`) and what it returns (`Outcome`).

The four verdicts: a written proof for a whole class of games, certificates for the instances named,
a certified counterexample, or undecided with the reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

PROVED = "proved for all games of the class"
CERTIFIED = "certified on these instances"
REFUTED = "refuted by this instance"
_UNDECIDED = "undecided because "


def undecided(because: str) -> str:
    """The verdict of a claim that the tools at hand do not settle.

    >>> undecided("no certificate of this kind exists")
    'undecided because no certificate of this kind exists'
    """
    return _UNDECIDED + because


def is_undecided(verdict: str) -> bool:
    """Whether a verdict leaves its claim open.

    >>> is_undecided(undecided("time ran out")), is_undecided(PROVED)
    (True, False)
    """
    return verdict.startswith(_UNDECIDED)


@dataclass(frozen=True)
class Claim:
    """One claim: `id` ("4a"; its file starts with the same number), `source` (the paper, or "ours")
    and `statement`.  `expected` is the verdict that the project stands for: `REFUTED` for statements
    that are filed here in order to be refuted."""

    id: str
    source: str
    statement: str
    expected: str = PROVED


@dataclass(frozen=True)
class Outcome:
    """What a script found.

    verdict : one of the four.  figures : the text for every mark `<!--=name-->` of the written proof,
    decimals rounded to the safe side.  evidence : the files written to the folder given, those that end in
    `.cert.json` being certificates, which the runner has checked.
    """

    verdict: str
    figures: Mapping[str, str] = field(default_factory=dict)
    evidence: tuple[Path, ...] = ()
