"""The largest step up to which the total entropy of a batch keeps the sign of its first-order change
(docs/recipes.md; docs/theory/updates.md#safe-step).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from certify.bounds.rounding import UNIT as U
from certify.entropy.balls import Balls
from certify.entropy.dump import Dump
from certify.entropy.dump_rows import Rows
from certify.entropy.rows import RowFigures, blocks, moved_change
from certify.entropy.token_steps import TokenSteps

_ROW_VISITS = 1600  # rows that the search for the largest step looks at unless more is asked for: about a second
_PASSES = 16
_LARGEST_ETA = Fraction(10**6)

_ULP = 1 + 2.0**-50


@dataclass(frozen=True)
class LargestStep:
    """What is known of steps of a batch, for the total ΣH; None where `why` says why not.

    eta : its sign, `sign` = 1, −1 (0: open), is proved for every step up to there.  safe : the same by curvature alone.
    reversed_at : a step at which the other sign is proved.  drift : the largest range of a token's logit step.
    """

    why: dict[str, str]
    sign: int = 0
    eta: Fraction | None = None
    reversed_at: Fraction | None = None
    safe: Fraction | None = None
    drift: float | None = None


def largest_batch_step(
    dump: Dump, figures: RowFigures | None, steps: TokenSteps, change: Balls | None, passes: int | None
) -> LargestStep:
    """The largest step for the first-order `change` (N,) of the tokens; `passes` over the rows at most."""
    if change is None or figures is None:
        return LargestStep(dict.fromkeys(("eta_max", "eta_safe"), "no column logits"))
    spread, norm = _sizes(figures, steps)
    total = change.sum()
    drift, sign = float(spread[steps.active].max(initial=0.0)), int(total.signs()[0])
    if sign == 0:
        still = not total.mid[0] and not total.rad[0]
        reason = "no token moves" if still else "the sign of the total to first order is not settled"
        return LargestStep(dict.fromkeys(("eta_max", "eta_safe"), reason), drift=drift)
    log_size = float(np.nextafter(np.log(figures.size), np.inf)) * _ULP
    slope = abs(float(total.mid[0])) - float(total.rad[0])
    # |H''| <= (1 + log n)/2 ‖u‖², and for rises also H'' >= −(1 + log n) R²/4, summed over the tokens
    general = curvature = _upper_sum((1 + log_size) / 2 * norm)
    if sign > 0:
        curvature = min(_upper_sum((1 + log_size) / 4 * spread * spread), general)
    safe = min(_LARGEST_ETA, Fraction(2 * slope) / Fraction(curvature)) if curvature > 0 else _LARGEST_ETA
    search = _Search(dump, steps, sign, general, passes)
    eta, reversed_at = search.largest(safe)
    return LargestStep({} if search.possible else {"eta_max": search.reason}, sign, eta, reversed_at, safe, drift)


def _sizes(f: RowFigures, steps: TokenSteps) -> tuple[np.ndarray, np.ndarray]:
    """Upper bounds of osc u and ‖u‖² per token, u = c (e_k − π) − τ π∘L."""
    c, bonus = steps.coefficient.magnitude, steps.bonus.magnitude
    rest, square = f.rest.magnitude, f.square.magnitude
    # entries of e_k − π: 1 − π_k at k, −π_a elsewhere, each at most 1 − π_k in size
    norm = c * np.sqrt(np.minimum(rest * rest + np.minimum(square, rest * rest), 2.0)) * _ULP
    other = np.sqrt(f.norm2.magnitude) * bonus * _ULP
    total = (norm + other) * _ULP
    return np.minimum(2 * c * rest + 2 * other, np.sqrt(2.0) * total * _ULP) * _ULP, total * total * _ULP


def _upper_sum(values: np.ndarray) -> float:
    return float(values.sum()) * (1 + (len(values) + 64) * 2 * U)


class _Search:
    """The largest step up to which the total keeps its sign, by passes over the batch: as many as `_ROW_VISITS`
    allow, or `passes`.

    At a step η the change D and the slope S of the total are enclosed; with |second derivative| <= B
    everywhere the sign persists up to η + h as long as D + S h − B h²/2 > 0 (signs turned for falls).
    """

    def __init__(self, dump: Dump, steps: TokenSteps, sign: int, curvature: float, passes: int | None) -> None:
        self.dump, self.steps, self.sign, self.curvature = dump, steps, sign, curvature
        c = steps.coefficient
        moving = max(1, int(((c.mid != 0) | (c.rad != 0)).sum()))
        self.passes = min(_PASSES, _ROW_VISITS // moving) if passes is None else passes
        self.possible, self.reason = True, ""
        if self.passes == 0:
            self.possible, self.reason = False, "not searched, eta_max is eta_safe: ask for it by --eta-passes 16"
        elif (steps.bonus.mid != 0).any():
            self.possible, self.reason = False, "an entropy bonus: eta_max is eta_safe"

    def largest(self, safe: Fraction) -> tuple[Fraction, Fraction | None]:
        """(η_max, a step at which the other sign is proved or None)."""
        if not self.possible:
            return safe, None
        position, reversed_at = safe, None
        for _ in range(self.passes):
            change, slope = self.at(position)
            if change <= 0:
                break
            root = float(np.sqrt(slope * slope + 2 * self.curvature * change))
            # the positive zero of D + S h − B h²/2, in the form without cancellation
            step = (slope + root) / self.curvature if slope >= 0 else 2 * change / (root - slope)
            step *= 1 - 2.0**-40
            if step <= 0 or not np.isfinite(step):
                break
            if step < 2.0**-7 * float(position):
                reversed_at = self.reversal(position, Fraction(step))
                break
            position = min(_LARGEST_ETA, position + Fraction(step))
            if position == _LARGEST_ETA:
                break
        return position, reversed_at

    def reversal(self, position: Fraction, step: Fraction) -> Fraction | None:
        """A step a little above `position` at which the other sign is proved, if one is met."""
        for k in range(1, min(8, self.passes)):
            beyond = position + step * 4**k
            if self.at(beyond, reverse=True)[0] > 0:
                return beyond
        return None

    def at(self, eta: Fraction, reverse: bool = False) -> tuple[float, float]:
        """Lower bounds of sign × change and sign × slope of the total at the step η."""
        logits, c = self.dump.logits, self.steps.coefficient
        assert logits is not None
        sampled = self.dump.need("token_id", "the sampled token").values
        tokens = np.flatnonzero((c.mid != 0) | (c.rad != 0))
        worker = Rows(self.dump)
        step = Balls(np.array([float(eta)]), np.array([float(eta) * 2 * U]))
        changes, slopes = [], []
        for part in blocks(*logits.shape, at_once=1 << 22):
            inside = tokens[(tokens >= part.start) & (tokens < part.stop)]
            if not len(inside):
                continue
            rows = logits.read(part.start, part.stop)
            for t in inside:
                z, weight = worker.distinct(rows[t - part.start])
                own = worker.value(rows[t - part.start], int(sampled[t]))
                coefficient = Balls(c.mid[t : t + 1], c.rad[t : t + 1])
                with np.errstate(all="ignore"):
                    change, slope = moved_change(z, weight, own, step * coefficient)
                    slope = slope * coefficient
                changes.append((change.mid[0], change.rad[0]))
                slopes.append((slope.mid[0], slope.rad[0]))
        sign = -self.sign if reverse else self.sign
        ends = []
        for pairs in (changes, slopes):
            mid, rad = np.array(pairs).T
            total = Balls(mid, rad).sum()
            ends.append(float(sign * total.mid[0] - total.rad[0]))
        return (ends[0] if np.isfinite(ends[0]) else -np.inf), (ends[1] if np.isfinite(ends[1]) else -np.inf)
