"""The enclosure of the second derivative in compiled loops (docs/certificate-format.md, "The definiteness rule";
`approx_definite` does the same with arrays)."""

from __future__ import annotations

from math import log

import numpy as np

from certify.thresholds.compiled.compiler import nested
from certify.thresholds.compiled.models import product_of, products
from certify.thresholds.compiled.tables import (
    ACTION,
    AGENTS,
    CLASSES,
    COLUMNS,
    COUNTS,
    FIRST,
    FLOW,
    HORIZON,
    JA,
    JOINT,
    LEVEL,
    LISTING,
    LOWER,
    SLOT,
    SLOTS,
    SPLIT,
    SPLIT_AT,
    START,
    SUCCESSOR,
    UPPER,
    VERTEX,
    WIDTH,
    E,
    S,
)
from certify.thresholds.compiled.vertices import least, support

_LEAST = 1e-200  # of a probability: smaller ones count as this


@nested
def reaches(tables, boxes, at, reach):
    """Discounted weights of every joint class with policies at their lower and at their upper ends, (R, 2, all
    joint classes), those of depth t from at[t] on."""
    numbers, reals = tables.numbers, tables.reals
    h, n = numbers[HORIZON], numbers[AGENTS]
    reach[:] = 0.0
    for r in range(len(reach)):
        mine = boxes[r % len(boxes)]
        for end in range(2):
            for e in range(numbers[numbers[LEVEL] + E]):
                reach[r, end, e] = reals[n + e]
            for t in range(h - 1):
                level = numbers[LEVEL] + t * COLUMNS
                c = np.empty(numbers[level + JA])
                for e in range(numbers[level + E]):
                    weight = reach[r, end, at[t] + e]
                    if weight != 0:
                        product_of(tables, mine, (t, e, UPPER if end else LOWER), -1, c)
                        forward(tables, (t, e), weight, c, reach[r, end, at[t + 1] :])


@nested
def forward(tables, place, weight, c, out):
    """Adds what weight times c, over the joint actions at joint class e of depth t, brings to the next depth."""
    numbers, links, reals = tables
    t, e = place
    level = numbers[LEVEL] + t * COLUMNS
    successors = numbers[level + S]
    for a in range(numbers[level + JA]):
        if c[a] == 0:
            continue
        edge = (e * numbers[level + JA] + a) * successors
        for s in range(edge, edge + successors):
            flow = reals[numbers[level + FLOW] + s]
            if flow != 0:
                out[links[numbers[level + SUCCESSOR] + s]] += weight * c[a] * flow


@nested
def _most_products(numbers, t, skip, second):
    most = 1
    for j in range(numbers[AGENTS]):
        if j not in (skip, second):
            block = numbers[VERTEX] + numbers[numbers[FIRST] + j * numbers[HORIZON] + t]
            most *= numbers[block + 1] - numbers[block]
    return most


@nested
def advantages(tables, t, boxes, model, where, out):
    """Bounds on W(e, a) = E[U(e, (a, .))] - w log pi(a), centred over the agent's a, into `out` (R, numbers); not a
    number where a lower end is 0.  where : (agents,) where each one's (E, 2, actions) begin, and for how many actions
    they are laid out."""
    begin, widest = where
    numbers, links, reals = tables
    n, h, level = numbers[AGENTS], numbers[HORIZON], numbers[LEVEL] + t * COLUMNS
    joint_actions, classes, slots = numbers[level + JA], numbers[level + E], numbers[level + SLOTS]
    slot = numbers[level + SLOT]
    origin, cells = numbers[slot + n], joint_actions * classes
    width = numbers[level + WIDTH] - origin
    for agent in range(n):
        count = numbers[numbers[COUNTS] + agent * h + t]
        others = joint_actions // count
        q = np.empty((_most_products(numbers, t, agent, -1), others))
        value, low, high = np.empty(count), np.empty(count), np.empty(count)
        moved = np.empty((count, width))
        split = numbers[SPLIT] + numbers[numbers[SPLIT_AT] + agent * h + t]
        for r in range(len(model)):
            mine = boxes[r % len(boxes)]
            for e in range(classes):
                first = begin[agent] + 2 * e * widest
                lowest, highest = out[r, first : first + count], out[r, first + widest : first + widest + count]
                lowest[:], highest[:] = np.inf, -np.inf
                for v in range(products(tables, mine, (t, e, -1), agent, q)):
                    for a in range(count):
                        value[a] = low[a] = high[a] = 0.0
                        moved[a, :] = 0.0
                        for m in range(others):
                            if q[v, m] == 0:
                                continue
                            cell = e * joint_actions + numbers[split + a * others + m]
                            value[a] += q[v, m] * model[r, cell]
                            low[a] += q[v, m] * model[r, cells + cell]
                            high[a] += q[v, m] * model[r, 2 * cells + cell]
                            at = 3 * cells + cell * width
                            for x in range(width):
                                moved[a, x] += q[v, m] * model[r, at + x]
                    for x in range(width):
                        moved[:, x] -= moved[:, x].mean()
                    mean, low_sum, high_sum = value.mean(), low.sum(), high.sum()
                    for a in range(count):
                        part = (count - 1) / count
                        above = value[a] - mean + part * high[a] - (low_sum - low[a]) / count
                        below = value[a] - mean + part * low[a] - (high_sum - high[a]) / count
                        for d in range(n, slots):
                            block = links[numbers[level + LISTING] + e * slots + d]
                            if block >= 0:
                                above += support(numbers, mine, block, moved[a], numbers[slot + d] - origin)
                                below += least(numbers, mine, block, moved[a], numbers[slot + d] - origin)
                        lowest[a], highest[a] = min(lowest[a], below), max(highest[a], above)
                block = links[numbers[level + JOINT] + e * n + agent]
                _with_logs(
                    mine,
                    numbers[numbers[START] + block],
                    (numbers[LOWER], numbers[UPPER]),
                    reals[agent],
                    (lowest, highest),
                )


@nested
def _with_logs(mine, start, ends, weight, bounds):
    """Bounds less w (log pi(a) - mean_b log pi(b)), log pi between the logarithms of its ends."""
    lowest, highest = bounds
    count = len(lowest)
    low_sum, high_sum = 0.0, 0.0
    for a in range(count):
        if mine[ends[0] + start + a] <= 0:
            lowest[:], highest[:] = np.nan, np.nan
            return
        low_sum += log(mine[ends[0] + start + a])
        high_sum += log(mine[ends[1] + start + a])
    part = (count - 1) / count
    for a in range(count):
        low, high = log(mine[ends[0] + start + a]), log(mine[ends[1] + start + a])
        lowest[a] += weight * ((low_sum - low) / count - part * high)
        highest[a] += weight * ((high_sum - high) / count - part * low)


@nested
def same_depth(tables, t, situation, place, form):
    """Adds the enclosures between different agents' classes at depth t to `form` (R, 2, N, N), low and high;
    situation : boxes, U, reach and where it begins at t.  place : (agents, h) where blocks begin in the form."""
    numbers, links, n, h = tables.numbers, tables.links, tables.numbers[AGENTS], tables.numbers[HORIZON]
    boxes, model, reach, begin = situation
    level = numbers[LEVEL] + t * COLUMNS
    joint_actions, classes, slots = numbers[level + JA], numbers[level + E], numbers[level + SLOTS]
    slot, action = numbers[level + SLOT], numbers[level + ACTION]
    origin, cells = numbers[slot + n], joint_actions * classes
    width = numbers[level + WIDTH] - origin
    for i in range(n):
        for j in range(i + 1, n):
            own, theirs = numbers[numbers[COUNTS] + i * h + t], numbers[numbers[COUNTS] + j * h + t]
            others = joint_actions // own
            q = np.empty((_most_products(numbers, t, i, j), others))
            tables3 = np.empty((3, own, theirs))
            moved = np.empty((own, theirs, width))
            below, above = np.empty((own, theirs)), np.empty((own, theirs))
            split = numbers[SPLIT] + numbers[numbers[SPLIT_AT] + i * h + t]
            for r in range(len(model)):
                mine = boxes[r % len(boxes)]
                for e in range(classes):
                    down, up = reach[r, 0, begin + e], reach[r, 1, begin + e]
                    if up == 0:
                        continue
                    below[:], above[:] = np.inf, -np.inf
                    for v in range(products(tables, mine, (t, e, j), i, q)):
                        tables3[:] = 0.0
                        moved[:] = 0.0
                        for a in range(own):
                            for m in range(others):
                                joint = numbers[split + a * others + m]
                                b, cell = numbers[action + joint * n + j], e * joint_actions + joint
                                for x in range(3):
                                    tables3[x, a, b] += q[v, m] * model[r, x * cells + cell]
                                at = 3 * cells + cell * width
                                for x in range(width):
                                    moved[a, b, x] += q[v, m] * model[r, at + x]
                        for x in range(width):
                            _centre_twice(moved[:, :, x])
                        _centre_twice(tables3[0])
                        for a in range(own):
                            for b in range(theirs):
                                high = tables3[0, a, b] + _twice_centred(tables3[2], tables3[1], a, b)
                                low = tables3[0, a, b] + _twice_centred(tables3[1], tables3[2], a, b)
                                for d in range(n, slots):
                                    block = links[numbers[level + LISTING] + e * slots + d]
                                    if block >= 0:
                                        high += support(numbers, mine, block, moved[a, b], numbers[slot + d] - origin)
                                        low += least(numbers, mine, block, moved[a, b], numbers[slot + d] - origin)
                                below[a, b], above[a, b] = min(below[a, b], low), max(above[a, b], high)
                    joint = numbers[level + JOINT] + e * n
                    row = place[i, t] + (links[joint + i] - numbers[numbers[FIRST] + i * h + t]) * own
                    column = place[j, t] + (links[joint + j] - numbers[numbers[FIRST] + j * h + t]) * theirs
                    for a in range(own):
                        for b in range(theirs):
                            form[r, 0, row + a, column + b] += min(down * below[a, b], up * below[a, b])
                            form[r, 1, row + a, column + b] += max(down * above[a, b], up * above[a, b])


@nested
def _centre_twice(x):
    for a in range(x.shape[0]):
        x[a, :] -= x[a, :].mean()
    for b in range(x.shape[1]):
        x[:, b] -= x[:, b].mean()


@nested
def _twice_centred(own, other, a, b):
    """The largest (own: upper, other: lower ends) r - mean_a r - mean_b r + mean_ab r."""
    A, B = own.shape
    row, column = other[:, b].sum() - other[a, b], other[a, :].sum() - other[a, b]
    rest = own.sum() - own[:, b].sum() - own[a, :].sum() + own[a, b]
    return (1 - 1 / A) * (1 - 1 / B) * own[a, b] - (1 - 1 / B) / A * row - (1 - 1 / A) / B * column + rest / (A * B)


@nested
def different_depths(tables, boxes, situation, place, form):
    """Adds the enclosures between classes at different depths; situation : reach and where its depths begin, the
    advantages (R, numbers) and where those of (depth, agent) begin, how many actions they are laid out for, and
    whether blocks between classes of one agent are kept."""
    numbers, links, n, h = tables.numbers, tables.links, tables.numbers[AGENTS], tables.numbers[HORIZON]
    reach, at, advantage, advantage_at, most, own = situation
    widest = at[h]
    flows = np.zeros((2, 2, widest))  # end, this depth or the next
    for r in range(len(reach)):
        mine = boxes[r % len(boxes)]
        for t in range(h - 1):
            level = numbers[LEVEL] + t * COLUMNS
            c = np.empty(numbers[level + JA])
            for i in range(n):
                count = numbers[numbers[COUNTS] + i * h + t]
                others = numbers[level + JA] // count
                split = numbers[SPLIT] + numbers[numbers[SPLIT_AT] + i * h + t]
                first = numbers[numbers[FIRST] + i * h + t]
                q = np.empty(others)
                for k in range(numbers[numbers[CLASSES] + i * h + t]):
                    for a in range(count):
                        row = place[i, t] + k * count + a
                        for end in range(2):
                            flows[end, 0, : numbers[level + COLUMNS + E]] = 0.0
                            for e in range(numbers[level + E]):
                                weight = reach[r, end, at[t] + e]
                                if weight == 0 or links[numbers[level + JOINT] + e * n + i] != first + k:
                                    continue
                                product_of(tables, mine, (t, e, UPPER if end else LOWER), i, q)
                                c[:] = 0.0
                                for m in range(others):
                                    c[numbers[split + a * others + m]] = q[m]
                                forward(tables, (t, e), weight, c, flows[end, 0])
                        for u in range(t + 1, h):
                            for j in range(n):
                                if own or j != i:
                                    cross = (u, j, row, place[j, u], advantage_at[u, j], most)
                                    _cross(tables, cross, flows[:, 0], advantage[r], form[r])
                            if u + 1 < h:
                                below = numbers[LEVEL] + u * COLUMNS
                                step = np.empty(numbers[below + JA])
                                for end in range(2):
                                    flows[end, 1, : numbers[below + COLUMNS + E]] = 0.0
                                    for e in range(numbers[below + E]):
                                        weight = flows[end, 0, e]
                                        if weight != 0:
                                            product_of(tables, mine, (u, e, UPPER if end else LOWER), -1, step)
                                            forward(tables, (u, e), weight, step, flows[end, 1])
                                    flows[end, 0, : numbers[below + COLUMNS + E]] = flows[
                                        end, 1, : numbers[below + COLUMNS + E]
                                    ]


@nested
def _cross(tables, cross, flows, advantage, form):
    """Adds R W at depth u between one row of the form and agent j's classes."""
    numbers, links, n, h = tables.numbers, tables.links, tables.numbers[AGENTS], tables.numbers[HORIZON]
    u, j, row, place, advantage_at, most = cross
    level, count = numbers[LEVEL] + u * COLUMNS, numbers[numbers[COUNTS] + j * h + u]
    first = numbers[numbers[FIRST] + j * h + u]
    for e in range(numbers[level + E]):
        down, up = flows[0, e], flows[1, e]
        if up == 0:
            continue
        column = place + (links[numbers[level + JOINT] + e * n + j] - first) * count
        for a in range(count):
            low = advantage[advantage_at + (e * 2) * most + a]
            high = advantage[advantage_at + (e * 2 + 1) * most + a]
            form[0, row, column + a] += min(down * low, up * low)
            form[1, row, column + a] += max(down * high, up * high)


@nested
def diagonals(tables, boxes, situation, place, out):
    """Lower bounds of w gamma^t d / pi, (R, N); situation : reach and where its depths begin."""
    numbers, links, reals = tables
    n, h = numbers[AGENTS], numbers[HORIZON]
    reach, at = situation
    out[:] = 0.0
    for r in range(len(reach)):
        mine = boxes[r % len(boxes)]
        for t in range(h):
            level = numbers[LEVEL] + t * COLUMNS
            for e in range(numbers[level + E]):
                for i in range(n):
                    block, count = links[numbers[level + JOINT] + e * n + i], numbers[numbers[COUNTS] + i * h + t]
                    start = numbers[UPPER] + numbers[numbers[START] + block]
                    row = place[i, t] + (block - numbers[numbers[FIRST] + i * h + t]) * count
                    for a in range(count):
                        out[r, row + a] += reals[i] * reach[r, 0, at[t] + e] / max(mine[start + a], _LEAST)
