"""A sampled token of probability at least 1/2 with positive advantage never raises the entropy, whatever the rest of
the vocabulary; below 1/2 it can (docs/theory/updates.md#mode-token): certified on both sides.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from certify.claims import PROVED, Claim, Outcome
from certify.claims.steps import Update, saved_first_order, saved_sign
from certify.claims.text import between, table
from certify.errors import Undecided

CLAIM = Claim(
    id="19",
    source="ours (docs/theory/updates.md#mode-token)",
    statement="A sampled token that is the mode lowers the entropy at every step if its advantage is positive; "
    "π_k ≥ 1/2 suffices and 1/2 is sharp; log π_k + H ≤ 0 and A > 0 raise it to first order.",
)

INSTANCES = [  # policy, sampled action, advantage, sign; the second is below 1/2, the last by the companion
    (("1/2", "49/100", "1/100"), "0", "1", "decreases"),
    (("12/25", "13/25"), "0", "1", "increases"),
    (("51/100", "1/4", "6/25"), "0", "-1", "increases"),
    (("1/5", "2/5", "2/5"), "0", "1", "increases"),
    (("3/5", "1/10", "1/10", "1/10", "1/10"), "0", "2", "decreases"),
]
STEP = Fraction(1, 20)


def run(out: Path, quick: bool) -> Outcome:
    """Certifies the instances above; the statement itself is the written proof."""
    rows, evidence = [], []
    for k, (policy, action, advantage, expected) in enumerate(INSTANCES):
        advantages = tuple(advantage if a == int(action) else "0" for a in range(len(policy)))
        report = Update(policy, advantages, "reinforce-sample", {"action": action}).report(STEP)
        if report.sign.sign != expected:
            raise Undecided(f"instance {k}: {report.sign.sign} instead of {expected}")
        evidence.append(saved_first_order(report, out / f"{k}-first-order.cert.json"))
        evidence.append(saved_sign(report, out / f"{k}-steps.cert.json"))
        rows.append(
            (
                f"({', '.join(policy)})",
                advantage,
                between(report.first_order.lower, report.first_order.upper),
                report.sign.sign,
            )
        )
    header = ("π, token 0 sampled", "A", "dH/dη", "H for every step in (0, 1/20]")
    return Outcome(PROVED, {"instances": table(header, rows)}, tuple(evidence))
