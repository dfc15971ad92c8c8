"""What one update certainly does to the entropy of a whole training batch: the answer behind
`certify entropy batch` (docs/recipes.md; docs/theory/updates.md).

With logits every token gets H, its first-order change −c K + τ N and a sign, by `certify.entropy.rows`.  Without
them signs come from log-probabilities alone: a sampled token of probability above 1/2 is the mode
(docs/theory/updates.md#mode-token), and with the trainer's entropy L_k = log π_k + H <= 0 settles the other side, to
first order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, TypedDict, Unpack

import numpy as np

from certify.answers.entropy_batch_result import BLOCK, BatchReport
from certify.bounds.rounding import UNIT as U
from certify.certificates.entropy_batch import Evidence
from certify.entropy import digest as merkle
from certify.entropy.balls import Balls, at
from certify.entropy.batch_largest_step import largest_batch_step
from certify.entropy.digest import UNIT_BITS
from certify.entropy.dump import Column, Dump, read_dump
from certify.entropy.dump_rows import row_figures
from certify.entropy.recipe import Recipe, find_recipe
from certify.entropy.rounding import uniform_bias
from certify.entropy.rows import RowFigures
from certify.entropy.shared import shared_of_batch
from certify.entropy.spans import log_ends
from certify.entropy.stored import CHUNK, stored_span
from certify.entropy.token_clips import AMBIGUOUS, CUT, KEPT, decide
from certify.entropy.token_steps import TokenSteps, token_steps
from certify.errors import InputError
from certify.exact import parse_rational, rational_text

PAD = 2.0**-200  # the checker computes to 2^-256: of what is smaller than this nothing is claimed
_LEAST = 2.0**-230  # the same of coefficients, whose products have to lie within PAD
_ULP = 1 + 2.0**-50


class BatchOptions(TypedDict, total=False):
    """What `entropy_batch` may be told besides the recipe.

    logp_error : a bound on the absolute error of the stored log-probabilities (from the matmul), added to their
    rounding.  worst : how many tokens to list (5).  processes : rows of logits are shared out among them (1).  gram : a
    file with ⟨φ_s, φ_t⟩ of all pairs of tokens; features : one with the φ_s themselves: the step is then one of shared
    parameters too (`BatchReport.shared`).  eps : clip ranges [1 − ε, 1 + ε] for which decisions are counted as well.
    eta_passes : how often the rows are looked at again for `eta_max` (None: up to 16 times, about a second; 0: it is
    `eta_safe`).
    """

    logp_error: Fraction | float | str
    worst: int
    processes: int
    gram: str | Path | None
    features: str | Path | None
    eps: Sequence[Fraction | str]
    eta_passes: int | None


def entropy_batch(
    path: str | Path | Dump,
    recipe: str | Recipe = "verl",
    parameters: Mapping[str, Any] | None = None,
    **options: Unpack[BatchOptions],
) -> BatchReport:
    """Certify the entropy and its first-order change under one update for the batch in `path`.

    `parameters` change fields of the recipe; for the options see `BatchOptions`.

    Raises `InputError` for files and recipes that do not fit.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     name = Path(folder) / "batch.npz"
    ...     logits = np.array([[2.0, 0.0, 0.0], [0.0, 0.0, 3.0]], dtype=np.float32)
    ...     np.savez(name, logits=logits, token_id=[0, 1], advantage=np.array([1.0, 1.0]))
    ...     report = entropy_batch(name, "reinforce")
    >>> report.up, report.down, report.undecided
    (1, 1, 0)
    """
    dump = path if isinstance(path, Dump) else read_dump(path)
    rule = recipe if isinstance(recipe, Recipe) else find_recipe(recipe, parameters)
    bound = options.get("logp_error", 0)
    error, passes = float(parse_rational(str(bound), "--logp-error")), options.get("eta_passes")
    if error < 0:
        raise InputError("--logp-error", f"{bound} is negative", "give a bound that is at least 0")
    if passes is not None and passes < 0:
        raise InputError("--eta-passes", f"{passes}", "use a number that is at least 0")
    figures, row_hashes = (None, b"") if dump.logits is None else row_figures(dump, options.get("processes", 1))
    steps = token_steps(dump, rule, figures, error * _ULP)
    maker = _Report(dump, rule, figures, steps, row_hashes, options.get("worst", 5))
    maker.passes = passes
    report = maker.report()
    counts = {str(e): clip_counts(steps, parse_rational(e, "--eps")) for e in options.get("eps", ())}
    gram, features = options.get("gram"), options.get("features")
    given = features if gram is None else gram
    shared = None if given is None else shared_of_batch(dump, steps, Path(given), gram is None)
    return replace(report, by_eps=counts, shared=shared)


def clip_counts(steps: TokenSteps, eps: Fraction) -> dict[str, int]:
    """How many unmasked tokens PPO's clip at [1 − ε, 1 + ε] keeps and cuts, and how many rounding leaves open.

    Raises `InputError` where there are no ratios, or for an ε that is not within [0, 1].
    """
    if not 0 <= eps <= 1:
        raise InputError("--eps", f"{eps}", "use a number from 0 to 1")
    if steps.log_ratio is None:
        raise InputError("--eps", "no column logp_old: every ratio is 1", "add it to the batch")
    rule = Recipe("clip", "", clip="ppo", eps_low=eps, eps_high=eps)
    found = decide(steps.log_ratio, steps.advantage, rule)[steps.active]
    names = (("kept", KEPT), ("cut", CUT), ("ambiguous", AMBIGUOUS))
    return {name: int((found == value).sum()) for name, value in names}


class _Report:
    """Puts together what is known of one batch."""

    def __init__(
        self, dump: Dump, recipe: Recipe, figures: RowFigures | None, steps: TokenSteps, row_hashes: bytes, worst: int
    ) -> None:
        c = steps.coefficient
        steps = replace(steps, coefficient=Balls(c.mid, np.where(c.rad > 0, c.rad + _LEAST, 0.0)))
        self.dump, self.recipe, self.figures, self.steps, self.worst = dump, recipe, figures, steps, worst
        self.row_hashes = row_hashes
        self.active = steps.active
        self.passes: int | None = None
        self.why: dict[str, str] = {}
        self.warnings: list[str] = []

    def report(self) -> BatchReport:
        c = self.steps.coefficient
        moves = (c.mid != 0) | (c.rad != 0) | (self.steps.bonus.mid != 0)
        change, signs = self._signs()
        signs = np.where(self.active, signs, 0).astype(np.int8)
        fields = self._fields(change, signs, moves)
        levels = merkle.tree(merkle.leaves(fields, self.row_hashes, self._block()))
        root = levels[-1][0]
        sums = dict(zip(merkle.SUMS, root.sums, strict=True))
        weight = Fraction(1) if self.recipe.entropy_weight == "sum" else Fraction(1, int(self.active.sum()))
        entropy = first = None
        if self._entropies() is not None:
            entropy = _in_units(sums["entropy_low"], sums["entropy_high"], weight)
        else:
            self.why["entropy"] = "neither a column logits nor a column entropy"
        if change is not None:
            first = _in_units(sums["change_low"], sums["change_high"], weight)
        else:
            self.why["first_order"] = "no column logits"
        clip, mean, bias = self._ratios(sums)
        step = largest_batch_step(self.dump, self.figures, self.steps, change, self.passes)
        self.why.update(step.why)
        return BatchReport(
            self.recipe,
            int(self.active.sum()),
            entropy,
            first,
            sums["up"],
            sums["down"],
            sums["undecided"],
            sums["still"],
            step.eta,
            {1: "increases", -1: "decreases", 0: "undecided"}[step.sign],
            step.reversed_at,
            step.safe,
            step.drift,
            clip,
            mean,
            bias,
            Evidence(self.dump, self.recipe.to_json(), fields, levels, self._block()).digest,
            self._worst(change, signs),
            self.why,
            self._repo_warning(),
            signs,
            change,
            self.steps,
            self.figures,
            levels,
            fields,
            self.row_hashes,
            self.dump,
        )

    def _entropies(self) -> Balls | None:
        if self.figures is not None:
            return self.figures.entropy
        column = self.dump.get("entropy")
        return None if column is None else stored_span(column).ball()

    def _signs(self) -> tuple[Balls | None, np.ndarray]:
        steps = self.steps
        if self.figures is not None:
            change = steps.bonus * self.figures.norm2 - steps.coefficient * self.figures.slope
            moves = self.active & ((change.mid != 0) | (change.rad != 0))
            change = Balls(np.where(moves, change.mid, 0.0), np.where(moves, change.rad + PAD, 0.0))
            return change, change.signs()
        return None, self._signs_without_rows()

    def _signs_without_rows(self) -> np.ndarray:
        """From the sampled token's probability alone, and with the stored entropy to first order."""
        column, entropy = self.dump.get("logp_train"), self.dump.get("entropy")
        signs = np.zeros(self.dump.tokens, dtype=np.int8)
        if column is None or self.recipe.bonus:
            self.why["up"] = "no column logp_train" if column is None else "an entropy bonus needs logits"
            return signs
        half = log_ends(Fraction(1, 2))[1]
        for start in range(0, len(signs), CHUNK):
            part = slice(start, start + CHUNK)
            c = at(self.steps.coefficient, part)
            direction = c.signs()
            log_pi = stored_span(Column(column.values[part], column.format))
            fall = log_pi.low > half
            sign = np.where(fall, -direction, 0)
            if entropy is not None:
                most = stored_span(Column(entropy.values[part], entropy.format)).high
                sign = np.where(~fall & (log_pi.high + most + 4 * U * (most - log_pi.low) < 0), direction, sign)
            signs[part] = sign
        return signs

    def _fields(self, change: Balls | None, signs: np.ndarray, moves: np.ndarray) -> dict[str, np.ndarray]:
        """The columns that the digest commits to, by name, in the order of `merkle.FIELDS`."""
        steps, found = self.steps, {}
        entropy = self._entropies()
        if entropy is not None and self.figures is not None:
            entropy = Balls(entropy.mid, entropy.rad + PAD)
        pairs = {"entropy": entropy, "change": change, "coefficient": steps.coefficient}
        column = self.dump.get("logp_train")
        if self.figures is None and column is not None:
            span = stored_span(column)
            found["log_pi_low"], found["log_pi_high"] = span.low, span.high
        if steps.bonus.mid.any():
            pairs["bonus"] = steps.bonus
        pairs["advantage"] = steps.advantage
        for name, value in pairs.items():
            if value is not None:
                found[f"{name}_low"], found[f"{name}_high"] = _ends(value)
        if steps.log_ratio is not None:
            found["log_ratio_low"], found["log_ratio_high"] = steps.log_ratio.low, steps.log_ratio.high
        ids = self.dump.get("token_id")
        if ids is not None:
            found["token"] = ids.values.astype("<i8")
        flags = np.zeros(len(signs), dtype=np.uint8)
        for k, chosen in enumerate(self._counts(signs, moves)):
            if chosen is not None:
                flags |= chosen.astype(np.uint8) << k
        found["flags"] = flags
        return found

    def _counts(self, signs: np.ndarray, moves: np.ndarray) -> tuple[np.ndarray | None, ...]:
        """Which tokens each of `merkle.COUNTS` counts; None for nobody."""
        active, decision = self.active, self.steps.decision
        open_ = active & (signs == 0)
        by_sign = active, active & (signs > 0), active & (signs < 0), open_ & moves, open_ & ~moves
        if decision is None:
            return (*by_sign, None, None, None)
        return (*by_sign, *(active & (decision == value) for value in (KEPT, CUT, AMBIGUOUS)))

    def _block(self) -> int:
        return 1 if self.row_hashes else BLOCK

    def _ratios(self, sums: dict[str, int]) -> tuple[dict[str, int] | None, Any, Any]:
        steps = self.steps
        if steps.ratio is None or steps.decision is None:
            reason = "no column logp_old: the first inner step, every ratio is 1"
            self.why.update(clip=reason, ratio_mean=reason)
            return None, None, None
        n = int(self.active.sum())
        if not np.isfinite(steps.ratio.high[self.active]).all():
            self.why.update(ratio_mean="a log-ratio beyond 700", ratio_bias="a log-ratio beyond 700")
            return {name: sums[name] for name in ("kept", "cut", "ambiguous")}, None, None
        ends = []
        for side, sign in ((steps.ratio.low, -1), (steps.ratio.high, 1)):
            total = float(side[self.active].sum())
            ends.append(Fraction(float(total * (1 + sign * (n + 8) * U))) / n)
        bias = None
        new, old = self.dump.get("logp_train"), self.dump.get("logp_old")
        if new is None or old is None or self.recipe.ratio != "token":
            self.why["ratio_bias"] = "needs both columns of log-probabilities and token ratios"
        else:
            found = uniform_bias(new, old, self.active)
            bias = (Fraction(found[0]), Fraction(found[1]))
        clip = {name: sums[name] for name in ("kept", "cut", "ambiguous")}
        return clip, (ends[0], ends[1]), bias

    def _worst(self, change: Balls | None, signs: np.ndarray) -> list[dict[str, Any]]:
        """The tokens that lose most entropy, by the certified change."""
        if change is None or self.worst <= 0:
            return []
        order = np.argsort(change.mid, kind="stable")[: self.worst]
        low, high = _ends(change)
        ids = self.dump.get("token_id")
        return [
            {
                "token": int(t),
                "token_id": None if ids is None else int(ids.values[t]),
                "change": [rational_text(Fraction(float(low[t]))), rational_text(Fraction(float(high[t])))],
                "sign": {1: "up", -1: "down", 0: "undecided"}[int(signs[t])],
            }
            for t in order
            if self.active[t] and change.mid[t] < 0
        ]

    def _repo_warning(self) -> list[str]:
        """REPO-D can only be neutral with ζ = 1/E[πL²] (docs/theory/updates.md#safe-step and #floor)."""
        if self.recipe.transform != "repo-d" or self.figures is None:
            return self.warnings
        norm = self.figures.norm2
        most = float((norm.mid + norm.rad)[self.active].max())
        if most * float(self.recipe.zeta) < 1:
            self.warnings.append(
                f"REPO-D with zeta {rational_text(self.recipe.zeta)} still loses entropy to first order wherever "
                f"E[pi A L] > 0: neutrality needs zeta >= {1 / most:.6g} at every token of this batch"
            )
        return self.warnings


def _ends(value: Balls) -> tuple[np.ndarray, np.ndarray]:
    exact = value.rad == 0
    if exact.all():
        return value.mid, value.mid
    low, high = np.nextafter(value.mid - value.rad, -np.inf), np.nextafter(value.mid + value.rad, np.inf)
    return np.where(exact, value.mid, low), np.where(exact, value.mid, high)


def _in_units(low: int, high: int, weight: Fraction) -> tuple[Fraction, Fraction]:
    return Fraction(low, 1 << UNIT_BITS) * weight, Fraction(high, 1 << UNIT_BITS) * weight
