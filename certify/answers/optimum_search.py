"""Pieces for an optimum certificate: the branch of stationary policies from where it begins to where it is asked for
(docs/theory/continuation.md#branches).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from certify.errors import Undecided
from certify.games.tree import Tree
from certify.run import OutOfTime, Run
from certify.stationary.approx_precise import approx_continue
from certify.stationary.branch_pieces import BranchPath, Piece, Stopped
from certify.stationary.uniform import uniform_is_stationary

_PRECISE, _PRECISE_DIGITS = 40, 25  # log-ratios for which more digits than floats' are tried, and how many
_ABOVE = Fraction(15, 16)  # of the threshold's beta: where the principal branch is begun


@dataclass(frozen=True)
class Span:
    """The temperatures that are asked for, and the proved threshold.

    widest : of a probability's enclosure along a path, at most.
    """

    low: Fraction
    high: Fraction
    alpha_star: Fraction
    widest: float

    @property
    def unique(self) -> bool:
        """Whether the stationary policy is unique at all of them."""
        return self.low >= self.alpha_star

    @property
    def point(self) -> bool:
        """Whether it is one temperature."""
        return self.low == self.high


class BranchSearch:
    """Follows the stationary policy of a tree over one span."""

    def __init__(self, tree: Tree, span: Span, run: Run) -> None:
        """`run` bounds the search."""
        self.tree, self.span, self.run = tree, span, run
        self.path = BranchPath(tree)

    def pieces(self) -> tuple[list[Piece], np.ndarray]:
        """The pieces of the certificate, and the log-ratios of the policy at the smallest temperature in floats.

        Raises `Stopped` with what was proved until then.
        """
        # a little above the threshold, where the policy may be degenerate
        span, goal = self.span, 1 / self.span.low
        first = 1 / span.high if span.unique else min(1 / span.high, _ABOVE / span.alpha_star)
        try:
            with self.run.stage("following the branch of stationary policies"):
                return self._from(first, goal)
        except OutOfTime as over:
            raise Stopped(first, str(over), []) from None

    def _from(self, first: Fraction, goal: Fraction) -> tuple[list[Piece], np.ndarray]:
        span = self.span
        if span.unique and uniform_is_stationary(self.tree):
            return [self.path.uniform(first, goal)], np.zeros(self.path.eq.size)
        z = self.path.start(first)
        if z is None:
            z = self._precise_start(first)
        if z is None:
            raise Stopped(
                first, "no stationary policy was found in floats: it may be degenerate, or too near the boundary", []
            )
        if first == goal:
            return [self._narrow(goal, z)], z
        if span.unique and not span.point:
            return self._chain(first, goal, z, span.widest), z
        start = 1 / span.high
        pieces = self._chain(first, min(goal, start), z, float("inf")) if first < start else []
        if pieces:
            z = self._floats(pieces[-1])
        if span.point:
            return [*pieces[:-1], self._narrow(goal, z)], z
        try:
            tail = self._chain(start, goal, z, span.widest)
        except Stopped as stopped:
            raise Stopped(stopped.reached, stopped.why, pieces + stopped.pieces) from None
        return pieces + tail, z

    def _precise_start(self, beta: Fraction) -> np.ndarray | None:
        """The policy followed from high temperatures in more digits than floats have, for small trees."""
        if self.path.eq.size > _PRECISE:
            return None
        self.run.progress("following the policy from high temperatures, with many digits")
        try:
            found = approx_continue(self.tree, 1 / beta, digits=_PRECISE_DIGITS)
        except Undecided:
            return None
        return np.array([float(z) for z in found.log_ratios])

    def _chain(self, low: Fraction, high: Fraction, z: np.ndarray, widest: float) -> list[Piece]:
        return self.path.chain(low, high, z, linked=not self.span.unique, widest=widest, run=self.run)

    def _narrow(self, beta: Fraction, z: np.ndarray) -> Piece:
        piece = self.path.point(beta, z)
        if piece is None:
            raise Stopped(beta, "no narrow box around the policy is proved: it may be degenerate", [])
        return piece

    def _floats(self, piece: Piece) -> np.ndarray:
        """The middle of a piece as log-ratios against the last action."""
        flat = [float((low + high) / 2) - float(sum(row[-1])) / 2 for row in piece.image for low, high in row]
        ratios: np.ndarray = np.array(flat)[self.path.eq.entry]
        return ratios
