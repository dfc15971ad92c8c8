"""Proofs that a stationary policy exists in a small box around floats: Newton's method polishes them, a
Krawczyk step proves what it found (docs/theory/continuation.md#krawczyk-boxes).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import flint
import numpy as np

from certify.bounds.arb_numbers import arb_ends, ball, to_arb, working_precision
from certify.bounds.evaluate import check_alpha
from certify.bounds.policy import PolicyBox, layout_of
from certify.errors import InputError, Undecided
from certify.games.tree import Tree
from certify.stationary.krawczyk import Ratios, krawczyk_image, maps_inside, newton, stationarity

_INFLATIONS = 4
_COMPARISON_BITS = 400
LARGEST = 400  # log-ratios; the dense Jacobian in jets grows with the square


@dataclass(frozen=True, eq=False)
class StationaryProof:
    """`policy` (a `PolicyBox` of `Fraction`s) holds exactly one stationary policy at `alpha`.

    `lower`, `upper` : (N,) object arrays, its rational ends in the order of `Layout`.
    `radius` : the largest half-width of an entry of the policy.
    `region` : the larger box of log-ratios in which it is the only one, with its coordinates.
    """

    tree: Tree
    alpha: Fraction
    policy: PolicyBox
    lower: np.ndarray
    upper: np.ndarray
    radius: Fraction
    region: tuple[Ratios, flint.arb_mat]

    def has_only(self, lower: np.ndarray, upper: np.ndarray) -> bool:
        """Whether every stationary policy in the box `lower`, `upper` (N,) certainly is this one.

        False means not proved.
        """
        ratios, region = self.region
        if min(lower) <= 0:
            return False
        with working_precision(_COMPARISON_BITS):
            logs = [ball(lo, up).log() for lo, up in zip(lower, upper, strict=True)]
            return all(
                region[c, 0].contains(logs[k] - logs[ratios.reference_of(k)]) for c, k in enumerate(ratios.entry)
            )


def prove_stationary(tree: Tree, alpha: Fraction | int, approx_policy: Any, *, precision: int = 192) -> StationaryProof:
    """A box around `approx_policy` (nested float tables of full support) with exactly one stationary policy.

    Newton's method polishes the policy in balls' midpoints, a Krawczyk step proves it.  Raises
    `Undecided` where Newton does not settle or the step does not contract (a fold, a poor start),
    and `InputError` for more than 400 log-ratios and for policies that do not fit the tree.

    >>> from certify.games import builtin
    >>> from certify.games.tree import unroll
    >>> tree = unroll(builtin("lever:2"))
    >>> proof = prove_stationary(tree, Fraction(1, 4), [[np.array([[0.98, 0.02]])], [np.array([[0.97, 0.03]])]])
    >>> bool(proof.lower[0] > Fraction(9, 10)), proof.radius < Fraction(1, 10**30)
    (True, True)
    """
    alpha = check_alpha(alpha)
    layout = layout_of(tree)
    flat = layout.flat(approx_policy).astype(np.float64)
    if not (np.isfinite(flat).all() and flat.min() > 0):
        raise InputError("policy", "an entry that is not positive", "give every action a positive probability")
    check_size(tree)
    ratios, beta = Ratios.around(layout, flat), 1 / alpha
    with working_precision(precision):
        middle, inverse = newton(tree, ratios, beta, flint.arb_mat(ratios.size, 1, ratios.start(flat)))
        residual = stationarity(tree, ratios, beta, middle, slopes=False)[0]
        region, box = _krawczyk(tree, ratios, beta, middle, inverse, residual)
        return _proof(tree, ratios, alpha, region, box)


def check_size(tree: Tree) -> None:
    """Raises `InputError` where a policy of `tree` has more log-ratios than a Krawczyk step takes."""
    layout = layout_of(tree)
    if (size := layout.size - layout.number_of_rows) > LARGEST:
        raise InputError(tree.game.name, f"{size} log-ratios", f"a Krawczyk step is made for at most {LARGEST}")


def _krawczyk(
    tree: Tree, ratios: Ratios, beta: Fraction, middle: flint.arb_mat, inverse: flint.arb_mat, residual: flint.arb_mat
) -> tuple[flint.arb_mat, flint.arb_mat]:
    """Boxes of log-ratios (size, 1): one that holds exactly one zero of G, one within it around the zero."""
    moved = inverse * residual
    smallest = to_arb(Fraction(1, 2 ** (2 * flint.ctx.prec // 3)))
    radius = [abs(moved[k, 0]).upper() * 2 + smallest for k in range(ratios.size)]
    for _ in range(_INFLATIONS):
        box, image = krawczyk_image(tree, ratios, beta, middle, radius, inverse, residual)
        if maps_inside(box, image):
            return box, image
        radius = [abs(image[k, 0] - middle[k, 0]).upper() * 2 + smallest for k in range(ratios.size)]
        if not all(r.is_finite() for r in radius):
            break
    raise Undecided("the Krawczyk step does not map the box into its interior")


def _proof(tree: Tree, ratios: Ratios, alpha: Fraction, region: flint.arb_mat, box: flint.arb_mat) -> StationaryProof:
    pi, _ = ratios.policy(box)
    ends = [arb_ends(jet.value) for jet in pi]
    lower, upper = (np.array([end[k] for end in ends], dtype=object) for k in range(2))
    nested = PolicyBox(ratios.layout.nested(lower), ratios.layout.nested(upper))
    return StationaryProof(tree, alpha, nested, lower, upper, max((upper - lower) / 2), (ratios, region))
