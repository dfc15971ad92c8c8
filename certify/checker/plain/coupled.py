"""The coupled form of the step rule, for two agents (format, section 4.4).

At a node of depth t < h - 1 a difference of values is a sum over the joint classes e' = (k', l') one
depth further, weighed with D(e').  Here the other agent's policy at l' is one vertex p for its linear
terms and for the bilinear remainder, and each own block k' answers it, with a share of its own slope.
"""

from collections.abc import Mapping, Sequence
from math import lcm

from certify.checker.numbers.fixed_point import BITS, ONE, ceil_div, ceil_shift
from certify.checker.numbers.linear import dot
from certify.checker.plain.models import Form, Models, Slopes

_TINY = 1 << BITS - 40  # added to the width of every remainder: shares where none has any


class Coupled:
    """Bounds at one node, given the difference `Form` per action of the other agent; V is that of `depth`."""

    def __init__(self, models: Models, agent: int, depth: int, differences: Sequence[Form]) -> None:
        self.models, self.box, self.agent, self.other, self.depth = models, models.box, agent, 1 - agent, depth
        self.joint = models.process.joint[depth]
        self.bare = [difference.bare for difference in differences]
        self.denominator = lcm(*(difference.denominator for difference in differences))
        self.changes = [
            {to: x * (self.denominator // difference.denominator) for to, x in difference.change.items()}
            for difference in differences
        ]

    def bound(self, q: Sequence[int], slopes: Slopes) -> int:
        """An upper bound of sum q X and all that later blocks add, where the other agent plays its vertex q;
        `slopes` are averaged with q, exact (scale 2 BITS)."""
        weights: dict[int, int] = {}  # D(e') times denominator 2^BITS, exact
        for x, change in zip(q, self.changes, strict=True):
            for to, d in change.items():
                weights[to] = weights.get(to, 0) + x * d
        shares = self._shares(weights)
        total = ceil_shift(dot(q, self.bare), BITS)
        groups: dict[int, list[tuple[int, int, int]]] = {}  # per class of the other: (e', its weight, its share)
        for to, share in shares.items():
            groups.setdefault(self.joint[to][self.other], []).append((to, weights[to], share))
        for y, slope in slopes.items():
            if y[1] > self.depth:
                total += self.box.block(y).sigma_plus(slope, BITS)
            elif y[0] == self.other:
                groups.setdefault(y[2], [])
        for k, members in groups.items():
            vertices = range(len(self.box.block((self.other, self.depth, k)).vertices))
            total += max(self._against(number, k, members, slopes) for number in vertices)
        return total

    def _shares(self, weights: Mapping[int, int]) -> dict[int, int]:
        """For every e' with D != 0 the part of its own block's slope that it takes: in proportion to |D| times
        the width of the remainder, with sum exactly 1 over the e' of one own block."""
        own: dict[int, list[int]] = {}
        for to, d in weights.items():
            if d:
                own.setdefault(self.joint[to][self.agent], []).append(to)
        result: dict[int, int] = {}
        later = self.models.v(self.depth)
        for members in own.values():
            strength = [abs(weights[to]) * (later[to].high - later[to].low + _TINY) for to in members]
            result.update({to: (x << BITS) // sum(strength) for to, x in zip(members, strength, strict=True)})
            result[members[-1]] += ONE - sum(result[to] for to in members)
        return result

    def _against(self, number: int, k: int, members: Sequence[tuple[int, int, int]], slopes: Slopes) -> int:
        """What the other agent's class k adds when it plays its vertex `number`, own blocks included."""
        away, divergence = self.box.block((self.other, self.depth, k)).deviations[number]
        *linear, entropy = slopes.get((self.other, self.depth, k), [0] * (len(away) + 1))
        total = ceil_shift(dot(away, linear) + max(0, -entropy) * divergence, 2 * BITS)
        for to, weight, share in members:
            low, high = self.models.v(self.depth)[to].beyond[self.other][number]
            total += ceil_div(weight * (high if weight > 0 else low), self.denominator << BITS)
            name = (self.agent, self.depth, self.joint[to][self.agent])
            if name in slopes:
                *own, e = slopes[name]
                # s g + D W (scale 3 BITS), cut: less than 1 unit of it, and so less than 1 ulp
                mixed = [
                    share * g + weight * w // self.denominator
                    for g, w in zip(own, self._bilinear(to, away), strict=True)
                ]
                total += self.box.block(name).sigma_plus([*mixed, share * e], 2 * BITS) + 1
        return total

    def _bilinear(self, to: int, away: Sequence[int]) -> list[int]:
        """Per own action: sum over the other's actions of U(e', .) (p - c), scale 2 BITS."""
        values = [model.centre for model in self.models.u(self.depth)[to]]
        count = len(away)
        if self.agent == 0:
            return [dot(values[x : x + count], away) for x in range(0, len(values), count)]
        own = len(values) // count
        return [dot(values[x::own], away) for x in range(own)]
