"""The search for a cover of [0, 1/alpha*] and the policy space (docs/theory/continuation.md#covers;
docs/certificate-format.md, section 4.2): contract, and split beta or a policy where that stalls.

Boxes are taken from small to large beta, so that whatever is closed when the search stops is a
cover of [0, reached]; they are taken in batches of fixed composition, so that the tree does not
depend on how many processes work on it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from certify.run import OutOfTime, Run
from certify.thresholds.approx_policy import Policy, approx_stationary
from certify.thresholds.approx_weighed import Weighed
from certify.thresholds.branching import Choice, policy_splits, total_width, work_of
from certify.thresholds.contraction import Box, Outcome, Task, contract, whole_space
from certify.thresholds.cover_tree import Node, branched, child_boxes, open_boxes, steps_of
from certify.thresholds.images import NO_SYMMETRIES, Cut, Images, Symmetries
from certify.thresholds.index_tables import Plan
from certify.thresholds.step_rule import compiled_for

LEAST_GAIN = 0.0005  # of the widths per sweep, below which the patient contraction gives up
_TUBE = 8.0  # beta is split while the box is at most this much wider than the path inside
_LONG = 2.0**-4  # policies are split only over intervals shorter than this part of their beta,
_LONG_WEIGHED = 1 / 6  # or than this where all equations are weighed together: long intervals cost hardly more there
_NARROW = 2.0**-16  # beta intervals narrower than this part of beta* are not split
_ROUND, _BATCH = 16, 4  # boxes per round, small to finish small betas first, and per task of an executor ...
_ROUND_WEIGHED, _BATCH_WEIGHED = 64, 16  # ... where all equations are weighed together: boxes are cheap there


class Stalled(Exception):
    """The search ended early; every beta up to `reached` is covered by `nodes` (`restrict` them)."""

    def __init__(self, nodes: list[Node], reached: Fraction, why: str) -> None:
        super().__init__(f"{why} at beta = {float(reached):.6g}")
        self.nodes, self.reached, self.why = nodes, reached, why


class Path:
    """The branch of stationary policies that starts from the uniform one at beta = 0, in floats."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.found = {0.0: self._solved(0.0, plan.tree.uniform())}

    def _solved(self, beta: float, start: Policy, **limits: Any) -> Policy:
        if not compiled_for(self.plan):
            return approx_stationary(self.plan, beta, start, **limits)[0]
        from certify.thresholds.compiled import stationary

        return stationary.approx_stationary(self.plan, beta, start, **limits)[0]

    def at(self, beta: float) -> Policy:
        """A nearly stationary policy at inverse temperature `beta`, continued from the nearest one below."""
        if beta not in self.found:
            nearest = self.found[max(b for b in self.found if b <= beta)]
            self.found[beta] = self._solved(beta, nearest, tolerance=1e-6, rounds=500)
        return self.found[beta]

    def width(self, low: float, high: float) -> float:
        """Total width of the smallest box around the two ends."""
        return float(
            sum(
                np.abs(p - q).sum()
                for a, b in zip(self.at(low), self.at(high), strict=True)
                for p, q in zip(a, b, strict=True)
            )
        )


@dataclass(frozen=True)
class Effort:
    """How a cover is searched for.  branch : split policies too (branch and bound), otherwise only beta.
    least_gain : of the widths per sweep, below which a box has stalled.  max_nodes : of the tree.
    affordable : whether there would be time to check a tree of so many steps.
    symmetries : of the game: what they carry into what is searched anyhow is left out."""

    branch: bool = False
    least_gain: float = LEAST_GAIN
    max_nodes: int = 100_000
    affordable: Callable[[int], bool] = lambda steps: True
    symmetries: Symmetries = NO_SYMMETRIES


def point_closes(plan: Plan, beta: Fraction, run: Run | None = None, least_gain: float = LEAST_GAIN) -> bool:
    """Whether the contraction at this one beta ends in a definite box (a float screening test)."""
    task = Task(float(beta), float(beta), whole_space(plan))
    return contract(plan, [task], least_gain=least_gain, run=run)[0].kind != "stalled"


def find_cover(
    plan: Plan,
    high: Fraction,
    *,
    low: Fraction = Fraction(0),
    effort: Effort = Effort(),
    run: Run | None = None,
    nodes: list[Node] | None = None,
    save: Callable[[list[Node]], None] = lambda nodes: None,
) -> list[Node]:
    """Nodes of a cover of [low, high] (temperatures 1/high to 1/low).

    nodes : an unfinished tree of this interval, to go on with; `save` is called with the tree between
    rounds.  Raises `Stalled` where a box can neither be closed nor split, where the nodes are not
    enough, or where the run is over.
    """
    run = run or Run()
    path, helper = Path(plan), Helper(run)
    nodes = nodes or [Node(None, low, high)]
    weighed = Weighed(plan).applies
    long = Fraction(_LONG_WEIGHED if weighed else _LONG)
    most = _ROUND_WEIGHED if weighed else _ROUND
    growing = _Growing(
        nodes,
        open_boxes(plan, nodes),
        branched(nodes),
        Images(plan, effort.symmetries, nodes),
        functools.partial(work_of, plan, least_gain=effort.least_gain, run=run),
    )
    boxes, below_split = growing.boxes, growing.below_split
    while boxes:
        open_before, count = dict(boxes), len(nodes)
        # which boxes make a round depends on the tree alone: depth first in beta
        chosen = sorted(boxes, key=lambda k: (nodes[k].low, -k))[:most]
        try:
            asked = [_asked(nodes[k], boxes[k], path, k not in below_split, (high, long)) for k in chosen]
            for k, (outcome, choice) in zip(chosen, list(_run(plan, asked, effort, helper)), strict=True):
                if not growing.settle(k, outcome, choice):
                    raise Stalled(nodes, _reached(nodes, boxes), "stalled")
            run.progress(
                f"cover of beta in [{float(low):.4g}, {float(high):.4g}]: {len(nodes)} nodes, {len(boxes)} open"
                + (f", closed up to {float(_reached(nodes, boxes)):.4g}" if boxes else "")
            )
            save(nodes)
        except (KeyboardInterrupt, OutOfTime) as over:
            if isinstance(over, KeyboardInterrupt):
                run.interrupt()
            # an alarm rings anywhere, in the middle of a split too: this round has not been
            del nodes[count:]
            for k in chosen:
                nodes[k].steps, nodes[k].close, nodes[k].split = [], None, None
            raise Stalled(nodes, _reached(nodes, open_before), "stopped") from None
        if boxes and len(nodes) > effort.max_nodes:
            raise Stalled(nodes, _reached(nodes, boxes), "too many boxes")
        if boxes and not effort.affordable(steps_of(nodes)):
            raise Stalled(nodes, _reached(nodes, boxes), "no time to check more")
    return nodes


class _Growing:
    """A tree that is searched, and the boxes that are open in it."""

    def __init__(
        self,
        nodes: list[Node],
        boxes: dict[int, Box],
        below_split: set[int],
        images: Images,
        work: Callable[[list[tuple[Task, Box]]], list[float]],
    ) -> None:
        self.nodes, self.boxes, self.below_split, self.images, self.work = nodes, boxes, below_split, images, work

    def settle(self, k: int, outcome: Outcome, choice: Choice) -> bool:
        """Close a node, or cut or split it ({}: along beta); False where it has stalled and can be neither."""
        node = self.nodes[k]
        if outcome.kind != "stalled":
            del self.boxes[k]
            node.steps, node.close = outcome.steps, outcome.kind
        elif (cut := self.images.cut(k, outcome.box)) is not None and self._pays(node, outcome.box, cut, choice):
            node.steps = outcome.steps
            self.apply(k, outcome.box, cut)
        elif choice.split is not None:
            node.steps = outcome.steps
            self.divide(k, outcome.box, choice.split or {"beta": (node.low + node.high) / 2})
        else:
            return False
        return True

    def _pays(self, node: Node, box: Box, cut: Cut, choice: Choice) -> bool:
        """Whether what a cut leaves of a box is less work than both halves of its split."""
        if cut.split is None or choice.split is None or choice.work is None:
            return True
        halves = list(child_boxes(Node(None, node.low, node.high, split=cut.split), box))
        left = Task(float(node.low), float(node.high), halves[1 - cut.side][2])
        return self.work([(left, box)])[0] < choice.work

    def divide(self, k: int, box: Box, split: dict) -> None:
        """Split a node whose last box is `box`, and open both parts, less what is an image."""
        for child, part in self._children(k, box, split):
            self._open(child, part)

    def apply(self, k: int, box: Box, cut: Cut) -> None:
        """Close what a cut closes, and open the rest."""
        if cut.split is None:
            self.boxes.pop(k, None)
            self.nodes[k].close = cut.close
            return
        children = self._children(k, box, cut.split)
        self.nodes[children[cut.side][0]].close = cut.close
        self._open(*children[1 - cut.side])

    def _children(self, k: int, box: Box, split: dict) -> list[tuple[int, Box]]:
        node, found = self.nodes[k], []
        self.boxes.pop(k, None)
        node.split = split
        self.images.added(k, len(self.nodes))
        for start, end, part in child_boxes(node, box):
            self.nodes.append(Node(k, start, end))
            found.append((len(self.nodes) - 1, part))
            if k in self.below_split or "agent" in split:
                self.below_split.add(len(self.nodes) - 1)
        return found

    def _open(self, k: int, box: Box) -> None:
        cut = self.images.cut(k, box)
        if cut is None or cut.split is not None:  # a part of a box that is not contracted yet is not worth a node
            self.boxes[k] = box
        else:
            self.apply(k, box, cut)


class _Asked(NamedTuple):
    """A box to contract, and whether its interval of beta is wide enough to be split, and so long that it has to be."""

    task: Task
    wide: bool
    long: bool


def _asked(node: Node, box: Box, path: Path, patient: bool, limits: tuple[Fraction, Fraction]) -> _Asked:
    end, long = limits
    low, high = float(node.low), float(node.high)
    length = node.high - node.low
    return _Asked(
        Task(low, high, box, path.width(low, high), patient),
        length >= end * Fraction(_NARROW),
        length > node.high * long,
    )


def _run(plan: Plan, asked: list[_Asked], effort: Effort, helper: Helper) -> Iterator[tuple[Outcome, Choice]]:
    compiled_for(plan)  # helpers are told what this process decides: makes the loops where there is time
    # the same with and without an executor: outcomes of arrays depend, in the last bits, on which boxes share a batch
    size = _BATCH_WEIGHED if Weighed(plan).applies else _BATCH
    batches = [asked[k : k + size] for k in range(0, len(asked), size)]
    # another machine's clock is another clock: what is left goes along, not the deadline
    seconds = helper.run.left() if helper.run.limited else None
    jobs = [(plan, batch, effort.least_gain, effort.branch, seconds) for batch in batches]
    for outcomes in helper.map(_contract_batch, jobs):
        yield from outcomes


def _contract_batch(job: tuple) -> list[tuple[Outcome, Choice]]:
    """How every box ends, and where it is split if it stalls: {} along beta, None where it cannot be."""
    plan, batch, least_gain, branch, seconds = job
    run = Run.lasting(seconds)
    run.check()
    outcomes = contract(plan, [asked.task for asked in batch], least_gain=least_gain, run=run)
    choices = [Choice({} if asked.wide else None) for asked in batch]
    stalled = [
        k
        for k, (asked, outcome) in enumerate(zip(batch, outcomes, strict=True))
        if outcome.kind == "stalled" and branch and not _halved(asked, outcome, branch)
    ]
    chosen = policy_splits(plan, [(batch[k].task, outcomes[k]) for k in stalled], least_gain=least_gain, run=run)
    for k, choice in zip(stalled, chosen, strict=True):
        choices[k] = choice if choice.split else choices[k]
    return list(zip(outcomes, choices, strict=True))


class Helper:
    """The executor of a run, that may break: then this process goes on by itself, and says so."""

    def __init__(self, run: Run) -> None:
        self.executor, self.run = run.executor, run

    def map(self, function: Callable, jobs: list) -> Iterable:
        """The results in order; `OutOfTime` where they are not there in time."""
        if self.executor is None:
            return map(function, jobs)
        try:
            return list(self.executor.map(function, jobs, timeout=self.run.left() if self.run.limited else None))
        except OutOfTime:
            raise
        except TimeoutError:
            raise OutOfTime(self.run.reason()) from None
        except Exception as error:
            self.run.progress(f"the workers are gone ({type(error).__name__}): going on without them")
            self.executor = None
            return map(function, jobs)


def _halved(asked: _Asked, outcome: Outcome, branch: bool) -> bool:
    """Whether a stalled box is split along beta rather than along policies."""
    return asked.wide and (not branch or asked.long or total_width(outcome.box) < _TUBE * asked.task.tube)


def _reached(nodes: list[Node], still_open: Iterable[int]) -> Fraction:
    """The least beta of a node that is still open."""
    return min(nodes[k].low for k in still_open)
