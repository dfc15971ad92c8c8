"""The path of annealing: the policy as the temperature falls, what it earns, and where it stops being a maximum."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from certify.certificates.reading_game import named_rows
from certify.exact import significant_text
from certify.reports.draw_policy import label_of, probabilities, tube
from certify.reports.style import (
    BLUE,
    DASHES,
    FAINT,
    GREEN,
    OPEN,
    RED,
    SERIES,
    SOFT,
    Drawn,
    grid,
    plain,
    standing,
    styled,
    temperature_axis,
    title,
)

_MOST_LINES = 6
_HOTTEST = 4  # times the threshold: what lies beyond is nearly the reference


@styled
def plot_anneal(document: dict[str, Any], ax: Any = None, *, proved: bool = True) -> Drawn:
    """Policy, J, return and entropy of the branch that begins at the unique policy, and its end, bracketed."""
    claim, proof = document["claim"], document["proof"]
    low, high = (float(Fraction(end)) for end in claim["critical"]["alpha"])
    star = float(Fraction(proof["threshold"]["claim"]["alpha_star"]))
    pieces = [piece for piece in proof["pieces"] if "centre" in piece]
    edges = np.array([[_alpha(piece["beta"][1]), _alpha(piece["beta"][0])] for piece in pieces]).reshape(-1, 2)
    stations = sorted(claim["stations"], key=lambda s: Fraction(s["alpha"]))
    temperatures = [float(Fraction(s["alpha"])) for s in stations]
    top = max([*temperatures, min(float(edges[:, 1].max(initial=star)), _HOTTEST * star), star * 1.2])
    span = (0.94 * low, 1.04 * top)
    edges = np.minimum(edges, top)
    figure, panels = grid(ax, 4, 7.2, 5.8, columns=2)
    _policy(panels[0], document, pieces, edges)
    looks = (("value", "J", BLUE), ("return", "expected return", RED), ("entropy", "entropy", GREEN))
    for panel, (key, name, colour) in zip(panels[1:], looks, strict=True):
        _figures(panel, temperatures, [_ends(s[key]) for s in stations], colour)
        title(panel, name)
        panel.grid(color=FAINT)
    panels[2].plot(*_greedy(stations), linestyle="none", marker="D", markersize=4, markerfacecolor="none", color=SOFT,
                   label="of the greedy policy, exact")  # fmt: skip
    if len(_greedy(stations)[0]):
        panels[2].legend(fontsize=7, loc="best")
    for panel in panels:
        if low < high:
            panel.axvspan(low, high, facecolor=OPEN, edgecolor=SOFT, hatch="////", linewidth=0)
        panel.axvline(high, color=RED, linestyle="--", linewidth=1.1)
        panel.axvline(star, color=BLUE, linewidth=1.1)
        temperature_axis(panel, *span)
    ends = {
        "symmetry-breaking": f"a symmetry breaks between {_up(high)} and {_down(low)}",
        "fold": f"it folds between {_up(high)} and {_down(low)}",
        "none-down-to": f"a maximum down to {_up(high)}",
    }.get(claim["critical"]["kind"], f"ends near {_up(high)}")
    heading = f"{plain(document['game']['name'])}, cooled from α = {_up(star)}: {ends} ({standing(proved)})"
    if ax is None:
        figure.suptitle(heading, x=0.01, ha="left", fontsize=10)
    return Drawn(
        figure,
        f"{heading}. Shaded curves: the policy's certified tube; points: certified enclosures at single temperatures. "
        "Blue line: from there on the policy is the only one. Dashed: down to there it is a nondegenerate maximum"
        + ("; hatched: the bracket of its end." if low < high else "."),
    )


def _alpha(beta: Any) -> float:
    value = float(Fraction(beta))
    return 1 / value if value else float("inf")


def _ends(pair: Any) -> tuple[float, float]:
    return float(Fraction(pair[0])), float(Fraction(pair[1]))


def _up(value: float) -> str:
    return significant_text(Fraction(value), 5, up=True)


def _down(value: float) -> str:
    return significant_text(Fraction(value), 5, up=False)


def _policy(panel: Any, document: dict[str, Any], pieces: list[dict[str, Any]], edges: np.ndarray) -> None:
    """The tube of the row that moves most, from the boxes of log-ratios."""
    panel.set_ylim(-0.02, 1.02)
    panel.set_ylabel("probability")
    if not pieces:
        title(panel, "policy")
        return
    tables = [probabilities(piece, document["proof"]["unit_bits"]) for piece in pieces]
    named = named_rows(document, tables[0])
    spans = []
    for x, row in enumerate(named):
        middle = np.array([[sum(e) / 2 for e in table[x]] for table in tables])
        spans.append(float(np.ptp(middle, axis=0).max()) if len(row.actions) > 1 else -1.0)
    chosen = int(np.argmax(np.round(spans, 3)))
    for a, action in enumerate(named[chosen].actions[:_MOST_LINES]):
        tube(panel, edges, np.array([table[chosen][a] for table in tables]), (SERIES[a], DASHES[a], plain(action)))
    panel.legend(fontsize=7, loc="best")
    title(panel, f"policy, {label_of(named[chosen])}")


def _figures(panel: Any, temperatures: list[float], ends: list[tuple[float, float]], colour: str) -> None:
    if not ends:
        panel.text(0.5, 0.5, "no temperatures were asked for", ha="center", va="center", transform=panel.transAxes)
        return
    low, high = np.array(ends).T
    middle = (low + high) / 2
    panel.errorbar(temperatures, middle, yerr=[middle - low, high - middle], color=colour, marker="o", markersize=3.5,
                   linestyle=":", linewidth=0.9, capsize=2)  # fmt: skip


def _greedy(stations: list[dict[str, Any]]) -> tuple[list[float], list[float]]:
    known = [s for s in stations if s["greedy"] is not None and s["greedy"]["return"] is not None]
    return [float(Fraction(s["alpha"])) for s in known], [float(Fraction(s["greedy"]["return"])) for s in known]
