"""One style for every picture: colours that all eyes tell apart (Okabe and Ito) and that differ in print, words in
decimals, and no text of others read as mathematics.
"""

from __future__ import annotations

import functools
import io
import re
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import numpy as np

from certify.certificates.markup import shown_name
from certify.errors import InputError
from certify.files import whole

Arguments = ParamSpec("Arguments")
Made = TypeVar("Made")
BLUE, ORANGE, GREEN, RED, SKY, PURPLE = (
    "#0072B2", "#E69F00", "#009E73", "#D55E00", "#56B4E9", "#CC79A7",
)  # fmt: skip
INK, SOFT, FAINT, UNIQUE, OPEN = "#1b1f24", "#6b7280", "#e5e7eb", "#e2eef7", "#fbe7d6"
SERIES = (BLUE, RED, GREEN, ORANGE, PURPLE, SKY, INK)
DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (8, 2)), (0, (2, 1)))
HATCHES = ("", "//", "..", "\\\\", "xx", "--", "++")
_RC: dict[str, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.titlepad": 8,
    "axes.labelsize": 9,
    "axes.edgecolor": SOFT,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.prop_cycle": None,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "xtick.color": INK,
    "ytick.color": INK,
    "text.color": INK,
    "text.usetex": False,
    "hatch.linewidth": 0.6,
    "hatch.color": SOFT,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
}
_PER_INCH = 12  # characters of a title
FORMATS = ("png", "svg", "pdf")
_SALT = "certify"  # the same picture gives the same SVG


@dataclass(frozen=True)
class Drawn:
    """A figure, and the sentence that says what is to be seen."""

    figure: Any
    caption: str


def library() -> Any:
    """matplotlib; raises `InputError` where it is missing."""
    try:
        import matplotlib as found
    except ImportError:
        raise InputError("plot", "matplotlib is not installed", "pip install 'certify[plot]'") from None
    return found


def styled(draw: Callable[Arguments, Made]) -> Callable[Arguments, Made]:
    """A function that draws, with the settings of the house while it does."""

    @functools.wraps(draw)
    def call(*given: Arguments.args, **named: Arguments.kwargs) -> Made:
        matplotlib = library()
        settings = {key: value for key, value in _RC.items() if value is not None}
        settings["axes.prop_cycle"] = matplotlib.cycler(color=list(SERIES))
        with matplotlib.rc_context(settings):
            return draw(*given, **named)

    return call


def canvas(ax: Any, width: float, height: float) -> tuple[Any, Any]:
    """(figure, axes): those of `ax`, or a new figure of that size in inches with one."""
    if ax is not None:
        return ax.figure, ax
    library()
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots()


def grid(ax: Any, count: int, width: float, height: float, columns: int = 1) -> tuple[Any, list[Any]]:
    """(figure, axes): `count` of them on a new figure; `ax` takes the place of the first where there is one only."""
    if ax is not None:
        if count == 1:
            return ax.figure, [ax]
        box = ax.get_subplotspec()
        ax.set_axis_off()
        if box is not None:
            rows = -(-count // columns)
            inner = box.subgridspec(rows, columns)
            return ax.figure, [ax.figure.add_subplot(inner[k // columns, k % columns]) for k in range(count)]
        part = 1 / count
        return ax.figure, [ax.inset_axes((0.08, 1 - (k + 0.85) * part, 0.9, 0.6 * part)) for k in range(count)]
    library()
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    rows = -(-count // columns)
    made = np.atleast_1d(figure.subplots(rows, columns)).ravel()
    for spare in made[count:]:
        spare.set_axis_off()
    return figure, list(made[:count])


def plain(name: object, longest: int = 28) -> str:
    """A text of others on a picture: short, printable, and no mathematics.

    >>> plain("a$b$"), plain("x" * 40, 8)
    ('a\\\\$b\\\\$', 'xxxxxxx…')
    """
    return shown_name(name, longest).replace("$", r"\$")


def standing(proved: bool) -> str:
    """In what sense a picture's claim stands.

    >>> standing(True), standing(False)
    ('proved', 'claimed, not proved')
    """
    return "proved" if proved else "claimed, not proved"


def title(ax: Any, text: str, width: int | None = None) -> None:
    """A title of our own words and of names that went through `plain`, on as many lines as it needs: `width`
    characters each, by default as many as the axes are wide."""
    if width is None:
        spec = ax.get_subplotspec()
        columns = 1 if spec is None else spec.get_gridspec().ncols
        width = max(24, int(_PER_INCH * ax.figure.get_size_inches()[0] / columns))
    ax.set_title("\n".join(textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)))


def short(value: float, digits: int = 4) -> str:
    """A figure beside a tick or in a title (not a bound).

    >>> short(15.88), short(1234567.0), short(0.00001234)
    ('15.88', '1235000', '1.234e-5')
    """
    text = f"{value:.{digits}g}"
    if "e" in text and 1 <= abs(value) < 10**7:
        return f"{float(text):.0f}"
    if "e" in text:
        mantissa, _, exponent = text.partition("e")
        return f"{mantissa}e{int(exponent)}"
    return text


def apart(low: float, high: float, least: int = 4) -> tuple[str, str]:
    """Two figures with as many digits as tell them apart.

    >>> apart(8.2722891, 8.2731)
    ('8.2723', '8.2731')
    """
    for digits in range(least, 16):
        first, second = short(low, digits), short(high, digits)
        gap = abs(high - low)
        if (
            first != second
            and abs(float(second) - float(first)) > 0.5 * gap
            and gap > 3 * 10.0 ** (np.floor(np.log10(max(abs(high), 1e-300))) + 1 - digits)
        ):
            return first, second
    return short(low, 15), short(high, 15)


def temperature_axis(ax: Any, low: float, high: float, label: str = "temperature α (log scale)") -> None:
    """A logarithmic axis with decimals as ticks, a handful of them."""
    from matplotlib import ticker

    if not low < high:  # one temperature only
        low, high = low / 1.05, low * 1.05
    ax.set_xscale("log")
    ax.set_xlim(low, high)
    decades = np.log10(high / low)
    marks = (1, 2, 5) if decades < 2.5 else (1, 3) if decades < 5 else (1,)
    ticks = [m * 10.0**k for k in range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1) for m in marks]
    ticks = [t for t in ticks if low <= t <= high]
    if len(ticks) < 3:  # less than an octave
        ticks = [t for t in ticker.MaxNLocator(4).tick_values(low, high) if low <= t <= high]
    ax.xaxis.set_major_locator(ticker.FixedLocator(ticks))
    ax.xaxis.set_minor_locator(ticker.NullLocator())
    ax.xaxis.set_major_formatter(ticker.FuncFormatter(lambda x, _: short(x, 3)))
    ax.set_xlabel(label)


def below(ax: Any, columns: int = 3, **options: Any) -> None:
    """The legend under the axes, where nothing is hidden by it."""
    handles, labels = ax.get_legend_handles_labels()
    if handles:
        ax.legend(
            handles, labels, loc="upper left", bbox_to_anchor=(0, -0.17), ncols=columns, borderaxespad=0, **options
        )


def listed(names: Sequence[str], most: int) -> str:
    """Names in a caption."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def stamp(figure: Any, text: str) -> None:
    """Words of our own across the whole picture."""
    figure.text(
        0.5, 0.5, text, rotation=24, ha="center", va="center", fontsize=26, fontweight="bold", color=RED, alpha=0.6
    )


def as_svg(figure: Any) -> str:
    """The picture as an `<svg>` element for a page: no declaration, no metadata, the same text for the same picture."""
    with library().rc_context({"svg.hashsalt": _SALT, "svg.fonttype": "path"}):
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    return re.sub(r"\s*<metadata>.*?</metadata>", "", text, flags=re.DOTALL)


def save(figure: Any, path: Path) -> None:
    """Write the picture in the format that the name of the file says; raises `InputError` where it cannot be."""
    kind = path.suffix.lower().lstrip(".")
    if kind not in FORMATS:
        raise InputError(str(path), f"not a .{', .'.join(FORMATS)} file", "name one of these in a folder that exists")
    settings = {"svg.hashsalt": _SALT, "pdf.fonttype": 42}
    metadata = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(kind)
    try:
        with library().rc_context(settings), whole(path) as draft:
            figure.savefig(draft, format=kind, dpi=160, metadata=metadata)
    except (OSError, ValueError) as error:
        why = " ".join(str(error).split())
        raise InputError(
            str(path), f"cannot be written ({why})", "name a .png, .pdf or .svg file in a folder that exists"
        ) from None
