"""Pictures of policies: enclosed at a temperature, along temperatures, two of them, and the distance of a given one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from certify.certificates.reading_game import Row, named_rows
from certify.exact import significant_text
from certify.reports.style import (
    BLUE,
    DASHES,
    FAINT,
    GREEN,
    HATCHES,
    INK,
    ORANGE,
    RED,
    SERIES,
    SOFT,
    Drawn,
    below,
    canvas,
    grid,
    plain,
    short,
    standing,
    styled,
    temperature_axis,
    title,
)

_MOST_ROWS = 14  # rows of a policy in a picture
_MOST_LINES = 6
_TINY = 1e-9  # below which a number is said to be less than that
Ends = tuple[float, float]


@dataclass(frozen=True)
class Bar:
    """A probability between two ends; `best` marks the greedy action, `tied` several that are equal."""

    action: str
    ends: Ends
    best: bool = False
    tied: bool = False


@styled
def plot_optimum(document: dict[str, Any], ax: Any = None, *, proved: bool = True) -> Drawn:
    """The enclosed policy: bars at one temperature; policy, J, return and entropy over several."""
    claim = document["claim"]
    if len(claim["pieces"]) > 1 or claim["alpha"][0] != claim["alpha"][1]:
        return _path(document, ax, proved=proved)
    piece = claim["pieces"][0]
    named = named_rows(document, piece["policy"])
    greedy = claim["greedy"]
    rows = []
    for x, row in enumerate(named):
        best = greedy["rows"][x]["actions"] if greedy is not None else []
        rows.append(
            [
                Bar(action, _ends(piece["policy"][x][a]), a in best, a in best and len(best) > 1)
                for a, action in enumerate(row.actions)
            ]
        )
    what = "the one stationary policy" if claim["branch"] == "unique" else "the principal branch"
    alpha = significant_text(Fraction(claim["alpha"][0]), 5, up=True)
    heading = f"{plain(document['game']['name'])} at α = {alpha}: {what} ({standing(proved)})"
    figure = _bars(ax, named, rows, heading)
    ends = [_ends(piece[key]) for key in ("value", "return", "entropy")]
    values = ", ".join(
        f"{name} ≈ {short(sum(e) / 2)}" for name, e in zip(("J", "return", "entropy"), ends, strict=True)
    )
    return Drawn(
        figure,
        f"{_hidden(len(named))}Bars end in the middle of each enclosure, whiskers are its ends (often too close to "
        f"see). Filled: greedy actions; hatched: ties. Enclosed as well: {values}.",
    )


def _hidden(count: int) -> str:
    return f"The first {_MOST_ROWS} of {count} rows. " if count > _MOST_ROWS else ""


def _ends(pair: Sequence[Any]) -> Ends:
    return float(Fraction(pair[0])), float(Fraction(pair[1]))


def label_of(row: Row) -> str:
    """The name of a row beside an axis."""
    agent, _, steps = row.key.partition(":")
    more = f" (+{row.alike - 1} alike)" if row.alike > 1 else ""
    return (plain(f"{agent}: {steps}", 34) if steps else f"{plain(agent)}, first step") + more


def _bars(ax: Any, named: list[Row], rows: list[list[Bar]], heading: str) -> Any:
    """Horizontal bars, a block for each row."""
    shown = list(zip(named, rows, strict=True))[:_MOST_ROWS]
    count = sum(len(bars) for _, bars in shown)
    figure, axes = canvas(ax, 7.2, 1.1 + 0.2 * count + 0.16 * len(shown))
    y, ticks = 0.0, []
    for row, bars in shown:
        top = y
        for bar in bars:
            low, high = bar.ends
            middle = (low + high) / 2
            axes.barh(y, middle, height=0.78, color=BLUE if bar.best else "#c9d7e6", edgecolor="white",
                      hatch="//" if bar.tied else "", linewidth=0)  # fmt: skip
            axes.errorbar(middle, y, xerr=[[middle - low], [high - middle]], color=INK, capsize=2.5, linewidth=1)
            axes.text(high + 0.012, y, f"{plain(bar.action, 18)}  {short(middle, 3)}", va="center", fontsize=7.5)
            y -= 1
        ticks.append(((top + y + 1) / 2, label_of(row)))
        y -= 0.7
    axes.set_yticks([t for t, _ in ticks], [text for _, text in ticks])
    axes.tick_params(axis="y", length=0)
    axes.set_xlim(0, 1.18)
    axes.set_ylim(y + 0.9, 0.7)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1])
    axes.set_xlabel("probability")
    axes.grid(axis="x", color=FAINT)
    title(axes, heading)
    return figure


def _path(document: dict[str, Any], ax: Any, *, proved: bool) -> Drawn:
    claim = document["claim"]
    pieces = sorted(claim["pieces"], key=lambda p: Fraction(p["alpha"][0]))
    edges = np.array([_ends(piece["alpha"]) for piece in pieces])
    named = named_rows(document, pieces[0]["policy"])
    figure, panels = grid(ax, 4, 7.2, 5.6, columns=2)
    spans = []
    for x, row in enumerate(named):
        middle = np.array([[sum(_ends(e)) / 2 for e in piece["policy"][x]] for piece in pieces])
        spans.append(float(np.ptp(middle, axis=0).max()) if len(row.actions) > 1 else -1.0)
    chosen = int(np.argmax(np.round(spans, 3)))
    for a, action in enumerate(named[chosen].actions[:_MOST_LINES]):
        ends = np.array([_ends(piece["policy"][chosen][a]) for piece in pieces])
        tube(panels[0], edges, ends, (SERIES[a], DASHES[a], plain(action)))
    panels[0].set_ylim(-0.02, 1.02)
    panels[0].set_ylabel("probability")
    title(panels[0], f"policy, {label_of(named[chosen])}", 44)
    panels[0].legend(fontsize=7, loc="best")
    for panel, (key, name, colour) in zip(
        panels[1:],
        (("value", "J", BLUE), ("return", "expected return", RED), ("entropy", "entropy", GREEN)),
        strict=True,
    ):
        tube(panel, edges, np.array([_ends(piece[key]) for piece in pieces]), (colour, "-", None))
        title(panel, name, 44)
        panel.grid(color=FAINT)
    for panel in panels:
        temperature_axis(panel, float(edges.min()), float(edges.max()))
    what = "the one stationary policy" if claim["branch"] == "unique" else "the branch from high temperatures"
    over = f"{short(edges.min())} to {short(edges.max())}"
    heading = f"{plain(document['game']['name'])}: {what} for α from {over} ({standing(proved)})"
    if ax is None:
        figure.suptitle(heading, x=0.01, ha="left", fontsize=10)
    return Drawn(
        figure,
        f"{heading}. Shaded: certified enclosures on {len(pieces)} intervals of temperatures; lines: their middles.",
    )


def tube(axes: Any, edges: np.ndarray, ends: np.ndarray, look: tuple[str, Any, str | None]) -> None:
    """Enclosures (P, 2) over intervals of temperatures (P, 2), with a line through their middles."""
    colour, dashes, label = look
    order = np.argsort(edges[:, 0])
    edges, ends = edges[order], ends[order]
    axes.fill_between(edges.ravel(), ends[:, 0].repeat(2), ends[:, 1].repeat(2), color=colour, alpha=0.28, linewidth=0)
    middle, centre = np.sqrt(edges[:, 0] * edges[:, 1]), ends.mean(axis=1)
    axes.plot(np.r_[edges[:1, 0], middle, edges[-1:, 1]], np.r_[centre[:1], centre, centre[-1:]], color=colour,
              linestyle=dashes, linewidth=1.3, label=label)  # fmt: skip


@styled
def plot_multiplicity(document: dict[str, Any], ax: Any = None, *, proved: bool = True) -> Drawn:
    """The enclosed policies side by side: where training can end."""
    proof = document["proof"] if document["kind"] == "multiplicity" else document["multiplicity"]
    two = proof["two_maxima"]
    witness = two if isinstance(two, dict) else proof["witness"]
    tables = [probabilities(policy, proof["unit_bits"]) for policy in witness["policies"]]
    named = named_rows(document, tables[0], clustering=proof.get("clustering", True))
    apart = [max((abs(p[x][a][0] - tables[0][x][a][0]) for p in tables for a in range(len(row.actions))), default=0.0)
             for x, row in enumerate(named)]  # fmt: skip
    chosen = sorted(sorted(range(len(named)), key=lambda x: -apart[x])[:8])
    chosen = [x for x in chosen if len(named[x].actions) > 1] or chosen
    count = sum(len(named[x].actions) for x in chosen)
    figure, axes = canvas(ax, 7.2, 1.5 + 0.3 * count + 0.16 * len(chosen))
    y, ticks, height = 0.0, [], 0.8 / len(tables)
    labels = {"maximum": "a strict maximum", "saddle": "a saddle", None: "a stationary policy"}
    for x in chosen:
        top = y
        for a, action in enumerate(named[x].actions):
            for k, table in enumerate(tables):
                low, high = table[x][a]
                middle, at = (low + high) / 2, y - (k - (len(tables) - 1) / 2) * height
                label = (
                    f"policy {k + 1}: {labels[witness['policies'][k].get('kind')]}"
                    if (x, a) == (chosen[0], 0)
                    else None
                )
                axes.barh(at, middle, height=height * 0.92, color=(BLUE, ORANGE)[k], hatch=("", "//")[k],
                          edgecolor="white", linewidth=0, label=label)  # fmt: skip
                axes.errorbar(middle, at, xerr=[[middle - low], [high - middle]], color=INK, capsize=2, linewidth=0.8)
                axes.text(high + 0.012, at, short(middle, 3), va="center", fontsize=6.5, color=SOFT)
            axes.text(1.09, y, plain(action, 18), va="center", fontsize=7.5)
            y -= 1.1
        ticks.append(((top + y + 1.1) / 2, label_of(named[x])))
        y -= 0.5
    axes.set_yticks([t for t, _ in ticks], [text for _, text in ticks])
    axes.tick_params(axis="y", length=0)
    axes.set_xlim(0, 1.25)
    axes.set_ylim(y + 1.0, 0.8)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1])
    axes.grid(axis="x", color=FAINT)
    axes.set_xlabel("probability")
    alpha = significant_text(Fraction(witness["alpha"]), 5, up=False)
    title(axes, f"{plain(document['game']['name'])}: several stationary policies at α ≈ {alpha} ({standing(proved)})")
    below(axes, 2)
    alone = " The other one is where the flow ends that starts uphill of the saddle." if len(tables) == 1 else ""
    most = f" The {len(chosen)} of {len(named)} rows that differ most." if len(chosen) < len(named) else ""
    return Drawn(figure, f"Enclosures of stationary policies, from boxes of log-ratios.{alone}{most}")


def probabilities(policy: dict[str, Any], unit_bits: Any) -> list[list[Ends]]:
    """Floats around the probabilities in a box of log-ratios (for the eye: the checker computes its own)."""
    unit = 2.0 ** -int(unit_bits)
    table = []
    for x, reference in enumerate(policy["reference"]):
        centre, radius = ([float(m) * unit for m in policy[key][x]] for key in ("centre", "radius"))
        middle, room = list(centre), list(radius)
        middle.insert(int(reference), 0.0)
        room.insert(int(reference), 0.0)
        row = []
        for a in range(len(middle)):
            ends = []
            for side in (-1, 1):
                shifted = [m - side * r for m, r in zip(middle, room, strict=True)]
                shifted[a] = middle[a] + side * room[a]
                top = max(shifted)
                ends.append(math.exp(shifted[a] - top) / sum(math.exp(m - top) for m in shifted))
            row.append((ends[0], ends[1]))
        table.append(row)
    return table


def _span(low: float, high: float) -> str:
    """Words for a narrow or a wide interval."""
    if max(abs(low), abs(high)) < _TINY:
        return f"less than {short(_TINY)}"
    first, second = short(low, 3), short(high, 3)
    return f"about {first}" if first == second else f"between {first} and {second}"


@styled
def plot_distance(result: Any, ax: Any = None) -> Drawn:
    """How far a given policy certainly is from the stationary one, AOH by AOH."""
    found = list(result.by_infoset.items())
    worst = sorted(found, key=lambda item: -item[1].upper)[:_MOST_ROWS]
    keep = {key for key, _ in worst}
    rows = [(key, ends) for key, ends in found if key in keep]
    figure, axes = canvas(ax, 7.2, 1.2 + 0.3 * max(len(rows), 2))
    largest = float(max(ends.upper for _, ends in rows))
    for k, (key, ends) in enumerate(rows):
        low, high = float(ends.lower), float(ends.upper)
        at = result.at is not None and key == result.at[0]
        axes.barh(
            -k,
            high,
            height=0.7,
            color=RED if at else "#c9d7e6",
            hatch=HATCHES[1] if at else "",
            edgecolor="white",
            linewidth=0,
        )
        axes.plot([low, high], [-k, -k], color=INK, linewidth=1.2)
        axes.text(high + 0.012 * max(largest, 1e-12), -k, short(high, 3), va="center", fontsize=7.5)
    axes.set_yticks([-k for k in range(len(rows))], [label_of(Row(key, ())) for key, _ in rows])
    axes.tick_params(axis="y", length=0)
    axes.set_xlim(0, max(largest * 1.14, 1e-9))
    axes.grid(axis="x", color=FAINT)
    axes.set_xlabel("largest difference of a probability (certified bounds)")
    gap = result.return_gap
    earned = "" if gap is None else f"; return lost {_span(float(gap.lower), float(gap.upper))}"
    title(axes, f"distance from the stationary policy: at most {significant_text(result.distance, 4, up=True)}{earned}")
    more = f" The {len(rows)} of {len(found)} histories that are farthest." if len(rows) < len(found) else ""
    return Drawn(figure, f"Upper bounds as bars, lower to upper bound as a line.{more} The farthest is hatched.")
