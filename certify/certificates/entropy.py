"""Certificates of entropy claims: the problem restated, the claim, and what an independent checker
needs to recompute it (docs/theory/entropy.md).  Kinds `entropy-sign`,
`entropy-table`, `entropy-run`, `entropy-clipping` and `entropy-controller`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from fractions import Fraction
from typing import Any

import numpy as np

from certify.entropy.algorithms import find_algorithm
from certify.entropy.clipping import TokenSequence
from certify.entropy.clipping_bound import ClippingBound
from certify.entropy.controllers import AdapoController, TargetEntropyController, ZetaController
from certify.entropy.enclosure import RationalEnclosure, working_precision
from certify.entropy.exhaustive import clip_decisions, count_binade, rounded_exponentials
from certify.entropy.flow import FlowReport
from certify.entropy.formats import FloatFormat
from certify.entropy.parameters import read_parameters
from certify.entropy.policy import Numbers, Policy, StatePolicy, numbers_to_json, policy_to_json
from certify.entropy.rounding import SIDES, binade_row, cell_table
from certify.entropy.sign import Piece
from certify.exact import rational_text
from certify.games.canonical import game_to_json, sha256_of
from certify.games.model import Game
from certify.games.objective import named_in_certificates


def sign_certificate(
    policy: Policy,
    advantages: Sequence[Numbers],
    algorithm: str,
    given: Mapping[str, Any],
    sign: str,
    steps: RationalEnclosure | None = None,
    pieces: Sequence[Piece] = (),
) -> dict[str, Any]:
    """The certificate of a proved sign: for every step in `steps` with its subdivision, or of the
    first-order change (`steps` None).

    >>> from certify.entropy.policy import policy_from_json
    >>> policy = policy_from_json(["1/100", "49/100", "1/2"])
    >>> row = tuple(map(RationalEnclosure.of, (1, 0, 0)))
    >>> sign_certificate(policy, (row,), "reinforce", {}, "increases")["claim"]
    {'sign': 'increases', 'steps': None}
    """
    values = read_parameters(algorithm, find_algorithm(algorithm).parameters, given, policy)
    return {
        **_header("entropy-sign"),
        "claim": {"sign": sign, "steps": None if steps is None else steps.texts()},
        "policy": policy_to_json(policy),
        "advantages": {"states": [numbers_to_json(row) for row in advantages]},
        "algorithm": algorithm,
        "parameters": {key: _parameter_to_json(value) for key, value in values.items()},
        "pieces": [[rational_text(p.lower), rational_text(p.upper), p.rule] for p in pieces],
    }


def _header(kind: str) -> dict[str, Any]:
    return {"format": "certify-certificate", "version": 1, "kind": kind}


def _parameter_to_json(value: Any) -> Any:
    if isinstance(value, Fraction):
        return rational_text(value)
    if isinstance(value, TokenSequence):
        before = value.old_log_probabilities
        return {
            "tokens": [list(token) for token in value.tokens],
            "old_log_probabilities": None if before is None else numbers_to_json(before),
        }
    if isinstance(value, tuple):
        if value and not isinstance(value[0], int | Fraction | TokenSequence):
            return policy_to_json(value)
        return [_parameter_to_json(item) for item in value]
    return value


@working_precision()
def table_certificate(
    format_: FloatFormat, eps: Sequence[Fraction], binades: Sequence[int], counted: Sequence[int]
) -> dict[str, Any]:
    """The certificate of a 16-bit format's rounding table.

    Every distinct rounding cell of its values <= 0 with the log of the mean factor; per binade in
    `binades` the bias factors and crossing probabilities of uniform errors; for the binades in
    `counted` the same over all 2^23 float32 numbers; and RN(exp d) against the clip ranges.
    """
    table = cell_table(format_)
    codes = np.bincount(table.cell)
    shape = {int(c): k for k, c in reversed(list(enumerate(table.cell)))}
    cells = [
        {
            "outer": rational_text(Fraction(float(table.outer[shape[c]]))),
            "inner": rational_text(Fraction(float(table.inner[shape[c]]))),
            "codes": int(n),
            "log_bias": {side: table.log_bias[side][c].outward().texts() for side in SIDES},
        }
        for c, n in enumerate(codes)
    ]
    exponentials = rounded_exponentials(format_)
    return {
        **_header("entropy-table"),
        "claim": {"format": format_.name},
        "eps": [rational_text(e) for e in eps],
        "nonpositive": len(table.values),
        "above_minus_64": int(((table.values > -64) & (table.values < 0)).sum()),
        "cells": cells,
        "binades": [_binade_json(format_, k, tuple(eps)) for k in binades],
        "counted": [_counted_json(format_, k, eps) for k in counted],
        "decisions": [_decision_json(exponentials, e) for e in eps],
    }


def _binade_json(format_: FloatFormat, exponent: int, eps: tuple[Fraction, ...]) -> dict[str, Any]:
    row = binade_row(format_, exponent, eps)
    return {
        "exponent": exponent,
        "spacing": rational_text(row.spacing),
        "one_side": row.one_side.outward().texts(),
        "both_sides": row.both_sides.outward().texts(),
        "crossing": [[p.outward().texts() for p in row.crossing[e]] for e in eps],
    }


def _counted_json(format_: FloatFormat, exponent: int, eps: Sequence[Fraction]) -> dict[str, Any]:
    count = count_binade(format_, exponent)
    return {
        "exponent": exponent,
        "mean_factor": count.mean_factor().outward().texts(),
        "mean_error": rational_text(count.mean_error()),
        "crossing": [[rational_text(count.crossing(e, above)) for above in (True, False)] for e in eps],
    }


def _decision_json(exponentials: tuple[np.ndarray, np.ndarray], eps: Fraction) -> dict[str, Any]:
    found = clip_decisions(exponentials, eps, eps)
    names = ("above_exact", "lost_above", "gained_above", "below_exact", "lost_below", "gained_below")
    return {
        "eps_low": rational_text(eps),
        "eps_high": rational_text(eps),
        **{name: getattr(found, name) for name in names},
        "changed": [rational_text(d) for d in found.changed],
    }


@dataclass(frozen=True)
class RunStart:
    """A run of exact-gradient steps on rewards (1, 0, …, 0): see `certify.entropy.floors`."""

    actions: int
    probability: Fraction
    step: Fraction
    normalised: bool = False


def run_certificate(
    start: RunStart,
    coefficient: Fraction | tuple[TargetEntropyController, Fraction],
    after: int,
    side: str,
    bound: Fraction,
) -> dict[str, Any]:
    """The certificate that H is `side` ("below" or "above") `bound` after so many steps.

    `coefficient` is REPO's constant β, or a target-entropy controller with its target.
    """
    rule: Any
    if isinstance(coefficient, tuple):
        controller, target = coefficient
        rule = {
            "target": rational_text(target),
            "change": rational_text(controller.change),
            "most": rational_text(controller.most),
        }
    else:
        rule = rational_text(coefficient)
    return {
        **_header("entropy-run"),
        "claim": {"after": after, "side": side, "bound": rational_text(bound)},
        "actions": start.actions,
        "probability": rational_text(start.probability),
        "step": rational_text(start.step),
        "normalised": start.normalised,
        "coefficient": rule,
    }


def clipping_certificate(
    old: StatePolicy, new: StatePolicy, eps_low: Fraction, eps_high: Fraction, found: ClippingBound
) -> dict[str, Any] | None:
    """The certificate of what was proved of a clipped update: all ratios in range, one outside, or None."""
    says: dict[str, Any] = {"says": "in range"}
    if found.premise == "undecided":
        return None
    if found.premise == "refuted":
        says = {"says": "out of range", "action": found.witness}
    return {
        **_header("entropy-clipping"),
        "claim": says,
        "old": policy_to_json((old,)),
        "new": policy_to_json((new,)),
        "eps_low": rational_text(eps_low),
        "eps_high": rational_text(eps_high),
    }


def controller_certificate(
    controller: ZetaController | AdapoController | TargetEntropyController, sharp: bool = False
) -> dict[str, Any]:
    """The certificate of a controller's range and of its number of steps to saturation.

    >>> controller_certificate(ZetaController(Fraction(1), Fraction(8)))["claim"]
    {'saturation': 7, 'sharp': False}
    """
    name = {ZetaController: "zeta", AdapoController: "adapo", TargetEntropyController: "target"}[type(controller)]
    return {
        **_header("entropy-controller"),
        "claim": {"saturation": controller.saturation_steps(), "sharp": sharp},
        "controller": name,
        "limits": {f.name: rational_text(getattr(controller, f.name)) for f in fields(controller)},
    }


def flow_certificate(
    game: Game, policy: Sequence[Sequence[Fraction]], alpha: Fraction, report: FlowReport
) -> dict[str, Any]:
    """The certificate of entropies and rates at an exact policy, whose rows are in the order of `report.histories`."""
    restated = game_to_json(game)
    return {
        **_header("entropy-flow"),
        "game": restated,
        "game_sha256": sha256_of(restated),
        "objective": named_in_certificates(game),
        "alpha": rational_text(alpha),
        "policy": [[rational_text(p) for p in row] for row in policy],
        "claim": {"rows": [{"entropy": _padded(x.entropy), "rate": _padded(x.rate)} for x in report.histories]},
    }


def _padded(value: RationalEnclosure) -> list[str]:
    """The ends with 2^-200 more room: the checker computes to 2^-256, and would not find an exact 0."""
    room = Fraction(1, 2**200)
    return RationalEnclosure(value.lower - room, value.upper + room).outward(80).texts()
