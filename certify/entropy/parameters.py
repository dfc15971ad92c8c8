"""The parameters of the algorithms: names, kinds and defaults, read exactly and checked
(docs/theory/entropy.md; interface: `--param k=v`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from certify.entropy.clipping import TokenSequence
from certify.entropy.policy import Policy, numbers, policy_from_json, read_json_argument
from certify.errors import InputError
from certify.exact import parse_rational


@dataclass(frozen=True)
class Parameter:
    """One parameter: its `kind` decides how text is read, `default` None means "not given".

    Kinds: `number`, `fraction` (in [0, 1]), `positive` (> 0), `nonnegative`, `index`, `size`
    (a whole number >= 2), `policy`, `indices` (a list of actions), `numbers`, `sequences`, or a tuple of the
    words allowed; `number|neutral` also takes that word.
    """

    kind: str | tuple[str, ...]
    default: Any = None
    meaning: str = ""


def read_parameter(name: str, parameter: Parameter, value: Any, policy: Policy) -> Any:
    """The value of a parameter from command-line text or JSON; `InputError` names it otherwise."""
    where = f"parameter {name}"
    kind = parameter.kind
    if isinstance(kind, tuple):
        if value not in kind:
            raise InputError(where, f"{value!r}", f"use one of {', '.join(kind)}")
        return value
    if kind == "policy":
        return policy_from_json(_json(value, where), where)
    if kind == "indices":
        items = _json(value, where)
        if not isinstance(items, list | tuple) or len(items) < 2:
            raise InputError(where, "not a list of at least two actions", "write it like [0,2,1]")
        return tuple(_whole(item, where, 0) for item in items)
    if kind == "numbers":
        items = _json(value, where)
        if not isinstance(items, list | tuple) or not items:
            raise InputError(where, "not a list of numbers", "write it like 1,1/2")
        return tuple(parse_rational(item, where) for item in items)
    if kind == "sequences":
        return _sequences(_json(value, where), where, policy)
    if kind == "index":
        return _whole(value, where, 0)
    if kind == "size":
        return _whole(value, where, 2)
    if kind == "number|neutral" and value == "neutral":
        return value
    number = parse_rational(value, where)
    if kind == "fraction" and not 0 <= number <= 1:
        raise InputError(where, f"{number}", "use a number from 0 to 1")
    if kind == "nonnegative" and number < 0:
        raise InputError(where, f"{number} is negative", "use a number that is at least 0")
    if kind == "positive" and number <= 0:
        raise InputError(where, f"{number} is not positive", "use a number above 0")
    return number


def _json(value: Any, where: str) -> Any:
    return read_json_argument(value, where) if isinstance(value, str) else value


def _whole(value: Any, where: str, least: int) -> int:
    number = parse_rational(value, where)
    if number.denominator != 1 or number < least:
        raise InputError(where, f"{value}", f"use a whole number, at least {least}")
    return int(number)


def _sequences(items: Any, where: str, policy: Policy) -> tuple[TokenSequence, ...]:
    if not isinstance(items, list) or not items:
        raise InputError(where, "not a list of sequences", 'write [{"tokens": [[state, action], ...]}, ...]')
    found = []
    for k, item in enumerate(items):
        at = f"{where}, sequence {k}"
        if not isinstance(item, dict) or not isinstance(item.get("tokens"), list) or not item["tokens"]:
            raise InputError(at, "no tokens", 'write {"tokens": [[state, action], ...]}')
        tokens = []
        for token in item["tokens"]:
            if not isinstance(token, list) or len(token) != 2:
                raise InputError(at, f"the token {token!r}", "write it as [state, action]")
            s, a = (_whole(x, at, 0) for x in token)
            if s >= len(policy) or a >= policy[s].size:
                raise InputError(at, f"the token [{s}, {a}] is out of range", "number states and actions from 0")
            tokens.append((s, a))
        before = item.get("old_log_probabilities")
        row = None if before is None else numbers(before, at)
        if row is not None and (len(row) != len(tokens) or any(e.upper > 0 for e in row)):
            raise InputError(at, "old_log_probabilities", "give one number <= 0 per token")
        found.append(TokenSequence(tuple(tokens), row))
    return tuple(found)


def read_parameters(
    name: str, known: Mapping[str, Parameter], given: Mapping[str, Any], policy: Policy
) -> dict[str, Any]:
    """All parameters of the algorithm `name`, defaults filled in.

    >>> from fractions import Fraction
    >>> read_parameters("ppo", {"eps": Parameter("nonnegative", Fraction(1, 5))}, {"eps": "0.1"}, ())
    {'eps': Fraction(1, 10)}
    """
    if extra := set(given) - set(known):
        allowed = ", ".join(sorted(known)) or "none"
        raise InputError("parameters", f"{name} has no parameter {sorted(extra)[0]!r}", f"its parameters: {allowed}")
    return {key: read_parameter(key, p, given[key], policy) if key in given else p.default for key, p in known.items()}
