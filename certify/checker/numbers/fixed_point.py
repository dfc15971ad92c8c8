"""Rigorous fixed-point arithmetic: the integer n stands for n / 2^BITS.

`*_down` is at most and `*_up` at least the true value; sums and products of integers are exact, and
`>>` and `//` round down.  An *ulp* is 2^-BITS.

exp and log take the number of bits of their unit; they work with 32 bits more and are off by less than 2^17
units there, i.e. less than 2^-15 ulp, before they are rounded; the bounds are proved at each function.
"""

from fractions import Fraction
from functools import cache, lru_cache

BITS = 60
ONE = 1 << BITS
_EXTRA = 32
_SLACK = 1 << 17  # units of 2^-work
LARGEST_EXPONENT = 1 << 14  # exp is taken of numbers up to this size
LONGEST = 1 << 15  # log is taken of numbers of fewer bits


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


@cache
def log_two(work: int) -> int:
    """log 2 in units of 2^-work, rounded down: at most log 2 and more than log 2 - 2 units.

    log 2 = 2 atanh(1/3), summed with 40 bits more: every term is rounded down by less than 2 units, there are fewer
    than 2^30, and the tail is below the last power, less than 1 unit.
    """
    power, total, i = (1 << work + 40) // 3, 0, 0
    while power:
        total += power // (2 * i + 1)
        power //= 9
        i += 1
    return 2 * total >> 40


@lru_cache(maxsize=1 << 16)
def log_bounds(x: int, bits: int = BITS) -> tuple[int, int]:
    """(down, up) of log(x / 2^bits), in units of 2^-bits, for an integer x > 0 of fewer than `LONGEST` bits.

    x / 2^bits = m 2^e with m in [0.7, 1.42], log = e log 2 + 2 atanh t, t = (m - 1)/(m + 1), so
    |t| < 0.18.  Units are 2^-work.  m is cut by less than 1 unit and t then by less than 2 in all
    (dt/dm = 2/(m + 1)^2 < 0.7).  t^2 is off by less than 2, and every power p_i = t^(2i+1) by
    less than 2: 0.04 * 2 + 0.18 * 2 + 1 < 2.  A term p_i/(2i + 1) is off by less than 2; the tail from
    i = n = work/4 is below 0.18^(2n+1) < 2^-(1.2 work), less than 1.  All together less than 2 (2 n + 1), and e log 2
    is off by less than 2 |e| < 2^16 + 2 bits: with work < 2^12 less than 2^17.
    """
    if not 0 < x.bit_length() < LONGEST or x < 0:
        raise OverflowError("the logarithm of a number of too many bits, or of one that is not positive")
    work = bits + _EXTRA
    exponent = x.bit_length() - 1
    m = x << (work - exponent) if exponent <= work else x >> (exponent - work)
    if 5 * m > 7 << work:
        exponent += 1
        m >>= 1
    one = 1 << work
    t = ((m - one) << work) // (m + one)
    square = t * t >> work
    power, total = t, 0
    for i in range(work // 4):
        total += power // (2 * i + 1)
        power = power * square >> work
    value = 2 * total + (exponent - bits) * log_two(work)
    return (value - _SLACK) >> _EXTRA, ceil_shift(value + _SLACK, _EXTRA)


def log_rational(x: Fraction) -> tuple[int, int]:
    """(down, up) of log x for a rational x = p / q > 0: log p - log q."""
    ends = log_bounds(x.numerator << BITS), log_bounds(x.denominator << BITS)
    return ends[0][0] - ends[1][1], ends[0][1] - ends[1][0]


def exp_bounds(x: int, bits: int = BITS) -> tuple[int, int]:
    """(down, up) of exp(x / 2^bits), in units of 2^-bits <= 2^-60, for any integer x.

    Below -2^14 the answer is (0, 1 ulp); above 2^14 `OverflowError` is raised.  With k = floor(x / log 2) and
    r = x - k log 2, in units of 2^-work: r is off by less than 2 (|k| + 1) and lies in [0, 0.7].  Terms r^i / i!: each
    is cut twice, and its error is below (0.7 * previous + 1)/i + 1 < 4; the tail from i = n = work/3 + 2 >= 32 is
    below 2 * 0.7^n / n! < 2^-work.  So exp(r) is off by less than 4 n + 2 + 2.1 * 2 (|k| + 1), |k| <= 23,700: with
    work < 2^12 less than 2^17.
    """
    if x < -LARGEST_EXPONENT << bits:
        return 0, 1
    if x > LARGEST_EXPONENT << bits:
        raise OverflowError(f"exp of a number above {LARGEST_EXPONENT}")
    work = bits + _EXTRA
    k, r = divmod(x << _EXTRA, log_two(work))
    term, total = 1 << work, 0
    for i in range(1, work // 3 + 3):
        total += term
        term = (term * r >> work) // i
    shift = _EXTRA - k
    if shift <= 0:
        return (total - _SLACK) << -shift, (total + _SLACK) << -shift
    return max(0, (total - _SLACK) >> shift), ceil_shift(total + _SLACK, shift)
