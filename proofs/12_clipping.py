"""Two-sided ratio bounds carry over to the entropy (Gibbs twice); PPO's clipped objective does not
enforce the bounds (docs/theory/entropy.md#clipping).
"""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

from certify.claims import PROVED, Claim, Outcome
from certify.claims.steps import Update, saved_sign
from certify.claims.text import between, number, table
from certify.entropy import RationalEnclosure, approach, clipping_bound, policy_from_json, ppo_overshoot
from certify.errors import Undecided

CLAIM = Claim(
    id="12",
    source="arXiv 2603.11682, its clipping theorem as read (docs/theory/entropy.md#clipping)",
    statement="If every ratio π_new/π_old lies in [1 − ε_low, 1 + ε_high], then (1 − ε_low) H_old ≤ H_new ≤ (1 "
    "+ ε_high) H_old; "
    "PPO's clipped objective does not enforce the premise.",
)

EPS = Fraction(1, 5)
PAIRS = [
    (("1/2", "1/2"), ("3/5", "2/5")),
    (("1/10", "9/10"), ("3/25", "22/25")),
    (("1/100", "99/100"), ("1/125", "124/125")),
    (("1/2", "1/4", "1/4"), ("2/5", "3/10", "3/10")),
]
RARE = ("1/100", "99/100")
STEPS = (Fraction(50), Fraction(100), Fraction(300))
EXPONENTS = (10, 100, 1000, 10000)


def run(out: Path, quick: bool) -> Outcome:
    """Proves or refutes the claim above; writes the evidence to `out` (fewer games if `quick`)."""
    rows = []
    for old, new in PAIRS:
        bound = clipping_bound(policy_from_json(list(old))[0], policy_from_json(list(new))[0], EPS, EPS)
        if (bound.premise, bound.conclusion) != ("proved", "proved"):
            raise Undecided(f"the bound at {old}, {new} is not settled")
        rows.append(
            (
                f"({', '.join(old)})",
                f"({', '.join(new)})",
                between(bound.lower.lower, bound.lower.upper),
                between(bound.after.lower, bound.after.upper),
                between(bound.upper.lower, bound.upper.upper),
            )
        )
    held = table(("π_old", "π_new", "(1 − ε) H_old", "H_new", "(1 + ε) H_old"), rows)

    state = policy_from_json(list(RARE))[0]
    advantages = (RationalEnclosure.of(1), RationalEnclosure.of(0))
    shots = [ppo_overshoot(state, advantages, eta, EPS) for eta in STEPS]
    if any(shot is None or shot.outside != "above" for shot in shots):
        raise Undecided("an overshoot is not proved")
    overshoots = table(
        ("step η", "ratio of the rare action", "H_new / H_old", "allowed if the ratios were kept"),
        [
            (
                number(s.eta, up=True),
                between(s.ratio.lower, s.ratio.upper, 3),
                between(s.entropy_ratio.lower, s.entropy_ratio.upper, 4),
                number(1 + EPS, up=True),
            )
            for s in shots
        ],
    )
    evidence = [out / "overshoot.json"]
    evidence[0].write_text(
        json.dumps(
            [
                {
                    "eta": str(s.eta),
                    "action": s.action,
                    "ratio": s.ratio.texts(),
                    "entropy_ratio": s.entropy_ratio.texts(),
                }
                for s in shots
            ],
            indent=1,
        ),
        encoding="utf-8",
    )
    step = Update(RARE, ("1", "0"), "ppo", {"eps": str(EPS)}).report(STEPS[0])
    evidence.append(saved_sign(step, out / "ppo-step.cert.json"))

    near = [approach(1 + EPS, k) for k in EXPONENTS]
    tight = table(
        ("π", "H_new / H_old"),
        [(f"(1 − 2^−{k}, 2^−{k})", between(r.lower, r.upper)) for k, r in zip(EXPONENTS, near, strict=True)],
    )
    return Outcome(
        PROVED, {"eps": number(EPS, up=True), "held": held, "overshoots": overshoots, "tight": tight}, tuple(evidence)
    )
