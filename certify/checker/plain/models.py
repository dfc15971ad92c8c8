"""Models (5) of the values-to-go over a box, backwards (format, section 4.4).

A model says, for every policy in the box,  value = centre + sum_y [g_y·delta_y + e_y eta_y] + rho,
low <= rho <= high.  `centre` and the slopes are fixed-point integers; every rounding error is put
into low and high, so that the statement is exact.  What an error is worth (1 ulp = 2^-BITS):

- a slope rounded down, with errors in [0, k) ulps per entry: the error times delta lies in (-k, k)
  ulps, since delta sums to 0 and its positive part to at most 1;
- a coefficient of eta rounded down by less than k ulps: the error times eta lies in (-k K, 0],
  where K = block.ulps bounds -eta = KL(pi || c);
- a number rounded down: [0, 1) ulp.

Blocks with a single action have delta = eta = 0 and are left out.
"""

from dataclasses import dataclass
from itertools import product
from math import lcm

from certify.checker.numbers.fixed_point import BITS, ceil_div, ceil_shift, down
from certify.checker.numbers.linear import contract, contract_all, dot, front, multilinear_max


@dataclass(frozen=True)
class Model:
    """`slopes[y]` = (g_1, .., g_A, e) for the block y = (agent, depth, class).

    `beyond` (V of two agents only) is for the coupled form: per agent j and vertex of its block (low, high)
    of what the slopes and the bilinear part leave, over all policies of the other agent's block.
    """

    centre: int
    slopes: dict
    low: int
    high: int
    beyond: tuple = ()


def common_denominator(row):
    """Pairs (target, rational) as (denominator, ((target, numerator), ..))."""
    denominator = lcm(*(p.denominator for _, p in row))
    return denominator, tuple((to, p.numerator * (denominator // p.denominator)) for to, p in row)


def average_slopes(terms, denominator):
    """sum numerator * slopes / denominator, rounded down, over (numerator, slopes) in `terms`."""
    total = {}
    for numerator, slopes in terms:
        for y, slope in slopes.items():
            scaled = [numerator * x for x in slope]
            total[y] = [p + q for p, q in zip(total[y], scaled)] if y in total else scaled
    return {y: [x // denominator for x in slope] for y, slope in total.items()}


class Models:
    """Models of V_t and U_t over one box at one beta, built on demand from the last depth.

    `averages[t][e][a]` is gamma P(.|e, a) over a common denominator.

    `later` may be the `Models` of an older box: depths where both boxes have the same layers are taken
    from it.
    """

    def __init__(self, process, averages, box, beta, later=None):
        self.process, self.averages, self.box, self.beta = process, averages, box, beta
        self._v, self._u = {}, {}
        if later is not None:
            for t in range(process.horizon - 1, -1, -1):
                if t + 1 < process.horizon and later.box.layers[t + 1] is not box.layers[t + 1]:
                    break
                if t in later._u:
                    self._u[t] = later._u[t]
                if t in later._v and later.box.layers[t] is box.layers[t]:
                    self._v[t] = later._v[t]

    def u(self, t):
        """U_t: per joint class and joint action a `Model` whose low and high hold the remainders of
        V_{t+1}, and (separately) the ends of the rounding errors made here: [e][a] -> (model, err_low, err_high)."""
        if t not in self._u:
            self._u[t] = [
                [self._u_model(t, e, a) for a in range(len(self.process.joint_actions[t]))]
                for e in range(len(self.process.joint[t]))
            ]
        return self._u[t]

    def v(self, t):
        """V_t: a `Model` per joint class."""
        if t not in self._v:
            self._v[t] = [self._v_model(t, e) for e in range(len(self.process.joint[t]))]
        return self._v[t]

    def _u_model(self, t, e, a):
        reward = down(self.beta * self.process.reward[t][e][a])
        if t == self.process.horizon - 1:
            return Model(reward, {}, 0, 0), 0, 1
        denominator, row = self.averages[t][e][a]
        later = self.v(t + 1)
        slopes = average_slopes([(p, later[to].slopes) for to, p in row], denominator)
        centre = reward + sum(p * later[to].centre for to, p in row) // denominator
        low = sum(p * later[to].low for to, p in row) // denominator
        high = ceil_div(sum(p * later[to].high for to, p in row), denominator)
        loss = sum(1 + self.box.block(y).ulps for y in slopes)
        return Model(centre, slopes, low, high), -loss, 2 + len(slopes)

    def _v_model(self, t, e):
        """From U_t to V_t; the current blocks are those of the joint class e."""
        members = self.process.joint[t][e]
        blocks = [self.box.layers[t][i][k] for i, k in enumerate(members)]
        models = [m for m, _, _ in self.u(t)[e]]
        lows = [m.low + err for m, err, _ in self.u(t)[e]]
        highs = [m.high + err for m, _, err in self.u(t)[e]]
        values = [m.centre for m in models]
        names, columns = slope_columns([m.slopes for m in models], self.box)
        centres = [block.centre for block in blocks]
        n = len(blocks)

        centre = contract_all([values], centres)[0] >> n * BITS
        low, high = 0, 1
        slopes, gains = {}, []
        for i, (block, weight) in enumerate(zip(blocks, self.process.weights)):
            gain = [x >> (n - 1) * BITS for x in _others_average(values, centres, i)]
            gains.append(gain)
            if block.actions == 1:
                continue
            w, d = weight.numerator, weight.denominator
            entropy = w * block.entropy_centre[0] // d
            centre += entropy
            high += ceil_div(w * block.entropy_centre[1], d) - entropy
            # - w log c, rounded down, by at most `width` too small; `gain` by less than 1
            bonus = [-ceil_div(w * log_up, d) for _, log_up in block.log_centre]
            width = max(1 - b - w * log_low // d for b, (log_low, _) in zip(bonus, block.log_centre))
            slopes[i, t, members[i]] = [g + b for g, b in zip(gain, bonus)] + [down(weight)]
            low -= width + 1 + block.ulps
            high += width + 1
        middle = contract_all(columns, centres)
        for y, at in names:
            slopes[y] = [x >> n * BITS for x in middle[at]]
            low -= 1 + self.box.block(y).ulps
            high += 1
        if names:
            below, above, left = self._remainder(blocks, values, gains, names, columns, middle, lows, highs)
        else:
            above = self._bilinear(blocks, values, gains, highs)
            below = -self._bilinear(blocks, [-x for x in values], [[-x for x in g] for g in gains], [-x for x in lows])
            left = None
        # `gains` are rounded down by less than 1: an error in (-1, 1) ulps for every agent
        beyond = () if n != 2 else self._beyond(blocks, left or (min(lows), max(highs)), low - n, high + n)
        return Model(centre, slopes, low + below, high + above, beyond)

    @staticmethod
    def _beyond(blocks, left, low, high):
        """`Model.beyond` from what `left` says: (low, high) for every pair of vertices, or for all at once."""
        counts = [len(block.vertices) for block in blocks]
        if isinstance(left, tuple):
            return tuple([(left[0] + low, left[1] + high)] * count for count in counts)
        rows = [left[x : x + counts[1]] for x in range(0, len(left), counts[1])]
        return tuple(
            [(min(x for x, _ in pairs) + low, max(x for _, x in pairs) + high) for pairs in table]
            for table in (rows, zip(*rows))
        )

    def _remainder(self, blocks, values, gains, names, columns, middle, lows, highs):
        """(low, high) of the remainder of V: extremes over all vertices of the current blocks; and for each
        choice of vertices the ends of the part that is not multilinear in deviations from the centres."""
        n = len(blocks)
        constant = -contract_all([values], [b.centre for b in blocks])[0]
        shift = n * BITS
        later = [(self.box.block(y), at) for y, at in names]
        above = below = None
        left = []
        for vertex, averaged in vertex_products(blocks, [values, highs, lows, *columns]):
            value, top, bottom, *moved = averaged
            linear = sum(dot(dv, gain) for (dv, _), gain in zip(vertex, gains))  # scale 2 BITS
            # `gains` are rounded down by less than 1: an error in (-1, 1) ulps for every agent
            first = value + constant - (linear << (n - 1) * BITS)
            most, least = ceil_shift(top, shift), bottom >> shift
            for block, at in later:
                slope = [x - y for x, y in zip(moved[at], middle[at])]
                # slopes rounded down: sigma is off by less than 1 ulp, e errs to the safe side
                most += block.sigma([x >> shift for x in slope]) + 1
                least -= block.sigma([-x >> shift for x in slope]) + 1
            left.append((least, most))
            up, lower = ceil_shift(first, shift) + most + n, (first >> shift) + least - n
            above = up if above is None else max(above, up)
            below = lower if below is None else min(below, lower)
        return below, above, left

    @staticmethod
    def _bilinear(blocks, values, gains, highs):
        """Upper end of the remainder where no slopes are present: one multilinear maximum."""
        n = len(blocks)
        constant = -contract_all([values], [b.centre for b in blocks])[0]
        constant += sum(dot(b.centre, gain) for b, gain in zip(blocks, gains)) << (n - 1) * BITS
        # sum_a q(a) table(a) - sum_i q_i·gain_i, written as one table since every q_i sums to 1
        table = [
            x + y - sum(gain[k] for gain, k in zip(gains, a))
            for (x, y), a in zip(zip(values, highs), product(*(range(b.actions) for b in blocks)))
        ]
        return ceil_shift(multilinear_max(table, blocks) + constant, n * BITS) + n


def slope_columns(slopes, box):
    """Slopes given per joint action as columns over the joint actions: ([(y, slice of columns)], columns)."""
    blocks = dict.fromkeys(y for given in slopes for y in given)
    names, columns = [], []
    for y in blocks:
        size = box.block(y).actions + 1
        zero = [0] * size
        names.append((y, slice(len(columns), len(columns) + size)))
        columns += [list(column) for column in zip(*(given.get(y, zero) for given in slopes))]
    return names, columns


def _others_average(values, centres, i):
    """Per action of agent i the average over the others' centres (scale: BITS per other agent)."""
    sizes = [len(c) for c in centres]
    table = front(values, sizes, [i])
    rest = len(table) // sizes[i]
    rows = [table[a * rest : (a + 1) * rest] for a in range(sizes[i])]
    return contract_all(rows, centres[:i] + centres[i + 1 :]) if len(centres) > 1 else [row[0] for row in rows]


def vertex_products(blocks, columns):
    """For every choice of a vertex in each block: ([(v - c, KL) per block], the columns' averages)."""
    if not blocks:
        yield [], [column[0] for column in columns]
        return
    block = blocks[0]
    for vertex, deviation in zip(block.vertices, block.deviations):
        for rest, averaged in vertex_products(blocks[1:], contract(columns, vertex)):
            yield [deviation, *rest], averaged
