"""Writes tests/certificates/anneal: annealing certificates of small games, and attacks on every part of the proof
(`python tests/helpers/anneal_certificates.py`).  Every invalid file is named after what it tries.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from certificate_files import write_anew

from certify.answers.anneal import anneal
from certify.answers.anneal_result import AnnealResult
from certify.answers.threshold import threshold

FOLDER = Path(__file__).resolve().parent.parent / "certificates" / "anneal"
Document = dict[str, Any]


def cooled(game: Any, station: str, alpha: tuple[str, str] | None) -> AnnealResult:
    """From a cheap threshold on, with one station."""
    return anneal(game, stations=[station], alpha=alpha, threshold=threshold(game, method="structural"))


def valid() -> dict[str, Document]:
    """name: certificate."""
    found = {
        "two_levers": cooled("lever:2", "3/4", ("3/4", "1/4")),
        "penalty": cooled("penalty:-2", "7", ("8", "1")),
        "three_levers_one_worth_less": cooled("lever:3:1/2", "1/2", ("1/2", "1/20")),
        "no_symmetry": cooled([["3", "0"], ["0", "2"]], "2", ("2", "1")),
    }
    for name, result in found.items():
        assert result.status == "proved", (name, result.reason)
    return {name: result.document for name, result in found.items() if result.document is not None}


def critical(**fields: Any) -> Callable[[Document], object]:
    return lambda c: c["claim"]["critical"].update(fields)


def full_boxes_for_symmetric_ones(document: Document) -> None:
    """The boxes of the branch given again where symmetric ones belong: they do not reach the lower end."""
    document["proof"]["beyond"]["pieces"] = [
        piece for piece in document["proof"]["pieces"] if piece["beta"] != document["proof"]["pieces"][0]["beta"]
    ]


def direction(k: int, change: Callable[[list[int]], list[int]]) -> Callable[[Document], None]:
    def apply(document: Document) -> None:
        given = document["proof"]["beyond"]["directions"]
        given[k] = change(given[k])

    return apply


def shifted(name: str) -> Callable[[Document], None]:
    """One entry of one symmetric box moved: centre or radius no longer equal on an orbit."""

    def apply(document: Document) -> None:
        for piece in document["proof"]["beyond"]["pieces"]:
            piece[name][0][-1] += 1 << 60

    return apply


INVALID: dict[str, tuple[str, Callable[[Document], object], str]] = {
    "upper_end_below_what_the_boxes_reach": ("two_levers", critical(alpha=["1/5", "1/4"]), "piece"),
    "lower_end_above_the_last_symmetric_box": ("two_levers", critical(alpha=["1/2", "201/401"]), "symmetric piece"),
    "lower_end_below_the_last_symmetric_box": ("two_levers", critical(alpha=["2/5", "201/401"]), "symmetric piece"),
    "no_critical_temperature_further_down": (
        "no_symmetry", critical(alpha=["1/2", "1/2"]), "piece",
    ),
    "last_box_dropped": ("no_symmetry", lambda c: c["proof"].update(pieces=c["proof"]["pieces"][:-3]), "piece"),
    "box_in_the_middle_dropped": ("penalty", lambda c: c["proof"]["pieces"].pop(3), "piece"),
    "first_boxes_dropped": (
        "penalty", lambda c: c["proof"].update(pieces=c["proof"]["pieces"][-3:]), "piece",
    ),
    "symmetric_box_dropped": (
        "penalty", lambda c: c["proof"]["beyond"].update(pieces=c["proof"]["beyond"]["pieces"][1:3]), "symmetric piece",
    ),
    "no_symmetric_boxes": ("penalty", lambda c: c["proof"]["beyond"].update(pieces=[]), "symmetric piece"),
    "centre_not_symmetric": ("three_levers_one_worth_less", shifted("centre"), "symmetric piece"),
    "radius_not_symmetric": ("three_levers_one_worth_less", shifted("radius"), "symmetric piece"),
    "generators_left_out": ("penalty", lambda c: c["proof"].update(generators=[]), "greedy"),
    "direction_zero": ("two_levers", direction(0, lambda u: [0] * len(u)), "direction"),
    "direction_that_generators_fix": ("three_levers_one_worth_less", direction(0, lambda u: [1] * len(u)), "direction"),
    "direction_downhill": ("two_levers", direction(0, lambda u: [u[0], -u[1]]), "direction"),
    "generator_that_moves_nothing_uphill": ("penalty", critical(broken=[1]), "direction"),
    "another_return_at_a_station": (
        "penalty", lambda c: c["claim"]["stations"][0].update({"return": ["100", "101"]}), "station",
    ),
    "station_below_the_boxes": ("two_levers", lambda c: c["claim"]["stations"][0].update(alpha="2/5"), "station"),
    "station_of_another_box": ("penalty", lambda c: c["claim"]["stations"][0].update(piece=0), "station"),
    "another_greedy_return": (
        "penalty", lambda c: c["claim"]["stations"][0]["greedy"].update({"return": "10"}), "greedy",
    ),
    "threshold_widened": (
        "penalty", lambda c: c["proof"]["threshold"]["claim"].update(alpha_star="1"), "threshold",
    ),
}  # fmt: skip
MALFORMED: dict[str, tuple[str, Callable[[Document], object]]] = {
    "boxes_of_all_policies_for_symmetric_ones": ("penalty", full_boxes_for_symmetric_ones),
    "another_word_for_a_kind": ("two_levers", critical(kind="symmetry")),
    "fold_without_a_proof_of_that_kind": ("two_levers", critical(kind="fold")),
    "nothing_broken": ("two_levers", critical(broken=[])),
    "broken_where_nothing_breaks": ("no_symmetry", critical(broken=[0])),
    "bracket_of_one_temperature": ("two_levers", critical(alpha=["1/2", "1/2"])),
    "bracket_reversed": ("two_levers", critical(alpha=["201/401", "2/5"])),
    "negative_bracket": ("no_symmetry", critical(alpha=["-1", "-1"])),
    "generator_that_does_not_exist": ("two_levers", critical(broken=[9])),
    "no_proof_below": ("two_levers", lambda c: c["proof"].update(beyond=None)),
    "direction_of_another_length": ("two_levers", direction(0, lambda u: [*u, 1])),
    "direction_of_decimals": ("two_levers", direction(0, lambda u: [0.5] * len(u))),
    "station_without_a_policy": ("two_levers", lambda c: c["claim"]["stations"][0].pop("policy")),
}


def main() -> None:
    """Writes everything."""
    base = valid()
    expected: dict[str, dict[str, str]] = {}
    attacked: dict[str, dict[str, Document]] = {"valid": base, "invalid": {}, "malformed": {}}
    for name, (source, change, place) in INVALID.items():
        attacked["invalid"][name] = copy.deepcopy(base[source])
        change(attacked["invalid"][name])
        expected[name] = {"step": place}
    for name, (source, spoil) in MALFORMED.items():
        attacked["malformed"][name] = copy.deepcopy(base[source])
        spoil(attacked["malformed"][name])
    write_anew(FOLDER, attacked)
    (FOLDER / "expected.json").write_text(json.dumps(expected, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
