"""The modulus of strong concavity on the region that holds every stationary policy (docs/theory/hessian.md#theorem-b),
in floats: what the search proposes and a checker then verifies.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from certify.thresholds.contraction import Contraction, Task
from certify.thresholds.cover import LEAST_GAIN
from certify.thresholds.cover_tree import Node, last_box
from certify.thresholds.index_tables import Plan

_LEAST = 0.01  # part of alpha below which no modulus is claimed
_WORTH = 0.02  # another sweep must raise the modulus by so much to be kept
_PART = Fraction(49, 50)  # of the float margin: what is claimed leaves room for rounding


@dataclass(frozen=True)
class Concavity:
    """At `alpha`, on the last box of `node` after `steps` more: lambda_max(M) <= alpha - modulus."""

    alpha: Fraction
    modulus: Fraction
    node: int
    steps: list[dict]


def strong_concavity(plan: Plan, nodes: list[Node], alpha: Fraction, sweeps: int = 40) -> Concavity | None:
    """A proposal at `alpha` (at least the certified threshold), or None where none was found."""
    beta = 1 / alpha
    index = 0
    while nodes[index].split is not None:
        children = [k for k, node in enumerate(nodes) if node.parent == index]
        inside = [k for k in children if nodes[k].low <= beta <= nodes[k].high]
        if "beta" not in (nodes[index].split or {}) or not inside:
            return None  # a policy split: no single box holds every stationary policy
        index = inside[0]
    if nodes[index].close != "nondegenerate":
        return None
    run = Contraction(plan, [Task(float(beta), float(beta), last_box(plan, nodes, index))], least_gain=LEAST_GAIN)
    best: Concavity | None = None
    for _ in range(sweeps):
        margin = float(run.margins(own=True)[0][0])
        if margin > _LEAST and (
            best is None or float(best.modulus) < (1 - _WORTH) * float(alpha) * margin * float(_PART)
        ):
            modulus = alpha * Fraction(round(margin * 10**6), 10**6) * _PART
            best = Concavity(alpha, Fraction(int(modulus * 10**6), 10**6), index, list(run.steps[0]))
        elif best is not None:
            break
        if run.sweep()[0] > 1 - LEAST_GAIN:
            break
    return best
