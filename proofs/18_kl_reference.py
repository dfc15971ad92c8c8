"""KL to any reference policy: one limit at high temperature, equivariant under what preserves the reference, which may
select a convention (docs/theory/legal-actions.md#symmetries-with-a-reference).
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import certify
from certify.claims import PROVED, Claim, Outcome
from certify.claims.legal_games import tiger_that_ends
from certify.claims.text import number, table
from certify.errors import Undecided
from certify.games import Game, builtin
from certify.games.objective import with_reference

CLAIM = Claim(
    id="18",
    source="ours (docs/theory/legal-actions.md#symmetries-with-a-reference)",
    statement="With KL to any reference policy of full support on the legal actions, every sufficiently high "
    "temperature makes every trajectory converge to one policy, which is equivariant under all symmetries that "
    "preserve the reference; so a reference may select a convention.",
)

HOTTEST = 4


def preferred(levers: int) -> Game:
    """Levers of which the first has twice the weight of each other one."""
    row = {str(a): str(Fraction(1 + (a == 0), levers + 1)) for a in range(levers)}
    return with_reference(builtin(f"lever:{levers}"), {agent: {"": row} for agent in ("agent1", "agent2")}, "claim 18")


def cautious_tiger() -> Game:
    """The tiger that ends, with a reference that listens three times out of four."""
    row = {"listen": "3/4", "open-left": "1/8", "open-right": "1/8"}
    hears = {"": row, "hear-left": row, "hear-right": row}
    return with_reference(tiger_that_ends(2), dict.fromkeys(("agent1", "agent2"), hears), "claim 18")


def run(out: Path, quick: bool) -> Outcome:
    """Proves or refutes the claim above; writes the evidence to `out` (fewer games if `quick`)."""
    levers = 3 if quick else 10
    rtol = "1/10" if quick else "1/100"
    plain = certify.threshold(f"lever:{levers}", objective="kl", rtol=rtol)
    found = certify.threshold(preferred(levers), objective="kl", rtol=rtol)
    if plain.alpha_star is None or found.alpha_star is None or found.alpha_multiple is None:
        raise Undecided(f"{levers} levers: {plain.reason or found.reason}")
    if not (plain.alpha_multiple is not None and found.alpha_star < plain.alpha_multiple):
        raise Undecided(f"{levers} levers: the reference is not shown to lower the threshold")
    span = (found.alpha_star, Fraction(1 if quick else HOTTEST))
    path = certify.optimum(preferred(levers), span, objective="kl", threshold=found)
    if path.status != "proved" or not path.pieces:
        raise Undecided(f"{levers} levers along [{span[0]}, {span[1]}]: {path.reason}")
    lead = min(
        row["0"].lower - max(p.upper for action, p in row.items() if action != "0")
        for piece in path.pieces
        for row in piece.policy.values()
    )
    if lead <= 0:
        raise Undecided(f"{levers} levers: the preferred lever is not shown to be the most probable everywhere")
    tiger = certify.threshold(cautious_tiger(), objective="kl", method="structural")
    other = certify.threshold(tiger_that_ends(2), objective="kl", method="structural")
    if tiger.alpha_star is None or other.alpha_star is None:
        raise Undecided(f"the tiger that ends: {tiger.reason or other.reason}")
    rows = [
        (f"lever:{levers}", "uniform", *_row(plain)),
        (f"lever:{levers}", f"2/{levers + 1} on the first lever", *_row(found)),
        ("tiger-that-ends, 2 steps", "uniform on what is legal", *_row(other)),
        ("tiger-that-ends, 2 steps", "3/4 on listening", *_row(tiger)),
    ]
    header = ("game", "reference", "α\\*", "several at", "order of the group")
    figures = {
        "games": table(header, rows),
        "from": number(span[0], 5, up=True),
        "to": number(span[1], 5, up=False),
        "pieces": str(len(path.pieces)),
        "lead": number(lead, 4, up=False),
    }
    evidence = (
        plain.save(out / "uniform-levers.cert.json"),
        found.save(out / "preferred-lever.cert.json"),
        path.save(out / "preferred-lever-path.cert.json"),
        tiger.save(out / "cautious-tiger.cert.json"),
    )
    return Outcome(PROVED, figures, evidence)


def _row(found: certify.ThresholdResult) -> tuple[str, str, str]:
    several = "none looked for" if found.alpha_multiple is None else number(found.alpha_multiple, 5, up=False)
    assert found.alpha_star is not None and found.document is not None
    return number(found.alpha_star, 5, up=True), several, found.document["symmetry"]["order"]
