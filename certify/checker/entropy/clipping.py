"""Checks the clipping bound (docs/theory/entropy.md#clipping); standard library only.

If every ratio π'_a/π_a lies in [1 − ε_low, 1 + ε_high] then (1 − ε_low) H(π) <= H(π') <= (1 + ε_high) H(π).  A
certificate claims the premise (`in range`), from which the bounds follow, or that a ratio leaves the range (`out of
range`, with the action), or that H(π') itself is outside the bounds (`bound broken`), each for the two policies that
it states.
"""

from __future__ import annotations

from typing import Any

from certify.checker.entropy.input import State, policy
from certify.checker.numbers.interval import Interval
from certify.checker.reading.envelope import Failed, Malformed, envelope, integer, rational, record
from certify.checker.verdict import Proof, Run


def check_clipping(certificate: Any, run: Run) -> Proof:
    """The `Proof` of a certificate of kind "entropy-clipping"; raises `Failed` or `Malformed`."""
    envelope(certificate, ("claim", "old", "new", "eps_low", "eps_high"))
    claim = record(certificate["claim"], "claim", ("says",), ("action",))
    before, after = _single(certificate["old"], "old"), _single(certificate["new"], "new")
    if before.size != after.size:
        raise Malformed("new", "not the actions of the old policy")
    low, high = rational(certificate["eps_low"], "eps_low"), rational(certificate["eps_high"], "eps_high")
    if not 0 <= low <= 1 or high < 0:
        raise Malformed("eps_low", "a clip range out of range")
    least, most = Interval.of(1 - low), Interval.of(1 + high)
    limits = f"[{1 - low}, {1 + high}]"
    if claim["says"] == "in range":
        for a in range(before.size):
            if not _inside(before, after, a, low, high):
                raise Failed("the ratio is not proved to be in range", step=f"action {a}")
        return Proof((f"all ratios are in {limits}, so the entropy changes by a factor in {limits}",), before.size)
    if claim["says"] == "out of range":
        a = integer(claim.get("action"), "claim.action", 0, before.size - 1)
        ratio = after.pi[a] / before.pi[a]
        if not ((ratio - most).positive() or (least - ratio).positive()):
            raise Failed("the ratio is not proved to leave the range", step=f"action {a}")
        return Proof((f"the ratio of action {a} is outside {limits}",), 1)
    if claim["says"] != "bound broken":
        raise Malformed("claim.says", "none of: in range, out of range, bound broken")
    over, under = after.entropy - most * before.entropy, least * before.entropy - after.entropy
    if not (over.positive() or under.positive()):
        raise Failed("the new entropy is not proved to be outside the bounds", step="bounds")
    return Proof((f"the new entropy is outside {limits} times the old one",), 1)


def _single(data: Any, where: str) -> State:
    states = policy(data, where)
    if len(states) != 1:
        raise Malformed(where, "not one state")
    return states[0]


def _inside(before: State, after: State, a: int, low: Any, high: Any) -> bool:
    """1 − ε_low <= π'_a/π_a <= 1 + ε_high: exactly for exact probabilities, else by enclosures."""
    if before.exact and after.exact and not (before.logits or after.logits):
        ratio = after.ends[a][0] / before.ends[a][0]
        return bool(1 - low <= ratio <= 1 + high)
    found = after.pi[a] / before.pi[a]
    return found.within(1 - low, 1 + high)
