"""The Hessian form D^2 J_alpha at a policy or over a box of policies, enclosed
(docs/theory/hessian.md#the-second-derivative-formula).

On directions v whose rows sum to 0, D^2J[v,v] = v C v - alpha sum_k diagonal_k v_k^2 with the cross
terms C and diagonal = w gamma^t d/pi; in the coordinates y = v sqrt(diagonal) this is
y (M - alpha) y.  C is not unique off those directions: functions u(x, x', a) + u'(x, x', a') may
be added to it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
from scipy import sparse

from certify.bounds.arb_evaluate import arb_hessian, to_floats
from certify.bounds.enclosure import Enclosure
from certify.bounds.evaluate import check_alpha, float_values
from certify.bounds.interval_values import VALUE, BoxValues, box_values, d_bounds, others_bound
from certify.bounds.point import PointValues
from certify.bounds.policy import Layout, Point, layout_of, read_policy
from certify.bounds.recursion import others_average, split
from certify.bounds.rounding import LOG_ROUNDINGS, UNIT, log, outward
from certify.bounds.second_order import check_size, cross_sums, through
from certify.bounds.tables import LevelTable, Tables
from certify.errors import InputError
from certify.games.tree import Tree


@dataclass(frozen=True, eq=False)
class HessianForm:
    """Enclosures of the form, rows and columns in the order of `layout`.

    Attributes
    ----------
    mid, radius : (N, N) float64, symmetric.  For every policy of the set some matrix C of cross
        terms lies within `radius` of `mid`.
    diagonal : enclosure of (N,) w_i gamma^t d(x)/pi(a|x).
    alpha : the temperature.  stationary : whether only stationary policies are meant.
    """

    mid: np.ndarray
    radius: np.ndarray
    diagonal: Enclosure
    layout: Layout
    alpha: Fraction
    stationary: bool

    @cached_property
    def cross(self) -> Enclosure:
        """C as an enclosure with lower and upper ends."""
        return Enclosure(*outward(self.mid, self.radius))

    @cached_property
    def metric(self) -> Enclosure:
        """M = C / sqrt(diagonal diagonal'): `y M y` is right for y orthogonal to sqrt(pi) in
        every row.

        At a policy this is the projected matrix itself.  The ends of `diagonal` bound the scale.
        Roundings of mid: two of the products (2.01 u of it).  Of an end: one, at most u times
        |mid| + radius and a little.  Of the radius: six.  12 u of |mid| and 16 u of the radius cover
        them all; products that underflow, each less than 2^-1074 off, are covered by 2^-1000.
        """
        high, low = 1.0 / np.sqrt(self.diagonal.lower), 1.0 / np.sqrt(self.diagonal.upper)
        high, low = high * (1 + 4 * UNIT), low * (1 - 4 * UNIT)
        scale = (high + low) / 2
        spread = float((high / scale).max()) - 1.0 + 4 * UNIT  # relative, the same for all entries
        both = np.multiply.outer(scale, scale)
        mid = self.mid * both
        both *= self.radius
        both *= (1 + spread) * (1 + spread) * (1 + 16 * UNIT)
        size = np.abs(mid)
        size *= (2 * spread + spread * spread) * (1 + 16 * UNIT) + 12 * UNIT
        both += size
        both += 2.0**-1000
        # no nextafter: it would cost as much as all of the above
        return Enclosure(np.subtract(mid, both, out=size), np.add(mid, both, out=both))

    def quadratic(self, v: np.ndarray) -> Enclosure:
        """Enclosure of D^2J[v, v] for float64 v (N,), every row of which sums to exactly 0.

        Raises `InputError` otherwise.  Rounding: N^2 + N products of three numbers, each summed
        at most N^2 times, so 1.02 (N^2 + N + 8) u of the sum of absolute values.
        """
        v = np.asarray(v, dtype=np.float64)
        if v.shape != (self.layout.size,) or any(math.fsum(v[part]) != 0.0 for part in _row_slices(self.layout)):
            raise InputError("direction", "a vector whose rows do not sum to 0", "make every row sum to exactly 0")
        alpha, size = float(self.alpha), np.abs(v)
        units = 1.02 * (len(v) * len(v) + len(v) + 8) * UNIT
        cross = float(v @ self.mid @ v)
        spread = float(size @ self.radius @ size) * (1 + units) + units * float(size @ np.abs(self.mid) @ size)
        own = [alpha * float((end * v * v).sum()) for end in (self.diagonal.lower, self.diagonal.upper)]
        low = cross - spread - own[1] * (1 + units)
        high = cross + spread - own[0] * (1 - units)
        slack = 8 * UNIT * (abs(cross) + spread + own[1])
        return Enclosure(math.nextafter(low - slack, -math.inf), math.nextafter(high + slack, math.inf))


def _row_slices(layout: Layout) -> list[slice]:
    ends = [*layout.row_start[1:], layout.size]
    return [slice(a, b) for a, b in zip(layout.row_start, ends, strict=True)]


def hessian(tree: Tree, policy: Any, alpha: Fraction | int, *, stationary: bool = False) -> HessianForm:
    """The Hessian form at a policy or over a `PolicyBox` (positive lower ends).

    With `stationary=True` the enclosure is claimed for the stationary policies of the set only:
    there all blocks between AOHs of one agent vanish and are set to 0
    (docs/theory/hessian.md#the-second-derivative-formula). Raises `InputError` as `evaluate` does, for boxes that
    touch the boundary of the policy space, and where an (N, N) matrix would not fit.

    >>> from certify.games.builtin import builtin
    >>> from certify.games.tree import unroll
    >>> tree = unroll(builtin("lever:2"))
    >>> form = hessian(tree, tree.uniform(), Fraction(1, 2))
    >>> form.quadratic(np.array([1.0, -1, 1, -1])).contains(0)  # 4 - 8 alpha
    True
    """
    alpha = check_alpha(alpha)
    layout = layout_of(tree)
    check_size(layout)
    read = read_policy(tree, policy)
    if not isinstance(read, Point) and read.lower.min() <= 0:
        raise InputError("policy box", "a lower end of 0", "give positive lower ends: the form is unbounded there")
    ready = float_values(tree, layout, read, alpha)
    if ready is None:
        mid, radius, diagonal = _from_arb(tree, policy, alpha)
    elif isinstance(read, Point):
        mid, radius, diagonal = _at_point(*ready, layout)
    else:
        mid, radius, diagonal = _over_box(
            ready[0], layout, box_values(ready[0], layout, read, float(alpha)), float(alpha)
        )
    if stationary:
        same = layout.agent[:, None] == layout.agent[None, :]
        mid, radius = np.where(same, 0.0, mid), np.where(same, 0.0, radius)
    return HessianForm(mid, radius, diagonal, layout, alpha, stationary)


def _at_point(tables: Tables, at: PointValues, layout: Layout) -> tuple[np.ndarray, np.ndarray, Enclosure]:
    """Everything nonnegative, then projected: C - row means - column means + both.

    All four are nonnegative sums of the same defect, so the radius is the same expression with
    plus signs.  An error of epsilon in every logarithm (`point`) is one of at most
    alpha epsilon mass_t in every F; F is raised by a constant (which projection removes) so that
    this is at most `relative` F, and the radius doubled for it.
    """
    later, equal = [], []
    for t, level in enumerate(tables.levels):
        raised = at.alpha * at.epsilon * tables.entropy_mass[t] / at.relative
        factors, agents = at.back.factors[t], range(len(level.counts))
        own = at.own + raised
        later.append([at.back.means[t][j] + own.take(level.entry[j]) for j in agents])
        equal.append(
            {(i, j): others_average(level, at.back.U[t], factors, i, j) + raised for j in agents for i in range(j)}
        )
    rho = through(tables, at.back.factors, at.reach)
    C = cross_sums(tables, layout, rho, at.reach, later, equal)
    row, ends = layout.row_of_entry, np.append(layout.row_start, layout.size)
    average = sparse.csr_array((at.policy, np.arange(layout.size), ends), shape=(len(ends) - 1, layout.size))
    mean = average @ C
    both = average @ mean.T
    both = (both + both.T) / 2  # it is symmetric but for its rounding: what is returned is, exactly
    work = mean.take(row, axis=0)  # the same few large arrays throughout: fresh ones cost more than the sums
    means = work + work.T
    C += np.take(both.take(row, axis=0), row, axis=1, out=work, mode="clip")
    radius = np.add(C, means, out=work)
    radius *= 2 * at.relative + 16 * UNIT
    C -= means
    diagonal = tables.entry_weight * tables.entry_discount * at.d[layout.row_of_entry] / at.policy
    return C, radius, Enclosure(*outward(diagonal, diagonal * (at.relative + 8 * UNIT)))


def _own_log(tables: Tables, level: LevelTable, minus_log: np.ndarray, alpha: float, j: int) -> np.ndarray:
    """(E, A_j) alpha w_j (-log pi_j), the one term of its own step that a later agent keeps."""
    return alpha * tables.weight[j] * minus_log[level.entries[j]].reshape(level.shapes[j])[level.joint[j]]


def _over_box(tables: Tables, layout: Layout, at: BoxValues, alpha: float) -> tuple[np.ndarray, np.ndarray, Enclosure]:
    """Midpoint-radius sums: rho in [rho_m - rho_r, rho_m + rho_r], F likewise, so the sums of
    rho F lie within sum rho^up F_r + rho_r |F_m| of sum rho_m F_m, whose own rounding error is at
    most `relative` times sum rho_m |F_m|.

    What does not depend on a later agent's own action is a function of the past and of the
    others, and is taken off U before the others' policies are averaged over: bounded are
    differences in the own action, not values."""
    units = (LOG_ROUNDINGS + 8) * UNIT  # alpha and w rounded, and the products
    logs = (-log(at.box.upper) * (1 - units), -log(at.box.lower) * (1 + units))
    middle = [split(level, (at.box.lower + at.box.upper) / 2) for level in tables.levels]
    later, equal = [], []
    for t, level in enumerate(tables.levels):
        U = _middle(*(u[VALUE] for u in at.U[t]))
        factors, agents, own = [f[t] for f in at.factors], range(len(level.counts)), middle[t]
        F = []
        for j in agents:
            means = others_bound(level, outward(*_centred(*U, own[j], 1 + j)), factors, (j,))
            ends = [mean + _own_log(tables, level, log_, alpha, j) for mean, log_ in zip(means, logs, strict=True)]
            F.append(_centred(*_middle(*ends), own[j].reshape(level.size, -1), 1))
        later.append(F)
        equal.append(
            {
                (i, j): _middle(
                    *others_bound(
                        level, outward(*_centred(*_centred(*U, own[i], 1 + i), own[j], 1 + j)), factors, (i, j)
                    )
                )
                for j in agents
                for i in range(j)
            }
        )
    ends = [through(tables, at.factors[k], [r[k] for r in at.reach]) for k in range(2)]
    rel = at.relative
    rho = [_spread_of(low * (1 - 2 * rel), high * (1 + 2 * rel), rel) for low, high in zip(*ends, strict=True)]
    reach = [_spread_of(low, high, rel) for low, high in at.reach]

    def sums(part: int, F_part) -> np.ndarray:
        return cross_sums(
            tables,
            layout,
            [r[part] for r in rho],
            [r[part] for r in reach],
            [[F_part(f) for f in level] for level in later],
            [{key: F_part(f) for key, f in level.items()} for level in equal],
        )

    mid = sums(0, lambda f: f[0])
    radius = (sums(1, lambda f: f[1]) + sums(2, lambda f: np.abs(f[0]))) * (1 + 4 * rel) + 1e-300
    d = [v[layout.row_of_entry] * tables.entry_weight * tables.entry_discount for v in d_bounds(tables, layout, at)]
    with np.errstate(
        divide="ignore", invalid="ignore"
    ):  # a probability that underflows: infinite or nan, never decided
        return mid, radius, Enclosure(d[0] / at.box.upper * (1 - 16 * UNIT), d[1] / at.box.lower * (1 + 16 * UNIT))


def _middle(low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(mid, radius) of [low, high], each end first moved out by the rounding of its last sum."""
    mid = (low + high) / 2
    return mid, (high - low) / 2 + 16 * UNIT * (np.abs(low) + np.abs(high))


def _spread_of(low: Any, high: Any, relative: float) -> tuple[Any, Any, Any]:
    """(mid, upper, radius + 2 relative upper) of nonnegative ends, dense or sparse."""
    return (low + high) / 2, high, (high - low) / 2 + high * (2 * relative + 8 * UNIT)


def _centred(mid: np.ndarray, radius: np.ndarray, weights: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """mid less a function of all but `axis`, near its weighted mean (any would do); rounding added."""
    mean = (mid * weights).sum(axis=axis, keepdims=True)
    return mid - mean, radius + 4 * UNIT * (np.abs(mid) + np.abs(mean))


def _from_arb(tree: Tree, policy: Any, alpha: Fraction) -> tuple[np.ndarray, np.ndarray, Enclosure]:
    form = arb_hessian(tree, policy, alpha)
    cross, diagonal = to_floats(form.cross), to_floats(form.diagonal)
    mid = cross.lower / 2 + cross.upper / 2
    radius = np.maximum(cross.upper - mid, mid - cross.lower)
    return mid, np.nextafter(radius, np.inf), diagonal
