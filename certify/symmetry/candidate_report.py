"""Verdicts on candidate maps as JSON objects and as text (interface, `symmetries --candidate`)."""

from __future__ import annotations

from typing import Any

from certify.symmetry.candidate import CandidateVerdict
from certify.symmetry.compare import describe, sentence


def candidate_json(verdict: CandidateVerdict) -> dict[str, Any]:
    """`certify symmetries --candidate --json`."""
    return {
        "status": verdict.status,
        "symmetry": {"proved": True, "refuted": False}.get(verdict.status),
        "witness": None if verdict.witness is None else describe(verdict.game, verdict.witness),
        "parameters": verdict.parameters,
        "reason": verdict.reason,
        "z3": verdict.solver,
        "exact": verdict.exact,
        "seconds": round(verdict.seconds, 3),
    }


def candidate_text(verdict: CandidateVerdict) -> str:
    """The same for people."""
    if verdict.status == "proved":
        return f"a symmetry (z3: {verdict.solver}; exact comparison: {verdict.exact or 'not for parameters'})"
    if verdict.status == "undecided":
        return f"undecided: {verdict.reason}"
    text = "not a symmetry"
    if verdict.witness is not None:
        text += f": {sentence(verdict.game, verdict.witness)}"
    if verdict.parameters:
        text += " at " + ", ".join(f"{name} = {value}" for name, value in verdict.parameters.items())
    return text
