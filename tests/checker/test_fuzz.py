"""Whatever is done to a certificate, a check ends in a verdict or in one line that calls it malformed; and a change
that survives did not strengthen the claim.  `tests/mutated_certificates.py` does the same on any scale.
"""

from __future__ import annotations

import json

import mutated_certificates
import pytest
from mutated_certificates import ROOT, attack, no_stronger, sort_of

FILES = sorted(p for p in ROOT.rglob("*.json") if p.parent.name == "valid" and p.stat().st_size < 8_000)
# Accepted though stronger, and rightly: the checker derives the figure itself, and the file claims less than it could.
ROOM = ("parameters_theorem_D_prime", "entropy_controller", "entropy_run", "entropy_clipping", "_rows",
    "claim/ascent", "claim/flows")  # fmt: skip


def test_mutants_of_every_kind_are_no_stronger() -> None:
    total = 0
    for path in FILES:
        _, counts, seen, _ = attack((path, 5, 0, 10.0))
        seen = [line for line in seen if not any(part in line for part in ROOM)]
        assert not seen, seen
        assert counts["crash"] == counts["never"] == 0, seen
        total += counts.total()
    assert total == 5 * len(FILES) > 400


def test_a_stronger_claim_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A checker that accepts everything, and repeats what is claimed, is caught."""

    class Believer:
        valid = True

        def __init__(self, document: dict[str, object]) -> None:
            self.claim = json.dumps(document.get("claim"))

    monkeypatch.setattr(mutated_certificates, "check_certificate", lambda document, *_, **__: Believer(document))
    counts = attack((ROOT / "valid" / "lever_cover.json", 600, 0, 10.0))[1]
    assert counts["other"] > 5


@pytest.mark.parametrize(
    ("old", "new", "weaker"),
    [
        ({"alpha_star": "1/2"}, {"alpha_star": "1"}, True),
        ({"alpha_star": "1/2"}, {"alpha_star": "49/100"}, False),
        ({"J": ["0", "1"]}, {"J": ["-1", "1"]}, True),
        ({"J": ["0", "1"]}, {"J": ["1/2", "1"]}, False),
        ({"strong_concavity": [1, 2]}, {"strong_concavity": [2]}, True),
        ({"strong_concavity": [1]}, {"strong_concavity": [1, 2]}, False),
        ({"steps": ["0", "1"]}, {"steps": ["-1", "1"]}, False),
        ({"a": 1}, {"b": 1}, False),
    ],
)
def test_what_counts_as_weaker(old: dict[str, object], new: dict[str, object], weaker: bool) -> None:
    assert no_stronger(old, new) is weaker
    assert sort_of({"claim": old}, "old", {"claim": new}, "new") == ("weaker" if weaker else "other")
