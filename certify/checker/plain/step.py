"""Verifies the log ratio bounds of a step: inequality (6), forwards (format, section 4.4).

For a block (i, t, k), actions a, b and lambda = w_i M_ab the functional F of (6) is bounded from
above along k's line of predecessors; the bound holds if F <= 0.  All numbers are fixed point and rounded up.
Slopes averaged over chance are cut (see `models`): less than 1 ulp each, and e only downwards, to the safe side.
"""

from collections.abc import Sequence
from math import inf

from certify.checker.numbers.fixed_point import BITS, ceil_div, ceil_shift
from certify.checker.numbers.linear import contract_all, front
from certify.checker.plain.box import Block, at_vertices, multilinear_max
from certify.checker.plain.coupled import Coupled
from certify.checker.plain.models import (
    Chances,
    Columns,
    Form,
    Models,
    Slopes,
    average_slopes,
    common_denominator,
    slope_columns,
)
from certify.checker.reading.process import Process


class Line:
    """The joint classes along the line of predecessors of class k of one agent at one depth."""

    def __init__(self, process: Process, agent: int, depth: int, k: int) -> None:
        self.agent, self.depth = agent, depth
        line = [k]
        taken: list[int] = []
        for t in range(depth, 0, -1):
            previous, action = process.predecessor[t][agent][line[0]]
            line.insert(0, previous)
            taken.insert(0, action)
        self.nodes = [  # [u]: joint classes of depth u that meet the line, by their index
            [e for e, classes in enumerate(process.joint[u]) if classes[agent] == x] for u, x in enumerate(line)
        ]
        # [u]: per node of depth u < `depth` and joint action of the others, with the line's own action: the chances of
        # the nodes of depth u + 1, by their place in nodes[u + 1]
        self.onward = []
        for u, action in enumerate(taken):
            place = {e: number for number, e in enumerate(self.nodes[u + 1])}
            tables = [
                [process.following[u][e][row[action]] for row in _by_own_action(process, agent, u)]
                for e in self.nodes[u]
            ]
            self.onward.append(
                [[common_denominator([(place[e], p) for e, p in row if e in place]) for row in rows] for rows in tables]
            )
        self.start = common_denominator([(m, process.start[e]) for m, e in enumerate(self.nodes[0])])
        self.single = len(self.nodes[0]) == 1  # whether one node only is met at depth 0
        self.own = _by_own_action(process, agent, depth)  # the joint actions at `depth`


def _by_own_action(process: Process, agent: int, t: int) -> list[list[int]]:
    """[others' joint action][own action] -> number of the joint action at depth t."""
    sizes = process.actions[t]
    others = [i for i in range(len(sizes)) if i != agent]
    table = front(range(len(process.joint_actions[t])), sizes, others)
    return [table[x : x + sizes[agent]] for x in range(0, len(table), sizes[agent])]


class StepCheck:
    """Upper bounds of F over one box at one beta; `models` gives U_t over that box."""

    def __init__(self, models: Models) -> None:
        self.setting, self.process, self.models, self.box = models.setting, models.process, models, models.box

    def holds(self, line: Line, pair: tuple[int, int], bound: int, way: str) -> bool:
        """Whether F <= 0 for the actions `pair` and lambda = `bound` (fixed point, rounded down), with all nodes
        below a single top "sharing" slopes, or all of them "separate", or with "replies"."""
        difference = self._reply if way == "replies" else self._difference
        t = line.depth
        found: list[Form] = []
        for u in range(t, -1, -1):
            if u == t:
                terms = [
                    [difference(line, e, [row[x] for x in pair], bound) for row in line.own] for e in line.nodes[t]
                ]
            else:
                terms = [[_average(found, row) for row in rows] for rows in line.onward[u]]
            found = [self._node(line, u, e, row, way == "sharing") for e, row in zip(line.nodes[u], terms, strict=True)]
        return (found[0].value if line.single else self._root(line, found)) <= 0

    def _difference(self, line: Line, e: int, actions: Sequence[int], bound: int) -> Form:
        """U(a, .) - U(b, .) - lambda for two joint actions at e."""
        t, (a, b) = line.depth, actions
        first, second = self.models.u(t)[e][a], self.models.u(t)[e][b]
        bare = first.centre - second.centre + first.cut + second.cut - bound
        if t + 1 == self.process.horizon:
            return Form(bare, {})
        slopes = _less(first.slopes, second.slopes)
        # rho_ab: the remainders of V_{t+1} enter with the difference of the transition probabilities
        (d, row), (other, minus) = (self.setting.averages[t][e][a] for a in actions)
        change = {to: p * other for to, p in row}
        for to, p in minus:
            change[to] = change.get(to, 0) - p * d
        later = self.models.v(t + 1)
        rho = ceil_div(sum(x * (later[to].high if x > 0 else later[to].low) for to, x in change.items()), d * other)
        return Form(bare + rho, slopes, bare, change, d * other)

    def _reply(self, line: Line, e: int, actions: Sequence[int], bound: int) -> Form:
        """U(a, .) - U(b, .) - lambda where after b the agent plays its centres, which earn at most what its own later
        policies do (docs/theory/localisation.md#replies)."""
        t, (a, b) = line.depth, actions
        first, second = self.models.u(t)[e][a], self.models.pinned(line.agent).u(t)[e][b]
        bare = first.centre - second.centre + first.cut - second.low - bound
        slopes = _less(first.slopes, {y: slope for y, slope in second.slopes.items() if y[0] != line.agent})
        denominator, row = self.setting.averages[t][e][a]
        later = self.models.v(t + 1)
        rho = ceil_div(sum(p * later[to].high for to, p in row), denominator)
        return Form(bare + rho, slopes, bare, dict(row), denominator)

    def _node(self, line: Line, u: int, e: int, terms: Sequence[Form], sharing: bool) -> Form:
        """The bound at a node, given those per joint action of the others.  A sharing node passes slopes on; of a
        single top only the sign counts: any value <= 0 is 0."""
        blocks = [self.box.layers[u][i][k] for i, k in enumerate(self.process.joint[u][e]) if i != line.agent]
        shift = len(blocks) * BITS
        later, columns = slope_columns([term.slopes for term in terms], self.box)
        values = [term.value for term in terms]
        if not later:
            return Form(ceil_shift(multilinear_max(values, blocks), shift), {})
        top = u == 0 and line.single
        sharing = sharing and not top
        passed = [x >> shift if sharing else 0 for x in contract_all(columns, [block.centre for block in blocks])]
        less = [x << shift for x in passed]
        found = _crude(values, (later, columns), blocks, less)
        if sharing:
            return Form(found[0][0], {y: passed[at] for y, _, at in later})
        fine = u == line.depth and self.process.agents == 2
        coupled = Coupled(self.models, line.agent, u + 1, terms) if fine else None
        return Form(self._largest(found, blocks, coupled, 0 if top else -inf), {})

    def _largest(
        self, found: Sequence[tuple[int, int, Slopes]], blocks: Sequence[Block], coupled: Coupled | None, best: float
    ) -> int:
        """The largest bound with sigma+ in place of sigma, and the coupled one where that is smaller, or `best` if that
        is larger; `found` lists crude bounds per vertex in falling order."""
        shift = len(blocks) * BITS
        for crude, number, slopes in found:
            if crude <= best:
                break  # as are all that follow
            named = [(self.box.block(y), slope) for y, slope in slopes.items()]
            bound = crude + sum(block.sigma_plus(g, shift) - block.sigma(g, shift) for block, g in named)
            if bound > best and coupled is not None:
                bound = min(bound, coupled.bound(blocks[0].vertices[number], slopes))
            best = max(best, bound)
        return int(best)

    def _root(self, line: Line, found: Sequence[Form]) -> int:
        """The bound of F: sum b(m) value(m) and what the slopes that are left may add."""
        own, others = (
            [Form(form.value, {y: s for y, s in form.slopes.items() if (y[0] == line.agent) == mine}) for form in found]
            for mine in (True, False)
        )
        total, slopes, *_ = _average(own, line.start)
        left = list(slopes.items())
        denominator, row = line.start
        for m, p in row:
            slopes = average_slopes([(p, others[m].slopes)], denominator)
            total += len(slopes)
            left += slopes.items()
        return total + sum(self.box.block(y).sigma_plus(slope, 0) for y, slope in left)


def _less(first: Slopes, second: Slopes) -> Slopes:
    """The slopes of a difference of two values."""
    found = dict(first)
    for y, slope in second.items():
        found[y] = [p - q for p, q in zip(found.get(y, [0] * len(slope)), slope, strict=True)]
    return found


def _crude(
    values: Sequence[int], slopes: Columns, blocks: Sequence[Block], less: Sequence[int]
) -> list[tuple[int, int, Slopes]]:
    """(bound with sigma, number of the vertex, slopes there less `less`), the largest bound first."""
    later, columns = slopes
    shift, found = len(blocks) * BITS, []
    for number, (value, *moved) in enumerate(at_vertices([values, *columns], blocks)):
        slope = [x - y for x, y in zip(moved, less, strict=True)]
        crude = ceil_shift(value, shift) + sum(block.sigma(slope[at], shift) for _, block, at in later)
        found.append((crude, number, {y: slope[at] for y, _, at in later}))
    return sorted(found, key=lambda entry: entry[0], reverse=True)


def _average(found: Sequence[Form], row: Chances) -> Form:
    """The average of the nodes' bounds one depth further."""
    denominator, targets = row
    slopes = average_slopes([(p, found[to].slopes) for to, p in targets], denominator)
    return Form(ceil_div(sum(p * found[to].value for to, p in targets), denominator) + len(slopes), slopes)
