"""The stationarity equations of a process and their Jacobian over a box of policies, in interval
arithmetic (format, section 8.2): values backwards, weights forwards along each row's own line.

A *row* is (agent, depth, class); derivatives are taken by log-ratios z_{x,c} of all rows, with
d pi(a)/d z_c = pi(a) ([a = c] - pi(c)).  A *jet* is a pair (Interval, {coordinate: Interval}).
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from fractions import Fraction
from functools import cache
from typing import Any

from certify.checker.numbers.interval import BITS, ONE, UNIT, ZERO, Interval, Unbounded, exp, log, total
from certify.checker.reading.game import Joint
from certify.checker.reading.process import Process

Rows = list[list[Interval]]  # per row and action
Slopes = dict[Any, Interval]  # per coordinate
Jet = tuple[Interval, Slopes]


def rows_of(process: Process) -> list[tuple[int, int, int]]:
    """(agent, depth, class) of every row, in the order of a certificate."""
    return [
        (i, t, k) for i in range(process.agents) for t in range(process.horizon) for k in range(process.classes[t][i])
    ]


def policy_over(ratios: Rows) -> tuple[Rows, Rows]:
    """(pi, -log pi), per row and action, over intervals of log-ratios: pi(a) = 1 / sum_b exp(z_b - z_a)."""
    probabilities, minus_logs = [], []
    for row in ratios:
        inverse = [UNIT + total(exp(z_b - z_a) for b, z_b in enumerate(row) if b != a) for a, z_a in enumerate(row)]
        probabilities.append([UNIT / y for y in inverse])
        minus_logs.append([log(y) for y in inverse])
    return probabilities, minus_logs


def middle_of(x: Interval) -> Interval:
    """A point of the interval, as an exact interval."""
    return Interval((x.lo + x.hi) >> 1, (x.lo + x.hi) >> 1)


def mean_over(pi: Sequence[Interval], values: Sequence[Interval]) -> Interval:
    """Bounds of sum pi(a) values(a) over the probabilities in the intervals `pi` with sum 1: filled up in
    the order of the values.

    >>> half = Interval(ONE // 4, 3 * ONE // 4)
    >>> found = mean_over([half, half], [ZERO, UNIT])
    >>> found.lo == ONE // 4, found.hi == 3 * ONE // 4
    (True, True)
    """
    ends = []
    for sign, part in ((1, [v.lo for v in values]), (-1, [-v.hi for v in values])):
        rest = ONE - sum(p.lo for p in pi)
        least = sum(p.lo * v for p, v in zip(pi, part, strict=True))
        for v, a in sorted((v, a) for a, v in enumerate(part)):
            if rest <= 0:
                break
            take = min(rest, pi[a].hi - pi[a].lo)
            least += take * v
            rest -= take
        ends.append(sign * (least >> BITS))
    return Interval(*ends)


_LARGEST_TERM = exp(Interval(-ONE, -ONE))  # max of -p log p, at p = 1/e


def entropy_of(pi: Sequence[Interval], minus_log: Sequence[Interval]) -> Interval:
    """-sum p log p over the intervals of a row; each term grows up to p = 1/e and falls from there."""
    terms = []
    for p, m in zip(pi, minus_log, strict=True):
        ends = (Interval(p.lo, p.lo) * Interval(m.hi, m.hi)).hull(Interval(p.hi, p.hi) * Interval(m.lo, m.lo))
        outside = p.hi < _LARGEST_TERM.lo or p.lo > _LARGEST_TERM.hi
        terms.append(ends if outside else ends.hull(_LARGEST_TERM))
    return total(terms)


def accumulate(target: Slopes, slopes: Slopes, factor: Interval) -> None:
    """target += factor * slopes, in place."""
    for coordinate, slope in slopes.items():
        term = slope * factor
        known = target.get(coordinate)
        target[coordinate] = term if known is None else known + term


def scaled(x: Interval, rational: Fraction) -> Interval:
    """The interval times an exact rational."""
    ends = (x.lo * rational.numerator, x.hi * rational.numerator)
    return Interval(min(ends) // rational.denominator, -(-max(ends) // rational.denominator))


@cache
def log_of(odds: Fraction) -> Interval:
    """Bounds on the logarithm of a positive rational, exactly 0 for 1."""
    return ZERO if odds == 1 else log(Interval.of(odds))


class Equations:
    """G and DG at one beta over one box; `slopes` false leaves DG out.  `entropies`: whether those (and the reference)
    count in values, as what later steps pay does in G unless the objective is local; without them beta times the
    return is left."""

    def __init__(
        self,
        process: Process,
        reference: Sequence[int],
        policy: tuple[Rows, Rows],
        beta: Fraction,
        slopes: bool = True,
        entropies: bool | None = None,
    ) -> None:
        self.process, self.reference, self.beta, self.slopes = process, reference, beta, slopes
        self.entropies = entropies = process.flows_back if entropies is None else entropies
        self.pi, self.minus_log = policy
        rows = rows_of(process)
        self.row = {name: x for x, name in enumerate(rows)}
        self.rows = rows
        self.coordinates = [(x, a) for x, row in enumerate(self.pi) for a in range(len(row)) if a != reference[x]]
        self.number = {name: c for c, name in enumerate(self.coordinates)}
        self.entropy = [entropy_of(*row) if entropies else ZERO for row in zip(self.pi, self.minus_log, strict=True)]
        self.u: list[list[list[Jet]]] = [[] for _ in range(process.horizon)]
        later: list[Jet] = []
        for t in reversed(range(process.horizon)):
            self.u[t] = [
                [self._u(t, e, a, later) for a in range(len(process.joint_actions[t]))]
                for e in range(len(process.joint[t]))
            ]
            later = [self._v(t, e) for e in range(len(process.joint[t]))]
        self.later = later

    def value(self) -> Interval:
        """beta times the expected return, plus the entropies, from the start: an `Interval`."""
        return total(scaled(value, p) for p, (value, _) in zip(self.process.start, self.later, strict=True))

    def members(self, t: int, e: int) -> list[int]:
        """Rows of all agents in joint class e."""
        return [self.row[i, t, k] for i, k in enumerate(self.process.joint[t][e])]

    def others_weight(self, members: list[int], a: Joint, left_out: Collection[int]) -> Interval:
        """The product of pi(a_j) over all agents j that are not in `left_out`."""
        weight = UNIT
        for j, x in enumerate(members):
            if j not in left_out:
                weight = weight * self.pi[x][a[j]]
        return weight

    def _u(self, t: int, e: int, a: int, later: list[Jet]) -> Jet:
        value = Interval.of(self.beta * self.process.reward[t][e][a])
        for weight, odds in self.process.tilts(t, e, a) if self.entropies else ():
            value = value + scaled(log_of(odds), weight)
        slopes: Slopes = {}
        if later:
            for to, p in self.process.following[t][e][a]:
                factor = Interval.of(p * self.process.discount)
                value = value + later[to][0] * factor
                accumulate(slopes, later[to][1], factor)
        return value, slopes

    def _v(self, t: int, e: int) -> Jet:
        members, table = self.members(t, e), self.u[t][e]
        shift = middle_of(table[0][0])
        centred = [(a, u - shift) for a, (u, _) in zip(self.process.joint_actions[t], table, strict=True)]
        value = self._mean(members, [u for u, _ in table])
        slopes: Slopes = {}
        for i, (x, weight) in enumerate(zip(members, self.process.weights, strict=True)):
            value = value + scaled(self.entropy[x], weight)
            if self.slopes:
                gains = self._gains(members, centred, (i,), i)
                if self.entropies:
                    gains = [g + scaled(m, weight) for g, m in zip(gains, self.minus_log[x], strict=True)]
                self._own_slopes(slopes, x, gains)
        for a, (_, inner) in zip(self.process.joint_actions[t], table, strict=True):
            if inner:
                accumulate(slopes, inner, self.others_weight(members, a, ()))
        return value, slopes

    def _mean(self, members: list[int], values: list[Interval]) -> Interval:
        """The mean of `values` (per joint action of `members`) over their policies, member after member."""
        for x in reversed(members):
            count = len(self.pi[x])
            values = [mean_over(self.pi[x], values[k : k + count]) for k in range(0, len(values), count)]
        return values[0]

    def _gains(
        self, members: list[int], terms: Iterable[tuple[Joint, Interval]], left_out: Collection[int], i: int
    ) -> list[Interval]:
        """Per action of agent i the mean of the terms (joint action, value) over the policies of all but `left_out`."""
        gains = [ZERO] * len(self.pi[members[i]])
        for a, value in terms:
            gains[a[i]] = gains[a[i]] + value * self.others_weight(members, a, left_out)
        return gains

    def _own_slopes(self, slopes: Slopes, x: int, gains: list[Interval]) -> None:
        """slopes += d (sum_b pi_x(b) gains(b)) / dz_x = pi(c) sum_b pi(b) (gains(c) - gains(b))."""
        pi = self.pi[x]
        for c in range(len(pi)):
            if c != self.reference[x]:
                centred = total(pi[b] * (gains[c] - gains[b]) for b in range(len(pi)) if b != c)
                accumulate(slopes, {self.number[x, c]: pi[c] * centred}, UNIT)

    def stationarity(self) -> tuple[Slopes, Rows]:
        """G as {(row, action): the fixed point's right-hand side (Q(x,a) - Q(x,r))/w}, and DG as rows of
        `Interval`s in the order of the coordinates."""
        right, jacobian = {}, []
        for x, (i, t, k) in enumerate(self.rows):
            if len(self.pi[x]) == 1:
                continue
            weights = self._line_weights(i, t, k)
            for a in range(len(self.pi[x])):
                if a == self.reference[x]:
                    continue
                value, slopes = self._difference(i, t, weights, a, self.reference[x])
                right[x, a] = scaled(value, 1 / self.process.weights[i])
                if not self.entropies:  # what the reference pays at the step itself
                    odds = self.process.odds[t][i][k]
                    right[x, a] = right[x, a] + log_of(odds[a] / odds[self.reference[x]])
                if self.slopes:
                    row = [
                        ZERO - scaled(slopes.get(c, ZERO), 1 / self.process.weights[i])
                        for c in range(len(self.coordinates))
                    ]
                    own = self.number[x, a]
                    row[own] = UNIT + row[own]
                    jacobian.append(row)
        return right, jacobian

    def _line_weights(self, i: int, t: int, k: int) -> dict[int, Jet]:
        """{joint class: jet}: the weight of meeting the others, own policies left out, on the line of
        predecessors of class k."""
        process, line = self.process, []
        for u in range(t, 0, -1):
            line.append((k, process.predecessor[u][i][k]))
            k = process.predecessor[u][i][k][0]
        start = enumerate(process.start)
        weights: dict[int, Jet] = {e: (Interval.of(p), {}) for e, p in start if process.joint[0][e][i] == k}
        for u, (after, (_, action)) in enumerate(reversed(line)):
            following: dict[int, Jet] = {}
            for e, jet in weights.items():
                for to, value, slopes, factor in self._moved(i, u, e, action, jet):
                    if process.joint[u + 1][to][i] == after:
                        known, gathered = following.get(to, (ZERO, {}))
                        accumulate(gathered, slopes, factor)
                        following[to] = known + value, gathered
            weights = following
        return weights

    def _moved(self, i: int, u: int, e: int, action: int, jet: Jet) -> Iterator[tuple[int, Interval, Slopes, Interval]]:
        """(joint class, weight, slopes, factor of the slopes): what the weight of joint class e becomes one depth
        further when agent i takes `action`."""
        members = self.members(u, e)
        for a, row in zip(self.process.joint_actions[u], self.process.following[u][e], strict=True):
            if a[i] == action:
                weight = self.others_weight(members, a, (i,))
                moved = jet[0] * weight
                slopes: Slopes = {}
                if self.slopes:
                    accumulate(slopes, jet[1], weight)
                    for j, y in enumerate(members):
                        if j != i:
                            self._weight_slopes(slopes, y, a[j], moved)
                yield from ((to, scaled(moved, p), slopes, Interval.of(p)) for to, p in row)

    def _weight_slopes(self, slopes: Slopes, y: int, taken: int, weight: Interval) -> None:
        """slopes += weight * d log pi_y(taken) / dz_y."""
        for c, p in enumerate(self.pi[y]):
            if c != self.reference[y]:
                accumulate(slopes, {self.number[y, c]: (UNIT if c == taken else ZERO) - p}, weight)

    def _difference(self, i: int, t: int, weights: dict[int, Jet], a: int, r: int) -> Jet:
        """Jet of Q(x,a) - Q(x,r)."""
        found = {e: self._class_difference(i, t, e, a, r) for e in weights}
        mass = total(value for value, _ in weights.values())
        if not mass.positive():
            raise Unbounded("a history's weight is not bounded away from 0")
        shift = middle_of(next(iter(found.values()))[0])
        mean = shift + total(weights[e][0] * (value - shift) for e, (value, _) in found.items()) / mass
        slopes: Slopes = {}
        if self.slopes:
            inverse = UNIT / mass
            for e, (value, inner) in found.items():
                accumulate(slopes, weights[e][1], (value - mean) * inverse)
                accumulate(slopes, inner, weights[e][0] * inverse)
        return mean, slopes

    def _class_difference(self, i: int, t: int, e: int, a: int, r: int) -> Jet:
        """Jet of the mean over the others' actions of U(e, (a, .)) - U(e, (r, .))."""
        members = self.members(t, e)
        table = dict(zip(self.process.joint_actions[t], self.u[t][e], strict=True))
        slopes: Slopes = {}
        terms = []
        for joint in (joint for joint in table if joint[i] == a):
            first, second = table[joint], table[joint[:i] + (r,) + joint[i + 1 :]]
            terms.append((joint, first[0] - second[0]))
            if self.slopes:
                weight = self.others_weight(members, joint, (i,))
                accumulate(slopes, first[1], weight)
                accumulate(slopes, second[1], ZERO - weight)
        if self.slopes:
            for j, y in enumerate(members):
                if j != i:
                    self._own_slopes(slopes, y, self._gains(members, terms, (i, j), j))
        return self._mean(members[:i] + members[i + 1 :], [value for _, value in terms]), slopes
