"""The contraction step and the definiteness test on a batch of boxes, with arrays or in compiled loops: the same
numbers up to rounding (docs/theory/continuation.md#compiled-search)."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from certify.run import Run
from certify.thresholds.approx_definite import Form, Hessian
from certify.thresholds.approx_step import Step
from certify.thresholds.approx_support import Block
from certify.thresholds.compiled.compiler import available
from certify.thresholds.index_tables import Plan
from certify.thresholds.loops import Loops

Ends = tuple[np.ndarray, np.ndarray]  # lower and upper ends of one agent's policies at one depth, each (B, K, A)


class StepRule(Protocol):
    """What a contraction asks of a batch of boxes; rows of results are the boxes at the first betas, then at the
    next ones."""

    def log_ratio_bounds(self, agent: int, t: int, guess: np.ndarray | None = None) -> np.ndarray:
        """(R, K, A, A) upper bounds on log pi(a|x) - log pi(b|x): `approx_step.Step`."""

    def replace(self, agent: int, t: int, ends: Ends) -> None:
        """Use another box for one agent's policies at one depth."""

    def form(self, *, own: bool) -> Form:
        """The enclosure of the second derivative: `approx_definite.Hessian`."""


class ArrayRule:
    """The rule in numpy."""

    def __init__(self, plan: Plan, box: list[list[Ends]], beta: np.ndarray) -> None:
        self._copies = len(beta) // len(box[0][0][0])
        self._step = Step(plan, [[self._block(ends) for ends in row] for row in box], beta)
        self._step.ends = self._copies

    def _block(self, ends: Ends) -> Block:
        lower, upper = ends
        return Block(np.concatenate([lower] * self._copies), np.concatenate([upper] * self._copies))

    def log_ratio_bounds(self, agent: int, t: int, guess: np.ndarray | None = None) -> np.ndarray:
        """See `StepRule`."""
        return self._step.log_ratio_bounds(agent, t, guess)

    def replace(self, agent: int, t: int, ends: Ends) -> None:
        """See `StepRule`."""
        self._step.replace(agent, t, self._block(ends))

    def form(self, *, own: bool) -> Form:
        """See `StepRule`."""
        return Hessian(self._step).form(own=own)


def timed(plan: Plan, run: Run) -> Plan:
    """The plan itself, whose loops are compiled only where `run` has the time for it."""
    if _may_be_compiled(plan):
        plan.loops = Loops(run)
    return plan


def _may_be_compiled(plan: Plan) -> bool:
    """Loops know entropies that flow back only."""
    return plan.flows_back and available()


def compiled_for(plan: Plan) -> bool:
    """Whether the boxes of a plan are contracted in compiled loops, now."""
    return _may_be_compiled(plan) and (plan.loops is None or plan.loops.used())


def hurried(plan: Plan) -> bool:
    """Whether they could be, but for the time that compiling takes."""
    return _may_be_compiled(plan) and plan.loops is not None and plan.loops.refused


def step_rule(plan: Plan, box: list[list[Ends]], beta: np.ndarray) -> StepRule:
    """The rule for boxes (`box[i][t]`) at fixed beta (R,), R a multiple of their number: compiled where it can be."""
    if not compiled_for(plan):
        return ArrayRule(plan, box, beta)
    from certify.thresholds.compiled.step import CompiledStep

    return CompiledStep(plan, box, beta)
