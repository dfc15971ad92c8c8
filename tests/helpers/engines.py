"""One step or one box alone, by any engine of the checker."""

from __future__ import annotations

from fractions import Fraction

from certify.checker.cover.obligations import DefiniteClaim, StepClaim


def apply_step(engine, box, step, betas: tuple, unit: int) -> tuple:
    """(ok, why, what is left of the box)."""
    failure = engine.verify([StepClaim(box, betas, step, unit)])
    if failure is not None:
        return False, failure[1], box
    return True, None, engine.cut(box, step, engine.cuts([step], unit)[0])


def definite(engine, box, betas: tuple, modulus: Fraction | None = None, own: bool = False) -> tuple:
    """(ok, why)."""
    failure = engine.verify([DefiniteClaim(box, betas, modulus, own)])
    return failure is None, failure and failure[1]
