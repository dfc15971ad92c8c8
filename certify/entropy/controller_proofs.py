"""The invariants of the entropy controllers, proved by z3 for all states and all parameters
(docs/theory/entropy.md#controllers): unsat is the proof, sat is a counterexample that is handed back.

Every proof takes the transition rule as an argument, so that a mutated controller is refuted by
the same lines.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import z3

from certify.entropy.controllers import adapo_step, target_entropy_step, zeta_above

Rule = Callable[..., Any]


@dataclass(frozen=True)
class Proof:
    """`status` is `proved`, `refuted` (with the `witness` that z3 found) or `undecided`."""

    name: str
    statement: str
    status: str
    witness: dict[str, str]


def _decide(name: str, statement: str, assumptions: Sequence[Any], conclusion: Any) -> Proof:
    solver = z3.Solver()
    solver.set("timeout", 60_000)
    solver.add(*assumptions, z3.Not(conclusion))
    answer = solver.check()
    if answer == z3.unsat:
        return Proof(name, statement, "proved", {})
    if answer == z3.sat:
        model = solver.model()
        return Proof(name, statement, "refuted", {str(v): str(model[v]) for v in model.decls()})
    return Proof(name, statement, "undecided", {})


def prove_zeta(above: Rule = zeta_above, below: Rule | None = None) -> tuple[Proof, ...]:
    """The invariants of the ζ controller for all ζ_max >= ζ_min > 0.

    Saturation within ⌊r⌋ + 1 + ⌈r⌉ steps, r = log2(ζ_max/ζ_min), is proved by the two induction
    steps `countdown` and `buildup`: with p = 2^j, a state in [pζ_min, 2pζ_min) moves to
    [pζ_min/2, pζ_min) if p >= 2 and to −ζ_min if p = 1, so a positive state, which lies in such a
    cell with j <= ⌊r⌋, is at −ζ_min after at most ⌊r⌋ + 1 steps above target; and a state at most
    −min(qζ_min, ζ_max) moves to at most −min(2qζ_min, ζ_max), so ⌈r⌉ further steps reach −ζ_max.
    The mirror image is the other side.

    >>> [p.status for p in prove_zeta()]
    ['proved', 'proved', 'proved', 'proved', 'proved', 'proved', 'proved', 'proved']
    """
    zeta, low, high, p = z3.Reals("zeta zeta_min zeta_max p")
    limits = [low > 0, high >= low]

    def up(x: Any) -> Any:
        return above(x, low, high, z3.If)

    def down(x: Any) -> Any:
        return below(x, low, high, z3.If) if below else -up(-x)

    def within(x: Any) -> Any:
        return z3.Or(z3.And(low <= x, x <= high), z3.And(-high <= x, x <= -low))

    valid = [*limits, z3.Or(zeta == 0, within(zeta))]
    least = z3.If(p * low < high, p * low, high)
    twice = z3.If(2 * p * low < high, 2 * p * low, high)
    cell = z3.And(p * low <= zeta, zeta < 2 * p * low)
    return (
        _decide("range above", "|ζ'| in [ζ_min, ζ_max] above target", valid, within(up(zeta))),
        _decide("range below", "|ζ'| in [ζ_min, ζ_max] below target", valid, within(down(zeta))),
        _decide(
            "falls above",
            "ζ' < ζ above target unless ζ = ζ' = −ζ_max",
            valid,
            z3.Or(up(zeta) < zeta, z3.And(zeta == -high, up(zeta) == -high)),
        ),
        _decide(
            "rises below",
            "ζ' > ζ below target unless ζ = ζ' = ζ_max",
            valid,
            z3.Or(down(zeta) > zeta, z3.And(zeta == high, down(zeta) == high)),
        ),
        _decide("mirror", "the two sides are mirror images", valid, down(zeta) == -up(-zeta)),
        _decide(
            "countdown",
            "a positive state loses one binade a step, then becomes −ζ_min",
            [*valid, cell, z3.Or(p == 1, p >= 2)],
            z3.If(p == 1, up(zeta) == -low, z3.And(p / 2 * low <= up(zeta), up(zeta) < p * low)),
        ),
        _decide(
            "buildup",
            "a negative state doubles until −ζ_max",
            [*valid, zeta < 0, p >= 1, zeta <= -least],
            z3.And(up(zeta) <= -twice, up(zeta) < 0),
        ),
        _decide(
            "two-cycle",
            "ζ_max >= 2ζ_min: against 'above iff ζ > c', five steps after a crossing every state repeats with period 2",
            *_two_cycle(zeta, up, down, [*valid, high >= 2 * low]),
        ),
    )


def refute_two_cycle() -> Proof:
    """Without ζ_max >= 2ζ_min the closed loop need not end in a 2-cycle: z3's counterexample.

    docs/theory/entropy.md#controllers states the 2-cycle without this premise; with ζ_max < 2ζ_min a state in
    (ζ_max/2, ζ_max) saturates, falls below ζ_min when halved, and the loop has period 3.

    >>> refute_two_cycle().status
    'refuted'
    """
    zeta, low, high = z3.Reals("zeta zeta_min zeta_max")

    def up(x: Any) -> Any:
        return zeta_above(x, low, high, z3.If)

    valid = [
        low > 0,
        high >= low,
        z3.Or(zeta == 0, z3.And(low <= zeta, zeta <= high), z3.And(-high <= zeta, zeta <= -low)),
    ]
    return _decide(
        "two-cycle without ζ_max >= 2ζ_min",
        "five steps after a crossing every state repeats with period 2",
        *_two_cycle(zeta, up, lambda x: -up(-x), valid),
    )


def _two_cycle(zeta: Any, up: Rule, down: Rule, valid: list[Any]) -> tuple[list[Any], Any]:
    threshold = z3.Real("c")

    def loop(x: Any) -> Any:
        return z3.If(x > threshold, up(x), down(x))

    # one named variable per step keeps the terms small
    states = [zeta, *z3.Reals("s1 s2 s3 s4 s5 s6 s7")]
    steps = [after == loop(before) for before, after in itertools.pairwise(states)]
    crosses = (states[0] > threshold) != (states[1] > threshold)
    return [*valid, *steps, crosses], states[7] == states[5]


def prove_adapo(rule: Rule = adapo_step) -> tuple[Proof, ...]:
    """The invariants of the ADAPO controller for all change > 0 and most >= least >= 0.

    `progress` gives saturation within ⌈(most − least)/change⌉ steps: each step below target either
    reaches `most` or gains `change`.

    >>> [p.status for p in prove_adapo()]
    ['proved', 'proved', 'proved', 'proved', 'proved']
    """
    eps, change, least, most, threshold = z3.Reals("eps_high change least most c")
    valid = [change > 0, least >= 0, most >= least, least <= eps, eps <= most]

    def move(x: Any, below: Any) -> Any:
        return rule(x, below, change, least, most, z3.If)

    up, down = move(eps, z3.BoolVal(True)), move(eps, z3.BoolVal(False))
    side = z3.Bool("below")
    either = move(eps, side)
    first = move(eps, z3.Not(eps > threshold))
    second = move(first, z3.Not(first > threshold))
    crosses = (eps > threshold) != (first > threshold)
    return (
        _decide("range", "ε_high stays in [least, most]", valid, z3.And(least <= either, either <= most)),
        _decide(
            "rises below",
            "ε_high rises below target unless it is at `most`",
            valid,
            z3.Or(up > eps, z3.And(eps == most, up == most)),
        ),
        _decide(
            "falls above",
            "ε_high falls above target unless it is at `least`",
            valid,
            z3.Or(down < eps, z3.And(eps == least, down == least)),
        ),
        _decide(
            "progress",
            "a step gains `change` or reaches the limit",
            valid,
            z3.And(z3.Or(up == most, up == eps + change), z3.Or(down == least, down == eps - change)),
        ),
        _decide(
            "amplitude",
            "around a threshold two successive steps move ε_high by at most `change` each",
            [*valid, crosses],
            z3.And(first - eps <= change, eps - first <= change, second - first <= change, first - second <= change),
        ),
    )


def prove_target_entropy(rule: Rule = target_entropy_step) -> tuple[Proof, ...]:
    """The invariants of the target-entropy controller for all change > 0 and most > 0.

    `buildup` is the induction step of "j steps below the target leave at least min(j · change, most)", so that
    ⌈most/change⌉ steps saturate: what `floors.run_floor` needs.

    >>> [p.status for p in prove_target_entropy()]
    ['proved', 'proved', 'proved', 'proved']
    """
    c, change, most, least = z3.Reals("c change most least")
    valid = [change > 0, most > 0, c >= 0, c <= most]
    up, down = (rule(c, z3.BoolVal(below), change, most, z3.If) for below in (True, False))
    either = rule(c, z3.Bool("below"), change, most, z3.If)
    reached = z3.If(least + change < most, least + change, most)
    return (
        _decide("range", "the coefficient stays in [0, most]", valid, z3.And(either >= 0, either <= most)),
        _decide(
            "rises below",
            "it rises below target unless it is at `most`",
            valid,
            z3.Or(up > c, z3.And(c == most, up == most)),
        ),
        _decide(
            "falls above", "it falls above target unless it is 0", valid, z3.Or(down < c, z3.And(c == 0, down == 0))
        ),
        _decide(
            "buildup",
            "at least min(j·change, most) after j steps below",
            [*valid, least >= 0, least <= c],
            up >= reached,
        ),
    )
