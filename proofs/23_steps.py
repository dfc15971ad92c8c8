"""Gradient ascent with a certified step ends in the unique policy from every initialisation (docs/theory/steps.md).

The constant is attacked twice: a search for larger curvatures, and ascent in which J must never fall.  Floats do the
attacking; the certificates hold the steps.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np

import certify
from certify.claims import PROVED, Claim, Outcome
from certify.claims.suite import file_name, suite
from certify.claims.text import number, table
from certify.errors import Undecided
from certify.games import Game
from certify.games.tree import unroll
from certify.stationary.approx_ascent import ApproxAscent
from certify.thresholds.shapes import shape_of
from certify.thresholds.step_size import sizes_of, step_size

CLAIM = Claim(
    id="23",
    source="ours (docs/theory/steps.md)",
    statement="Above a certified threshold gradient ascent with a step of at most an explicit η* ends in the unique "
    "policy from every initialisation.",
)

_LOGITS = 120  # of tables that floats attack
_SEARCHED = (Fraction(1, 100), Fraction(1), Fraction(100))  # of the threshold: temperatures of the search
_STARTS, _STEPS = 16, 60


def run(out: Path, quick: bool) -> Outcome:
    """Certifies steps for the suite, and attacks each of them."""
    rng = np.random.default_rng(23)
    rows, evidence, worst = [], [], Fraction(0)
    for game in suite(quick):
        found = certify.threshold(game, method="structural")
        if found.status != "proved" or found.step_size is None:
            raise Undecided(f"{game.name}: {found.reason}")
        evidence.append(found.save(out / f"{file_name(game)}.cert.json"))
        share = curvature_share(game, found.alpha_star, rng, 10 if quick else 40)
        worst = max(worst, share)
        fell = falls(game, found.alpha_star, found.step_size, rng)
        if share > 1 or fell:
            raise Undecided(f"{game.name}: the bound on the curvature is exceeded; the written proof is wrong")
        rows.append(
            (
                game.name,
                str(game.horizon),
                number(found.alpha_star, up=True),
                number(found.step_size, up=False),
                number(found.step_growth, 4, up=True),
                number(share, 3, up=False) if share else "not searched",
            )
        )
    figures = {
        "steps": table(("game", "steps", "α*", "η*", "growth of 1/η", "largest curvature found · η*"), rows),
        "share": number(worst, 3, up=False),
    }
    return Outcome(PROVED, figures, tuple(evidence))


def curvature_share(game: Game, alpha_star: Fraction, rng: np.random.Generator, starts: int) -> Fraction:
    """The largest curvature that a search finds at three temperatures, as a share of the bound; 0 for large tables."""
    tree = unroll(game, cluster=False)
    if tree.policy_parameters > _LOGITS:
        return Fraction(0)
    worst = 0.0
    for part in _SEARCHED:
        bound = step_size(shape_of(game), sizes_of(game), alpha_star * part)
        assert bound is not None
        found = ApproxAscent(tree, float(alpha_star * part)).curvature(rng, starts, starts)
        worst = max(worst, found * float(bound.step))
    return Fraction(worst)


def falls(game: Game, alpha: Fraction, step: Fraction, rng: np.random.Generator) -> int:
    """Steps of ascent from random starts in which J falls by more than rounding."""
    ascent, fell = ApproxAscent(unroll(game), float(alpha)), 0
    theta = rng.normal(size=(ascent.size, _STARTS)) * rng.choice([0.3, 1.0, 3.0], size=_STARTS)
    before = ascent.value(theta)
    for _ in range(_STEPS):
        theta = ascent.run(theta, float(step), 1)
        after = ascent.value(theta)
        fell += int((after < before - 1e-9 * (1 + np.abs(before))).any())
        before = after
    return fell
