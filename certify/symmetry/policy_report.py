"""Equivariance of a policy table as a JSON object and as text (`symmetries --policy`)."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from certify.exact import rational_text, significant_text
from certify.symmetry.histories import EquivarianceVerdict, FixedSubspace


def policy_json(verdict: EquivarianceVerdict, space: FixedSubspace) -> dict[str, Any]:
    """`certify symmetries --policy --json`: whether g·pi = pi, and how many parameters remain."""
    values = None if verdict.values is None else [[rational_text(v) for v in ends] for ends in verdict.values]
    return {
        "status": verdict.status,
        "equivariant": {"proved": True, "refuted": False}.get(verdict.status),
        "generator": verdict.generator,
        "aoh": verdict.aoh,
        "action": verdict.action,
        "values": values,
        "equivariant_parameters": space.parameters,
        "policy_parameters": space.all_parameters,
    }


def policy_text(verdict: EquivarianceVerdict, space: FixedSubspace) -> str:
    """The same for people."""
    lines = {
        "proved": "the policy is equivariant",
        "undecided": "undecided: the enclosures of the policy overlap with those of its images",
    }.get(verdict.status)
    if lines is None:
        (low, high), (other_low, other_high) = verdict.values
        lines = (
            f"not equivariant: {verdict.aoh} plays {verdict.action} with {_range(low, high)}, its image under "
            f"generator {verdict.generator} with {_range(other_low, other_high)}"
        )
    return f"{lines}\nan equivariant policy has {space.parameters} free parameters of {space.all_parameters}"


def _range(lower: Fraction, upper: Fraction) -> str:
    return f"[{significant_text(lower, 8, up=False)}, {significant_text(upper, 8, up=True)}]"
