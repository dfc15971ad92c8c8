"""Whole sweeps over one box in one call (docs/theory/localisation.md#boxes-from-log-ratios; `contraction` does the same
with arrays, for all boxes of a batch at once): bounds, what they leave of the box, and whether it is closed."""

from __future__ import annotations

from math import ceil, floor, isfinite, ldexp, log, sqrt
from typing import NamedTuple

import numpy as np

from certify.thresholds.compiled.bounds import REPLIES, SEPARATE, SHARING, Nodes, Room, Situation, smallest
from certify.thresholds.compiled.compiler import borrower, compiled, nested
from certify.thresholds.compiled.constants import (
    EMPTY,
    GRID,
    LARGEST,
    LIMIT,
    LN2_HIGH,
    LN2_LOW,
    LOG2_E,
    MARGIN,
    NARROW,
    ROUNDING,
    SLACK,
    TERMS,
    UNIT,
)
from certify.thresholds.compiled.coupled import values_against
from certify.thresholds.compiled.definite import advantages, diagonals, different_depths, reaches, same_depth
from certify.thresholds.compiled.models import action_model, state_model
from certify.thresholds.compiled.tables import (
    AGENTS,
    CLASSES,
    COUNTS,
    FIRST,
    HORIZON,
    LOWER,
    PAIRS,
    SIZE,
    START,
    UPPER,
    Paths,
    Tables,
)
from certify.thresholds.compiled.vertices import fill

NONE = -(2**62)  # in a list of steps: no bound
GOING, HOLDS_NONE, NONDEGENERATE, STALLED = range(4)  # how a box ends
# Columns of `Search.places`: where the numbers and the chances of a way begin and end, where known bounds, what
# `Nodes.at` says and how many numbers `values_against` gives.
WAY, WAY_END, CHANCE, CHANCE_END, KNOWN, ROWS_AT, AGAINST = range(7)
# Columns of `Search.depths`: size and begin of U and of V.
ACTIONS, ACTIONS_AT, STATES, STATES_AT = range(4)
_ENTRY = 2.0**-UNIT
_LEAST = 1e-12  # of a diagonal of a form

_borrowed = borrower()


class Search(NamedTuple):
    """What a plan is to sweeps.  ways : numbers and chances of the ways to all classes, one behind the other (`Paths`).
    places : (agents * h, 7), a row for agent and depth; depths : (h, 5); at : rows of `Nodes.at`.  form_place :
    (agents, h) where blocks begin in a form; form_block : the block of each of its coordinates.  advantages : (h,
    agents) where they begin; widest : (1,) how many actions they are laid out for."""

    tables: Tables
    ways: Paths
    places: np.ndarray
    depths: np.ndarray
    at: np.ndarray
    reached_at: np.ndarray
    form_place: np.ndarray
    form_block: np.ndarray
    advantages: np.ndarray
    widest: np.ndarray


class Work(NamedTuple):
    """Room for the sweeps over one box.  box : (1, ROOM).  models : U and V of all depths, two rows each.  known : the
    last bounds of every agent and depth.  guess, found : (numbers,) bounds on their way.  ends : (2, numbers) of a
    block.  reach, advantage, form, diagonal : of two rows (`definite`).  matrix : (N, N); vectors : (3, N)."""

    nodes: Nodes
    room: Room
    box: np.ndarray
    models: np.ndarray
    known: np.ndarray
    against: np.ndarray
    guess: np.ndarray
    found: np.ndarray
    ends: np.ndarray
    reach: np.ndarray
    advantage: np.ndarray
    form: np.ndarray
    diagonal: np.ndarray
    matrix: np.ndarray
    vectors: np.ndarray


@compiled
def run(search, work, job, counts, log_):
    """Sweeps over one box at both ends of its interval of beta until it is closed or has stalled, or over some for a
    trial (one function, for every one that Python calls has to be compiled with all that it calls).

    job : boxes (B, 2, entries), one but for trials; betas, two of a box or in a trial one; a rule; for a trial room
    for the logarithm of the part of every box's volume that is left, -inf of one that is empty.  rule : width below
    which the box hurries, least gain, gain below which a step is not taken, that of a sweep which hurries, and of
    which widths closing is tried.  counts : sweeps at most, 1 for a box that is new (otherwise it is what was left in
    `work`), 1 if it hurries anyhow, 1 for a trial.  log_ : (numbers,) of the steps that are taken: agent h + depth,
    then a multiple for every class and pair.
    Returns how it ends, and where the log does; the form of a stalled box is left in `work`.
    """
    search, work, log_ = _borrowed(search), _borrowed(work), _borrowed(log_)
    ends, betas, rule, found = _borrowed(job)
    numbers, mine, trial = search.tables.numbers, work.box[0], counts[3] == 1
    end = np.int64(0)  # not a constant, of which functions would be made once more
    entries, kind, ends_at = numbers[UPPER] - numbers[LOWER], GOING, len(betas) // len(ends)
    for b in range(len(ends)):
        if counts[1]:
            _put(search, work, ends[b])
        start, mine_at = _log_volume(numbers, mine, entries), betas[b * ends_at : (b + 1) * ends_at]
        for _ in range(counts[0]):
            before = _width(numbers, mine, entries)
            end, emptied = _sweep(search, work, mine_at, rule[2], log_, end)
            if emptied or (not trial and _holds_none(numbers, mine, np.int64(0), _blocks(numbers))):
                kind = HOLDS_NONE
                break
            if trial:
                continue
            width, widest = _width(numbers, mine, entries), 0.0
            for at in range(entries):
                widest = max(widest, mine[numbers[UPPER] + at] - mine[numbers[LOWER] + at])
            tested, patience = widest < rule[4], rule[3] if counts[2] or width < rule[0] else rule[1]
            stalled = width / max(before, 1e-300) > 1 - patience
            if tested or stalled:
                _form(search, work, ends_at)
            if tested and _definite(search, work, ends_at):
                kind = NONDEGENERATE
                break
            if stalled:
                kind = STALLED
                break
        if trial:
            none = kind == HOLDS_NONE or _holds_none(numbers, mine, np.int64(0), _blocks(numbers))
            found[b], kind = -np.inf if none else _log_volume(numbers, mine, entries) - start, GOING
    return kind, end


@nested
def _put(search, work, ends):
    """The next box, with nothing known."""
    numbers, mine = search.tables.numbers, work.box[0]
    for x in range(ends.shape[1]):
        mine[numbers[LOWER] + x], mine[numbers[UPPER] + x] = ends[0, x], ends[1, x]
    work.known[:] = np.nan
    fill(numbers, work.box, np.int64(0), _blocks(numbers), numbers[HORIZON] > 1 or numbers[AGENTS] > 2)


@nested
def _blocks(numbers):
    last = numbers[AGENTS] * numbers[HORIZON] - 1
    return numbers[numbers[FIRST] + last] + numbers[numbers[CLASSES] + last]


@nested
def _width(numbers, mine, entries):
    total = 0.0
    for at in range(entries):
        total += mine[numbers[UPPER] + at] - mine[numbers[LOWER] + at]
    return total


@nested
def _log_volume(numbers, mine, entries):
    total = 0.0
    for at in range(entries):
        total += log(max(mine[numbers[UPPER] + at] - mine[numbers[LOWER] + at], NARROW))
    return total


@nested
def _holds_none(numbers, mine, first, last):
    """Whether one of these blocks certainly holds no distribution."""
    for block in range(first, last):
        at, low, high = numbers[numbers[START] + block], 0.0, 0.0
        for a in range(at, at + numbers[numbers[SIZE] + block]):
            lower, upper = mine[numbers[LOWER] + a], mine[numbers[UPPER] + a]
            if lower > upper + EMPTY:
                return True
            low += lower
            high += upper
        if low > 1 + EMPTY or high < 1 - EMPTY:
            return True
    return False


@nested
def _sweep(search, work, betas, least_gain, log_, end):
    """One step for every agent and depth, last depth first: where the log ends, and whether the box is empty now."""
    tables, numbers, rows = search.tables, search.tables.numbers, len(betas)
    h, n, listing = numbers[HORIZON], numbers[AGENTS], numbers[HORIZON] > 1 or numbers[AGENTS] > 2
    for t in range(h - 1, -1, -1):
        here, after = _model(search, work, t, rows), _state(search, work, t + 1, rows)
        if t + 1 < h:
            state_model(tables, t + 1, work.box, _model(search, work, t + 1, rows), after)
        action_model(tables, t, betas, after, here)
        for i in range(n):
            count = numbers[numbers[COUNTS] + i * h + t]
            if count == 1:
                continue
            first = numbers[numbers[FIRST] + i * h + t]
            last = first + numbers[numbers[CLASSES] + i * h + t]
            _bounds(search, work, (i, t), (here, after))
            taken, end = _apply(search, work, (i, t), least_gain, log_, end)
            if taken:
                if _holds_none(numbers, work.box[0], first, last):
                    return end, True
                fill(numbers, work.box, first, last, listing)
    return end, False


@nested
def _model(search, work, t, rows):
    size, at = search.depths[t, ACTIONS], search.depths[t, ACTIONS_AT]
    return work.models[at : at + rows * size].reshape(rows, size)


@nested
def _state(search, work, t, rows):
    if t == search.tables.numbers[HORIZON]:
        return work.models[:0].reshape(rows, 0)
    size, at = search.depths[t, STATES], search.depths[t, STATES_AT]
    return work.models[at : at + rows * size].reshape(rows, size)


@nested
def _bounds(search, work, which, models):
    """Bounds of all classes of (agent, t) at every beta, the larger ones into `work.known`."""
    (i, t), (here, after) = which, models
    tables, numbers, rows = search.tables, search.tables.numbers, len(here)
    place, classes = search.places[i * numbers[HORIZON] + t], numbers[numbers[CLASSES] + i * numbers[HORIZON] + t]
    paths = Paths(
        search.ways.numbers[place[WAY] : place[WAY_END]], search.ways.chances[place[CHANCE] : place[CHANCE_END]]
    )
    against = work.against[: rows * place[AGAINST]].reshape(rows, place[AGAINST])
    if place[AGAINST]:
        values_against(tables, i, t + 1, work.box, _model(search, work, t + 1, rows), against)
    nodes = work.nodes
    at = search.at[place[ROWS_AT] : place[ROWS_AT] + 4 * (t + 2)].reshape(t + 2, 4)
    nodes = Nodes(at, nodes.vertices, nodes.q, nodes.extra, nodes.best, nodes.mass)
    situation = Situation(tables, paths, work.box, here, after, against)
    pairs, weight = paths.numbers[PAIRS], tables.reals[i]
    count, known = classes * pairs, work.known[place[KNOWN] :]
    total = rows * count
    guess, found = work.guess[:total], work.found[:total]
    for x in range(total):
        guess[x] = known[x % count] * weight
    shape = (rows, classes, pairs)
    later, part = t + 1 < numbers[HORIZON], work.found[total : 2 * total]
    none, replies = np.int64(0), np.int64(REPLIES)  # no constants, of which functions would be made once more
    part[:], found[:], known[:count] = 0.0, np.inf, np.inf
    if later:  # the larger one of both ends (`approx_step`)
        options = (none, rows, none, classes, replies)
        smallest(situation, nodes, work.room, options, guess.reshape(shape), part.reshape(shape))
        for x in range(count):
            known[x] = max(part[x], part[total - count + x])
    for r in range(rows):
        for way in range(SEPARATE, SHARING + 1 if later and t > 0 else SHARING):
            for x in range(r * count, (r + 1) * count):  # what one end does not better, both do not
                part[x] = -np.inf if r > 0 and not found[x - count] < known[x - count] else 0.0
            options = (r, r + 1, none, classes, way)
            smallest(situation, nodes, work.room, options, guess.reshape(shape), part.reshape(shape))
            for x in range(r * count, (r + 1) * count):
                if part[x] > -np.inf:
                    found[x] = min(found[x], part[x])
    for x in range(count):
        known[x] = min(known[x], max(found[x], found[total - count + x])) / weight


@nested
def _apply(search, work, which, least_gain, log_, end):
    """Takes the step with the known bounds where it gains enough: whether it did, and where the log ends."""
    (i, t), numbers, mine = which, search.tables.numbers, work.box[0]
    h = numbers[HORIZON]
    classes, count = numbers[numbers[CLASSES] + i * h + t], numbers[numbers[COUNTS] + i * h + t]
    start, pairs = numbers[numbers[START] + numbers[numbers[FIRST] + i * h + t]], count * (count - 1)
    lower, upper = numbers[LOWER] + start, numbers[UPPER] + start
    known = work.known[search.places[i * h + t, KNOWN] :]
    entries, before, after = classes * count, 0.0, 0.0
    for k in range(classes):
        _cut(known[k * pairs :], (mine, lower + k * count, upper + k * count), count, work.ends[:, k * count :])
    for x in range(entries):
        before += mine[upper + x] - mine[lower + x]
        after += work.ends[1, x] - work.ends[0, x]
    if not after <= (1 - least_gain) * before:
        return False, end
    for x in range(entries):
        mine[lower + x], mine[upper + x] = work.ends[0, x], work.ends[1, x]
    if len(log_):
        log_[end] = i * h + t
        for x in range(classes * pairs):
            bound = known[x]
            usable = isfinite(bound) and abs(bound) < LARGEST
            log_[end + 1 + x] = ceil((bound + SLACK) * _ENTRY) if usable else NONE
        end += 1 + classes * pairs
    return True, end


@nested
def approx_exp(x):
    """`approx_exp.approx_exp` of one number."""
    x = min(max(x, -LIMIT), LIMIT)
    whole = floor(x * LOG2_E + 0.5)
    rest = (x - whole * LN2_HIGH) - whole * LN2_LOW
    total = TERMS[0]
    for k in range(1, len(TERMS)):
        total = total * rest + TERMS[k]
    return ldexp(total, int(whole))


@nested
def _cut(known, box, count, ends):
    """`contraction.cut` of one row with bounds that are rounded up first, into `ends` (2, count)."""
    mine, lower, upper = box
    low, high = ends[0], ends[1]
    for a in range(count):
        low[a] = high[a] = 0.0
    for a in range(count):
        for b in range(count):
            bound = 0.0
            if a != b:
                bound = known[a * (count - 1) + (b if b < a else b - 1)]
                usable = isfinite(bound) and abs(bound) < LARGEST
                bound = ceil((bound + SLACK) * _ENTRY) / _ENTRY if usable else np.inf
            low[b] += approx_exp(bound)
            high[a] += approx_exp(-bound)
    for a in range(count):
        low[a], high[a] = max(mine[lower + a], 1 / low[a]), min(mine[upper + a], 1 / high[a])
    for _ in range(2):
        total = 0.0
        for a in range(count):
            total += high[a]
        for a in range(count):
            low[a] = max(low[a], 1 - (total - high[a]) - ROUNDING)
        total = 0.0
        for a in range(count):
            total += low[a]
        for a in range(count):
            high[a] = min(high[a], 1 - (total - low[a]) + ROUNDING)
    for a in range(count):
        low[a], high[a] = floor(low[a] * GRID) / GRID, ceil(high[a] * GRID) / GRID


@nested
def _form(search, work, rows):
    """The enclosure of the second derivative on the present box, from the models that a sweep has left: `work.form`
    its low and high ends, `work.diagonal`."""
    tables, h = search.tables, search.tables.numbers[HORIZON]
    at, place, widest = search.reached_at, search.form_place, search.widest[0]
    reaches(tables, work.box, at, work.reach)
    work.form[:] = 0.0
    for t in range(h):
        model = _model(search, work, t, rows)
        if t:
            advantages(tables, t, work.box, model, (search.advantages[t], widest), work.advantage)
        same_depth(tables, t, (work.box, model, work.reach, at[t]), place, work.form)
    situation = (work.reach, at, work.advantage, search.advantages, widest, False)
    different_depths(tables, work.box, situation, place, work.form)
    diagonals(tables, work.box, (work.reach, at), place, work.diagonal)


@nested
def _definite(search, work, rows):
    """`approx_definite.approx_margin` above `MARGIN` at every beta."""
    for r in range(rows):
        if not _usable(work.form[r], work.diagonal[r]):
            return False
        _frame(work.form[r], work.diagonal[r], work.matrix, work.vectors)
        _project(search.form_block, work.vectors[0], work.matrix)
        if not _positive(work.matrix):
            return False
    return True


@nested
def _usable(form, diagonal):
    for x in range(len(diagonal)):
        if not diagonal[x] > 0:
            return False
        for y in range(len(diagonal)):
            if not isfinite(form[0, x, y] + form[1, x, y]):
                return False
    return True


@nested
def _frame(form, diagonal, matrix, vectors):
    """The form's middle, scaled by its diagonal, with the radius as a diagonal of its own, into `matrix`; the scale
    into the first vector."""
    count, (scale, y, moved) = len(diagonal), vectors
    for x in range(count):
        scale[x], y[x] = 1 / sqrt(max(diagonal[x], _LEAST)), 1.0
    for x in range(count):  # the radius first
        for z in range(count):
            radius = (form[1, x, z] - form[0, x, z]) / 2 + (form[1, z, x] - form[0, z, x]) / 2
            matrix[x, z] = radius * scale[x] * scale[z]
    for rest in range(12, -1, -1):
        largest = 0.0
        for x in range(count):
            moved[x] = 0.0
            for z in range(count):
                moved[x] += matrix[x, z] * y[z]
            largest = max(largest, moved[x])
        if rest:
            for x in range(count):
                y[x] = (moved[x] + 1e-6 * largest + 1e-30) / (largest + 1e-30)
    for x in range(count):
        for z in range(count):
            middle = (form[1, x, z] + form[0, x, z]) / 2 + (form[1, z, x] + form[0, z, x]) / 2
            matrix[x, z] = middle * scale[x] * scale[z]
        matrix[x, x] += moved[x] / y[x]


@nested
def _project(block, scale, matrix):
    """The matrix on tangent directions, 0 on the others."""
    count = len(block)
    for side in range(2):
        first = 0
        while first < count:
            last, square = first, 0.0
            while last < count and block[last] == block[first]:
                square += scale[last] * scale[last]
                last += 1
            for other in range(count):
                along = 0.0
                for x in range(first, last):
                    along += scale[x] * (matrix[other, x] if side else matrix[x, other])
                for x in range(first, last):
                    row, column = (other, x) if side else (x, other)
                    matrix[row, column] -= along / square * scale[x]
            first = last


@nested
def _positive(matrix):
    """Whether (1 - margin) times the identity less the matrix is positive definite, by Cholesky's factors, which
    replace it."""
    for x in range(len(matrix)):
        for z in range(x + 1):
            total = -matrix[x, z]
            if x == z:
                total += 1 - MARGIN
            for k in range(z):
                total -= matrix[x, k] * matrix[z, k]
            if x == z:
                if not total > 0:
                    return False
                matrix[x, x] = sqrt(total)
            else:
                matrix[x, z] = total / matrix[z, z]
    return True
