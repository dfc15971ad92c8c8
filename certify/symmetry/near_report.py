"""Near-symmetries as JSON objects and as text (interface, `symmetries --near`)."""

from __future__ import annotations

from typing import Any

from certify.symmetry.compare import describe, sentence
from certify.symmetry.group import SymmetryGroup
from certify.symmetry.maps import map_to_names
from certify.symmetry.near import NearReport
from certify.symmetry.report import map_text


def near_json(group: SymmetryGroup, report: NearReport) -> dict[str, Any]:
    """`certify symmetries --near --json`: what is added under "near"."""
    return {
        "max_entries": report.max_entries,
        "exhausted": report.exhausted,
        "found": [
            {
                "map": map_to_names(group.game, near.mapping),
                "failing_entries": len(near.differences),
                "differences": [describe(group.game, d) for d in near.differences],
            }
            for near in report.found
        ],
    }


def near_text(group: SymmetryGroup, report: NearReport) -> str:
    """The same for people: each map, and the entries with what they would have to be."""
    lines = [
        f"near-symmetries with at most {report.max_entries} failing entries: {len(report.found)}"
        + ("" if report.exhausted else " (the search limit ran out: there may be more)")
    ]
    for number, near in enumerate(report.found, 1):
        lines.append(f"{number}. {map_text(map_to_names(group.game, near.mapping))}")
        rows = {(d.table, d.key[0][:1], d.key[1]) for d in near.differences}
        lines.append(f"   fails in {len(near.differences)} entries of {len(rows)} rows:")
        lines += [f"   {sentence(group.game, d)}" for d in near.differences]
    if report.found:
        lines.append("each pair would have to hold one number; symmetry cannot say which of the two is the wrong one")
    return "\n".join(lines)
