"""The advantage of every token: from rewards by the recipe's rule, relative to groups, with penalties in the reward,
and what REPO makes of it (docs/recipes.md).
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from certify.bounds.rounding import UNIT as U
from certify.entropy.balls import TINY, Balls, at, number, off_mean, root, segment_sum, zeroed
from certify.entropy.dump import Dump
from certify.entropy.recipe import Recipe
from certify.entropy.rows import RowFigures
from certify.entropy.sequences import Layout, sequence_rewards
from certify.entropy.spans import Span, difference
from certify.entropy.stored import needed_log_probabilities, stored_span
from certify.entropy.transcendental import exp as exp_of_balls
from certify.errors import InputError


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
    centred = zeroed(centred, _exactly_central(reward, centred, group))
    if recipe.advantage == "rloo":
        scale = size / np.maximum(size - 1, 1)
        found = centred * Balls(scale[group], 2 * U * scale[group])
    else:
        found = _divided(centred, reward, recipe, group, size)
    return at(zeroed(found, (centred.mid == 0) & (centred.rad == 0)), where.sequence)


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
        off, one = off_mean(reward), np.zeros(n, dtype=np.int64)
        variance = segment_sum(off * off, one, 1) / Balls.exact([float(max(n - 1, 1))])
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
    return zeroed(centred / at(scale, zero), exact)


def _penalties(dump: Dump, recipe: Recipe, where: Layout, error: float) -> Balls:
    """β k(log π_old − log π_ref) per token; 0 under the mask."""
    name = "logp_old" if dump.get("logp_old") is not None else "logp_train"
    new = stored_span(dump.need(name, "KL in the reward"), error)
    ref = stored_span(dump.need("logp_ref", "KL to the reference (or --param kl=none)"), error)
    x = difference(new, ref).ball()
    value = {"k1": lambda: x, "k2": lambda: x * x * number(Fraction(1, 2)), "k3": lambda: _k3(x)}[recipe.kl]()
    return zeroed(value * number(recipe.kl_coefficient), ~where.active)


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
        rad[part] = spread * (1 + (n + 8) * 2.0**-50) + TINY
    return Balls(mid, rad)


def _k3(x: Balls) -> Balls:
    return exp_of_balls(-x) - Balls.exact(np.ones(1)) + x


def transformed(
    dump: Dump, recipe: Recipe, where: Layout, advantage: Balls, figures: RowFigures | None, new: Span | None
) -> Balls:
    """REPO, REPO-D and REPO-R: transforms of the advantage that combine with any loss."""
    if recipe.transform == "none":
        return advantage
    if recipe.transform == "repo-r":
        return _rescaled(advantage, needed_log_probabilities(dump, new, "repo-r"), recipe)
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
    return zeroed(found, (least == 0) & (most == 0))
