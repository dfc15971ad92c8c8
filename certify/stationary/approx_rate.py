"""The exponential rate of the softmax flow at a stationary policy, in floats: the least eigenvalue of
minus the Hessian of J in the logits, on directions whose rows sum to 0 (docs/theory/objective.md#stationary-policies,
docs/theory/hessian.md#the-rate).

At a stationary policy Hess_theta = S D^2J S with S = diag(pi) - pi pi^T per row.  What is claimed from
it is proved by a checker.
"""

from __future__ import annotations

import itertools
from fractions import Fraction
from typing import Any

import numpy as np
from scipy.linalg import block_diag, eigvalsh

from certify.bounds.hessian import hessian
from certify.bounds.other_names import other_names
from certify.bounds.policy import layout_of
from certify.games.tree import Tree
from certify.stationary.approx_equations import ApproxEquations


def approx_rate(tree: Tree, policy: Any, alpha: Fraction) -> float | None:
    """The rate on an unclustered tree, at float tables near a stationary policy; None without directions.

    >>> from certify.games import builtin
    >>> from certify.games.tree import unroll
    >>> tree = unroll(builtin("lever:2"), cluster=False)
    >>> round(approx_rate(tree, tree.uniform(), Fraction(1)), 12)  # (alpha - 1/2)/2
    0.25
    """
    layout = layout_of(tree)
    flat = layout.flat(policy).astype(np.float64)
    ends = [*layout.row_start.tolist(), layout.size]
    rows = [flat[a:b] for a, b in itertools.pairwise(ends)]
    meant = other_names(tree).meant
    frame = block_diag(*(_frame(meant[a:b] - a) for a, b in itertools.pairwise(ends)))
    if not frame.shape[1]:
        return None
    softmax = block_diag(*(np.diag(p) - np.outer(p, p) for p in rows)) @ frame
    if not tree.game.flows_back:
        return _local_rate(tree, flat, frame, float(alpha)) * float(alpha)
    form = hessian(tree, policy, alpha, stationary=True)
    diagonal = (form.diagonal.lower + form.diagonal.upper) / 2 * float(alpha)
    minus_hessian = softmax.T @ (np.diag(diagonal) - form.mid) @ softmax
    return float(eigvalsh((minus_hessian + minus_hessian.T) / 2, subset_by_index=[0, 0])[0])


def _local_rate(tree: Tree, flat: np.ndarray, frame: np.ndarray, alpha: float) -> float:
    """The least eigenvalue of the symmetric part of S W (I - DG), the Jacobian of the plain flow of the local bonus
    over minus alpha (docs/theory/local-bonus.md#the-form)."""
    eq = ApproxEquations(tree)
    z = eq.ratios(flat[:, None])[:, 0]
    pi, same = flat[eq.entry], eq.row[:, None] == eq.row[None]
    weight = eq.scale * eq.layout.discount[eq.entry].astype(np.float64) * eq.reach(z)
    form = weight[:, None] * ((np.diag(pi) - np.outer(pi, pi) * same) @ eq.linearised(z, 1 / alpha)[1])
    ratios = frame[eq.entry] - frame[eq.last]
    found = ratios.T @ (form + form.T) @ ratios / 2
    return float(eigvalsh(found, subset_by_index=[0, 0])[0])


def _frame(meant: np.ndarray) -> np.ndarray:
    """(actions, legal actions - 1): an orthonormal basis of the logits of the legal actions that sum to 0, as logits
    of all their names; `meant` : (actions,) the legal action that each one is a name of."""
    legal, column = np.unique(meant, return_inverse=True)
    count = len(legal)
    return np.linalg.svd(np.eye(count) - 1 / count)[0][column, : count - 1]
