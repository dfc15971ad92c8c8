"""Verifies that stationary policies in a box are nondegenerate maxima (format, sections 4.5 and 6).

Bounds the second derivative (7) of beta J over the box: a diagonal D from below and the entries C
between blocks from both sides; `pd` then decides whether D - C is positive definite.
"""

from itertools import accumulate

from certify.checker.numbers.fixed_point import BITS, ONE, ceil_div, ceil_shift, down, log_down, log_up, up
from certify.checker.numbers.linear import front, multilinear_max
from certify.checker.numbers.positive_definite import definite_on_tangents
from certify.checker.plain.models import slope_columns, vertex_products
from certify.checker.reading.envelope import Failed

MAX_PARAMETERS = 3_000


def check_definite(process, averages, models, modulus=None, own=False):
    """Whether the form (7) is positive definite on the box of `models`, at their beta.

    `modulus` multiplies the diagonal by 1 - modulus beta, `own` keeps the entries between blocks of
    one agent (section 6).
    """
    form = _Form(process, averages, models)
    factor = 1 if modulus is None else 1 - modulus * models.beta
    size = sum(form.sizes)
    if size > MAX_PARAMETERS:
        raise Failed(f"{size} policy parameters, more than the plain engine's {MAX_PARAMETERS}")
    if factor <= 0:
        return size == 0
    diagonal = form.diagonal(factor)
    low = [[0] * size for _ in range(size)]
    high = [[0] * size for _ in range(size)]
    for k, l, lower, upper in form.entries(own):
        for x, y in ((k, l), (l, k)):
            low[x][y] += lower
            high[x][y] += upper
    return definite_on_tangents(form.sizes, diagonal, low, high)


class _Form:
    """The bounds of D and C.  Coordinates are (block, action), blocks with one action left out."""

    def __init__(self, process, averages, models):
        self.process, self.averages, self.models, self.box = process, averages, models, models.box
        names = [
            (i, t, k)
            for t in range(process.horizon)
            for i, count in enumerate(process.actions[t])
            if count > 1
            for k in range(process.classes[t][i])
        ]
        self.sizes = [process.actions[t][i] for i, t, _ in names]
        self.offsets = dict(zip(names, accumulate(self.sizes, initial=0)))
        self.reach = self._reach_weights()

    def blocks(self, t, e):
        return [self.box.layers[t][i][k] for i, k in enumerate(self.process.joint[t][e])]

    def _weights(self, t, e, fixed=None, action=None):
        """(joint action, product of lower ends, of upper ends) of the policies at e; the agent
        `fixed` takes `action`."""
        blocks = self.blocks(t, e)
        for number, a in enumerate(self.process.joint_actions[t]):
            if fixed is not None and a[fixed] != action:
                continue
            low = high = ONE
            for i, block in enumerate(blocks):
                if i != fixed:
                    low = low * block.lower[a[i]] >> BITS
                    high = ceil_shift(high * block.upper[a[i]], BITS)
            yield number, low, high

    def _moved(self, t, e, low, high, fixed=None, action=None):
        """(e', low, high): the weight `low` .. `high` at e carried one step on, gamma included."""
        for a, lower, upper in self._weights(t, e, fixed, action):
            denominator, row = self.averages[t][e][a]
            for to, p in row:
                yield to, low * lower * p // (denominator << BITS), ceil_div(high * upper * p, denominator << BITS)

    def _propagated(self, t, weights, fixed=None, action=None):
        moved = {}
        for e, (low, high) in weights.items():
            for to, lower, upper in self._moved(t, e, low, high, fixed, action):
                known = moved.get(to, (0, 0))
                moved[to] = known[0] + lower, known[1] + upper
        return moved

    def _reach_weights(self):
        """rho_t(e), per depth: {e: (low, high)}."""
        reach = [{e: (down(p), up(p)) for e, p in enumerate(self.process.start)}]
        for t in range(self.process.horizon - 1):
            reach.append(self._propagated(t, reach[t]))
        return reach

    def diagonal(self, factor):
        """Lower bounds of D, times `factor` > 0."""
        result = []
        for i, t, k in self.offsets:
            weight = sum(self.reach[t][e][0] for e, classes in enumerate(self.process.joint[t]) if classes[i] == k)
            w = factor * self.process.weights[i]
            # an upper end may be 0 (splits at the grid's last step): 1 ulp is an upper end all the same
            ends = [max(1, u) for u in self.box.block((i, t, k)).upper]
            result += [weight * w.numerator * ONE // (w.denominator * u) for u in ends]
        return result

    def entries(self, own):
        """(coordinate, coordinate, low, high): contributions to C."""
        for t in range(self.process.horizon):
            yield from self._same_depth(t)
        for t in range(1, self.process.horizon):
            later = [self._later_factor(t, e) for e in range(len(self.process.joint[t]))]
            for (i, s, k), offset in self.offsets.items():
                if s < t:
                    for action in range(self.process.actions[s][i]):
                        yield from self._across(i, s, k, action, offset + action, t, later, own)

    def _across(self, i, s, k, action, coordinate, t, later, own):
        """C between x = (i, s, k), taking `action`, and the blocks at depth t > s."""
        weights = {e: self.reach[s][e] for e, classes in enumerate(self.process.joint[s]) if classes[i] == k}
        weights = self._propagated(s, weights, i, action)
        for u in range(s + 1, t):
            weights = self._propagated(u, weights)
        for e, (low, high) in weights.items():
            for j, bounds in later[e].items():
                if j != i or own:
                    offset = self.offsets[j, t, self.process.joint[t][e][j]]
                    for b, (below, above) in enumerate(bounds):
                        yield coordinate, offset + b, *_product(low, high, below, above)

    def _same_depth(self, t):
        counts = self.process.actions[t]
        active = [i for i, count in enumerate(counts) if count > 1]
        for e, classes in enumerate(self.process.joint[t]):
            for i in active:
                for j in active:
                    if i < j:
                        first, second = self.offsets[i, t, classes[i]], self.offsets[j, t, classes[j]]
                        bounds = self._mixed(t, e, i, j)
                        for a in range(counts[i]):
                            for b in range(counts[j]):
                                yield first + a, second + b, *_product(*self.reach[t][e], *bounds[a * counts[j] + b])

    def _mixed(self, t, e, i, j):
        """(low, high) of the doubly centred U of agents i and j, the others averaged out, a major."""
        counts = self.process.actions[t]
        others = [b for k, b in enumerate(self.blocks(t, e)) if k not in (i, j)]
        table = _Table(self.models.u(t)[e], self.box, counts, (i, j))
        table.centre(counts[i], table.size // counts[i])
        table.centre(counts[j], table.size // counts[i] // counts[j])
        scale = counts[i] * counts[j]
        return [(low // scale, ceil_div(high, scale)) for low, high in table.enclosures(scale, others)]

    def _later_factor(self, t, e):
        """W(e, .) for every agent j with a choice: {j: [(low, high) per action]}."""
        counts = self.process.actions[t]
        result = {}
        for j, block in enumerate(self.blocks(t, e)):
            if counts[j] == 1:
                continue
            others = [b for k, b in enumerate(self.blocks(t, e)) if k != j]
            table = _Table(self.models.u(t)[e], self.box, counts, (j,))
            table.centre(counts[j], table.size // counts[j])
            if min(block.lower) <= 0:
                raise Failed(f"a policy of agent {j} at depth {t} has no positive lower bound")
            w, d = self.process.weights[j].numerator, self.process.weights[j].denominator
            lows = [-w * log_up(x) // d for x in block.upper]
            highs = [ceil_div(-w * log_down(x), d) for x in block.lower]
            centred_interval(lows, highs, counts[j], 1)
            result[j] = [
                ((low + x) // counts[j], ceil_div(high + y, counts[j]))
                for (low, high), x, y in zip(table.enclosures(counts[j], others), lows, highs)
            ]
        return result


class _Table:
    """U(e, .) with some agents' axes in front; centring multiplies everything by the number of
    actions, so that all stays in whole numbers."""

    def __init__(self, entries, box, counts, agents):
        self.box = box
        models = [m for m, _, _ in entries]
        self.names, columns = slope_columns([m.slopes for m in models], box)
        values = [m.centre for m in models]
        lows, highs = [m.low + err for m, err, _ in entries], [m.high + err for m, _, err in entries]
        self.values, self.lows, self.highs, *self.columns = (
            front(column, counts, agents) for column in (values, lows, highs, *columns)
        )
        self.size = len(values)

    def centre(self, count, stride):
        """Times `count`, less the sum over the axis with the given stride."""
        for column in (self.values, *self.columns):
            centred(column, count, stride)
        centred_interval(self.lows, self.highs, count, stride)

    def enclosures(self, parts, others):
        """(low, high) for each of `parts` actions of the agents in front, over policies of the others."""
        rest = self.size // parts
        return [self._enclosure(slice(a * rest, a * rest + rest), others) for a in range(parts)]

    def _enclosure(self, part, others):
        shift = len(others) * BITS
        lower = [x + y for x, y in zip(self.values[part], self.lows[part])]
        upper = [x + y for x, y in zip(self.values[part], self.highs[part])]
        if not self.names:
            return (
                -ceil_shift(multilinear_max([-x for x in lower], others), shift),
                ceil_shift(multilinear_max(upper, others), shift),
            )
        blocks = [(self.box.block(y), at) for y, at in self.names]
        below = above = None
        for _, (low, high, *moved) in vertex_products(others, [lower, upper, *(c[part] for c in self.columns)]):
            low, high = low >> shift, ceil_shift(high, shift)
            for block, at in blocks:
                # slopes rounded down: less than 1 ulp of sigma, the coefficient of eta to the safe side
                high += block.sigma([x >> shift for x in moved[at]]) + 1
                low -= block.sigma([-x >> shift for x in moved[at]]) + 1
            below = low if below is None else min(below, low)
            above = high if above is None else max(above, high)
        return below, above


def centred(column, count, stride):
    """In place: count * x less the sum over the axis.

    >>> column = [1, 2, 3, 6]
    >>> centred(column, 2, 1)
    >>> column
    [-1, 1, -3, 3]
    """
    for at in _axis(len(column), count, stride):
        total = sum(column[k] for k in at)
        for k in at:
            column[k] = count * column[k] - total


def centred_interval(lows, highs, count, stride):
    """In place: the same for intervals; x itself enters with count - 1, the others with -1."""
    for at in _axis(len(lows), count, stride):
        low_sum, high_sum = sum(lows[k] for k in at), sum(highs[k] for k in at)
        for k in at:
            low, high = lows[k], highs[k]
            lows[k] = (count - 1) * low - (high_sum - high)
            highs[k] = (count - 1) * high - (low_sum - low)


def _axis(size, count, stride):
    """The index ranges along one axis of a flat table."""
    for outer in range(0, size, count * stride):
        for inner in range(outer, outer + stride):
            yield range(inner, inner + count * stride, stride)


def _product(low, high, below, above):
    """Bounds of r w for 0 <= low <= r <= high, below <= w <= above."""
    return min(low * below, high * below) >> BITS, ceil_shift(max(low * above, high * above), BITS)
