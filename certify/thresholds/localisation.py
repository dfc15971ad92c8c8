"""Thresholds by localisation: the least temperature at which repeated contraction from the whole
policy space ends in a definite box, for every larger temperature too
(docs/theory/localisation.md#boxes-from-log-ratios, docs/theory/hessian.md#theorem-b,
docs/theory/continuation.md#theorem-d).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
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

    Running out of time or an interruption returns the covers found so far.
    """
    descent = Descent(plan, start, least=least, rtol=rtol)
    descent.go(run or Run())
    return descent.covers


def first_stall(plan: Plan, temperatures: Iterable[Fraction], run: Run) -> Fraction | None:
    """The first of the temperatures at which the contraction does not close, or that the run has no time for: in
    floats, there is one policy at those before it.  None: it closes at all of them."""
    for alpha in temperatures:
        try:
            if not point_closes(plan, 1 / alpha, run):
                return alpha
        except OutOfTime:
            return alpha
    return None


class Descent:
    """Localisation that another run may go on with: `found` are its covers, `finished` says that nothing is left to do.

    Temperatures are screened at single values of beta first, which is cheap; covers of the whole half-line follow at a
    coarse and at the final temperature.
    """

    def __init__(self, plan: Plan, start: Fraction, *, least: Fraction, rtol: float) -> None:
        self.plan, self.start, self.least, self.rtol = plan, start, least, rtol
        self.found: list[Localisation] = []
        self.finished = False
        self._high, self._low = start, None  # the least that contracts so far, the largest below it that does not
        self._unfinished: tuple[Fraction, list[Node]] | None = None
        self._size = sum(level.reward.size for level in plan.levels)
        self._patience = LEAST_GAIN if self._size <= _SMALL else max(LEAST_GAIN, rtol / 10)

    @property
    def covers(self) -> list[Localisation]:
        """What was found, the least temperature last."""
        return sorted(self.found, key=lambda cover: -cover.alpha_star)

    def go(self, run: Run) -> None:
        """As far as the run goes."""
        try:
            self._search(run)
            self.finished = True
        except KeyboardInterrupt:
            run.interrupt()
        except OutOfTime:
            run.progress("stopped: keeping the covers found so far")

    def _search(self, run: Run) -> None:
        while self._low is None and self._high > max(self.least, self.start * _DEPTH):
            self._screen(max(self._high / 2, self.least), run)
        if not self.found:
            self._cover(round_up(float(self._high) * 1.25), run)
        if self._low is None:  # it contracts as far down as was asked for
            if self._high < self.found[-1].alpha_star:
                self._cover(self._high, run)
            return
        fine = self.rtol / 10 if self._size <= _SHORT else self.rtol
        while float(self._high) / float(self._low) > 1 + fine:
            self._screen(Fraction(math.sqrt(float(self._low) * float(self._high))), run)
        # near the least temperature steps gain little and are many; where they are dear, keep off it
        alpha = float(self._high) * (1 + (self.rtol / 20 if self._size <= _SHORT else self.rtol))
        if alpha < float(self.found[-1].alpha_star):
            self._cover(round_up(alpha), run)

    def _screen(self, alpha: Fraction, run: Run) -> None:
        if point_closes(self.plan, 1 / alpha, run, self._patience):
            self._high = alpha
            run.progress(f"contracts at alpha = {float(alpha):.5g}")
        else:
            self._low = alpha
            run.progress(f"stalls at alpha = {float(alpha):.5g}")

    def _cover(self, alpha_star: Fraction, run: Run) -> None:
        """A cover for some temperature at or above `alpha_star`: uniqueness is not monotone, so the search
        may stall at a larger temperature than the one it starts from; what it covered then counts."""
        nodes = None
        if self._unfinished is not None:
            alpha_star, nodes = self._unfinished
        while True:
            self._unfinished = None
            try:
                nodes = find_cover(
                    self.plan, 1 / alpha_star, effort=Effort(least_gain=self._patience), run=run, nodes=nodes
                )
                run.found(above=float(alpha_star))
                self.found.append(Localisation(alpha_star, nodes))
                return
            except Stalled as stalled:
                if stalled.why == "stopped":
                    self._unfinished = alpha_star, stalled.nodes
                    raise OutOfTime(run.reason()) from None
                # what it covered is covered again, now with intervals that end there
                alpha_star = 1 / stalled.reached if 0 < stalled.reached < 1 / alpha_star else 2 * alpha_star
                nodes = None
