"""Floors under the entropy of a whole run, and the runs that break them (docs/theory/updates.md#floor).

Exact-gradient ascent with fixed rewards r on one state, n actions, bonus β_t ∇H, steps of size η:

    θ ← θ + η u,   u_a = π_a (B_a − E_π B),   B = A − β_t L.

*Constant β, no normalisation*, η <= 1/(osc(r)/(3√3) + β(1 + log n)/2): H_t >= H_0 − (max r − E_0 r)/β
(`constant_floor`).

*Target-entropy controller* (`run_floor`): coefficient in [0, C], up by δ a step while H < H*, bonus only while
H <= H*.  With η <= 1/(osc(r)/(3√3) + C(1 + log n)/2), m = ⌈C/δ⌉, R = osc(r)/2 + C(log n + 1/e),

    H_t >= min(H_0, H*) e^{−(m+1)Rη} − osc(r)/C    for every t.

Proof.  osc u <= R: |π_a(A_a − EA)| <= π_a(1 − π_a) osc(r) <= osc(r)/4, and −1/e <= π_a log π_a <= π_a L_a <= H
<= log n.  So a step changes H by a factor of at least e^{−Rη} (docs/theory/updates.md#safe-step, drift).  Let H_t < H*,
and s the last time up to t with H_s >= H* (or the start).  From s on every step is below the target: after m of them
the coefficient is C (`controller_proofs.prove_target_entropy`, buildup), and until then H >= min(H_0, H*) e^{−(m+1)Rη}.
From there on β = C is constant while the run stays below, so E_π r + C H does not fall (Lemmas 1, 2 of
docs/theory/updates.md#second-derivatives): H_t >= H_{s+1+m} − (max r − E r)/C.  ∎

`Lumped` runs such iterations in balls for policies with one special action and n − 1 equal ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from flint import arb

from certify.entropy.controllers import TargetEntropyController
from certify.entropy.enclosure import RationalEnclosure, ball, enclosure, working_precision
from certify.errors import InputError, Undecided

RUN_PRECISION = 512  # bits: a run of thousands of steps loses some in each


def _smoothness(spread: Fraction, beta: Fraction, actions: int) -> arb:
    return ball(spread) / (3 * arb(3).sqrt()) + ball(beta) * (1 + arb(actions).log()) / 2


@working_precision()
def largest_safe_step(spread: Fraction, beta: Fraction, actions: int) -> Fraction:
    """A step that is at most 1/(osc(r)/(3√3) + β(1 + log n)/2), and nearly that.

    >>> Fraction(1, 3) < largest_safe_step(Fraction(1), Fraction(1), 8) < 1
    True
    """
    if spread < 0 or beta < 0 or spread + beta == 0 or actions < 2:
        raise InputError("floor", f"osc {spread}, beta {beta}, {actions} actions", "use positive numbers and n >= 2")
    return enclosure(1 / _smoothness(spread, beta, actions)).lower


def constant_floor(entropy: RationalEnclosure, gap: Fraction, beta: Fraction) -> Fraction:
    """H_0 − (max r − E_0 r)/β, from below; `gap` is at least max r − E_0 r."""
    if beta <= 0:
        raise InputError("floor", f"beta {beta}", "use a coefficient above 0")
    return entropy.lower - gap / beta


@working_precision()
def run_floor(
    controller: TargetEntropyController,
    target: Fraction,
    start: Fraction,
    spread: Fraction,
    actions: int,
    eta: Fraction,
) -> Fraction:
    """A lower bound of H_t for every t of a run of the target-entropy controller (the module's second statement).

    `start` is at most H_0, `spread` is osc(r).  Below 0 it says nothing.  Raises `InputError` for a step that is
    too long.

    >>> c = TargetEntropyController(Fraction(1, 2), Fraction(10))
    >>> run_floor(c, Fraction(1), Fraction(2), Fraction(1), 8, Fraction(1, 1000)) > Fraction(1, 3)
    True
    """
    if eta <= 0 or eta > largest_safe_step(spread, controller.most, actions):
        raise InputError("floor", f"a step of {eta}", "use at most largest_safe_step(osc, most, n)")
    rate = ball(spread) / 2 + ball(controller.most) * (arb(actions).log() + (-arb(1)).exp())
    steps = controller.saturation_steps() + 1
    found = ball(min(start, target)) * (-rate * steps * ball(eta)).exp() - ball(spread / controller.most)
    return enclosure(found).lower


@dataclass(frozen=True)
class Lumped:
    """A state of n actions: action 0 with logit x above the n − 1 others, which stay equal; r = e_0."""

    actions: int
    logit: arb

    @classmethod
    def start(cls, actions: int, probability: Fraction) -> Lumped:
        """The state with π_0 = `probability`."""
        p = ball(probability)
        return cls(actions, (p * (actions - 1) / (1 - p)).log())

    def probability(self) -> arb:
        """π_0."""
        return 1 / (1 + (self.actions - 1) * (-self.logit).exp())

    def entropy(self) -> arb:
        """H: log π_0 = −log1p((n − 1) e^{−x}), log π_a = log π_0 − x."""
        rest = ((self.actions - 1) * (-self.logit).exp()).log1p()
        return rest + (1 - self.probability()) * self.logit

    def moved(self, eta: Fraction, beta: arb, normalised: bool) -> Lumped:
        """After one step on r = e_0: u_0 − u_a added to the logit; `normalised` divides r − E r by its deviation."""
        p = self.probability()
        q = (1 - p) / (self.actions - 1)
        entropy = self.entropy()
        log_p = -((self.actions - 1) * (-self.logit).exp()).log1p()
        scale = 1 / (p * (1 - p)).sqrt() if normalised else arb(1)
        first = (1 - p) * scale - beta * (log_p + entropy)
        other = -p * scale - beta * (log_p - self.logit + entropy)
        step = p * first - q * other  # both parts of B have mean 0
        return Lumped(self.actions, self.logit + ball(eta) * step)


def repo_run(
    actions: int, probability: Fraction, beta: Fraction, eta: Fraction, steps: int, normalised: bool
) -> RationalEnclosure:
    """The least H along `steps` exact REPO steps with r = e_0, enclosed at the step where it is least.

    Raises `Undecided` where the balls grow too wide.
    """
    with working_precision(RUN_PRECISION):
        state, coefficient = Lumped.start(actions, probability), ball(beta)
        least = state.entropy()
        for _ in range(steps):
            state = state.moved(eta, coefficient, normalised)
            now = state.entropy()
            least = now if now < least else least
        return enclosure(least)


def controller_run(
    controller: TargetEntropyController,
    target: Fraction,
    actions: int,
    probability: Fraction,
    eta: Fraction,
    steps: int,
) -> RationalEnclosure:
    """The last H of a run of the target-entropy controller with r = e_0, starting with coefficient 0, enclosed.

    Raises `Undecided` where a ball cannot decide on which side of the target the entropy is.
    """
    with working_precision(RUN_PRECISION):
        state, coefficient = Lumped.start(actions, probability), Fraction(0)
        for _ in range(steps):
            side = _side(state.entropy() - ball(target))
            state = state.moved(eta, ball(controller.bonus(coefficient, side)), False)
            coefficient = controller.step(coefficient, side)
        return enclosure(state.entropy())


def _side(difference: arb) -> int:
    if difference > 0:
        return 1
    if difference < 0:
        return -1
    if difference.is_zero():
        return 0
    raise Undecided("the entropy is within rounding of its target")
