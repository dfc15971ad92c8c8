"""Thresholds at long horizons from windows, without enumerating a history (docs/theory/windows.md;
docs/certificate-windows.md).
"""

from __future__ import annotations

from pathlib import Path

import certify
from certify.claims import CERTIFIED, Claim, Outcome
from certify.claims.text import number, table
from certify.errors import Undecided

CLAIM = Claim(
    id="24",
    source="ours (docs/theory/windows.md#uniqueness-by-windows)",
    expected=CERTIFIED,
    statement="If boxes shared by all histories with one window hold every stationary policy, and multipliers from "
    "conditional covariances given windows are positive for every beta in [0, 1/alpha*], then for every "
    "alpha >= alpha* there is exactly one stationary policy; so thresholds need no enumeration of histories.",
)

QUICK = (("recycling", 2),)
FULL = (*QUICK, ("recycling", 3), ("dectiger", 2))
RTOL = "1/50"


def run(out: Path, quick: bool) -> Outcome:
    """Proves or refutes the claim above; writes the evidence to `out` (fewer games if `quick`)."""
    rows, evidence = [], []
    for name, horizon in QUICK if quick else FULL:
        game = certify.load(name, horizon=horizon)
        structural = certify.threshold(game, method="structural")
        found = certify.threshold(game, method="windows", rtol="1/10" if quick else RTOL)
        if found.status != "proved" or structural.alpha_star is None:
            raise Undecided(found.reason)
        evidence.append(found.save(out / f"{name}-{horizon}.cert.json"))
        rows.append(
            (
                f"{name}, {horizon} steps",
                number(structural.alpha_star, 2, up=True),
                number(found.alpha_star, 4, up=True),
                found.method,
            )
        )
    header = ("game", "structural α\\*", "windows α\\*", "method")
    return Outcome(CERTIFIED, {"thresholds": table(header, rows)}, tuple(evidence))
