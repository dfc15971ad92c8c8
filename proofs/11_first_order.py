"""What one policy-gradient step does to the entropy, to first order and for finite steps: the identities
of docs/theory/entropy.md#first-order, proved in the text, tested against finite differences, and both signs certified.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from certify.claims import PROVED, Claim, Outcome
from certify.claims.steps import Update, saved_first_order, saved_sign
from certify.claims.text import between, number, table
from certify.entropy import EntropyPath, change_range, direction, working_precision
from certify.entropy.enclosure import enclosure
from certify.errors import Undecided

CLAIM = Claim(
    id="11",
    source="arXiv 2603.11682, its first-order theorem as read (docs/theory/entropy.md#first-order)",
    statement="The first-order entropy change of a step u is −Cov_π(log π, u), with closed forms for REINFORCE, "
    "the natural gradient "
    "and one sampled action; its sign is not forced by the advantages.",
)

POLICY = ("7/10", "1/5", "9/100", "1/100")
UPDATES = [
    ("reinforce", {}, ("1", "0", "0", "-1"), "the favourite is rewarded"),
    ("reinforce", {}, ("0", "0", "0", "1"), "the rarest action is rewarded"),
    ("natural", {}, ("1", "0", "0", "-1"), "the favourite is rewarded"),
    ("natural", {}, ("0", "0", "0", "1"), "the rarest action is rewarded"),
    ("reinforce-sample", {"action": 0}, ("1", "0", "0", "-1"), "the favourite is drawn"),
    ("reinforce-sample", {"action": 3}, ("0", "0", "0", "1"), "the rarest action is drawn"),
]
SMALL = Fraction(1, 10**6)


@working_precision()
def difference_quotient(update: Update):
    """Encloses (H(η) − H(0))/η at η = 10^-6: the independent second way to the first-order change."""
    report = update.report()
    path = EntropyPath(report.policy, direction(update.algorithm, report.policy, report.advantages, update.parameters))
    change = change_range(path, SMALL, SMALL)
    return enclosure(path.first_order()), (change.lower / SMALL, change.upper / SMALL)


def run(out: Path, quick: bool) -> Outcome:
    """Proves or refutes the claim above; writes the evidence to `out` (fewer games if `quick`)."""
    rows, evidence, largest = [], [], Fraction(0)
    for k, (algorithm, parameters, advantages, label) in enumerate(UPDATES):
        update = Update(POLICY, advantages, algorithm, parameters)
        report = update.report()
        first, (low, high) = difference_quotient(update)
        largest = max(largest, high - first.lower, first.upper - low)
        evidence += [
            saved_first_order(report, out / f"{k}-{algorithm}-first-order.cert.json"),
            saved_sign(report, out / f"{k}-{algorithm}.cert.json"),
        ]
        rows.append(
            (
                algorithm,
                f"({', '.join(advantages)})",
                label,
                between(first.lower, first.upper),
                between(low, high),
                report.sign.sign,
            )
        )
    if largest > Fraction(1, 10**4):
        raise Undecided(f"identity and difference quotient are up to {float(largest):.3g} apart")
    header = ("step", "A", "", "dH/dη by the identity", "(H(η) − H(0))/η at η = 10⁻⁶", "H for every step in (0, 1/100]")
    return Outcome(
        PROVED,
        {"updates": table(header, rows), "policy": f"({', '.join(POLICY)})", "apart": number(largest, 9, up=True)},
        tuple(evidence),
    )
