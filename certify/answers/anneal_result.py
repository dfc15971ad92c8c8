"""What `certify.anneal` returns (interface: `certify anneal --json`)."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from certify.answers.optimum_result import Ends, Policy, Tie
from certify.bounds.enclosure import with_multiplied
from certify.certificates.writing import save_document
from certify.notebook import Facts, Shown, between, decimal

_ROWS_SHOWN = 10  # stations in a notebook


@dataclass(frozen=True, repr=False)
class Station(Shown):
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

    def facts(self) -> Facts:
        """What a prompt and a notebook show of it."""
        named = (("J", self.value), ("return", self.return_), ("entropy", self.entropy))
        rows = [("alpha", decimal(self.alpha, up=True)), *((label, between(ends)) for label, ends in named)]
        if self.greedy_return is not None:
            rows.append(("greedy return", decimal(self.greedy_return, up=False)))
        return Facts("station", "", tuple(rows))


@dataclass(frozen=True, repr=False)
class AnnealResult(Shown):
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

    def facts(self) -> Facts:
        """What a prompt and a notebook show of it."""
        name = (self.document or {}).get("game", {}).get("name", "")
        rows = []
        if self.critical is not None:
            rows.append(("nondegenerate maximum down to alpha =", decimal(self.critical.upper, up=True)))
            if self.kind != "none-down-to":
                rows.append((f"{self.kind} between there and", decimal(self.critical.lower, up=False)))
        if self.alpha_star is not None:
            rows.append(("unique from alpha* =", decimal(self.alpha_star, up=True)))
        for s in self.stations[:_ROWS_SHOWN]:
            at = f"at alpha = {decimal(s.alpha, up=True)}"
            rows.append((at, f"J {between(s.value)}, return {between(s.return_)}, entropy {between(s.entropy)}"))
        more = len(self.stations) - _ROWS_SHOWN
        note = self.reason or (f"and {more} more stations" if more > 0 else "")
        return Facts(f"annealing {name}".strip(), self.status, tuple(rows), note)

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

    names = ("alpha", "value", "return_", "greedy_return")
    stations = tuple(with_multiplied(station, unit, *names) for station in result.stations)
    return with_multiplied(replace(result, stations=stations), unit, "critical", "start", "alpha_star")
