"""The modulus of strong concavity on the region that holds every stationary policy (theory,
section 5, Theorem B), in floats: what the search proposes and a checker then verifies.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from certify.uniqueness.contraction import Contraction, Task
from certify.uniqueness.cover import LEAST_GAIN, Node
from certify.uniqueness.plan import Plan

_PART = Fraction(49, 50)   # of the float margin: what is claimed leaves room for rounding


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
        if "beta" not in nodes[index].split or not inside:
            return None          # a policy split: no single box holds every stationary policy
        index = inside[0]
    if nodes[index].box is None:
        return None
    run = Contraction(plan, [Task(float(beta), float(beta), nodes[index].box)], least_gain=LEAST_GAIN)
    for _ in range(sweeps):
        margin = float(run.margins(own=True)[0][0])
        if margin > 0.01:
            modulus = alpha * Fraction(round(margin * 10**6), 10**6) * _PART
            return Concavity(alpha, Fraction(int(modulus * 10**6), 10**6), index, run.steps[0])
        if run.sweep()[0] > 0.9995:
            return None
    return None
