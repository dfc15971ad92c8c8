"""Invariants of REPO's zeta controller and ADAPO's eps_high controller, for all states and limits, by z3;
the 2-cycle needs zeta_max >= 2 zeta_min (docs/theory/entropy.md#controllers).
"""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

from certify.claims import PROVED, Claim, Outcome, undecided
from certify.claims.text import table
from certify.entropy import ZetaController, closed_loop
from certify.entropy.controller_proofs import prove_adapo, prove_zeta, refute_two_cycle
from certify.exact import rational_text

CLAIM = Claim(
    id="16",
    source="arXiv 2603.11682, its controllers as read (docs/theory/entropy.md#controllers)",
    statement="REPO's ζ controller stays in its range, moves strictly against the entropy's error, saturates within "
    "⌊r⌋ + 1 + ⌈r⌉ steps, and ends in a 2-cycle against a threshold plant where ζ_max ≥ 2ζ_min.",
)

LIMITS = [
    (Fraction(1, 1000), Fraction(10)),
    (Fraction(1), Fraction(8)),
    (Fraction(1), Fraction(5, 2)),
    (Fraction(1), Fraction(1)),
]


def longest_saturation(controller: ZetaController) -> int:
    """Steps above target until -zeta_max, from the slowest start."""
    steps, zeta = 0, controller.zeta_max
    while zeta != -controller.zeta_max:
        zeta, steps = controller.step(zeta, 1), steps + 1
    return steps


def run(out: Path, quick: bool) -> Outcome:
    """Proves or refutes the claim above; writes the evidence to `out` (fewer games if `quick`)."""
    proofs = [*prove_zeta(), *prove_adapo()]
    counterexample = refute_two_cycle()
    path = out / "controllers.json"
    path.write_text(
        json.dumps(
            [
                {"name": p.name, "statement": p.statement, "status": p.status, "witness": p.witness}
                for p in [*proofs, counterexample]
            ],
            indent=1,
            ensure_ascii=False,
        ),
        encoding="utf-8",
    )
    saturation = [
        (
            rational_text(low),
            rational_text(high),
            str((c := ZetaController(low, high)).saturation_steps()),
            str(longest_saturation(c)),
        )
        for low, high in LIMITS
    ]
    three = closed_loop(ZetaController(Fraction(3), Fraction(4)), Fraction(3), Fraction(3))
    two = closed_loop(ZetaController(Fraction(1), Fraction(8)), Fraction(0), Fraction(3))
    figures = {
        "proofs": table(
            ("invariant", "statement", "z3"), [(p.name, p.statement.replace("|", "\\|"), p.status) for p in proofs]
        ),
        "saturation": table(("ζ_min", "ζ_max", "bound", "steps needed from ζ_max"), saturation),
        "two": ", ".join(map(rational_text, two.states)),
        "three": ", ".join(map(rational_text, three.states)),
        "without": f"{counterexample.status}, by "
        + ", ".join(
            f"{k} = {v}"
            for k, v in sorted(counterexample.witness.items())
            if k in ("zeta", "zeta_min", "zeta_max", "c")
        ),
    }
    open_ones = [p.name for p in proofs if p.status != "proved"]
    exceeded = [row for row in saturation if int(row[3]) > int(row[2])]
    if open_ones or exceeded or counterexample.status != "refuted":
        return Outcome(
            undecided(f"not proved: {', '.join(open_ones) or 'saturation or the counterexample'}"), figures, (path,)
        )
    return Outcome(PROVED, figures, (path,))
