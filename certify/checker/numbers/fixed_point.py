"""Rigorous fixed-point arithmetic: the integer n stands for n / 2^BITS.

`*_down` is at most and `*_up` at least the true value; sums and products of integers are exact, and
`>>` and `//` round down.  An *ulp* is 2^-BITS.

exp and log work at WORK = 92 bits and are off by less than 2^14 units there, i.e. less than 2^-78,
before they are rounded to the grid of 2^-60; the bounds are proved at each function.
"""

from fractions import Fraction
from functools import lru_cache

BITS = 60
ONE = 1 << BITS
WORK = 92
_EXTRA = WORK - BITS
_SLACK = 1 << 14  # units of 2^-WORK
_LOG_TERMS = 22
_EXP_TERMS = 32
LARGEST_EXPONENT = 1000  # exp is taken of numbers up to this size


def down(x: Fraction) -> int:
    """The largest fixed-point number <= the rational x."""
    return (x.numerator << BITS) // x.denominator


def up(x: Fraction) -> int:
    """The smallest fixed-point number >= the rational x."""
    return -down(-x)


def scaled_down(m: int, unit: int) -> int:
    """The largest fixed-point number <= m 2^unit."""
    return m << BITS + unit if BITS + unit >= 0 else m >> -(BITS + unit)


def ceil_shift(x: int, bits: int) -> int:
    """x / 2^bits rounded up."""
    return -(-x >> bits)


def ceil_div(x: int, y: int) -> int:
    """x / y rounded up, for y > 0."""
    return -(-x // y)


def _log_two() -> int:
    """floor(2^WORK log 2): log 2 = 2 atanh(1/3), summed at WORK + 40 bits.

    Every one of the 60 terms is rounded down by less than 2 units, the tail is below 3^-121; so
    the sum lies below the truth by less than 2^8 units of 2^-(WORK + 40), and the result, rounded
    down, is at most log 2 and more than log 2 - 2 * 2^-WORK.
    """
    power, total = (1 << WORK + 40) // 3, 0
    for i in range(60):
        total += power // (2 * i + 1)
        power //= 9
    return 2 * total >> 40


_LOG2 = _log_two()


@lru_cache(maxsize=1 << 16)
def log_bounds(x: int) -> tuple[int, int]:
    """(down, up) of log(x / 2^BITS) for an integer x > 0 of fewer than 2^12 bits.

    x / 2^BITS = m 2^e with m in [0.7, 1.42], log = e log 2 + 2 atanh t, t = (m - 1)/(m + 1), so
    |t| < 0.18.  Units are 2^-WORK.  m is cut by less than 1 unit and t then by less than 2 in all
    (dt/dm = 2/(m + 1)^2 < 0.7).  t^2 is off by less than 2, and every power p_i = t^(2i+1) by
    less than 2: 0.04 * 2 + 0.18 * 2 + 1 < 2.  A term p_i/(2i + 1) is off by less than 2 for
    i > 0; the terms together by less than 2 + 21 * 2 = 44; the tail from i = 22 is below
    0.18^45 / 45 / 0.96 < 2^-115, less than 1.  Twice that is below 90, and e log 2 is off by less
    than 2 |e| < 2^13.  All together less than 2^14.
    """
    exponent = x.bit_length() - 1
    m = x << (WORK - exponent) if exponent <= WORK else x >> (exponent - WORK)
    if 5 * m > 7 << WORK:
        exponent += 1
        m >>= 1
    one = 1 << WORK
    t = ((m - one) << WORK) // (m + one)
    square = t * t >> WORK
    power, total = t, 0
    for i in range(_LOG_TERMS):
        total += power // (2 * i + 1)
        power = power * square >> WORK
    value = 2 * total + (exponent - BITS) * _LOG2
    return (value - _SLACK) >> _EXTRA, ceil_shift(value + _SLACK, _EXTRA)


def log_up(x: int) -> int:
    """An upper bound of log(x / 2^BITS)."""
    return log_bounds(x)[1]


def exp_bounds(x: int) -> tuple[int, int]:
    """(down, up) of exp(x / 2^BITS) for any integer x.

    Outside [-1000, 1000] the answer is (0, 1 ulp) on the left; on the right the upper bound does
    not exist and `OverflowError` is raised.  With k = floor(x / log 2) and r = x - k log 2, in
    units of 2^-WORK: r is off by less than 2 (|k| + 1) and lies in [0, 0.7].  Terms r^i / i!: each
    is cut twice, and its error is below (0.7 * previous + 1)/i + 1 < 4; the 32 terms together are
    off by less than 128, the tail is below 2 * 0.7^32 / 32! < 2^-130.  So exp(r) is off by less
    than 130 + 2.1 * 2 (|k| + 1) < 2^14 units, |k| <= 1444.
    """
    if x < -LARGEST_EXPONENT * ONE:
        return 0, 1
    if x > LARGEST_EXPONENT * ONE:
        raise OverflowError("exp of a number above 1000")
    k, r = divmod(x << _EXTRA, _LOG2)
    term, total = 1 << WORK, 0
    for i in range(1, _EXP_TERMS + 1):
        total += term
        term = (term * r >> WORK) // i
    shift = _EXTRA - k
    if shift <= 0:
        return (total - _SLACK) << -shift, (total + _SLACK) << -shift
    return max(0, (total - _SLACK) >> shift), ceil_shift(total + _SLACK, shift)
