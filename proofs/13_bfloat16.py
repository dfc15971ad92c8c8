"""Log-probabilities stored in bfloat16: what uniform rounding errors do to ratios and to clip decisions
(docs/theory/entropy.md#rounding), with the whole table as one certificate.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from certify.certificates.entropy import table_certificate
from certify.certificates.writing import save_document
from certify.claims import PROVED, Claim, Outcome
from certify.claims.text import between, number, table
from certify.entropy import BFLOAT16, RationalEnclosure, density_direction
from certify.errors import Undecided

CLAIM = Claim(
    id="13",
    source="arXiv 2603.11682, its finite-precision theorem as read (docs/theory/entropy.md#rounding)",
    statement="A rounding error uniform on ±u/2 multiplies a probability ratio by sinh(u/2)/(u/2) > 1 on average; "
    "which way rounding is biased depends on the density of log-probabilities.",
)

EPS = (Fraction(1, 10), Fraction(1, 5), Fraction(7, 25))
BINADES = (5, 4, 3, 2)  # log-probabilities in [-2^(k+1), -2^k)
DENSITIES = (Fraction(0), Fraction(1, 4), Fraction(1, 2), Fraction(1))


def probability(low: Fraction, high: Fraction) -> str:
    """An enclosure, or 0 where it is exactly that."""
    return "0" if low == high == 0 else between(low, high, 5)


def run(out: Path, quick: bool) -> Outcome:
    """Proves or refutes the claim above; writes the evidence to `out` (fewer games if `quick`)."""
    document = table_certificate(BFLOAT16, EPS, BINADES, BINADES[:1] if quick else BINADES[:2])
    rows = []
    for binade in document["binades"]:
        one = RationalEnclosure(*map(Fraction, binade["one_side"]))
        if one.lower <= 1:
            raise Undecided("the mean factor is not separated from 1")
        crossing = [" / ".join(probability(*map(Fraction, side)) for side in pair) for pair in binade["crossing"]]
        k = binade["exponent"]
        rows.append(
            (
                f"[−{2 ** (k + 1)}, −{2**k})",
                binade["spacing"],
                between(one.lower, one.upper, 7),
                between(*map(Fraction, binade["both_sides"]), 7),
                *crossing,
            )
        )
    header = (
        "log-probability in",
        "spacing u",
        "one side rounded",
        "both sides",
        *(f"above / below, ε = {number(e, up=True)}" for e in EPS),
    )
    directions = [
        (number(c, up=True), *(density_direction(c, side) for side in ("new", "old", "both"))) for c in DENSITIES
    ]
    evidence = save_document(document, out / "bfloat16.cert.json")
    return Outcome(
        PROVED,
        {
            "binades": table(header, rows),
            "codes": str(document["nonpositive"]),
            "above": str(document["above_minus_64"]),
            "directions": table(("c", "new side rounded", "old side rounded", "both"), directions),
        },
        (evidence,),
    )
