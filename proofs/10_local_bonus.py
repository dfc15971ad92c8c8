"""The PPO-style local entropy bonus: one stationary policy above a certified temperature, near that of the entropy; and
from where its flows end in it (docs/theory/local-bonus.md).
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import certify
from certify.claims import PROVED, Claim, Outcome
from certify.claims.suite import file_name
from certify.claims.text import between, number, table
from certify.errors import Undecided
from certify.games import Game, load

CLAIM = Claim(
    id="10",
    source="ours (docs/theory/local-bonus.md)",
    statement="With the PPO-style local entropy bonus (IPPO, MAPPO) the stationary policy is unique and equivariant "
    "from an explicit temperature on, and from higher ones on the natural and the plain gradient flow end in it from "
    "every initialisation.",
)

ONE_SHOT = [("lever:2", None), ("climbing", None)]
SEQUENTIAL = [("two-stage-lever", None), ("recycling", 2), ("broadcast-channel", 2), ("dectiger", 2)]
ABOVE = Fraction(5, 4)  # the temperature of the comparison, in units of that of the natural flow
RTOL = Fraction(1, 20)


def bracket(game: Game, objective: str) -> certify.ThresholdResult:
    """The threshold of an objective, with its lower end."""
    found = certify.threshold(game, objective=objective, rtol=RTOL)
    if found.status != "proved":
        raise Undecided(f"{game.name}, {objective}: {found.reason}")
    return found


def apart(first: certify.OptimumResult, second: certify.OptimumResult) -> tuple[Fraction, Fraction]:
    """Bounds on the largest difference of a probability between two enclosed policies."""
    pairs = [(p, second.policy[key][a]) for key, row in first.policy.items() for a, p in row.items()]
    low = max(max(p.lower - q.upper, q.lower - p.upper, Fraction(0)) for p, q in pairs)
    return low, max(max(p.upper - q.lower, q.upper - p.lower) for p, q in pairs)


def run(out: Path, quick: bool) -> Outcome:
    """Proves or refutes the claim above; writes the evidence to `out` (fewer games if `quick`)."""
    rows, evidence = [], []
    for name, horizon in ONE_SHOT if quick else ONE_SHOT + SEQUENTIAL:
        game = load(name, horizon=horizon)
        found, entropy = bracket(game, "local"), bracket(game, "entropy")
        evidence.append(found.save(out / f"{file_name(game)}-local.cert.json"))
        flows = {flow: Fraction(data["alpha"]) for flow, data in found.document["flows"].items()}
        alpha = ABOVE * flows["natural"]
        mine = certify.optimum(game, alpha, objective="local", threshold=found)
        other = certify.optimum(game, alpha, threshold=entropy)
        if not all(policy.status == "proved" and policy.kind == "unique" for policy in (mine, other)):
            raise Undecided(f"{game.name}: no unique policies to compare at {alpha} {mine.reason} {other.reason}")
        evidence.append(mine.save(out / f"{file_name(game)}-policy.cert.json"))
        low, high = apart(mine, other)
        if game.horizon == 1 and low > 0:
            raise Undecided(f"{game.name}: the two objectives have different policies, though they agree in one step")
        rows.append(
            (
                game.name,
                str(game.horizon),
                number(found.alpha_star, up=True),
                number(found.alpha_multiple, up=False),
                number(entropy.alpha_star, up=True),
                *(number(flows[flow], up=True) for flow in ("natural", "plain")),
                number(alpha, up=True),
                between(low, high),
            )
        )
    header = (
        "game",
        "steps",
        "local bonus: unique from",
        "several at",
        "J_α: unique from",
        "natural flow ends there above",
        "plain flow above",
        "α compared at",
        "largest difference of the two policies",
    )
    return Outcome(PROVED, {"games": table(header, rows)}, tuple(evidence))
