"""Entropy along a Dec-POMDP's softmax gradient flow dθ/dτ = ∇J_α: the rate at every AOH and in
total, and an enclosure of a short piece of the flow itself (docs/theory/objective.md#the-gradient,
docs/theory/convergence.md#theorem-a, docs/theory/entropy.md#first-order).

At an AOH x the direction is the row u_x = ∂J_α/∂θ_x, so dH_x/dτ = −Cov_π(log π, u_x), and a finite
Euler step of size η moves π(·|x) along that direction: everything of `dynamics` and `sign` applies.
The total E Σ_t γ^t Σ_i w_i H (for the objective kl −KL in place of H) also moves through the visitation.  J_α is
affine in α, J_α = R + αH, so ∇H = ∇J_2 − ∇J_1, and the total's rate is ⟨∇H, ∇J_α⟩.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from flint import arb

from certify.bounds.arb_evaluate import ArbEvaluation, arb_evaluate
from certify.bounds.arb_numbers import float_ends, to_arb
from certify.bounds.enclosure import Enclosure
from certify.bounds.evaluate import check_alpha, evaluate
from certify.bounds.other_names import other_names
from certify.bounds.policy import PolicyBox, exact_rows, layout_of
from certify.entropy.dynamics import Direction, EntropyPath
from certify.entropy.enclosure import PRECISION, RationalEnclosure, ball, dot, enclosure, working_precision
from certify.entropy.policy import StatePolicy
from certify.errors import InputError, Undecided
from certify.games.histories import History, histories
from certify.games.model import Game
from certify.games.objective import GRADIENTS, for_objective
from certify.games.tree import Tree, unroll

_ROUNDINGS = 1e-12  # relative, far more than sums over the names of one action can err


@dataclass(frozen=True)
class HistoryRate:
    """One AOH: its reach d(x), the entropy of π(·|x) and its rate along the flow."""

    key: str
    depth: int
    reach: RationalEnclosure
    entropy: RationalEnclosure
    rate: RationalEnclosure


@dataclass(frozen=True)
class FlowReport:
    """Rates along the flow at one policy.

    `total` is E Σ_t γ^t Σ_i w_i H (−KL to the reference for the objective kl) with its rate `total_rate`;
    `value_rate` is dJ_α/dτ = ‖∇J_α‖².
    """

    histories: tuple[HistoryRate, ...]
    total: RationalEnclosure
    total_rate: RationalEnclosure
    value_rate: RationalEnclosure


def history_tree(game: Game, objective: str = "entropy") -> Tree:
    """The game unrolled with one class per AOH, as the flow needs it (no clustering)."""
    return unroll(for_objective(game, objective, GRADIENTS), cluster=False)


def _entries(tree: Tree, policy: Any) -> list[RationalEnclosure]:
    """Every probability of the tree's actions, flat: exact for a policy, an enclosure for a `PolicyBox`."""
    layout = layout_of(tree)
    if isinstance(policy, PolicyBox):
        ends = zip(layout.flat(policy.lower), layout.flat(policy.upper), strict=True)
        return [RationalEnclosure(Fraction(low), Fraction(high)) for low, high in ends]
    return [RationalEnclosure.of(p) for p in exact_rows(layout, layout.flat(policy))]


def _of_the_game(tree: Tree, policy: Any) -> list[RationalEnclosure]:
    """The same by legal actions: what each has by all its names, 0 at illegal ones."""
    entries, gathered = _entries(tree, policy), other_names(tree).gathered
    ends = [gathered(np.array([getattr(e, side) for e in entries], dtype=object)) for side in ("lower", "upper")]
    return [RationalEnclosure(Fraction(low), Fraction(high)) for low, high in zip(*ends, strict=True)]


def exact_history_rows(tree: Tree, policy: Any) -> list[list[Fraction]] | None:
    """The policy's rows in the order of `FlowReport.histories`; None where they are enclosures.

    >>> from certify.games.builtin import builtin
    >>> tree = history_tree(builtin("lever:2"))
    >>> exact_history_rows(tree, tree.uniform())[0]
    [Fraction(1, 2), Fraction(1, 2)]
    """
    layout, entries = layout_of(tree), _of_the_game(tree, policy)
    if not all(e.exact for e in entries):
        return None
    rows = []
    for agent in range(tree.number_of_agents):
        for x in histories(tree, agent):
            block = agent, x.depth
            width = layout.shape[block][1]
            start = layout.entries[block].start + x.class_index * width
            rows.append([e.lower for e in entries[start : start + width]])
    return rows


def _rows(tree: Tree, policy: Any, found: ArbEvaluation) -> Iterator[tuple[History, arb, EntropyPath]]:
    layout, names = layout_of(tree), other_names(tree)
    entries, gradient = _of_the_game(tree, policy), names.gathered(found.gradient)
    for agent in range(tree.number_of_agents):
        for x in histories(tree, agent):
            block = agent, x.depth
            width = layout.shape[block][1]
            start = layout.entries[block].start + x.class_index * width
            legal = [k for k in range(start, start + width) if names.legal[k]]
            state = StatePolicy(tuple(entries[k] for k in legal))
            path = EntropyPath((state,), Direction((tuple(gradient[k] for k in legal),)))
            yield x, found.reach[layout.rows[block]][x.class_index], path


@working_precision()
def step_paths(tree: Tree, policy: Any, alpha: Fraction) -> dict[str, EntropyPath]:
    """The entropy of every AOH's policy along a step of the flow, by AOH key: for `change_range`,
    `certify_sign` and `largest_step`, inside `working_precision()`.

    `tree` comes from `history_tree`; `policy[i][t]` is (K_i, A_i), exact or float (see `bounds`).
    """
    found = arb_evaluate(tree, policy, check_alpha(alpha), precision=PRECISION)
    return {x.key: path for x, _, path in _rows(tree, policy, found)}


@working_precision()
def flow_report(tree: Tree, policy: Any, alpha: Fraction) -> FlowReport:
    """Entropies of all AOHs at `policy` and their rates along the flow of J_α, enclosed.

    >>> from certify.games.builtin import builtin
    >>> tree = history_tree(builtin("lever:2"))
    >>> report = flow_report(tree, tree.uniform(), Fraction(1))
    >>> report.total_rate.contains(0), len(report.histories)
    (True, 2)
    """
    alpha = check_alpha(alpha)
    found, one, two = (arb_evaluate(tree, policy, a, precision=PRECISION) for a in (alpha, Fraction(1), Fraction(2)))
    rates = tuple(
        HistoryRate(x.key, x.depth, enclosure(d), enclosure(path.entropy()), enclosure(path.first_order()))
        for x, d, path in _rows(tree, policy, found)
    )
    gathered = other_names(tree).gathered  # a legal action's logit is that of all its names
    entropy_gradient, gradient = gathered(two.gradient - one.gradient), gathered(found.gradient)
    return FlowReport(
        rates, enclosure(found.entropy), enclosure(dot(entropy_gradient, gradient)), enclosure(dot(gradient, gradient))
    )


@dataclass(frozen=True, eq=False)
class FlowPiece:
    """The flow enclosed at the times `times`: logits (T, N), probabilities (T, N), and total entropy
    and J_α per time.  All ends are float64, rounded outward; flat order of `bounds.policy.Layout`.
    """

    times: tuple[Fraction, ...]
    logits: Enclosure
    policy: Enclosure
    entropy: tuple[Enclosure, ...]
    value: tuple[Enclosure, ...]

    @property
    def informative_until(self) -> Fraction | None:
        """The last time before the total entropy is enclosed no better than to half of what it can be, or None
        where that never happens."""
        most = max(e.upper for e in self.entropy)
        useless = [k for k, e in enumerate(self.entropy) if e.upper - e.lower >= most / 2 > 0]
        return self.times[max(0, useless[0] - 1)] if useless else None


def flow_piece(tree: Tree, policy: Any, alpha: Fraction, duration: Fraction, steps: int) -> FlowPiece:
    """A certified enclosure of θ(τ), 0 <= τ <= duration, at the ends of `steps` equal steps.

    Each step of length h is Picard's theorem: if θ_0 + [0, h] ∇J(B) ⊂ B for a box B that holds θ_0,
    the flow stays in B for the step, and θ(h) ∈ θ_0 + h ∇J(B) (mean of ∇J over the step; boxes are
    convex).  ∇J(B) comes from the bounds over the policies softmax(B).  First order: widths grow
    like (duration)²/steps, so take many short steps.

    Raises `Undecided` where no such box is found (take more steps).
    """
    alpha = check_alpha(alpha)
    if duration <= 0 or steps < 1:
        raise InputError("flow", f"duration {duration} in {steps} steps", "give a positive duration and step count")
    h = duration / steps
    with working_precision():
        start = [float_ends(ball(p).log()) for p in _entries(tree, policy)]
    low, high = (np.array(ends) for ends in zip(*start, strict=True))
    rows = [(low, high)]
    for _ in range(steps):
        low, high = _picard_step(tree, alpha, low, high, h)
        rows.append((low, high))
    boxes = [_probabilities(tree, *row) for row in rows]
    found = [evaluate(tree, _box(tree, *box), alpha) for box in boxes]
    return FlowPiece(
        tuple(k * h for k in range(steps + 1)),
        Enclosure(*(np.array(side) for side in zip(*rows, strict=True))),
        Enclosure(*(np.array(side) for side in zip(*boxes, strict=True))),
        tuple(f.entropy for f in found),
        tuple(f.value for f in found),
    )


def _picard_step(
    tree: Tree, alpha: Fraction, low: np.ndarray, high: np.ndarray, h: Fraction
) -> tuple[np.ndarray, np.ndarray]:
    h_up = float(np.nextafter(float(h), np.inf))
    box = low, high
    for _ in range(30):
        gradient = _by_names(tree, evaluate(tree, _box(tree, *_probabilities(tree, *box)), alpha).gradient)
        pushed = (
            _down(low + _down(h_up * np.minimum(gradient.lower, 0))),
            _up(high + _up(h_up * np.maximum(gradient.upper, 0))),
        )
        if np.all(box[0] <= pushed[0]) and np.all(pushed[1] <= box[1]):
            h_low = float(np.nextafter(float(h), -np.inf))
            # h lies in [h_low, h_up]: the smaller factor where the end has the favourable sign
            lower = np.where(gradient.lower < 0, h_up, h_low) * gradient.lower
            upper = np.where(gradient.upper > 0, h_up, h_low) * gradient.upper
            return _down(low + _down(lower)), _up(high + _up(upper))
        margin = 0.1 * (pushed[1] - pushed[0]) + 1e-13
        box = pushed[0] - margin, pushed[1] + margin
    raise Undecided("no box holds the flow over a whole step; take more steps")


def _by_names(tree: Tree, gradient: Enclosure) -> Enclosure:
    """What the logits of all names of an action move with: the sum of their derivatives, rounded outward."""
    names = other_names(tree)
    if names.trivial:
        return gradient
    slack = _ROUNDINGS * names.gathered(np.maximum(np.abs(gradient.lower), np.abs(gradient.upper)))
    lower, upper = names.gathered(gradient.lower) - slack, names.gathered(gradient.upper) + slack
    return Enclosure(_down(lower)[names.meant], _up(upper)[names.meant])


def _down(x: np.ndarray) -> np.ndarray:
    return np.nextafter(x, -np.inf)


def _up(x: np.ndarray) -> np.ndarray:
    return np.nextafter(x, np.inf)


def _probabilities(tree: Tree, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """softmax of every row over the box of logits: π_a rises with θ_a and falls with the others."""
    layout = layout_of(tree)
    lower, upper = np.empty_like(low), np.empty_like(high)
    with working_precision():
        for row in range(layout.number_of_rows):
            start = layout.row_start[row]
            stop = layout.row_start[row + 1] if row + 1 < layout.number_of_rows else layout.size
            ends = [
                (to_arb(Fraction(a)), to_arb(Fraction(b)))
                for a, b in zip(low[start:stop].tolist(), high[start:stop].tolist(), strict=True)
            ]
            for a, (least, most) in enumerate(ends):
                others = [e for b, e in enumerate(ends) if b != a]
                lower[start + a] = float_ends(1 / (1 + sum(((e[1] - least).exp() for e in others), arb(0))))[0]
                upper[start + a] = float_ends(1 / (1 + sum(((e[0] - most).exp() for e in others), arb(0))))[1]
    return lower, upper


def _box(tree: Tree, lower: np.ndarray, upper: np.ndarray) -> PolicyBox:
    layout = layout_of(tree)
    return PolicyBox(layout.nested(lower), layout.nested(np.minimum(upper, 1.0)))
