"""Boxes of policies in fixed point, their vertices and centres, and the suprema sigma of the step
rule (format, sections 4.2 to 4.4).

A `Block` is the box of one class of one agent: lower <= pi <= upper with sum 1, integers in units of
2^-BITS; so bounds, vertices and centres are exact, and only logarithms and exponentials are rounded.
"""

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from functools import cached_property, lru_cache
from itertools import product
from operator import mul, sub

from certify.checker.numbers.fixed_point import (
    BITS,
    LARGEST_EXPONENT,
    ONE,
    ceil_div,
    ceil_shift,
    down,
    exp_bounds,
    log_bounds,
    scaled_down,
    up,
)
from certify.checker.numbers.linear import contract, dot, greedy
from certify.checker.reading.envelope import Failed
from certify.checker.reading.process import Process

MOST_CORNERS = 1 << 19  # candidates for vertices

Name = tuple[int, int, int]  # of a block: (agent, depth, class)


class Block:
    """One block's box; immutable.  Properties are computed when first asked for."""

    def __init__(self, lower: Sequence[int], upper: Sequence[int]) -> None:
        self.lower, self.upper = tuple(lower), tuple(upper)
        self.actions = len(self.lower)

    @cached_property
    def empty(self) -> bool:
        """Whether it holds no distribution."""
        return any(map(int.__gt__, self.lower, self.upper)) or sum(self.lower) > ONE or sum(self.upper) < ONE

    @cached_property
    def centre(self) -> tuple[int, ...]:
        """l + theta (u - l), rounded, with sum exactly 1 and every entry positive."""
        low, room = sum(self.lower), sum(self.upper) - sum(self.lower)
        c = list(self.lower)
        if room:
            c = [max(x + (ONE - low) * (y - x) // room, min(1, y)) for x, y in zip(c, self.upper, strict=True)]
            c[c.index(max(c))] -= max(0, sum(c) - ONE)
        for a in sorted(range(self.actions), key=lambda a: c[a] - self.upper[a]):
            c[a] += min(ONE - sum(c), self.upper[a] - c[a])
        if min(c) <= 0:
            raise Failed("a box on the boundary of the policy space has no centre with full support")
        return tuple(c)

    @cached_property
    def vertices(self) -> list[tuple[int, ...]]:
        """Vertices of box and simplex: all coordinates but one at an end, that one closes the sum."""
        ends = [sorted({x, y}) for x, y in zip(self.lower, self.upper, strict=True)]
        if self.actions << sum(len(pair) - 1 for pair in ends) > MOST_CORNERS:
            raise Failed("a block has more vertices than this checker enumerates")
        found = set()
        for free, (low, high) in enumerate(zip(self.lower, self.upper, strict=True)):
            for corner in product(*ends[:free], *ends[free + 1 :]):
                rest = ONE - sum(corner)
                if low <= rest <= high:
                    found.add((*corner[:free], rest, *corner[free:]))
        return sorted(found)

    @cached_property
    def log_centre(self) -> list[tuple[int, int]]:
        """(down, up) of log c_a per action."""
        return [log_bounds(c) for c in self.centre]

    @cached_property
    def deviations(self) -> list[tuple[tuple[int, ...], int]]:
        """(v - c, upper bound of KL(v || c)) per vertex v."""
        found = []
        for v in self.vertices:
            # v >= 0, so each product with an upper bound of log v - log c is an upper bound; 0 log 0 = 0
            total = sum(x * (log_bounds(x)[1] - low) for x, (low, _) in zip(v, self.log_centre, strict=True) if x)
            found.append((tuple(map(sub, v, self.centre)), max(0, ceil_shift(total, BITS))))
        return found

    def sigma(self, slope: Sequence[int], shift: int) -> int:
        """Upper bound of g·delta + e eta over the box, rule (4), for (g_1, .., g_A, e) = slope / 2^shift."""
        # `map` stops before e
        best = max([sum(map(mul, dv, slope)) + max(0, -slope[-1]) * kl for dv, kl in self.deviations])
        return ceil_shift(best, BITS + shift)

    def sigma_plus(self, slope: Sequence[int], shift: int) -> int:
        """The smaller of `sigma` and, for e > 0, e log sum_a c_a exp(g_a/e) - g·c (Donsker-Varadhan)."""
        vertex = self.sigma(slope, shift)
        *g, e = slope
        if e <= 0:
            return vertex
        top = max(g)
        # exponents (g_a - top)/e <= 0 and exponentials are rounded up, so the sum is bounded from above
        terms = [exp_bounds(min(0, ceil_div((x - top) << BITS, e)))[1] for x in g]
        mass = log_bounds(ceil_shift(dot(terms, self.centre), BITS))[1]
        return min(vertex, ceil_shift((top << BITS) + e * mass - dot(g, self.centre), BITS + shift))

    def contracted(self, ratios: Mapping[tuple[int, int], int | None], unit: int) -> "Block":
        """The block intersected with what log ratio bounds imply (section 4.3).

        `ratios[a, b]` is the integer m with log pi(a) - log pi(b) <= m 2^unit, or None.
        """
        lower, upper, actions, limit = list(self.lower), list(self.upper), range(self.actions), LARGEST_EXPONENT * ONE
        for a in actions:
            above = [ratios[a, b] for b in actions if b != a]
            mass = sum(exp_bounds(min(limit, scaled_down(-m, unit)))[0] for m in above if m is not None)
            upper[a] = min(upper[a], ceil_div(ONE * ONE, ONE + mass))
            below = [ratios[b, a] for b in actions if b != a]
            exponents = [-scaled_down(-m, unit) for m in below if m is not None]
            if len(exponents) == len(below) and max(exponents, default=0) <= limit:
                lower[a] = max(lower[a], ONE * ONE // (ONE + sum(exp_bounds(x)[1] for x in exponents)))
        return Block.tight(lower, upper)

    @classmethod
    def tight(cls, lower: list[int], upper: list[int]) -> "Block":
        """The block with what its sum of 1 adds to the ends."""
        for _ in range(2):
            room = ONE - sum(upper)
            lower = [max(x, room + y) for x, y in zip(lower, upper, strict=True)]
            room = ONE - sum(lower)
            upper = [min(y, room + x) for x, y in zip(lower, upper, strict=True)]
        return cls(lower, upper)

    def halved(self, action: int, at: Fraction, above: bool) -> "Block":
        """The part with pi(action) <= at, or >= at; `at` is rounded so that nothing is lost."""
        lower, upper = list(self.lower), list(self.upper)
        if above:
            lower[action] = max(lower[action], down(at))
        else:
            upper[action] = min(upper[action], up(at))
        return Block(lower, upper)


Layer = tuple[tuple[Block, ...], ...]


class Box:
    """The boxes of all blocks: `layers[t][i]` is the tuple of blocks of agent i at depth t.

    Boxes share the layers in which they do not differ; models are cached by the layers' identity.
    """

    def __init__(self, layers: tuple[Layer, ...]) -> None:
        self.layers = layers

    @classmethod
    def whole(cls, process: Process) -> "Box":
        """The whole policy space."""
        return cls(
            tuple(
                tuple(
                    (Block([ONE] if count == 1 else [0] * count, [ONE] * count),) * classes
                    for count, classes in zip(*numbers, strict=True)
                )
                for numbers in zip(process.actions, process.classes, strict=True)
            )
        )

    def block(self, name: Name) -> Block:
        """The block of that name."""
        agent, depth, k = name
        return self.layers[depth][agent][k]

    def replaced(self, agent: int, depth: int, blocks: Sequence[Block]) -> "Box":
        """The box with all blocks of one agent at one depth replaced."""
        layer = self.layers[depth][:agent] + (tuple(blocks),) + self.layers[depth][agent + 1 :]
        return Box(self.layers[:depth] + (layer,) + self.layers[depth + 1 :])

    def pinned(self, agent: int) -> "Box":
        """The box of the policies in which the agent plays its centres."""
        return Box(tuple(_pinned(layer, agent) for layer in self.layers))

    @cached_property
    def empty(self) -> bool:
        """Whether it holds no policy."""
        return any(block.empty for layer in self.layers for blocks in layer for block in blocks)


@lru_cache(maxsize=64)
def _pinned(layer: Layer, agent: int) -> Layer:
    points = tuple(Block(block.centre, block.centre) for block in layer[agent])
    return (*layer[:agent], points, *layer[agent + 1 :])


def at_vertices(columns: Sequence[Sequence[int]], blocks: Sequence[Block]) -> Iterator[list[int]]:
    """The averages of the columns over every choice of a vertex in each block; their scale rises by 2^BITS a block."""
    if not blocks:
        yield [column[0] for column in columns]
        return
    for vertex in blocks[0].vertices:
        yield from at_vertices(contract(columns, vertex), blocks[1:])


def multilinear_max(table: Sequence[int], blocks: Sequence[Block]) -> int:
    """The largest of what `at_vertices` finds for one column: the last block is filled up instead."""
    if not blocks:
        return table[0]
    if len(blocks) == 1:
        return greedy(blocks[0].lower, blocks[0].upper, table)
    return max(multilinear_max(contract([table], q)[0], blocks[1:]) for q in blocks[0].vertices)
