"""What one update certainly does to the entropy of a whole training batch: the answer behind
`certify entropy batch` (docs/recipes.md; docs/theory/updates.md).

With logits every token gets H, its first-order change −c K + τ N and a sign, by `certify.entropy.rows`.  Without
them signs come from log-probabilities alone: a sampled token of probability above 1/2 is the mode
(docs/theory/updates.md#mode-token), and with the trainer's entropy L_k = log π_k + H <= 0 settles the other side, to
first order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, TypedDict, Unpack

import numpy as np

from certify.bounds.enclosure import Enclosure
from certify.bounds.rounding import UNIT as U
from certify.certificates.entropy_batch import Evidence, batch_certificate
from certify.entropy import digest as merkle
from certify.entropy.balls import Balls, at
from certify.entropy.digest import UNIT_BITS
from certify.entropy.dump import Column, Dump, bad_row, check_rows, read_dump
from certify.entropy.formats import BFLOAT16, FLOAT16
from certify.entropy.recipe import Recipe, find_recipe
from certify.entropy.rounding import uniform_bias
from certify.entropy.rows import Histograms, RowFigures, blocks, concatenate, moved_change, plain_figures
from certify.entropy.shared import LARGEST, SharedChange, read_gram, shared_change
from certify.entropy.spans import log_ends
from certify.entropy.stored import CHUNK, stored_span
from certify.entropy.token_clips import AMBIGUOUS, CUT, KEPT, decide
from certify.entropy.token_steps import TokenSteps, token_steps
from certify.errors import InputError
from certify.exact import parse_rational, rational_text
from certify.notebook import Facts, Shown, between, decimal

PAD = 2.0**-200
BLOCK = 512  # tokens per leaf of the digest where there are no rows of logits
_ROW_VISITS = 1600  # rows that the search for the largest step looks at unless more is asked for: about a second
_PASSES = 16
_LARGEST_ETA = Fraction(10**6)
_ULP = 1 + 2.0**-50


@dataclass(frozen=True, eq=False, repr=False)
class BatchReport(Shown):
    """What is certified of a batch.  Intervals are pairs of exact numbers; None where `why` says why not.

    `signs` (N,) is 1 (up), −1 (down), 0 (undecided or no step at all: `still`); `change` (N,) are the certified
    first-order changes of the tokens' entropies, per unit of step.
    """

    recipe: Recipe
    tokens: int
    entropy: tuple[Fraction, Fraction] | None
    first_order: tuple[Fraction, Fraction] | None
    up: int
    down: int
    undecided: int
    still: int
    eta_max: Fraction | None
    eta_max_sign: str
    reversed_at: Fraction | None
    eta_safe: Fraction | None
    drift: float | None
    clip: dict[str, int] | None
    ratio_mean: tuple[Fraction, Fraction] | None
    ratio_bias: tuple[Fraction, Fraction] | None
    digest: str
    worst: list[dict[str, Any]]
    why: dict[str, str]
    warnings: list[str]
    signs: np.ndarray
    change: Balls | None
    steps: TokenSteps
    figures: RowFigures | None
    levels: list[list[merkle.Node]] = field(repr=False)
    fields: dict[str, np.ndarray] = field(repr=False)
    row_hashes: bytes = field(repr=False)
    source: Dump = field(repr=False)
    shared: SharedChange | None = None
    by_eps: dict[str, dict[str, int]] = field(default_factory=dict)

    def facts(self) -> Facts:
        """What a prompt and a notebook show of it."""
        rows = [("tokens", str(self.tokens)), ("up, down, undecided", f"{self.up}, {self.down}, {self.undecided}")]
        named = (
            ("entropy in", self.entropy),
            ("first-order change in", self.first_order),
            ("mean ratio in", self.ratio_mean),
        )
        rows += [(label, between(Enclosure(*ends))) for label, ends in named if ends is not None]
        if self.clip is not None:
            rows.append(("clip decisions", ", ".join(f"{key} {value}" for key, value in self.clip.items())))
        if self.eta_max is not None:
            rows.append(("sign kept up to a step of", decimal(self.eta_max, up=False)))
        return Facts(f"a batch under {self.recipe.name}", "", tuple(rows), "; ".join(self.warnings[:3]))

    def certificate(self, sample: int = 16) -> dict[str, Any]:
        """The certificate of the batch with `sample` leaves of the digest's tree, drawn by the digest."""
        if sample < 1:
            raise InputError("--sample", f"{sample}", "use at least 1")
        block = 1 if self.row_hashes else BLOCK
        return batch_certificate(Evidence(self.source, self.recipe.to_json(), self.fields, self.levels, block), sample)

    @property
    def status(self) -> str:
        """`proved` where every token that moves has a sign, `partial` otherwise."""
        return "proved" if self.undecided == 0 else "partial"

    def to_json(self) -> dict[str, Any]:
        """The object that `certify entropy batch --json` prints."""
        return {
            "status": self.status,
            "tokens": self.tokens,
            "entropy": _texts(self.entropy),
            "first_order": _texts(self.first_order),
            "up": self.up,
            "down": self.down,
            "undecided": self.undecided,
            "still": self.still,
            "eta_max": None if self.eta_max is None else rational_text(self.eta_max),
            "eta_max_sign": self.eta_max_sign,
            "reversed_at": None if self.reversed_at is None else rational_text(self.reversed_at),
            "eta_safe": None if self.eta_safe is None else rational_text(self.eta_safe),
            "drift": self.drift,
            "clip": self.clip,
            "clip_by_eps": self.by_eps or None,
            "ratio_mean": _texts(self.ratio_mean),
            "ratio_bias": _texts(self.ratio_bias),
            "digest": self.digest,
            "worst": self.worst,
            "why": self.why,
            "warnings": self.warnings,
            "shared": None if self.shared is None else _shared_json(self.shared),
            "recipe": self.recipe.to_json(),
        }


def _shared_json(shared: SharedChange) -> dict[str, Any]:
    signs = shared.change.signs()
    return {
        "first_order": _texts(_total(shared.change)),
        "diagonal": _texts(_total(shared.diagonal)),
        "up": int((signs > 0).sum()),
        "down": int((signs < 0).sum()),
        "wrong_sign": shared.wrong,
        "total_sign_wrong": shared.total_wrong,
    }


def _total(x: Balls) -> tuple[Fraction, Fraction]:
    total = x.sum()
    mid, rad = Fraction(float(total.mid[0])), Fraction(float(total.rad[0]))
    return mid - rad, mid + rad


def _texts(pair: tuple[Fraction, Fraction] | None) -> list[str] | None:
    return None if pair is None else [rational_text(end) for end in pair]


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
    shared = None if given is None else _shared(dump, steps, Path(given), gram is None)
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


def _shared(dump: Dump, steps: TokenSteps, path: Path, features: bool) -> SharedChange:
    """Changes of all tokens under a step of shared parameters."""
    if dump.logits is None:
        raise InputError("--features" if features else "--gram", "needs a column logits", "add it to the batch")
    if dump.logits.shape[0] * dump.logits.shape[1] > LARGEST:
        raise InputError(
            "--gram", f"{dump.logits.shape[0]} rows of {dump.logits.shape[1]} logits", "give a smaller batch"
        )
    rows = dump.logits.read(0, dump.tokens)
    coded = dump.logits.format in (BFLOAT16, FLOAT16) and dump.logits.format is not None
    values = dump.logits.format.decode(rows) if coded else rows.astype(np.float64)
    sampled = dump.need("token_id", "finding the sampled token").values
    matrix = read_gram(path, dump.tokens, features)
    return shared_change(values, sampled, steps.coefficient, steps.bonus, matrix, steps.active)


def row_figures(dump: Dump, processes: int = 1) -> tuple[RowFigures, bytes]:
    """The figures of all rows of logits and the hashes of the rows, 32 bytes each; rows are streamed."""
    logits = dump.logits
    assert logits is not None
    sampled = dump.need("token_id", "finding the sampled token").values
    parts = list(blocks(*logits.shape, at_once=1 << 22))
    if processes > 1 and len(parts) > 1:
        cuts = np.array_split(np.arange(len(parts)), processes)
        jobs = [(dump.path, parts[c[0]].start, parts[c[-1]].stop) for c in cuts if len(c)]
        with ProcessPoolExecutor(len(jobs)) as pool:
            done = list(pool.map(_share, jobs))
        return concatenate([d[0] for d in done]), b"".join(d[1] for d in done)
    found, hashes = [], []
    worker = _Rows(dump)
    for part in parts:
        f, h = worker(logits.read(part.start, part.stop), sampled[part], part.start)
        found.append(f)
        hashes.append(h)
    return concatenate(found), b"".join(hashes)


def _share(job: tuple[Path, int, int]) -> tuple[RowFigures, bytes]:
    """The rows start..stop of a file, in a process of its own."""
    path, start, stop = job
    dump = read_dump(path)
    assert dump.logits is not None
    sampled = dump.need("token_id", "finding the sampled token").values
    worker, found, hashes = _Rows(dump), [], []
    for part in blocks(stop - start, dump.logits.shape[1], at_once=1 << 22):
        begin, end = start + part.start, start + part.stop
        f, h = worker(dump.logits.read(begin, end), sampled[begin:end], begin)
        found.append(f)
        hashes.append(h)
    return concatenate(found), b"".join(hashes)


class _Rows:
    """Figures and hashes of blocks of rows of one dump."""

    def __init__(self, dump: Dump) -> None:
        assert dump.logits is not None
        self.where = f"{dump.path.name}, logits"
        self.format = dump.logits.format
        self.size = dump.logits.shape[1]
        self.coded = self.format in (BFLOAT16, FLOAT16)
        self.histograms = Histograms(self.format) if self.coded and self.format is not None else None

    def __call__(self, rows: np.ndarray, sampled: np.ndarray, start: int) -> tuple[RowFigures, bytes]:
        hashes: list[bytes] = []
        if self.histograms is not None and self.format is not None:
            name = self.format.name

            def seen(codes: np.ndarray, counts: np.ndarray) -> None:
                own = rows[len(hashes), sampled[len(hashes)]]
                parts = codes.astype("<u2").tobytes(), counts.astype("<u4").tobytes(), own.astype("<u2").tobytes()
                hashes.append(merkle.row_hash(name, self.size, *parts))

            found = self.histograms.figures(rows, sampled, seen)
        else:
            check_rows(rows, self.where, start)
            found = plain_figures(rows, sampled)
            kind = "float64" if self.format is None else self.format.name
            hashes = [merkle.row_hash(kind, self.size, row.tobytes()) for row in np.ascontiguousarray(rows)]
        if not np.isfinite(found.entropy.mid).all():
            bad_row(self.where, start + int(np.flatnonzero(~np.isfinite(found.entropy.mid))[0]))
        if not np.isfinite(found.log_pi.mid).all():
            token = start + int(np.flatnonzero(~np.isfinite(found.log_pi.mid))[0])
            raise InputError(
                self.where, f"the sampled token of row {token} has logit -inf", "give the logits it was sampled from"
            )
        return found, b"".join(hashes)


class _Report:
    """Puts together what is known of one batch."""

    def __init__(
        self, dump: Dump, recipe: Recipe, figures: RowFigures | None, steps: TokenSteps, row_hashes: bytes, worst: int
    ) -> None:
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
        levels = merkle.tree(self._leaves(fields))
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
        eta_max, sign, reversed_at, safe, drift = self._largest_step(change)
        return BatchReport(
            self.recipe,
            int(self.active.sum()),
            entropy,
            first,
            sums["up"],
            sums["down"],
            sums["undecided"],
            sums["still"],
            eta_max,
            sign,
            reversed_at,
            safe,
            drift,
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
            # the checker computes to 2^-256: what is smaller than 2^-200 stays open
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

    def _leaves(self, fields: dict[str, np.ndarray]) -> list[merkle.Node]:
        size, n = self._block(), len(fields["flags"])
        starts = np.arange(0, n, size)
        totals = [
            np.add.reduceat((fields["flags"] >> k) & 1, starts, dtype=np.int64) for k in range(len(merkle.COUNTS))
        ]
        live = (fields["flags"] & 1) != 0
        ends = np.zeros((4, len(starts)))
        for j, name in enumerate(merkle.SUMS[:4]):
            if name in fields:
                values = np.where(live, fields[name], 0.0)
                total = np.add.reduceat(values, starts)
                slack = (size - 1) * 2 * U * np.add.reduceat(np.abs(values), starts)
                ends[j] = total + slack if j % 2 else total - slack
        views = [memoryview(np.ascontiguousarray(x)).cast("B") for x in fields.values()]
        widths = [x.itemsize for x in fields.values()]
        leaves = []
        for i, start in enumerate(starts.tolist()):
            sums = tuple(merkle.units(e, bool(j % 2)) if e else 0 for j, e in enumerate(ends[:, i].tolist()))
            sums += tuple(int(x[i]) for x in totals)
            stop = min(n, start + size)
            data = b"".join(v[start * w : stop * w] for v, w in zip(views, widths, strict=True))
            leaves.append(merkle.leaf(data, self.row_hashes[32 * start : 32 * stop], sums))
        return leaves

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

    def _largest_step(self, change: Balls | None) -> tuple[Any, str, Any, Any, float | None]:
        """(eta_max, its sign, reversed_at, eta_safe, drift) of the total ΣH; see `_curvature`."""
        if change is None or self.figures is None:
            self.why.update(eta_max="no column logits", eta_safe="no column logits")
            return None, "undecided", None, None, None
        spread, norm = self._sizes()
        total = change_sum(change)
        drift = float(spread[self.active].max(initial=0.0))
        sign = 1 if total.mid[0] > total.rad[0] else -1 if total.mid[0] < -total.rad[0] else 0
        if sign == 0:
            still = not total.mid[0] and not total.rad[0]
            reason = "no token moves" if still else "the sign of the total to first order is not settled"
            self.why.update(eta_max=reason, eta_safe=reason)
            return None, "undecided", None, None, drift
        log_size = float(np.nextafter(np.log(self.figures.size), np.inf)) * _ULP
        slope = abs(float(total.mid[0])) - float(total.rad[0])
        # H'' >= −(1 + log n) R²/4 for rises, |H''| <= (1 + log n)/2 ‖u‖² for falls, summed over the tokens
        if sign > 0:
            curvature = _upper_sum((1 + log_size) / 4 * spread * spread)
        else:
            curvature = _upper_sum((1 + log_size) / 2 * norm)
        # never below the other one, which holds for both signs
        curvature = min(curvature, _upper_sum((1 + log_size) / 2 * norm))
        safe = min(_LARGEST_ETA, Fraction(2 * slope) / Fraction(curvature)) if curvature > 0 else _LARGEST_ETA
        search = _StepSearch(self, sign, _upper_sum((1 + log_size) / 2 * norm))
        eta, reversed_at = search.largest(safe)
        if not search.possible:
            self.why["eta_max"] = search.reason
        return eta, {1: "increases", -1: "decreases"}[sign], reversed_at, safe, drift

    def _sizes(self) -> tuple[np.ndarray, np.ndarray]:
        """Upper bounds of osc u and ‖u‖² per token, u = c (e_k − π) − τ π∘L."""
        assert self.figures is not None
        f, c, bonus = self.figures, self.steps.coefficient.magnitude, self.steps.bonus.magnitude
        rest, square = f.rest.magnitude, f.square.magnitude
        # entries of e_k − π: 1 − π_k at k, −π_a elsewhere, each at most 1 − π_k in size
        norm = c * np.sqrt(np.minimum(rest * rest + np.minimum(square, rest * rest), 2.0)) * _ULP
        other = np.sqrt(f.norm2.magnitude) * bonus * _ULP
        total = (norm + other) * _ULP
        return np.minimum(2 * c * rest + 2 * other, np.sqrt(2.0) * total * _ULP) * _ULP, total * total * _ULP


def change_sum(change: Balls) -> Balls:
    """The total of per-token changes (N,), shape (1,)."""
    return change.sum()


def _ends(value: Balls) -> tuple[np.ndarray, np.ndarray]:
    exact = value.rad == 0
    if exact.all():
        return value.mid, value.mid
    low, high = np.nextafter(value.mid - value.rad, -np.inf), np.nextafter(value.mid + value.rad, np.inf)
    return np.where(exact, value.mid, low), np.where(exact, value.mid, high)


def _upper_sum(values: np.ndarray) -> float:
    return float(values.sum()) * (1 + (len(values) + 64) * 2 * U)


def _in_units(low: int, high: int, weight: Fraction) -> tuple[Fraction, Fraction]:
    return Fraction(low, 1 << UNIT_BITS) * weight, Fraction(high, 1 << UNIT_BITS) * weight


class _StepSearch:
    """The largest step up to which the total keeps its sign, by passes over the batch: as many as `_ROW_VISITS`
    allow, or `passes`.

    At a step η the change D and the slope S of the total are enclosed; with |second derivative| <= B
    everywhere the sign persists up to η + h as long as D + S h − B h²/2 > 0 (signs turned for falls).
    """

    def __init__(self, report: _Report, sign: int, curvature: float) -> None:
        self.report, self.sign, self.curvature = report, sign, curvature
        c = report.steps.coefficient
        moving = max(1, int(((c.mid != 0) | (c.rad != 0)).sum()))
        asked = report.passes
        self.passes = min(_PASSES, _ROW_VISITS // moving) if asked is None else asked
        self.possible, self.reason = True, ""
        if self.passes == 0:
            self.possible, self.reason = False, "not searched, eta_max is eta_safe: ask for it by --eta-passes 16"
        elif (report.steps.bonus.mid != 0).any():
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
        report = self.report
        assert report.dump.logits is not None
        sampled = report.dump.need("token_id", "the sampled token").values
        c = report.steps.coefficient
        tokens = np.flatnonzero((c.mid != 0) | (c.rad != 0))
        worker = _Rows(report.dump)
        step = Balls(np.array([float(eta)]), np.array([float(eta) * 2 * U]))
        changes, slopes = [], []
        for part in blocks(*report.dump.logits.shape, at_once=1 << 22):
            inside = tokens[(tokens >= part.start) & (tokens < part.stop)]
            if not len(inside):
                continue
            rows = report.dump.logits.read(part.start, part.stop)
            for t in inside:
                z, weight = _classes(worker, rows[t - part.start])
                own = _value(worker, rows[t - part.start], int(sampled[t]))
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


def _classes(worker: _Rows, row: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The distinct values of a row and how often each occurs."""
    if worker.histograms is not None:
        codes, counts = worker.histograms.count(row)
        values, counts = worker.histograms.value[codes], counts.astype(np.float64)
    else:
        values, found = np.unique(row.astype(np.float64), return_counts=True)
        counts = found.astype(np.float64)
    possible = values > -np.inf
    return values[possible], counts[possible]


def _value(worker: _Rows, row: np.ndarray, token: int) -> float:
    return float(worker.histograms.value[row[token]] if worker.histograms is not None else row[token])
