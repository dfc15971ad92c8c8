"""Bounds on log-ratios in compiled loops (docs/certificate-format.md, (6); `approx_step` does the same with arrays).

A class of (agent, t) is worked on by itself, one ordered pair of own actions after the other: its nodes from depth t
up to the root, at each node every vertex of the others' policy there.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from certify.thresholds.compiled.compiler import nested
from certify.thresholds.compiled.coupled import coupled_applies, coupled_bound, vanishes
from certify.thresholds.compiled.models import action_pinned, product_of, products
from certify.thresholds.compiled.tables import (
    AGENT,
    AGENTS,
    CENTRE,
    CHILD,
    CLASSES,
    COLUMNS,
    DEPTH,
    FLOW,
    HORIZON,
    JA,
    JOINT,
    LEVEL,
    LINK,
    LISTING,
    LOWER,
    NEXT,
    NODES,
    OTHERS,
    OWNER,
    PAIR,
    PAIRS,
    ROWS,
    SINGLE,
    SLOT,
    SLOTS,
    SPLIT,
    SPLIT_AT,
    START,
    STEPS,
    SUCCESSOR,
    TAIL,
    TAKEN,
    TARGET,
    UPPER,
    WIDTH,
    E,
    Paths,
    S,
    Tables,
)
from certify.thresholds.compiled.vertices import entropic_support, support

_LARGEST = 2.0**24  # see `approx_step`
_ROUNDING = 1e-12
_TINY = 1e-300
_ROUNDS = 12
_FEW = 4  # up to so many actions vertices are faster than filling up
SEPARATE, SHARING, REPLIES = range(3)  # ways (`approx_step.Way`); a node is bounded as in one of the first two


class Situation(NamedTuple):
    """What a step starts from: the tree, the way to its classes, the boxes, U at its depth, V one deeper, and
    there `coupled.values_against`."""

    tables: Tables
    paths: Paths
    boxes: np.ndarray
    here: np.ndarray
    after: np.ndarray
    against: np.ndarray


class Nodes(NamedTuple):
    """Room for the nodes of one class.  at : per depth where its nodes begin, where their vertices, where their
    policies, and how many vertices a node has room for.  vertices : (nodes,) how many.  q : the others' policies.
    extra : (vertices,) what later blocks add.  best, mass : (nodes,)."""

    at: np.ndarray
    vertices: np.ndarray
    q: np.ndarray
    extra: np.ndarray
    best: np.ndarray
    mass: np.ndarray


class Room(NamedTuple):
    """Room for one pair.  gain, remainder : (nodes at t, the others' joint actions).  slopes : the same at any depth,
    times the slots' numbers.  passed : (nodes, numbers).  entries, weight, length : per node and joint action at t the
    joint classes one deeper that the difference puts weight on: class, own and other's slot; the weight; how many.
    short : two rows of the longest of all lists that functions need for a moment.  coupling : for `coupled_bound`."""

    gain: np.ndarray
    remainder: np.ndarray
    slopes: np.ndarray
    passed: np.ndarray
    entries: np.ndarray
    weight: np.ndarray
    length: np.ndarray
    short: np.ndarray
    coupling: np.ndarray


@nested
def smallest(situation, nodes, room, options, guess, result):
    """The smallest lambda found for w_i M, into `result` (R, K, P); `guess` alike, nan where there is none.

    nodes, room : `rooms`.  options : rows from, to, classes from, to, and the way.  Where `result` is -inf it is left.
    """
    row_from, row_to, class_from, class_to, way = options
    tables, paths, numbers = situation.tables, situation.paths.numbers, situation.tables.numbers
    t = paths[DEPTH]
    for r in range(row_from, row_to):
        mine = situation.boxes[r % len(situation.boxes)]
        for k in range(class_from, class_to):
            for u in range(t + 1):
                step = paths[STEPS] + 5 * u
                others, most = paths[step + OTHERS], nodes.at[u, 3]
                for m in range(paths[step + NODES]):
                    e = paths[paths[step + ROWS] + k * paths[step + NODES] + m]
                    node, begin = nodes.at[u, 0] + m, nodes.at[u, 2] + m * most * others
                    if e < 0:
                        nodes.vertices[node] = 0
                        continue
                    if _fills(numbers, paths, u):
                        nodes.vertices[node] = 1
                        continue
                    q = nodes.q[begin : begin + most * others].reshape(most, others)
                    nodes.vertices[node] = products(tables, mine, (u, e, -1), paths[AGENT], q)
            for p in range(paths[PAIRS]):
                if result[r, k, p] == -np.inf:
                    continue
                _difference(situation, (r, k, p), way, room)
                residue = _slopes_and_extras(situation, (r, k, p), way, nodes, room)
                result[r, k, p] = _smallest(situation, (r, k), (residue, guess[r, k, p]), nodes, room)


@nested
def _tail_origin(numbers, u, t):
    """Where the numbers of the slots deeper than t begin at depth u."""
    level = numbers[LEVEL] + u * COLUMNS
    return numbers[numbers[level + SLOT] + numbers[numbers[TAIL] + u * numbers[HORIZON] + t]]


@nested
def _difference(situation, case, way, room):
    """U(x, a, .) - U(x, b, .) at the class's nodes: values with the largest remainder, and where the two lead; with
    replies where a leads, and for b the low end where the agent plays its centres."""
    r, k, p = case
    numbers, links, reals = situation.tables
    paths, here, after = situation.paths.numbers, situation.here[r], situation.after
    agent, t, n = paths[AGENT], paths[DEPTH], numbers[AGENTS]
    level, step = numbers[LEVEL] + t * COLUMNS, paths[STEPS] + 5 * t
    others, successors, joint_actions = paths[step + OTHERS], numbers[level + S], numbers[level + JA]
    last, pinned = t + 1 == numbers[HORIZON], action_pinned(numbers, t) + agent * numbers[level + E] * joint_actions
    classes = 0 if last else numbers[level + COLUMNS + E]
    split = numbers[SPLIT] + numbers[numbers[SPLIT_AT] + agent * numbers[HORIZON] + t]
    first = split + paths[paths[PAIR] + 2 * p] * others
    second = split + paths[paths[PAIR] + 2 * p + 1] * others
    for m in range(paths[step + NODES]):
        e = paths[paths[step + ROWS] + k * paths[step + NODES] + m]
        if e < 0:
            continue
        for x in range(others):
            a, b = e * joint_actions + numbers[first + x], e * joint_actions + numbers[second + x]
            remainder, length, cell, low = 0.0, 0, m * others + x, here[pinned + b] if way == REPLIES else 0.0
            if not last:
                for sign in range(1 if way == REPLIES else 2):
                    edge = (b if sign else a) * successors
                    for s in range(edge, edge + successors):
                        flow = reals[numbers[level + FLOW] + s]
                        if flow == 0:
                            continue
                        target, place = links[numbers[level + SUCCESSOR] + s], 0
                        while place < length and room.entries[cell, place, 0] != target:
                            place += 1
                        if place == length:
                            length += 1
                            room.weight[cell, place] = 0.0
                            room.entries[cell, place, 0] = target
                            room.entries[cell, place, 1] = links[numbers[level + CHILD] + s * n + agent]
                            room.entries[cell, place, 2] = links[numbers[level + CHILD] + s * n + (n - 1 - agent) % n]
                        room.weight[cell, place] += -flow if sign else flow
                for known in range(length):
                    d, target = room.weight[cell, known], room.entries[cell, known, 0]
                    remainder += d * (after[r, 2 * classes + target] if d > 0 else after[r, classes + target])
            room.length[cell] = length
            room.gain[m, x], room.remainder[m, x] = here[a] - here[b] + remainder - low, remainder


@nested
def _slopes_and_extras(situation, case, way, nodes, room):
    """What later blocks add at every vertex of every node; the sum over the root of what is passed on to it."""
    r, k, p = case
    numbers, paths, here = situation.tables.numbers, situation.paths.numbers, situation.here[r]
    agent, t, n = paths[AGENT], paths[DEPTH], numbers[AGENTS]
    nodes.extra[: nodes.at[t + 1, 1]] = 0.0
    if t + 1 == numbers[HORIZON]:
        return 0.0
    level, step = numbers[LEVEL] + t * COLUMNS, paths[STEPS] + 5 * t
    others, joint_actions = paths[step + OTHERS], numbers[level + JA]
    split = numbers[SPLIT] + numbers[numbers[SPLIT_AT] + agent * numbers[HORIZON] + t]
    first = split + paths[paths[PAIR] + 2 * p] * others
    second = split + paths[paths[PAIR] + 2 * p + 1] * others
    slots, slot, origin = numbers[level + SLOTS], numbers[level + SLOT], numbers[numbers[level + SLOT] + n]
    width = numbers[level + WIDTH] - origin
    slopes = 3 * numbers[level + E] * joint_actions
    for m in range(paths[step + NODES]):
        e = paths[paths[step + ROWS] + k * paths[step + NODES] + m]
        if e < 0:
            continue
        for x in range(others):
            a = slopes + (e * joint_actions + numbers[first + x]) * width
            b = slopes + (e * joint_actions + numbers[second + x]) * width
            to = (m * others + x) * width
            for w in range(width):
                room.slopes[to + w] = here[a + w] - here[b + w]
            if way == REPLIES:  # after b the agent plays its centres
                for d in range(n, slots):
                    if numbers[numbers[level + OWNER] + d] == agent:
                        for w in range(numbers[slot + d] - origin, numbers[slot + d + 1] - origin):
                            room.slopes[to + w] = here[a + w]
    for u in range(t, -1, -1):
        top = u == 0 and paths[SINGLE] != 0
        mode = SHARING if way == SHARING and not top else SEPARATE
        couple = u == t and mode == SEPARATE and n == 2 and coupled_applies(numbers, agent, t)
        _node_extras(situation, (r, k, u), mode, nodes, room)
        if couple:
            _couple(situation, (r, k), nodes, room)
        if mode == SEPARATE:  # separate nodes pass nothing on
            return 0.0
        if u == 0:
            return _root(situation, (r, k), room)
        _lift(situation, (k, u - 1), room)
    return 0.0


@nested
def _node_extras(situation, case, mode, nodes, room):
    """What later blocks add at the vertices of the nodes of depth u; what sharing nodes pass on, into `room.passed`."""
    r, k, u = case
    tables, paths, mine = situation.tables, situation.paths.numbers, situation.boxes[r % len(situation.boxes)]
    numbers = tables.numbers
    level, step = numbers[LEVEL] + u * COLUMNS, paths[STEPS] + 5 * u
    others, width = paths[step + OTHERS], numbers[level + WIDTH] - _tail_origin(numbers, u, paths[DEPTH])
    c = room.short[0, :others]
    for m in range(paths[step + NODES]):
        e = paths[paths[step + ROWS] + k * paths[step + NODES] + m]
        if e < 0:
            continue
        slopes, passed = m * others * width, m * width
        if mode == SHARING:
            product_of(tables, mine, (u, e, CENTRE), paths[AGENT], c)
            room.passed[passed : passed + width] = 0.0
            for x in range(others):
                for w in range(width):
                    room.passed[passed + w] += c[x] * room.slopes[slopes + x * width + w]
        for v in range(nodes.vertices[nodes.at[u, 0] + m]):
            q = nodes.at[u, 2] + (m * nodes.at[u, 3] + v) * others
            extra = nodes.at[u, 1] + m * nodes.at[u, 3] + v
            nodes.extra[extra] = _extra(situation, (r, u, m, e), mode, nodes.q[q : q + others], room)


@nested
def _extra(situation, case, mode, q, room):
    """What later blocks add where the others play q at node m of depth u, joint class e."""
    r, u, m, e = case
    tables, paths, mine = situation.tables, situation.paths.numbers, situation.boxes[r % len(situation.boxes)]
    numbers, links, t = tables.numbers, tables.links, paths[DEPTH]
    level = numbers[LEVEL] + u * COLUMNS
    slots, slot = numbers[level + SLOTS], numbers[level + SLOT]
    origin = _tail_origin(numbers, u, t)
    width, moved = numbers[level + WIDTH] - origin, room.short[1]
    for w in range(width):
        moved[w] = -room.passed[m * width + w] if mode == SHARING else 0.0
    for x in range(len(q)):
        if q[x] != 0:
            begin = (m * len(q) + x) * width
            for w in range(width):
                moved[w] += q[x] * room.slopes[begin + w]
    total = 0.0
    for d in range(numbers[numbers[TAIL] + u * numbers[HORIZON] + t], slots):
        block = links[numbers[level + LISTING] + e * slots + d]
        at = numbers[slot + d] - origin
        if block < 0 or vanishes(moved, at, numbers[slot + d + 1] - origin):
            continue
        if mode == SEPARATE:
            total += entropic_support(numbers, mine, block, moved, at)
        else:
            total += support(numbers, mine, block, moved, at)
    return total


@nested
def _lift(situation, case, room):
    """Slopes at the nodes of depth u from what those of depth u + 1 pass on."""
    k, u = case
    numbers, links, paths, chances = (
        situation.tables.numbers,
        situation.tables.links,
        situation.paths.numbers,
        situation.paths.chances,
    )
    t, n = paths[DEPTH], numbers[AGENTS]
    level, step = numbers[LEVEL] + u * COLUMNS, paths[STEPS] + 5 * u
    origin, origin_below = _tail_origin(numbers, u, t), _tail_origin(numbers, u + 1, t)
    width, width_below = numbers[level + WIDTH] - origin, numbers[level + COLUMNS + WIDTH] - origin_below
    slot, slot_below, slots = numbers[level + SLOT], numbers[level + COLUMNS + SLOT], numbers[level + SLOTS]
    count, others, successors = paths[step + NODES], paths[step + OTHERS], paths[step + NEXT]
    split = numbers[SPLIT] + numbers[numbers[SPLIT_AT] + paths[AGENT] * numbers[HORIZON] + u]
    classes = numbers[numbers[CLASSES] + paths[AGENT] * numbers[HORIZON] + t]
    taken = paths[paths[TAKEN] + u * classes + k]
    room.slopes[: count * others * width] = 0.0
    for m in range(count):
        e = paths[paths[step + ROWS] + k * count + m]
        if e < 0:
            continue
        for x in range(others):
            edge = (e * numbers[level + JA] + numbers[split + taken * others + x]) * numbers[level + S]
            for s in range(successors):
                at = paths[step + TARGET] + ((k * count + m) * others + x) * successors + s
                if chances[at] == 0:
                    continue
                source = paths[at] * width_below - origin_below
                link = numbers[level + LINK] + (edge + s) * (slots - n) - n
                for d in range(numbers[numbers[TAIL] + u * numbers[HORIZON] + t], slots):
                    there = links[link + d]
                    if there < 0:
                        continue
                    begin, end = numbers[slot + d], numbers[slot + d + 1]
                    shift = source + numbers[slot_below + there] - begin
                    to = (m * others + x) * width - origin
                    for w in range(begin, end):
                        room.slopes[to + w] += chances[at] * room.passed[shift + w]


@nested
def _root(situation, case, room):
    """What the slopes passed on to the root add: own blocks once, the others' at every joint class."""
    r, k = case
    numbers, links, reals = situation.tables
    paths, mine = situation.paths.numbers, situation.boxes[r % len(situation.boxes)]
    level, step, t = numbers[LEVEL], paths[STEPS], paths[DEPTH]
    slots, slot, tail = numbers[level + SLOTS], numbers[level + SLOT], numbers[numbers[TAIL] + t]
    origin = _tail_origin(numbers, 0, t)
    width = numbers[level + WIDTH] - origin
    own, g = room.short[0], room.short[1]
    own[:width] = 0.0
    total, listing = 0.0, 0
    for m in range(paths[step + NODES]):
        e = paths[paths[step + ROWS] + k * paths[step + NODES] + m]
        if e < 0:
            continue
        start = reals[numbers[AGENTS] + e]
        for w in range(width):
            g[w] = start * room.passed[m * width + w]
        listing = numbers[level + LISTING] + e * slots
        for d in range(tail, slots):
            block = links[listing + d]
            if block < 0:
                continue
            begin, end = numbers[slot + d] - origin, numbers[slot + d + 1] - origin
            if numbers[numbers[level + OWNER] + d] == paths[AGENT]:
                for w in range(begin, end):
                    own[w] += g[w]
            else:
                total += entropic_support(numbers, mine, block, g, begin)
    for d in range(tail, slots):  # own slots are the same at every node
        block, begin, end = links[listing + d], numbers[slot + d] - origin, numbers[slot + d + 1] - origin
        own_slot = numbers[numbers[level + OWNER] + d] == paths[AGENT]
        if block >= 0 and own_slot and not vanishes(own, begin, end):
            total += entropic_support(numbers, mine, block, own, begin)
    return total


@nested
def _couple(situation, case, nodes, room):
    """The smaller of the coupled form and the separate one at the nodes of depth t, at those vertices where the
    maximum over them can be: which one that is does not depend on lambda, which counts once at all of them."""
    r, k = case
    paths = situation.paths.numbers
    t = paths[DEPTH]
    step = paths[STEPS] + 5 * t
    others = paths[step + OTHERS]
    left = room.short[0]  # values at the vertices that are still to be looked at
    for m in range(paths[step + NODES]):
        e = paths[paths[step + ROWS] + k * paths[step + NODES] + m]
        if e < 0:
            continue
        count = nodes.vertices[nodes.at[t, 0] + m]
        extra = nodes.at[t, 1] + m * nodes.at[t, 3]
        for v in range(count):
            q = nodes.at[t, 2] + (m * nodes.at[t, 3] + v) * others
            left[v] = nodes.extra[extra + v]
            for x in range(others):
                left[v] += nodes.q[q + x] * room.gain[m, x]
        best = -np.inf
        for _ in range(count):
            v = np.argmax(left[:count])
            if left[v] <= best:
                break
            begin = nodes.at[t, 2] + (m * nodes.at[t, 3] + v) * others
            q, held, plain = nodes.q[begin : begin + others], 0.0, left[v] - nodes.extra[extra + v]
            left[v] = -np.inf
            for x in range(others):
                held += q[x] * room.remainder[m, x]
            change = coupled_bound(situation, (r, k, m), q, room) - nodes.extra[extra + v] - held
            if change < 0:  # false where nothing is bounded yet
                nodes.extra[extra + v] += change
            best = max(best, plain + nodes.extra[extra + v])


@nested
def _smallest(situation, case, given, nodes, room):
    """The smallest lambda with an excess <= 0, up to rounding; inf where none was found (`approx_step`)."""
    (residue, guess), k = given, case[1]
    reals, numbers, paths = situation.tables.reals, situation.tables.numbers, situation.paths.numbers
    t = paths[DEPTH]
    step = paths[STEPS] + 5 * t
    _tops(situation, case, nodes, room)
    if t == 0:
        total = _excess(situation, case, 0.0, nodes, room)[0] + residue
        start = 0.0
        for m in range(paths[step + NODES]):
            e = paths[paths[step + ROWS] + k * paths[step + NODES] + m]
            if e >= 0:
                start += reals[numbers[AGENTS] + e]
        return total if paths[SINGLE] != 0 else total / start
    top, lowest = -np.inf, np.inf
    for m in range(paths[step + NODES]):
        if nodes.vertices[nodes.at[t, 0] + m]:
            for x in range(paths[step + OTHERS]):
                top, lowest = max(top, room.gain[m, x]), min(lowest, room.gain[m, x])
    lowest -= 1.0
    at = min(guess, top) if np.isfinite(guess) else top
    value, mass = _excess(situation, case, at, nodes, room)
    value += residue
    settled = abs(at) * 1e-13 + 1e-13
    for _ in range(_ROUNDS):
        after = at + value / mass
        after = min(max(after, lowest), _LARGEST) if np.isfinite(after) else _LARGEST if value > 0 else at
        moved = abs(after - at) > settled
        at = after
        value, mass = _excess(situation, case, at, nodes, room)
        value += residue
        if not moved or not value > _ROUNDING * mass:
            break
    return at if value <= _ROUNDING * max(mass, _TINY) else np.inf


@nested
def _tops(situation, case, nodes, room):
    """The largest values at the nodes of depth t, lambda not subtracted: it counts once at all vertices."""
    numbers, paths = situation.tables.numbers, situation.paths.numbers
    t, (r, k) = paths[DEPTH], case
    step, fills = paths[STEPS] + 5 * t, _fills(numbers, paths, t)
    inner, masses = room.short[0], room.short[1]
    for m in range(paths[step + NODES]):
        node = nodes.at[t, 0] + m
        nodes.best[node] = nodes.mass[node] = 0.0
        if nodes.vertices[node] == 0:
            continue
        for x in range(paths[step + OTHERS]):
            inner[x], masses[x] = room.gain[m, x], 1.0
        if fills:
            e = paths[paths[step + ROWS] + k * paths[step + NODES] + m]
            nodes.best[node], nodes.mass[node] = _filled(situation, (r, t, e), room)
        else:
            _at_best_vertex(nodes, (t, m, paths[step + OTHERS]), room)


@nested
def _excess(situation, case, bound, nodes, room):
    """The supremum at lambda = bound without what is passed on to the root, and the weight that attains it, from the
    values at depth t (`_tops`)."""
    reals, numbers = situation.tables.reals, situation.tables.numbers
    paths, chances = situation.paths.numbers, situation.paths.chances
    t, (r, k) = paths[DEPTH], case
    inner, masses = room.short[0], room.short[1]
    for u in range(t - 1, -1, -1):
        step, fills, less = paths[STEPS] + 5 * u, _fills(numbers, paths, u), bound if u + 1 == t else 0.0
        others, successors = paths[step + OTHERS], paths[step + NEXT]
        for m in range(paths[step + NODES]):
            node = nodes.at[u, 0] + m
            if nodes.vertices[node] == 0:
                nodes.best[node] = nodes.mass[node] = 0.0
                continue
            for x in range(others):
                inner[x], masses[x] = 0.0, 0.0
                at = paths[step + TARGET] + ((k * paths[step + NODES] + m) * others + x) * successors
                for s in range(at, at + successors):
                    if chances[s] != 0:
                        below = nodes.at[u + 1, 0] + paths[s]
                        inner[x] += chances[s] * (nodes.best[below] - less)
                        masses[x] += chances[s] * nodes.mass[below]
            if fills:
                e = paths[paths[step + ROWS] + k * paths[step + NODES] + m]
                nodes.best[node], nodes.mass[node] = _filled(situation, (r, u, e), room)
            else:
                _at_best_vertex(nodes, (u, m, others), room)
    total, weight, step = 0.0, 0.0, paths[STEPS]
    for m in range(paths[step + NODES]):
        if nodes.vertices[m] != 0:
            start = reals[numbers[AGENTS] + paths[paths[step + ROWS] + k * paths[step + NODES] + m]]
            if paths[SINGLE] != 0:
                start = 1.0 if start > 0 else 0.0
            total += start * (nodes.best[m] - (bound if t == 0 else 0.0))
            weight += start * nodes.mass[m]
    return total, weight


@nested
def _at_best_vertex(nodes, case, room):
    """The largest value over the listed vertices of a node, and its weight."""
    u, m, others = case
    inner, masses = room.short[0], room.short[1]
    best, which = -np.inf, 0
    q, extra = nodes.at[u, 2] + m * nodes.at[u, 3] * others, nodes.at[u, 1] + m * nodes.at[u, 3]
    for v in range(nodes.vertices[nodes.at[u, 0] + m]):
        value = nodes.extra[extra + v]
        for x in range(others):
            value += nodes.q[q + v * others + x] * inner[x]
        if value > best:
            best, which = value, v
    mass = 0.0
    for x in range(others):
        mass += nodes.q[q + which * others + x] * masses[x]
    nodes.best[nodes.at[u, 0] + m], nodes.mass[nodes.at[u, 0] + m] = best, mass


@nested
def _fills(numbers, paths, u):
    """Whether the other agent's policies at depth u are filled up in the order of the values instead of listed: where
    nothing is added at vertices, and they are many or (in one step) not listed at all."""
    if numbers[AGENTS] != 2 or paths[DEPTH] + 1 < numbers[HORIZON]:
        return False
    return numbers[HORIZON] == 1 or paths[paths[STEPS] + 5 * u + OTHERS] > _FEW


@nested
def _filled(situation, case, room):
    """The largest value over the other agent's policies at joint class e, filled up in the order of the values, and
    its weight."""
    r, u, e = case
    numbers, links, paths = situation.tables.numbers, situation.tables.links, situation.paths.numbers
    mine, inner, masses = situation.boxes[r % len(situation.boxes)], room.short[0], room.short[1]
    level = numbers[LEVEL] + u * COLUMNS
    start = numbers[numbers[START] + links[numbers[level + JOINT] + 2 * e + 1 - paths[AGENT]]]
    lower, upper, others = numbers[LOWER] + start, numbers[UPPER] + start, paths[paths[STEPS] + 5 * u + OTHERS]
    rest, value, mass, used = 1.0, 0.0, 0.0, 0
    for x in range(others):
        rest -= mine[lower + x]
        value += mine[lower + x] * inner[x]
        mass += mine[lower + x] * masses[x]
    for _ in range(others):
        if rest <= 0:
            break
        chosen = -1
        for x in range(others):
            if not (used >> x) & 1 and (chosen < 0 or inner[x] > inner[chosen]):
                chosen = x
        used |= 1 << chosen
        take = min(rest, mine[upper + chosen] - mine[lower + chosen])
        value += take * inner[chosen]
        mass += take * masses[chosen]
        rest -= take
    return value, mass
