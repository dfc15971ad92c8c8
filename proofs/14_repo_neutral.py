"""REPO's beta adds beta |grad H|^2 to the first-order entropy change, and beta* makes it zero
(docs/theory/entropy.md#repo): certified on both sides of beta* and at it.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from certify.claims import PROVED, Claim, Outcome
from certify.claims.steps import Update, saved_first_order, saved_sign
from certify.claims.text import between, table
from certify.entropy import advantages_from_json, policy_from_json, working_precision
from certify.entropy.enclosure import enclosure
from certify.entropy.repo import neutral_beta
from certify.errors import InputError, Undecided
from certify.exact import rational_text

CLAIM = Claim(
    id="14",
    source="arXiv 2603.11682, REPO as read (docs/theory/entropy.md#repo)",
    statement="With A − βL in place of A the first-order entropy change gains βE[πL²] ≥ 0, and it vanishes exactly at "
    "β* = (E[πAL] − E[A]E[πL])/E[πL²].",
)

INSTANCES = [(("1/2", "1/4", "1/4"), ("1", "0", "-1")), (("7/10", "1/5", "7/100", "3/100"), ("1/2", "-1", "0", "2"))]
NEAR = Fraction(1, 100)


@working_precision()
def beta_star(policy: tuple[str, ...], advantages: tuple[str, ...]):
    """An enclosure of beta*."""
    read = policy_from_json(list(policy))
    return enclosure(neutral_beta(read, advantages_from_json(list(advantages), read)))


def run(out: Path, quick: bool) -> Outcome:
    """Proves or refutes the claim above; writes the evidence to `out` (fewer games if `quick`)."""
    rows, evidence = [], []
    for k, (policy, advantages) in enumerate(INSTANCES):
        star = beta_star(policy, advantages)
        middle = ((star.lower + star.upper) / 2).limit_denominator(1000)
        settings = [
            ("below β*", rational_text(middle - NEAR), "decreases"),
            ("β*", "neutral", None),
            ("above β*", rational_text(middle + NEAR), "increases"),
        ]
        for label, beta, expected in settings:
            report = Update(policy, advantages, "repo", {"beta": beta}).report(Fraction(1, 1000))
            name = f"{k}-{label.split()[0].replace('β*', 'neutral')}"
            if expected is None:
                if report.first_order.lower != 0 or report.first_order.upper != 0:
                    raise Undecided("the change at beta* is not exactly 0")
            else:
                evidence.append(saved_first_order(report, out / f"{name}-first-order.cert.json"))
            evidence.append(saved_sign(report, out / f"{name}.cert.json"))
            rows.append(
                (
                    f"({', '.join(policy)})",
                    f"({', '.join(advantages)})",
                    label,
                    beta if expected else between(star.lower, star.upper, 9),
                    between(report.first_order.lower, report.first_order.upper),
                    report.sign.sign,
                )
            )
    try:
        beta_star(("1/2", "1/2"), ("1", "-1"))
        raise Undecided("beta* was given at the uniform policy, where it is 0/0")
    except InputError as refusal:
        refused = str(refusal)
    header = ("π", "A", "", "β", "dH/dη", "H for every step in (0, 1/1000]")
    return Outcome(PROVED, {"instances": table(header, rows), "refused": refused}, tuple(evidence))
