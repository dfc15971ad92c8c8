"""Results of proofs as JSON, as a table, as one explanation, and as a Markdown appendix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from certify.claims.runner import Result
from certify.claims.text import table, unmarked


def result_json(result: Result) -> dict[str, Any]:
    """One entry of `certify claims --json`."""
    entry = {
        "id": result.claim.id,
        "source": result.claim.source,
        "statement": result.claim.statement,
        "verdict": result.verdict,
        "evidence": [str(item.path) for item in result.evidence],
        "seconds": round(result.seconds, 3),
    }
    if result.failure:
        entry["failure"] = result.failure
    return entry


def line(result: Result) -> str:
    """A result on one line of the table for people."""
    valid = sum(item.valid is True for item in result.evidence)
    other = len(result.evidence) - valid
    evidence = f"{valid} checked" + (f", {other} other" if other else "")
    verdict = f"FAILED: {result.failure}" if result.failure else result.verdict
    return (
        f"{result.claim.id:>3}  {result.seconds:6.1f} s  {evidence:<20}  {verdict}\n     "
        f"{result.claim.statement}  [{result.claim.source}]"
    )


def explanation(result: Result) -> str:
    """The claim, its verdict, its written proof and its certificates."""
    parts = [line(result), "", unmarked(result.text).strip(), ""]
    for item in result.evidence:
        parts.append(f"{item.path}" + (f"\n    {item.says}" if item.says else ""))
    return "\n".join(parts)


def markdown(results: Sequence[Result], *, quick: bool) -> str:
    """The appendix of a paper: the table of all claims, then every written proof with its figures."""
    rows = [
        (
            r.claim.id,
            r.claim.statement,
            r.claim.source,
            f"failed: {r.failure}" if r.failure else r.verdict,
            ", ".join(item.path.name for item in r.evidence),
            f"{r.seconds:.1f}",
        )
        for r in results
    ]
    parts = [
        "# Claims, verdicts and proofs",
        "Quick runs: fewer games, wider brackets." if quick else "",
        table(("id", "claim", "source", "verdict", "evidence", "seconds"), rows),
    ]
    return "\n\n".join(part for part in [*parts, *(unmarked(r.text).strip() for r in results)] if part) + "\n"
