"""REPO's ζ controller and ADAPO's ε_high controller as exact state machines, and their closed loop
with a threshold plant (docs/theory/entropy.md#controllers; after arXiv 2603.11682, read second-hand).

The transition rules are written once, over any ordered numbers and any conditional: with `Fraction`
and Python's own conditional they run, with z3's reals and `If` they are proved
(`controller_proofs`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from certify.errors import InputError

Choose = Callable[[Any, Any, Any], Any]


def choose(condition: bool, yes: Any, no: Any) -> Any:
    """Python's conditional as a function; z3 proofs pass `z3.If` instead."""
    return yes if condition else no


def zeta_above(zeta: Any, zeta_min: Any, zeta_max: Any, if_: Choose = choose) -> Any:
    """The next ζ when the entropy is above its target.

    ζ > 0 halves, and becomes −ζ_min once that is below ζ_min; 0 becomes −ζ_min; ζ < 0 doubles
    towards −ζ_max.

    >>> zeta_above(Fraction(4), Fraction(1), Fraction(8)), zeta_above(Fraction(1), Fraction(1), Fraction(8))
    (Fraction(2, 1), Fraction(-1, 1))
    """
    return if_(
        zeta > 0,
        if_(zeta / 2 < zeta_min, -zeta_min, zeta / 2),
        if_(zeta < 0, if_(2 * zeta < -zeta_max, -zeta_max, 2 * zeta), -zeta_min),
    )


def zeta_below(zeta: Any, zeta_min: Any, zeta_max: Any, if_: Choose = choose) -> Any:
    """The next ζ when the entropy is below its target: the mirror image of `zeta_above`."""
    return -zeta_above(-zeta, zeta_min, zeta_max, if_)


def adapo_step(eps_high: Any, entropy_below: Any, change: Any, least: Any, most: Any, if_: Choose = choose) -> Any:
    """ADAPO: ε_high rises by `change` while the entropy is below its target, falls while above, and
    stays within [least, most].  Step and limits are parameters: the paper's are not known to us.

    >>> adapo_step(Fraction(1, 4), True, Fraction(1, 100), Fraction(1, 5), Fraction(1, 2))
    Fraction(13, 50)
    """
    up, down = eps_high + change, eps_high - change
    return if_(entropy_below, if_(up > most, most, up), if_(down < least, least, down))


@dataclass(frozen=True)
class ZetaController:
    """REPO's controller with ζ_max >= ζ_min > 0; the target is the initial entropy."""

    zeta_min: Fraction
    zeta_max: Fraction

    def __post_init__(self) -> None:
        if not 0 < self.zeta_min <= self.zeta_max:
            raise InputError(
                "controller", f"zeta_min {self.zeta_min}, zeta_max {self.zeta_max}", "use 0 < zeta_min <= zeta_max"
            )

    def step(self, zeta: Fraction, side: int) -> Fraction:
        """The next ζ; `side` is 1 with the entropy above its target, −1 below, 0 at it."""
        if side == 0:
            return zeta
        rule = zeta_above if side > 0 else zeta_below
        moved: Fraction = rule(zeta, self.zeta_min, self.zeta_max)
        return moved

    def saturation_steps(self) -> int:
        """⌊r⌋ + 1 + ⌈r⌉ with r = log2(ζ_max/ζ_min): within it a persistent side saturates ζ."""
        ratio = self.zeta_max / self.zeta_min
        floor = 0
        while Fraction(2) ** (floor + 1) <= ratio:
            floor += 1
        return floor + 1 + floor + (Fraction(2) ** floor < ratio)


@dataclass(frozen=True)
class AdapoController:
    """ADAPO's controller: `change` > 0, 0 <= least <= most."""

    change: Fraction
    least: Fraction
    most: Fraction

    def __post_init__(self) -> None:
        if not (self.change > 0 and 0 <= self.least <= self.most):
            raise InputError(
                "controller",
                f"change {self.change}, range [{self.least}, {self.most}]",
                "use change > 0 and 0 <= least <= most",
            )

    def step(self, eps_high: Fraction, side: int) -> Fraction:
        """The next ε_high; `side` as for ζ."""
        return eps_high if side == 0 else adapo_step(eps_high, side < 0, self.change, self.least, self.most)

    def saturation_steps(self) -> int:
        """⌈(most − least)/change⌉ steps on one side reach the limit from anywhere in the range."""
        return -((self.least - self.most) // self.change)


def target_entropy_step(coefficient: Any, entropy_below: Any, change: Any, most: Any, if_: Choose = choose) -> Any:
    """The next coefficient of the target-entropy controller, in [0, most]: + `change` below the target, − above.

    >>> target_entropy_step(Fraction(1, 100), False, Fraction(1, 50), Fraction(1, 10))
    Fraction(0, 1)
    """
    up, down = coefficient + change, coefficient - change
    return if_(entropy_below, if_(up > most, most, up), if_(down < 0, 0 * down, down))


@dataclass(frozen=True)
class TargetEntropyController:
    """The controller of public trainers (Skywork-OR1, arXiv 2505.22312, and its followers): the coefficient of
    the entropy bonus moves by `change` > 0 within [0, `most`], and the bonus is on only while H <= target.
    """

    change: Fraction
    most: Fraction

    def __post_init__(self) -> None:
        if not (self.change > 0 and self.most > 0):
            raise InputError("controller", f"change {self.change}, most {self.most}", "use numbers above 0")

    def step(self, coefficient: Fraction, side: int) -> Fraction:
        """The next coefficient; `side` is 1 with the entropy above its target, −1 below, 0 at it."""
        if side == 0:
            return coefficient
        moved: Fraction = target_entropy_step(coefficient, side < 0, self.change, self.most)
        return moved

    def bonus(self, coefficient: Fraction, side: int) -> Fraction:
        """The coefficient that the loss gets: 0 while the entropy is above its target."""
        return Fraction(0) if side > 0 else coefficient

    def saturation_steps(self) -> int:
        """⌈most/change⌉ steps below the target reach `most` from anywhere."""
        return -(-self.most // self.change)


@dataclass(frozen=True)
class Cycle:
    """Where a closed loop ends: `states` repeat after `lead_in` steps; one state is a fixed point."""

    lead_in: int
    states: tuple[Fraction, ...]

    @property
    def amplitude(self) -> Fraction:
        """The width of the cycle: its largest state less its smallest."""
        return max(self.states) - min(self.states)


def closed_loop(controller: ZetaController | AdapoController, start: Fraction, threshold: Fraction) -> Cycle:
    """The controller against the plant "entropy above target iff control > threshold", exactly.

    The states are finitely many (powers of two times the limits and the start, or steps between
    the limits), so the loop is found by running it.  It is a 2-cycle or a saturated state where
    ζ_max >= 2 ζ_min (`controller_proofs.prove_zeta`); below that there are 3-cycles: ζ_min = 3,
    ζ_max = 4, threshold 3 runs through 3, 4, −3.

    >>> closed_loop(ZetaController(Fraction(1), Fraction(8)), Fraction(0), Fraction(3)).states
    (Fraction(2, 1), Fraction(4, 1))
    """
    seen: dict[Fraction, int] = {}
    path: list[Fraction] = []
    state = start
    while state not in seen:
        seen[state] = len(path)
        path.append(state)
        state = controller.step(state, 1 if state > threshold else -1)
    return Cycle(seen[state], tuple(path[seen[state] :]))
