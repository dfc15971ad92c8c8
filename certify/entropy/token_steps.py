"""From a batch and a recipe to the step of every token: the coefficient c of u = c (e_k − π) in logit space, as
float64 balls, from advantages, ratios, clip decisions, corrections, penalties and masks (docs/recipes.md;
docs/theory/entropy.md#rounding).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from certify.entropy.balls import Balls, at, number, segment_sum, zeroed
from certify.entropy.dump import Column, Dump
from certify.entropy.recipe import Recipe
from certify.entropy.rows import RowFigures
from certify.entropy.sequences import Layout, layout, weights
from certify.entropy.spans import Span, difference, exp_span, log_ends, outward, span_at
from certify.entropy.stored import CHUNK, log_probabilities, needed_log_probabilities, stored_span
from certify.entropy.token_advantages import advantages, transformed
from certify.entropy.token_clips import CUT, decide, gradient_factor
from certify.entropy.token_masks import masked
from certify.errors import InputError


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


def log_ratios(dump: Dump, new: Span | None, recipe: Recipe, where: Layout, error: float) -> Span | None:
    """log ρ per token, per sequence spread over its tokens (`sequence`: the mean, `full`: the sum); None on-policy."""
    old = dump.get("logp_old")
    if old is None or new is None:
        return None
    x = difference(new, stored_span(old, error))
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
        new = log_probabilities(dump, figures, logp_error)
        advantage = transformed(dump, recipe, where, advantage, figures, new)
    whole = None
    if recipe.ratio != "token":
        whole = log_ratios(dump, log_probabilities(dump, figures, logp_error), recipe, where, logp_error)
    out = _Outputs(dump.tokens)
    for start in range(0, dump.tokens, CHUNK):
        part = slice(start, start + CHUNK)
        piece = _piece(dump, part)
        new = log_probabilities(piece, None if figures is None else at(figures.log_pi, part), logp_error)
        if recipe.ratio == "token":
            log_ratio = log_ratios(piece, new, recipe, where, logp_error)
        else:
            log_ratio = None if whole is None else span_at(whole, part)
        out.put(part, piece, recipe, at(advantage, part), at(weight, part), (log_ratio, new), logp_error)
    coefficient = out.coefficient
    if recipe.mask != "none":
        new = log_probabilities(dump, figures, logp_error)
        coefficient = masked(dump, recipe, where, coefficient, advantage, figures, new)
    if not where.active.all():
        coefficient = zeroed(coefficient, ~where.active)
    lost = ~(np.isfinite(coefficient.mid) & np.isfinite(coefficient.rad))
    if lost.any():
        token = int(np.flatnonzero(lost)[0])
        raise InputError(
            dump.path.name, f"the step of token {token} is beyond float64", "rescale rewards or advantages"
        )
    advantage = advantage if where.active.all() else zeroed(advantage, ~where.active)
    n = dump.tokens
    bonus = zeroed(weight * number(recipe.bonus), ~where.active) if recipe.bonus else Balls.exact(np.zeros(n))
    if not out.has_ratio:
        return TokenSteps(coefficient, advantage, None, None, None, bonus, where.active)
    return TokenSteps(coefficient, advantage, out.log_ratio, out.ratio, out.decision, bonus, where.active)


def _piece(dump: Dump, part: slice) -> Dump:
    """The tokens `part` of a batch, without rewards (they may be one per sequence) and logits."""
    columns = {k: Column(c.values[part], c.format) for k, c in dump.columns.items() if k != "reward"}
    return Dump(dump.path, len(range(*part.indices(dump.tokens))), columns, None)


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
            factor = gradient_factor(ratio, decision, recipe)
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
        coefficient = zeroed(_corrected(piece, recipe, coefficient, error), nothing)
        coefficient = _with_penalty(piece, recipe, coefficient, weight, new, error)
        self.coefficient.mid[part], self.coefficient.rad[part] = coefficient.mid, coefficient.rad


def _corrected(dump: Dump, recipe: Recipe, coefficient: Balls, error: float) -> Balls:
    """Truncated importance sampling or IcePop on π_old/π_sampler (trainer against sampler)."""
    if recipe.correction == "none":
        return coefficient
    old = dump.get("logp_old") or dump.need("logp_train", "the trainer/sampler ratio")
    x = difference(stored_span(old, error), stored_span(dump.need("logp_sampler", "the trainer/sampler ratio"), error))
    ratio = exp_span(x)
    if recipe.correction == "tis":
        low, high = outward(Fraction(0), recipe.tis_cap)
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
    new = needed_log_probabilities(dump, new, "the KL term")
    x = difference(new, stored_span(dump.need("logp_ref", "the KL term (or --param kl=none)"), error))
    if recipe.kl == "k2":
        return coefficient - beta * weight * x.ball()
    e = exp_span(Span(-x.high, -x.low)).ball()
    return coefficient - beta * weight * (Balls.exact(np.ones(1)) - e)
