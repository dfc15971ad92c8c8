"""Reads a certificate file: strict JSON within limits, exact numbers, hashes (format, section 1).

`Malformed` is raised for whatever is not a certificate of this format; `Failed` for a well-formed
certificate whose step does not verify.  Nothing here proves anything: it decides what is read.
"""

import hashlib
import json
import re
from fractions import Fraction

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


class Malformed(ValueError):
    """The input is not a certificate of this format (one line: where and what)."""

    def __init__(self, where, what):
        super().__init__(" ".join(f"{where}: {what}".split())[:500])


class Failed(Exception):
    """A step that does not verify: `where` is a dict that names it, `why` one line."""

    def __init__(self, why, **where):
        super().__init__(why)
        self.where, self.why = where, why

    def as_dict(self):
        return {**self.where, "why": self.why}


def read_file(path):
    """The JSON object in a certificate file."""
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise Malformed(str(path), f"cannot be read ({error.strerror})") from None
    if len(data) > MAX_BYTES:
        raise Malformed(str(path), f"larger than {MAX_BYTES} bytes")
    return parse(data, str(path))


def parse(data, where="certificate"):
    """The object that the bytes spell, refusing floats, NaN, duplicate keys and deep nesting."""

    def refuse_float(text):
        raise Malformed(where, f'{text[:40]} is a floating-point number; numbers are strings "p/q" or integers')

    def unique(pairs):
        found = dict(pairs)
        if len(found) != len(pairs):
            keys = [k for k, _ in pairs]
            raise Malformed(where, f"the key {next(k for k in keys if keys.count(k) > 1)!r} occurs twice")
        return found

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
    check_limits(obj, where)
    return obj


def check_limits(obj, where="certificate"):
    """`Malformed` unless `obj` is a JSON object without floats whose parts are within the limits."""
    if not isinstance(obj, dict):
        raise Malformed(where, "not a JSON object")
    pending = [(obj, 0)]
    while pending:  # no recursion: the nesting of an object made in Python may be arbitrarily deep
        item, depth = pending.pop()
        if item is None or item is True or item is False:
            continue
        if depth > MAX_DEPTH:
            raise Malformed(where, "nested too deeply")
        if isinstance(item, dict):
            for key, value in item.items():
                if not isinstance(key, str):
                    raise Malformed(where, f"a key that is not a string: {key!r}"[:80])
                pending += [(part, depth + 1) for part in (key, value) if not _plain(part)]
        elif isinstance(item, list):
            if set(map(type, item)) != {int} or max(item) > MAX_INTEGER or min(item) < -MAX_INTEGER:
                pending += [(value, depth + 1) for value in item if not _plain(value)]
        elif isinstance(item, str):
            if len(item) > MAX_TEXT:
                raise Malformed(where, f"a string of {len(item)} characters")
            if not item.isascii() and any("\ud800" <= c <= "\udfff" for c in item):
                raise Malformed(where, "a string that is not Unicode text")
        elif isinstance(item, int):
            if abs(item) > MAX_INTEGER:
                raise Malformed(where, "an integer that is too large")
        else:
            raise Malformed(where, f'a {type(item).__name__}; numbers are strings "p/q" or integers')


def _plain(item):
    """True only of what `check_limits` need not look at again: most of what there is."""
    if type(item) is int:
        return abs(item) <= MAX_INTEGER
    return type(item) is str and len(item) <= MAX_TEXT and item.isascii()


def rational(value, where):
    """The exact number that "p" or "p/q" spells."""
    match = _RATIONAL.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise Malformed(where, f'{str(value)[:40]!r} is not a number "p" or "p/q"')
    if len(match[1]) > MAX_DIGITS or len(match[2] or "") > MAX_DIGITS:
        raise Malformed(where, f"a number of more than {MAX_DIGITS} digits")
    if match[2] is not None and int(match[2]) == 0:
        raise Malformed(where, f"{value[:40]!r} divides by zero")
    return Fraction(int(match[1]), int(match[2] or 1))


def integer(value, where, low, high):
    """`value` if it is a JSON integer from `low` to `high`."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise Malformed(where, f"{str(value)[:40]!r} is not an integer")
    if not low <= value <= high:
        raise Malformed(where, f"{str(value)[:40]} is not within {low} .. {high}")
    return value


def array(value, where, length=None):
    """`value` if it is a list, of the given length where one is given."""
    if not isinstance(value, list):
        raise Malformed(where, "not a list")
    if length is not None and len(value) != length:
        raise Malformed(where, f"a list of {len(value)} where {length} are needed")
    return value


def record(value, where, required, optional=()):
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


def sha256(obj):
    """SHA-256 of the canonical bytes of a JSON object (sorted keys, compact, UTF-8)."""
    text = json.dumps(obj, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
