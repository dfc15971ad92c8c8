"""What Theorem B, from sizes and ranges alone, guarantees at Hanabi's sizes, and what no theorem from
those numbers alone could (docs/theory/structural.md#from-sizes-alone).
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import certify
from certify.certificates.multiplicity import multiplicity_certificate
from certify.certificates.writing import save_document
from certify.claims import CERTIFIED, Claim, Outcome
from certify.claims.text import number, table
from certify.errors import Undecided
from certify.games.readers.native import read_native
from certify.games.tree import unroll
from certify.stationary.multiplicity import find_multiplicity

CLAIM = Claim(
    id="9",
    source="ours (docs/theory/structural.md#from-sizes-alone)",
    expected=CERTIFIED,
    statement="At Hanabi's sizes (2 to 5 players, fixed action sets assumed) the structural theorem certifies "
    "uniqueness from a "
    "stated temperature on, orders of magnitude above the entropy coefficients 0.01 and 0.05 used in practice.",
)

BEST_SCORE = 25
STEPS = 80
SHORTER = (1, 2, 4, 8, 16)
HAND = {2: 5, 3: 5, 4: 4, 5: 4}  # cards in a hand, by players
HINTS = 10  # five colours and five ranks
PRACTICE = (Fraction(1, 100), Fraction(1, 20))


def moves(players: int) -> int:
    """Discard or play a card of one's hand, or give one other player one hint."""
    return 2 * HAND[players] + HINTS * (players - 1)


def shape(players: int, steps: int) -> str:
    """The parameters as `certify threshold --structural` takes them."""
    return f"n={players},h={steps},actions={moves(players)},return=0:{BEST_SCORE}"


def run(out: Path, quick: bool) -> Outcome:
    """Proves or refutes the claim above; writes the evidence to `out` (fewer games if `quick`)."""
    rows, evidence, thresholds = [], [], {}
    for players in (2,) if quick else sorted(HAND):
        found = certify.structural_threshold(shape(players, STEPS))
        if found.status != "proved":
            raise Undecided(found.reason)
        thresholds[players] = found.alpha_star
        evidence.append(found.save(out / f"hanabi-{players}-players.cert.json"))
        rows.append(
            (
                str(players),
                str(moves(players)),
                number(found.alpha_star, 2, up=True),
                number(found.alpha_star / BEST_SCORE, 3, up=True),
                *(number(found.alpha_star / a, 0, up=False) for a in PRACTICE),
            )
        )
    header = (
        "players",
        "actions",
        "unique from α =",
        "with scores divided by 25",
        *(f"times α = {number(a, up=True)}" for a in PRACTICE),
    )
    horizons = [(str(h), number(certify.structural_threshold(shape(2, h)).alpha_star, 2, up=True)) for h in SHORTER]
    low, document = below()
    evidence.append(save_document(document, out / "two-levers-worth-25.cert.json"))
    return Outcome(
        CERTIFIED,
        {
            "sizes": table(header, rows),
            "horizons": table(("steps", "unique from α ="), horizons),
            "steps": str(STEPS),
            "best": str(BEST_SCORE),
            "below": number(low, 4, up=False),
            "gap": number(thresholds[2] / low, 1, up=True),
            "least": number(low / PRACTICE[1], 0, up=False),
            "range": number(PRACTICE[1] * BEST_SCORE / thresholds[2], 6, up=False),
        },
        tuple(evidence),
    )


def below() -> tuple[Fraction, dict]:
    """The largest temperature at which two levers worth 25 provably have several stationary policies."""
    game = read_native(
        {"kind": "one-shot", "name": "two-levers-worth-25", "payoff": [[BEST_SCORE, 0], [0, BEST_SCORE]]}, "claim 9"
    )
    found = find_multiplicity(unroll(game))
    if found is None:
        raise Undecided("no multiplicity was proved for two levers")
    return found.alpha_multiple, multiplicity_certificate(game, found)
