"""Stationary policies in as many digits as are asked for, by Newton's method in log-ratios
(docs/theory/objective.md#stationary-policies).

Where float64 ends: at low temperatures log-ratios reach thousands, probabilities underflow and
equations that float64 calls solved are not.  mpmath's exponents have no limit.  Approximate
throughout: it proposes, proofs are made elsewhere.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np

from certify.bounds.objects import ObjectRecursion
from certify.bounds.policy import layout_of
from certify.errors import Undecided
from certify.games.tree import Tree

_GUARD = 15  # digits beyond those asked for
_ROUNDS = 60  # of Newton's method at one temperature
_HALVINGS = 40  # of a step along the branch before it counts as ended
_EASY = 8  # rounds after which the next step along the branch may be longer


@dataclass(frozen=True, eq=False)
class PrecisePolicy:
    """A policy near a stationary one: log-ratios to each row's last action, and how well they solve.

    Attributes
    ----------
    log_ratios : (entries less rows,) `Fraction`s, in the order of `ApproxEquations`.
    residual : the largest defect of z = (Q^R / alpha + Q^H differences) / w, exactly as computed.
    """

    alpha: Fraction
    log_ratios: tuple[Fraction, ...]
    residual: Fraction


class _PreciseEquations:
    """G(z, beta) = z - (beta Q^R + Q^H, differences to the last action) / w in mpmath's numbers."""

    def __init__(self, tree: Tree, digits: int) -> None:
        self.tree, self.layout = tree, layout_of(tree)
        self.context = mpmath.MPContext()  # of its own: the global one stays as the caller set it
        self.context.dps = digits
        self.convert = functools.cache(self._convert)
        last = np.append(self.layout.row_start[1:], self.layout.size) - 1
        self.entry = np.setdiff1d(np.arange(self.layout.size), last)
        self.last = last[self.layout.row_of_entry[self.entry]]
        self.weight = self.array([Fraction(w) for w in self.layout.weight[self.entry]])

    def _convert(self, value: Fraction) -> Any:
        return self.context.mpf(value.numerator) / value.denominator

    def log(self, value: Fraction) -> Any:
        """The logarithm of a rational in this context."""
        return self.context.log(self.convert(value))

    def array(self, values: Sequence[Fraction]) -> np.ndarray:
        """An object array of numbers of this context."""
        out = np.empty(len(values), dtype=object)
        out[:] = [self.convert(value) for value in values]
        return out

    def residual(self, z: np.ndarray, beta: Any) -> np.ndarray:
        """G at log-ratios z (N,)."""
        layout, exp, log = self.layout, self.context.exp, self.context.log
        logits = np.full(layout.size, self.context.mpf(0), dtype=object)
        logits[self.entry] = z
        top = np.maximum.reduceat(logits, layout.row_start)[layout.row_of_entry]
        mass = np.add.reduceat(_map(exp, logits - top), layout.row_start)[layout.row_of_entry]
        minus_log = _map(log, mass) + top - logits
        policy = _map(exp, -minus_log)
        run = ObjectRecursion(self.tree, policy, minus_log, layout.row_sums(policy * minus_log), self.convert, self.log)
        q = (beta * run.weighted(run.U_reward) + run.weighted(run.U_entropy)) / run.d[layout.row_of_entry]
        result: np.ndarray = z - (q[self.entry] - q[self.last]) / self.weight
        return result

    def inverse(self, z: np.ndarray, beta: Any, value: np.ndarray) -> Any:
        """The inverse of G's derivative, by differences over half of the digits."""
        step = self.context.mpf(10) ** (-self.context.dps // 2)
        matrix = self.context.matrix(len(z), len(z))
        for k in range(len(z)):
            moved = z.copy()
            moved[k] = moved[k] + step
            column = (self.residual(moved, beta) - value) / step
            for j, entry in enumerate(column):
                matrix[j, k] = entry
        return matrix**-1

    def solve(self, z: np.ndarray, beta: Any, tolerance: Any) -> tuple[np.ndarray, int] | None:
        """Newton's method from z: the solution and the rounds it took, None where it does not converge.

        A derivative serves as long as it gains three digits a round.
        """
        inverse, value = None, self.residual(z, beta)
        size = _largest(value)
        for done in range(_ROUNDS):
            if size <= tolerance:
                return z, done
            fresh = inverse is None
            if fresh:
                try:
                    inverse = self.inverse(z, beta, value)
                except ZeroDivisionError:
                    return None
            step = inverse * self.context.matrix(list(value))
            moved = z - np.array(list(step), dtype=object)
            value_there = self.residual(moved, beta)
            size_there = _largest(value_there)
            if size_there < size:
                gained = size_there * 1000 < size
                z, value, size = moved, value_there, size_there
                inverse = inverse if gained else None
            elif fresh:
                return None  # a new derivative, and no gain: not near a solution
            else:
                inverse = None
        return None


def approx_polish(
    tree: Tree, alpha: Fraction, log_ratios: Sequence[Fraction | float], digits: int = 50
) -> PrecisePolicy:
    """The stationary policy near `log_ratios` at temperature `alpha`, to `digits` digits.

    Costs a recursion per log-ratio and derivative: for trees of up to some hundred entries.
    Raises `Undecided` where Newton's method does not converge from there.

    >>> from certify.games import builtin
    >>> from certify.games.tree import unroll
    >>> tree = unroll(builtin("climbing"))
    >>> found = approx_polish(tree, Fraction(1, 50), [550, 0, 550, 0])  # both play the first action
    >>> [round(float(z)) for z in found.log_ratios], found.residual < Fraction(1, 10**50)
    ([550, -1500, 550, -1500], True)
    """
    equations = _PreciseEquations(tree, digits + _GUARD)
    start = equations.array([Fraction(z) for z in log_ratios])
    beta = equations.convert(1 / Fraction(alpha))
    solved = equations.solve(start, beta, equations.context.mpf(10) ** -digits)
    if solved is None:
        raise Undecided("Newton's method did not converge from the policy given")
    return _precise(equations, Fraction(alpha), beta, solved[0])


def approx_continue(tree: Tree, alpha: Fraction, digits: int = 50) -> PrecisePolicy:
    """The policy at temperature `alpha` on the branch that begins at high temperatures, where it is the
    only one: followed in beta = 1/alpha from 0, with steps as long as Newton's method allows.

    Raises `Undecided` where the branch turns back (a fold) or cannot be followed.

    >>> from certify.games import builtin
    >>> from certify.games.tree import unroll
    >>> found = approx_continue(unroll(builtin("lever:2")), Fraction(1, 100))
    >>> [float(z) for z in found.log_ratios]  # symmetric: the uniform policy at every temperature
    [0.0, 0.0]
    """
    equations = _PreciseEquations(tree, digits + _GUARD)
    context, goal = equations.context, equations.convert(1 / Fraction(alpha))
    tolerance = context.mpf(10) ** -digits
    beta, z = context.mpf(0), equations.array([Fraction(0)] * len(equations.entry))
    solved = equations.solve(z, beta, tolerance)
    if solved is None:
        raise Undecided("no policy was found at beta = 0")
    before, z = None, solved[0]
    step = goal / 8
    halved = 0
    while beta < goal:
        target = min(beta + step, goal)
        guess = z if before is None else z + (z - before[1]) * ((target - beta) / (beta - before[0]))
        solved = equations.solve(guess, target, tolerance)
        if solved is None or not _near(guess, solved[0], z):  # the latter may lie on another branch
            halved += 1
            if halved > _HALVINGS:
                raise Undecided(f"the branch from high temperatures ends near alpha = {context.nstr(1 / beta, 8)}")
            step = step / 2
            continue
        before, (z, rounds), beta = (beta, z), solved, target
        if rounds <= _EASY:
            step, halved = step * 2, max(0, halved - 1)
    return _precise(equations, Fraction(alpha), goal, z)


def _precise(equations: _PreciseEquations, alpha: Fraction, beta: Any, z: np.ndarray) -> PrecisePolicy:
    residual = _largest(equations.residual(z, beta))
    return PrecisePolicy(alpha, tuple(_fraction(v) for v in z), _fraction(residual))


def _near(guess: np.ndarray, found: np.ndarray, before: np.ndarray) -> bool:
    """Whether a solution is where the branch was expected, compared with how far it moved."""
    return bool(_largest(found - guess) <= max(1, _largest(found - before) / 2))


def _map(function: Any, values: np.ndarray) -> np.ndarray:
    out = np.empty(len(values), dtype=object)
    out[:] = [function(value) for value in values]
    return out


def _largest(values: np.ndarray) -> Any:
    return max((abs(value) for value in values), default=0)


def _fraction(value: Any) -> Fraction:
    """A number of mpmath as the rational that it is."""
    if isinstance(value, int):
        return Fraction(value)
    sign, mantissa, exponent, _ = value._mpf_
    return Fraction(int(-mantissa if sign else mantissa)) * Fraction(2) ** int(exponent)
