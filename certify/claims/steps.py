"""Entropy certificates as evidence of a claim: one policy-gradient step, its sign proved and saved
(docs/theory/entropy.md#first-order).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from certify.answers.entropy import StepReport, step_report
from certify.certificates.entropy import sign_certificate
from certify.certificates.writing import save_document
from certify.entropy import advantages_from_json, policy_from_json
from certify.errors import Undecided


@dataclass(frozen=True)
class Update:
    """One update: policy and advantages as rationals in text, the algorithm with its parameters."""

    policy: tuple[str, ...]
    advantages: tuple[str, ...]
    algorithm: str
    parameters: Mapping[str, Any]

    def report(self, largest: Fraction = Fraction(1, 100)) -> StepReport:
        """Everything that is certified about the steps in (0, `largest`].

        >>> Update(("9/10", "1/10"), ("0", "1"), "reinforce", {}).report().sign.sign
        'increases'
        """
        policy = policy_from_json(list(self.policy))
        return step_report(
            policy,
            advantages_from_json(list(self.advantages), policy),
            self.algorithm,
            self.parameters,
            Fraction(0),
            largest,
        )


def saved_sign(report: StepReport, path: Path) -> Path:
    """The certificate of the sign over the report's steps; raises `Undecided` where none was proved."""
    document = report.certificate()
    if document is None:
        raise Undecided(f"{path.name}: {report.sign.reason}")
    return save_document(document, path)


def saved_first_order(report: StepReport, path: Path) -> Path:
    """The certificate of the sign of the first-order change; raises `Undecided` where it may be 0."""
    if report.first_order.lower <= 0 <= report.first_order.upper:
        raise Undecided(f"{path.name}: the first-order change is not separated from 0")
    sign = "increases" if report.first_order.lower > 0 else "decreases"
    return save_document(
        sign_certificate(report.policy, report.advantages, report.algorithm, report.parameters, sign), path
    )
