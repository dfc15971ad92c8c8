"""With shared parameters the tabular sign of the entropy change can be wrong
(docs/theory/updates.md#shared-parameters): certified for the same update with orthogonal and with correlated features.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from certify.answers.entropy import step_report
from certify.claims import REFUTED, Claim, Outcome
from certify.claims.steps import saved_first_order, saved_sign
from certify.claims.text import between, table
from certify.entropy import advantages_from_json, policy_from_json
from certify.errors import Undecided

CLAIM = Claim(
    id="21",
    source="arXiv 2603.11682, the orthogonality behind its Theorem 1 as read "
    "(docs/theory/updates.md#shared-parameters)",
    statement="The sign of the total entropy change is that of the tabular formula whatever the features of a shared "
    "last layer are.",
    expected=REFUTED,
)

POLICY = {"states": [{"probabilities": ["9/20", "3/20", "2/5"]}, {"probabilities": ["3/20", "1/20", "4/5"]}]}
ADVANTAGES = {"states": [["1", "0", "0"], ["0", "0", "0"]]}
COSINES = [("0", "decreases"), ("1/4", None), ("1/2", "increases"), ("3/4", "increases")]
LARGEST = Fraction(1, 10)


def run(out: Path, quick: bool) -> Outcome:
    """One sampled token, four cosines between the features of two states."""
    policy = policy_from_json(POLICY)
    rows, evidence = [], []
    for cosine, expected in COSINES:
        report = step_report(
            policy,
            advantages_from_json(ADVANTAGES, policy),
            "shared",
            {"action": "0", "gram": f"1,{cosine}"},
            Fraction(0),
            LARGEST,
        )
        if expected is not None and report.sign.sign != expected:
            raise Undecided(f"cosine {cosine}: {report.sign.sign}")
        if report.sign.status == "proved":
            name = cosine.replace("/", "-")
            evidence.append(saved_first_order(report, out / f"cosine-{name}-first-order.cert.json"))
            evidence.append(saved_sign(report, out / f"cosine-{name}.cert.json"))
        change = step_report(
            policy,
            advantages_from_json(ADVANTAGES, policy),
            "shared",
            {"action": "0", "gram": f"1,{cosine}"},
            LARGEST,
            LARGEST,
        ).change
        rows.append(
            (
                cosine,
                between(report.first_order.lower, report.first_order.upper),
                between(change.lower, change.upper),
                report.sign.sign,
            )
        )
    header = ("cosine", "dΣH/dη", "ΣH at η = 1/10", "for every step in (0, 1/10]")
    return Outcome(REFUTED, {"cosines": table(header, rows)}, tuple(evidence))
