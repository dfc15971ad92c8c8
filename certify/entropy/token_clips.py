"""Clip decisions per token (docs/recipes.md): *kept* or *cut* where the whole interval of the log-ratio agrees and
*ambiguous* otherwise; the gradient of an ambiguous token is anything between both.  The limits themselves are kept, as
min and clamp do it.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from certify.entropy.balls import Balls
from certify.entropy.recipe import Recipe
from certify.entropy.spans import Span, log_ends, outward

KEPT, CUT, AMBIGUOUS = 0, 1, 2


def clip_limits(eps_low: Fraction, eps_high: Fraction) -> tuple[tuple[float, float], tuple[float, float]]:
    """Floats around log(1 − ε_low) and around log(1 + ε_high); −inf for ε_low >= 1."""
    return log_ends(1 - eps_low), log_ends(1 + eps_high)


def decide(log_ratio: Span, advantage: Balls, recipe: Recipe) -> np.ndarray:
    """`KEPT`, `CUT` or `AMBIGUOUS` per token for the clip of the recipe.

    `ppo`: cut where Â > 0 and ρ > 1 + ε_high, or Â < 0 and ρ < 1 − ε_low (and, with `dual` c, Â < 0 and ρ > c).
    `cispo`: "cut" says that the weight is clipped.  `none`: everything is kept.
    """
    kept = np.zeros(len(log_ratio.low), dtype=np.int8)
    if recipe.clip == "none":
        return kept
    below, above = clip_limits(recipe.eps_low, recipe.eps_high)
    if recipe.clip == "cispo-cap":
        below, above = (-np.inf, -np.inf), log_ends(recipe.cap)
    over, not_over = log_ratio.low > above[1], log_ratio.high <= above[0]
    under, not_under = log_ratio.high < below[0], log_ratio.low >= below[1]
    if recipe.clip != "ppo":
        clipped, inside = over | under, not_over & not_under
        return np.where(clipped, CUT, np.where(inside, KEPT, AMBIGUOUS)).astype(np.int8)
    positive, negative = advantage.mid > advantage.rad, advantage.mid < -advantage.rad
    zero = (advantage.mid == 0) & (advantage.rad == 0)
    if recipe.dual is not None:
        far = log_ends(recipe.dual)
        under, not_under = under | (log_ratio.low > far[1]), not_under & (log_ratio.high <= far[0])
    cut = (positive & over) | (negative & under)
    safe = zero | (positive & not_over) | (negative & not_under) | (not_over & not_under)
    return np.where(cut, CUT, np.where(safe, KEPT, AMBIGUOUS)).astype(np.int8)


def gradient_factor(ratio: Span, decision: np.ndarray, recipe: Recipe) -> Span:
    """What multiplies Â ∇log π: ρ where kept, 0 where cut, both where ambiguous; the clipped weight of CISPO."""
    if recipe.clip == "cispo":
        return Span(*(np.clip(x, *outward(1 - recipe.eps_low, 1 + recipe.eps_high)) for x in (ratio.low, ratio.high)))
    if recipe.clip == "cispo-cap":
        return Span(*(np.clip(x, *outward(Fraction(0), recipe.cap)) for x in (ratio.low, ratio.high)))
    return Span(np.where(decision == KEPT, ratio.low, 0.0), np.where(decision == CUT, 0.0, ratio.high))
