"""The coupled form in compiled loops (docs/certificate-format.md, "The coupled form"; `approx_coupled` does the same
with arrays)."""

from __future__ import annotations

import numpy as np

from certify.thresholds.compiled.compiler import nested
from certify.thresholds.compiled.models import most_vertices
from certify.thresholds.compiled.tables import (
    AGENT,
    AGENTS,
    COLUMNS,
    CORNER,
    COUNT,
    COUNTS,
    DEPTH,
    DIVERGENCE,
    FAMILY,
    FIRST,
    HORIZON,
    JA,
    JOINT,
    LEVEL,
    LISTING,
    NODES,
    OTHERS,
    ROWS,
    SHIFT,
    SIZE,
    SLOT,
    SLOTS,
    SPLIT,
    SPLIT_AT,
    STEPS,
    VERTEX,
    WIDTH,
    E,
)
from certify.thresholds.compiled.vertices import entropic_support

_WIDTH = 2.0**-40  # added to the width of every remainder: shares where none has any
_TINY = 1e-300
_LARGEST_CASE = 2**15  # numbers per case beyond which the coupled form is left out


@nested
def coupled_applies(numbers, agent, t):
    """Whether the next depth is small enough."""
    h, other = numbers[HORIZON], 1 - agent
    own, theirs = numbers[numbers[FIRST] + agent * h + t + 1], numbers[numbers[FIRST] + other * h + t + 1]
    mine = numbers[FAMILY] + 2 * (t * 2 + agent)
    yours = numbers[FAMILY] + 2 * (t * 2 + other)
    size = (numbers[mine + 1] - numbers[mine]) * (numbers[yours + 1] - numbers[yours])
    size *= numbers[numbers[VERTEX] + theirs + 1] - numbers[numbers[VERTEX] + theirs]
    size *= numbers[numbers[VERTEX] + own + 1] - numbers[numbers[VERTEX] + own]
    return size * numbers[numbers[SIZE] + own] <= _LARGEST_CASE


@nested
def vanishes(g, begin, end):
    """Whether a slope is 0."""
    for x in range(begin, end):  # noqa: SIM110, the compiler has no generators
        if g[x] != 0:
            return False
    return True


@nested
def coupled_bound(situation, case, q, room):
    """A bound on sum_a q(a) [U(x, a, .) - U(x, b, .)] less its centred values, remainder included, at node m."""
    r, k, m = case
    numbers, links, paths = situation.tables.numbers, situation.tables.links, situation.paths.numbers
    mine, after, work = situation.boxes[r % len(situation.boxes)], situation.after[r], room.coupling
    agent, t = paths[AGENT], paths[DEPTH]
    other, level, step = 1 - agent, numbers[LEVEL] + t * COLUMNS, paths[STEPS] + 5 * t
    others, slots, slot = paths[step + OTHERS], numbers[level + SLOTS], numbers[level + SLOT]
    family = numbers[FAMILY] + 4 * t
    own_from, from_ = numbers[family + 2 * agent], numbers[family + 2 * other]
    own_many, many = numbers[family + 2 * agent + 1] - own_from, numbers[family + 2 * other + 1] - from_
    cells, origin = own_many * many, numbers[slot + numbers[AGENTS]]
    width = numbers[level + WIDTH] - origin
    joint, moved = cells, 3 * cells  # where they begin; shares between them
    work[: moved + width] = 0.0
    for x in range(others):
        cell = m * others + x
        if q[x] == 0:
            continue
        for w in range(width):
            work[moved + w] += q[x] * room.slopes[cell * width + w]
        for known in range(room.length[cell]):
            at = (room.entries[cell, known, 2] - from_) * own_many + room.entries[cell, known, 1] - own_from
            work[at] += q[x] * room.weight[cell, known]
            work[joint + at] = room.entries[cell, known, 0]
    listing = numbers[level + LISTING] + paths[paths[step + ROWS] + k * paths[step + NODES] + m] * slots
    total = 0.0
    for d in range(max(own_from + own_many, from_ + many), slots):
        block, at = links[listing + d], moved + numbers[slot + d] - origin
        if block >= 0 and not vanishes(work, at, moved + numbers[slot + d + 1] - origin):
            total += entropic_support(numbers, mine, block, work, at)
    _share(numbers, after, (t, own_many, cells), work)
    plain = moved + width + numbers[numbers[COUNTS] + agent * numbers[HORIZON] + t + 1] + 1
    most = most_vertices(numbers, t + 1)
    products = plain + most
    for i in range(own_many):  # own slopes times own vertices
        own = links[listing + own_from + i]
        if own < 0:
            continue
        size, g = numbers[numbers[SIZE] + own], moved + numbers[slot + own_from + i] - origin
        shift = numbers[SHIFT] + numbers[numbers[CORNER] + own]
        for w in range(int(mine[numbers[COUNT] + own])):
            value = 0.0
            for a in range(size):
                value += work[g + a] * mine[shift + w * size + a]
            work[products + i * most + w] = value
    for j in range(many):
        theirs = links[listing + from_ + j]
        if theirs < 0:
            continue
        count = int(mine[numbers[COUNT] + theirs])
        place = (r, theirs, moved + numbers[slot + from_ + j] - origin, listing + own_from, slot + own_from)
        rows = (j * own_many, own_many, cells, moved - origin, moved + width, products)
        quick = count < 0  # false, and not a constant, of which a function would be made once more
        for v in range(count):
            work[plain + v] = _at_vertex(situation, place, rows, (v, quick), work)
        best = -np.inf
        while True:  # the exact cap only where the maximum can be
            v = np.int64(0)
            for x in range(1, count):
                if work[plain + x] > work[plain + v]:
                    v = x
            if not work[plain + v] > best:
                break
            best = max(best, _at_vertex(situation, place, rows, (v, not quick), work))
            work[plain + v] = -np.inf
        total += best
    return total


@nested
def _share(numbers, after, case, work):
    """Turns room for shares into the part of its own block's slope that every pair of classes takes."""
    t, own_many, cells = case
    classes = numbers[numbers[LEVEL] + (t + 1) * COLUMNS + E]
    for i in range(own_many):
        whole = 0.0
        for at in range(i, cells, own_many):
            e = int(work[cells + at])
            work[2 * cells + at] = abs(work[at]) * (after[2 * classes + e] - after[classes + e] + _WIDTH)
            whole += work[2 * cells + at]
        for at in range(i, cells, own_many):
            work[2 * cells + at] /= max(whole, _TINY)


@nested
def _at_vertex(situation, place, rows, which, work):
    """What one class of the other agent adds when it plays its vertex v: its own slope there, and every own block's
    answer to it; `exact` with the cap of Donsker and Varadhan."""
    (r, theirs, yours, own_listing, own_slot), (v, exact) = place, which
    first, own_many, cells, slopes, slope, products = rows
    numbers, links, paths = situation.tables.numbers, situation.tables.links, situation.paths.numbers
    mine, after, against = situation.boxes[r % len(situation.boxes)], situation.after[r], situation.against[r]
    t, h, other = paths[DEPTH], numbers[HORIZON], 1 - paths[AGENT]
    below = numbers[LEVEL] + (t + 1) * COLUMNS
    size, own_count = numbers[numbers[SIZE] + theirs], numbers[numbers[COUNTS] + paths[AGENT] * h + t + 1]
    most = most_vertices(numbers, t + 1)
    beyond = numbers[below + E] * (3 + numbers[below + WIDTH])
    shift = numbers[SHIFT] + numbers[numbers[CORNER] + theirs] + v * size
    value = mine[numbers[DIVERGENCE] + numbers[numbers[VERTEX] + theirs] + v] * max(-work[yours + size], 0.0)
    for b in range(size):
        value += work[yours + b] * mine[shift + b]
    for i in range(own_many):
        d, e2, own = work[first + i], int(work[cells + first + i]), links[own_listing + i]
        if d == 0 or own < 0:
            continue
        part, g = work[2 * cells + first + i], slopes + numbers[own_slot + i]
        table = (e2 * most + v) * (own_count + most)
        if exact:
            for a in range(own_count):
                work[slope + a] = part * work[g + a] + d * against[table + a]
            work[slope + own_count] = part * work[g + own_count]
            value += entropic_support(numbers, mine, own, work, slope)
        else:  # `support`, from what every vertex adds
            best, bend = -np.inf, part * max(-work[g + own_count], 0.0)
            corner, plain = numbers[DIVERGENCE] + numbers[numbers[VERTEX] + own], products + i * most
            for w in range(int(mine[numbers[COUNT] + own])):
                best = max(best, part * work[plain + w] + d * against[table + own_count + w] + bend * mine[corner + w])
            value += best
        if t + 2 < h:
            value += d * after[beyond + ((e2 * 2 + other) * 2 + (0 if d > 0 else 1)) * most + v]
    return value


@nested
def values_against(tables, agent, t, boxes, model, out):
    """sum_b U(e, a, b) (p_b - c_b) for every joint class of depth t, vertex p of the other agent's policy there and own
    action, and then the same times own vertices less the centre: `out` (R, joint classes x vertices x (own actions +
    vertices))."""
    numbers, links, h = tables.numbers, tables.links, tables.numbers[HORIZON]
    level, most = numbers[LEVEL] + t * COLUMNS, most_vertices(numbers, t)
    own, theirs = numbers[numbers[COUNTS] + agent * h + t], numbers[numbers[COUNTS] + (1 - agent) * h + t]
    split = numbers[SPLIT] + numbers[numbers[SPLIT_AT] + agent * h + t]
    for r in range(len(model)):
        mine = boxes[r % len(boxes)]
        for e in range(numbers[level + E]):
            block = links[numbers[level + JOINT] + 2 * e + 1 - agent]
            for v in range(int(mine[numbers[COUNT] + block])):
                shift = numbers[SHIFT] + numbers[numbers[CORNER] + block] + v * theirs
                at = (e * most + v) * (own + most)
                for a in range(own):
                    total = 0.0
                    for b in range(theirs):
                        total += model[r, e * numbers[level + JA] + numbers[split + a * theirs + b]] * mine[shift + b]
                    out[r, at + a] = total
                mine_at = links[numbers[level + JOINT] + 2 * e + agent]
                corners = numbers[SHIFT] + numbers[numbers[CORNER] + mine_at]
                for w in range(int(mine[numbers[COUNT] + mine_at])):
                    total = 0.0
                    for a in range(own):
                        total += out[r, at + a] * mine[corners + w * own + a]
                    out[r, at + own + w] = total
