"""Pictures: the entropy change against the step size inside its certified band, and the rounding
bias per binade against the count (docs/theory/entropy.md#rounding).  The bands are enclosures rounded outward
to float64; the file says nothing that is not proved.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from certify.bounds.arb_numbers import float_ends
from certify.entropy.dynamics import EntropyPath
from certify.entropy.enclosure import ball, working_precision
from certify.entropy.exhaustive import count_binade
from certify.entropy.formats import FloatFormat
from certify.entropy.rounding import binade_row
from certify.errors import InputError
from certify.files import whole


def subplots(count: int) -> tuple[Any, Any]:
    """A figure with `count` pictures one below the other (the axes alone where there is one)."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise InputError("--plot", "matplotlib is not installed", "install certify[plot]") from None
    figure = Figure(figsize=(7, 4.2 if count == 1 else 2.9 * count), layout="constrained")
    return figure, figure.subplots(count)


def save(figure: Any, path: Path) -> None:
    """Write the figure; `InputError` where that is not possible."""
    try:
        with whole(path) as draft:
            figure.savefig(draft, format=path.suffix.lstrip(".") or "png")
    except (OSError, ValueError) as error:
        raise InputError(
            "--plot", f"{path.name!r} cannot be written ({error})", "use a .png, .svg or .pdf path"
        ) from None


def change_band(
    path: EntropyPath, lower: Fraction, upper: Fraction, pieces: int
) -> list[tuple[float, float, float, float]]:
    """(step from, step to, lowest, highest change) for `pieces` equal parts of [lower, upper]."""
    rows = []
    width = (upper - lower) / pieces
    for k in range(pieces):
        low = lower + k * width
        band = path.local(low + width / 2, width / 2).change_over()
        rows.append((float(low), float(low + width), *float_ends(band)))
    return rows


@working_precision()
def plot_change(path: EntropyPath, lower: Fraction, upper: Fraction, file: Path, title: str, pieces: int = 60) -> None:
    """Draw H(η) − H(0) for η in [lower, upper]: the certified band and its values at the grid."""
    figure, axes = subplots(1)
    rows = change_band(path, lower, upper, pieces)
    edges = [x for low, high, _, _ in rows for x in (low, high)]
    bottom = [y for _, _, y, _ in rows for _ in range(2)]
    top = [y for *_, y in rows for _ in range(2)]
    axes.fill_between(edges, bottom, top, alpha=0.35, linewidth=0, label="certified band")
    grid = [lower + k * (upper - lower) / pieces for k in range(pieces + 1)]
    axes.plot(
        [float(g) for g in grid],
        [sum(float_ends(path.change_at(g))) / 2 for g in grid],
        color="black",
        linewidth=0.8,
        label="H(η) − H(0) at the grid",
    )
    axes.axhline(0, color="black", linewidth=0.6)
    axes.set_xlabel("step size η")
    axes.set_ylabel("entropy change (nats)")
    axes.set_title(title)
    axes.legend()
    save(figure, file)


@working_precision()
def plot_bias(format_: FloatFormat, binades: Sequence[int], counted: Sequence[int], file: Path) -> None:
    """Draw the mean factor on the ratio, minus 1, per binade of the log-probability: both rules for
    uniform errors, and the count over all float32 numbers of the binades in `counted`."""
    figure, axes = subplots(1)
    rows = [binade_row(format_, k, ()) for k in binades]
    for name, pick in (("one side rounded", lambda r: r.one_side), ("both sides rounded", lambda r: r.both_sides)):
        axes.plot(
            [r.exponent for r in rows],
            [sum(float_ends(ball(pick(r)) - 1)) / 2 for r in rows],
            marker="o",
            markersize=3,
            linewidth=1,
            label=f"{name}, uniform errors",
        )
    counts = [(k, sum(float_ends(ball(count_binade(format_, k).mean_factor()) - 1)) / 2) for k in counted]
    if counts:
        axes.plot(*zip(*counts, strict=True), linestyle="none", marker="x", label="one side, all float32 numbers")
    axes.set_yscale("log")
    axes.set_xlabel("binade k: log-probabilities in [−2^(k+1), −2^k)")
    axes.set_ylabel("mean factor − 1")
    axes.set_title(f"Rounding bias of importance ratios, {format_.name}")
    axes.legend()
    save(figure, file)
