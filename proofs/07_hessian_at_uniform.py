"""A Hessian test at the uniform policy alone is unsound: with n >= 3 levers it passes at temperatures at which
a second stationary policy is certified (docs/theory/hessian.md#the-second-derivative-formula,
docs/theory/continuation.md#from-below).
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from flint import arb

import certify
from certify.bounds import hessian, lambda_max_upper
from certify.bounds.arb_numbers import arb_ends, working_precision
from certify.certificates.multiplicity import multiplicity_certificate
from certify.certificates.writing import save_document
from certify.claims import REFUTED, Claim, Outcome, undecided
from certify.claims.text import between, number, table
from certify.games.tree import unroll
from certify.stationary.multiplicity import find_multiplicity

CLAIM = Claim(
    id="7",
    source="ours",
    expected=REFUTED,
    statement="If the uniform policy is stationary and a nondegenerate maximum of J_α at every temperature from "
    "some α on, "
    "it is the only stationary policy there.",
)


def run(out: Path, quick: bool) -> Outcome:
    """Proves or refutes the claim above; writes the evidence to `out` (fewer games if `quick`)."""
    rows, evidence = [], []
    for n in (3,) if quick else (3, 5, 10):
        game = certify.load(f"lever:{n}")
        tree = unroll(game)
        found = find_multiplicity(tree)
        if found is None or found.alpha_multiple <= Fraction(1, n):
            return Outcome(undecided(f"no second solution was proved above 1/{n} with {n} levers"))
        curvature = Fraction(lambda_max_upper(hessian(tree, tree.uniform(), found.alpha_multiple)))
        if curvature >= found.alpha_multiple:
            return Outcome(undecided(f"the test does not pass at the uniform policy with {n} levers"))
        document = multiplicity_certificate(game, found)
        evidence.append(save_document(document, out / f"lever-{n}.cert.json"))
        rows.append(
            (
                str(n),
                number(Fraction(1, n), up=True),
                number(curvature, 9, up=True),
                between(*closed_form(n)),
                number(found.alpha_multiple, up=False),
            )
        )
    figures = {
        "levers": table(("n", "1/n", "λ_max(M) at the uniform policy, at most", "α_n", "several certified at"), rows)
    }
    return Outcome(REFUTED, figures, tuple(evidence))


def closed_form(n: int) -> tuple[Fraction, Fraction]:
    """An enclosure of alpha_n = (m - 1) / (2 m log m), m = n - 1: there the policy that plays one lever with
    probability 1/2 and each other with 1/(2 m) is stationary (n >= 3).

    >>> low, high = closed_form(3)
    >>> Fraction(1, 3) < low < high < Fraction(361, 1000)
    True
    """
    with working_precision(128):
        return arb_ends(arb(n - 2) / (2 * (n - 1) * arb(n - 1).log()))
