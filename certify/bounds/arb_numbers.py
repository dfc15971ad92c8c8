"""Between numpy, `Fraction` and python-flint's balls; the only place that touches flint's context.

`flint.ctx.prec` is global and not thread-safe: it is set by `working_precision` alone, restored
afterwards.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from fractions import Fraction

import flint
import numpy as np

from certify.errors import Undecided


@contextlib.contextmanager
def working_precision(bits: int) -> Iterator[None]:
    """arb at `bits` bits inside the block.

    >>> with working_precision(100):
    ...     flint.ctx.prec
    100
    """
    before = flint.ctx.prec
    flint.ctx.prec = bits
    try:
        yield
    finally:
        flint.ctx.prec = before


def to_arb(value: Fraction) -> flint.arb:
    """The ball of an exact rational at the working precision."""
    return flint.arb(flint.fmpq(value.numerator, value.denominator))


def ball(lower: Fraction, upper: Fraction) -> flint.arb:
    """A ball that contains [lower, upper]."""
    return to_arb(lower).union(to_arb(upper))


def square(x: flint.arb) -> flint.arb:
    """A ball that contains the squares of all numbers of `x`, and no negative number but for rounding.

    The only way to square a ball here: python-flint's `arb ** 2` is nan where the midpoint is exactly 0 and
    the radius is not.

    >>> square(flint.arb(0, 1)).is_finite(), square(flint.arb(-3)) == 9
    (True, True)
    """
    least, largest = x.abs_lower(), x.abs_upper()
    if x.is_exact() or 2 * least > largest:
        return x * x
    return (least * least).union(largest * largest)


def power(x: flint.arb, exponent: int) -> flint.arb:
    """A ball that contains y^exponent for every y in `x`; exponent >= 0 (see `square` for why not `**`).

    >>> power(flint.arb(0, 1), 3).is_finite(), power(flint.arb(2), 10) == 1024, power(flint.arb(0), 0) == 1
    (True, True, True)
    """
    if exponent < 0:
        raise ValueError(f"exponent {exponent} is negative")
    result = flint.arb(1)
    while exponent:
        if exponent % 2:
            result = result * x
        x, exponent = square(x), exponent // 2
    return result


def arb_ends(value: flint.arb) -> tuple[Fraction, Fraction] | None:
    """Exact rational ends of a ball, or None if it is not finite."""
    if not value.is_finite():
        return None
    (mid, mid_exponent), (radius, radius_exponent) = value.mid().man_exp(), value.rad().man_exp()
    centre, spread = _dyadic(mid, mid_exponent), _dyadic(radius, radius_exponent)
    return centre - spread, centre + spread


def finite_ends(value: flint.arb) -> tuple[Fraction, Fraction]:
    """Exact rational ends of a ball; raises `Undecided` where it is not finite."""
    ends = arb_ends(value)
    if ends is None:
        raise Undecided("a ball is not finite; the computation left the range of its arithmetic")
    return ends


def _dyadic(mantissa: flint.fmpz, exponent: flint.fmpz) -> Fraction:
    m, e = int(mantissa), int(exponent)
    return Fraction(m << e) if e >= 0 else Fraction(m, 1 << -e)


def float_ends(value: flint.arb) -> tuple[float, float]:
    """Float64 (lower, upper) around a ball; infinite where it is not finite or out of range."""
    ends = arb_ends(value)
    if ends is None:
        return -math.inf, math.inf
    return _float_towards(ends[0], -math.inf), _float_towards(ends[1], math.inf)


def _float_towards(value: Fraction, direction: float) -> float:
    try:
        rounded = float(value)
    except OverflowError:
        rounded = math.inf if value > 0 else -math.inf
        # the largest finite number is the bound on the side that points to zero
        return rounded if rounded == direction else math.nextafter(rounded, 0.0)
    wrong = Fraction(rounded) < value if direction > 0 else Fraction(rounded) > value
    return math.nextafter(rounded, direction) if wrong else rounded


def minus_log_enclosure(p: np.ndarray, bits: int) -> tuple[np.ndarray, np.ndarray]:
    """Rational (lower, upper) of -log p for every entry 0 < p <= 1, at `bits` bits.

    >>> low, high = minus_log_enclosure(np.array([Fraction(1, 2)], dtype=object), 60)
    >>> bool(low[0] < Fraction(6931471805599453095, 10**19) < high[0])
    True
    """
    with working_precision(bits):
        ends = [finite_ends(-to_arb(Fraction(v)).log()) for v in p.ravel()]
    lower, upper = (np.empty(p.shape, dtype=object) for _ in range(2))
    lower.ravel()[:] = [max(Fraction(0), low) for low, _ in ends]
    upper.ravel()[:] = [max(Fraction(0), high) for _, high in ends]
    return lower, upper


def log_enclosure(value: Fraction, bits: int) -> tuple[Fraction, Fraction]:
    """Rational (lower, upper) of log value for a positive rational, at `bits` bits.

    >>> low, high = log_enclosure(Fraction(2), 60)
    >>> low < Fraction(6931471805599453095, 10**19) < high
    True
    """
    with working_precision(bits):
        return finite_ends(to_arb(value).log())
