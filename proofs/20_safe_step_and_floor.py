"""A closed formula for a step up to which a rising entropy stays above its start, a bound on drift, and a floor for
whole runs of REPO, with its counterexample under normalisation (docs/theory/updates.md#safe-step, #floor).
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from flint import arb

from certify.answers.entropy import entropy_path
from certify.certificates.entropy import RunStart, run_certificate
from certify.certificates.writing import save_document
from certify.claims import PROVED, Claim, Outcome
from certify.claims.steps import Update, saved_sign
from certify.claims.text import number, table
from certify.entropy import advantages_from_json, policy_from_json, working_precision
from certify.entropy.dynamics import EntropyPath
from certify.entropy.enclosure import ball, enclosure
from certify.entropy.floors import Lumped, constant_floor, largest_safe_step, repo_run
from certify.errors import Undecided

CLAIM = Claim(
    id="20",
    source="ours (docs/theory/updates.md#safe-step)",
    statement="A rising entropy stays above its start up to 8H′/((1 + log n) osc²); H moves by factors in e^{±Rη}; "
    "REPO with constant β and no normalisation never falls below H_0 − (max A − E_0A)/β.",
)

UPDATES = [
    (("1/100", "49/100", "1/2"), ("1", "0", "0"), "reinforce", {}),
    (("7/10", "1/5", "7/100", "3/100"), ("-1", "1/2", "2", "0"), "natural", {}),
    (("9/10", "1/20", "1/20"), ("1/10", "0", "0"), "repo", {"beta": "1"}),
]
ACTIONS, PROBABILITY, BETA = 1000, Fraction(4, 5), Fraction(29, 100)


@working_precision()
def safe_step(policy: tuple[str, ...], advantages: tuple[str, ...], algorithm: str, parameters: dict) -> Fraction:
    """8 H'(0)/((1 + log n) osc(u)²), from below; exact arithmetic is not needed to be safe."""
    read = policy_from_json(list(policy))
    path: EntropyPath = entropy_path(read, advantages_from_json(list(advantages), read), algorithm, parameters)
    row = path.direction.rows[0]
    spread = max(enclosure(a - b).upper for a in row for b in row)
    return enclosure(8 * path.first_order() / ((1 + arb(len(row)).log()) * ball(spread) * ball(spread))).lower


def run(out: Path, quick: bool) -> Outcome:
    """Certifies instances of all three, and the run that breaks the floor once rewards are normalised."""
    rows, evidence = [], []
    for k, (policy, advantages, algorithm, parameters) in enumerate(UPDATES):
        eta = safe_step(policy, advantages, algorithm, parameters).limit_denominator(10**6) * Fraction(999, 1000)
        report = Update(policy, advantages, algorithm, parameters).report(eta)
        if report.sign.sign != "increases":
            raise Undecided(f"instance {k}: {report.sign.reason}")
        evidence.append(saved_sign(report, out / f"{k}-safe.cert.json"))
        reached = report.persistence.eta_max or Fraction(0)
        rows.append((f"({', '.join(policy)})", algorithm, number(eta, up=False), number(reached, up=False)))
    spread = Fraction(5, 2)  # of r/deviation: 1/sqrt(p(1 − p))
    eta = Fraction(int(largest_safe_step(spread, BETA, ACTIONS) * 1000), 1000)
    with working_precision():
        start = enclosure(Lumped.start(ACTIONS, PROBABILITY).entropy())
    claimed = constant_floor(start, Fraction(1, 2), BETA)
    broken = run_certificate(
        RunStart(ACTIONS, PROBABILITY, eta, normalised=True), BETA, 1000, "below", Fraction(1, 1000)
    )
    evidence.append(save_document(broken, out / "normalised-run.cert.json"))
    held = repo_run(ACTIONS, PROBABILITY, BETA, eta, 1000, normalised=False)
    true_floor = constant_floor(start, 1 - PROBABILITY, BETA)
    if not held.lower >= true_floor or not claimed > Fraction(1, 1000):
        raise Undecided("the floor does not hold, or is not broken")
    plain = run_certificate(
        RunStart(ACTIONS, PROBABILITY, eta), BETA, 1000, "above", Fraction(int(true_floor * 1000), 1000)
    )
    evidence.append(save_document(plain, out / "plain-run.cert.json"))
    figures = {
        "safe": table(("π", "step of", "safe step", "sign proved up to"), rows),
        "claimed": number(claimed, 4, up=False),
        "reached": "1/1000",
        "true": number(true_floor, 4, up=False),
        "held": number(held.lower, 4, up=False),
        "eta": number(eta, 4, up=False),
    }
    return Outcome(PROVED, figures, tuple(evidence))
