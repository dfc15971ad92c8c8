"""A batch in three pictures: the certified first-order changes of its tokens, how the clip decisions depend on ε, and
the bias that rounding puts on ratios, by binade (docs/recipes.md).
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from certify.answers.entropy_batch import clip_counts
from certify.answers.entropy_batch_result import BatchReport
from certify.entropy.balls import Balls
from certify.entropy.plots import save, subplots
from certify.entropy.rounding import binade_row

EPSILONS = tuple(Fraction(k, 50) for k in range(1, 26))


def clip_shares(report: BatchReport, epsilons: tuple[Fraction, ...] = EPSILONS) -> list[tuple[float, float, float]]:
    """(ε, share cut, share ambiguous) for symmetric clip ranges; empty without ratios."""
    if report.steps.log_ratio is None:
        return []
    rows = []
    for eps in epsilons:
        found = clip_counts(report.steps, eps)
        rows.append((float(eps), found["cut"] / report.tokens, found["ambiguous"] / report.tokens))
    return rows


def binade_shares(report: BatchReport) -> list[tuple[int, float, float]]:
    """(binade k, share of the tokens with log π in [−2^(k+1), −2^k), mean factor on the ratio minus 1 there).

    Errors uniform on the cells of the stored type, both sides rounded; empty for float64 columns.
    """
    column = report.source.get("logp_train")
    if column is None or column.format is None:
        return []
    values = column.values[report.steps.active & (column.values < 0)]
    exponent = np.maximum(np.frexp(values)[1] - 1, column.format.smallest_exponent)
    rows = []
    for k in np.unique(exponent):
        factor = binade_row(column.format, int(k), ()).both_sides
        rows.append((int(k), float((exponent == k).mean()), float(factor.upper) - 1))
    return rows


def plot_batch(report: BatchReport, file: Path) -> None:
    """Draw the three pictures into one file; what the batch cannot answer says so in its place."""
    figure, axes = subplots(3)
    _changes(axes[0], report.change, report.steps.active)
    _clips(axes[1], clip_shares(report))
    _binades(axes[2], binade_shares(report))
    save(figure, file)


def _nothing(axes: Any, why: str) -> None:
    axes.text(0.5, 0.5, why, ha="center", va="center", transform=axes.transAxes)


def _changes(axes: Any, change: Balls | None, active: np.ndarray) -> None:
    axes.set_title("first-order entropy changes, certified")
    if change is None:
        _nothing(axes, "no column logits")
        return
    mid, signs = change.mid[active], change.signs()[active]
    scale = max(float(np.abs(mid).max(initial=0.0)), 1e-300)
    edges = np.linspace(-scale, scale, 61)
    groups = [("down", -1, "#D55E00"), ("undecided", 0, "#6b7280"), ("up", 1, "#009E73")]
    axes.hist(
        [mid[signs == s] for _, s, _ in groups],
        edges,
        stacked=True,
        color=[c for *_, c in groups],
        label=[f"{name}: {int((signs == s).sum())}" for name, s, _ in groups],
    )
    axes.set_yscale("symlog")
    axes.set_xlabel("dH/d(step) of a token")
    axes.set_ylabel("tokens")
    axes.legend(fontsize=7)


def _clips(axes: Any, rows: list[tuple[float, float, float]]) -> None:
    axes.set_title("clip decisions by ε")
    if not rows:
        _nothing(axes, "no column logp_old")
        return
    eps, cut, ambiguous = zip(*rows, strict=True)
    axes.plot(eps, cut, marker="o", markersize=3, label="cut")
    axes.plot(eps, ambiguous, marker="x", markersize=4, label="ambiguous under rounding")
    axes.set_xlabel("ε on both sides")
    axes.set_ylabel("share of tokens")
    axes.legend(fontsize=7)


def _binades(axes: Any, rows: list[tuple[int, float, float]]) -> None:
    axes.set_title("rounding by binade of log π")
    if not rows:
        _nothing(axes, "no 16- or 32-bit column logp_train")
        return
    k, share, bias = zip(*rows, strict=True)
    axes.bar(k, share, color="#56B4E9")
    axes.set_xlabel("k: log π in [−2^(k+1), −2^k)")
    axes.set_ylabel("share of tokens (bars)")
    right = axes.twinx()
    right.plot(k, bias, color="black", marker="o", markersize=3, linewidth=0.8)
    right.set_yscale("log")
    right.set_ylabel("mean factor on the ratio − 1 (line)")
