"""The checker's second engine: the same steps in vectorised float64 with proved error bounds.

Verifies the contraction steps and the definiteness tests of a cover (docs/certificate-format.md, 4.3 to
4.5; docs/theory/localisation.md#boxes-from-log-ratios, docs/theory/hessian.md#interval-forms,
docs/theory/continuation.md#theorem-d).  Trusts IEEE double arithmetic, numpy's and scipy's sums of products in any
order (not their exp and log), and shares no code with the search or with the other engine.

Claims of one kind are verified many at a time: their boxes side by side are one box of disjoint copies of the
process (`fast_layout`).  No claim is called false for that: what is not shown in a batch is tried alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from certify.checker.cover.obligations import Claim, DefiniteClaim, StepClaim, WeighedClaim
from certify.checker.cover.tree import Step
from certify.checker.cover.weighed import Weighed
from certify.checker.fast.box import BlockBox, box_of_log_ratios, grid_down, grid_up
from certify.checker.fast.copies import Copies, widest_bytes
from certify.checker.fast.definite import not_definite
from certify.checker.fast.layout import Layout
from certify.checker.fast.models import Boxes
from certify.checker.fast.numbers import LARGEST_NUMBER, TINY, UNIT
from certify.checker.fast.step import ordered_pairs
from certify.checker.fast.weighed import WeighedRule, ends_of
from certify.checker.reading.envelope import Failed
from certify.checker.reading.process import Process

Betas = tuple[Fraction, ...]
Cut = tuple[np.ndarray, np.ndarray]

BATCH_BYTES = 2**22  # of one temporary array of a batch: what a processor's cache holds
MOST_COPIES = 256
CLAIMS_BYTES = 2**28  # of the boxes of all claims that wait to be verified


class FastEngine:
    """An engine of `certify.checker.cover.tree`; boxes are tuples (per depth) of tuples (per agent) of `BlockBox`.

    Two levers, every alpha >= 1: two steps from the whole policy space the form is definite.

    >>> from certify.checker.reading.game import read_game
    >>> from certify.checker.reading.process import build_process
    >>> from certify.games.canonical import game_to_json
    >>> from certify.games.load import load
    >>> engine = FastEngine()
    >>> engine.begin(build_process(read_game(game_to_json(load("lever:2")))))
    >>> box, betas = engine.initial_box(), (Fraction(0), Fraction(1))
    >>> engine.verify([DefiniteClaim(box, betas)])
    (0, 'the form is not certainly positive definite on the box at beta = 1')
    >>> for step in (Step(0, 0, ((5, 5),)), Step(1, 0, ((3, 3),))):  # in quarters
    ...     assert engine.verify([StepClaim(box, betas, step, -2)]) is None
    ...     box = engine.cut(box, step, engine.cuts([step], -2)[0])
    >>> engine.verify([DefiniteClaim(box, betas)]) is None
    True
    """

    name = "fast"

    def begin(self, process: Process) -> None:
        """Reads the process; forgets everything about another one."""
        self._process = process
        self._layout = Layout(process)
        self._copies = {1: Copies(self._layout)}
        self._weighed: WeighedRule | None = None
        self._most = MOST_COPIES
        while self._most > 1 and self._most * widest_bytes(self._layout) > BATCH_BYTES:
            self._most //= 2
        policies = 16 * sum(k * A for d in self._layout.depths for k, A in zip(d.class_counts, d.actions, strict=True))
        self.batch = max(1, min(1024, 128 * self._most, CLAIMS_BYTES // policies))

    def initial_box(self) -> Boxes:
        """The whole policy space."""
        return tuple(
            tuple(BlockBox.whole(count, actions) for count, actions in zip(d.class_counts, d.actions, strict=True))
            for d in self._layout.depths
        )

    def is_empty(self, box: Boxes) -> bool:
        """True only if some block's box holds no distribution."""
        for depth in box:
            for block in depth:
                if block.empty:
                    return True
        return False

    def split(self, box: Boxes, block: tuple[int, int, int], action: int, at: Fraction, upper: bool) -> Boxes:
        """The part of the box with pi(action) <= at, or >= at if `upper`; `block` is (agent, depth, class)."""
        agent, depth, k = block
        old = box[depth][agent]
        low, high = old.lower.copy(), old.upper.copy()
        if upper:
            low[k, action] = max(low[k, action], grid_down(at))
        else:
            high[k, action] = min(high[k, action], grid_up(at))
        return _replaced(box, depth, agent, BlockBox(low, high))

    def within(self, box: Boxes, block: tuple[int, int, int], action: int, at: Fraction, upper: bool) -> bool:
        """Whether the box's own end says that pi(action) <= at, or >= at if `upper`."""
        agent, depth, k = block
        own = box[depth][agent]
        return bool(own.lower[k, action] >= grid_up(at) if upper else own.upper[k, action] <= grid_down(at))

    def cuts(self, steps: Sequence[Step], unit: int) -> list[Cut]:
        """For every step the bounds of its block's policies that its log ratios imply."""
        found: list = [None] * len(steps)
        for (agent, depth), numbers in _grouped(steps, lambda step: (step.agent, step.depth)).items():
            a, b = ordered_pairs(self._process.actions[depth][agent])
            claimed = _log_ratios([steps[n] for n in numbers], unit)
            claimed = claimed + 2 * UNIT * np.abs(claimed) + TINY
            bounds = np.full((*claimed.shape[:2], *[self._process.actions[depth][agent]] * 2), np.inf)
            bounds[:, :, a, b] = np.where(np.isnan(claimed), np.inf, claimed)
            ends = box_of_log_ratios(bounds.reshape(-1, *bounds.shape[2:]))
            for n, low, high in zip(numbers, *(end.reshape(bounds.shape[:3]) for end in ends), strict=True):
                found[n] = low, high
        return found

    def cut(self, box: Boxes, step: Step, cut: Cut) -> Boxes:
        """What a step leaves of the box, if it holds."""
        t, i = step.depth, step.agent
        return _replaced(box, t, i, box[t][i].intersected(*cut))

    def narrowed(self, box: Boxes, step: Weighed) -> Boxes:
        """What a weighed step leaves of the box, if it holds."""
        return (tuple(block.intersected(*ends) for block, ends in zip(box[0], ends_of(step), strict=True)),)

    def verify(self, claims: Sequence[Claim]) -> tuple[int, str] | None:
        """None if every claim is shown to hold, else the number of the first that is not, and why."""
        for n in range(len(claims)) if len(claims) == 1 else sorted(self._doubtful(claims)):
            why = self._why_not(claims[n])
            if why is not None:
                return n, why
        return None

    def copies(self, count: int) -> Copies:
        """`count` copies of the process."""
        if count not in self._copies:
            self._copies[count] = Copies(self._layout.repeated(count))
        return self._copies[count]

    def _doubtful(self, claims: Sequence[Claim]) -> list[int]:
        """The numbers of those claims that no batch shows to hold."""
        found = []
        for kind, numbers in _grouped(claims, _kind).items():
            if kind[0] is StepClaim:
                slots = _slots(claims, numbers)
                for k in range(0, len(slots), self._most):
                    found += self._doubtful_steps(claims, _filled(slots[k : k + self._most]))
            elif kind[0] is WeighedClaim:
                for k in range(0, len(numbers), MOST_COPIES // 4):
                    some = numbers[k : k + MOST_COPIES // 4]
                    shown = self._weighed_shown([claims[n] for n in some])
                    found += [n for n, holds in zip(some, shown, strict=True) if not holds]
            else:
                for k in range(0, len(numbers), self._most):
                    found += self._doubtful_forms(claims, _filled(numbers[k : k + self._most]))
        return list(set(found))

    def _doubtful_steps(self, claims: Sequence[Claim], slots: list[dict[int, int]]) -> list[int]:
        """Of claims about steps at one depth, a slot per copy (`_slots`)."""
        copies = [claims[next(iter(slot.values()))] for slot in slots]
        below = _side_by_side([claim.box[claim.step.depth + 1 :] for claim in copies])
        found = []
        for agent in dict.fromkeys(agent for slot in slots for agent in slot):
            chosen = [
                claims[slot[agent]] if agent in slot else claim for slot, claim in zip(slots, copies, strict=True)
            ]
            try:
                bad = self._steps_not_shown(chosen, agent, below).any((1, 2, 3))
                found += [slot[agent] for slot, refused in zip(slots, bad, strict=True) if refused and agent in slot]
            except Failed:
                found += [slot[agent] for slot in slots if agent in slot]
        return found

    def _doubtful_forms(self, claims: Sequence[Claim], numbers: list[int]) -> list[int]:
        try:
            bad = self._forms_not_shown([claims[n] for n in numbers]).any(1)
        except Failed:
            return numbers
        return [n for n, refused in zip(numbers, bad, strict=True) if refused]

    def _why_not(self, claim: Claim) -> str | None:
        """None if a claim alone is shown to hold."""
        try:
            if isinstance(claim, DefiniteClaim):
                bad = self._forms_not_shown([claim])[0]
                return (
                    f"the form is not certainly positive definite on the box at beta = {_first(bad, claim.betas)}"
                    if bad.any()
                    else None
                )
            if isinstance(claim, WeighedClaim):
                return None if self._weighed_shown([claim])[0] else "a bound does not follow from the weighed equations"
            i, t = claim.step.agent, claim.step.depth
            bad = self._steps_not_shown([claim], i, claim.box[t + 1 :])[0]
        except Failed as failed:
            return failed.why
        if not bad.any():
            return None
        k, pair = np.argwhere(bad)[0, :2]
        a, b = (x[pair] for x in ordered_pairs(self._process.actions[t][i]))
        return (
            f"agent {i}, depth {t}, class {k}: log pi({a}) - log pi({b}) is not certainly within its bound "
            f"at beta = {_first(bad[k, pair], claim.betas)}"
        )

    def _steps_not_shown(self, claims: list[StepClaim], agent: int, below: Boxes) -> np.ndarray:
        """(claims, classes, ordered pairs, betas) for the claims about the agent's steps at one depth, `below` the
        boxes of the depths below it side by side; claims about other agents' steps are there to fill the batch."""
        t, unit = claims[0].step.depth, claims[0].unit
        d, copies = self._layout.depths[t], self.copies(len(claims))
        mine = [n for n, claim in enumerate(claims) if claim.step.agent == agent]
        ratio = np.full((len(claims), d.class_counts[agent], d.actions[agent] * (d.actions[agent] - 1)), np.nan)
        found = _log_ratios([claims[n].step for n in mine], unit)
        ratio[mine] = self._less_tilt(found, agent, t) * self._layout.weights[agent]
        claimed, betas = ~np.isnan(ratio), _floats([claim.betas for claim in claims])
        if not claimed.any():
            return np.zeros((*ratio.shape, betas.shape[1]), dtype=bool)
        ratio = np.where(claimed, ratio - 3 * UNIT * np.abs(ratio) - TINY, 0.0)
        box = _side_by_side([claim.box[: t + 1] for claim in claims]) + below
        bad = copies.not_shown(box, agent, t, betas, *(x.reshape(-1, x.shape[2]) for x in (ratio, claimed)))
        return bad.reshape(*ratio.shape, -1)

    def _weighed_shown(self, claims: list[WeighedClaim]) -> np.ndarray:
        """(claims,)."""
        if self._weighed is None:
            self._weighed = WeighedRule(self._process)

        def flat(blocks: list) -> np.ndarray:
            return np.concatenate([np.reshape(own, (len(claims), -1)) for own in zip(*blocks, strict=True)], 1)

        ends = [
            flat([[getattr(block, end) for block in claim.box[0]] for claim in claims]) for end in ("lower", "upper")
        ]
        betas = _floats([claim.betas for claim in claims])
        if claims[0].step.weights:
            return self._weighed.excluded((ends[0], ends[1]), betas, [claim.step for claim in claims])
        bounds = [ends_of(claim.step) for claim in claims]
        claimed = [flat([[own[end] for own in bound] for bound in bounds]) for end in (0, 1)]
        return self._weighed.shown(tuple(ends), betas, tuple(claimed))

    def _less_tilt(self, ratio: np.ndarray, agent: int, t: int) -> np.ndarray:
        """Bounds (.., classes, ordered pairs) less the log-ratios of the reference, rounded down, where U is without
        what it pays."""
        if self._layout.flows_back:
            return ratio
        (a, b), tilt = ordered_pairs(self._process.actions[t][agent]), self._layout.depths[t].own_tilt[agent]
        less, rad = tilt.mid[:, a] - tilt.mid[:, b], tilt.rad[:, a] + tilt.rad[:, b]
        return (ratio - less) - (2 * rad + 4 * UNIT * (np.abs(ratio) + np.abs(tilt.mid[:, a]) + np.abs(tilt.mid[:, b])))

    def _forms_not_shown(self, claims: list[DefiniteClaim]) -> np.ndarray:
        """(claims, betas); all claims with the same `own`."""
        copies, box = self.copies(len(claims)), _side_by_side([claim.box for claim in claims])
        betas = _floats([claim.betas for claim in claims])
        models = [copies.action_model(t, box, betas) for t in range(self._process.horizon)]
        factors = _even([[1 - (claim.modulus or 0) * beta for beta in claim.betas] for claim in claims])
        return not_definite(copies.layout, models, box, factors, claims[0].own)


def _kind(claim: Claim) -> tuple:
    """Claims that differ in this cannot share a batch."""
    if isinstance(claim, StepClaim):
        return StepClaim, claim.step.depth, claim.unit
    if isinstance(claim, WeighedClaim):
        return WeighedClaim, bool(claim.step.weights)
    return DefiniteClaim, claim.own


def _grouped(items: Sequence, key) -> dict[tuple, list[int]]:
    """The numbers of the items by their keys."""
    found = defaultdict(list)
    for number, item in enumerate(items):
        found[key(item)].append(number)
    return found


def _slots(claims: Sequence[StepClaim], numbers: list[int]) -> list[dict[int, int]]:
    """The claims about steps at one depth as dicts agent -> number, in each of them one set of betas and one box
    below the depth: a batch of them derives its models of the future once."""
    slots, taken = defaultdict(dict), defaultdict(int)
    for n in numbers:
        claim = claims[n]
        agent, below = claim.step.agent, claim.box[claim.step.depth + 1 :]
        key = (id(claim.betas), *(id(block) for depth in below for block in depth))
        slots[key, taken[key, agent]][agent] = n
        taken[key, agent] += 1
    return list(slots.values())


def _filled(items: list) -> list:
    """Filled up with its first item to a power of two: layouts of a few sizes do for all batches."""
    return items + items[:1] * ((1 << (len(items) - 1).bit_length()) - len(items))


def _side_by_side(boxes: list[Boxes]) -> Boxes:
    """The box of as many copies."""
    if len(boxes) == 1:
        return boxes[0]
    return tuple(
        tuple(
            BlockBox(
                np.concatenate([box[t][i].lower for box in boxes]), np.concatenate([box[t][i].upper for box in boxes])
            )
            for i in range(len(depth))
        )
        for t, depth in enumerate(boxes[0])
    )


def _even(rows: list[Sequence]) -> list[list]:
    """Rows of one length: shorter ones repeat their last entry (an interval of beta may be a point)."""
    length = max(map(len, rows))
    return [[*row, *row[-1:] * (length - len(row))] for row in rows]


def _floats(betas: list[Betas]) -> np.ndarray:
    """The nearest floats, (copies, betas)."""
    try:
        found = np.array([[float(b) for b in row] for row in _even(betas)])
    except OverflowError:
        found = np.array([[np.inf]])
    if (found > LARGEST_NUMBER).any():
        raise Failed(f"beta beyond {LARGEST_NUMBER}, too large for the fast engine")
    return found


def _first(bad: np.ndarray, betas: Betas) -> Fraction:
    """The first beta that is marked."""
    return betas[int(np.argmax(bad))]


def _log_ratios(steps: list[Step], unit: int) -> np.ndarray:
    """M_ab within half a UNIT of itself: (steps, classes, ordered pairs), NaN where nothing is claimed."""
    return np.ldexp(np.array([step.log_ratio for step in steps], dtype=float), unit)


def _replaced(box: Boxes, depth: int, agent: int, block: BlockBox) -> Boxes:
    at_depth = box[depth][:agent] + (block,) + box[depth][agent + 1 :]
    return box[:depth] + (at_depth,) + box[depth + 1 :]
