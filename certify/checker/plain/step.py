"""Verifies the log ratio bounds of a step: inequality (6), forwards (format, section 4.4).

For a block (i, t, k), actions a, b and lambda = w_i M_ab the functional F of (6) is bounded from
above along k's line of predecessors; the bound holds if F <= 0.  Numbers are fixed point, slopes
rounded down (less than 1 ulp of the bound per block, see `models`), all other numbers rounded up.
"""

from dataclasses import dataclass
from math import lcm

from certify.checker.numbers.fixed_point import BITS, ceil_div, ceil_shift
from certify.checker.numbers.linear import contract_all, front, multilinear_max
from certify.checker.plain.coupled import Coupled
from certify.checker.plain.models import average_slopes, common_denominator, slope_columns, vertex_products


@dataclass(frozen=True)
class Node:
    """A joint class that meets the line: its index, and per joint action of the others (with the
    line's own action) the probabilities (denominator, ((node one depth further, numerator), ..))."""

    joint: int
    following: tuple


class Line:
    """The nodes along the line of predecessors of class k of one agent at one depth.

    levels[u]       the `Node`s of depth u
    start           (denominator, numerator per node) of their initial probability
    single          whether one node only is met at depth 0
    own             [others' joint action][own action] -> number of the joint action at `depth`
    """

    def __init__(self, process, agent, depth, k):
        self.agent, self.depth = agent, depth
        line, actions = [k], []
        for t in range(depth, 0, -1):
            previous, action = process.predecessor[t][agent][line[0]]
            line.insert(0, previous)
            actions.insert(0, action)
        members = [
            [e for e, classes in enumerate(process.joint[u]) if classes[agent] == line[u]] for u in range(depth + 1)
        ]
        self.levels = []
        for u in range(depth + 1):
            if u == depth:
                self.levels.append([Node(e, ()) for e in members[u]])
                break
            where = {e: number for number, e in enumerate(members[u + 1])}
            with_action = [row[actions[u]] for row in self._by_own_action(process, u)]
            self.levels.append(
                [
                    Node(
                        e,
                        tuple(
                            common_denominator([(where[to], p) for to, p in process.following[u][e][a] if to in where])
                            for a in with_action
                        ),
                    )
                    for e in members[u]
                ]
            )
        start = [process.start[e] for e in members[0]]
        denominator = lcm(*(p.denominator for p in start))
        self.start = denominator, [p.numerator * (denominator // p.denominator) for p in start]
        self.single = len(members[0]) == 1
        self.own = self._by_own_action(process, depth)

    def _by_own_action(self, process, t):
        sizes = process.actions[t]
        others = [i for i in range(len(sizes)) if i != self.agent]
        table = front(list(range(len(process.joint_actions[t]))), sizes, others)
        own = sizes[self.agent]
        return [table[j : j + own] for j in range(0, len(table), own)]


class StepCheck:
    """Upper bounds of F over one box at one beta; `models` gives U_t over that box."""

    def __init__(self, process, averages, models):
        self.process, self.averages, self.models, self.box = process, averages, models, models.box

    def holds(self, line, a, b, bound, sharing):
        """Whether F <= 0 for lambda = `bound` (fixed point, rounded down), with all nodes below a
        single top sharing slopes, or all of them separate."""
        t = line.depth
        differences = [
            [self._difference(line, node, j, a, b, bound) for j in range(len(line.own))] for node in line.levels[t]
        ]
        inputs = [[(x + rho, slopes) for x, rho, slopes in row] for row in differences]
        for u in range(t, -1, -1):
            top = u == 0 and line.single
            share = sharing and not top
            coupled = [None] * len(inputs)
            if u == t and not share and self.process.agents == 2 and t + 1 < self.process.horizon:
                coupled = [
                    (Coupled(self, line, node, a, b), [x for x, _, _ in row])
                    for node, row in zip(line.levels[t], differences)
                ]
            outcomes = [
                self._node(line, u, node, terms, share, top, other)
                for node, terms, other in zip(line.levels[u], inputs, coupled)
            ]
            if u:
                inputs = [[_average(outcomes, row) for row in node.following] for node in line.levels[u - 1]]
        return self._root(line, outcomes) <= 0

    def _difference(self, line, node, j, a, b, bound):
        """(X, rho, slopes) for the others' joint action number j: U(a, .) - U(b, .) - lambda; X without rho."""
        t, e = line.depth, node.joint
        joint_a, joint_b = line.own[j][a], line.own[j][b]
        first, _, above = self.models.u(t)[e][joint_a]
        second, below, _ = self.models.u(t)[e][joint_b]
        x = first.centre - second.centre + above - below - bound
        rho, slopes = 0, {}
        if t + 1 < self.process.horizon:
            rho = self._remainder(t, e, joint_a, joint_b)
            slopes = dict(first.slopes)
            for y, slope in second.slopes.items():
                slopes[y] = [p - q for p, q in zip(slopes[y], slope)] if y in slopes else [-q for q in slope]
        return x, rho, slopes

    def _remainder(self, t, e, joint_a, joint_b):
        """rho_ab: the remainders of V_{t+1} enter with the difference of the transition probabilities."""
        (da, row_a), (db, row_b) = self.averages[t][e][joint_a], self.averages[t][e][joint_b]
        difference = {to: p * db for to, p in row_a}
        for to, p in row_b:
            difference[to] = difference.get(to, 0) - p * da
        later = self.models.v(t + 1)
        return ceil_div(sum(d * (later[to].high if d > 0 else later[to].low) for to, d in difference.items()), da * db)

    def _node(self, line, u, node, terms, sharing, top, coupled):
        """(value, slopes passed on) of a node, `terms` = (X, slopes) per joint action of the others.

        Of the value of a single top only the sign counts.  `coupled` (or None): the coupled form here,
        and X without remainders for it.
        """
        classes = self.process.joint[u][node.joint]
        blocks = [self.box.layers[u][i][k] for i, k in enumerate(classes) if i != line.agent]
        shift = len(blocks) * BITS
        values = [x for x, _ in terms]
        names, columns = slope_columns([slopes for _, slopes in terms], self.box)
        if not names:
            return ceil_shift(multilinear_max(values, blocks), shift), {}
        later = [(self.box.block(y), at) for y, at in names]
        middle = contract_all(columns, [block.centre for block in blocks]) if sharing else [0] * len(columns)
        found = []
        for number, (_, (value, *moved)) in enumerate(vertex_products(blocks, [values, *columns])):
            slopes = [(block, [x - y >> shift for x, y in zip(moved[at], middle[at])]) for block, at in later]
            crude = ceil_shift(value, shift) + len(names) + sum([block.sigma(slope) for block, slope in slopes])
            found.append((crude, number, slopes))
        if sharing:
            passed = {y: [x >> shift for x in middle[at]] for y, at in names}
            return max(crude for crude, _, _ in found) + len(names), passed

        def bounds(crude, number, slopes):
            """Ever more careful bounds at one vertex: sigma, sigma+, the coupled form."""
            yield crude
            yield from _refined(crude, slopes)
            if coupled is not None:
                form, bare = coupled
                yield form.bound(
                    blocks[0].vertices[number], bare, {y: slope for (y, _), (_, slope) in zip(names, slopes)}
                )

        return (_sign if top else _largest)(found, bounds), {}

    def _root(self, line, outcomes):
        """The bound of F: sum b(m) value(m) and what the slopes that are left may add."""
        denominator, weights = line.start
        own, left = [], []
        for weight, (_, slopes) in zip(weights, outcomes):
            own.append((weight, {y: s for y, s in slopes.items() if y[0] == line.agent}))
            left += average_slopes(
                [(weight, {y: s for y, s in slopes.items() if y[0] != line.agent})], denominator
            ).items()
        left += average_slopes(own, denominator).items()
        total = ceil_div(sum(w * value for w, (value, _) in zip(weights, outcomes)), denominator)
        return total + sum(1 + self.box.block(y).sigma_plus(slope) for y, slope in left)


def _refined(crude, slopes):
    """Bounds from `crude` on, with sigma+ in place of sigma for one block after the other."""
    for block, slope in slopes:
        crude += block.sigma_plus(slope) - block.sigma(slope)
        yield crude


def _sign(found, bounds):
    """A bound <= 0 of the maximum if every vertex has one, else some bound > 0."""
    for vertex in found:
        if all(bound > 0 for bound in bounds(*vertex)):
            return vertex[0]
    return 0


def _largest(found, bounds):
    """The maximum of the vertices' best bounds; one whose crude bound is below needs no second look."""
    best = None
    for vertex in sorted(found, key=lambda entry: entry[0], reverse=True):
        if best is not None and vertex[0] <= best:
            break
        fine = min(bounds(*vertex))
        best = fine if best is None else max(best, fine)
    return best


def _average(outcomes, row):
    """(X, slopes) of one joint action: the average of the nodes' bounds one depth further."""
    denominator, targets = row
    slopes = average_slopes([(p, outcomes[to][1]) for to, p in targets], denominator)
    return ceil_div(sum(p * outcomes[to][0] for to, p in targets), denominator) + len(slopes), slopes
