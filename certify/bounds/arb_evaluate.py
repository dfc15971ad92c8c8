"""The same enclosures with arb balls, at any precision: way 2 of three (docs/theory/objective.md#the-objective,
docs/theory/objective.md#stationary-policies, docs/theory/hessian.md#the-second-derivative-formula).

At a point the balls are as narrow as the precision makes them.  Over a box every entry of the
policy is a ball of its own (that rows sum to 1 is not used), so bounds hold but are wide.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import flint
import numpy as np

from certify.bounds.arb_numbers import ball, finite_ends, float_ends, to_arb, working_precision
from certify.bounds.enclosure import Enclosure
from certify.bounds.objects import ObjectRecursion
from certify.bounds.policy import PolicyBox, exact_rows, layout_of
from certify.games.tree import Tree

DEFAULT_PRECISION = 128


@dataclass(frozen=True, eq=False)
class ArbEvaluation:
    """Balls: scalars `value`, `reward`, `entropy`; object arrays `reach` (rows,) and `q`,
    `q_reward`, `gradient`, `local_gradient` (N,)."""

    value: flint.arb
    reward: flint.arb
    entropy: flint.arb
    reach: np.ndarray
    q: np.ndarray
    q_reward: np.ndarray
    gradient: np.ndarray
    local_gradient: np.ndarray

    def to_floats(self) -> dict[str, Enclosure]:
        """Every field as an enclosure with float64 ends, rounded outward."""
        return {name: to_floats(value) for name, value in self.__dict__.items()}


@dataclass(frozen=True, eq=False)
class ArbHessian:
    """Balls: `cross` (N, N) and `diagonal` (N,), as in `ExactHessian`."""

    cross: np.ndarray
    diagonal: np.ndarray


def to_floats(value: Any) -> Enclosure:
    """Float64 ends around one ball or an array of balls."""
    if isinstance(value, flint.arb):
        return Enclosure(*float_ends(value))
    ends = np.array([float_ends(v) for v in value.ravel()]).reshape(*value.shape, 2)
    return Enclosure(ends[..., 0], ends[..., 1])


def _recursion(tree: Tree, policy: Any) -> ObjectRecursion:
    layout = layout_of(tree)
    if isinstance(policy, PolicyBox):
        lower, upper = layout.flat(policy.lower), layout.flat(policy.upper)
        p = _array([ball(Fraction(lo), Fraction(up)) for lo, up in zip(lower, upper, strict=True)])
    else:
        p = _array([to_arb(v) for v in exact_rows(layout, layout.flat(policy))])
    minus_log = _array([-v.log() for v in p])
    terms = _array([_entropy_term(v) for v in p])
    return ObjectRecursion(tree, p, minus_log, layout.row_sums(terms), to_arb, lambda v: to_arb(v).log())


def _array(values: list) -> np.ndarray:
    out = np.empty(len(values), dtype=object)
    out[:] = values
    return out


def _entropy_term(p: flint.arb) -> flint.arb:
    """-p log p over a ball, sound also where it reaches down to 0 (increasing up to 1/e)."""
    if p > 0 and p.is_exact():
        return -p * p.log()
    lower, upper = (max(Fraction(0), v) for v in finite_ends(p))
    ends = [to_arb(Fraction(0)) if v == 0 else -to_arb(v) * to_arb(v).log() for v in (lower, upper)]
    hull = ends[0].union(ends[1])
    outside = p < flint.arb(-1).exp() or p > flint.arb(-1).exp()  # certainly on one side of 1/e
    return hull if outside else hull.union(flint.arb(-1).exp())


def arb_evaluate(
    tree: Tree, policy: Any, alpha: Fraction | int, *, precision: int = DEFAULT_PRECISION
) -> ArbEvaluation:
    """`evaluate` in arb at `precision` bits: a policy or a `PolicyBox`.

    Raises `InputError` as `evaluate` does.

    >>> from certify.games.builtin import builtin
    >>> from certify.games.tree import unroll
    >>> tree = unroll(builtin("lever:2"))
    >>> arb_evaluate(tree, tree.uniform(), 1).to_floats()["reward"].contains(Fraction(1, 2))
    True
    """
    with working_precision(precision):
        run, layout = _recursion(tree, policy), layout_of(tree)
        temperature = to_arb(Fraction(alpha))
        d, p = run.d[layout.row_of_entry], run.policy
        kappa = temperature * _array([to_arb(w) for w in layout.weight])
        scale = _array([to_arb(g) for g in layout.discount]) * p
        reward, entropy = run.weighted(run.U_reward), run.weighted(run.U_entropy)
        local = reward + kappa * d * run.minus_log
        full = local + temperature * entropy

        def centred(part: np.ndarray) -> np.ndarray:
            return scale * (part - layout.row_sums(p * part)[layout.row_of_entry])

        return ArbEvaluation(
            value=run.reward + temperature * run.entropy,
            reward=run.reward,
            entropy=run.entropy,
            reach=run.d,
            q=(reward + temperature * entropy) / d,
            q_reward=reward / d,
            gradient=centred(full),
            local_gradient=centred(local),
        )


def arb_hessian(tree: Tree, policy: Any, alpha: Fraction | int, *, precision: int = DEFAULT_PRECISION) -> ArbHessian:
    """`exact_hessian` in balls, for a policy or a `PolicyBox`.

    >>> from certify.games.builtin import builtin
    >>> from certify.games.tree import unroll
    >>> tree = unroll(builtin("lever:2"))
    >>> arb_hessian(tree, tree.uniform(), 1).cross.shape
    (4, 4)
    """
    with working_precision(precision):
        run, layout = _recursion(tree, policy), layout_of(tree)
        temperature = to_arb(Fraction(alpha))
        U = [r + temperature * e for r, e in zip(run.U_reward, run.U_entropy, strict=True)]
        factor = _array([to_arb(w * g) for w, g in zip(layout.weight, layout.discount, strict=True)])
        return ArbHessian(run.cross_terms(U, temperature), factor * run.d[layout.row_of_entry] / run.policy)
