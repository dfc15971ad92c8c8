"""With legal actions that depend on the history, entropy itself breaks symmetries at every temperature
(docs/theory/legal-actions.md#necessity): an arb proof, as log k is irrational and the exact model excludes such games.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

from flint import arb

from certify.answers.threshold import threshold
from certify.bounds.arb_numbers import arb_ends, to_arb, working_precision
from certify.certificates.multiplicity import multiplicity_certificate
from certify.certificates.writing import save_document
from certify.claims import PROVED, Claim, Outcome
from certify.claims.text import between, number, table
from certify.errors import Undecided
from certify.games.readers.native import read_native
from certify.games.tree import unroll
from certify.stationary.multiplicity import find_multiplicity

CLAIM = Claim(
    id="8",
    source="ours (docs/theory/legal-actions.md#necessity)",
    statement="If the number of legal actions may depend on the history, no temperature suffices: with k = 3 "
    "actions after a match and "
    "one after a mismatch there are several stationary policies at every temperature; with k = 2 exactly one.",
)

BITS = 192
PIECES = 63  # of (0, 1), to begin with; odd, for s = 1/2 is a zero for k = 3
SMALLEST = Fraction(1, 2**30)
CASES = [
    (2, 0, Fraction(1)),
    (3, 0, Fraction(1)),
    (4, 0, Fraction(1)),
    (2, 1, Fraction(3, 2)),
    (2, 1, Fraction(5, 3)),
    (3, 1, Fraction(100)),
    (3, -2, Fraction(2, 5)),
    (3, -2, Fraction(1)),
    (3, -2, Fraction(9)),
    (3, -2, Fraction(12)),
]


def coupling(k: int, reward: int, alpha: Fraction) -> arb:
    """c = log k + reward / (2 alpha)."""
    return arb(k).log() + to_arb(Fraction(reward) / (2 * alpha))


def fixed_points(c: arb) -> list[tuple[Fraction, Fraction]]:
    """Intervals in (0, 1), each with exactly one zero of s - tanh(c tanh(c s)), which together hold all.

    Signs at ends prove existence, a derivative without zeros uniqueness.  Raises `Undecided` where
    an interval resists.  Near 0 the derivative alone decides: s = 0 is a zero itself.
    """
    found, pending = [], [(Fraction(k, PIECES), Fraction(k + 1, PIECES)) for k in reversed(range(PIECES))]
    while pending:
        low, high = pending.pop()
        value, slope = _excess(c, _ball(low, high)), _slope(c, _ball(low, high))
        if value > 0 or value < 0:
            continue
        if slope > 0 or slope < 0:
            ends = [_excess(c, to_arb(e)) if e else arb(0) for e in (low, high)]
            if low and ends[0] * ends[1] < 0:
                found.append((low, high))
            elif not (low == 0 or ends[0] * ends[1] > 0):
                raise Undecided(f"a zero at the end of [{low}, {high}]")
            continue
        if high - low < SMALLEST:
            raise Undecided(f"[{low}, {high}] may hold a degenerate zero")
        middle = (low + high) / 2 + (high - low) / 17  # off the middle, again to miss 1/2
        pending += [(middle, high), (low, middle)]
    return found


def _ball(low: Fraction, high: Fraction) -> arb:
    return to_arb(low).union(to_arb(high))


def _excess(c: arb, s: arb) -> arb:
    return s - (c * (c * s).tanh()).tanh()


def _slope(c: arb, s: arb) -> arb:
    inner = (c * s).tanh()
    return 1 - c * c * (1 - (c * inner).tanh() ** 2) * (1 - inner**2)


def rational_twin(k: int) -> tuple[Fraction, Fraction]:
    """Rational bounds on log k, for the coordination games that the checker can verify."""
    with working_precision(BITS):
        low, high = arb_ends(arb(k).log())
    return Fraction(math.floor(low * 1000), 1000), Fraction(math.ceil(high * 1000), 1000)


def levers(worth: Fraction, name: str):
    """Two levers worth `worth`."""
    return read_native({"kind": "one-shot", "name": name, "payoff": [[str(worth), 0], [0, str(worth)]]}, "claim 8")


def certificates(out: Path) -> Iterator[Path]:
    """At temperature 1, two levers worth a little less than 2 log 3 have several policies, and two levers
    worth a little more than 2 log 2 a unique one: both verdicts pass to the irrational games."""
    several = levers(2 * rational_twin(3)[0], "two-levers-worth-just-below-2-log-3")
    found = find_multiplicity(unroll(several))
    if found is None or found.alpha_multiple < 1:
        raise Undecided("no multiplicity was proved at temperature 1")
    yield save_document(multiplicity_certificate(several, found), out / "three-actions.cert.json")
    unique = threshold(levers(2 * rational_twin(2)[1], "two-levers-worth-just-above-2-log-2"), method="structural")
    if unique.status != "proved" or unique.alpha_star > 1:
        raise Undecided("uniqueness was not proved at temperature 1")
    yield unique.save(out / "two-actions.cert.json")


def run(out: Path, quick: bool) -> Outcome:
    """Proves or refutes the claim above; writes the evidence to `out` (fewer games if `quick`)."""
    rows, counts = [], []
    with working_precision(BITS):
        for k, reward, alpha in CASES:
            c = coupling(k, reward, alpha)
            expected = 1 if abs(c) < 1 else 3 if abs(c) > 1 else None
            positive = fixed_points(abs(c))
            if expected != 1 + 2 * len(positive):
                raise Undecided(f"k = {k}, reward {reward}, alpha = {alpha}: {len(positive)} positive zeros, c = {c}")
            counts.append(
                {
                    "k": k,
                    "reward": reward,
                    "alpha": str(alpha),
                    "c": [str(e) for e in arb_ends(c)],
                    "positive zeros": [[str(e) for e in zero] for zero in positive],
                }
            )
            where = "; ".join(between((1 + low) / 2, (1 + high) / 2, 4) for low, high in positive) or "none"
            rows.append((str(k), str(reward), number(alpha, up=True), between(*arb_ends(c)), str(expected), where))
        ends = {"two": 1 / (2 - 2 * arb(2).log()), "from": 1 / (1 + arb(3).log()), "to": 1 / (arb(3).log() - 1)}
        figures = {name: between(*arb_ends(value)) for name, value in ends.items()}
        logs = {f"log-{k}": between(*arb_ends(arb(k).log())) for k in (2, 3)}
    path = out / "zeros.json"
    path.write_text(json.dumps(counts, indent=1), encoding="utf-8")
    header = (
        "k",
        "reward on a match",
        "α",
        "c",
        "stationary policies",
        "probability of action 1 in the asymmetric ones (and 1 minus it)",
    )
    return Outcome(PROVED, figures | logs | {"cases": table(header, rows)}, (path, *certificates(out)))
