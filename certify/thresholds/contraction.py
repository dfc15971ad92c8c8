"""A batch of boxes under repeated steps, each box with its own interval of beta
(docs/theory/localisation.md#boxes-from-log-ratios, docs/theory/continuation.md#covers;
docs/certificate-format.md, sections 4.3 to 4.5).  Floats throughout: a proposal, not a proof.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from certify.memory import pieces
from certify.run import Run
from certify.thresholds.approx_definite import approx_margin
from certify.thresholds.approx_excluded import PART, excluding_parts
from certify.thresholds.approx_exp import approx_exp, last_sum
from certify.thresholds.approx_weighed import WEIGHED_UNIT, Weighed, rounded
from certify.thresholds.compiled.constants import EMPTY, GRID, LARGEST, MARGIN, NARROW, ROUNDING, SLACK, UNIT
from certify.thresholds.index_tables import Plan, ordered_pairs
from certify.thresholds.room import room_of
from certify.thresholds.step_rule import StepRule, compiled_for, step_rule

_ENOUGH = 0.1  # ... and after which the other steps may wait
_EXCLUDED = 0.1  # of the widths, that parts without a stationary policy have to make up for sweeps to go on
_WEIGHED_GAIN, _STEP_GAIN = 0.01, 0.02  # of the widths, below which a weighed step or another is not worth its check

Box = list[list[tuple[np.ndarray, np.ndarray]]]  # box[i][t] = (lower, upper), each (K_i, A_i)


def whole_space(plan: Plan) -> Box:
    """The box of all policies."""
    return [
        [
            (np.zeros((level.classes[i], level.action_counts[i])), np.ones((level.classes[i], level.action_counts[i])))
            if level.action_counts[i] > 1
            else (np.ones((level.classes[i], 1)),) * 2
            for level in plan.levels
        ]
        for i in range(plan.agents)
    ]


def tighten(lower: np.ndarray, upper: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What the rows' sum of 1 adds to bounds on single probabilities, less `ROUNDING`: where a box is about
    to close on a vertex, rounding must not cross its ends, for crossed ends grow with every step."""
    for _ in range(2):
        lower = np.maximum(lower, 1 - (last_sum(upper)[..., None] - upper) - ROUNDING)
        upper = np.minimum(upper, 1 - (last_sum(lower)[..., None] - lower) + ROUNDING)
    return lower, upper


def from_log_ratios(bound: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(..., A, A) bounds on log pi(a)/pi(b) -> bounds on pi."""
    return 1 / last_sum(np.swapaxes(approx_exp(bound), -1, -2)), 1 / last_sum(approx_exp(-bound))


def holds_none(lower: np.ndarray, upper: np.ndarray) -> np.ndarray:
    """(B,) whether some row of (B, K, A) bounds certainly holds no distribution."""
    return ((lower > upper + EMPTY).any(-1) | (lower.sum(-1) > 1 + EMPTY) | (upper.sum(-1) < 1 - EMPTY)).any(-1)


def quantise(bound: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Bounds (..., A, A) rounded up to multiples of 2**UNIT by at least 2**-24: the multiples
    (nan: no bound) and the bounds as floats (inf: no bound)."""
    scaled = np.ceil((bound + SLACK) * 2.0**-UNIT)
    usable = np.isfinite(bound) & (np.abs(bound) < LARGEST)
    rounded = np.where(usable, scaled * 2.0**UNIT, np.inf)
    diagonal = np.arange(bound.shape[-1])
    rounded[..., diagonal, diagonal] = 0.0
    return np.where(usable, scaled, np.nan), rounded


def as_tables(scaled: np.ndarray) -> list[list[list[int | None]]]:
    """(B, K, A, A) multiples as the steps of a certificate list them, one for every box."""
    a, b = ordered_pairs(scaled.shape[-1]).T
    rows = scaled[:, :, a, b]
    missing = np.isnan(rows)
    whole = np.where(missing, 0, rows).astype(np.int64).tolist()
    if missing.any():
        for box, k, pair in np.argwhere(missing):
            whole[box][k][pair] = None
    return whole


def from_table(table: list[list[int | None]], count: int) -> np.ndarray:
    """The inverse of `as_table`: (K, A, A) bounds as floats, inf where there is none, 0 on the diagonal."""
    bounds = np.zeros((len(table), count, count))
    a, b = ordered_pairs(count).T
    bounds[:, a, b] = [[np.inf if m is None else m * 2.0**UNIT for m in row] for row in table]
    return bounds


def cut(lower: np.ndarray, upper: np.ndarray, bound: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A box after a step with these log-ratio bounds, on the grid of the coarser checker: what it cannot tell
    from 0 must not count as positive here."""
    low, high = from_log_ratios(bound)
    lower, upper = tighten(np.maximum(lower, low), np.minimum(upper, high))
    return np.floor(lower * GRID) / GRID, np.ceil(upper * GRID) / GRID


def narrowed(lower: np.ndarray, upper: np.ndarray, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A box after a weighed step with these bounds, on the same grid."""
    lower, upper = tighten(np.maximum(lower, low), np.minimum(upper, high))
    return np.floor(lower * GRID) / GRID, np.ceil(upper * GRID) / GRID


def replayed(box: Box, steps: list[dict]) -> Box:
    """The box after the steps of a node: the very floats that `Contraction` has ended with."""
    box = [list(row) for row in box]
    for step in steps:
        if "part" in step:
            box = without_part(box, step["part"])
            continue
        if "bounds" in step:
            for i, rows in enumerate(step["bounds"]):
                ends = np.array(rows, dtype=np.float64) * 2.0**WEIGHED_UNIT
                box[i][0] = narrowed(*box[i][0], *np.split(ends, 2, axis=-1))
            continue
        lower, upper = box[step["agent"]][step["depth"]]
        box[step["agent"]][step["depth"]] = cut(lower, upper, from_table(step["log_ratio"], lower.shape[-1]))
    return box


def without_part(box: Box, part: list[int]) -> Box:
    """A box after a step that excludes the part of it with an entry between two numbers, at one of its ends."""
    c, low, high = part
    box = [list(row) for row in box]
    for row in box:
        lower, upper = row[0]
        if 0 <= c < lower.size:
            new_lower, new_upper = lower.copy(), upper.copy()
            if low == 0:
                new_lower.flat[c] = max(lower.flat[c], high * 2.0**WEIGHED_UNIT)
            else:
                new_upper.flat[c] = min(upper.flat[c], low * 2.0**WEIGHED_UNIT)
            row[0] = narrowed(lower, upper, new_lower, new_upper)
        else:  # the checkers narrow every agent's box
            row[0] = narrowed(lower, upper, lower, upper)
        c -= lower.size
    return box


@dataclass
class Task:
    """One box to contract: its interval of beta and its box."""

    low: float
    high: float
    box: Box
    tube: float = 0.0  # total width of the known path of stationary policies over the interval
    patient: bool = True  # whether to go on while sweeps gain little (policies have not been split)


@dataclass
class Outcome:
    """How a box ended: `kind` is "nondegenerate", "empty" or "stalled"; the steps it took; its last
    box; `soft` : (N,) how much each policy entry moves along the softest direction, if stalled."""

    kind: str
    steps: list[dict]
    box: Box
    soft: np.ndarray | None = None


class Contraction:
    """Boxes in lockstep.  Batch rows are the lower ends of all intervals, then the upper ends.

    least_gain : a sweep that gains less of the widths has stalled; steps that gain less than twice
    that of their own widths are not taken, for they would have to be checked.
    trial : look at the middle of each interval alone, which bounds nothing, in half the time.
    """

    def __init__(
        self, plan: Plan, tasks: list[Task], *, least_gain: float, trial: bool = False, run: Run | None = None
    ) -> None:
        self.plan, self.least_gain, self.trial, self.run = plan, least_gain, trial, run or Run()
        self.low = np.array([task.low for task in tasks])
        self.high = np.array([task.high for task in tasks])
        self.box = [
            [tuple(np.stack([task.box[i][t][end] for task in tasks]) for end in (0, 1)) for t in range(plan.horizon)]
            for i in range(plan.agents)
        ]
        self.steps: list[list[dict]] = [[] for _ in tasks]
        self.known: dict[tuple[int, int], np.ndarray] = {}
        self.emptied = np.zeros(len(tasks), dtype=bool)
        self.weighed = Weighed(plan)
        hasty = self.weighed.applies & ~np.array([task.patient for task in tasks])
        self.gains = np.where(hasty, [[_WEIGHED_GAIN], [_STEP_GAIN]], 2 * least_gain)  # of either kind, by box

    def __len__(self) -> int:
        return len(self.low)

    def current(self) -> StepRule:
        """The step rule on the present boxes."""
        betas = (self.low + self.high) / 2 if self.trial else np.concatenate([self.low, self.high])
        return step_rule(self.plan, self.box, betas)

    def keep(self, rows: np.ndarray) -> None:
        """Go on with these boxes only."""
        self.low, self.high = self.low[rows], self.high[rows]
        self.box = [[(lower[rows], upper[rows]) for lower, upper in row] for row in self.box]
        self.steps = [self.steps[r] for r in rows]
        self.known = {key: bound[rows] for key, bound in self.known.items()}
        self.emptied, self.gains = self.emptied[rows], self.gains[:, rows]

    def widths(self) -> np.ndarray:
        """(B,) total width."""
        return sum((upper - lower).sum((1, 2)) for row in self.box for lower, upper in row)

    def widest(self) -> np.ndarray:
        """(B,) largest width of an entry."""
        return np.max([(upper - lower).max((1, 2)) for row in self.box for lower, upper in row], axis=0)

    def empty(self) -> np.ndarray:
        """(B,) whether a box certainly holds no policy."""
        return np.any([holds_none(lower, upper) for row in self.box for lower, upper in row], axis=0)

    def single(self, row: int) -> Box:
        """One box of the batch."""
        return [[(lower[row], upper[row]) for lower, upper in agent] for agent in self.box]

    def sweep(self) -> np.ndarray:
        """One step for every agent and depth, last depth first; (B,) the part of the widths left."""
        before = self.widths()
        done = self._weigh() if self.weighed.applies else np.zeros(len(self), dtype=bool)
        if done.all():
            return self.widths() / np.maximum(before, 1e-300)
        step = self.current()
        for t in reversed(range(self.plan.horizon)):
            for i in range(self.plan.agents):
                if self.plan.levels[t].action_counts[i] == 1:
                    continue
                self.run.check()
                guess = self.known.get((i, t))
                ends = 1 if self.trial else 2
                found = step.log_ratio_bounds(i, t, None if guess is None else np.concatenate([guess] * ends))
                bound = found if self.trial else np.maximum(found[: len(self)], found[len(self) :])
                self.known[i, t] = bound
                if self._apply(i, t, bound, done):
                    step.replace(i, t, self.box[i][t])
        return self.widths() / np.maximum(before, 1e-300)

    def _weigh(self) -> np.ndarray:
        """One weighed step, where it gains enough: (B,) where that is `_ENOUGH`."""
        self.run.check()
        bounds = rounded(self.weighed.bounds(self.weighed.flat(self.box), (self.low, self.high)))
        sizes = [row[0][0][0].size for row in self.box]
        tables, new = [], []
        for row, low, high in zip(self.box, *(np.split(x, sizes[:1], axis=1) for x in bounds), strict=True):
            lower, upper = row[0]
            table = np.concatenate([low.reshape(lower.shape), high.reshape(lower.shape)], -1)
            tables.append(table)
            new.append(narrowed(lower, upper, *np.split(table * 2.0**WEIGHED_UNIT, 2, axis=-1)))
        after = sum((upper - lower).sum((1, 2)) for lower, upper in new)
        before = self.widths()
        takes = ~self.emptied & (after <= (1 - self.gains[0]) * before)
        for row in np.nonzero(takes)[0]:
            self.steps[row].append({"bounds": [table[row].astype(np.int64).tolist() for table in tables]})
        for row, ends in zip(self.box, new, strict=True):
            row[0] = tuple(np.where(takes[:, None, None], x, y) for x, y in zip(ends, row[0], strict=True))
            self.emptied |= takes & holds_none(*ends)
        return takes & (after <= (1 - _ENOUGH) * before)

    def exclude(self, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(boxes wanted,) which of them one combination of all equations shows to be empty of stationary policies; that
        becomes their last step.  And which have lost enough at their ends in this way to go on."""
        rows = np.nonzero(wanted)[0]
        if not self.weighed.applies or not len(rows):
            return np.zeros(len(rows), dtype=bool), np.zeros(len(rows), dtype=bool)
        self.run.check()
        lower, upper = (end[rows] for end in self.weighed.flat(self.box))
        found = excluding_parts(self.weighed, (lower, upper), np.stack([self.low[rows], self.high[rows]], 1))
        before = self.widths()[rows]
        for row, steps in zip(rows, found, strict=True):
            self._without(row, steps)
        left = self.widths()[rows] / np.maximum(before, 1e-300)
        empty = np.array([any("part" not in step for step in steps) for steps in found])
        return empty | self.emptied[rows], ~empty & (left <= 1 - _EXCLUDED)

    def _without(self, row: int, steps: list[dict]) -> None:
        """Takes those of the steps that gain enough where they come."""
        box = self.single(row)
        for step in steps:
            if "part" in step:
                lower, upper = (np.concatenate([own[0][end].ravel() for own in box]) for end in (0, 1))
                c, low, high = step["part"]
                gained = (high * 2.0**WEIGHED_UNIT - lower[c]) if low == 0 else (upper[c] - low * 2.0**WEIGHED_UNIT)
                if gained < PART * (upper[c] - lower[c]):
                    continue
                box = without_part(box, step["part"])
            self.steps[row].append(step)
            if any(holds_none(own[0][0][None], own[0][1][None])[0] for own in box):
                self.emptied[row] = True
                break
        for own, part in zip(self.box, box, strict=True):
            for end in (0, 1):
                own[0][end][row] = part[0][end]

    def _apply(self, i: int, t: int, bound: np.ndarray, done: np.ndarray) -> bool:
        scaled, rounded = quantise(bound)
        lower, upper = self.box[i][t]
        new_lower, new_upper = cut(lower, upper, rounded)
        takes = (new_upper - new_lower).sum((1, 2)) <= (1 - self.gains[1]) * (upper - lower).sum((1, 2))
        takes &= ~self.emptied & ~done  # what is bounded over an empty box says nothing
        rows = np.nonzero(takes)[0]
        for row, table in zip(rows, as_tables(scaled[rows]), strict=True):
            self.steps[row].append({"agent": i, "depth": t, "log_ratio": table})
        here = takes[:, None, None]
        # an empty box keeps its crossed ends: they are what shows that it is empty
        self.box[i][t] = np.where(here, new_lower, lower), np.where(here, new_upper, upper)
        self.emptied |= takes & holds_none(new_lower, new_upper)
        return bool(len(rows))

    def margins(self, *, own: bool = False, soft: bool = False) -> tuple[np.ndarray, np.ndarray | None]:
        """(B,) the definiteness margin over both ends, and (B, N) the softest directions if asked."""
        most = room_of(self.plan).forms
        if len(self) > most:
            found = [
                _sub(self, np.arange(part.start, part.stop)).margins(own=own, soft=soft)
                for part in pieces(len(self), 1, most)
            ]
            softest = [direction for _, direction in found if direction is not None]
            return np.concatenate([margin for margin, _ in found]), np.concatenate(softest) if softest else None
        margin, direction = approx_margin(self.current().form(own=own), soft, room_of(self.plan).temporary)
        count = len(self)
        return np.minimum(margin[:count], margin[count:]), None if direction is None else direction[count:]


_GAIN, _WEIGHED_STALL = 0.005, 0.01  # where splitting can help, a sweep that gains less than this has stalled
_TUBE = 8.0  # splitting beta helps once the box is at most this much wider than its path
_FORMS = 64  # of stalled boxes that are decomposed together
_TESTED = 0.6  # wider boxes are never definite: the test is not tried
_SPARED = 0.01  # of the widths of a stalled box, that its last steps together may leave undone: every step is checked


def contract(
    plan: Plan, tasks: list[Task], *, least_gain: float, sweeps: int = 400, run: Run | None = None
) -> list[Outcome]:
    """Contract every box until it closes or stalls: sweeps gain less than `least_gain`, or less
    than 0.5 % where a split helps (the box is about as narrow as the path inside, or policies have
    been split already).  As many at a time as there is memory for: compiled loops take
    one."""
    if Weighed(plan).applies:
        return _contracted_in_parts(plan, tasks, least_gain, sweeps, run)
    how = _contract_compiled if compiled_for(plan) else _contracted_in_parts
    for task, outcome in zip(tasks, found := how(plan, tasks, least_gain, sweeps, run), strict=True):
        if outcome.kind == "stalled":
            _spare(task.box, outcome)
    return found


def _spare(box: Box, outcome: Outcome) -> None:
    """Leave out the last steps of a stalled box, which make it hardly narrower: what comes after its split makes up for
    them, and a check costs about the same for every step."""

    def width(box: Box) -> float:
        return sum(float((upper - lower).sum()) for row in box for lower, upper in row)

    enough = (1 + _SPARED) * width(outcome.box)
    for count, step in enumerate(outcome.steps):
        box = replayed(box, [step])
        if width(box) <= enough:
            outcome.steps, outcome.box = outcome.steps[: count + 1], box
            break


def _contracted_in_parts(
    plan: Plan, tasks: list[Task], least_gain: float, sweeps: int, run: Run | None
) -> list[Outcome]:
    """`contract` with arrays, as many boxes at a time as there is memory for."""
    found: list[Outcome] = []
    for part in pieces(len(tasks), 1, room_of(plan).boxes):
        found += _contracted(plan, tasks[part], least_gain=least_gain, sweeps=sweeps, run=run)
    return found


def _contracted(plan: Plan, tasks: list[Task], *, least_gain: float, sweeps: int, run: Run | None) -> list[Outcome]:
    batch = Contraction(plan, tasks, least_gain=least_gain, run=run)
    outcomes: list[Outcome | None] = [None] * len(tasks)
    alive = np.arange(len(tasks))
    tubes = np.array([task.tube for task in tasks])
    hasty = np.array([not task.patient for task in tasks])
    hurry = _WEIGHED_STALL if batch.weighed.applies else _GAIN
    for _ in range(sweeps):
        left = batch.sweep()
        empty = batch.empty()
        tested = ~empty & (batch.widest() < _TESTED)
        closed = np.zeros(len(alive), bool)
        if tested.any():
            closed[tested] = _sub(batch, np.nonzero(tested)[0]).margins()[0] > MARGIN
        patience = np.where(hasty | (batch.widths() < _TUBE * tubes), hurry, least_gain)
        stalled = ~empty & ~closed & (left > 1 - patience)
        excluded, going = batch.exclude(stalled)
        empty[stalled] = excluded
        stalled[stalled] = ~excluded & ~going
        soft = _sub(batch, np.nonzero(stalled)[0]).margins(soft=True)[1] if stalled.any() else None
        order = np.cumsum(stalled) - 1
        for row in np.nonzero(empty | closed | stalled)[0]:
            kind = "empty" if empty[row] else "nondegenerate" if closed[row] else "stalled"
            outcomes[alive[row]] = Outcome(
                kind, batch.steps[row], batch.single(row), soft[order[row]] if stalled[row] else None
            )
        rest = np.nonzero(~(empty | closed | stalled))[0]
        if not len(rest):
            break
        batch.keep(rest)
        alive, tubes, hasty = alive[rest], tubes[rest], hasty[rest]
    for row, index in enumerate(alive):
        if outcomes[index] is None:
            outcomes[index] = Outcome("stalled", batch.steps[row], batch.single(row), None)
    return outcomes


def _sub(batch: Contraction, rows: np.ndarray) -> Contraction:
    """A view of some boxes of a batch, for tests that leave it as it is."""
    view = Contraction.__new__(Contraction)
    view.plan, view.least_gain, view.trial, view.run = batch.plan, batch.least_gain, batch.trial, batch.run
    view.low, view.high, view.box = batch.low, batch.high, batch.box
    view.weighed, view.gains = batch.weighed, batch.gains
    view.steps, view.known, view.emptied = batch.steps, {}, batch.emptied
    view.keep(rows)
    return view


def _contract_compiled(plan: Plan, tasks: list[Task], least_gain: float, most: int, run: Run | None) -> list[Outcome]:
    """`contract` in compiled loops, one box after the other: the same outcomes."""
    from certify.thresholds.compiled.batch import batches_for

    batches, run = batches_for(plan), run or Run()
    outcomes: list[Outcome] = []
    forms: list[tuple[int, tuple[np.ndarray, np.ndarray]]] = []  # of stalled boxes, to be decomposed together

    def decompose() -> None:
        if forms:
            for (index, _), soft in zip(forms, batches.directions([form for _, form in forms]), strict=True):
                outcomes[index].soft = soft
        forms.clear()

    for task in tasks:
        rule = (_TUBE * task.tube, least_gain, 2 * least_gain, _GAIN, _TESTED)
        limits = (most, not task.patient)
        kind, steps, box = batches.contracted(task.box, (task.low, task.high), rule, limits, run)
        outcomes.append(Outcome(kind or "stalled", steps, box))
        if kind == "stalled":
            forms.append((len(outcomes) - 1, batches.form()))
            if len(forms) >= min(_FORMS, room_of(plan).forms):
                decompose()
    decompose()
    return outcomes


def work_left(plan: Plan, tasks: list[Task], least_gain: float, sweeps: int, run: Run | None) -> np.ndarray:
    """The logarithm of the part of every box's volume that some sweeps at the middle of its interval leave, entries
    narrower than `NARROW` counted as that; -inf of an empty one."""
    if compiled_for(plan) and not Weighed(plan).applies:
        from certify.thresholds.compiled.batch import batches_for

        betas = np.array([(task.low + task.high) / 2 for task in tasks])
        return batches_for(plan).tried([task.box for task in tasks], betas, sweeps, 2 * least_gain, run or Run())
    batch = Contraction(plan, tasks, least_gain=least_gain, trial=True, run=run)
    before = log_volume(batch.box)
    for _ in range(sweeps):
        batch.sweep()
    return np.where(batch.empty(), -np.inf, log_volume(batch.box) - before)


def log_volume(box: Box) -> np.ndarray:
    """The logarithm of the volume of a box, or (B,) of every box of a batch, entries narrower than `NARROW` counted as
    that."""
    ends = [pair for row in box for pair in row]
    return np.asarray(sum(np.log(np.maximum(upper - lower, NARROW)).sum((-2, -1)) for lower, upper in ends))
