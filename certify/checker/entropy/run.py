"""Checks what a run of exact-gradient steps does to the entropy (docs/theory/updates.md#floor); standard library only.

One state of n actions, action 0 with logit x above the n − 1 others, which stay equal; reward 1 for action 0, else 0.
With t = (n − 1)e^{−x}: π_0 = 1/(1 + t), 1 − π_0 = t/(1 + t), log π_0 = −log(1 + t), log π_a = log π_0 − x, H = −log
π_0 + (1 − π_0) x.  A step of size η adds η(π_0 B_0 − π_a B_a) to x, B = (r − E r)/scale − β L, L = log π + H; scale
is 1, or the standard deviation sqrt(π_0 (1 − π_0)) where rewards are normalised.

β is constant, or that of the target-entropy controller: it starts with 0, rises by `change` up to `most` after a step
from below the target, falls to 0 at least after one from above, and counts only where H <= target.
The claim is about H at the start or after some number of steps: `below` or `above` a number.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from certify.checker.entropy.input import sqrt
from certify.checker.numbers.interval import ZERO, Interval, exp, log
from certify.checker.reading.envelope import Failed, Malformed, envelope, integer, rational, record
from certify.checker.verdict import Proof, Run

_MOST_STEPS = 20_000
_UNIT = Interval.of(1)


class _State:
    """π_0, 1 − π_0, log π_0 and H at the logit x."""

    def __init__(self, x: Interval, others: int) -> None:
        t = Interval.of(others) * exp(-x)
        mass = _UNIT + t
        self.x, self.others = x, Interval.of(others)
        self.first, self.rest, self.log_first = _UNIT / mass, t / mass, -log(mass)
        self.entropy = self.rest * x - self.log_first

    def moved(self, eta: Interval, beta: Interval, normalised: bool) -> Interval:
        """x after one step."""
        scale = _UNIT / sqrt(self.first * self.rest) if normalised else _UNIT
        above = self.log_first + self.entropy
        first = self.rest * scale - beta * above
        other = -(self.first * scale) - beta * (above - self.x)
        return self.x + eta * (self.first * first - self.rest / self.others * other)


def check_run(certificate: Any, run: Run) -> Proof:
    """The `Proof` of a certificate of kind "entropy-run"; raises `Failed` or `Malformed`."""
    envelope(certificate, ("claim", "actions", "probability", "step", "normalised", "coefficient"))
    claim = record(certificate["claim"], "claim", ("after", "side", "bound"))
    after = integer(claim["after"], "claim.after", 0, _MOST_STEPS)
    if claim["side"] not in ("below", "above"):
        raise Malformed("claim.side", "neither below nor above")
    bound = rational(claim["bound"], "claim.bound")
    actions = integer(certificate["actions"], "actions", 2, 10**9)
    start, eta = rational(certificate["probability"], "probability"), rational(certificate["step"], "step")
    if not 0 < start < 1 or not 0 < eta <= 1000:
        raise Malformed("probability", "not within (0, 1), or a step not within (0, 1000]")
    normalised = certificate["normalised"]
    if not isinstance(normalised, bool):
        raise Malformed("normalised", "neither true nor false")
    rule = _Coefficient(certificate["coefficient"])
    state = _State(log(Interval.of(start * (actions - 1) / (1 - start))), actions - 1)
    for k in range(after):
        x = state.moved(Interval.of(eta), rule.next(state.entropy, k), normalised)
        if x.hi - x.lo > _UNIT.hi or abs(x.lo) > 10_000 * _UNIT.hi:
            raise Failed("the enclosure of the run has become too wide", step=f"step {k}")
        state = _State(x, actions - 1)
        if k % 100 == 0:
            run.tell(f"step {k}")
    margin = state.entropy - Interval.of(bound)
    if not (margin if claim["side"] == "above" else -margin).positive():
        raise Failed(f"the entropy is not {claim['side']} {bound}", step=f"after {after} steps")
    text = f"after {after} steps of {eta} from probability {start} of {actions} actions, {rule.text}"
    text += ", rewards divided by their standard deviation" if normalised else ""
    return Proof((f"{text}, the entropy is {claim['side']} {bound}",), after + 1)


class _Coefficient:
    """β of every step: a constant, or the controller's."""

    def __init__(self, data: Any) -> None:
        self.constant: Interval | None = None
        self.value = Fraction(0)
        if isinstance(data, str):
            self.constant = Interval.of(rational(data, "coefficient"))
            self.text = f"REPO with beta {rational(data, 'coefficient')}"
            return
        record(data, "coefficient", ("target", "change", "most"))
        self.target, self.change, self.most = (
            rational(data[key], f"coefficient.{key}") for key in ("target", "change", "most")
        )
        if self.change <= 0 or self.most <= 0:
            raise Malformed("coefficient", "a change or a limit that is not positive")
        self.text = f"a bonus of at most {self.most} moved by {self.change} at the target {self.target}"

    def next(self, entropy: Interval, k: int) -> Interval:
        """β of step k at that entropy; moves the controller."""
        if self.constant is not None:
            return self.constant
        off = entropy - Interval.of(self.target)
        if off.positive():
            self.value = max(Fraction(0), self.value - self.change)
            return ZERO
        if not (-off).positive():
            raise Failed("the side of the target is not decided", step=f"step {k}")
        beta = self.value
        self.value = min(self.most, self.value + self.change)
        return Interval.of(beta)
