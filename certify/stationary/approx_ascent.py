"""Gradient ascent on J in the logits, many starts at once (docs/theory/steps.md#convergence-of-gradient-ascent).

In floats, approximate throughout: it is what certified step sizes are tried against.
"""

from __future__ import annotations

import numpy as np

from certify.bounds.policy import layout_of
from certify.games.tree import Tree
from certify.stationary.approx_equations import ApproxEquations

_COMPLEX_STEP = 1e-30


class ApproxAscent:
    """J of one tree and its derivatives in the logits theta (entries, B), which are all of the table where the tree is
    not clustered.

    >>> from certify.games import builtin
    >>> from certify.games.tree import unroll
    >>> ascent = ApproxAscent(unroll(builtin("lever:2"), cluster=False), 1.0)
    >>> start = np.array([[1.0], [0.0], [0.5], [0.0]])
    >>> end = ascent.run(start, 1.0, 200)
    >>> bool(abs(end[0, 0] - end[1, 0]) < 1e-6)
    True
    """

    def __init__(self, tree: Tree, alpha: float) -> None:
        self.eq, self.alpha, self.layout = ApproxEquations(tree), alpha, layout_of(tree)
        self.size = self.layout.size
        steps = np.empty(self.layout.number_of_rows)
        for i, t in self.layout.blocks:
            steps[self.layout.rows[i, t]] = t
        self._discount = (self.eq.gamma**steps)[:, None]

    def gradient(self, theta: np.ndarray) -> np.ndarray:
        """(entries, B) dJ/dtheta = gamma^t d(x) pi(a) (A(x, a) - mean), A = Q - kappa log pi."""
        return self.alpha * self.eq.logit_gradient(theta, 1 / self.alpha, self._discount)

    def value(self, theta: np.ndarray) -> np.ndarray:
        """(B,) J."""
        ratios = theta[self.eq.entry] - theta[self.eq.last]
        return self.alpha * self.eq.value(ratios, 1 / self.alpha)

    def run(self, theta: np.ndarray, step: float, count: int) -> np.ndarray:
        """The logits after `count` steps; those that run away stay where they are cut off, at 600."""
        for _ in range(count):
            theta = np.clip(theta + step * self.gradient(theta), -600.0, 600.0)
        return theta

    def hessian(self, theta: np.ndarray) -> np.ndarray:
        """(entries, entries) the second derivative of J at one column of logits."""
        probe = np.repeat(theta[:, None], self.size, axis=1).astype(np.complex128)
        probe[np.arange(self.size), np.arange(self.size)] += 1j * _COMPLEX_STEP
        found = self.gradient(probe).imag / _COMPLEX_STEP
        symmetric: np.ndarray = (found + found.T) / 2
        return symmetric

    def curvature(self, rng: np.random.Generator, starts: int, climbs: int) -> float:
        """The largest |eigenvalue| of the Hessian that a search over logits finds."""
        best, where = 0.0, np.zeros(self.size)
        for k in range(starts + climbs):
            if k < starts:
                theta = rng.normal(size=self.size) * rng.choice([0.1, 0.5, 1.0, 2.0, 4.0])
            else:
                theta = where + rng.normal(size=self.size) * rng.choice([0.03, 0.1, 0.3, 1.0])
            found = float(np.abs(np.linalg.eigvalsh(self.hessian(theta))).max())
            if found > best:
                best, where = found, theta
        return best
