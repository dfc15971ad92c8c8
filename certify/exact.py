"""Exact numbers in and out: every number a user writes is a rational, every number a
certificate carries is a rational or a dyadic, and a decimal shown to a person is rounded to the
safe side.
"""

from __future__ import annotations

import re
from fractions import Fraction
from numbers import Rational
from typing import Any

from certify.errors import InputError

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?\Z")
_RATIO = re.compile(r"[+-]?\d+/\d+\Z")
_LONGEST = 400  # characters; also bounds the decimal exponent, so no 10**(10**9) is ever built
_LONGEST_RATIO = 4_001  # as in certificates, 2,000 digits on both sides of the bar


def parse_rational(text: str | int, where: str = "number") -> Fraction:
    """The exact rational written as `17/20`, `0.85` or `1e-3` (never through a float).

    Raises `InputError` naming `where` for anything else, zero denominators and exponents
    beyond 400 included.

    >>> parse_rational("0.85"), parse_rational("1e-3"), parse_rational("17/20")
    (Fraction(17, 20), Fraction(1, 1000), Fraction(17, 20))
    """
    if isinstance(text, int) and not isinstance(text, bool):
        return Fraction(text)
    if isinstance(text, Fraction):
        return text
    if not isinstance(text, str):
        raise InputError(where, f"{text!r} is not an exact number", 'write it as a string, like "17/20" or "0.85"')
    stripped = text.strip()
    longest = _LONGEST_RATIO if "/" in stripped else _LONGEST
    if len(stripped) > longest:
        raise InputError(where, f"a number of {len(stripped)} characters", f"use at most {longest}")
    if _RATIO.match(stripped):
        if int(stripped.split("/")[1]) == 0:
            raise InputError(where, f"{stripped!r} divides by zero", "give a nonzero denominator")
        return Fraction(stripped)
    match = _NUMBER.match(stripped)
    if not match:
        raise InputError(where, f"{stripped!r} is not a number", "write it like 17/20, 0.85 or 1e-3")
    if match.group(3) and abs(int(match.group(3)[1:])) > _LONGEST:
        raise InputError(where, f"the exponent of {stripped!r} is out of range", f"keep it within {_LONGEST}")
    return Fraction(stripped)


def exact_number(value: Any, where: str = "number") -> Fraction:
    """The rational that a Python or numpy number stands for: a float is the decimal that prints it.

    Raises `InputError` for what is no finite real number.

    >>> exact_number(0.1), exact_number(3), exact_number("1e-3")
    (Fraction(1, 10), Fraction(3, 1), Fraction(1, 1000))
    """
    kind = getattr(getattr(value, "dtype", None), "kind", None)
    if isinstance(value, float) or kind == "f":
        return parse_rational(str(value), where)  # the shortest text that gives this float back
    if isinstance(value, bool) or kind in ("b", "i", "u"):
        return Fraction(int(value))
    if isinstance(value, Rational):
        return Fraction(int(value.numerator), int(value.denominator))
    return parse_rational(value, where)


def whole_number(value: Any, where: str, least: int = 1) -> int:
    """The whole number, at least `least`, that a Python or numpy number or a text stands for, else `InputError`.

    >>> whole_number("3", "--workers"), whole_number(2.0, "--workers")
    (3, 2)
    """
    number = exact_number(value, where)
    if number.denominator != 1 or number < least:
        raise InputError(where, f"{value!r}", f"use a whole number from {least} on")
    return int(number)


def positive_number(value: Any, where: str, what: str = "number") -> Fraction:
    """The exact number above 0 that a Python or numpy number or a text stands for, else `InputError`.

    >>> positive_number(0.5, "--time-limit", "number of seconds"), positive_number("1e-3", "--alpha")
    (Fraction(1, 2), Fraction(1, 1000))
    """
    number = exact_number(value, where)
    if number <= 0:
        raise InputError(where, f"{value}", f"use a positive {what}")
    return number


def rational_text(value: Fraction | int) -> str:
    """`p/q` in lowest terms, or `p` where q = 1: the form that certificates carry.

    >>> rational_text(Fraction(34, 40)), rational_text(2)
    ('17/20', '2')
    """
    value = Fraction(value)
    return str(value.numerator) if value.denominator == 1 else f"{value.numerator}/{value.denominator}"


def decimal_text(value: Fraction, digits: int = 6, *, up: bool) -> str:
    """A decimal with `digits` places, rounded up or down: the caller says which side is safe.

    >>> decimal_text(Fraction(1, 3), 4, up=True), decimal_text(Fraction(1, 3), 4, up=False)
    ('0.3334', '0.3333')
    """
    scaled = Fraction(value) * 10**digits
    whole = -((-scaled.numerator) // scaled.denominator) if up else scaled.numerator // scaled.denominator
    sign = "-" if whole < 0 else ""
    text = str(abs(whole)).rjust(digits + 1, "0")
    return f"{sign}{text[:-digits]}.{text[-digits:]}" if digits else f"{sign}{text}"


def significant_text(value: Fraction | int, digits: int = 6, *, up: bool) -> str:
    """A decimal with `digits` significant digits, rounded up or down: the caller says which side is safe.

    Of everyday size it is written out, beyond that with an exponent of ten.  Zeros that say nothing are left out.

    >>> significant_text(Fraction(1, 3), 4, up=True), significant_text(Fraction(-1, 3 * 10**30), 4, up=True)
    ('0.3334', '-3.333e-31')
    >>> significant_text(Fraction(10) ** 309, up=True), significant_text(Fraction(31, 2), up=False)
    ('1e309', '15.5')
    """
    value = Fraction(value)
    if not value:
        return "0"
    size = abs(value)
    exponent = len(str(size.numerator)) - len(str(size.denominator))
    if size < Fraction(10) ** exponent:
        exponent -= 1
    scaled = value / Fraction(10) ** (exponent - digits + 1)
    whole = -((-scaled.numerator) // scaled.denominator) if up else scaled.numerator // scaled.denominator
    if abs(whole) >= 10**digits:  # 999.9996 rounded up
        exponent, whole = exponent + 1, whole // 10
    sign, figures = "-" if whole < 0 else "", str(abs(whole))
    if -5 <= exponent < digits + 3:
        places = digits - 1 - exponent
        if places <= 0:
            return f"{sign}{figures}{'0' * -places}"
        padded = figures.rjust(places + 1, "0")
        return f"{sign}{padded[:-places]}.{padded[-places:]}".rstrip("0").rstrip(".")
    mantissa = f"{figures[0]}.{figures[1:]}".rstrip("0").rstrip(".")
    return f"{sign}{mantissa}e{exponent}"


def simplest_between(low: Fraction, high: Fraction) -> Fraction:
    """The fraction with the smallest denominator in [low, high], 0 < low < high (Stern and Brocot).

    >>> simplest_between(Fraction(3, 10), Fraction(4, 10))
    Fraction(1, 3)
    """
    whole = -(-low.numerator // low.denominator)
    if whole <= high:
        return Fraction(whole)
    below = Fraction(whole - 1)
    return below + 1 / simplest_between(1 / (high - below), 1 / (low - below))
