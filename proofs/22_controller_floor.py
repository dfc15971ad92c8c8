"""A floor under the entropy for a whole run of the target-entropy controller, and a run of a weak one that loses it
(docs/theory/updates.md#floor, `certify.entropy.floors`).
"""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

from certify.certificates.entropy import RunStart, controller_certificate, run_certificate
from certify.certificates.writing import save_document
from certify.claims import PROVED, Claim, Outcome, undecided
from certify.claims.text import number, table
from certify.entropy.controller_proofs import prove_target_entropy
from certify.entropy.controllers import TargetEntropyController
from certify.entropy.floors import controller_run, run_floor
from certify.errors import Undecided
from certify.exact import rational_text

CLAIM = Claim(
    id="22",
    source="ours; the controller of public trainers (arXiv 2505.22312, as read)",
    statement="Under the target-entropy controller H_t ≥ min(H_0, H*) e^{−(m+1)Rη} − osc(r)/C for every t, m = ⌈C/δ⌉; "
    "with a small cap C the target is lost.",
)

TARGET, START = Fraction(3, 5), Fraction(1, 2)
STRONG = [(Fraction(1), Fraction(5), Fraction(1, 50)), (Fraction(5), Fraction(10), Fraction(1, 100))]
WEAK = TargetEntropyController(Fraction(1, 100), Fraction(1, 20))


def run(out: Path, quick: bool) -> Outcome:
    """z3 on the invariants, certified runs above their floor, and a certified run of a weak controller."""
    proofs = prove_target_entropy()
    path = out / "controller.json"
    listed = [{"name": p.name, "statement": p.statement, "status": p.status} for p in proofs]
    path.write_text(json.dumps(listed, indent=1, ensure_ascii=False), encoding="utf-8")
    rows, evidence = [], [path]
    steps = 200 if quick else 1000
    for change, most, eta in STRONG:
        controller = TargetEntropyController(change, most)
        floor = run_floor(controller, TARGET, TARGET, Fraction(1), 2, eta)
        reached = controller_run(controller, TARGET, 2, START, eta, steps)
        if not 0 < floor <= reached.lower:
            raise Undecided("a run below its floor, or no floor")
        below = Fraction(int(reached.lower * 1000), 1000)
        name = f"cap-{rational_text(most)}"
        document = run_certificate(RunStart(2, START, eta), (controller, TARGET), steps, "above", below)
        evidence.append(save_document(document, out / f"{name}-run.cert.json"))
        evidence.append(save_document(controller_certificate(controller, sharp=True), out / f"{name}.cert.json"))
        rows.append(
            (
                rational_text(change),
                rational_text(most),
                rational_text(eta),
                number(floor, 4, up=False),
                number(below, 4, up=False),
            )
        )
    weak_steps = 600 if quick else 3000
    bound = Fraction(1, 10) if quick else Fraction(1, 100)
    lost = run_certificate(RunStart(2, START, Fraction(1, 2)), (WEAK, TARGET), weak_steps, "below", bound)
    evidence.append(save_document(lost, out / "weak-run.cert.json"))
    figures = {
        "proofs": table(("invariant", "statement", "z3"), [(p.name, p.statement, p.status) for p in proofs]),
        "floors": table(("δ", "C", "η", "floor", f"H after {steps} steps, at least"), rows),
        "weak": f"after {weak_steps} steps H < {rational_text(bound)}",
    }
    open_ones = [p.name for p in proofs if p.status != "proved"]
    if open_ones:
        return Outcome(undecided(f"not proved: {', '.join(open_ones)}"), figures, tuple(evidence))
    return Outcome(PROVED, figures, tuple(evidence))
