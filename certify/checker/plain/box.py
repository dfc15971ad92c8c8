"""Boxes of policies in fixed point, their vertices and centres, and the suprema sigma of the step
rule (format, sections 4.2 to 4.4).

A `Block` is the box of one class of one agent: lower <= pi <= upper with sum 1, integers in units of
2^-BITS; so bounds, vertices and centres are exact, and only logarithms are rounded.
"""

from functools import cached_property
from operator import mul

from certify.checker.numbers.fixed_point import (
    BITS,
    LARGEST_EXPONENT,
    ONE,
    ceil_div,
    ceil_shift,
    down,
    exp_bounds,
    exp_down,
    exp_up,
    log_down,
    log_up,
    up,
)
from certify.checker.reading.envelope import Failed

MAX_TRIED = 500_000  # partial vertices


class Block:
    """One block's box; immutable.  Properties are computed when first asked for."""

    def __init__(self, lower, upper):
        self.lower, self.upper = tuple(lower), tuple(upper)
        self.actions = len(self.lower)

    @cached_property
    def empty(self):
        return any(map(int.__gt__, self.lower, self.upper)) or sum(self.lower) > ONE or sum(self.upper) < ONE

    @cached_property
    def centre(self):
        """l + theta (u - l), rounded, with sum exactly 1 and every entry positive."""
        low, room = sum(self.lower), sum(self.upper) - sum(self.lower)
        c = list(self.lower)
        if room:
            c = [max(x + (ONE - low) * (y - x) // room, min(1, y)) for x, y in zip(self.lower, self.upper)]
            c[c.index(max(c))] -= max(0, sum(c) - ONE)
        for a in sorted(range(self.actions), key=lambda a: c[a] - self.upper[a]):
            add = min(ONE - sum(c), self.upper[a] - c[a])
            c[a] += add
        if min(c) <= 0:
            raise Failed("a box on the boundary of the policy space has no centre with full support")
        return tuple(c)

    @cached_property
    def vertices(self):
        """Vertices of box ∩ simplex: at most one coordinate strictly between its bounds."""
        width = [u - x for x, u in zip(self.lower, self.upper)]
        room = [sum(width[a:]) for a in range(self.actions + 1)]  # what coordinates from a on can take
        found, tried = set(), 0

        def fill(a, q, rest, free):
            """Decide coordinate a; `rest` is still to be put in, `free` the coordinate in between."""
            nonlocal tried
            tried += 1
            if tried > MAX_TRIED:
                raise Failed("a block has more vertices than this checker enumerates")
            if rest > room[a] + (0 if free is None else width[free]):
                return
            if a == self.actions:
                found.add(q if free is None else q[:free] + (q[free] + rest,) + q[free + 1 :])
                return
            fill(a + 1, q + (self.lower[a],), rest, free)
            if width[a] and width[a] <= rest:
                fill(a + 1, q + (self.upper[a],), rest - width[a], free)
            if width[a] and free is None:
                fill(a + 1, q + (self.lower[a],), rest, a)

        fill(0, (), ONE - sum(self.lower), None)
        return sorted(found)

    @cached_property
    def log_centre(self):
        """(down, up) of log c_a per action."""
        return tuple((log_down(c), log_up(c)) for c in self.centre)

    @cached_property
    def entropy_centre(self):
        """(down, up) of H(c)."""
        low = sum(-c * high for c, (_, high) in zip(self.centre, self.log_centre))
        high = sum(-c * low_log for c, (low_log, _) in zip(self.centre, self.log_centre))
        return low >> BITS, ceil_shift(high, BITS)

    @cached_property
    def deviations(self):
        """(v - c, upper bound of KL(v || c)) per vertex v."""
        return [(tuple(x - y for x, y in zip(v, self.centre)), self._divergence_up(v)) for v in self.vertices]

    def _divergence_up(self, v):
        # v >= 0, so each product with an upper bound of log v - log c is an upper bound; 0 log 0 = 0
        total = sum(x * (log_up(x) - logs[0]) for x, logs in zip(v, self.log_centre) if x)
        return max(0, ceil_shift(total, BITS))

    @cached_property
    def ulps(self):
        """A whole number K with KL(pi || c) <= K over the box: what one ulp of the coefficient of eta is worth."""
        return (max(kl for _, kl in self.deviations) >> BITS) + 1

    @cached_property
    def _short_deviations(self):
        """Deviations without their last entry, which is minus the sum of the others."""
        return [dv[:-1] for dv, _ in self.deviations]

    def sigma(self, slope):
        """Upper bound of g·delta + e eta over the box, slope = (g_1, .., g_A, e), rule (4)."""
        *g, last, e = slope
        if e < 0:
            best = max([sum(map(mul, dv, slope)) - e * kl for dv, kl in self.deviations])
        elif self.actions == 3:  # the common case, written out for speed
            p, q = g[0] - last, g[1] - last
            best = max([p * x + q * y for x, y in self._short_deviations])
        else:
            g = [x - last for x in g]
            best = max([sum(map(mul, dv, g)) for dv in self._short_deviations])
        return -(-best >> BITS)

    def sigma_plus(self, slope):
        """The smaller of `sigma` and, for e > 0, e log sum_a c_a exp(g_a/e) - g·c (Donsker-Varadhan)."""
        vertex = self.sigma(slope)
        *g, e = slope
        if e <= 0:
            return vertex
        top = max(g)
        # exponents (g_a - top)/e <= 0 rounded up, exp rounded up: the sum is bounded from above
        mass = sum(c * exp_up(min(0, ceil_div((x - top) << BITS, e))) for c, x in zip(self.centre, g))
        value = top + ceil_shift(e * log_up(ceil_shift(mass, BITS)), BITS) - (sum(map(mul, g, self.centre)) >> BITS)
        return min(vertex, value)

    def contracted(self, bounds, unit):
        """The block intersected with what log ratio bounds imply (section 4.3).

        `bounds[a][b]` is the integer m with log pi(a) - log pi(b) <= m 2^unit, or None.
        """
        lower, upper = list(self.lower), list(self.upper)
        others = [[b for b in range(self.actions) if b != a] for a in range(self.actions)]
        for a in range(self.actions):
            mass = ONE
            for b in others[a]:
                if bounds[a][b] is not None:
                    mass += exp_down(min(_fixed(-bounds[a][b], unit), LARGEST_EXPONENT * ONE))
            upper[a] = min(upper[a], ceil_div(ONE * ONE, mass))
            exponents = [None if bounds[b][a] is None else -_fixed(-bounds[b][a], unit) for b in others[a]]
            if all(x is not None and x <= LARGEST_EXPONENT * ONE for x in exponents):
                mass = ONE + sum(exp_bounds(x)[1] for x in exponents)
                lower[a] = max(lower[a], ONE * ONE // mass)
        for _ in range(2):
            lower = [max(low, ONE - sum(upper[b] for b in others[a])) for a, low in enumerate(lower)]
            upper = [min(high, ONE - sum(lower[b] for b in others[a])) for a, high in enumerate(upper)]
        return Block(lower, upper)

    def halved(self, action, at, above):
        """The part with pi(action) <= at, or >= at; `at` is rounded so that nothing is lost."""
        lower, upper = list(self.lower), list(self.upper)
        if above:
            lower[action] = max(lower[action], down(at))
        else:
            upper[action] = min(upper[action], up(at))
        return Block(lower, upper)


def _fixed(m, unit):
    """m 2^unit in fixed point, rounded down."""
    return m << BITS + unit if BITS + unit >= 0 else m >> -(BITS + unit)


class Box:
    """The boxes of all blocks: `layers[t][i]` is the tuple of blocks of agent i at depth t.

    Boxes share the layers in which they do not differ; models are cached by the layers' identity.
    """

    def __init__(self, layers):
        self.layers = layers

    @classmethod
    def whole(cls, process):
        """The whole policy space."""
        return cls(
            tuple(
                tuple(
                    (Block([ONE] if count == 1 else [0] * count, [ONE] * count),) * classes
                    for count, classes in zip(process.actions[t], process.classes[t])
                )
                for t in range(process.horizon)
            )
        )

    def block(self, name):
        agent, depth, k = name
        return self.layers[depth][agent][k]

    def replaced(self, agent, depth, blocks):
        """The box with all blocks of one agent at one depth replaced."""
        layer = self.layers[depth][:agent] + (tuple(blocks),) + self.layers[depth][agent + 1 :]
        return Box(self.layers[:depth] + (layer,) + self.layers[depth + 1 :])

    @cached_property
    def empty(self):
        return any(block.empty for layer in self.layers for blocks in layer for block in blocks)
