"""Verifies the exponential rate of the softmax flow at a stationary policy: a lower bound on the
eigenvalues of minus the Hessian of J in the logits of the whole table, AOH by AOH, on directions whose
rows sum to 0 (format, section 8.3; docs/theory/objective.md#stationary-policies, docs/theory/hessian.md#the-rate).

At a stationary policy blocks between AOHs of one agent vanish, and with S = diag(pi) - pi pi^T per row

    -beta u^T Hess u = sum_x w gamma^t d(x) u_x^T S_x u_x - sum (S u)_x^T C (S u)_x',

C the mean of what follows, over pairs of AOHs of different agents on one trajectory.
"""

from collections.abc import Sequence
from fractions import Fraction
from itertools import accumulate as running_sums

from certify.checker.numbers.interval import BITS, UNIT, ZERO, Interval, total
from certify.checker.numbers.positive_definite import positive_definite
from certify.checker.reading.envelope import Failed
from certify.checker.reading.process import Process
from certify.checker.stationary.equations import Equations, Jet, Rows, Slopes, accumulate, rows_of, scaled

MAX_LOGITS = 700
_KEPT_BITS = 100  # behind the point, of the matrix that is shown to be positive definite


def check_size(merged: Process) -> None:
    """`Failed` where the whole table of the game behind the clustered process `merged` has too many logits."""
    count = 0
    members: list[list[int]] = []
    for t in range(merged.horizon):
        layer = []
        for i in range(merged.agents):
            row = [0] * merged.classes[t][i]
            for (before, _, _), k in merged.children[t][i].items():
                row[k] += members[i][before] if t else 1
            count += sum(row) * merged.actions[t][i]
            layer.append(row)
        members = layer
    if count > MAX_LOGITS:
        raise Failed(f"{count} logits, more than the {MAX_LOGITS} of this checker", step="rate")


def rows_in(process: Process, merged: Process) -> list[int]:
    """Per row of `process` (every AOH a class of its own) the row of the clustered process `merged`."""
    number = {name: x for x, name in enumerate(rows_of(merged))}
    classes: list[list[list[int]]] = []
    for t in range(process.horizon):
        layer = []
        for i in range(process.agents):
            row = [0] * process.classes[t][i]
            for (before, a, o), k in process.children[t][i].items():
                key = (classes[t - 1][i][before], a, o) if t else (0, 0, o)
                row[k] = merged.children[t][i][key]
            layer.append(row)
        classes.append(layer)
    return [number[i, t, classes[t][i][k]] for i, t, k in rows_of(process)]


def is_definite(process: Process, policy: tuple[Rows, Rows], beta: Fraction, rate: Fraction) -> bool:
    """Whether every eigenvalue of minus the Hessian is certainly above `rate` at a stationary policy of `process`;
    `policy` = (pi, -log pi), intervals per row of it.  On the whole table where `process` is unclustered."""
    middle, spread = tangent_form(process, policy, beta, rate)
    for k, radius in enumerate(spread):
        middle[k][k] -= radius
    return positive_definite(middle)


def tangent_form(
    process: Process, policy: tuple[Rows, Rows], beta: Fraction, rate: Fraction
) -> tuple[list[list[int]], list[int]]:
    """(middle, spread) of minus beta times (the Hessian plus `rate`) at a stationary policy of `process`, on
    logits whose rows sum to 0, the last of each row left out: |u^T form u - u^T middle u| <= sum spread u^2.
    """
    pi = policy[0]
    if sum(map(len, pi)) > MAX_LOGITS:
        raise Failed(f"{sum(map(len, pi))} logits, more than the {MAX_LOGITS} of this checker", step="rate")
    form = _Form(process, policy, beta)
    rows = form.values.rows
    *offsets, size = running_sums((len(row) - 1 for row in pi), initial=0)
    matrix = {}
    for x, (i, _, _) in enumerate(rows):
        weight = scaled(form.reach[x], process.weights[i])
        block = [
            [p * ((UNIT if a == b else ZERO) - q) * weight for b, q in enumerate(pi[x])] for a, p in enumerate(pi[x])
        ]
        for a in range(len(block)):
            block[a][a] = block[a][a] - Interval.of(beta * rate)
        matrix[x, x] = block
    for (x, y), block in form.cross.items():
        moved = _sandwich(pi[x], block, pi[y])
        matrix[x, y] = [[ZERO - entry for entry in row] for row in moved]
    shift = BITS - _KEPT_BITS
    middle = [[0] * size for _ in range(size)]
    spread = [0] * size
    for (x, y), block in matrix.items():
        for a, row in enumerate(_tangent(block)):
            for b, entry in enumerate(row):
                k, l = offsets[x] + a, offsets[y] + b
                if x == y and l < k:
                    continue
                middle[k][l] = middle[l][k] = entry.lo + entry.hi >> shift + 1
                radius = (entry.hi - entry.lo >> shift + 1) + 2
                spread[k] += radius
                if k != l:
                    spread[l] += radius
    return middle, spread


def _tangent(block: Rows) -> Rows:
    """The block on directions that sum to 0: the last coordinate is minus the sum of the others."""
    last = [row[-1] for row in block]
    half = [[entry - z for entry in row[:-1]] for row, z in zip(block, last, strict=True)]
    return [[entry - z for entry, z in zip(row, half[-1], strict=True)] for row in half[:-1]]


def _sandwich(p: list[Interval], block: Rows, q: list[Interval]) -> Rows:
    """S_p block S_q, with S_p v = p (v - sum p v)."""

    def centred(vector: Sequence[Interval], weights: list[Interval]) -> list[Interval]:
        mean = total(w * v for w, v in zip(weights, vector, strict=True))
        return [w * (v - mean) for w, v in zip(weights, vector, strict=True)]

    rows = [centred(row, q) for row in block]
    columns = [centred(column, p) for column in zip(*rows, strict=True)]
    return [list(row) for row in zip(*columns, strict=True)]


class _Form:
    """`reach[x]` = gamma^t d(x) per row; `cross[x, y]` = C per pair of rows, x before y."""

    def __init__(self, process: Process, policy: tuple[Rows, Rows], beta: Fraction) -> None:
        self.process = process
        self.pi, self.minus_log = policy
        self.values = Equations(process, [0] * len(self.pi), policy, beta, slopes=False)
        self.reach = [ZERO] * len(self.pi)
        self.cross: dict[tuple[int, int], Rows] = {}
        weights: dict[int, Jet] = {e: (Interval.of(p), {}) for e, p in enumerate(process.start)}
        for t in range(process.horizon):
            for e, (rho, through) in weights.items():
                members = self.values.members(t, e)
                for x in members:
                    self.reach[x] = self.reach[x] + rho
                self._add_same_depth(t, e, members, rho)
                self._add_across(t, e, members, through)
            if t + 1 < process.horizon:
                weights = self._step(t, weights)

    def _step(self, t: int, weights: dict[int, Jet]) -> dict[int, Jet]:
        """The weights of reaching each joint class, and their derivatives by pi(a|x) of earlier rows
        {(row, action): Interval}, one depth on, gamma included."""
        following: dict[int, Jet] = {}
        for e, (rho, through) in weights.items():
            members = self.values.members(t, e)
            for number, a in enumerate(self.process.joint_actions[t]):
                weight = self.values.others_weight(members, a, ())
                inner: Slopes = {}
                accumulate(inner, through, weight)
                for i, x in enumerate(members):
                    accumulate(inner, {(x, a[i]): rho}, self.values.others_weight(members, a, (i,)))
                for to, p in self.process.following[t][e][number]:
                    known, gathered = following.get(to, (ZERO, {}))
                    factor = Interval.of(p * self.process.discount)
                    accumulate(gathered, inner, factor)
                    following[to] = known + rho * weight * factor, gathered
        return following

    def _block(self, x: int, y: int) -> Rows:
        if (x, y) not in self.cross:
            self.cross[x, y] = [[ZERO] * len(self.pi[y]) for _ in self.pi[x]]
        return self.cross[x, y]

    def _add_same_depth(self, t: int, e: int, members: list[int], rho: Interval) -> None:
        for i, x in enumerate(members):
            for j in range(i + 1, len(members)):
                block = self._block(x, members[j])
                for a, (value, _) in zip(self.process.joint_actions[t], self.values.u[t][e], strict=True):
                    term = value * rho * self.values.others_weight(members, a, (i, j))
                    block[a[i]][a[j]] = block[a[i]][a[j]] + term

    def _add_across(self, t: int, e: int, members: list[int], through: Slopes) -> None:
        for j, y in enumerate(members):
            later = [scaled(m, self.process.weights[j]) for m in self.minus_log[y]]
            for a, (value, _) in zip(self.process.joint_actions[t], self.values.u[t][e], strict=True):
                later[a[j]] = later[a[j]] + value * self.values.others_weight(members, a, (j,))
            for (x, a), weight in through.items():
                if self.values.rows[x][0] != j:
                    row = self._block(x, y)[a]
                    for b, value in enumerate(later):
                        row[b] = row[b] + weight * value
