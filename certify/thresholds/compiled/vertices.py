"""Boxes of policies in compiled loops: vertices, centres, the largest value of a slope
(docs/certificate-format.md, section 4.4, (3) and (4); `approx_support` does the same with arrays).

`boxes` (B, ROOM) holds a batch of boxes, the parts of each where the tables say: LOWER, UPPER, CENTRE, LOGS (of the
centre), all (policy entries); ENTROPY of the centre, COUNT of vertices (blocks); POINTS, SHIFT: coordinates of
vertices, and less the centre's; DIVERGENCE: KL(vertex || centre).
"""

from __future__ import annotations

from math import exp, log

import numpy as np

from certify.thresholds.compiled.compiler import nested
from certify.thresholds.compiled.tables import (
    CENTRE,
    CORNER,
    COUNT,
    DIVERGENCE,
    ENTROPY,
    LOGS,
    LOWER,
    POINTS,
    SHIFT,
    SIZE,
    START,
    UPPER,
    VERTEX,
)

TINY = 1e-300
_SAME = 1e-12  # vertices nearer than this are one
_POSITIVE = 1e-13  # weights of entropies from which the exact cap counts


@nested
def fill(numbers, boxes, first, last, listing):
    """Everything that follows from the ends of the blocks `first` to `last`; vertices where `listing`."""
    for box in range(len(boxes)):
        mine = boxes[box]
        for block in range(first, last):
            size, at = numbers[numbers[SIZE] + block], numbers[numbers[START] + block]
            lower, upper = numbers[LOWER] + at, numbers[UPPER] + at
            low, slack = 0.0, 0.0
            for a in range(size):
                low += mine[lower + a]
                slack += mine[upper + a] - mine[lower + a]
            theta = min(1.0, max(0.0, (1.0 - low) / max(slack, TINY))) if slack > 0 else 0.0
            entropy = 0.0
            for a in range(size):
                c = mine[lower + a] + theta * (mine[upper + a] - mine[lower + a])
                mine[numbers[CENTRE] + at + a] = c
                mine[numbers[LOGS] + at + a] = log(max(c, TINY))
                entropy -= c * mine[numbers[LOGS] + at + a]
            mine[numbers[ENTROPY] + block] = entropy
            if listing:
                _list_vertices(numbers, mine, block)


@nested
def _list_vertices(numbers, mine, block):
    """The distinct vertices of a box cut with the simplex: all coordinates but one at an end."""
    size, at = numbers[numbers[SIZE] + block], numbers[numbers[START] + block]
    lower, upper = numbers[LOWER] + at, numbers[UPPER] + at
    vertex = numbers[numbers[VERTEX] + block]
    room = numbers[numbers[VERTEX] + block + 1] - vertex
    points = numbers[POINTS] + numbers[numbers[CORNER] + block]
    point = np.empty(size)
    count = 0
    for free in range(size):
        for ends in range(1 << (size - 1)):
            rest, bit, useless = 1.0, 0, False
            for a in range(size):
                if a == free:
                    continue
                if (ends >> bit) & 1:
                    point[a] = mine[upper + a]
                    useless = useless or mine[upper + a] == mine[lower + a]
                else:
                    point[a] = mine[lower + a]
                rest -= point[a]
                bit += 1
            if useless or rest < mine[lower + free] - _SAME or rest > mine[upper + free] + _SAME:
                continue
            point[free] = min(max(rest, mine[lower + free]), mine[upper + free])
            new = count < room
            for v in range(count):
                distance = 0.0
                for a in range(size):
                    distance = max(distance, abs(point[a] - mine[points + v * size + a]))
                if distance <= _SAME:
                    new = False
                    break
            if new:
                for a in range(size):
                    mine[points + count * size + a] = point[a]
                count += 1
    if count == 0:  # an empty box: one point for all
        for a in range(size):
            mine[points + a] = mine[numbers[CENTRE] + at + a]
        count = 1
    shift = numbers[SHIFT] + numbers[numbers[CORNER] + block]
    for v in range(count):
        divergence = 0.0
        for a in range(size):
            p = mine[points + v * size + a]
            mine[shift + v * size + a] = p - mine[numbers[CENTRE] + at + a]
            if p > 0:
                divergence += p * (log(max(p, TINY)) - mine[numbers[LOGS] + at + a])
        mine[numbers[DIVERGENCE] + vertex + v] = max(divergence, 0.0)
    mine[numbers[COUNT] + block] = count


@nested
def support(numbers, mine, block, g, at):
    """max over one box of g . (delta, -KL), at vertices alone; g begins at `at`, entropy's weight last."""
    size, vertex = numbers[numbers[SIZE] + block], numbers[DIVERGENCE] + numbers[numbers[VERTEX] + block]
    shift = numbers[SHIFT] + numbers[numbers[CORNER] + block]
    count = int(mine[numbers[COUNT] + block])
    bend = max(-g[at + size], 0.0)
    best = -np.inf
    if size == 3:  # most games have few actions
        x, y, z = g[at], g[at + 1], g[at + 2]
        for v in range(count):
            value = x * mine[shift] + y * mine[shift + 1] + z * mine[shift + 2]
            best = max(best, value + bend * mine[vertex + v])
            shift += 3
        return best
    for v in range(count):
        value = bend * mine[vertex + v]
        for a in range(size):
            value += g[at + a] * mine[shift + a]
        shift += size
        best = max(best, value)
    return best


@nested
def least(numbers, mine, block, g, at):
    """Minus `support` of -g: the least value."""
    size, vertex = numbers[numbers[SIZE] + block], numbers[DIVERGENCE] + numbers[numbers[VERTEX] + block]
    shift = numbers[SHIFT] + numbers[numbers[CORNER] + block]
    bend = max(g[at + size], 0.0)
    best = np.inf
    for v in range(int(mine[numbers[COUNT] + block])):
        value = -bend * mine[vertex + v]
        for a in range(size):
            value += g[at + a] * mine[shift + a]
        shift += size
        best = min(best, value)
    return best


@nested
def entropic_support(numbers, mine, block, g, at):
    """`support`, or the exact cap e log sum_a c_a exp(g_a / e) - g . c (Donsker and Varadhan) where that is less."""
    best = support(numbers, mine, block, g, at)
    size, centre = numbers[numbers[SIZE] + block], numbers[CENTRE] + numbers[numbers[START] + block]
    weight = g[at + size]
    if weight <= _POSITIVE:
        return best
    mean, inverse = 0.0, 1 / weight
    for a in range(size):
        mean += g[at + a] * mine[centre + a]
    largest, square, cube = -np.inf, 0.0, 0.0
    for a in range(size):
        x = (g[at + a] - mean) * inverse
        largest = max(largest, x)
        x2 = mine[centre + a] * x * x
        square += x2
        cube += x2 * x
    # E exp x >= 1 + z and log(1 + z) >= z - z^2 / 2: a cap that large changes nothing
    z = square / 2 + cube / 6
    if z > 0 and weight * (z - z * z / 2) >= best:
        return best
    total = 0.0
    for a in range(size):
        total += mine[centre + a] * exp((g[at + a] - mean) * inverse - largest)
    cap = weight * (log(total) + largest)
    return cap if cap < best else best
