"""REPO-R with a positive coefficient can turn a step that raises the entropy into one that lowers it
(docs/theory/entropy.md#repo): two certificates, one per sign, at the same policy and advantages.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from certify.claims import REFUTED, Claim, Outcome
from certify.claims.steps import Update, saved_first_order, saved_sign
from certify.claims.text import between, table
from certify.errors import Undecided

CLAIM = Claim(
    id="15",
    source="arXiv 2603.11682, as read (docs/theory/entropy.md#repo)",
    expected=REFUTED,
    statement="REPO-R with ζ > 0 never lowers the first-order entropy change of the step that it rescales.",
)

ZETA = "1/20"  # the largest |ζ| of the published range
STEP = Fraction(1, 5000)
INSTANCES = {
    "sign flips": (("2/5", "2/5", "1/5"), ("9", "-9", "1/10")),
    "already falling": (("2/5", "3/10", "3/10"), ("3", "-4", "0")),
}


def run(out: Path, quick: bool) -> Outcome:
    """Proves or refutes the claim above; writes the evidence to `out` (fewer games if `quick`)."""
    rows, evidence, lowered = [], [], []
    for name, (policy, advantages) in INSTANCES.items():
        slug = name.replace(" ", "-")
        plain = Update(policy, advantages, "reinforce", {}).report(STEP)
        rescaled = Update(policy, advantages, "repo-r", {"zeta": ZETA}).report(STEP)
        for label, report in (("plain", plain), ("repo-r", rescaled)):
            evidence += [
                saved_first_order(report, out / f"{slug}-{label}-first-order.cert.json"),
                saved_sign(report, out / f"{slug}-{label}.cert.json"),
            ]
        lowered.append(rescaled.first_order.upper < plain.first_order.lower)
        rows.append(
            (
                name,
                f"({', '.join(policy)})",
                f"({', '.join(advantages)})",
                between(plain.first_order.lower, plain.first_order.upper),
                plain.sign.sign,
                between(rescaled.first_order.lower, rescaled.first_order.upper),
                rescaled.sign.sign,
            )
        )
    if not all(lowered):
        raise Undecided("the enclosures of the two changes overlap")
    header = (
        "instance",
        "π",
        "A",
        "dH/dη, plain",
        "H for every step in (0, 1/5000]",
        "dH/dη, REPO-R",
        "H for every step in (0, 1/5000]",
    )
    return Outcome(REFUTED, {"instances": table(header, rows), "zeta": ZETA}, tuple(evidence))
