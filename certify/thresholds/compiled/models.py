"""First-order models of values in compiled loops (docs/certificate-format.md, (5); `approx_models` does the same with
arrays).

U at a depth is an array (rows, numbers), a row for a box at one beta: values, low and high ends (E, JA) each, slopes
(E, JA, width of the later slots).  V likewise: values, low and high ends (E,), slopes (E, width), and of two agents
`beyond` (E, 2, 2, vertices): per agent the largest and the least of what slopes and bilinear part leave, over the
other's vertices.  Both end with the low ends where one agent plays its centres, for each agent: (n, E, JA), (n, E).
"""

from __future__ import annotations

import numpy as np

from certify.thresholds.compiled.compiler import nested
from certify.thresholds.compiled.tables import (
    ACTION,
    AGENTS,
    CENTRE,
    COLUMNS,
    CORNER,
    COUNT,
    COUNTS,
    ENTROPY,
    FIRST,
    FLOW,
    HORIZON,
    JA,
    JOINT,
    LEVEL,
    LINK,
    LISTING,
    LOGS,
    LOWER,
    OWNER,
    POINTS,
    REWARD,
    SHIFT,
    SIZE,
    SLOT,
    SLOTS,
    SPLIT,
    SPLIT_AT,
    START,
    SUCCESSOR,
    TILT,
    UPPER,
    VERTEX,
    WIDTH,
    E,
    S,
)
from certify.thresholds.compiled.vertices import least, support

_FEW = 4  # up to so many actions all products of vertices are listed


@nested
def most_vertices(numbers, t):
    """Of an agent's block at depth t."""
    most = 0
    for i in range(numbers[AGENTS]):
        block = numbers[VERTEX] + numbers[numbers[FIRST] + i * numbers[HORIZON] + t]
        most = max(most, numbers[block + 1] - numbers[block])
    return most


@nested
def action_pinned(numbers, t):
    """Where in U the low ends begin where an agent plays its centres."""
    level = numbers[LEVEL] + t * COLUMNS
    width = numbers[level + WIDTH] - numbers[numbers[level + SLOT] + numbers[AGENTS]]
    return numbers[level + E] * numbers[level + JA] * (3 + width)


@nested
def state_pinned(numbers, t, most):
    """The same in V; `most_vertices` of depth t is given."""
    level = numbers[LEVEL] + t * COLUMNS
    beyond = 4 * most if numbers[AGENTS] == 2 and t + 1 < numbers[HORIZON] else 0
    return numbers[level + E] * (3 + numbers[level + WIDTH] + beyond)


@nested
def action_model(tables, t, beta, after, model):
    """U at depth t from V one deeper (of no use at the last depth)."""
    numbers, links, reals = tables
    level, n = numbers[LEVEL] + t * COLUMNS, numbers[AGENTS]
    deeper = level + COLUMNS
    slot, successors = numbers[level + SLOT], numbers[level + S]
    later, cells = numbers[level + SLOTS] - n, numbers[level + E] * numbers[level + JA]
    origin = numbers[slot + n]
    width = numbers[level + WIDTH] - origin
    classes, width_after, slot_after, pinned_after = 0, 0, 0, 0
    if t + 1 < numbers[HORIZON]:
        classes, width_after = numbers[deeper + E], numbers[deeper + WIDTH]
        slot_after, pinned_after = numbers[deeper + SLOT], state_pinned(numbers, t + 1, most_vertices(numbers, t + 1))
    pinned = action_pinned(numbers, t)
    for r in range(len(beta)):
        for cell in range(cells):
            for i in range(n):
                model[r, pinned + i * cells + cell] = 0.0
            value = beta[r] * reals[numbers[level + REWARD] + cell] + reals[numbers[level + TILT] + cell]
            low, high = 0.0, 0.0
            slopes = 3 * cells + cell * width
            for x in range(width):
                model[r, slopes + x] = 0.0
            for s in range(successors):
                edge = cell * successors + s
                flow = reals[numbers[level + FLOW] + edge]
                if flow == 0:
                    continue
                target = links[numbers[level + SUCCESSOR] + edge]
                value += flow * after[r, target]
                low += flow * after[r, classes + target]
                high += flow * after[r, 2 * classes + target]
                for i in range(n):
                    model[r, pinned + i * cells + cell] += flow * after[r, pinned_after + i * classes + target]
                source = 3 * classes + target * width_after
                link = numbers[level + LINK] + edge * later
                for d in range(later):
                    there = links[link + d]
                    if there < 0:
                        continue
                    begin, end = numbers[slot + n + d], numbers[slot + n + d + 1]
                    shift = source + numbers[slot_after + there] - begin
                    for x in range(begin, end):
                        model[r, slopes + x - origin] += flow * after[r, x + shift]
            model[r, cell], model[r, cells + cell], model[r, 2 * cells + cell] = value, low, high


@nested
def products(tables, mine, place, skip, q):
    """Vertices of the joint policy at joint class e of depth t of all agents but `skip` and `second`, `place` =
    (t, e, second): q[v] over joint actions, those of `Tables` SPLIT of the agent `skip`, or all where it is -1; the
    skipped agents' parts count as 1.  Returns how many there are."""
    numbers, links = tables.numbers, tables.links
    t, e, second = place
    level, n = numbers[LEVEL] + t * COLUMNS, numbers[AGENTS]
    joint, action = numbers[level + JOINT] + e * n, numbers[level + ACTION]
    split = numbers[SPLIT]
    if skip >= 0:
        split += numbers[numbers[SPLIT_AT] + skip * numbers[HORIZON] + t]
    total = 1
    for j in range(n):
        if j not in (skip, second):
            total *= int(mine[numbers[COUNT] + links[joint + j]])
    width = q.shape[1]
    if n == 2 and skip >= 0 and second < 0:  # one policy alone
        at = numbers[POINTS] + numbers[numbers[CORNER] + links[joint + 1 - skip]]
        for v in range(total):
            for m in range(width):
                q[v, m] = mine[at + v * width + m]
        return total
    for v in range(total):
        for m in range(width):
            q[v, m] = 1.0
        rest = v
        for j in range(n - 1, -1, -1):
            if j in (skip, second):
                continue
            block = links[joint + j]
            count = int(mine[numbers[COUNT] + block])
            digit, rest = rest % count, rest // count
            at = numbers[POINTS] + numbers[numbers[CORNER] + block] + digit * numbers[numbers[SIZE] + block]
            for m in range(width):
                which = m if skip < 0 else numbers[split + m]
                q[v, m] *= mine[at + numbers[action + which * n + j]]
    return total


@nested
def product_of(tables, mine, place, skip, q):
    """The same for one policy: `place` = (t, e, part), LOWER, UPPER or CENTRE; q over the others' joint actions."""
    numbers, links = tables.numbers, tables.links
    t, e, part = place
    level, n = numbers[LEVEL] + t * COLUMNS, numbers[AGENTS]
    joint, action = numbers[level + JOINT] + e * n, numbers[level + ACTION]
    split = numbers[SPLIT]
    if skip >= 0:
        split += numbers[numbers[SPLIT_AT] + skip * numbers[HORIZON] + t]
    for m in range(len(q)):
        which = m if skip < 0 else numbers[split + m]
        q[m] = 1.0
        for j in range(n):
            if j != skip:
                at = numbers[part] + numbers[numbers[START] + links[joint + j]]
                q[m] *= mine[at + numbers[action + which * n + j]]


@nested
def state_model(tables, t, boxes, model, state):
    """V at depth t from U there."""
    numbers, n = tables.numbers, tables.numbers[AGENTS]
    level = numbers[LEVEL] + t * COLUMNS
    joint_actions = numbers[level + JA]
    most = 1
    for i in range(n):
        block = numbers[VERTEX] + numbers[numbers[FIRST] + i * numbers[HORIZON] + t]
        most *= numbers[block + 1] - numbers[block]
    widest = 0
    for i in range(n):
        widest = max(widest, numbers[numbers[COUNTS] + i * numbers[HORIZON] + t])
    bilinear = n == 2 and t + 1 == numbers[HORIZON] and widest > _FEW
    q = np.empty((1 if bilinear else most, joint_actions))
    c, moved = np.empty(joint_actions), np.empty(numbers[level + WIDTH])
    mean = np.empty(joint_actions * (2 + numbers[level + WIDTH]))
    pinned = state_pinned(numbers, t, most_vertices(numbers, t))
    for r in range(len(model)):
        mine = boxes[r % len(boxes)]
        for e in range(numbers[level + E]):
            centred = _centre(tables, mine, (t, e), model[r], (state[r], c))
            if bilinear:
                _bilinear(tables, mine, (t, e), model[r], (state[r], moved))
            else:
                _remainder(tables, mine, (t, e, centred), model[r], (state[r], q, moved))
            for i in range(n):
                place = (t, e, i, centred)
                low = _pinned(tables, mine, place, (model[r], state[r]), (q.reshape(-1), moved, mean))
                state[r, pinned + i * numbers[level + E] + e] = low
            for i in range(n):
                block = tables.links[numbers[level + JOINT] + e * n + i]
                weight, logs = state[r, _weight_at(numbers, t, e, i)], numbers[LOGS] + numbers[numbers[START] + block]
                at = _weight_at(numbers, t, e, i) - numbers[numbers[SIZE] + block]
                for a in range(numbers[numbers[SIZE] + block]):
                    state[r, at + a] -= weight * mine[logs + a]
                state[r, e] += weight * mine[numbers[ENTROPY] + block]


@nested
def _weight_at(numbers, t, e, i):
    """Where V keeps the weight of the entropy of agent i's own block at e."""
    level = numbers[LEVEL] + t * COLUMNS
    return 3 * numbers[level + E] + e * numbers[level + WIDTH] + numbers[numbers[level + SLOT] + i + 1] - 1


@nested
def _centre(tables, mine, place, model, out):
    """Value of V at the centre, without entropies, which is returned too; slopes, own ones without logarithms."""
    numbers, (t, e), (state, c) = tables.numbers, place, out
    level, n = numbers[LEVEL] + t * COLUMNS, numbers[AGENTS]
    joint_actions, classes, wide = numbers[level + JA], numbers[level + E], numbers[level + WIDTH]
    slot = numbers[level + SLOT]
    cells, origin = joint_actions * classes, numbers[slot + n]
    width, slopes = wide - origin, 3 * classes + e * wide
    product_of(tables, mine, (t, e, CENTRE), -1, c)
    value = 0.0
    for a in range(joint_actions):
        value += c[a] * model[e * joint_actions + a]
    state[slopes : slopes + wide] = 0.0
    for a in range(joint_actions):
        at = 3 * cells + (e * joint_actions + a) * width
        for x in range(width):
            state[slopes + origin + x] += c[a] * model[at + x]
    for i in range(n):
        begin = slopes + numbers[slot + i]
        count = numbers[numbers[COUNTS] + i * numbers[HORIZON] + t]
        rest = joint_actions // count
        split = numbers[SPLIT] + numbers[numbers[SPLIT_AT] + i * numbers[HORIZON] + t]
        product_of(tables, mine, (t, e, CENTRE), i, c[:rest])
        for a in range(count):
            for m in range(rest):
                state[begin + a] += c[m] * model[e * joint_actions + numbers[split + a * rest + m]]
        state[begin + count] = tables.reals[i]
    state[e] = value
    return value


@nested
def _remainder(tables, mine, place, model, out):
    """The ends of V's remainder over all products of vertices, and `beyond`."""
    numbers, links, (t, e, centred), (state, q, moved) = tables.numbers, tables.links, place, out
    level, n = numbers[LEVEL] + t * COLUMNS, numbers[AGENTS]
    joint_actions, classes, wide = numbers[level + JA], numbers[level + E], numbers[level + WIDTH]
    slot, joint = numbers[level + SLOT], numbers[level + JOINT] + e * n
    cells, origin = joint_actions * classes, numbers[slot + n]
    width, slopes = wide - origin, 3 * classes + e * wide
    listing, slots = numbers[level + LISTING] + e * numbers[level + SLOTS], numbers[level + SLOTS]
    beyond = n == 2 and t + 1 < numbers[HORIZON]
    most = most_vertices(numbers, t)
    edge = 3 * classes + classes * wide + e * 4 * most
    if beyond:
        for i in range(2):
            state[edge + 2 * i * most : edge + (2 * i + 1) * most] = -np.inf
            state[edge + (2 * i + 1) * most : edge + (2 * i + 2) * most] = np.inf
    high, low = -np.inf, np.inf
    for v in range(products(tables, mine, (t, e, -1), -1, q)):
        rise, above, below = -centred, 0.0, 0.0
        for x in range(width):
            moved[x] = -state[slopes + origin + x]
        for a in range(joint_actions):
            weight = q[v, a]
            if weight != 0:
                cell = e * joint_actions + a
                rise += weight * model[cell]
                below += weight * model[cells + cell]
                above += weight * model[2 * cells + cell]
                at = 3 * cells + cell * width
                for x in range(width):
                    moved[x] += weight * model[at + x]
        rest, last = v, 0
        for i in range(n - 1, -1, -1):
            block = links[joint + i]
            count, size = int(mine[numbers[COUNT] + block]), numbers[numbers[SIZE] + block]
            digit, rest = rest % count, rest // count
            at = numbers[SHIFT] + numbers[numbers[CORNER] + block] + digit * size
            for a in range(size):
                rise -= mine[at + a] * state[slopes + numbers[slot + i] + a]
            if i == 1:
                last = digit
        for d in range(n, slots):
            block = links[listing + d]
            if block >= 0:
                above += support(numbers, mine, block, moved, numbers[slot + d] - origin)
                below += least(numbers, mine, block, moved, numbers[slot + d] - origin)
        if beyond:
            for i in range(2):
                at = edge + 2 * i * most + (last if i == 1 else digit)
                state[at] = max(state[at], above)
                state[at + most] = min(state[at + most], below)
        high, low = max(high, rise + above), min(low, rise + below)
    state[classes + e], state[2 * classes + e] = low, high


@nested
def _pinned(tables, mine, place, models, room):
    """The low end of V's remainder where agent i plays its centres: only the others' policies are vertices."""
    numbers, links, (t, e, i, centred) = tables.numbers, tables.links, place
    (model, state), (policies, moved, mean) = models, room
    level, n = numbers[LEVEL] + t * COLUMNS, numbers[AGENTS]
    if n == 1 or (n == 2 and t + 1 == numbers[HORIZON]):
        return 0.0  # V is what its slopes say
    joint_actions, classes, wide = numbers[level + JA], numbers[level + E], numbers[level + WIDTH]
    slot, joint, slots = numbers[level + SLOT], numbers[level + JOINT] + e * n, numbers[level + SLOTS]
    cells, origin = joint_actions * classes, numbers[slot + n]
    width, slopes, listing = wide - origin, 3 * classes + e * wide, numbers[level + LISTING] + e * slots
    count = numbers[numbers[COUNTS] + i * numbers[HORIZON] + t]
    others, line = joint_actions // count, 2 + width
    split = numbers[SPLIT] + numbers[numbers[SPLIT_AT] + i * numbers[HORIZON] + t]
    centre, pinned = numbers[CENTRE] + numbers[numbers[START] + links[joint + i]], action_pinned(numbers, t) + i * cells
    mean[: others * line] = 0.0  # over own actions: value, low end, slopes
    for a in range(count):
        c = mine[centre + a]
        for m in range(others):
            cell, to = e * joint_actions + numbers[split + a * others + m], m * line
            mean[to] += c * model[cell]
            mean[to + 1] += c * model[pinned + cell]
            at = 3 * cells + cell * width
            for x in range(width):
                mean[to + 2 + x] += c * model[at + x]
    most, low = len(policies) // others, np.inf
    q = policies[: most * others].reshape(most, others)
    for v in range(products(tables, mine, (t, e, -1), i, q)):
        below = 0.0 if n == 2 else _rise(tables, mine, (t, e, i, v), state) - centred
        for x in range(width):
            moved[x] = -state[slopes + origin + x]
        for m in range(others):
            weight, at = q[v, m], m * line
            if weight != 0:
                below += weight * (mean[at + 1] if n == 2 else mean[at] + mean[at + 1])
                for x in range(width):
                    moved[x] += weight * mean[at + 2 + x]
        for d in range(n, slots):
            if links[listing + d] >= 0 and numbers[numbers[level + OWNER] + d] != i:
                below += least(numbers, mine, links[listing + d], moved, numbers[slot + d] - origin)
        low = min(low, below)
    return low


@nested
def _rise(tables, mine, place, state):
    """Minus what own slopes at joint class e say of the vertex v of all agents but i."""
    numbers, links, (t, e, i, v) = tables.numbers, tables.links, place
    level, n = numbers[LEVEL] + t * COLUMNS, numbers[AGENTS]
    slopes, total = 3 * numbers[level + E] + e * numbers[level + WIDTH], 0.0
    for j in range(n - 1, -1, -1):
        if j == i:
            continue
        block = links[numbers[level + JOINT] + e * n + j]
        count, size = int(mine[numbers[COUNT] + block]), numbers[numbers[SIZE] + block]
        digit, v = v % count, v // count
        at, g = numbers[SHIFT] + numbers[numbers[CORNER] + block] + digit * size, numbers[numbers[level + SLOT] + j]
        for a in range(size):
            total -= mine[at + a] * state[slopes + g + a]
    return total


@nested
def _bilinear(tables, mine, place, model, out):
    """The ends of V's remainder where two agents play and nothing follows: one policy is a vertex, the other is filled
    up in the order of what it earns against it."""
    numbers, links, (t, e), (state, gain) = tables.numbers, tables.links, place, out
    level = numbers[LEVEL] + t * COLUMNS
    first, second = links[numbers[level + JOINT] + 2 * e], links[numbers[level + JOINT] + 2 * e + 1]
    own, theirs = numbers[numbers[SIZE] + first], numbers[numbers[SIZE] + second]
    shift = numbers[SHIFT] + numbers[numbers[CORNER] + first]
    start = numbers[numbers[START] + second]
    high, low = -np.inf, np.inf
    for v in range(int(mine[numbers[COUNT] + first])):
        middle = 0.0
        for b in range(theirs):
            gain[b] = 0.0
            for a in range(own):
                gain[b] += mine[shift + v * own + a] * model[(e * own + a) * theirs + b]
            middle += gain[b] * mine[numbers[CENTRE] + start + b]
        high = max(high, _filled(numbers, mine, start, gain[:theirs]) - middle)
        for b in range(theirs):
            gain[b] = -gain[b]
        low = min(low, -_filled(numbers, mine, start, gain[:theirs]) - middle)
    state[numbers[level + E] + e], state[2 * numbers[level + E] + e] = low, high


@nested
def _filled(numbers, mine, start, gain):
    """max of gain . pi over a box cut with the simplex."""
    lower, upper = numbers[LOWER] + start, numbers[UPPER] + start
    order = np.argsort(-gain)
    rest, total = 1.0, 0.0
    for b in range(len(gain)):
        rest -= mine[lower + b]
        total += gain[b] * mine[lower + b]
    for b in order:
        take = min(max(rest, 0.0), mine[upper + b] - mine[lower + b])
        total += gain[b] * take
        rest -= take
    return total
