"""Proofs that a stationary policy exists in a small box: a Krawczyk step
(docs/theory/objective.md#stationary-policies, docs/theory/continuation.md#krawczyk-boxes).

In the log-ratios z_{x,a} = log pi(a|x) / pi(r|x) a policy is stationary exactly if
G(z)_{x,a} = z_{x,a} - (Q_alpha(x,a) - Q_alpha(x,r)) / (alpha w_i) vanishes.  If
K = m - Y G(m) + (I - Y DG(Z)) (Z - m) lies in the interior of Z, Z holds exactly one zero of G,
and it is nondegenerate.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import flint
import numpy as np

from certify.bounds.arb_numbers import arb_ends, ball, to_arb, working_precision
from certify.bounds.evaluate import check_alpha
from certify.bounds.objects import ObjectRecursion
from certify.bounds.policy import Layout, PolicyBox, layout_of
from certify.errors import InputError, Undecided
from certify.games.tree import Tree
from certify.stationary.jets import Jet

_NEWTON_STEPS = 30
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
    region: tuple[_Ratios, flint.arb_mat]

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
    ratios = _Ratios(layout, flat)
    with working_precision(precision):
        middle, inverse = _newton(tree, ratios, alpha, flint.arb_mat(ratios.size, 1, ratios.start(flat)))
        residual = _stationarity(tree, ratios, alpha, middle, slopes=False)[0]
        region, box = _krawczyk(tree, ratios, alpha, middle, inverse, residual)
        return _proof(tree, ratios, alpha, region, box)


def check_size(tree: Tree) -> None:
    """Raises `InputError` where a policy of `tree` has more log-ratios than a Krawczyk step takes."""
    layout = layout_of(tree)
    if (size := layout.size - layout.number_of_rows) > LARGEST:
        raise InputError(tree.game.name, f"{size} log-ratios", f"a Krawczyk step is made for at most {LARGEST}")


class _Ratios:
    """The coordinates: one for every action but the most probable one of each row."""

    def __init__(self, layout: Layout, flat: np.ndarray) -> None:
        self.layout = layout
        bounds = [*layout.row_start.tolist(), layout.size]
        self.rows = [range(lo, hi) for lo, hi in itertools.pairwise(bounds)]
        self.reference = [max(row, key=lambda k: flat[k]) for row in self.rows]
        free = sorted(set(range(layout.size)) - set(self.reference))
        self.size = len(free)
        self.entry = free  # coordinate -> entry of the flat policy
        self.coordinate = {entry: k for k, entry in enumerate(free)}

    def reference_of(self, entry: int) -> int:
        """The entry of the same row that `entry` is compared with."""
        return self.reference[int(self.layout.row_of_entry[entry])]

    def start(self, flat: np.ndarray) -> list[flint.arb]:
        logs = [flint.arb(float(p)).log() for p in flat]
        return [logs[k] - logs[self.reference_of(k)] for k in self.entry]

    def policy(self, z: flint.arb_mat, slopes: bool = True) -> tuple[np.ndarray, np.ndarray]:
        """Jets of pi and -log pi, (N,) each, over the balls `z` (size, 1); constants without `slopes`."""
        pi, minus_log = (np.empty(self.layout.size, dtype=object) for _ in range(2))
        zero = flint.arb(0)
        for row in self.rows:
            value = {k: z[self.coordinate[k], 0] if k in self.coordinate else zero for k in row}
            inverse = {k: sum(((value[b] - value[k]).exp() for b in row if b != k), flint.arb(1)) for k in row}
            p = {k: 1 / inverse[k] for k in row}
            for k in row:
                if not slopes:
                    minus_log[k], pi[k] = Jet(inverse[k].log()), Jet(p[k])
                    continue
                slope = flint.arb_mat(1, self.size)
                for b in row:
                    if b in self.coordinate:
                        slope[0, self.coordinate[b]] = p[b] - (1 if b == k else 0)
                minus_log[k] = Jet(inverse[k].log(), slope)
                pi[k] = Jet(p[k], slope * (-p[k]))
        return pi, minus_log


def _constant(value: Fraction) -> Jet:
    return Jet(to_arb(value))


def _stationarity(
    tree: Tree, ratios: _Ratios, alpha: Fraction, z: flint.arb_mat, slopes: bool = True
) -> tuple[flint.arb_mat, flint.arb_mat]:
    """G (size, 1) and DG (size, size), enclosed over the balls `z`; without `slopes` DG is not made."""
    layout = ratios.layout
    pi, minus_log = ratios.policy(z, slopes)
    entropy = layout.row_sums(pi * minus_log)
    run = ObjectRecursion(tree, pi, minus_log, entropy, _constant)
    temperature = _constant(alpha)
    weighted = run.weighted(run.U_reward) + temperature * run.weighted(run.U_entropy)
    q = weighted / run.d[layout.row_of_entry]
    value, slope = flint.arb_mat(ratios.size, 1), flint.arb_mat(ratios.size, ratios.size)
    for c, k in enumerate(ratios.entry):
        kappa = to_arb(alpha * layout.weight[k])
        difference = q[k] - q[ratios.reference_of(k)]
        value[c, 0] = z[c, 0] - difference.value / kappa
        if not slopes:
            continue
        for b in range(ratios.size):
            derivative = flint.arb(0) if difference.slope is None else difference.slope[0, b]
            slope[c, b] = (1 if b == c else 0) - derivative / kappa
    return value, slope


def _newton(tree: Tree, ratios: _Ratios, alpha: Fraction, z: flint.arb_mat) -> tuple[flint.arb_mat, flint.arb_mat]:
    """Midpoints near a zero of G, and an approximate inverse of DG there (neither is trusted).

    DG is the dear part: it is kept while steps shrink well.
    """
    size = ratios.size
    inverse, last = None, np.inf
    for _ in range(_NEWTON_STEPS):
        z = _midpoints(z)
        value, slope = _stationarity(tree, ratios, alpha, z, slopes=inverse is None)
        if inverse is None:
            try:
                inverse = _midpoints(_midpoints(slope).inv())
            except ZeroDivisionError:
                raise Undecided("the Jacobian is singular at the approximate policy") from None
        step = inverse * value
        length = max((float(abs(step[k, 0].mid())) for k in range(size)), default=0.0)
        if not np.isfinite(length) or length > 50:
            raise Undecided("Newton's method leaves the neighbourhood of the approximate policy")
        z = z - step
        if length < 2.0 ** (-flint.ctx.prec // 2):
            return _midpoints(z), inverse
        if length > last / 100:
            inverse = None
        last = length
    raise Undecided(f"Newton's method does not settle: its last step was {last:.2g}")


def _midpoints(matrix: flint.arb_mat) -> flint.arb_mat:
    return flint.arb_mat(matrix.nrows(), matrix.ncols(), [entry.mid() for entry in matrix.entries()])


def _krawczyk(
    tree: Tree, ratios: _Ratios, alpha: Fraction, middle: flint.arb_mat, inverse: flint.arb_mat, residual: flint.arb_mat
) -> tuple[flint.arb_mat, flint.arb_mat]:
    """Boxes of log-ratios (size, 1): one that holds exactly one zero of G, one within it around the zero."""
    size = ratios.size
    newton = middle - inverse * residual
    smallest = to_arb(Fraction(1, 2 ** (2 * flint.ctx.prec // 3)))
    radius = [abs(newton[k, 0] - middle[k, 0]).upper() * 2 + smallest for k in range(size)]
    identity = flint.arb_mat(size, size, [int(k == b) for k in range(size) for b in range(size)])
    for _ in range(_INFLATIONS):
        spread = flint.arb_mat(size, 1, [flint.arb(0, r) for r in radius])
        box = middle + spread
        _, slope = _stationarity(tree, ratios, alpha, box)
        image = newton + (identity - inverse * slope) * spread
        if all(box[k, 0].contains_interior(image[k, 0]) for k in range(size)):
            return box, image
        radius = [(abs(image[k, 0] - middle[k, 0]).upper() * 2 + smallest) for k in range(size)]
        if not all(r.is_finite() for r in radius):
            break
    raise Undecided("the Krawczyk step does not map the box into its interior")


def _proof(tree: Tree, ratios: _Ratios, alpha: Fraction, region: flint.arb_mat, box: flint.arb_mat) -> StationaryProof:
    pi, _ = ratios.policy(box)
    ends = [arb_ends(jet.value) for jet in pi]
    lower, upper = (np.array([end[k] for end in ends], dtype=object) for k in range(2))
    nested = PolicyBox(ratios.layout.nested(lower), ratios.layout.nested(upper))
    return StationaryProof(tree, alpha, nested, lower, upper, max((upper - lower) / 2), (ratios, region))
