"""Verifies the exponential rate of the softmax flow at a stationary policy: a lower bound on the
eigenvalues of minus the Hessian of J in the logits of the whole table, AOH by AOH, on directions whose
rows sum to 0 (format, section 8.3; docs/theory/objective.md#stationary-policies, docs/theory/hessian.md#the-rate).

The derivative of beta J by the log-ratios z of a row x, last action as reference, is -w gamma^t d(x) S_x G_x, with
S = diag(pi) - pi pi^T and G the equations of `equations`.  At a stationary policy G vanishes, so

    -beta Hess = M DG,   M the matrix of blocks w gamma^t d(x) S_x.
"""

from fractions import Fraction

from certify.checker.numbers.interval import BITS, UNIT, ZERO, Interval, total
from certify.checker.numbers.positive_definite import positive_definite
from certify.checker.reading.envelope import Failed
from certify.checker.reading.process import Process
from certify.checker.stationary.equations import Equations, Rows, rows_of, scaled

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
    logits of legal actions whose rows sum to 0, the last of each row left out:
    |u^T form u - u^T middle u| <= sum spread u^2.

    An action's logit is that of all its names, whose shares stay even (docs/theory/legal-actions.md#other-names).
    Under the local bonus the Jacobian of the flow, which is not symmetric, stands for the Hessian.
    """
    pi = policy[0]
    if sum(map(len, pi)) > MAX_LOGITS:
        raise Failed(f"{sum(map(len, pi))} logits, more than the {MAX_LOGITS} of this checker", step="rate")
    equations = Equations(process, [len(row) - 1 for row in pi], policy, beta)
    _, derivative = equations.stationarity()
    reach = _reach(equations)
    coordinates = [
        (x, a, _direction(process.meant[t][i][k], a, legal[-1]))
        for x, (i, t, k) in enumerate(equations.rows)
        for legal in [process.legal(i, t, k)]
        for a in legal[:-1]
    ]
    form = []
    for x, a, moved in coordinates:
        weight = scaled(reach[x], process.weights[equations.rows[x][0]])
        mean = total(p if m > 0 else -p for p, m in zip(pi[x], moved, strict=True) if m)
        factors = [
            weight * p * ((UNIT if m > 0 else -UNIT if m else ZERO) - mean) for p, m in zip(pi[x], moved, strict=True)
        ][:-1]
        first = equations.number[x, 0]
        columns = zip(*derivative[first : first + len(factors)], strict=True)
        slopes = [total(f * entry for f, entry in zip(factors, column, strict=True)) for column in columns]
        row = []
        for y, b, other in coordinates:
            start, least = equations.number[y, 0], other[-1]  # log-ratios are against the last action
            entry = total(
                scaled(slopes[start + c], Fraction(m - least)) for c, m in enumerate(other[:-1]) if m != least
            )
            if x == y:  # u_a and the sum of the others, at the last legal action
                entry = entry - Interval.of((2 if a == b else 1) * beta * rate)
            row.append(entry)
        form.append(row)
    shift = BITS - _KEPT_BITS
    middle = [[0] * len(form) for _ in form]
    spread = [0] * len(form)
    for k, row in enumerate(form):
        for l, entry in enumerate(row[: k + 1]):
            if not process.flows_back:  # elsewhere the true matrix is symmetric
                entry = scaled(entry + form[l][k], Fraction(1, 2))
            middle[k][l] = middle[l][k] = entry.lo + entry.hi >> shift + 1
            radius = (entry.hi - entry.lo >> shift + 1) + 2
            spread[k] += radius
            if k != l:
                spread[l] += radius
    return middle, spread


def _direction(meant: tuple[int, ...], a: int, last: int) -> list[int]:
    """Where the logit of the legal action a rises and that of the last one falls, by names: 1 and -1."""
    return [(named == a) - (named == last) for named in meant]


def _reach(equations: Equations) -> list[Interval]:
    """gamma^t d(x) per row x."""
    process = equations.process
    reach = [ZERO] * len(equations.rows)
    weights = dict(enumerate(map(Interval.of, process.start)))
    for t in range(process.horizon):
        following: dict[int, Interval] = {}
        for e, rho in weights.items():
            members = equations.members(t, e)
            for x in members:
                reach[x] = reach[x] + rho
            rows = process.following[t][e] if t + 1 < process.horizon else [()] * len(process.joint_actions[t])
            for a, row in zip(process.joint_actions[t], rows, strict=True):
                weight = rho * equations.others_weight(members, a, ())
                for to, p in row:
                    following[to] = following.get(to, ZERO) + scaled(weight, p * process.discount)
        weights = following
    return reach
