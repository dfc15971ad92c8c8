"""The one Krawczyk step of the search side, in balls (docs/theory/continuation.md#krawczyk-boxes).

In the log-ratios z_{x,a} = log pi(a|x) / pi(r|x) a policy is stationary exactly if
G(z)_{x,a} = z_{x,a} - (Q(x,a) - Q(x,r)) / w_i vanishes, Q = beta Q^R + Q^H (without Q^H under the local bonus).  If
K = m - Y G(m) + (I - Y DG(Z)) (Z - m) lies in the interior of Z, Z holds exactly one zero of G,
and it is nondegenerate.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import flint
import numpy as np

from certify.bounds.arb_numbers import to_arb
from certify.bounds.objects import ObjectRecursion
from certify.bounds.policy import Layout
from certify.errors import Undecided
from certify.games.tree import Tree
from certify.stationary.jets import Jet

_NEWTON_STEPS = 30
_FARTHEST = 50  # of a Newton step: beyond it the start was none


class Ratios:
    """The coordinates: one for every action but the reference of its row."""

    def __init__(self, layout: Layout, reference: list[int]) -> None:
        """`reference` : per row the entry of the flat policy that the others are compared with."""
        self.layout, self.reference = layout, reference
        self.rows = [range(lo, hi) for lo, hi in pairwise([*layout.row_start.tolist(), layout.size])]
        free = sorted(set(range(layout.size)) - set(reference))
        self.size = len(free)
        self.entry = free  # coordinate -> entry of the flat policy
        self.coordinate = {entry: k for k, entry in enumerate(free)}

    @classmethod
    def around(cls, layout: Layout, flat: np.ndarray) -> Ratios:
        """Against the most probable action of each row of `flat` (N,)."""
        rows = pairwise([*layout.row_start.tolist(), layout.size])
        return cls(layout, [max(range(lo, hi), key=lambda k: flat[k]) for lo, hi in rows])

    def reference_of(self, entry: int) -> int:
        """The entry of the same row that `entry` is compared with."""
        return self.reference[int(self.layout.row_of_entry[entry])]

    def start(self, flat: np.ndarray) -> list[flint.arb]:
        """The log-ratios of a float policy (N,)."""
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


def stationarity(
    tree: Tree, ratios: Ratios, beta: Fraction, z: flint.arb_mat, slopes: bool = True
) -> tuple[flint.arb_mat, flint.arb_mat]:
    """G (size, 1) and DG (size, size), enclosed over the balls `z`; without `slopes` DG is not made."""
    layout = ratios.layout
    pi, minus_log = ratios.policy(z, slopes)
    entropy = layout.row_sums(pi * minus_log)
    run = ObjectRecursion(tree, pi, minus_log, entropy, _constant, lambda v: Jet(to_arb(v).log()))
    weighted = _constant(beta) * run.weighted(run.U_reward)
    weighted = weighted + run.weighted(run.U_entropy if tree.game.flows_back else run.tilts())
    q = weighted / run.d[layout.row_of_entry]
    value, slope = flint.arb_mat(ratios.size, 1), flint.arb_mat(ratios.size, ratios.size)
    for c, k in enumerate(ratios.entry):
        weight = to_arb(Fraction(layout.weight[k]))
        difference = q[k] - q[ratios.reference_of(k)]
        value[c, 0] = z[c, 0] - difference.value / weight
        if not slopes:
            continue
        for b in range(ratios.size):
            derivative = flint.arb(0) if difference.slope is None else difference.slope[0, b]
            slope[c, b] = (1 if b == c else 0) - derivative / weight
    return value, slope


def newton(tree: Tree, ratios: Ratios, beta: Fraction, z: flint.arb_mat) -> tuple[flint.arb_mat, flint.arb_mat]:
    """Midpoints near a zero of G, and an approximate inverse of DG there (neither is trusted).

    DG is the dear part: it is kept while steps shrink well.
    """
    size = ratios.size
    inverse, last = None, np.inf
    for _ in range(_NEWTON_STEPS):
        z = midpoints(z)
        value, slope = stationarity(tree, ratios, beta, z, slopes=inverse is None)
        if inverse is None:
            try:
                inverse = midpoints(midpoints(slope).inv())
            except ZeroDivisionError:
                raise Undecided("the Jacobian is singular at the approximate policy") from None
        step = inverse * value
        length = max((float(abs(step[k, 0].mid())) for k in range(size)), default=0.0)
        if not np.isfinite(length) or length > _FARTHEST:
            raise Undecided("Newton's method leaves the neighbourhood of the approximate policy")
        z = z - step
        if length < 2.0 ** (-flint.ctx.prec // 2):
            return midpoints(z), inverse
        if length > last / 100:
            inverse = None
        last = length
    raise Undecided(f"Newton's method does not settle: its last step was {last:.2g}")


def midpoints(matrix: flint.arb_mat) -> flint.arb_mat:
    """The matrix without its radii."""
    return flint.arb_mat(matrix.nrows(), matrix.ncols(), [entry.mid() for entry in matrix.entries()])


def krawczyk_image(
    tree: Tree,
    ratios: Ratios,
    beta: Fraction,
    centre: flint.arb_mat,
    radius: list[flint.arb],
    inverse: flint.arb_mat,
    residual: flint.arb_mat,
) -> tuple[flint.arb_mat, flint.arb_mat]:
    """The box (size, 1) of that centre and radius, and its Krawczyk image; `residual` is G at the centre.

    `inverse` may be any matrix; the nearer to that of DG at the centre, the smaller the image.
    """
    size = ratios.size
    spread = flint.arb_mat(size, 1, [flint.arb(0, r) for r in radius])
    box = centre + spread
    _, slope = stationarity(tree, ratios, beta, box)
    identity = flint.arb_mat(size, size, [int(k == b) for k in range(size) for b in range(size)])
    return box, centre - inverse * residual + (identity - inverse * slope) * spread


def maps_inside(box: flint.arb_mat, image: flint.arb_mat) -> bool:
    """Whether the image certainly lies in the interior of the box; False where that is not shown."""
    return all(box[k, 0].contains_interior(image[k, 0]) for k in range(box.nrows()))
