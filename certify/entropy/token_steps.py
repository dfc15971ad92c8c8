"""From a batch and a recipe to the step of every token: advantages, ratios, clip decisions and the coefficient c
of u = c (e_k − π) in logit space, as float64 balls (docs/recipes.md; docs/theory/entropy.md#rounding).

A stored log-probability v stands for every number of its rounding cell [v − outer, v + inner], widened by the
user's bound on its error, so a log-ratio d is an interval [low, high].  A clip decision is *kept* or *cut* where the
whole interval agrees and *ambiguous* otherwise; the gradient of an ambiguous token is anything between both.
The limits themselves are kept, as min and clamp do it.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from flint import arb

from certify.bounds.rounding import UNIT as U
from certify.entropy.balls import GROW, Balls
from certify.entropy.dump import Column, Dump
from certify.entropy.enclosure import ball, enclosure, working_precision
from certify.entropy.formats import FloatFormat
from certify.entropy.recipe import Recipe
from certify.entropy.rows import RowFigures
from certify.entropy.transcendental import exp as exp_of_balls
from certify.entropy.transcendental import exp_points
from certify.errors import InputError

KEPT, CUT, AMBIGUOUS = 0, 1, 2
CHUNK = 1 << 14  # tokens that are worked on together: their arrays stay in the cache
_SLACK = 1 + 2.0**-45
_TINY = 2.0**-1000
_FARTHEST = 700.0  # beyond it an exponential is 0 from below, or infinite from above
_EXPONENT, _SIGNIFICAND = 0x7FF << 52, (1 << 52) - 1


@dataclass(frozen=True, eq=False)
class Span:
    """Arrays `low` <= true value <= `high`."""

    low: np.ndarray
    high: np.ndarray

    def ball(self) -> Balls:
        """The same as midpoints and radii."""
        mid = self.low + (self.high - self.low) / 2
        return Balls(mid, np.maximum(self.high - mid, mid - self.low) * _SLACK + _TINY)


@dataclass(frozen=True, eq=False)
class TokenSteps:
    """Per token (N,): `coefficient` c, `advantage` Â before clipping, and where old log-probabilities are there
    `log_ratio`, `ratio` (the factor on the gradient before the clip) and `decision` (`KEPT`, `CUT`, `AMBIGUOUS`).
    Tokens under the mask have c = 0.
    """

    coefficient: Balls
    advantage: Balls
    log_ratio: Span | None
    ratio: Span | None
    decision: np.ndarray | None
    bonus: Balls
    active: np.ndarray


def stored_span(column: Column, error: float = 0.0) -> Span:
    """What a stored column stands for: every value's rounding cell, widened by `error` on both sides.

    >>> from certify.entropy.formats import BFLOAT16
    >>> cell = stored_span(Column(np.array([-33.0]), BFLOAT16))
    >>> float(cell.low[0]), float(cell.high[0])
    (-33.125, -32.875)
    """
    values = column.values
    outer, inner = half_cells(values, column.format)
    below, above = np.where(values > 0, inner, outer), np.where(values > 0, outer, inner)
    if error:
        below, above = (below + error) * GROW, (above + error) * GROW
    # exact for 16 and 32 bits; float64 needs the room for one rounding, which 2 U |v| is
    slack = 0.0 if column.format is not None and not error else 2 * U * np.abs(values)
    return Span(values - below - slack, values + above + slack)


def half_cells(values: np.ndarray, format_: FloatFormat | None) -> tuple[np.ndarray, np.ndarray]:
    """(outer, inner) half widths of the rounding cells, away from 0 and towards 0; float64 where `format_` is None.

    Read off the exponent bits: 2^(e − precision), half of that towards 0 below a power of two.  For float64 the cells
    of numbers below 2^-900 are those of 2^-900, which is wider than they are.
    """
    precision, smallest = (53, -900) if format_ is None else (format_.precision, format_.smallest_exponent)
    bits = np.ascontiguousarray(values).view(np.int64)
    exponent = np.maximum(bits & _EXPONENT, (smallest + 1023) << 52)
    outer = (exponent - (precision << 52)).view(np.float64)
    power_of_two = ((bits & _SIGNIFICAND) == 0) & (exponent > (smallest + 1023) << 52)
    return outer, np.where(power_of_two, outer / 2, outer)


def exp_span(x: Span) -> Span:
    """[e^low, e^high], outward: one exponential at the middle and e^{±w} by their series for w <= 1."""
    mid = x.low + (x.high - x.low) / 2
    w = np.maximum(x.high - mid, mid - x.low) * _SLACK + _TINY
    if not ((w <= 1) & (np.abs(mid) < _FARTHEST - 1)).all():
        ends = [exp_of_balls(Balls.exact(np.clip(side, -_FARTHEST, _FARTHEST))) for side in (x.low, x.high)]
        low, high = np.maximum(ends[0].mid - ends[0].rad, 0.0), ends[1].mid + ends[1].rad
        return Span(np.where(x.low < -_FARTHEST, 0.0, low), np.where(x.high > _FARTHEST, np.inf, high))
    middle = exp_points(mid).mid
    half = w * w * 0.5
    # e^-w >= 1 − w + w²/2 − w³/6, e^w <= 1 + w + w²/2 + w³/4 for w <= 1; 2^-45 covers 8 U and the roundings
    return Span(
        middle * (1 - w + half - half * w / 3) * (1 - 2.0**-45), middle * (1 + w + half + half * w / 2) * (1 + 2.0**-45)
    )


def clip_limits(eps_low: Fraction, eps_high: Fraction) -> tuple[tuple[float, float], tuple[float, float]]:
    """Floats around log(1 − ε_low) and around log(1 + ε_high); −inf for ε_low >= 1."""
    return log_ends(1 - eps_low), log_ends(1 + eps_high)


@working_precision()
def log_ends(value: Fraction) -> tuple[float, float]:
    """Floats (low, high) around log(value); −inf twice for value <= 0."""
    if value <= 0:
        return -np.inf, -np.inf
    if value == 1:
        return 0.0, 0.0
    found = enclosure(ball(value).log())
    low, high = float(found.lower), float(found.upper)
    return float(np.nextafter(low, -np.inf)), float(np.nextafter(high, np.inf))


def decide(log_ratio: Span, advantage: Balls, recipe: Recipe) -> np.ndarray:
    """`KEPT`, `CUT` or `AMBIGUOUS` per token for the clip of the recipe.

    `ppo`: cut where Â > 0 and ρ > 1 + ε_high, or Â < 0 and ρ < 1 − ε_low (and, with `dual` c, Â < 0 and ρ > c).
    `cispo`: "cut" says that the weight is clipped.  `none`: everything is kept.
    """
    kept = np.zeros(len(log_ratio.low), dtype=np.int8)
    if recipe.clip == "none":
        return kept
    below, above = clip_limits(recipe.eps_low, recipe.eps_high)
    if recipe.clip == "cispo-cap":
        below, above = (-np.inf, -np.inf), log_ends(recipe.cap)
    over, not_over = log_ratio.low > above[1], log_ratio.high <= above[0]
    under, not_under = log_ratio.high < below[0], log_ratio.low >= below[1]
    if recipe.clip != "ppo":
        clipped, inside = over | under, not_over & not_under
        return np.where(clipped, CUT, np.where(inside, KEPT, AMBIGUOUS)).astype(np.int8)
    positive, negative = advantage.mid > advantage.rad, advantage.mid < -advantage.rad
    zero = (advantage.mid == 0) & (advantage.rad == 0)
    if recipe.dual is not None:
        far = log_ends(recipe.dual)
        under, not_under = under | (log_ratio.low > far[1]), not_under & (log_ratio.high <= far[0])
    cut = (positive & over) | (negative & under)
    safe = zero | (positive & not_over) | (negative & not_under) | (not_over & not_under)
    return np.where(cut, CUT, np.where(safe, KEPT, AMBIGUOUS)).astype(np.int8)


def _gradient_factor(ratio: Span, decision: np.ndarray, recipe: Recipe) -> Span:
    """What multiplies Â ∇log π: ρ where kept, 0 where cut, both where ambiguous; the clipped weight of CISPO."""
    if recipe.clip == "cispo":
        return Span(*(np.clip(x, *_outward(1 - recipe.eps_low, 1 + recipe.eps_high)) for x in (ratio.low, ratio.high)))
    if recipe.clip == "cispo-cap":
        return Span(*(np.clip(x, *_outward(Fraction(0), recipe.cap)) for x in (ratio.low, ratio.high)))
    return Span(np.where(decision == KEPT, ratio.low, 0.0), np.where(decision == CUT, 0.0, ratio.high))


def _outward(low: Fraction, high: Fraction) -> tuple[float, float]:
    """Floats below and above two rationals."""
    return float(np.nextafter(float(low), -np.inf)) if low > 0 else 0.0, float(np.nextafter(float(high), np.inf))


def number(value: Fraction) -> Balls:
    """A rational as a ball of shape (1,)."""
    mid = np.array([float(value)])
    return Balls(mid, np.abs(mid) * 2 * U + _TINY if Fraction(float(value)) != value else np.zeros(1))


def segment_sum(x: Balls, segment: np.ndarray, count: int) -> Balls:
    """Sums over segments (numbers 0..count−1 per entry), as balls (count,); any order of summation."""
    mid = np.bincount(segment, weights=x.mid, minlength=count)
    size = np.bincount(segment, minlength=count).max(initial=0)
    rad = np.bincount(segment, weights=x.rad + (size + 2) * U * np.abs(x.mid), minlength=count)
    return Balls(mid, rad * (1 + (size + 8) * 2.0**-50) + _TINY)


def root(x: Balls) -> Balls:
    """Square roots of numbers that are at least 0 (np.sqrt is rounded correctly, IEEE 754)."""
    mid = np.sqrt(np.maximum(x.mid, 0.0))
    sure = x.mid > x.rad
    rad = np.where(sure, x.rad / np.where(sure, mid, 1.0), np.sqrt(np.maximum(x.mid, 0.0) + x.rad))
    return Balls(mid, (rad + 2 * U * mid) * GROW + _TINY)


def at(x: Balls, index: np.ndarray | slice) -> Balls:
    """The entries at `index`."""
    return Balls(x.mid[index], x.rad[index])


@dataclass(frozen=True, eq=False)
class Layout:
    """Which tokens belong to which sequence and group: `sequence` (N,) and `group` (S,) are numbers from 0."""

    sequence: np.ndarray
    sequences: int
    group: np.ndarray | None
    groups: int
    active: np.ndarray

    @property
    def lengths(self) -> np.ndarray:
        """Unmasked tokens per sequence."""
        return np.bincount(self.sequence, weights=self.active, minlength=self.sequences)


def layout(dump: Dump) -> Layout:
    """Sequences and groups of a batch; one token per sequence where there is no `seq_id`."""
    name = dump.path.name
    ids = dump.get("seq_id")
    if ids is None:
        sequence, count = np.arange(dump.tokens), dump.tokens
    else:
        _, sequence = np.unique(ids.values, return_inverse=True)
        count = int(sequence.max()) + 1
    groups = dump.get("group_id")
    if groups is None:
        return Layout(sequence, count, None, 0, dump.mask)
    group = np.zeros(count, dtype=np.int64)
    group[sequence] = groups.values
    if not np.array_equal(group[sequence], groups.values):
        token = int(np.flatnonzero(group[sequence] != groups.values)[0])
        raise InputError(
            f"{name}, group_id", f"the sequence of token {token} is in two groups", "give one group per sequence"
        )
    _, number_of = np.unique(group, return_inverse=True)
    return Layout(sequence, count, number_of, int(number_of.max()) + 1, dump.mask)


def sequence_rewards(dump: Dump, where: Layout) -> Balls:
    """One reward per sequence from a column with one number per sequence or per token (constant in a sequence)."""
    column = dump.need("reward", "advantages (or give a column advantage)")
    values = column.values
    if len(values) == where.sequences != dump.tokens:
        return Balls.exact(values)
    if len(values) != dump.tokens:
        raise InputError(
            f"{dump.path.name}, reward",
            f"{len(values)} numbers for {dump.tokens} tokens in {where.sequences} sequences",
            "give one per token or one per sequence",
        )
    reward = np.zeros(where.sequences)
    reward[where.sequence] = values
    if not np.array_equal(reward[where.sequence], values):
        token = int(np.flatnonzero(reward[where.sequence] != values)[0])
        raise InputError(
            f"{dump.path.name}, reward", f"the sequence of token {token} has two rewards", "give one per sequence"
        )
    return Balls.exact(reward)


def advantages(dump: Dump, recipe: Recipe, where: Layout, logp_error: float = 0.0) -> Balls:
    """Â per token (N,): the column `advantage`, or from rewards by the recipe's rule.

    Raises `InputError` for missing columns, groups of one sequence and, where the recipe wants groups of one size,
    groups of different sizes.
    """
    if recipe.advantage == "given" or dump.get("advantage") is not None:
        return Balls.exact(dump.need("advantage", "advantage=given").values)
    reward = sequence_rewards(dump, where)
    penalised = recipe.kl != "none" and recipe.kl_in != "loss" and recipe.kl_coefficient != 0
    if penalised and recipe.kl_in == "reward":
        reward = reward - segment_sum(_penalties(dump, recipe, where, logp_error), where.sequence, where.sequences)
    if recipe.advantage.startswith("reinforce"):
        if recipe.advantage.endswith("baseline"):
            reward = reward - at(_group_mean(dump, reward, where, recipe)[0], _group_of(dump, where))
        found = at(reward, where.sequence)
        if penalised and recipe.kl_in == "reward-to-go":
            found = found - _to_go(_penalties(dump, recipe, where, logp_error), where)
        return found if recipe.advantage == "reinforce" else _whitened(found, where.active, recipe.std)
    mean, size = _group_mean(dump, reward, where, recipe)
    group = _group_of(dump, where)
    centred = reward - at(mean, group)
    centred = _zeroed(centred, _exactly_central(reward, centred, group))
    if recipe.advantage == "rloo":
        scale = size / np.maximum(size - 1, 1)
        found = centred * Balls(scale[group], 2 * U * scale[group])
    else:
        found = _divided(centred, reward, recipe, group, size)
    return at(_zeroed(found, (centred.mid == 0) & (centred.rad == 0)), where.sequence)


def _exactly_central(reward: Balls, centred: Balls, group: np.ndarray) -> np.ndarray:
    """Which rewards are exactly the mean of their group: no step at all, where a ball around 0 would leave it open."""
    found = np.zeros(len(group), dtype=bool)
    totals: dict[int, tuple[Fraction, int] | None] = {}
    for i in np.flatnonzero(np.abs(centred.mid) <= centred.rad):
        g = int(group[i])
        if g not in totals:
            members = group == g
            values, counts = np.unique(reward.mid[members], return_counts=True)
            total = sum((Fraction(float(v)) * int(c) for v, c in zip(values, counts, strict=True)), Fraction(0))
            totals[g] = None if reward.rad[members].any() else (total, int(counts.sum()))
        known = totals[g]
        found[i] = known is not None and Fraction(float(reward.mid[i])) * known[1] == known[0]
    return found


def _divided(centred: Balls, reward: Balls, recipe: Recipe, group: np.ndarray, size: np.ndarray) -> Balls:
    """(r − mean)/(std + δ)."""
    count = len(size)
    if recipe.std == "none":
        return centred
    if recipe.std == "batch":
        n = len(reward.mid)
        one = np.zeros(n, dtype=np.int64)
        off = reward - at(segment_sum(reward, one, 1) / Balls.exact([float(n)]), one)
        variance = at(segment_sum(off * off, one, 1) / Balls.exact([float(max(n - 1, 1))]), one)
    else:
        degrees = np.maximum(size - 1, 1) if recipe.std == "sample" else size
        variance = at(segment_sum(centred * centred, group, count) / Balls.exact(degrees), group)
    with np.errstate(divide="ignore", invalid="ignore"):  # 0/0 where a group has one reward: its step is 0 anyway
        return centred / (root(variance) + number(recipe.delta))


def _group_of(dump: Dump, where: Layout) -> np.ndarray:
    if where.group is None:
        dump.need("group_id", "advantages relative to a group")
    assert where.group is not None
    return where.group


def _group_mean(dump: Dump, reward: Balls, where: Layout, recipe: Recipe) -> tuple[Balls, np.ndarray]:
    group = _group_of(dump, where)
    size = np.bincount(group, minlength=where.groups).astype(np.float64)
    if size.min() < 2:
        raise InputError(
            f"{dump.path.name}, group_id", "a group of one sequence", "give at least two sequences per group"
        )
    if recipe.equal_groups and size.min() != size.max():
        raise InputError(
            f"{dump.path.name}, group_id",
            f"ragged groups of {int(size.min())} to {int(size.max())} sequences",
            f"{recipe.name} reshapes to equal groups; give them, or --param equal_groups=false",
        )
    return segment_sum(reward, group, where.groups) / Balls.exact(size), size


def _whitened(values: Balls, active: np.ndarray, std: str) -> Balls:
    """(x − mean)/deviation over the unmasked tokens: sqrt(sample variance + 1e-8), or with `population` the root
    of max(variance, 1e-8)."""
    index = np.flatnonzero(active)
    zero = np.zeros(len(values.mid), dtype=np.int64)
    chosen, one = at(values, index), np.zeros(len(index), np.int64)
    n = float(len(index))
    if n < 2:
        raise InputError("reinforce++", "one unmasked token", "whitening needs at least two")
    mean = segment_sum(chosen, one, 1) / Balls.exact([n])
    off = chosen - at(mean, one)
    square, least = segment_sum(off * off, one, 1), number(Fraction(1, 10**8))
    if std == "population":
        variance = square / Balls.exact([n])
        low, high = variance.mid - variance.rad, variance.mid + variance.rad
        floor = float(least.mid[0])
        scale = root(Span(np.maximum(low, floor * (1 - 4 * U)), np.maximum(high, floor * (1 + 4 * U))).ball())
    else:
        scale = root(square / Balls.exact([n - 1]) + least)
    centred = values - at(mean, zero)
    exact = np.zeros(len(zero), dtype=bool)
    exact[index] = _exactly_central(chosen, off, one)
    return _zeroed(centred / at(scale, zero), exact)


def _penalties(dump: Dump, recipe: Recipe, where: Layout, error: float) -> Balls:
    """β k(log π_old − log π_ref) per token; 0 under the mask."""
    name = "logp_old" if dump.get("logp_old") is not None else "logp_train"
    new = stored_span(dump.need(name, "KL in the reward"), error)
    ref = stored_span(dump.need("logp_ref", "KL to the reference (or --param kl=none)"), error)
    x = _difference(new, ref).ball()
    value = {"k1": lambda: x, "k2": lambda: x * x * number(Fraction(1, 2)), "k3": lambda: _k3(x)}[recipe.kl]()
    return _zeroed(value * number(recipe.kl_coefficient), ~where.active)


def _to_go(values: Balls, where: Layout) -> Balls:
    """Sums of a sequence's values from each token to its end, tokens in the order of the file."""
    order = np.argsort(where.sequence, kind="stable")
    ends = np.cumsum(np.bincount(where.sequence, minlength=where.sequences))
    mid, rad = np.empty_like(values.mid), np.empty_like(values.rad)
    for start, stop in zip([0, *ends[:-1]], ends, strict=True):
        part = order[start:stop]
        n = len(part)
        mid[part] = np.cumsum(values.mid[part][::-1])[::-1]
        spread = np.cumsum((values.rad[part] + 2 * n * U * np.abs(values.mid[part]))[::-1])[::-1]
        rad[part] = spread * (1 + (n + 8) * 2.0**-50) + _TINY
    return Balls(mid, rad)


def _k3(x: Balls) -> Balls:
    return exp_of_balls(-x) - Balls.exact(np.ones(1)) + x


def _difference(a: Span, b: Span) -> Span:
    """a − b, outward."""
    low, high = a.low - b.high, a.high - b.low
    return Span(low - 2 * U * np.abs(low), high + 2 * U * np.abs(high))


def weights(recipe: Recipe, where: Layout) -> Balls:
    """The weight of each token's term in the loss (N,); 0 under the mask."""
    active = where.active
    if recipe.aggregation == "token-mean":
        value = np.full(len(active), 1 / active.sum())
    elif recipe.aggregation == "sum":
        value = np.ones(len(active))
    else:
        lengths = where.lengths
        alive = float((lengths > 0).sum())
        value = np.full(len(active), 1 / alive)
        if recipe.aggregation == "sequence-mean":
            value = 1 / (np.maximum(lengths, 1)[where.sequence] * alive)
        elif recipe.aggregation == "constant":
            value = np.full(len(active), 1 / (alive * float(recipe.constant)))
    found = Balls(value, 4 * U * value)
    return found if active.all() else _zeroed(found, ~active)


def log_ratios(dump: Dump, new: Span | None, recipe: Recipe, where: Layout, error: float) -> Span | None:
    """log ρ per token, per sequence spread over its tokens (`sequence`: the mean, `full`: the sum); None on-policy."""
    old = dump.get("logp_old")
    if old is None or new is None:
        return None
    x = _difference(new, stored_span(old, error))
    if recipe.ratio == "token":
        return x
    ends = []
    for side, sign in ((x.low, -1), (x.high, 1)):
        total = segment_sum(Balls.exact(np.where(where.active, side, 0.0)), where.sequence, where.sequences)
        if recipe.ratio == "sequence":
            total = total / Balls.exact(np.maximum(where.lengths, 1))
        ends.append((total.mid + sign * total.rad)[where.sequence])
    return Span(np.nextafter(ends[0], -np.inf), np.nextafter(ends[1], np.inf))


def token_steps(dump: Dump, recipe: Recipe, figures: RowFigures | None = None, logp_error: float = 0.0) -> TokenSteps:
    """The step of every token of the batch under the recipe.

    `figures` (of all tokens, from their logits) give log π where the column `logp_train` is missing, and what
    REPO and entropy masks need.  Raises `InputError` where the recipe needs a column that is not there.
    """
    where = layout(dump)
    advantage = advantages(dump, recipe, where, logp_error)
    weight = weights(recipe, where)
    if recipe.transform != "none":
        new = _new_log_probabilities(dump, figures, logp_error)
        advantage = _transformed(dump, recipe, where, advantage, figures, new)
    whole = None
    if recipe.ratio != "token":
        whole = log_ratios(dump, _new_log_probabilities(dump, figures, logp_error), recipe, where, logp_error)
    out = _Outputs(dump.tokens)
    for start in range(0, dump.tokens, CHUNK):
        part = slice(start, start + CHUNK)
        piece = _piece(dump, part)
        new = _new_log_probabilities(piece, None if figures is None else _only_log_pi(figures, part), logp_error)
        if recipe.ratio == "token":
            log_ratio = log_ratios(piece, new, recipe, where, logp_error)
        else:
            log_ratio = None if whole is None else _span_at(whole, part)
        out.put(part, piece, recipe, at(advantage, part), at(weight, part), (log_ratio, new), logp_error)
    coefficient = out.coefficient
    if recipe.mask != "none":
        new = _new_log_probabilities(dump, figures, logp_error)
        coefficient = _masked(dump, recipe, where, coefficient, advantage, figures, new)
    if not where.active.all():
        coefficient = _zeroed(coefficient, ~where.active)
    lost = ~(np.isfinite(coefficient.mid) & np.isfinite(coefficient.rad))
    if lost.any():
        token = int(np.flatnonzero(lost)[0])
        raise InputError(
            dump.path.name, f"the step of token {token} is beyond float64", "rescale rewards or advantages"
        )
    advantage = advantage if where.active.all() else _zeroed(advantage, ~where.active)
    n = dump.tokens
    bonus = _zeroed(weight * number(recipe.bonus), ~where.active) if recipe.bonus else Balls.exact(np.zeros(n))
    if not out.has_ratio:
        return TokenSteps(coefficient, advantage, None, None, None, bonus, where.active)
    return TokenSteps(coefficient, advantage, out.log_ratio, out.ratio, out.decision, bonus, where.active)


def _piece(dump: Dump, part: slice) -> Dump:
    """The tokens `part` of a batch, without rewards (they may be one per sequence) and logits."""
    columns = {k: Column(c.values[part], c.format) for k, c in dump.columns.items() if k != "reward"}
    return Dump(dump.path, len(range(*part.indices(dump.tokens))), columns, None)


def _only_log_pi(figures: RowFigures, part: slice) -> Balls:
    return at(figures.log_pi, part)


class _Outputs:
    """The figures of all tokens, filled block by block."""

    def __init__(self, n: int) -> None:
        self.coefficient = Balls(np.empty(n), np.empty(n))
        self.log_ratio, self.ratio = Span(np.empty(n), np.empty(n)), Span(np.empty(n), np.empty(n))
        self.decision = np.empty(n, dtype=np.int8)
        self.has_ratio = False

    def put(
        self,
        part: slice,
        piece: Dump,
        recipe: Recipe,
        advantage: Balls,
        weight: Balls,
        spans: tuple[Span | None, Span | None],
        error: float,
    ) -> None:
        """Everything that is worked out token by token, for the tokens `part`."""
        log_ratio, new = spans
        nothing = (advantage.mid == 0) & (advantage.rad == 0)  # exactly 0, not a ball around it
        coefficient = weight * advantage
        if log_ratio is not None:
            self.has_ratio = True
            ratio, decision = exp_span(log_ratio), decide(log_ratio, advantage, recipe)
            factor = _gradient_factor(ratio, decision, recipe)
            endless = np.isinf(factor.high) & ~nothing
            if endless.any():
                token = part.start + int(np.flatnonzero(endless)[0])
                raise InputError(
                    f"{piece.path.name}, logp_old", f"the ratio of token {token} is beyond e^700", "check both policies"
                )
            coefficient = coefficient * Span(factor.low, np.where(nothing, factor.low, factor.high)).ball()
            if recipe.clip == "ppo":
                nothing |= decision == CUT
            self.ratio.low[part], self.ratio.high[part], self.decision[part] = ratio.low, ratio.high, decision
            self.log_ratio.low[part], self.log_ratio.high[part] = log_ratio.low, log_ratio.high
        coefficient = _zeroed(_corrected(piece, recipe, coefficient, error), nothing)
        coefficient = _with_penalty(piece, recipe, coefficient, weight, new, error)
        self.coefficient.mid[part], self.coefficient.rad[part] = coefficient.mid, coefficient.rad


def _zeroed(x: Balls, where: np.ndarray) -> Balls:
    return Balls(np.where(where, 0.0, x.mid), np.where(where, 0.0, x.rad))


def _new_log_probabilities(dump: Dump, figures: RowFigures | Balls | None, error: float) -> Span | None:
    """log π of the sampled tokens: what is stored, or else what the logits give."""
    column = dump.get("logp_train")
    if column is not None:
        return stored_span(column, error)
    if figures is None:
        return None
    x = figures if isinstance(figures, Balls) else figures.log_pi
    rad = (x.rad + error) * GROW
    return Span(x.mid - rad - U * np.abs(x.mid), x.mid + rad + U * np.abs(x.mid))


def _transformed(
    dump: Dump, recipe: Recipe, where: Layout, advantage: Balls, figures: RowFigures | None, new: Span | None
) -> Balls:
    """REPO, REPO-D and REPO-R: transforms of the advantage that combine with any loss."""
    if recipe.transform == "none":
        return advantage
    if recipe.transform == "repo-r":
        if new is None:
            raise InputError(
                dump.path.name, "no log-probabilities, needed for repo-r", "add a column logp_train or logits"
            )
        return _rescaled(advantage, new, recipe)
    if figures is None:
        raise InputError(
            dump.path.name, f"no logits, needed for {recipe.transform}", "add a column logits, or use repo-r"
        )
    beta = number(recipe.beta)
    if recipe.transform == "repo-d":
        active = where.active.astype(np.float64)
        product = advantage * figures.slope * Balls.exact(active)
        beta = number(recipe.zeta) * product.sum() / Balls.exact([active.sum()])
    centred = figures.log_pi + figures.entropy
    return advantage - beta * centred


def _rescaled(advantage: Balls, log_pi: Span, recipe: Recipe) -> Balls:
    """REPO-R: max(0, A(1 − ζ log π)) for A > 0, min(0, A(1 + ζ log π)) for A < 0, 0 for A = 0; log π at least −clamp.

    Where the sign of A is open, the hull of both rules and 0.
    """
    low, high = log_pi.low, log_pi.high
    if recipe.clamp is not None:
        floor = -float(recipe.clamp)
        low, high = np.maximum(low, np.nextafter(floor, -np.inf)), np.maximum(high, np.nextafter(floor, np.inf))
    x, one, zeta = Span(low, high).ball(), Balls.exact(np.ones(1)), number(recipe.zeta)
    up, down = advantage * (one - zeta * x), advantage * (one + zeta * x)
    ups, downs = Span(up.mid - up.rad, up.mid + up.rad), Span(down.mid - down.rad, down.mid + down.rad)
    positive, negative = advantage.mid > advantage.rad, advantage.mid < -advantage.rad
    least = np.where(positive, np.maximum(ups.low, 0.0), np.where(negative, np.minimum(downs.low, 0.0), 0.0))
    most = np.where(positive, np.maximum(ups.high, 0.0), np.where(negative, np.minimum(downs.high, 0.0), 0.0))
    open_ = ~positive & ~negative & ((advantage.mid != 0) | (advantage.rad != 0))
    least = np.where(open_, np.minimum(np.minimum(ups.low, downs.low), 0.0), least)
    most = np.where(open_, np.maximum(np.maximum(ups.high, downs.high), 0.0), most)
    found = Span(np.nextafter(least, -np.inf), np.nextafter(most, np.inf)).ball()
    return _zeroed(found, (least == 0) & (most == 0))


def _corrected(dump: Dump, recipe: Recipe, coefficient: Balls, error: float) -> Balls:
    """Truncated importance sampling or IcePop on π_old/π_sampler (trainer against sampler)."""
    if recipe.correction == "none":
        return coefficient
    old = dump.get("logp_old") or dump.need("logp_train", "the trainer/sampler ratio")
    x = _difference(stored_span(old, error), stored_span(dump.need("logp_sampler", "the trainer/sampler ratio"), error))
    ratio = exp_span(x)
    if recipe.correction == "tis":
        low, high = _outward(Fraction(0), recipe.tis_cap)
        return coefficient * Span(np.clip(ratio.low, low, high), np.clip(ratio.high, low, high)).ball()
    least, most = log_ends(recipe.icepop_low), log_ends(recipe.icepop_high)
    out = (x.high < least[0]) | (x.low > most[1])
    inside = (x.low >= least[1]) & (x.high <= most[0])
    return coefficient * Span(np.where(inside, ratio.low, 0.0), np.where(out, 0.0, ratio.high)).ball()


def _with_penalty(
    dump: Dump, recipe: Recipe, coefficient: Balls, weight: Balls, new: Span | None, error: float
) -> Balls:
    """The KL term of the loss: k1 ↦ 1, k2 ↦ x, k3 ↦ 1 − e^{−x} times −β w, x = log π − log π_ref."""
    if recipe.kl == "none" or recipe.kl_in != "loss" or recipe.kl_coefficient == 0:
        return coefficient
    beta = number(recipe.kl_coefficient)
    if recipe.kl == "k1":
        return coefficient - beta * weight
    if new is None:
        raise InputError(
            dump.path.name, "no log-probabilities, needed for the KL term", "add a column logp_train or logits"
        )
    x = _difference(new, stored_span(dump.need("logp_ref", "the KL term (or --param kl=none)"), error))
    if recipe.kl == "k2":
        return coefficient - beta * weight * x.ball()
    e = exp_span(Span(-x.high, -x.low)).ball()
    return coefficient - beta * weight * (Balls.exact(np.ones(1)) - e)


def _masked(
    dump: Dump,
    recipe: Recipe,
    where: Layout,
    coefficient: Balls,
    advantage: Balls,
    figures: RowFigures | None,
    new: Span | None,
) -> Balls:
    """Masks on tokens: top entropy, Clip-Cov, KL-Cov.  What the enclosures leave open keeps both possibilities."""
    if recipe.mask == "none":
        return coefficient
    index = np.flatnonzero(where.active)
    if recipe.mask == "top-entropy":
        if figures is not None:
            score = figures.entropy
        else:
            score = stored_span(dump.need("entropy", "the mask on entropies")).ball()
        chosen, refused = _largest(at(score, index), max(1, int(recipe.mask_share * len(index))))
        return _switched(coefficient, index, chosen, refused)
    if new is None:
        raise InputError(
            dump.path.name, "no log-probabilities, needed for covariances", "add a column logp_train or logits"
        )
    covariance = _covariance(at(advantage, index), at(new.ball(), index))
    if recipe.mask == "clip-cov":
        below, above = float(recipe.cov_low), float(recipe.cov_high)
        low, high = covariance.mid - covariance.rad, covariance.mid + covariance.rad
        outside = (high < below) | (low > above)
        selected = dump.get("selected")
        if selected is None:  # trainers draw some of the eligible tokens at random: each may be left out or kept
            return _switched(coefficient, index, outside, np.zeros(len(index), dtype=bool))
        left_out = selected.values[index] != 0
        return _switched(coefficient, index, ~left_out, left_out)
    chosen, refused = _largest(covariance, max(1, int(recipe.mask_share * len(index))))
    sign = _penalty_sign(dump, new, index)
    weight = at(weights(recipe, where), index) * number(recipe.mask_coefficient)
    extra = Balls(weight.mid * sign.mid, weight.rad + np.abs(weight.mid) * sign.rad)
    low = np.where(chosen, extra.mid - extra.rad, np.where(refused, 0.0, np.minimum(0.0, extra.mid - extra.rad)))
    high = np.where(chosen, extra.mid + extra.rad, np.where(refused, 0.0, np.maximum(0.0, extra.mid + extra.rad)))
    found = at(coefficient, index) - Span(low, high).ball()
    mid, rad = coefficient.mid.copy(), coefficient.rad.copy()
    mid[index], rad[index] = found.mid, found.rad
    return Balls(mid, rad)


def _penalty_sign(dump: Dump, new: Span, index: np.ndarray) -> Balls:
    """d|x|/dx for x = log π − log π_old: the gradient of KL-Cov's |x|; [−1, 1] where the sign is open, 0 at 0."""
    old = dump.get("logp_old")
    if old is None:
        return Balls.exact(np.zeros(len(index)))
    x = _difference(Span(new.low[index], new.high[index]), _span_at(stored_span(old), index))
    up, down = x.low > 0, x.high < 0
    return Balls(up.astype(np.float64) - down, np.where(up | down, 0.0, 1.0))


def _span_at(x: Span, index: np.ndarray | slice) -> Span:
    return Span(x.low[index], x.high[index])


def _covariance(advantage: Balls, log_pi: Balls) -> Balls:
    """(Â − mean)(log π − mean) per token."""
    n = len(advantage.mid)
    one = np.zeros(n, dtype=np.int64)
    off = [x - at(segment_sum(x, one, 1) / Balls.exact([float(n)]), one) for x in (advantage, log_pi)]
    return off[0] * off[1]


def _largest(score: Balls, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Which entries are certainly among the `count` largest, and which certainly are not."""
    low, high = score.mid - score.rad, score.mid + score.rad
    n = len(low)
    by_high, by_low = np.sort(high), np.sort(low)
    # certainly in: fewer than `count` others can be as large; certainly out: `count` others are larger
    others_as_large = n - np.searchsorted(by_high, low, side="left") - 1
    larger = n - np.searchsorted(by_low, high, side="right")
    return others_as_large < count, larger >= count


def _switched(coefficient: Balls, index: np.ndarray, on: np.ndarray, off: np.ndarray) -> Balls:
    """The coefficient where `on`, 0 where `off`, their hull elsewhere."""
    mid, rad = coefficient.mid.copy(), coefficient.rad.copy()
    c = at(coefficient, index)
    low, high = np.minimum(c.mid - c.rad, 0.0), np.maximum(c.mid + c.rad, 0.0)
    hull = Span(low, high).ball()
    mid[index] = np.where(on, c.mid, np.where(off, 0.0, hull.mid))
    rad[index] = np.where(on, c.rad, np.where(off, 0.0, hull.rad))
    return Balls(mid, rad)


def uniform_bias(new: Column, old: Column, active: np.ndarray) -> tuple[float, float]:
    """Mean over the tokens of E e^{δ_new − δ_old} − 1 for errors uniform on both cells, independent: float ends.

    The factor of a cell depends on its two half widths only: one arb evaluation per pair of cells that occurs
    (`certify.entropy.rounding.log_bias`).
    """
    from certify.entropy.rounding import log_bias

    (a, new_cells), (b, old_cells) = (_cell_kinds(column, active) for column in (new, old))
    counts = np.bincount(a * len(old_cells) + b, minlength=len(new_cells) * len(old_cells))
    with working_precision():
        new_logs = [log_bias(o, i, "new") for o, i in new_cells]
        old_logs = [log_bias(o, i, "old") for o, i in old_cells]
        total = arb(0)
        for k in np.flatnonzero(counts):
            total += int(counts[k]) * ((new_logs[k // len(old_cells)] + old_logs[k % len(old_cells)]).exp() - 1)
        found = enclosure(total / int(active.sum()))
    return float(np.nextafter(float(found.lower), -np.inf)), float(np.nextafter(float(found.upper), np.inf))


def _cell_kinds(column: Column, active: np.ndarray) -> tuple[np.ndarray, list[tuple[Fraction, Fraction]]]:
    """Which kind of cell every unmasked token is in, and the (outer, inner) of every kind that occurs."""
    values = column.values if active.all() else column.values[active]
    kind = np.empty(len(values), dtype=np.int16)
    for start in range(0, len(values), CHUNK):
        outer, inner = half_cells(values[start : start + CHUNK], column.format)
        kind[start : start + CHUNK] = (outer.view(np.int64) >> 52) * 2 + (inner < outer)
    present = np.flatnonzero(np.bincount(kind, minlength=4096))
    number_of = np.zeros(4096, dtype=np.int32)
    number_of[present] = np.arange(len(present))
    cells = []
    for k in present:
        outer_end = Fraction(2) ** (int(k) // 2 - 1023)
        cells.append((outer_end, outer_end / (2 if k % 2 else 1)))
    return number_of[kind], cells
