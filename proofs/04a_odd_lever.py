"""Nine levers worth 1.0 and one worth 0.9: the learned policy plays the odd lever least at every temperature,
the optimal equivariant policy plays nothing else (docs/theory/continuation.md#from-below,
docs/theory/symmetry.md#equivariance).
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import certify
from certify.answers.optimum_result import Policy
from certify.bounds.arb_numbers import arb_ends, to_arb, working_precision
from certify.bounds.enclosure import Enclosure
from certify.claims import PROVED, Claim, Outcome
from certify.claims.text import between, number, table
from certify.errors import Undecided

CLAIM = Claim(
    id="4a",
    source="arXiv 2511.22581, abstract",
    statement="Learning with sufficiently high entropy need not give the optimal equivariant policy: with nine "
    "levers worth "
    "1.0 and one worth 0.9 the odd lever is played least, at every temperature.",
)

_LEVERS, _WORTH = 10, Fraction(9, 10)
_PIECES = 256
_ABOVE = (1, 2, 10)  # multiples of the threshold at which the policy is enclosed


def run(out: Path, quick: bool) -> Outcome:
    """Proves or refutes the claim above; writes the evidence to `out` (fewer games if `quick`)."""
    game = certify.load(f"lever:{_LEVERS}:{_WORTH}")
    found = certify.threshold(game, method="structural" if quick else "localisation", rtol=Fraction(1, 20))
    if found.status != "proved":
        raise Undecided(found.reason)
    evidence, rows = [found.save(out / "threshold.cert.json")], []
    for multiple in _ABOVE:
        alpha = multiple * found.alpha_star
        at = certify.optimum(game, alpha, threshold=found)
        odd, other = (None, None) if at.status != "proved" else enclosures(at.policy)
        if odd is None or not odd.upper < other.lower:
            raise Undecided(f"the odd lever is not shown to be the least probable at {alpha} {at.reason}")
        evidence.append(at.save(out / f"at-{multiple}-thresholds.cert.json"))
        rows.append(
            (
                number(alpha, up=True),
                between(odd.lower, odd.upper),
                between(other.lower, other.upper),
                between(at.return_.lower, at.return_.upper),
            )
        )
    figures = {
        "alpha": number(found.alpha_star, up=True),
        "slope": number(slope_bound(1 / found.alpha_star), 9, up=False),
        "policies": table(("α", "odd lever", "each other lever", "return"), rows),
    }
    return Outcome(PROVED, figures, tuple(evidence))


def enclosures(policy: Policy) -> tuple[Enclosure, Enclosure]:
    """The enclosures of the odd lever and of another one, both agents' hulls."""
    rows = list(policy.values())
    odd = [row[str(_LEVERS - 1)] for row in rows]
    others = [enclosure for row in rows for lever, enclosure in row.items() if lever != str(_LEVERS - 1)]
    return _hull(odd), _hull(others)


def _hull(parts: list[Enclosure]) -> Enclosure:
    return Enclosure(min(p.lower for p in parts), max(p.upper for p in parts))


def slope_bound(beta: Fraction, pieces: int = _PIECES) -> Fraction:
    """A positive lower bound on (pi_other - pi_odd) / beta for every beta in (0, `beta`].

    With r = log(p/q) in (0, beta/9]: (p - q)/beta = q (e^r - 1)/r (p - q v) >= q(r) (p(r) - v q(r)), q falling and
    p - v q rising in r; so on [r0, r1] it is at least q(r1) (p(r0) - v q(r0)).

    >>> 0 < slope_bound(Fraction(4)) <= Fraction(1, 1000)
    True
    """
    n, top = _LEVERS - 1, beta / (_LEVERS - 1)
    with working_precision(128):
        least = None
        for k in range(pieces):
            low, high = (to_arb(top * j / pieces).exp() for j in (k, k + 1))
            bound = (low - to_arb(_WORTH)) / ((n * low + 1) * (n * high + 1))
            lower = arb_ends(bound)[0]
            least = lower if least is None else min(least, lower)
    return least
