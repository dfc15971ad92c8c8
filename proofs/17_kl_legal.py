"""KL to the uniform legal policy makes high temperature suffice in every Dec-POMDP, legal actions that depend on the
history included (docs/theory/legal-actions.md#theorem-a-with-a-reference and the sections that follow it).
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import certify
from certify.claims import PROVED, Claim, Outcome
from certify.claims.legal_games import match, tiger_that_ends
from certify.claims.text import number, table
from certify.errors import InputError, Undecided
from certify.games import Game

CLAIM = Claim(
    id="17",
    source="ours (docs/theory/legal-actions.md#symmetries-with-a-reference)",
    statement="With KL to the uniform policy on legal actions in place of the entropy, in every Dec-POMDP, also one "
    "with legal actions that depend on the history, every sufficiently high temperature makes every trajectory "
    "converge to one policy, which is equivariant under all symmetries.",
)

LEAST = Fraction(1, 100)  # the floor of the search where the policy is unique at every temperature
QUICK: tuple[Game, ...] = (match(3), match(3, 1), tiger_that_ends(2))
FULL = (match(2, 1), match(3, -2), tiger_that_ends(3))


def run(out: Path, quick: bool) -> Outcome:
    """Proves or refutes the claim above; writes the evidence to `out` (fewer games if `quick`)."""
    rows, evidence = [], []
    for game in QUICK if quick else (*QUICK, *FULL):
        name = f"{game.name}, {game.horizon} steps"
        structural = certify.threshold(game, method="structural", objective="kl")
        if structural.alpha_star is None:
            raise Undecided(f"{name}: {structural.reason}")
        found = structural
        if game.name.startswith("match"):  # the others' brackets take minutes: benchmarks/objectives.py
            found = certify.threshold(game, objective="kl", rtol="1/10" if quick else "1/100", alpha_min=LEAST)
            if found.status != "proved" or found.alpha_star is None:
                raise Undecided(f"{name}: {found.reason}")
        evidence.append(found.save(out / f"{game.name}-{game.horizon}.cert.json"))
        rows.append(
            (
                name,
                number(structural.alpha_star, 4, up=True),
                number(found.alpha_star, 4, up=True),
                "none" if found.alpha_multiple is None else number(found.alpha_multiple, 4, up=False),
                found.document["symmetry"]["order"],
                _refused(game),
            )
        )
    header = ("game", "structural α\\*", "α\\*", "several at", "order of the group", "`entropy`")
    return Outcome(PROVED, {"games": table(header, rows)}, tuple(evidence))


def _refused(game: Game) -> str:
    try:
        certify.threshold(game, method="structural")
    except InputError:
        return "refused"
    return "accepted"
