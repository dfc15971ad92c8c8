"""Models (5) of the values-to-go over a box, backwards (format, section 4.4).

A model says, for every policy in the box,  value = centre + sum_y [g_y·delta_y + e_y eta_y] + rho,
low <= rho <= high.  Any centre and slopes are right if low and high say what they leave.  So V takes its own
from averages over the centres, rounded, and its remainder is worked out exactly against the rounded ones: at every
choice of vertices in whole numbers of a finer scale, rounded outwards once.

Averages over chance, where denominators are no powers of two, are the one place at which slopes are rounded without
that.  There every entry of a slope is cut by less than 1 ulp (2^-BITS): g·delta changes by less than 1 ulp, since
delta sums to 0 and its positive part to at most 1; e eta by less than BITS ulps, since
-eta = KL(pi || c) <= max log(1/c_a) < BITS.  Hence `rounding`.

Blocks with a single action have delta = eta = 0 and are left out.

Under the local bonus U and V are rewards alone: entropies count with weight 0, and what the reference pays at a step
is added where that step's own log ratios are looked at (docs/theory/local-bonus.md).
"""

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from math import lcm
from typing import NamedTuple

from certify.checker.numbers.fixed_point import BITS, ceil_div, ceil_shift, down, log_rational
from certify.checker.numbers.linear import contract_all, dot, front
from certify.checker.plain.box import Block, Box, Name, at_vertices
from certify.checker.reading.process import Process

Slope = list[int]  # (g_1, .., g_A, e)
Slopes = Mapping[Name, Slope]
Chances = tuple[int, tuple[tuple[int, int], ...]]  # (denominator, ((target, numerator), ..))


class Model(NamedTuple):
    """A model of V or U.

    `beyond` (V of two agents only) is for the coupled form: per agent and vertex of its block (low, high) of
    what slopes and the bilinear part leave, over all policies of the other agent's block.  `cut` (U only) is what
    centre and slopes have lost to rounding, either way; low and high hold it.
    """

    centre: int
    slopes: Slopes
    low: int
    high: int
    beyond: Sequence[Sequence[tuple[int, int]]] = ()
    cut: int = 0


class Form(NamedTuple):
    """An upper bound value + sum_y [g_y·delta_y + e_y eta_y].

    Of a difference of two U_t also `bare`, the value without the remainders of V_{t+1}, which enter with
    `change` / `denominator` = {e': d(e')}.
    """

    value: int
    slopes: Slopes
    bare: int = 0
    change: Mapping[int, int] = {}
    denominator: int = 1


def common_denominator(row: Sequence[tuple[int, Fraction]]) -> Chances:
    """Pairs (target, rational) over one denominator."""
    denominator = lcm(*(p.denominator for _, p in row))
    return denominator, tuple((to, p.numerator * (denominator // p.denominator)) for to, p in row)


def average_slopes(terms: Sequence[tuple[int, Slopes]], denominator: int) -> dict[Name, Slope]:
    """sum numerator * slopes / denominator, rounded down, over (numerator, slopes) in `terms`."""
    total: dict[Name, Slope] = {}
    for numerator, slopes in terms:
        for y, slope in slopes.items():
            scaled = [numerator * x for x in slope]
            total[y] = [p + q for p, q in zip(total[y], scaled, strict=True)] if y in total else scaled
    return {y: [x // denominator for x in slope] for y, slope in total.items()}


def rounding(slopes: Slopes) -> int:
    """What the cut entries of `average_slopes` may be worth, and the cut centre, in ulps either way."""
    return (BITS + 1) * len(slopes) + 2


class Setting:
    """A process in whole numbers.  J, and so all that is claimed, is multiplied by `scale`: weights become whole."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.scale = lcm(*(w.denominator for w in process.weights))
        self.weights = [int(w * self.scale) for w in process.weights]
        self.passed = [w * process.flows_back for w in self.weights]  # those of entropies in V
        self.averages = [  # [t][e][a]: gamma P(.|e, a)
            [[common_denominator([(to, p * process.discount) for to, p in row]) for row in rows] for rows in layer]
            for layer in process.following
        ]

    def tilt(self, t: int, e: int, a: int) -> tuple[int, int]:
        """(down, up) of what the reference pays, as a reward that beta does not scale."""
        ends = [(int(w * self.scale), log_rational(odds)) for w, odds in self.process.tilts(t, e, a)]
        return sum(w * low for w, (low, _) in ends), sum(w * high for w, (_, high) in ends)

    def own_tilt(self, i: int, t: int, k: int, a: int) -> tuple[int, int]:
        """(down, up) of what the reference pays agent i for its action where U is without it, (0, 0) elsewhere."""
        odds = self.process.odds[t][i][k][a]
        if self.process.flows_back or odds == 1:
            return 0, 0
        low, high = log_rational(odds)
        return self.weights[i] * low, self.weights[i] * high


class Models:
    """Models of V_t and U_t over one box at one beta, built on demand from the last depth.

    `later` may be the `Models` of an older box: depths where both boxes have the same layers are taken
    from it.
    """

    def __init__(self, setting: Setting, box: Box, beta: Fraction, later: "Models | None" = None) -> None:
        self.setting, self.process, self.box, self.beta = setting, setting.process, box, beta
        self._pinned: dict[int, Models] = {}
        self._before: dict[int, Models] = {} if later is None else {**later._before, **later._pinned}
        self._v: dict[int, list[Model]] = {}
        self._u: dict[int, list[list[Model]]] = {}
        for t in reversed(range(self.process.horizon)):
            if later is None:
                break
            if t in later._u:
                self._u[t] = later._u[t]
            if later.box.layers[t] is not box.layers[t]:
                break
            if t in later._v:
                self._v[t] = later._v[t]

    def pinned(self, agent: int) -> "Models":
        """The models over the policies in which the agent plays its centres."""
        if agent not in self._pinned:
            box = self.box.pinned(agent)
            self._pinned[agent] = Models(self.setting, box, self.beta, self._before.get(agent))
        return self._pinned[agent]

    def u(self, t: int) -> list[list[Model]]:
        """U_t: a `Model` per joint class and joint action; low and high hold V_{t+1}'s, averaged, and `rounding`."""
        if t not in self._u:
            actions = range(len(self.process.joint_actions[t]))
            self._u[t] = [[self._u_model(t, e, a) for a in actions] for e in range(len(self.process.joint[t]))]
        return self._u[t]

    def v(self, t: int) -> list[Model]:
        """V_t: a `Model` per joint class."""
        if t not in self._v:
            self._v[t] = [self._v_model(t, e) for e in range(len(self.process.joint[t]))]
        return self._v[t]

    def _u_model(self, t: int, e: int, a: int) -> Model:
        least, most = self.setting.tilt(t, e, a) if self.process.flows_back else (0, 0)
        reward = down(self.setting.scale * self.beta * self.process.reward[t][e][a]) + least
        if t == self.process.horizon - 1:
            cut = rounding({}) + most - least
            return Model(reward, {}, -cut, cut, cut=cut)
        denominator, row = self.setting.averages[t][e][a]
        models = [(p, self.v(t + 1)[to]) for to, p in row]
        slopes = average_slopes([(p, model.slopes) for p, model in models], denominator)
        cut = rounding(slopes) + most - least
        return Model(
            reward + sum(p * model.centre for p, model in models) // denominator,
            slopes,
            sum(p * model.low for p, model in models) // denominator - cut,
            ceil_div(sum(p * model.high for p, model in models), denominator) + cut,
            cut=cut,
        )

    def _with_entropy(self, t: int, e: int, blocks: Sequence[Block]) -> tuple[list[int], list[int], list[int]]:
        """U(e, .) - sum_i w_i log c(a_i): centres and ends of the remainders."""
        values, lows, highs = [], [], []
        for model, a in zip(self.u(t)[e], self.process.joint_actions[t], strict=True):
            logs = [block.log_centre[k] for block, k in zip(blocks, a, strict=True)]
            less, more = (dot(self.setting.passed, [end[side] for end in logs]) for side in (1, 0))
            values.append(model.centre - less)
            lows.append(model.low)
            highs.append(model.high + less - more)
        return values, lows, highs

    def _v_model(self, t: int, e: int) -> Model:
        """From U_t to V_t.  By (3) the entropy of a current block i adds -w_i sum_a pi(a) log c(a), which joins
        U(e, .), and w_i eta."""
        members = self.process.joint[t][e]
        blocks = [self.box.layers[t][i][k] for i, k in enumerate(members)]
        centres, shift = [block.centre for block in blocks], len(blocks) * BITS
        values, lows, highs = self._with_entropy(t, e, blocks)
        later, columns = slope_columns([model.slopes for model in self.u(t)[e]], self.box)

        centre = contract_all([values], centres)[0] >> shift
        gains = [[x >> shift - BITS for x in _others_average(values, centres, i)] for i in range(len(blocks))]
        slopes = {
            (i, t, members[i]): [*gains[i], self.setting.passed[i] << BITS]
            for i, block in enumerate(blocks)
            if block.actions > 1
        }
        middle = [x >> shift for x in contract_all(columns, centres)]
        slopes.update({y: middle[at] for y, _, at in later})

        # what centre and gains leave of `values`, as one table (scale 2 BITS), since every q_i sums to 1
        constant = sum(map(dot, gains, centres)) - (centre << BITS)
        table = [
            (x - sum(gain[k] for gain, k in zip(gains, a, strict=True)) << BITS) + constant
            for x, a in zip(values, self.process.joint_actions[t], strict=True)
        ]
        left = list(spread(blocks, lows, highs, (later, columns), middle))
        bent = [x for (x,) in at_vertices([table], blocks)]
        low = min((x >> shift + BITS) + least for x, (least, _) in zip(bent, left, strict=True))
        high = max(ceil_shift(x, shift + BITS) + most for x, (_, most) in zip(bent, left, strict=True))
        return Model(centre, slopes, low, high, _beyond(blocks, left) if len(blocks) == 2 else ())


Columns = tuple[list[tuple[Name, Block, slice]], list[list[int]]]


def slope_columns(slopes: Sequence[Slopes], box: Box) -> Columns:
    """Slopes given per joint action as columns over them: ([(y, its block, slice of columns)], columns)."""
    names: list[tuple[Name, Block, slice]] = []
    columns: list[list[int]] = []
    for y in dict.fromkeys(y for given in slopes for y in given):
        zero = [0] * (box.block(y).actions + 1)
        names.append((y, box.block(y), slice(len(columns), len(columns) + len(zero))))
        columns += map(list, zip(*(given.get(y, zero) for given in slopes), strict=True))
    return names, columns


def spread(
    blocks: Sequence[Block],
    lows: Sequence[int],
    highs: Sequence[int],
    slopes: Columns,
    passed: Sequence[int] | None = None,
) -> Iterator[tuple[int, int]]:
    """For every choice q of vertices of the blocks (low, high) of sum_a q(a) [x(a) + slopes(a)] less `passed`, with
    lows(a) <= x(a) <= highs(a), over all policies of later blocks.  Slopes are exact here."""
    later, columns = slopes
    shift = len(blocks) * BITS
    less = [x << shift for x in passed or [0] * len(columns)]
    for low, high, *moved in at_vertices([lows, highs, *columns], blocks):
        slope = [x - y for x, y in zip(moved, less, strict=True)]
        negative = [-x for x in slope]
        above = sum(block.sigma(slope[at], shift) for _, block, at in later)
        below = sum(block.sigma(negative[at], shift) for _, block, at in later)
        yield (low >> shift) - below, ceil_shift(high, shift) + above


def _beyond(blocks: Sequence[Block], left: Sequence[tuple[int, int]]) -> Sequence[Sequence[tuple[int, int]]]:
    """`Model.beyond`, from (low, high) per pair of vertices.  It adds 3 ulps: the bilinear part of the coupled form
    is that about exact averages, off by less than 1 ulp each for the cut centre and two agents' gains."""
    count = len(blocks[1].vertices)
    rows = [left[x : x + count] for x in range(0, len(left), count)]
    return [
        [(min(low for low, _ in pairs) - 3, max(high for _, high in pairs) + 3) for pairs in table]
        for table in (rows, zip(*rows, strict=True))
    ]


def _others_average(values: Sequence[int], centres: Sequence[Sequence[int]], i: int) -> list[int]:
    """Per action of agent i the average over the others' centres (scale: BITS per other agent)."""
    table = front(values, [len(c) for c in centres], [i])
    rest = len(table) // len(centres[i])
    rows = [table[x : x + rest] for x in range(0, len(table), rest)]
    return contract_all(rows, [*centres[:i], *centres[i + 1 :]])
