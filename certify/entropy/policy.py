"""What an entropy question is about: tabular policies of one or several weighted states, and a
number per action, as exact rationals or as enclosures (docs/theory/entropy.md).

A policy is given by its probabilities or by its logits; every probability is positive, as a
softmax policy's is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from flint import arb

from certify.entropy.enclosure import RationalEnclosure, ball, dot
from certify.errors import InputError
from certify.exact import parse_rational, rational_text
from certify.games.readers.textfile import parse_json, read_text

Numbers = tuple[RationalEnclosure, ...]


@dataclass(frozen=True)
class StatePolicy:
    """The policy in one state: `entries` are probabilities, or logits where `logits` is set.

    `weight` > 0 is the state's weight d(s): entropies are averaged with it, and the gradient of
    Σ_s d(s) J_s carries it (natural gradients do not).
    """

    entries: Numbers
    logits: bool = False
    weight: Fraction = Fraction(1)

    def __post_init__(self) -> None:
        _check_state(self)

    @property
    def size(self) -> int:
        """Number of actions."""
        return len(self.entries)

    @property
    def exactly_uniform(self) -> bool:
        """All entries exact and equal: then log π is constant, exactly."""
        return all(e.exact and e == self.entries[0] for e in self.entries)

    def balls(self) -> PolicyBalls:
        """π, log π, L = log π + H and H as arb balls at the working precision."""
        if self.exactly_uniform:
            n = self.size
            log_n = arb(n).log()
            return PolicyBalls((arb(1) / n,) * n, (-log_n,) * n, (arb(0),) * n, log_n)
        if self.logits:
            theta = [ball(e) for e in self.entries]
            top = max(e.upper for e in self.entries)
            weights = [(t - ball(top)).exp() for t in theta]
            total = sum(weights, arb(0))
            log_total = total.log() + ball(top)
            pi = tuple(w / total for w in weights)
            log_pi = tuple(t - log_total for t in theta)
        else:
            pi = tuple(ball(e) for e in self.entries)
            log_pi = tuple(p.log() for p in pi)
        entropy = -dot(pi, log_pi)
        return PolicyBalls(pi, log_pi, tuple(x + entropy for x in log_pi), entropy)


@dataclass(frozen=True)
class PolicyBalls:
    """Balls for π, log π, the centred log-probability L = log π + H, and the entropy H."""

    pi: tuple[arb, ...]
    log_pi: tuple[arb, ...]
    centred: tuple[arb, ...]
    entropy: arb


Policy = tuple[StatePolicy, ...]


def _check_state(state: StatePolicy) -> None:
    if not state.entries:
        raise InputError("policy", "a state without actions", "give at least one probability")
    if state.weight <= 0:
        raise InputError("policy", f"a state weight of {state.weight}", "use a positive weight")
    if state.logits:
        return
    low, high = (sum(ends, Fraction(0)) for ends in zip(*((e.lower, e.upper) for e in state.entries), strict=True))
    smallest = min(e.lower for e in state.entries)
    if smallest <= 0:
        raise InputError("policy", f"a probability of {smallest}", "softmax policies have positive probabilities only")
    if all(e.exact for e in state.entries):
        if low != 1:
            raise InputError(
                "policy",
                f"probabilities sum to {_short(low)}, not 1",
                "make them sum to exactly 1, or give enclosures [lo, hi]",
            )
    elif not low <= 1 <= high:
        raise InputError(
            "policy",
            f"enclosed probabilities sum to within [{_short(low)}, {_short(high)}], which misses 1",
            "widen the enclosures",
        )


def _short(value: Fraction) -> str:
    text = rational_text(value)
    return text if len(text) <= 60 else f"about {float(value):.17g} (1 is missed by about {float(value - 1):.3g})"


def _number(item: Any, where: str) -> RationalEnclosure:
    if isinstance(item, RationalEnclosure):
        return item
    if isinstance(item, list | tuple):
        if len(item) != 2:
            raise InputError(where, f"an enclosure with {len(item)} entries", "write it as [lower, upper]")
        low, high = (parse_rational(x, where) for x in item)
        if low > high:
            raise InputError(where, f"the enclosure [{low}, {high}] is empty", "put the lower end first")
        return RationalEnclosure(low, high)
    return RationalEnclosure.of(parse_rational(item, where))


def numbers(items: Any, where: str) -> Numbers:
    """A row of exact numbers or `[lower, upper]` enclosures; `InputError` naming `where` otherwise."""
    if not isinstance(items, list | tuple) or not items:
        raise InputError(where, "not a list of numbers", 'write it like ["1/2", "1/4", "1/4"]')
    return tuple(_number(item, where) for item in items)


def policy_from_json(data: Any, where: str = "policy") -> Policy:
    """A policy from a list of probabilities, or an object with `probabilities`, `logits` or `states`.

    >>> policy_from_json(["1/2", "1/4", "1/4"])[0].size
    3
    >>> policy_from_json({"states": [{"logits": ["0", "1"], "weight": "1/3"}]})[0].weight
    Fraction(1, 3)
    """
    if isinstance(data, list | tuple):
        return (StatePolicy(numbers(data, where)),)
    if not isinstance(data, dict):
        raise InputError(
            where,
            "not a policy",
            "give a list of probabilities, or an object with `probabilities`, `logits` or `states`",
        )
    if "states" in data:
        _only(data, {"states"}, where)
        if not isinstance(data["states"], list) or not data["states"]:
            raise InputError(where, "`states` is not a list of states", "give one object per state")
        return tuple(_state_from_json(item, f"{where}, state {k}") for k, item in enumerate(data["states"]))
    return (_state_from_json(data, where),)


def _state_from_json(data: Any, where: str) -> StatePolicy:
    if not isinstance(data, dict) or ("probabilities" in data) == ("logits" in data):
        raise InputError(
            where, "a state needs either probabilities or logits", 'write {"probabilities": [...]} or {"logits": [...]}'
        )
    _only(data, {"probabilities", "logits", "weight"}, where)
    key = "logits" if "logits" in data else "probabilities"
    return StatePolicy(
        numbers(data[key], where), key == "logits", parse_rational(data.get("weight", 1), f"{where}, weight")
    )


def _only(data: dict, known: set[str], where: str) -> None:
    if extra := set(data) - known:
        raise InputError(where, f"unknown key {sorted(extra)[0]!r}", f"use {', '.join(sorted(known))}")


def advantages_from_json(data: Any, policy: Policy, where: str = "advantages") -> tuple[Numbers, ...]:
    """One row of numbers per state of `policy`, from a list or `{"states": [[...], ...]}`."""
    rows = data["states"] if isinstance(data, dict) and set(data) == {"states"} else [data]
    if not isinstance(rows, list) or len(rows) != len(policy):
        raise InputError(
            where,
            f"{len(rows) if isinstance(rows, list) else 'no'} rows for {len(policy)} states",
            'write {"states": [[...], ...]} with one row per state',
        )
    found = tuple(numbers(row, where) for row in rows)
    for row, state in zip(found, policy, strict=True):
        if len(row) != state.size:
            raise InputError(where, f"{len(row)} numbers for {state.size} actions", "give one number per action")
    return found


def numbers_to_json(row: Sequence[RationalEnclosure]) -> list:
    """ "p/q" strings, or pairs of them for enclosures that are not exact."""
    return [rational_text(e.lower) if e.exact else e.texts() for e in row]


def policy_to_json(policy: Policy) -> dict:
    """The policy as certificates restate it; `policy_from_json` reads it back."""
    return {
        "states": [
            {"logits" if s.logits else "probabilities": numbers_to_json(s.entries), "weight": rational_text(s.weight)}
            for s in policy
        ]
    }


def read_json_argument(text: str, where: str) -> Any:
    """JSON from a file, or inline: a JSON text, or numbers separated by commas.  Decimals stay exact.

    >>> read_json_argument("0.5,1/4,0.25", "policy")
    ['0.5', '1/4', '0.25']
    """
    stripped = text.strip()
    if not stripped.startswith(("[", "{")):
        if _is_inline_row(stripped):
            return [part.strip() for part in stripped.split(",")]
        stripped, where = read_text(Path(stripped)).strip(), f"{where}, {Path(stripped).name}"
        if _is_inline_row(stripped):
            return [part.strip() for part in stripped.split(",")]
    return parse_json(stripped, where)


def _is_inline_row(text: str) -> bool:
    return "," in text and not text.startswith(("[", "{")) and not text.endswith(".json")
