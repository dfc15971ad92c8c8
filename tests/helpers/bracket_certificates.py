"""Writes tests/certificates/bracket: threshold certificates with evidence for the lower end of their
bracket, and attacks on it.  Run it again after a change of the format:

    python tests/helpers/bracket_certificates.py
"""

from __future__ import annotations

import copy
import json
from pathlib import Path

import certify
from certify.certificates.multiplicity import multiplicity_evidence
from certify.games import builtin
from certify.games.tree import unroll
from certify.stationary.multiplicity import find_multiplicity

FOLDER = Path(__file__).resolve().parents[1] / "certificates" / "bracket"


def attacks(valid: dict) -> dict[str, tuple[dict, str]]:
    """Name -> (attacked copy, the step that must fail)."""

    def changed(change) -> dict:
        attacked = copy.deepcopy(valid)
        change(attacked)
        return attacked

    other = multiplicity_evidence(find_multiplicity(unroll(builtin("matching-pennies"))))
    return {
        "evidence_removed": (changed(lambda c: c.pop("multiplicity")), "claim.alpha_multiple"),
        "alpha_multiple_raised": (
            changed(lambda c: c["claim"].update(alpha_multiple="4999999/10000000")),
            "claim.alpha_multiple",
        ),
        "two_maxima_invented": (changed(lambda c: c["claim"].update(alpha_two_maxima="1/2")), "claim.alpha_two_maxima"),
        "evidence_of_another_game": (changed(lambda c: c.update(multiplicity=other)), "multiplicity"),
        "evidence_at_a_higher_temperature": (
            changed(
                lambda c: (c["multiplicity"]["witness"].update(alpha="3/5"), c["claim"].update(alpha_multiple="3/5"))
            ),
            "multiplicity",
        ),
    }


def main() -> None:
    valid = certify.threshold("lever:2", method="auto", time_limit=60).document
    (FOLDER / "valid").mkdir(parents=True, exist_ok=True)
    (FOLDER / "invalid").mkdir(exist_ok=True)
    files = {"valid/two_levers": valid}
    expected = {}
    for name, (document, step) in attacks(valid).items():
        files[f"invalid/{name}"], expected[name] = document, step
    for name, document in files.items():
        (FOLDER / f"{name}.json").write_text(json.dumps(document, separators=(",", ":")) + "\n", encoding="utf-8")
    (FOLDER / "expected.json").write_text(json.dumps(expected, indent=1, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
