"""Theorem A: every trajectory of the softmax flow converges at every temperature, its logits bounded by an
explicit constant (docs/theory/convergence.md#theorem-a).

Checked along float trajectories from extreme initialisations by rigorous enclosures at every point.
"""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import numpy as np

import certify
from certify.bounds import evaluate, layout_of
from certify.bounds.policy import Layout
from certify.claims import PROVED, Claim, Outcome
from certify.claims.suite import file_name
from certify.claims.text import table
from certify.errors import Undecided
from certify.games import Game
from certify.games.tree import Tree, unroll
from certify.thresholds.shapes import shape_of

CLAIM = Claim(
    id="1",
    source="arXiv 2511.22581, abstract",
    statement="At every temperature α > 0 every trajectory of the entropy-regularised softmax policy-gradient "
    "flow stays "
    "bounded, with an explicit bound on the logits, and converges to one stationary policy.",
)

_GAMES = (("lever:10:9/10", None), ("climbing", None), ("tiny-hanabi:E", None), ("dectiger", 2))
_ALPHAS = (Fraction(1, 2), Fraction(10))
_EXTREME = 12.0  # logits of the initialisations
_STEPS, _STARTS = 150, 3


def run(out: Path, quick: bool) -> Outcome:
    """Proves or refutes the claim above; writes the evidence to `out` (fewer games if `quick`)."""
    rows, points = [], 0
    for name, horizon in _GAMES[:2] if quick else _GAMES:
        game = certify.load(name, horizon=horizon)
        for alpha in _ALPHAS:
            study = Trajectories(game, alpha)
            for seed in range(_STARTS):
                study.follow(seed, _STEPS // (5 if quick else 1))
            rows.append(
                {
                    "game": name,
                    "alpha": str(alpha),
                    "bound": study.bound,
                    "largest_logit": study.largest,
                    "points": study.points,
                    "rows_below": study.below,
                }
            )
            points += study.points
    path = out / f"{file_name(certify.load(_GAMES[0][0]))}-and-others.json"
    path.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    shown = [
        (
            r["game"],
            r["alpha"],
            f"{r['largest_logit']:.3f}",
            f"{r['bound']:.3f}",
            str(r["points"]),
            str(r["rows_below"]),
        )
        for r in rows
    ]
    header = ("game", "α", "largest logit met", "bound", "points", "probabilities that the proof drives up")
    figures = {"points": str(points), "extreme": f"{_EXTREME:g}", "trajectories": table(header, shown)}
    return Outcome(PROVED, figures, (path,))


class Trajectories:
    """Float trajectories in one game at one temperature, with the proof's two inequalities enclosed at each point."""

    def __init__(self, game: Game, alpha: Fraction) -> None:
        self.tree: Tree = unroll(game, cluster=False)
        self.layout: Layout = layout_of(self.tree)
        self.alpha, self.points, self.below = alpha, 0, 0
        self.largest, self.bound = 0.0, 0.0
        widths = _oscillations(game, alpha)
        kappa = [float(alpha * w) for w in game.weights]
        self.width = np.array([widths[t] for t in self.layout.depth])
        self.kappa = np.array([kappa[i] for i in self.layout.agent])
        self.count = np.bincount(self.layout.row_of_entry)[self.layout.row_of_entry]

    def follow(self, seed: int, steps: int) -> None:
        """One trajectory: explicit steps, each short enough to change no logit by more than 1/2."""
        theta = self._start(np.random.default_rng(seed))
        floor = np.maximum(-theta, self.width / self.kappa)  # m_a of the written proof
        ceiling = self.layout.row_sums(floor)[self.layout.row_of_entry] - floor
        self.bound = max(self.bound, float(floor.max()), float(ceiling.max()))
        for _ in range(steps):
            gradient = self._checked(theta)
            theta = theta + gradient * min(20.0, 0.5 / max(float(np.abs(gradient).max()), 1e-12))
            if not (np.all(theta >= -floor - 0.5) and np.all(theta <= ceiling + 0.5 * self.count)):
                raise Undecided("a float trajectory left the bounds: the written proof or the integrator is wrong")

    def _start(self, rng: np.random.Generator) -> np.ndarray:
        theta = rng.choice([-_EXTREME, 0.0, _EXTREME], size=self.layout.size)
        return self._centred(theta)

    def _centred(self, theta: np.ndarray) -> np.ndarray:
        return theta - (self.layout.row_sums(theta) / np.bincount(self.layout.row_of_entry))[self.layout.row_of_entry]

    def _checked(self, theta: np.ndarray) -> np.ndarray:
        """The float gradient; raises `Undecided` where an enclosure contradicts the proof."""
        weight = np.exp(theta)
        policy = weight / self.layout.row_sums(weight)[self.layout.row_of_entry]
        found = evaluate(self.tree, self.layout.nested(policy), self.alpha)
        high = np.maximum.reduceat(found.q.lower, self.layout.row_start)
        low = np.minimum.reduceat(found.q.upper, self.layout.row_start)
        if np.any((high - low)[self.layout.row_of_entry] > self.width * (1 + 1e-12)):
            raise Undecided("Q oscillates certainly more than D: the bound is wrong")
        driven = policy < np.exp(-self.width / self.kappa) / self.count * (1 - 1e-12)
        if np.any(found.gradient.upper[driven] <= 0):
            raise Undecided("a logit that must increase certainly does not: the bound is wrong")
        self.points += 1
        self.below += int(driven.sum())
        self.largest = max(self.largest, float(np.abs(theta).max()))
        return (found.gradient.lower + found.gradient.upper) / 2


def _oscillations(game: Game, alpha: Fraction) -> list[float]:
    """D_t of the written proof, per step, rounded up: width of the return-to-go plus the later entropies."""
    shape = shape_of(game)
    later, found = 0.0, []
    for t in reversed(range(game.horizon)):
        found.append((float(shape.widths[t]) + float(alpha * game.discount) * later) * (1 + 1e-12))
        here = sum(float(w) * float(np.log(float(shape.actions[j][t]))) for j, w in enumerate(game.weights))
        later = (here + float(game.discount) * later) * (1 + 1e-12)
    return found[::-1]
