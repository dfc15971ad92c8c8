"""Searches, in floats, for the largest temperature with several stationary policies.

Levels of alpha from above until random starts end differently, branches from there to their
limits, then levels above (uniqueness is not monotone: docs/theory/continuation.md#from-below, "From below") and below
again, as long as they lead higher.
"""

from __future__ import annotations

import itertools
import operator
from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from certify.run import Run
from certify.stationary.approx_branches import Branch, crossings, follow
from certify.stationary.approx_equations import ApproxEquations
from certify.stationary.approx_limits import Limit, limits
from certify.stationary.approx_policies import Found, approx_margin, approx_policies

_FACTOR = Fraction(4, 5)  # between the levels of the first scan
_ABOVE = (1.004, 1.02, 1.05, 1.1, 1.18, 1.3, 1.5, 1.8, 2.3, 3.0)
_BELOW = (0.985, 0.95, 0.9, 0.82, 0.72, 0.6, 0.45)
_ROUNDS = 4
_HEIGHT = 4  # how far above the best limit branches are followed; the levels above look further
_USEFUL = 0.9  # of the best limit: how high one must be to be kept as a substitute
_GAIN = 1e-4  # relative, below which another round is not worth it
_DEPTH = 0.42  # how far below the best limit branches are followed, to know them at the lower levels


def scanned(first: Fraction) -> Iterator[Fraction]:
    """The temperatures of the first scan, from one downwards.

    >>> [float(alpha) for alpha in itertools.islice(scanned(Fraction(5)), 3)]
    [5.0, 4.0, 3.2]
    """
    return itertools.accumulate(itertools.repeat(_FACTOR), operator.mul, initial=first)


class ApproxSearch:
    """`search` fills `limits`, highest first; `branches` are the curves that were followed.

    Between the temperatures `top` (unique above) and `floor`, from `first` downwards (None: from `top`).
    """

    def __init__(
        self, eq: ApproxEquations, top: float, floor: float, *, first: float | None = None, seed: int = 0, run: Run
    ) -> None:
        self.eq, self.top, self.floor, self.run = eq, top, floor, run
        self.first = top if first is None else min(first, top)
        self.rng = np.random.default_rng(seed)
        self.branches: list[Branch] = []
        self.limits: list[Limit] = []

    @property
    def best(self) -> float:
        """The highest limit so far, 0 before there is one."""
        return self.limits[0].alpha if self.limits else 0.0

    def search(self) -> None:
        """Scan from above, then levels above and below the best limit while they lead higher."""
        self._scan()
        for number in range(_ROUNDS):
            before = self.best
            if not before:
                return
            for factor in (*_BELOW, *_ABOVE):
                if factor * before < self.top and self._in_time():
                    self.level(factor * before, starts=64 << number, newton_starts=8 << number)
            if self.best <= before * (1 + _GAIN) or not self._in_time():
                return

    def _in_time(self) -> bool:
        return self.run.left() > 0

    def _scan(self) -> None:
        alpha, warm = self.first, [np.zeros(self.eq.size)]
        while alpha > self.floor and not self.limits and self._in_time():
            warm = self.level(alpha, starts=64, newton_starts=4, warm=warm)
            alpha *= float(_FACTOR)

    def level(
        self, alpha: float, *, starts: int, newton_starts: int, warm: list[np.ndarray] | None = None
    ) -> list[np.ndarray]:
        """Look for policies at alpha and follow the branches that are new; returns the policies."""
        found = approx_policies(self.eq, alpha, self.rng, starts=starts, newton_starts=newton_starts, warm=warm)
        fresh = found.up_to_symmetry()
        if len(found.z) == 1 and approx_margin(self.eq, found.z[0], 1 / alpha) > 0:
            return found.z
        known = self.known(alpha)
        values = self.eq.value(np.stack(known, axis=1), 1 / alpha) if known else np.zeros(0)
        for z in fresh:
            value = self.eq.value(z[:, None], 1 / alpha)[0]
            if (np.abs(values - value) > 1e-7 * (1 + abs(value))).all() and self._in_time():
                self.follow(z, alpha)
        self.run.progress(
            f"from below: {len(fresh)} kinds of stationary policies at {alpha:.6g}, best limit {self.best:.8g}"
        )
        return found.z

    def known(self, alpha: float) -> list[np.ndarray]:
        """Different policies of all branches at alpha."""
        found = Found(self.eq, alpha)
        for branch in self.branches:
            for z in crossings(branch, alpha):
                found.add(z)
        return found.z

    def follow(self, z: np.ndarray, alpha: float) -> None:
        """Add the branch of z and its limits."""
        top = min(1.05 * self.top, _HEIGHT * max(alpha, self.best))
        branch = follow(self.eq, z, alpha, top=top, floor=min(0.8 * alpha, _DEPTH * self.best))
        self.branches.append(branch)
        proved_unique_above = self.top * (1 + 1e-9)
        fresh = [limit for limit in limits(branch, _USEFUL * self.best) if limit.alpha <= proved_unique_above]
        self.limits = sorted([*self.limits, *fresh], key=lambda limit: -limit.alpha)
