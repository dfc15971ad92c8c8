"""Everything that is certified about one step, in one immutable result: the answer behind
`certify entropy` (docs/theory/entropy.md#first-order; interface).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from certify.certificates.entropy import sign_certificate
from certify.entropy.algorithms import direction, find_algorithm
from certify.entropy.dynamics import EntropyPath
from certify.entropy.enclosure import PRECISION, RationalEnclosure, enclosure, working_precision
from certify.entropy.policy import Numbers, Policy, StatePolicy, advantages_from_json, numbers, policy_from_json
from certify.entropy.sign import PersistenceResult, SignResult, certify_sign, change_range, largest_step
from certify.exact import exact_number, positive_number, rational_text
from certify.games.arrays import plain_document
from certify.notebook import Facts, Shown, between, decimal

DEFAULT_ETA_LIMIT = Fraction(64)
_PRECISIONS = (PRECISION, 192, 240)  # bits, below the 256 of the checker; a sign that one leaves open goes to the next
_BITS = 80  # significant bits of the ends that are printed


@dataclass(frozen=True, repr=False)
class StepReport(Shown):
    """`first_order` encloses dH/dη at 0, `change` H(η) − H(0) over the steps, `sign` its sign there;
    `persistence` is the largest η_max; `average` says over what a sampling algorithm was averaged, `still`
    that the step is exactly 0.
    """

    policy: Policy
    advantages: tuple[Numbers, ...]
    algorithm: str
    parameters: Mapping[str, Any]
    entropy: RationalEnclosure
    first_order: RationalEnclosure
    change: RationalEnclosure
    sign: SignResult
    persistence: PersistenceResult
    average: str
    still: bool = False

    def facts(self) -> Facts:
        """What a prompt and a notebook show of it."""
        p = self.persistence
        upto = "none" if p.eta_max is None else decimal(p.eta_max, up=False)
        rows = (
            ("the entropy", self.sign.sign),
            ("for steps in", between(self.sign.steps)),
            ("change in", between(self.change)),
            ("first order in", between(self.first_order)),
            ("entropy in", between(self.entropy)),
            ("sign kept up to a step of", upto + (" (the limit of the search)" if p.limited else "")),
        )
        return Facts(f"a step of {self.algorithm}", self.sign.status, rows, self.sign.reason or self.average or "")

    def to_json(self) -> dict[str, Any]:
        """The object that `certify entropy --json` prints."""
        p = self.persistence
        return {
            "status": self.sign.status,
            "first_order": self.first_order.outward(_BITS).texts(),
            "change": self.change.outward(_BITS).texts(),
            "sign": self.sign.sign,
            "eta_max": None if p.eta_max is None else rational_text(p.eta_max),
            "eta_max_sign": p.sign,
            "eta_max_is_limit": p.limited,
            "forever": p.forever,
            "reversed_at": None if p.reversed_at is None else rational_text(p.reversed_at),
            "steps": self.sign.steps.texts(),
            "entropy": self.entropy.outward(_BITS).texts(),
            "algorithm": self.algorithm,
            "average": self.average,
            "reason": self.sign.reason,
            "witness": None if self.sign.witness is None else rational_text(self.sign.witness),
        }

    def certificate(self) -> dict[str, Any] | None:
        """The certificate of the sign over the steps, or None where it is undecided."""
        if self.sign.status != "proved":
            return None
        return sign_certificate(
            self.policy,
            self.advantages,
            self.algorithm,
            self.parameters,
            self.sign.sign,
            self.sign.steps,
            self.sign.pieces,
        )


def entropy_path(
    policy: Policy, advantages: Sequence[Numbers], algorithm: str, parameters: Mapping[str, Any]
) -> EntropyPath:
    """The entropy along the algorithm's step, at the working precision of the caller."""
    return EntropyPath(policy, direction(algorithm, policy, advantages, parameters))


def step_report(
    policy: Any,
    advantages: Any,
    algorithm: str,
    parameters: Mapping[str, Any],
    lower: Fraction | float | str,
    upper: Fraction | float | str,
    eta_limit: Fraction | float | str = DEFAULT_ETA_LIMIT,
) -> StepReport:
    """All enclosures and signs of one algorithm's step for every η in [lower, upper].

    `policy` and `advantages` are what `policy_from_json` and `advantages_from_json` take (nested lists, arrays,
    dictionaries), or what they return.

    η_max is searched up to `eta_limit`, or up to `upper` where that is larger.  A sign that is left open for
    want of precision is tried again with more bits.

    Raises `InputError` for anything that a user can mend (see `algorithms.direction`).

    >>> from certify.entropy.policy import policy_from_json
    >>> policy = policy_from_json(["1/100", "49/100", "1/2"])
    >>> row = tuple(map(RationalEnclosure.of, (1, 0, 0)))
    >>> report = step_report(policy, (row,), "reinforce", {}, Fraction(0), Fraction(1, 100))
    >>> report.sign.sign, report.persistence.eta_max
    ('increases', Fraction(64, 1))
    """
    found = find_algorithm(algorithm)
    if not (isinstance(policy, tuple) and policy and all(isinstance(s, StatePolicy) for s in policy)):
        policy = policy_from_json(plain_document(policy, "policy"), "policy")
    if not _are_numbers(advantages):
        data = plain_document(advantages, "advantages")
        advantages = (numbers(data, "advantages"),) if found.per_sequence else advantages_from_json(data, policy)
    lower, upper = exact_number(lower, "lower"), exact_number(upper, "upper")
    eta_limit = positive_number(eta_limit, "eta limit", "limit")
    for bits in _PRECISIONS:
        with working_precision(bits):
            report = _report(policy, advantages, algorithm, parameters, lower, upper, eta_limit)
        if report.sign.status == "proved" or report.sign.witness is not None or report.still:
            break
    return report


def _are_numbers(rows: Any) -> bool:
    """Whether these are rows as `advantages_from_json` returns them."""
    return isinstance(rows, (tuple, list)) and all(
        isinstance(row, tuple) and all(isinstance(x, RationalEnclosure) for x in row) for row in rows
    )


def _report(
    policy: Policy,
    advantages: Sequence[Numbers],
    algorithm: str,
    parameters: Mapping[str, Any],
    lower: Fraction,
    upper: Fraction,
    eta_limit: Fraction,
) -> StepReport:
    path = entropy_path(policy, advantages, algorithm, parameters)
    return StepReport(
        policy,
        tuple(advantages),
        algorithm,
        dict(parameters),
        enclosure(path.entropy()),
        enclosure(path.first_order()),
        change_range(path, lower, upper),
        certify_sign(path, lower, upper),
        largest_step(path, max(eta_limit, upper)),
        path.direction.average,
        path.still,
    )
