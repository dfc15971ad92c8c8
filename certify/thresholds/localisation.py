"""Thresholds by localisation: the least temperature at which repeated contraction from the whole
policy space ends in a definite box, for every larger temperature too
(docs/theory/localisation.md#boxes-from-log-ratios, docs/theory/hessian.md#theorem-b,
docs/theory/continuation.md#theorem-d).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from certify.run import OutOfTime, Run
from certify.thresholds.cover import LEAST_GAIN, Effort, Stalled, find_cover, point_closes
from certify.thresholds.cover_tree import Node
from certify.thresholds.index_tables import Plan

_SMALL = 500  # rewards in the tree: up to so many even slow sweeps are cheap
_DEPTH = Fraction(1, 10**4)  # of the start, below which nothing is searched
_SHORT = 2000  # rewards in the tree: with so few a screening goes on to a tenth of the tolerance, on every machine


@dataclass(frozen=True)
class Localisation:
    """A cover of [0, 1/alpha_star] as a float search found it; a checker makes it a proof.  `automorphisms` are those
    of which its nodes are images, as certificates list them."""

    alpha_star: Fraction
    nodes: list[Node]
    automorphisms: tuple[dict[str, Any], ...] = ()


def round_up(alpha: float, digits: int = 4) -> Fraction:
    """The next decimal with that many significant digits.

    >>> round_up(16.60001)
    Fraction(1661, 100)
    """
    scale = Fraction(10) ** (digits - 1 - math.floor(math.log10(alpha)))
    return Fraction(math.ceil(Fraction(alpha) * scale)) / scale


def localise(
    plan: Plan, start: Fraction, *, least: Fraction = Fraction(0), rtol: float = 0.01, run: Run | None = None
) -> list[Localisation]:
    """The smallest alpha_star found between `least` and `start` (a temperature known to certify, or any
    upper end worth trying), last in the list of what was found.

    Running out of time or an interruption returns the covers found so far.  Temperatures are screened
    at single values of beta first, which is cheap; covers of the whole half-line follow at a coarse
    and at the final temperature.
    """
    run = run or Run()
    found: list[Localisation] = []
    size = sum(level.reward.size for level in plan.levels)
    patience = LEAST_GAIN if size <= _SMALL else max(LEAST_GAIN, rtol / 10)
    try:
        high, low = start, None
        while low is None and high > max(least, start * _DEPTH):
            trial = max(high / 2, least)
            if point_closes(plan, 1 / trial, run, patience):
                high = trial
                run.progress(f"contracts at alpha = {float(high):.5g}")
            else:
                low = trial
        found.append(_cover(plan, round_up(float(high) * 1.25), run, patience))
        if low is None:  # it contracts as far down as was asked for
            if high < found[-1].alpha_star:
                found.append(_cover(plan, high, run, patience))
            return found
        high, low = float(high), float(low)
        fine = rtol / 10 if size <= _SHORT else rtol
        while high / low > 1 + fine:
            middle = math.sqrt(low * high)
            if point_closes(plan, 1 / Fraction(middle), run, patience):
                high = middle
                run.progress(f"contracts at alpha = {high:.5g}")
            else:
                low = middle
                run.progress(f"stalls at alpha = {low:.5g}")
        # near the least temperature steps gain little and are many; where they are dear, keep off it
        alpha = high * (1 + (rtol / 20 if size <= _SHORT else rtol))
        if alpha < float(found[-1].alpha_star):
            found.append(_cover(plan, round_up(alpha), run, patience))
    except KeyboardInterrupt:
        run.interrupt()
    except OutOfTime:
        run.progress("stopped: keeping the covers found so far")
    return sorted(found, key=lambda cover: -cover.alpha_star)


def _cover(plan: Plan, alpha_star: Fraction, run: Run, patience: float) -> Localisation:
    """A cover for some temperature at or above `alpha_star`: uniqueness is not monotone, so the search
    may stall at a larger temperature than the one it starts from; what it covered then counts."""
    while True:
        try:
            nodes = find_cover(plan, 1 / alpha_star, effort=Effort(least_gain=patience), run=run)
            run.found(above=float(alpha_star))
            return Localisation(alpha_star, nodes)
        except Stalled as stalled:
            if stalled.why == "stopped":
                raise OutOfTime(run.reason()) from None
            # what it covered is covered again, now with intervals that end there
            alpha_star = 1 / stalled.reached if 0 < stalled.reached < 1 / alpha_star else 2 * alpha_star
