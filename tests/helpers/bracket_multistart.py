"""Attacks on both ends of a certified bracket, in floats.

Above: multistart looks for a second stationary policy where the certificate allows one only.
Below: solvers started at the certificate's proved policies must end in two different ones.
Two recursions are at work, `ApproxEquations` and `approx_soft_values`: a policy found with the
first counts only if the second agrees, and the lower end, which was proposed by the first, is
judged with the second alone.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from scipy.optimize import root

from certify.answers.threshold_result import ThresholdResult
from certify.games.model import Game
from certify.games.tree import unroll
from certify.stationary.approx_equations import ApproxEquations
from certify.stationary.approx_policies import approx_policies
from certify.thresholds.approx_policy import Policy, approx_soft_values, approx_stationary, softmax
from certify.thresholds.index_tables import Plan

FACTORS = (1.0, 1.5, 4.0)  # of alpha_star: where no second policy may be
_STARTS = 32  # of damped iteration; as many again of Newton's method alone
_RESIDUAL = 1e-8  # of a stationary policy, in probabilities
_APART = 1e-3  # a degenerate zero is known to about the cube root of rounding, 1e-5
_LEAST_APART = 1e-6  # two proved policies just below a fold are close: solvers must tell them apart still
_UPHILL = 0.05  # how far from a saddle the ascent starts, in logits

Logits = list[list[np.ndarray]]


def counterexamples(game: Game, result: ThresholdResult, rng: np.random.Generator) -> list[str]:
    """What floats find against the bracket of `result`; empty where it withstands."""
    found = []
    for factor in FACTORS:
        alpha = factor * float(result.alpha_star)
        if (count := different_policies(game, alpha, rng)) > 1:
            found.append(f"{game.name}: {count} stationary policies at {factor} alpha_star = {alpha:.6g}")
    if result.alpha_multiple is not None and (count := policies_below(game, result.document["multiplicity"])) < 2:
        found.append(f"{game.name}: {count} stationary policies at alpha_multiple = {result.alpha_multiple}")
    return found


def different_policies(game: Game, alpha: float, rng: np.random.Generator) -> int:
    """How many clearly different stationary policies multistart finds at `alpha`."""
    tree = unroll(game)
    plan, eq = Plan(tree), ApproxEquations(tree)
    found: list[np.ndarray] = []
    for z in approx_policies(eq, alpha, rng, starts=_STARTS, newton_starts=_STARTS, limit=2 * _STARTS).z:
        policy = eq.nested(z)
        point = _flat(policy)
        if _residual(plan, policy, 1 / alpha) < _RESIDUAL and all(np.abs(point - p).max() > _APART for p in found):
            found.append(point)
    return len(found)


def policies_below(game: Game, evidence: dict) -> int:
    """How many different stationary policies solvers reach from the policies that `evidence` proves
    (docs/certificate-format.md, section 7.1): 2, where it is right."""
    witness = evidence["witness"]
    plan, beta = Plan(unroll(game, cluster=evidence["clustering"])), float(1 / Fraction(witness["alpha"]))
    centres = [_centre(plan, box, evidence["unit_bits"]) for box in witness["policies"]]
    claimed = [_flat(_policy(c)) for c in centres]
    least = _LEAST_APART if len(claimed) < 2 else max(_LEAST_APART, np.abs(claimed[0] - claimed[1]).max() / 2)
    ends = [_solve(plan, c, beta) for c in centres]
    if len(centres) == 1:
        ascent = _direction(plan, witness["policies"][0])
        for side in (_UPHILL, -_UPHILL):
            start = [
                [c + side * u for c, u in zip(*pair, strict=True)] for pair in zip(centres[0], ascent, strict=True)
            ]
            policy, residual = approx_stationary(plan, beta, _policy(start))
            ends.append(_flat(policy) if residual < _RESIDUAL else None)
    found: list[np.ndarray] = []
    for end in ends:
        if end is not None and all(np.abs(end - p).max() > least for p in found):
            found.append(end)
    return len(found)


def _flat(policy: Policy) -> np.ndarray:
    return np.concatenate([p.ravel() for row in policy for p in row])


def _policy(logits: Logits) -> Policy:
    return [[softmax(table) for table in row] for row in logits]


def _residual(plan: Plan, policy: Policy, beta: float) -> float:
    """max |pi - softmax(Q / w)|."""
    values = approx_soft_values(plan, policy, beta)
    return max(
        float(np.abs(softmax(q / w) - p).max())
        for w, row, rows in zip(plan.weights, policy, values, strict=True)
        for p, q in zip(row, rows, strict=True)
    )


def _shapes(plan: Plan) -> list[list[tuple[int, int]]]:
    return [[table.shape for table in row] for row in plan.tree.uniform()]


def _centre(plan: Plan, box: dict, unit_bits: int) -> Logits:
    """The centre of a proved box as logits, 0 at the reference actions."""
    rows = zip(box["reference"], box["centre"], strict=True)
    logits = [[np.zeros(shape) for shape in row] for row in _shapes(plan)]
    for table in (table for row in logits for table in row):
        for k in range(len(table)):
            reference, centre = next(rows)
            table[k, np.arange(table.shape[1]) != reference] = [float(m) / 2.0**unit_bits for m in centre]
    return logits


def _direction(plan: Plan, box: dict) -> Logits:
    """The ascent at a proved saddle as logits: rows sum to 0, the largest entry is 1."""
    entries = iter(np.array(box["direction"], float) / max(map(abs, box["direction"])))
    logits = []
    for row in _shapes(plan):
        logits.append([])
        for classes, actions in row:
            first = np.array([[next(entries) for _ in range(actions - 1)] for _ in range(classes)])
            logits[-1].append(np.concatenate([first, -first.sum(1, keepdims=True)], axis=1))
    return logits


def _solve(plan: Plan, start: Logits, beta: float) -> np.ndarray | None:
    """The stationary policy that a root finder reaches from `start`; None where it reaches none."""
    shapes = _shapes(plan)

    def logits(z: np.ndarray) -> Logits:
        parts = iter(np.split(z, np.cumsum([c * (m - 1) for row in shapes for c, m in row])))
        return [
            [np.concatenate([next(parts).reshape(c, m - 1), np.zeros((c, 1))], axis=1) for c, m in row]
            for row in shapes
        ]

    def ratios(tables: Logits) -> np.ndarray:
        return np.concatenate([(t - t[:, -1:])[:, :-1].ravel() for row in tables for t in row])

    def equations(z: np.ndarray) -> np.ndarray:
        values = approx_soft_values(plan, _policy(logits(z)), beta)
        return z - ratios([[q / w for q in row] for w, row in zip(plan.weights, values, strict=True)])

    policy = _policy(logits(root(equations, ratios(start), tol=1e-13).x))
    return _flat(policy) if _residual(plan, policy, beta) < _RESIDUAL else None
