"""The search for what the Coq checker needs, in floating point: pieces of beta, rounds, a norm, a preconditioner.

It evaluates the equations as `proofs/coq/engine` does (interval averages by the exact fractional knapsack, slopes),
without directed rounding: nothing here is trusted.  A piece is accepted with a margin that the checker's rounding
does not use up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from certify.coq.expressions import Expression
from certify.coq.model import Equations, Tree

Array = NDArray[np.float64]
Interval = tuple[Any, Any]

MARGIN = 0.98  # the contraction factor that a piece may have
STALL = 0.99  # ten rounds that shrink the widest log-ratio by less are the last ones
TINY = 1e-6  # log-ratios known so well are not localised further
WORK = 150_000  # terms that the rounds of one piece may evaluate
TOTAL_WORK = 3_000_000  # of all pieces together, those that fail included: about a minute
SMALLEST_STEP = 2e-4  # of the range of beta
_SHORT = 30  # bits of the ends of pieces


@dataclass(frozen=True)
class Piece:
    """[the last piece's end, end] of beta: localisation rounds, weights of the norm, preconditioner."""

    end: Fraction
    rounds: int
    norm: Array
    preconditioner: Array


@dataclass(frozen=True)
class Cover:
    """Pieces that follow each other from beta = 0, and how far they reach."""

    pieces: tuple[Piece, ...]
    reached: Fraction


def approx_average(policy: Interval, values: Interval) -> Interval:
    """The range of sum_k p_k F_k over enclosures that sum to 1; values of shape (actions, ...).

    >>> low, high = approx_average((np.zeros(2), np.ones(2)), (np.array([0.0, 1.0]), np.array([0.5, 2.0])))
    >>> float(low), float(high)
    (0.0, 2.0)
    """
    (p_low, p_high), (low, high) = policy, values
    if np.array_equal(low, high) and (low == low[:1]).all():
        return low[0], high[0]
    shape = (1, -1) + (1,) * (low.ndim - 1)
    p_low, p_high = p_low.reshape(shape), p_high.reshape(shape)
    at = np.concatenate([low, high])[:, None]
    below, above = low[None] - at, high[None] - at
    lower = at[:, 0] + np.where(below > 0, p_low * below, p_high * below).sum(1)
    upper = at[:, 0] + np.where(above > 0, p_high * above, p_low * above).sum(1)
    return lower.max(0), upper.min(0)


def _hull(ends: Interval) -> Interval:
    """The hull over the last axis."""
    return ends[0].min(-1), ends[1].max(-1)


def _product(a: Interval, b: Interval) -> Interval:
    every = np.stack([a[0] * b[0], a[0] * b[1], a[1] * b[0], a[1] * b[1]])
    return every.min(0), every.max(0)


class _Evaluator:
    """Values and slopes of expressions over a box of policies, at several beta at once (the last axis of values,
    the last but one of slopes)."""

    def __init__(self, sizes: Sequence[int], policy: list[Interval], betas: Sequence[float]) -> None:
        self.sizes = sizes
        self.policy = policy
        self.betas = np.array(betas)
        self.first = np.concatenate([[0], np.cumsum(sizes)]).astype(int)
        with np.errstate(divide="ignore", invalid="ignore"):
            self.logs = [(np.log(low), np.log(high)) for low, high in policy]
        self._entropy: dict[int, Interval] = {}

    def entropy(self, x: int) -> Interval:
        if x not in self._entropy:
            low, high = self.logs[x]
            least, most = 0.0, np.inf
            if np.isfinite(low).all():
                least, most = approx_average(self.policy[x], (-high, -low))
            self._entropy[x] = max(least, 0.0), min(most, float(np.log(self.sizes[x])))
        return self._entropy[x]

    def value(self, e: Expression) -> Interval:
        kind = e[0]
        if kind == "c":
            row = float(e[1]) * self.betas
            return row, row
        if kind == "e":
            low, high = self.entropy(e[2])
            q, same = float(e[1]), np.ones(len(self.betas))
            return (q * low * same, q * high * same) if q >= 0 else (q * high * same, q * low * same)
        if kind == "+":
            (a, b), (c, d) = self.value(e[1]), self.value(e[2])
            return a + c, b + d
        parts = [self.value(f) for f in e[2]]
        return approx_average(self.policy[e[1]], (np.array([p[0] for p in parts]), np.array([p[1] for p in parts])))

    def slope(self, e: Expression) -> tuple[Interval, Interval | None]:
        """(value, coefficients of all log-probabilities); None for the coefficients of a constant."""
        kind = e[0]
        if kind == "c":
            return self.value(e), None
        shape = (len(self.betas), int(self.first[-1]))
        if kind == "e":
            x, q = e[2], np.float64(-float(e[1]))
            centre = approx_average(self.policy[x], self.logs[x])
            row = _product(self.policy[x], (self.logs[x][0] - centre[1], self.logs[x][1] - centre[0]))
            row = _product((q, q), row)
            low, high = np.zeros(shape), np.zeros(shape)
            here = slice(self.first[x], self.first[x + 1])
            low[:, here], high[:, here] = row
            return self.value(e), (low, high)
        if kind == "+":
            (v, s), (w, t) = self.slope(e[1]), self.slope(e[2])
            both = (v[0] + w[0], v[1] + w[1])
            if s is None or t is None:
                return both, t if s is None else s
            return both, (s[0] + t[0], s[1] + t[1])
        x, parts = e[1], [self.slope(f) for f in e[2]]
        values = np.array([v[0] for v, _ in parts]), np.array([v[1] for v, _ in parts])
        value = approx_average(self.policy[x], values)
        low, high = np.zeros(shape), np.zeros(shape)
        if not all(s is None for _, s in parts):
            lows = np.stack([np.zeros(shape) if s is None else s[0] for _, s in parts])
            highs = np.stack([np.zeros(shape) if s is None else s[1] for _, s in parts])
            low, high = approx_average(self.policy[x], (lows, highs))
        p_low, p_high = self.policy[x]
        row = _product((p_low[:, None], p_high[:, None]), (values[0] - value[1], values[1] - value[0]))
        here = slice(self.first[x], self.first[x + 1])
        low, high = np.array(low), np.array(high)
        low[:, here] += row[0].T
        high[:, here] += row[1].T
        return value, (low, high)


def _policies(ratios: list[Interval]) -> list[Interval]:
    """Enclosures of the probabilities from those of the log-ratios [a, b] = log p_a - log p_b."""
    found = []
    for low, high in ratios:
        with np.errstate(over="ignore"):
            found.append((1 / np.exp(high).sum(0), 1 / np.exp(low).sum(0)))
    return found


def _size(e: Expression) -> int:
    if e[0] in "ce":
        return 1
    return 1 + sum(_size(f) for f in (e[1:] if e[0] == "+" else e[2]))


class Search:
    """The equations of one game and the pieces that close."""

    def __init__(self, tree: Tree, system: Equations) -> None:
        """The equations `system` of the game `tree`."""
        self.sizes = tree.sizes
        self.system = system
        self.free = [(x, a) for x, size in enumerate(tree.sizes) for a in range(1, size)]
        first = np.concatenate([[0], np.cumsum(tree.sizes)]).astype(int)
        terms = sum(_size(e) for row in system.numerators for e in row.values())
        self.work = 0
        self._terms = terms
        self.most = max(40, min(1500, WORK // max(terms, 1)))
        self.columns = np.array([first[x] + a for x, a in self.free], dtype=int)

    def localise(self, beta: tuple[float, float]) -> Iterator[tuple[int, list[Interval]]]:
        """Rounds so far, and enclosures of the log-ratios of every solution, from time to time and at the end."""
        policy: list[Interval] = [(np.zeros(m), np.ones(m)) for m in self.sizes]
        ratios: list[Interval] | None = None
        widths: list[float] = []
        rounds, shown = -1, 2
        while True:
            rounds += 1
            self.work += self._terms
            ratios = self._round(beta, policy, ratios)
            policy = _policies(ratios)
            widths.append(max((float((high - low).max()) for low, high in ratios), default=0.0))
            stalled = rounds >= 10 and widths[-1] > widths[-11] * STALL
            if rounds == self.most or stalled or widths[-1] < TINY:
                yield rounds, ratios
                return
            if rounds == shown:
                yield rounds, ratios
                shown = shown + max(2, shown // 4)

    def _round(self, beta: tuple[float, float], policy: list[Interval], old: list[Interval] | None) -> list[Interval]:
        at_one, at_ends = _Evaluator(self.sizes, policy, (1.0,)), _Evaluator(self.sizes, policy, beta)
        new = []
        for x, m in enumerate(self.sizes):
            below = _hull(at_one.value(self.system.denominators[x]))
            low, high = np.zeros((m, m)), np.zeros((m, m))
            inverse = (1 / below[1], 1 / below[0] if below[0] > 0 else np.inf)
            for (a, b), e in self.system.numerators[x].items():
                with np.errstate(invalid="ignore"):
                    least, most = _product(_hull(at_ends.value(e)), inverse)
                least, most = (-np.inf if np.isnan(least) else least), (np.inf if np.isnan(most) else most)
                if old is not None:
                    least, most = max(least, old[x][0][a, b]), min(most, old[x][1][a, b])
                low[a, b], high[a, b], low[b, a], high[b, a] = least, most, -most, -least
            new.append((low, high))
        return new

    def contraction(self, beta: tuple[float, float], ratios: list[Interval]) -> tuple[float, Array, Array]:
        """The factor by which the difference of two solutions shrinks, with the norm and the preconditioner."""
        policy = _policies(ratios)
        at_one, at_ends = _Evaluator(self.sizes, policy, (1.0,)), _Evaluator(self.sizes, policy, beta)
        k = len(self.free)
        low, high = np.zeros((k, k)), np.zeros((k, k))
        below = {x: at_one.slope(self.system.denominators[x]) for x in range(len(self.sizes))}
        for i, (x, a) in enumerate(self.free):
            _, slope = at_ends.slope(self.system.numerators[x][0, a])
            size, moving = _hull(below[x][0]), below[x][1]
            row: Interval = (np.zeros(k), np.zeros(k))
            if slope is not None:
                ends = _hull((slope[0].T, slope[1].T))
                row = (-ends[1][self.columns], -ends[0][self.columns])
            if moving is not None:
                part = _product(
                    (ratios[x][0][a, 0], ratios[x][1][a, 0]), (moving[0][0, self.columns], moving[1][0, self.columns])
                )
                row = (row[0] - part[1], row[1] - part[0])
            low[i], high[i] = _product(row, (1 / size[1], 1 / size[0]))
        if not (np.isfinite(low).all() and np.isfinite(high).all()):
            return np.inf, np.ones(k), np.eye(k)
        middle, radius = (low + high) / 2, (high - low) / 2
        try:
            inverse = np.linalg.inv(np.eye(k) - middle)
        except np.linalg.LinAlgError:
            return np.inf, np.ones(k), np.eye(k)
        inverse = np.round(inverse * 2**20) / 2**20
        error = np.abs(np.eye(k) - inverse @ (np.eye(k) - middle)) + np.abs(inverse) @ radius
        norm = np.ones(k)
        for _ in range(200):
            norm = error @ norm + 1e-3 * norm.max()
            norm /= norm.max()
        return float((error @ norm / norm).max()), norm, inverse

    def closes(self, low: Fraction, high: Fraction) -> Piece | None:
        """The piece [low, high] of beta with as few rounds as it takes, or None where it does not close."""
        beta = (float(low), float(high))
        for rounds, ratios in self.localise(beta):
            if not all(np.isfinite(ends).all() for pair in ratios for ends in pair):
                continue
            factor, norm, inverse = self.contraction(beta, ratios)
            if factor < MARGIN:
                return Piece(high, rounds, norm, inverse)
        return None


def approx_cover(search: Search, end: Fraction, report: Callable[[Fraction], None] = lambda beta: None) -> Cover:
    """Pieces from beta = 0 towards `end`, as far as they go.

    >>> from certify.coq.model import equations, unroll
    >>> from certify.games import builtin
    >>> tree = unroll(builtin("lever:2"))
    >>> approx_cover(Search(tree, equations(tree)), Fraction(1)).reached
    Fraction(1, 1)
    """
    pieces: list[Piece] = []
    low, step, smallest = Fraction(0), end / 4, end * Fraction(SMALLEST_STEP)
    while low < end and search.work < TOTAL_WORK:
        high = min(low + step, end)
        piece = search.closes(low, high)
        if piece is not None:
            pieces.append(piece)
            low, step = high, step * Fraction(3, 2)
            report(low)
        else:
            step /= 2
            if step < smallest:
                break
        step = Fraction(max(1, round(step * 2**_SHORT)), 2**_SHORT)
    return Cover(tuple(pieces), low)
