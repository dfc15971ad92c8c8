"""What `certify.anneal` returns (interface: `certify anneal --json`)."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from certify.answers.optimum_result import Ends, Policy, Tie
from certify.bounds.enclosure import Enclosure
from certify.certificates.writing import save_document


@dataclass(frozen=True)
class Station:
    """The policy at one temperature `alpha`, a nondegenerate maximum of J: enclosures with `Fraction` ends.

    value : J_alpha.  return_ : the expected return.  entropy : weighted.  policy : per infoset and action.
    greedy : per infoset the actions tied for the maximum; greedy_return : exact, tied actions played equally often.
    """

    alpha: Fraction
    value: Ends
    return_: Ends
    entropy: Ends
    policy: Policy = field(repr=False)
    greedy: dict[str, tuple[str, ...]] = field(repr=False)
    greedy_return: Fraction | None
    ties: tuple[Tie, ...] = ()


@dataclass(frozen=True)
class AnnealResult:
    """How far the unique policy of high temperatures can be followed as the temperature falls.

    status : "proved" (bracketed as asked, or a nondegenerate maximum down to where it was asked for), "partial" (what
    is stated is proved, and it is less than that: `reason` says why) or "undecided".
    kind : "symmetry-breaking", "fold" or "none-down-to".  critical : the bracket [lo, hi]: the branch is a
    nondegenerate maximum for every temperature from `start` down to hi, and at lo it no longer is; for "none-down-to"
    lo = hi.
    broken : the numbers of `generators` (automorphisms, as JSON) that move a direction along which J rises at lo.
    stations : from the hottest on.  alpha_star : the threshold from which on the policy is unique.
    step_size : a step of gradient ascent that keeps runs together at alpha_star (`certify threshold`).
    """

    status: str
    kind: str | None = None
    critical: Ends | None = None
    broken: tuple[int, ...] = ()
    generators: tuple[dict[str, Any], ...] = field(default=(), repr=False)
    stations: tuple[Station, ...] = field(default=(), repr=False)
    start: Fraction | None = None
    alpha_star: Fraction | None = None
    step_size: Fraction | None = None
    pieces: int = 0
    objective: str = "entropy"
    game_sha256: str = ""
    horizon: int = 0
    seconds: float = 0.0
    engine: str = ""
    reason: str = ""
    document: dict[str, Any] | None = field(default=None, repr=False)

    @property
    def ratio(self) -> float | None:
        """hi / lo of the bracket."""
        return None if self.critical is None else float(self.critical.upper / self.critical.lower)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the certificate as JSON; raises `InputError` where there is none or it cannot be written."""
        return save_document(self.document, path)


def in_units(result: AnnealResult, unit: Fraction) -> AnnealResult:
    """A result about payoffs that were divided by `unit`, for the payoffs themselves; its document stays."""
    if unit == 1:
        return result

    def times(value: Any) -> Any:
        if isinstance(value, Enclosure):
            return Enclosure(value.lower * unit, value.upper * unit)
        return None if value is None else value * unit

    stations = tuple(
        replace(s, **{name: times(getattr(s, name)) for name in ("alpha", "value", "return_", "greedy_return")})
        for s in result.stations
    )
    scaled = {name: times(getattr(result, name)) for name in ("critical", "start", "alpha_star")}
    return replace(result, stations=stations, **scaled)
