"""Exact rationals: return, reach, Q^R and the Hessian's reward part; the rest between rationals.

Way 3 of three (docs/theory/objective.md#the-objective, docs/theory/objective.md#stationary-policies,
docs/theory/hessian.md#the-second-derivative-formula), for small games.  Every quantity is linear in the numbers -log
pi(a|x) with nonnegative coefficients (gradients excepted, which are a difference of two such), so rational enclosures
of the logarithms give rational enclosures of everything.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from certify.bounds.arb_numbers import log_enclosure, minus_log_enclosure
from certify.bounds.enclosure import Enclosure
from certify.bounds.objects import ObjectRecursion
from certify.bounds.policy import Blocks, exact_rows, layout_of
from certify.games.tree import Tree


@dataclass(frozen=True, eq=False)
class ExactEvaluation:
    """`reward`, `reach` (rows,) and `q_reward` (N,) are exact `Fraction`s; the others enclosures
    whose ends are `Fraction`s: `value`, `entropy`, `q` and `gradient` as in `Evaluation`,
    `local_gradient` with the local bonus."""

    reward: Fraction
    reach: np.ndarray
    q_reward: np.ndarray
    value: Enclosure
    entropy: Enclosure
    q: Blocks
    gradient: Blocks
    local_gradient: Blocks


@dataclass(frozen=True, eq=False)
class ExactHessian:
    """Cross terms as (N, N) `Fraction`s, exact reward part plus alpha times enclosed entropy part;
    `diagonal` (N,) is w gamma^t d/pi, exact.  D^2J[v,v] = v cross v - alpha sum_k diagonal_k v_k^2
    on tangent v."""

    reward: np.ndarray
    cross: Enclosure
    diagonal: np.ndarray


def _recursions(tree: Tree, policy: Any, digits: int) -> list[ObjectRecursion]:
    """One recursion with the logarithms at their lower ends, one at their upper ends."""
    layout = layout_of(tree)
    p = exact_rows(layout, layout.flat(policy))
    return [
        ObjectRecursion(tree, p, end, layout.row_sums(p * end), Fraction, _log_end(side, digits))
        for side, end in enumerate(minus_log_enclosure(p, digits))
    ]


def _log_end(side: int, digits: int) -> Callable[[Fraction], Fraction]:
    """The lower (0) or upper (1) ends of logarithms."""
    return lambda value: log_enclosure(value, digits)[side]


def exact_evaluate(tree: Tree, policy: Any, alpha: Fraction | int, *, digits: int = 200) -> ExactEvaluation:
    """Exact evaluation of one policy (`Fraction`s, or floats taken with their rows normalised).

    `digits` is the precision of the logarithms in bits.  Raises `InputError` for bad policies.

    >>> from certify.games.builtin import builtin
    >>> from certify.games.tree import unroll
    >>> tree = unroll(builtin("lever:2"))
    >>> exact_evaluate(tree, tree.uniform(), Fraction(1)).reward
    Fraction(1, 2)
    """
    alpha, layout = Fraction(alpha), layout_of(tree)
    low, high = _recursions(tree, policy, digits)
    p, d = low.policy, low.d[layout.row_of_entry]
    reward = low.weighted(low.U_reward)
    entropy = [run.weighted(run.U_entropy) for run in (low, high)]
    kappa = alpha * layout.weight
    own = [kappa * d * run.minus_log for run in (low, high)]
    q = [(reward + alpha * part) / d for part in entropy]
    return ExactEvaluation(
        reward=low.reward,
        reach=low.d,
        q_reward=reward / d,
        value=Enclosure(low.reward + alpha * low.entropy, low.reward + alpha * high.entropy),
        entropy=Enclosure(low.entropy, high.entropy),
        q=Blocks(q[0], q[1], layout),
        gradient=_centred(layout, p, [reward + alpha * part + log for part, log in zip(entropy, own, strict=True)]),
        local_gradient=_centred(layout, p, [reward + log for log in own]),
    )


def _centred(layout, p: np.ndarray, ends: list[np.ndarray]) -> Blocks:
    """gamma^t p_a (N_a - sum_b p_b N_b), where N_a counts 1 - p_a times and N_b -p_b times."""
    sums = [layout.row_sums(p * end)[layout.row_of_entry] for end in ends]
    scale = layout.discount * p
    (low, high), (low_sum, high_sum) = ends, sums
    return Blocks(
        scale * (low * (1 - p) - (high_sum - p * high)), scale * (high * (1 - p) - (low_sum - p * low)), layout
    )


def exact_hessian(tree: Tree, policy: Any, alpha: Fraction | int, *, digits: int = 200) -> ExactHessian:
    """The Hessian form of one policy (arguments and errors as for `exact_evaluate`).

    >>> from certify.games.builtin import builtin
    >>> from certify.games.tree import unroll
    >>> tree = unroll(builtin("lever:2"))
    >>> exact_hessian(tree, tree.uniform(), 1).reward[0].tolist()
    [Fraction(0, 1), Fraction(0, 1), Fraction(1, 1), Fraction(0, 1)]
    """
    alpha, layout = Fraction(alpha), layout_of(tree)
    low, high = _recursions(tree, policy, digits)
    reward = low.cross_terms(low.U_reward, Fraction(0))
    ends = [reward + alpha * run.cross_terms(run.U_entropy, Fraction(1)) for run in (low, high)]
    diagonal = layout.weight * layout.discount * low.d[layout.row_of_entry] / low.policy
    return ExactHessian(reward, Enclosure(ends[0], ends[1]), diagonal)
