"""Verifies that stationary policies in a box are nondegenerate maxima (format, sections 4.5 and 6).

Bounds the second derivative (7) of beta J over the box: a diagonal D from below and the entries C between blocks from
both sides; `definite_on_tangents` then decides whether D - C is positive definite.
"""

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import accumulate, product
from math import prod

from certify.checker.numbers.fixed_point import BITS, ceil_div, ceil_shift, down, log_bounds, up
from certify.checker.numbers.linear import contract, front
from certify.checker.numbers.positive_definite import definite_on_tangents
from certify.checker.plain.box import Block, Name
from certify.checker.plain.models import Models, slope_columns, spread
from certify.checker.reading.envelope import Failed

MAX_PARAMETERS = 3_000

Ends = tuple[int, int]  # (low, high)
Weights = dict[int, Ends]  # {joint class: bounds of its weight}


def check_definite(models: Models, modulus: Fraction | None = None, own: bool = False) -> bool:
    """Whether the form (7) is positive definite on the box of `models`, at their beta.

    `modulus` multiplies the diagonal by 1 - modulus beta, `own` keeps the entries between blocks of
    one agent (section 6).  Under the local bonus they are always kept (docs/theory/local-bonus.md#the-form).
    """
    form = SecondDerivative(models)
    size = sum(form.sizes)
    if size > MAX_PARAMETERS:
        raise Failed(f"{size} policy parameters, more than the plain engine's {MAX_PARAMETERS}")
    factor = Fraction(1) if modulus is None else 1 - modulus * models.beta
    if factor <= 0:
        return size == 0
    low = [[0] * size for _ in range(size)]
    high = [[0] * size for _ in range(size)]
    for k, n, (lower, upper) in form.entries(own or not models.process.flows_back):
        for x, y in ((k, n), (n, k)):
            low[x][y] += lower
            high[x][y] += upper
    return definite_on_tangents(form.sizes, form.diagonal(factor), low, high)


class SecondDerivative:
    """The bounds of D and C.  Coordinates are (block, action), blocks with one action left out."""

    def __init__(self, models: Models) -> None:
        self.setting, self.process, self.models, self.box = models.setting, models.process, models, models.box
        actions, classes = self.process.actions, self.process.classes
        names = [
            (i, t, k)
            for t, counts in enumerate(actions)
            for i, count in enumerate(counts)
            if count > 1
            for k in range(classes[t][i])
        ]
        self.sizes = [actions[t][i] for i, t, _ in names]
        self.offsets: dict[Name, int] = dict(zip(names, [0, *accumulate(self.sizes)][: len(names)], strict=True))
        self.reach: list[Weights] = [{e: (down(p), up(p)) for e, p in enumerate(self.process.start)}]
        for t in range(self.process.horizon - 1):
            self.reach.append(self._moved(t, self.reach[t]))

    def _blocks(self, t: int, e: int) -> list[Block]:
        return [self.box.layers[t][i][k] for i, k in enumerate(self.process.joint[t][e])]

    def _moved(self, t: int, weights: Weights, taken: tuple[int, int] | None = None) -> Weights:
        """Weights at depth t carried one step on, gamma included; with `taken` = (agent, action) that agent acts so."""
        moved: Weights = {}
        for e, (low, high) in weights.items():
            blocks = self._blocks(t, e)
            for number, a in enumerate(self.process.joint_actions[t]):
                if taken is not None and a[taken[0]] != taken[1]:
                    continue
                free = [
                    (block, k) for i, (block, k) in enumerate(zip(blocks, a, strict=True)) if not taken or i != taken[0]
                ]
                lower = low * prod(block.lower[k] for block, k in free)
                upper = high * prod(block.upper[k] for block, k in free)
                denominator, row = self.setting.averages[t][e][number]
                denominator <<= len(free) * BITS
                for to, p in row:
                    below, above = moved.get(to, (0, 0))
                    moved[to] = below + lower * p // denominator, above + ceil_div(upper * p, denominator)
        return moved

    def diagonal(self, factor: Fraction) -> list[int]:
        """Lower bounds of D, times `factor` > 0."""
        result = []
        for i, t, k in self.offsets:
            weight = sum(self.reach[t][e][0] for e, classes in enumerate(self.process.joint[t]) if classes[i] == k)
            above = down(factor * self.setting.weights[i] * weight)
            # an upper end may be 0 (splits at the grid's last step): 1 ulp is an upper end all the same
            result += [above // max(1, u) for u in self.box.block((i, t, k)).upper]
        return result

    def entries(self, own: bool) -> Iterator[tuple[int, int, Ends]]:
        """(coordinate, coordinate, bounds): contributions to C."""
        for t, counts in enumerate(self.process.actions):
            active = [i for i, count in enumerate(counts) if count > 1]
            later = []  # W(e, .) per joint class, for every agent with a choice
            for e, classes in enumerate(self.process.joint[t]):
                for i, j in ((i, j) for i in active for j in active if i < j):
                    first, second = self.offsets[i, t, classes[i]], self.offsets[j, t, classes[j]]
                    bounds = self._enclosures(t, e, (i, j))
                    for (a, b), ends in zip(product(range(counts[i]), range(counts[j])), bounds, strict=True):
                        yield first + a, second + b, _product(self.reach[t][e], ends)
                later.append({j: self._later(t, e, j) for j in active} if t else {})
            for (i, s, k), offset in self.offsets.items():
                for action in range(self.process.actions[s][i]) if s < t else ():
                    for coordinate, ends in self._across((i, s, k), action, t, later, own):
                        yield offset + action, coordinate, ends

    def _across(
        self, x: Name, action: int, t: int, later: Sequence[Mapping[int, tuple[list[Ends], list[Ends]]]], own: bool
    ) -> Iterator[tuple[int, Ends]]:
        """(coordinate, bounds) of C between x = (i, s, k), taking `action`, and the blocks at depth t > s."""
        i, s, k = x
        weights = {e: self.reach[s][e] for e, classes in enumerate(self.process.joint[s]) if classes[i] == k}
        weights = self._moved(s, weights, (i, action))
        for u in range(s + 1, t):
            weights = self._moved(u, weights)
        for e, weight in weights.items():
            for j, bounds in later[e].items():
                if j != i or own:
                    offset = self.offsets[j, t, self.process.joint[t][e][j]]
                    for b, ends in enumerate(bounds[j == i]):
                        yield offset + b, _product(weight, ends)

    def _later(self, t: int, e: int, j: int) -> tuple[list[Ends], list[Ends]]:
        """W(e, .) of agent j as blocks of other agents meet it, and as its own earlier ones do."""
        bounds = self._enclosures(t, e, (j,))
        if self.process.flows_back:
            return bounds, bounds
        return bounds, [(low // 2, ceil_div(high, 2)) for low, high in self._enclosures(t, e, (j,), logs=False)]

    def _less_log(self, t: int, e: int, j: int, ends: Sequence[list[int]]) -> None:
        """In place: bounds per joint action, less w log pi of agent j; under the local bonus less half of it, and of
        log (pi / odds)."""
        k, block = self.process.joint[t][e][j], self._blocks(t, e)[j]
        if min(block.lower) <= 0:
            raise Failed(f"a policy of agent {j} at depth {t} has no positive lower bound")
        for number, a in enumerate(self.process.joint_actions[t]):
            tilt = self.setting.own_tilt(j, t, k, a[j])
            low = self.setting.weights[j] * log_bounds(block.lower[a[j]])[0] - tilt[1]
            high = self.setting.weights[j] * log_bounds(block.upper[a[j]])[1] - tilt[0]
            ends[0][number] -= high if self.process.flows_back else ceil_div(high, 2)
            ends[1][number] -= low if self.process.flows_back else low // 2

    def _enclosures(self, t: int, e: int, agents: tuple[int, ...], logs: bool = True) -> list[Ends]:
        """Bounds of U(e, .) averaged over the others' policies, less its means, per joint action of `agents`: of U
        for two agents, of W = U - w log pi for one (of U without `logs`)."""
        counts = self.process.actions[t]
        blocks = self._blocks(t, e)
        entries = self.models.u(t)[e]
        later, columns = slope_columns([model.slopes for model in entries], self.box)
        columns = [[model.centre for model in entries], *columns]
        ends = [[model.low for model in entries], [model.high for model in entries]]
        if len(agents) == 1 and logs:
            self._less_log(t, e, agents[0], ends)
        columns, ends = ([front(column, counts, agents) for column in part] for part in (columns, ends))
        others = [block for k, block in enumerate(blocks) if k not in agents]
        scale = prod(counts[i] for i in agents)
        result = []
        for chosen in product(*(range(counts[i]) for i in agents)):
            centring = _centring([counts[i] for i in agents], chosen)
            values, *moved = contract(columns, centring)
            plus, minus = ([max(0, sign * x) for x in centring] for sign in (1, -1))
            (low, high), (other_low, other_high) = contract(ends, plus), contract(ends, minus)
            below = [x + y - z for x, y, z in zip(values, low, other_high, strict=True)]
            above = [x + y - z for x, y, z in zip(values, high, other_low, strict=True)]
            leasts, mosts = zip(*spread(others, below, above, (later, moved)), strict=True)
            result.append((min(leasts) // scale, ceil_div(max(mosts), scale)))
        return result


def _centring(counts: Sequence[int], chosen: Sequence[int]) -> list[int]:
    """Weights that give x at `chosen`, less its mean over every axis, times the number A of actions of each: on an
    axis A - 1 of its own, -1 of the others."""
    weights = [1]
    for count, k in zip(counts, chosen, strict=True):
        weights = [x * (count * (a == k) - 1) for x in weights for a in range(count)]
    return weights


def _product(weight: Ends, ends: Ends) -> Ends:
    """Bounds of r w for 0 <= r within `weight` and w within `ends`."""
    (low, high), (below, above) = weight, ends
    return min(low * below, high * below) >> BITS, ceil_shift(max(low * above, high * above), BITS)
