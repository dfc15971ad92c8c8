"""Masks on tokens: top entropy, Clip-Cov, KL-Cov (docs/recipes.md).  What the enclosures leave open keeps both
possibilities.
"""

from __future__ import annotations

import numpy as np

from certify.entropy.balls import Balls, at, number, off_mean
from certify.entropy.dump import Dump
from certify.entropy.recipe import Recipe
from certify.entropy.rows import RowFigures
from certify.entropy.sequences import Layout, weights
from certify.entropy.spans import Span, difference, span_at
from certify.entropy.stored import needed_log_probabilities, stored_span


def masked(
    dump: Dump,
    recipe: Recipe,
    where: Layout,
    coefficient: Balls,
    advantage: Balls,
    figures: RowFigures | None,
    new: Span | None,
) -> Balls:
    """Masks on tokens: top entropy, Clip-Cov, KL-Cov.  What the enclosures leave open keeps both possibilities."""
    if recipe.mask == "none":
        return coefficient
    index = np.flatnonzero(where.active)
    if recipe.mask == "top-entropy":
        if figures is not None:
            score = figures.entropy
        else:
            score = stored_span(dump.need("entropy", "the mask on entropies")).ball()
        chosen, refused = _largest(at(score, index), max(1, int(recipe.mask_share * len(index))))
        return _switched(coefficient, index, chosen, refused)
    new = needed_log_probabilities(dump, new, "covariances")
    covariance = off_mean(at(advantage, index)) * off_mean(at(new.ball(), index))
    if recipe.mask == "clip-cov":
        below, above = float(recipe.cov_low), float(recipe.cov_high)
        low, high = covariance.mid - covariance.rad, covariance.mid + covariance.rad
        outside = (high < below) | (low > above)
        selected = dump.get("selected")
        if selected is None:  # trainers draw some of the eligible tokens at random: each may be left out or kept
            return _switched(coefficient, index, outside, np.zeros(len(index), dtype=bool))
        left_out = selected.values[index] != 0
        return _switched(coefficient, index, ~left_out, left_out)
    chosen, refused = _largest(covariance, max(1, int(recipe.mask_share * len(index))))
    sign = _penalty_sign(dump, new, index)
    weight = at(weights(recipe, where), index) * number(recipe.mask_coefficient)
    extra = Balls(weight.mid * sign.mid, weight.rad + np.abs(weight.mid) * sign.rad)
    low = np.where(chosen, extra.mid - extra.rad, np.where(refused, 0.0, np.minimum(0.0, extra.mid - extra.rad)))
    high = np.where(chosen, extra.mid + extra.rad, np.where(refused, 0.0, np.maximum(0.0, extra.mid + extra.rad)))
    found = at(coefficient, index) - Span(low, high).ball()
    mid, rad = coefficient.mid.copy(), coefficient.rad.copy()
    mid[index], rad[index] = found.mid, found.rad
    return Balls(mid, rad)


def _penalty_sign(dump: Dump, new: Span, index: np.ndarray) -> Balls:
    """d|x|/dx for x = log π − log π_old: the gradient of KL-Cov's |x|; [−1, 1] where the sign is open, 0 at 0."""
    old = dump.get("logp_old")
    if old is None:
        return Balls.exact(np.zeros(len(index)))
    x = difference(Span(new.low[index], new.high[index]), span_at(stored_span(old), index))
    up, down = x.low > 0, x.high < 0
    return Balls(up.astype(np.float64) - down, np.where(up | down, 0.0, 1.0))


def _largest(score: Balls, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Which entries are certainly among the `count` largest, and which certainly are not."""
    low, high = score.mid - score.rad, score.mid + score.rad
    n = len(low)
    by_high, by_low = np.sort(high), np.sort(low)
    # certainly in: fewer than `count` others can be as large; certainly out: `count` others are larger
    others_as_large = n - np.searchsorted(by_high, low, side="left") - 1
    larger = n - np.searchsorted(by_low, high, side="right")
    return others_as_large < count, larger >= count


def _switched(coefficient: Balls, index: np.ndarray, on: np.ndarray, off: np.ndarray) -> Balls:
    """The coefficient where `on`, 0 where `off`, their hull elsewhere."""
    mid, rad = coefficient.mid.copy(), coefficient.rad.copy()
    c = at(coefficient, index)
    low, high = np.minimum(c.mid - c.rad, 0.0), np.maximum(c.mid + c.rad, 0.0)
    hull = Span(low, high).ball()
    mid[index] = np.where(on, c.mid, np.where(off, 0.0, hull.mid))
    rad[index] = np.where(on, c.rad, np.where(off, 0.0, hull.rad))
    return Balls(mid, rad)
