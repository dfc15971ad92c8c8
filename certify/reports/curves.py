"""What a picture of a threshold shows beside the certificate: the certified tube of the policy above it, within a
limit of time, and branches of stationary policies in floats, which prove nothing and are drawn as dots.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np

from certify.answers.optimum import optimum
from certify.answers.optimum_result import OptimumResult, PathPiece
from certify.certificates.reading_game import Row, rows
from certify.errors import InputError, Undecided
from certify.games.canonical import game_from_json
from certify.games.objective import for_objective
from certify.games.tree import unroll
from certify.games.units import divided, unit_of
from certify.run import OutOfTime, Run
from certify.stationary.approx_branches import follow
from certify.stationary.approx_equations import ApproxEquations
from certify.stationary.approx_policies import approx_policies

_OBJECTIVES = {"visitation": "entropy", "kl": "kl"}  # those of tubes and branches, by the word of certificates
_LARGEST = 60_000  # entries of a tree
_MOST_RATIOS = 60  # log-ratios of branches that are followed
_WIDEST = Fraction(1, 25)  # of a probability's enclosure along the tube
_SMALL, _SMALL_SECONDS = 12, 6.0  # log-ratios up to which a tube is made without being asked for, and its seconds
_LEVELS = (0.93, 0.65, 0.4)  # of the lower end of the bracket: where random starts look for branches
_DENSE, _DENSE_RATIO = 0.03, 0.06  # between dots, in log alpha and in log-ratios


@dataclass(frozen=True)
class Curves:
    """`named` : the rows of the policy.  `tube` : certified pieces, `why_no_tube` otherwise.  `alpha` (P,), `policy`
    (P, entries) : points of float branches.  `entry` (row, action) -> column of `policy`."""

    named: list[Row]
    tube: tuple[PathPiece, ...] = ()
    why_no_tube: str = ""
    alpha: np.ndarray = field(default_factory=lambda: np.zeros(0))
    policy: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)))

    def column(self, row: int, action: int) -> int:
        """The column of an entry in `policy`."""
        return sum(len(r.actions) for r in self.named[:row]) + action

    def liveliest(self) -> int:
        """The row whose probabilities move most, of several the first."""
        spans = []
        for x, row in enumerate(self.named):
            found = [p.policy.get(row.key, {}) for p in self.tube]
            low = [[float(e.lower) for e in r.values()] for r in found if r]
            columns = [self.column(x, a) for a in range(len(row.actions))]
            points = [*low, *(self.policy[:, columns].tolist() if len(self.alpha) else [])]
            spans.append(float(np.ptp(np.array(points), axis=0).max()) if points and len(row.actions) > 1 else -1.0)
        return int(np.argmax(np.round(spans, 3))) if spans else 0


def curves(
    document: dict[str, Any], span: tuple[float, float], *, seconds: float | None, tube: Any = None
) -> Curves | None:
    """The curves of a threshold certificate between two temperatures, or None where the game is too large to draw.

    `tube` : an `OptimumResult` over temperatures that is at hand.
    """
    named = rows(document)
    if named is None:
        return None
    alpha_star = Fraction(document["claim"]["alpha_star"])
    if seconds is None:
        seconds = _SMALL_SECONDS if sum(len(row.actions) - 1 for row in named) <= _SMALL else 0.0
    pieces, why = _tube(document, alpha_star, span[1], seconds) if tube is None else (tube.pieces, tube.reason)
    alpha, policy = _branches(document, span)
    return Curves(named, pieces, why, alpha, policy)


def _tube(
    document: dict[str, Any], alpha_star: Fraction, top: float, seconds: float
) -> tuple[tuple[PathPiece, ...], str]:
    objective = _OBJECTIVES.get(document.get("objective", "visitation"))
    if objective is None:
        return (), "tubes are for the entropy and the KL objective"
    if seconds <= 0:
        return (), "the game is not small, and it would take long (`certify plot --time-limit SECONDS`)"
    game = game_from_json(document["game"], "game")
    try:
        found: OptimumResult = optimum(
            game,
            (alpha_star, Fraction(math.ceil(top * 100), 100)),
            objective=objective,
            threshold=document,
            width=_WIDEST,
            time_limit=Fraction(seconds).limit_denominator(100),
            max_entries=_LARGEST,
        )
    except (InputError, Undecided, TypeError) as error:
        return (), str(error)
    if found.kind != "unique":
        return (), found.reason or "nothing was enclosed"
    return found.pieces, found.reason


def _branches(document: dict[str, Any], span: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    """Points on branches between the temperatures, in floats."""
    nothing = np.zeros(0), np.zeros((0, 0))
    objective = _OBJECTIVES.get(document.get("objective", "visitation"))
    if objective is None:
        return nothing
    game = for_objective(game_from_json(document["game"], "game"), objective)
    unit = unit_of(game)
    try:
        tree = unroll(divided(game, unit), max_entries=_LARGEST)
    except InputError:
        return nothing
    eq = ApproxEquations(tree)
    if eq.size > _MOST_RATIOS:
        return nothing
    claim = document["claim"]
    reference = float(Fraction(claim.get("alpha_multiple") or claim["alpha_star"]) / unit)
    low, high = (end / float(unit) for end in span)
    rng = np.random.default_rng(0)
    run = Run.lasting(8.0)
    points: list[np.ndarray] = []
    try:
        for level in _LEVELS:
            at = level * reference
            for z in approx_policies(eq, at, rng, starts=32, newton_starts=8).z:
                run.check()
                points.append(_dense(follow(eq, z, at, top=high, floor=low, steps=160).y))
    except OutOfTime:
        pass
    if not points:
        return nothing
    y = np.concatenate(points)
    y = y[(np.exp(-y[:, -1]) >= low) & (np.exp(-y[:, -1]) <= high)]
    return np.exp(-y[:, -1]) * float(unit), eq.policy(y[:, :-1].T).T


def _dense(y: np.ndarray) -> np.ndarray:
    """Points of a branch, with further ones between those that are far apart in temperature."""
    parts: list[np.ndarray] = [y[:1]]
    for before, after in pairwise(y):
        steps = np.abs(after - before)
        count = min(60, 1 + int(max(steps[-1] / _DENSE, steps[:-1].max() / _DENSE_RATIO)))
        weight = np.arange(1, count + 1)[:, None] / count
        parts.append((1 - weight) * before + weight * after)
    return np.concatenate(parts)


def thinned(alpha: np.ndarray, values: np.ndarray, across: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    """One point for each cell of a fine grid, so that dots do not pile up."""
    low, high = np.log(across[0]), np.log(across[1])
    cells = np.stack([np.round((np.log(alpha) - low) / (high - low) * 90), np.round(values * 120)], axis=1)
    _, first = np.unique(cells, axis=0, return_index=True)
    return alpha[first], values[first]
