"""Reads a certificate file: strict JSON, exact numbers within limits, hashes (format, section 1).

`Malformed` is raised for whatever is not a certificate of this format; `Failed` for a well-formed
certificate whose step does not verify.  Nothing here proves anything: it decides what is read.
"""

import hashlib
import json
import re
from fractions import Fraction
from typing import Any

FORMAT, VERSION = "certify-certificate", 1

MAX_BYTES = 100_000_000  # of a file
MAX_DEPTH = 40  # of nested lists and objects
MAX_DIGITS = 2_000  # of a numerator or a denominator
MAX_INTEGER = 10**60  # absolute value of a JSON integer
MAX_TEXT = 20_000  # characters of a string
MAX_UNIT = 1_000  # absolute value of the exponent `proof.unit`
MAX_NODES = 100_000  # of a cover
MAX_STEPS = 1_000_000  # of all nodes together

_RATIONAL = re.compile(r"(-?[0-9]+)(?:/([0-9]+))?", re.ASCII)


def printable(text: str, limit: int | None = None) -> str:
    """At most `limit` characters of the text in one line; what cannot be printed becomes "?"."""
    return "".join(c if c.isprintable() else "?" for c in text[:limit])


class Malformed(ValueError):
    """The input is not a certificate of this format (one line: where and what)."""

    def __init__(self, where: str, what: str) -> None:
        super().__init__(printable(" ".join(f"{where}: {what}".split()), 500))


class Failed(Exception):
    """A step that does not verify: `where` is a dict that names it, `why` one line."""

    def __init__(self, why: str, **where: Any) -> None:
        super().__init__(why)
        self.where, self.why = where, why

    def as_dict(self) -> dict[str, Any]:
        """What a verdict says of it, every text printable and in one line."""
        named = {**self.where, "why": self.why}
        return {key: printable(value, 500) if isinstance(value, str) else value for key, value in named.items()}


def read_file(path: Any) -> dict[str, Any]:
    """The JSON object in a certificate file."""
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise Malformed(str(path), f"cannot be read ({error.strerror})") from None
    return parse(data, str(path))


def read_object(obj: Any) -> dict[str, Any]:
    """The JSON object that a file with `obj` in it would hold."""
    try:
        data = json.dumps(obj).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise Malformed("certificate", f"cannot be written as JSON: {error}") from None
    return parse(data)


def parse(data: bytes, where: str = "certificate") -> dict[str, Any]:
    """The object that the bytes spell, refusing floats, NaN, duplicate keys and deep nesting."""

    def refuse_float(text: str) -> None:
        raise Malformed(where, f'{text[:40]} is a floating-point number; numbers are strings "p/q" or integers')

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            keys = [k for k, _ in pairs]
            raise Malformed(where, f"the key {next(k for k in keys if keys.count(k) > 1)!r} occurs twice")
        return found

    if len(data) > MAX_BYTES:
        raise Malformed(where, f"larger than {MAX_BYTES} bytes")
    try:
        obj = json.loads(
            data.decode("utf-8"), parse_float=refuse_float, parse_constant=refuse_float, object_pairs_hook=unique
        )
    except Malformed:
        raise
    except RecursionError:
        raise Malformed(where, "nested too deeply") from None
    except ValueError as error:  # JSON and UTF-8 errors
        raise Malformed(where, f"not JSON: {error}") from None
    if not isinstance(obj, dict):
        raise Malformed(where, "not a JSON object")
    _check_limits(obj, where)
    return obj


def _check_limits(obj: dict[str, Any], where: str) -> None:
    """That every part of the object is within the limits, those that are not looked at later included."""
    level: list[Any] = [obj]
    for _ in range(MAX_DEPTH + 1):
        parts = [part for item in level for part in ((*item, *item.values()) if isinstance(item, dict) else item)]
        for part in parts:
            if isinstance(part, int) and abs(part) > MAX_INTEGER:
                raise Malformed(where, "an integer that is too large")
            if isinstance(part, str) and len(part) > MAX_TEXT:
                raise Malformed(where, f"a string of {len(part)} characters")
            if isinstance(part, str) and not part.isascii() and any("\ud800" <= c <= "\udfff" for c in part):
                raise Malformed(where, "a string that is not Unicode text")
        level = [part for part in parts if isinstance(part, (dict, list))]
    if level:
        raise Malformed(where, "nested too deeply")


def rational(value: Any, where: str) -> Fraction:
    """The exact number that "p" or "p/q" spells."""
    match = _RATIONAL.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise Malformed(where, f'{str(value)[:40]!r} is not a number "p" or "p/q"')
    if len(match[1]) > MAX_DIGITS or len(match[2] or "") > MAX_DIGITS:
        raise Malformed(where, f"a number of more than {MAX_DIGITS} digits")
    if match[2] is not None and int(match[2]) == 0:
        raise Malformed(where, f"{value[:40]!r} divides by zero")
    return Fraction(int(match[1]), int(match[2] or 1))


def integer(value: Any, where: str, low: int, high: int) -> int:
    """`value` if it is a JSON integer from `low` to `high`."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise Malformed(where, f"{str(value)[:40]!r} is not an integer")
    if not low <= value <= high:
        raise Malformed(where, f"{str(value)[:40]} is not within {low} .. {high}")
    return value


def boolean(value: Any, where: str) -> bool:
    """`value` if it is true or false."""
    if not isinstance(value, bool):
        raise Malformed(where, "neither true nor false")
    return value


def pair(value: Any, where: str) -> tuple[Fraction, Fraction]:
    """Two exact numbers, not checked to be in order."""
    low, high = array(value, where, 2)
    return rational(low, where), rational(high, where)


def array(value: Any, where: str, length: int | None = None) -> list[Any]:
    """`value` if it is a list, of the given length where one is given."""
    if not isinstance(value, list):
        raise Malformed(where, "not a list")
    if length is not None and len(value) != length:
        raise Malformed(where, f"a list of {len(value)} where {length} are needed")
    return value


def record(value: Any, where: str, required: tuple[str, ...], optional: tuple[str, ...] = ()) -> dict[str, Any]:
    """`value` if it is an object with the required fields and none but the optional ones besides."""
    if not isinstance(value, dict):
        raise Malformed(where, "not an object")
    for key in required:
        if key not in value:
            raise Malformed(where, f"no field {key!r}")
    for key in value:
        if key not in required and key not in optional:
            raise Malformed(where, f"unknown field {key[:40]!r}")
    return value


def envelope(certificate: Any, fields: tuple[str, ...], optional: tuple[str, ...] = ()) -> None:
    """That the certificate has these fields besides the envelope's, and J of section 2 for its objective."""
    head = ("format", "version", "kind")
    record(certificate, "certificate", (*head, *fields), ("consequences", "search", *optional))
    objectives = ("visitation", "kl", "local") if "game" in fields else ("visitation",)
    if "objective" in fields and certificate["objective"] not in objectives:
        raise Malformed("certificate.objective", f"none of {', '.join(objectives)}")


def check_hash(certificate: Any, subject: str) -> None:
    """`Failed` unless the certificate is about the game, or the parameters, that it names."""
    if not isinstance(certificate[f"{subject}_sha256"], str):
        raise Malformed(f"certificate.{subject}_sha256", "not a string")
    if sha256(certificate[subject]) != certificate[f"{subject}_sha256"]:
        raise Failed(f"it is not the hash of the {subject}", step=f"{subject}_sha256")


def sha256(obj: Any) -> str:
    """SHA-256 of the canonical bytes of a JSON object (sorted keys, compact, UTF-8)."""
    text = json.dumps(obj, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
