"""Entropy, its slope and the sampled token's log-probability for every row of logits of a batch, in float64
with proved radii (docs/theory/entropy.md#first-order; docs/theory/updates.md#shared-parameters for the slope).

One row has values z_a, top = max z, d_a = z_a − top, e_a = exp(d_a), one entry of the top taken out of the sums

    R = Σ e,  S = Σ e d,  Q = Σ e²,  Q1 = Σ e² d,  Q2 = Σ e² d²      (over all entries but one top)

so that Z = 1 + R, m := −S/Z ≥ 0 and L_a = log π_a + H = d_a + m, and everything is small where the row is
peaked, with relative accuracy instead of a difference from 1:

    H = log(1 + R) + m,   log π_k = d_k − log(1 + R),
    K = π_k L_k − E[πL] = (e_k (d_k + m) Z − m − Q1 − m Q)/Z²     (k a top entry: (m R − Q1 − m Q)/Z²),
    N = Σ π² L² = (m² + Q2 + 2 m Q1 + m² Q)/Z².

A step u = c (e_k − π) + τ ∇H then has dH/dη = −c K + τ N.

Errors.  All terms of a sum have one sign, so computed in any order, with n terms of relative error t, a sum has
the relative error t + (n + 1) U at most (second orders are covered by a factor 1 + 2^-40).  t: e_a is a quotient
of two table entries (2 REL + U) or one `exp_points` of a rounded difference (8 U + 700 U), e_a² doubles it; d_a is a
rounded difference (U), its product with e_a one more rounding, as is the count in front.  UNDERFLOW covers what
underflows: fewer than 2^40 terms, each wrong by less than 2^-1022 · 2^20.
16-bit rows hold at most 65,536 different values: a histogram of the codes replaces the row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields

import numpy as np

from certify.bounds.rounding import UNIT as U
from certify.entropy.balls import Balls
from certify.entropy.formats import FloatFormat
from certify.entropy.transcendental import exp, exp_points, log_points

UNDERFLOW = 2.0**-950
_SECOND = 1 + 2.0**-40
_TABLE_RANGE = 300.0  # |z| up to which e^z stands in a table: quotients stay normal numbers
_WIDEST = 700.0  # e^-700 < 10^-304: entries further below the top count as an error, not as a value
_DIRECT = 4096  # rows up to this long are cheaper without a histogram
_AT_ONCE = 1 << 16  # entries of rows that are worked on together: they stay in the cache


@dataclass(frozen=True, eq=False)
class RowFigures:
    """Per row, as balls of shape (B,): `entropy` H, `log_pi` of the sampled token, `slope` K, `norm2` N,
    `rest` 1 − π_k, `square` Σ π²; `mode` says whether the sampled token is a mode.  `size` is the row's length.

    `-inf` entries have probability 0 and are left out; a row of codes with nan or infinity has nan for its figures.
    """

    entropy: Balls
    log_pi: Balls
    slope: Balls
    norm2: Balls
    rest: Balls
    square: Balls
    mode: np.ndarray
    size: int

    def __len__(self) -> int:
        return len(self.mode)


def concatenate(parts: list[RowFigures]) -> RowFigures:
    """The figures of several blocks of rows as one."""
    joined = {}
    for f in fields(RowFigures):
        items = [getattr(p, f.name) for p in parts]
        if f.name == "size":
            joined[f.name] = items[0]
        elif f.name == "mode":
            joined[f.name] = np.concatenate(items)
        else:
            joined[f.name] = Balls(np.concatenate([b.mid for b in items]), np.concatenate([b.rad for b in items]))
    return RowFigures(**joined)


class Histograms:
    """The sums of 16-bit rows, by counting codes; the table of e^z with its proved relative error is made once.

    >>> from certify.entropy.formats import BFLOAT16
    >>> rows = np.array([[0x3F80, 0x3F80, 0x0000]], dtype=np.uint16)  # logits 1, 1, 0
    >>> found = Histograms(BFLOAT16).figures(rows, np.array([0]))
    >>> bool(abs(found.entropy.mid[0] - 1.0174) < 1e-4), bool(found.mode[0])
    (True, True)
    """

    def __init__(self, format_: FloatFormat) -> None:
        self.format = format_
        self.value = format_.decode(format_.codes())
        self.inside = np.isfinite(self.value) & (np.abs(self.value) <= _TABLE_RANGE)
        table = exp_points(np.where(self.inside, self.value, 0.0))
        self.table = table.mid
        self.relative = float(np.max(table.rad / table.mid)) * _SECOND
        self._buffer = np.empty(0, dtype=np.intp)

    def count(self, row: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The codes that occur in a row of codes (n,) uint16, ascending, and how often."""
        if len(row) <= _DIRECT:
            ordered = np.sort(row)
            ends = np.append(np.flatnonzero(ordered[1:] != ordered[:-1]), len(row) - 1)
            return ordered[ends].astype(np.intp), np.diff(ends, prepend=-1)
        if len(self._buffer) != len(row):
            self._buffer = np.empty(len(row), dtype=np.intp)
        np.copyto(self._buffer, row)
        counts = np.bincount(self._buffer)
        codes = np.flatnonzero(counts)
        return codes, counts[codes]

    def figures(
        self, rows: np.ndarray, sampled: np.ndarray, seen: Callable[[np.ndarray, np.ndarray], None] | None = None
    ) -> RowFigures:
        """The figures of rows of codes (B, n) uint16 at the sampled tokens (B,).

        `seen` is shown the histogram (codes, counts) of every row, in order.
        """
        if rows.shape[1] <= _DIRECT and self.inside[rows].all():
            for row in rows if seen is not None else ():
                seen(*self.count(row))
            step = max(1, _AT_ONCE // rows.shape[1])
            sums = [self._direct(rows[i : i + step], sampled[i : i + step]) for i in range(0, len(rows), step)]
            return _figures([np.concatenate(x) for x in zip(*sums, strict=True)], rows.shape[1])
        own = self.value[rows[np.arange(len(rows)), sampled]]
        columns = []
        for row, value in zip(rows, own, strict=True):
            codes, counts = self.count(row)
            if seen is not None:
                seen(codes, counts)
            columns.append(self.counted(codes, counts, float(value)))
        return _figures([np.array(x) for x in zip(*columns, strict=True)], rows.shape[1])

    def _direct(self, rows: np.ndarray, sampled: np.ndarray) -> tuple[np.ndarray, ...]:
        values, which = self.value[rows], np.arange(len(rows))
        first = values.argmax(axis=1)
        top = values[which, first]
        d = values - top[:, None]
        e = self.table[rows] / self.table[rows[which, first]][:, None]
        own_d, own_e = d[which, sampled], e[which, sampled]
        e[which, first] = 0.0
        term = 2 * self.relative + 4 * U
        return (
            *_sums(e, d),
            own_d,
            own_e,
            _error(rows.shape[1], term, len(rows)),
            np.full(len(rows), 2 * self.relative + U),
        )

    def counted(self, codes: np.ndarray, counts: np.ndarray, own: float) -> tuple[float, ...]:
        """The sums of one row from its histogram; `own` is the sampled token's logit."""
        value, weight = self.value[codes], counts.astype(np.float64)
        if not (value < np.inf).all():
            return (np.nan,) * 9
        if value.min() == -np.inf:  # probability 0
            possible = value > -np.inf
            codes, value, weight = codes[possible], value[possible], weight[possible]
        at = int(value.argmax())
        top = value[at]
        d = value - top
        if self.inside[codes].all():
            e = self.table[codes] / self.table[codes[at]]
            own_e, error = float(self.table_at(own) / self.table[codes[at]]), 2 * self.relative + U
        else:
            e, own_e, error = _exponentials(d), float(_exponentials(np.array([own - top]))[0]), 710 * U
        weight[at] -= 1.0
        we = weight * e
        wed = we * d
        sums = (we.sum(), wed.sum(), np.dot(we, e), np.dot(wed, e), np.dot(wed, e * d))
        return (*map(float, sums), own - top, own_e, float(_error(len(codes), error + 3 * U, 1)[0]), error)

    def table_at(self, value: float) -> float:
        """e^value for a value of the format within the table."""
        return float(exp_points(np.array([value])).mid[0])


def plain_figures(rows: np.ndarray, sampled: np.ndarray) -> RowFigures:
    """The figures of float32 or float64 rows (B, n) at the sampled tokens (B,), the stored values taken as exact.

    >>> found = plain_figures(np.array([[1.0, 1.0, 0.0]]), np.array([2]))
    >>> bool(abs(found.entropy.mid[0] - 1.0174) < 1e-4), bool(found.mode[0])
    (True, False)
    """
    step = max(1, _AT_ONCE // rows.shape[1])
    blocks = [_plain(rows[i : i + step], sampled[i : i + step]) for i in range(0, len(rows), step)]
    return _figures([np.concatenate(x) for x in zip(*blocks, strict=True)], rows.shape[1])


def _plain(rows: np.ndarray, sampled: np.ndarray) -> tuple[np.ndarray, ...]:
    values, which = rows.astype(np.float64), np.arange(len(rows))
    first = values.argmax(axis=1)
    d = values - values[which, first][:, None]
    e = _exponentials(d)
    d = np.maximum(d, -1e300)  # -inf has weight 0
    own_d, own_e = d[which, sampled], e[which, sampled]
    e[which, first] = 0.0
    return (*_sums(e, d), own_d, own_e, _error(rows.shape[1], 714 * U, len(rows)), np.full(len(rows), 710 * U))


def _exponentials(d: np.ndarray) -> np.ndarray:
    """e^d for d <= 0 with a relative error of 710 U at most (d is a rounded difference); 0 below −700."""
    inside = d >= -_WIDEST
    return np.where(inside, exp_points(np.where(inside, d, 0.0)).mid, 0.0)


def _sums(e: np.ndarray, d: np.ndarray) -> tuple[np.ndarray, ...]:
    ed = e * d
    return e.sum(axis=1), ed.sum(axis=1), (e * e).sum(axis=1), (ed * e).sum(axis=1), (ed * ed).sum(axis=1)


def _error(terms: int, each: float, rows: int) -> np.ndarray:
    """The relative error of Σ e d and the smaller sums; sums with e² get twice the share of each term."""
    return np.full(rows, (terms + 4) * U + each)


def _figures(columns: list[np.ndarray], size: int) -> RowFigures:
    """H, log π_k, K, N, 1 − π_k and Σ π² as balls from the sums and their errors."""
    r, s, q, q1, q2, own_d, own_e, error, own_error = columns
    once, twice = error * _SECOND, (2 * error) * _SECOND
    # entries further than 700 below the top have no e: each misses less than e^-700, times 700 for d
    missing = size * 2.0**-990 + UNDERFLOW

    def ball(mid: np.ndarray, relative: np.ndarray) -> Balls:
        return Balls(mid, np.abs(mid) * relative * _SECOND + missing)

    R, S, Q, Q1, Q2 = ball(r, once), ball(s, once), ball(q, twice), ball(q1, twice), ball(q2, twice)
    one = Balls.exact(np.ones_like(r))
    Z = one + R
    m = -S / Z
    lz = log1p(R)
    ZZ = Z * Z
    top = own_d == 0
    d = Balls(own_d, np.abs(own_d) * U * 1.5)
    e = Balls(own_e, own_e * own_error * _SECOND + missing)
    first = e * (d + m) * Z - m
    at_top = m * R
    head = Balls(np.where(top, at_top.mid, first.mid), np.where(top, at_top.rad, first.rad))
    others = R - e + one  # Σ of all entries but the sampled one, where that is not the top
    rest = Balls(np.where(top, R.mid, others.mid), np.where(top, R.rad, others.rad)) / Z
    return RowFigures(
        lz + m,
        d - lz,
        (head - Q1 - m * Q) / ZZ,
        (m * m + Q2 + Balls.exact(np.full_like(r, 2.0)) * (m * Q1) + m * m * Q) / ZZ,
        rest,
        (one + Q) / ZZ,
        top,
        size,
    )


def log1p(x: Balls) -> Balls:
    """log(1 + x) for balls of numbers x >= 0 (a ball may reach below 0 by its radius): for x < 2^-13 by
    x − x²/2 + x³/3 − x⁴/4 + x⁵/5, cut off by less than x⁶/6 < 2^-67 x, else log of the rounded 1 + x.

    >>> y = log1p(Balls.exact([1e-20, 1.0]))
    >>> bool(abs(y.mid[0] - 1e-20) < 1e-35), bool(abs(y.mid[1] - 0.6931471805599453) < 1e-15)
    (True, True)
    """
    small = x.mid < 2.0**-13
    z = np.where(small, x.mid, 0.0)
    series = z * (1 + z * (-1 / 2 + z * (1 / 3 + z * (-1 / 4 + z * (1 / 5)))))
    shifted = 1.0 + np.where(small, 1.0, x.mid)
    large = log_points(shifted)
    mid = np.where(small, series, large.mid)
    # series: the last three roundings and the cut; large: one rounding of 1 + x, relative to at least 1
    own = np.where(small, 8 * U * np.abs(series), large.rad + 2 * U)
    least = (1 + x.mid) * (1 - 4 * U) - x.rad  # |log(1 + y) − log(1 + x)| <= |y − x| / (1 + min(x, y))
    rad = np.where(least > 0.5, (own + x.rad / np.maximum(least, 0.5)) * _SECOND, np.inf)
    return Balls(mid, rad)


def moved_change(z: np.ndarray, weight: np.ndarray, own: float, tilt: Balls) -> tuple[Balls, Balls]:
    """H(η) − H(0) and H'(η) / c for one row of values z with counts `weight` when the sampled token of value
    `own` moves by u = c (e_k − π) and tilt = η c, as balls of shape (1,).

    The formulas are those of `certify.entropy.dynamics`, with the sampled entry taken out of its class.
    """
    order = np.flatnonzero(z == own)
    z = np.concatenate([z, z[order[:1]]])
    weight = np.concatenate([weight, [1.0]])
    weight[order[0]] -= 1.0
    d = Balls.exact(z).shifted(z.max())
    e = exp(d)
    count = Balls.exact(weight)
    pi_each = e / (count * e).sum()
    pi = count * pi_each
    log_pi = d - _log((count * e).sum())
    entropy = -(pi * log_pi).sum()
    centred = log_pi + entropy
    # v = u/c − E_π[u/c]: u/c = 1[k] − π
    u = -pi_each
    u = Balls(u.mid.copy(), u.rad.copy())
    u.mid[-1] += 1.0
    u.rad[-1] += 2 * U
    v = u - (pi * u).sum()
    move = v * tilt
    grown = pi * exp(move)
    total = grown.sum()
    moved = grown / total
    x = centred + move
    mean_v = (moved * v).sum()
    return _log(total) - (moved * x).sum(), -(moved * (v - mean_v) * x).sum()


def _log(x: Balls) -> Balls:
    point = log_points(x.mid)
    room = (x.mid - x.rad) * (1 - 2.0**-48)
    with np.errstate(divide="ignore", invalid="ignore"):
        slack = np.where(room > 0, x.rad / np.where(room > 0, room, 1.0), np.inf)
    return Balls(point.mid, (point.rad + slack) * _SECOND)


def blocks(count: int, width: int, at_once: int = 1 << 24) -> Iterator[slice]:
    """Slices of `count` rows of `width` entries with at most `at_once` entries each (one row at least)."""
    step = max(1, at_once // max(1, width))
    for start in range(0, count, step):
        yield slice(start, min(count, start + step))
