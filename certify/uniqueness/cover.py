"""The search for a cover: nested boxes over beta in [0, 1/alpha*] that end in definiteness tests
(theory, sections 4 and 7, Theorem D; docs/certificate-format.md, section 4).

The search runs in floats and is free to be clever; what it returns are the steps that a checker
verifies.  Every claimed bound is rounded up by at least 2**-24, far more than float error.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from certify.uniqueness.approx_definite import Hessian, approx_margin
from certify.uniqueness.approx_policy import Policy, approx_stationary
from certify.uniqueness.approx_step import Block, Step
from certify.uniqueness.plan import Plan, ordered_pairs

UNIT = -16
_SLACK = 2.0**-24
_LARGEST = 2.0**20   # bounds beyond this carry no information and are left out
_GAIN = 0.05         # a sweep that gains less of the widths than this has stalled, where splitting can help
LEAST_GAIN = 0.0005  # ... and where splitting cannot help, unless the caller is less patient
_TUBE = 8.0          # splitting helps once the box is at most this much wider than the path it holds
_NARROW = 2.0**-10   # beta intervals narrower than this part of beta* are not split


@dataclass
class Node:
    """One node of the cover (docs/certificate-format.md, section 4.2)."""

    parent: int | None
    low: Fraction
    high: Fraction
    steps: list[dict] = field(default_factory=list)
    close: str | None = None
    split: dict | None = None
    box: list[list[tuple[np.ndarray, np.ndarray]]] | None = None


class OutOfTime(Exception):
    """The search met its time limit."""


class Stalled(Exception):
    """No cover was found; every beta up to `reached` was covered before the search stalled."""

    def __init__(self, reached: Fraction) -> None:
        super().__init__(f"stalled above beta = {float(reached):.6g}")
        self.reached = reached


def whole_space(plan: Plan) -> list[list[tuple[np.ndarray, np.ndarray]]]:
    """The box of all policies: `box[i][t] = (lower, upper)`, each (K_i, A_i)."""
    return [[(np.zeros((level.classes[i], level.action_counts[i])), np.ones((level.classes[i], level.action_counts[i])))
             if level.action_counts[i] > 1 else (np.ones((level.classes[i], 1)),) * 2
             for level in plan.levels] for i in range(plan.agents)]


def tighten(lower: np.ndarray, upper: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What the rows' sum of 1 adds to bounds on single probabilities."""
    for _ in range(2):
        lower = np.maximum(lower, 1 - (upper.sum(-1, keepdims=True) - upper))
        upper = np.minimum(upper, 1 - (lower.sum(-1, keepdims=True) - lower))
    return lower, upper


def from_log_ratios(bound: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(..., A, A) bounds on log pi(a)/pi(b) -> bounds on pi."""
    with np.errstate(over="ignore"):
        return 1 / np.exp(bound).sum(-2), 1 / np.exp(-bound).sum(-1)


def quantise(bound: np.ndarray) -> tuple[list[list[int | None]], np.ndarray]:
    """Bounds (K, A, A) rounded up to multiples of 2**UNIT: as certificates carry them, and as floats."""
    pairs = ordered_pairs(bound.shape[-1])
    scaled = np.ceil((bound + _SLACK) * 2.0**-UNIT)
    usable = np.isfinite(bound) & (np.abs(bound) < _LARGEST)
    table = [[int(scaled[k, a, b]) if usable[k, a, b] else None for a, b in pairs] for k in range(len(bound))]
    rounded = np.where(usable, scaled * 2.0**UNIT, np.inf)
    rounded[:, np.arange(bound.shape[-1]), np.arange(bound.shape[-1])] = 0.0
    return table, rounded


def _total_width(box) -> float:
    return float(sum((u - l).sum() for row in box for l, u in row))


class Contraction:
    """A box under repeated steps at one or more betas at once."""

    def __init__(self, plan: Plan, box, betas: list[float], deadline: float | None = None,
                 least_gain: float = LEAST_GAIN) -> None:
        self.plan, self.deadline, self.least_gain = plan, deadline, least_gain
        self.betas = np.array(betas)
        self.box = [list(row) for row in box]
        self.steps: list[dict] = []
        self.worth = 2 * least_gain   # a step that gains less of its own widths would not repay checking
        self.known: dict[tuple[int, int], np.ndarray] = {}

    def _block(self, i: int, t: int) -> Block:
        lower, upper = self.box[i][t]
        return Block(np.repeat(lower[None], len(self.betas), 0), np.repeat(upper[None], len(self.betas), 0))

    def current(self) -> Step:
        return Step(self.plan, [[self._block(i, t) for t in range(self.plan.horizon)] for i in range(self.plan.agents)],
                    self.betas)

    def empty(self) -> bool:
        return any((l > u + 1e-9).any() or (l.sum(-1) > 1 + 1e-9).any() or (u.sum(-1) < 1 - 1e-9).any()
                   for row in self.box for l, u in row)

    def sweep(self) -> float:
        """One step for every agent and depth, last depth first; the part of the widths that is left."""
        before = _total_width(self.box)
        step = self.current()
        for t in reversed(range(self.plan.horizon)):
            for i in range(self.plan.agents):
                if self.plan.levels[t].action_counts[i] == 1:
                    continue
                if self.deadline is not None and time.monotonic() > self.deadline:
                    raise OutOfTime
                bound = step.log_ratio_bounds(i, t, self.known.get((i, t))).max(0)
                self.known[i, t] = np.repeat(bound[None], len(self.betas), 0)
                if self._apply(i, t, bound):
                    step.replace(i, t, self._block(i, t))
        return _total_width(self.box) / before if before > 0 else 1.0

    def _apply(self, i: int, t: int, bound: np.ndarray) -> bool:
        table, rounded = quantise(bound)
        low, high = from_log_ratios(rounded)
        lower, upper = self.box[i][t]
        new = tighten(np.maximum(lower, low), np.minimum(upper, high))
        if (new[1] - new[0]).sum() > (1 - self.worth) * (upper - lower).sum():
            return False
        self.box[i][t] = new
        self.steps.append({"agent": i, "depth": t, "log_ratio": table})
        return True

    def margin(self, *, own: bool = False) -> float:
        return float(approx_margin(Hessian(self.current()).form(own=own)).min())

    def width(self) -> float:
        return max(float((u - l).max()) for row in self.box for l, u in row)

    def contract(self, tube: float = 0.0, sweeps: int = 400) -> str:
        """Sweep until the box closes ("empty", "nondegenerate") or stalls ("stalled").

        tube : total width of the smallest box around the known path of stationary policies; a box
        not much wider than that can only be narrowed by splitting the interval of beta.
        """
        for _ in range(sweeps):
            left = self.sweep()
            if self.empty():
                return "empty"
            if self.width() < _TESTED and self.margin() > _MARGIN:
                return "nondegenerate"
            if left > 1 - (_GAIN if _total_width(self.box) < _TUBE * tube else self.least_gain):
                return "stalled"
        return "stalled"


_TESTED = 0.3        # boxes wider than this are never definite: the test is not tried
_MARGIN = 1e-6       # required of the float margin, so that rigorous arithmetic finds it too


def point_closes(plan: Plan, beta: Fraction, deadline: float | None = None, least_gain: float = LEAST_GAIN) -> bool:
    """Whether the contraction at this one beta ends in a definite box (a float screening test)."""
    return Contraction(plan, whole_space(plan), [float(beta)], deadline, least_gain).contract() != "stalled"


class _Path:
    """The branch of stationary policies that starts from the uniform one at beta = 0, in floats."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.found = {0.0: approx_stationary(plan, 0.0)[0]}

    def at(self, beta: float) -> Policy:
        if beta not in self.found:
            nearest = self.found[max(b for b in self.found if b <= beta)]
            self.found[beta] = approx_stationary(self.plan, beta, nearest, tolerance=1e-6, rounds=500)[0]
        return self.found[beta]

    def width(self, low: float, high: float) -> float:
        """Total width of the smallest box around the two ends."""
        return float(sum(np.abs(p - q).sum() for a, b in zip(self.at(low), self.at(high)) for p, q in zip(a, b)))


def find_cover(plan: Plan, beta: Fraction, deadline: float | None = None, progress=None,
               least_gain: float = LEAST_GAIN) -> list[Node]:
    """Nodes of a cover of [0, beta], from small to large beta; raises `Stalled` or `OutOfTime`."""
    path = _Path(plan)
    nodes = [Node(None, Fraction(0), beta)]
    pending = [(0, whole_space(plan))]
    while pending:
        index, box = pending.pop()
        node = nodes[index]
        run = Contraction(plan, box, [float(node.low), float(node.high)], deadline, least_gain)
        tube = path.width(float(node.low), float(node.high))
        outcome = run.contract(tube)
        node.steps, node.box = run.steps, run.box
        if progress is not None:
            progress(nodes, index, outcome)
        if outcome != "stalled":
            node.close = outcome
            continue
        if node.high - node.low < beta * Fraction(_NARROW):
            raise Stalled(node.low)
        middle = (node.low + node.high) / 2
        node.split = {"beta": middle}
        nodes.append(Node(index, node.low, middle))
        nodes.append(Node(index, middle, node.high))
        pending += [(len(nodes) - 1, run.box), (len(nodes) - 2, run.box)]
    return nodes
