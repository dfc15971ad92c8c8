"""The coupled form of the step rule, for two agents (format, section 4.4).

At a node of depth t < h - 1 a difference of values is a sum over the joint classes e' = (k', l') one
depth further, weighed with D(e').  Here the other agent's policy at l' is one vertex p for its linear
terms and for the bilinear remainder, and each own block k' answers it, with a share of its own slope.
"""

from math import lcm

from certify.checker.numbers.fixed_point import BITS, ONE, ceil_div, ceil_shift
from certify.checker.numbers.linear import dot

_TINY = 1 << BITS - 40  # added to the width of every remainder: shares where none has any


class Coupled:
    """Bounds at one node for the own actions a and b; `bound` takes a vertex of the other's policy."""

    def __init__(self, check, line, node, a, b):
        self.models, self.box, self.agent, self.other = check.models, check.box, line.agent, 1 - line.agent
        self.depth = line.depth + 1
        self.joint = check.process.joint[self.depth]
        rows = [[check.averages[line.depth][node.joint][own[x]] for x in (a, b)] for own in line.own]
        self.denominator = lcm(*(d for pair in rows for d, _ in pair))
        self.differences = []  # per action of the other: {e': numerator of d(e')}
        for (da, row_a), (db, row_b) in rows:
            change = {to: p * (self.denominator // da) for to, p in row_a}
            for to, p in row_b:
                change[to] = change.get(to, 0) - p * (self.denominator // db)
            self.differences.append(change)

    def bound(self, q, bare, slopes):
        """An upper bound of sum q X without remainders, plus all that later blocks add; `bare` lists X
        without rho per action of the other, `slopes` {y: averaged with q, rounded down}."""
        weights = {}  # D(e') times denominator 2^BITS, exact
        for x, change in zip(q, self.differences):
            for to, d in change.items():
                weights[to] = weights.get(to, 0) + x * d
        weights = {to: d for to, d in weights.items() if d}
        shares = self._shares(weights)
        # every slope was rounded down once: less than 1 ulp each
        total = ceil_shift(dot(q, bare), BITS) + len(slopes)
        groups = {}
        for to in weights:
            groups.setdefault(self.joint[to][self.other], []).append(to)
        for y, slope in slopes.items():
            if y[1] > self.depth:
                total += self.box.block(y).sigma_plus(slope)
            elif y[0] == self.other:
                groups.setdefault(y[2], [])
        for k, members in groups.items():
            slope = slopes.get((self.other, self.depth, k))
            block = self.box.block((self.other, self.depth, k))
            total += max(
                self._against(number, block, slope, members, weights, shares, slopes)
                for number in range(len(block.vertices))
            )
        return total

    def _shares(self, weights):
        """For every e' the part of its own block's slope that it takes: in proportion to |D| times
        the width of the remainder, with sum exactly 1 over the e' of one own block."""
        own, result = {}, {}
        for to, d in weights.items():
            own.setdefault(self.joint[to][self.agent], []).append(to)
        later = self.models.v(self.depth)
        for members in own.values():
            strength = [abs(weights[to]) * (later[to].high - later[to].low + _TINY) for to in members]
            total = sum(strength)
            for to, x in zip(members, strength):
                result[to] = (x << BITS) // total
            result[members[-1]] += ONE - sum(result[to] for to in members)
        return result

    def _against(self, number, block, slope, members, weights, shares, slopes):
        """What the other agent's block adds when it plays its vertex `number`, own blocks included."""
        away, divergence = block.deviations[number]
        total = 0
        if slope is not None:
            total = ceil_shift(dot(away, slope) + max(0, -slope[-1]) * divergence, BITS)
        for to in members:
            name = (self.agent, self.depth, self.joint[to][self.agent])
            total += self._remainder(to, weights[to], number)
            if name in slopes:
                *own, e = slopes[name]
                bilinear = self._bilinear(to, away)
                # s g + D W: W has scale 2 BITS, D the denominator and BITS; rounded down, less than 1 ulp
                scale = self.denominator << 2 * BITS
                mixed = [
                    (shares[to] * g * (self.denominator << BITS) + weights[to] * w) // scale
                    for g, w in zip(own, bilinear)
                ]
                total += self.box.block(name).sigma_plus([*mixed, shares[to] * e >> BITS]) + 1
        return total

    def _bilinear(self, to, away):
        """Per own action: sum over the other's actions of U(e', .) (p - c), scale 2 BITS."""
        values = [model.centre for model, _, _ in self.models.u(self.depth)[to]]
        count = len(away)
        if self.agent == 0:
            return [dot(values[x : x + count], away) for x in range(0, len(values), count)]
        own = len(values) // count
        return [dot(values[x::own], away) for x in range(own)]

    def _remainder(self, to, weight, number):
        """D(e') times what is left of V(e') beside slopes and bilinear part, for the other's vertex."""
        low, high = self.models.v(self.depth)[to].beyond[self.other][number]
        return ceil_div(weight * (high if weight > 0 else low), self.denominator << BITS)
