"""Pictures of thresholds: where one policy is proved, where several are, and the policies themselves."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from certify.certificates.reading_game import Row, whole
from certify.exact import significant_text
from certify.reports.curves import Curves, curves, thinned
from certify.reports.style import (
    BLUE,
    DASHES,
    INK,
    OPEN,
    RED,
    SERIES,
    SOFT,
    UNIQUE,
    Drawn,
    apart,
    below,
    canvas,
    plain,
    short,
    standing,
    styled,
    temperature_axis,
    title,
)

_THIN = 1.2  # a bracket below this ratio gets an inset
_MOST_ACTIONS = 6
_FORMS_SECONDS = 10  # for the forms beside a certificate
_PLACES = tuple((0.63, bottom, 0.35, 0.27) for bottom in (0.66, 0.12, 0.4)) + (
    (0.08, 0.62, 0.33, 0.27),
    (0.08, 0.3, 0.33, 0.27),
)


@styled
def plot_threshold(
    document: dict[str, Any], ax: Any = None, *, proved: bool = True, seconds: float | None = None, tube: Any = None
) -> Drawn:
    """The policy over the temperature: proved unique above alpha_star, several proved below.

    `proved` : whether the checker has accepted the certificate.  `seconds` : for the certified tube (None: a few
    for small games, none for others); `tube` : an
    `OptimumResult` over temperatures that is at hand.
    """
    claim = document["claim"]
    star = float(Fraction(claim["alpha_star"]))
    multiple = float(Fraction(claim["alpha_multiple"])) if claim.get("alpha_multiple") else None
    if star <= 0 or (multiple or star) <= 0:
        raise ValueError("a temperature that is not positive")
    span = (0.3 * (multiple or star), 3 * star)
    found = curves(document, span, seconds=seconds, tube=tube)
    if found is None or not (found.tube or len(found.alpha)):
        return plot_ladder(document, ax, proved=proved)
    figure, axes = canvas(ax, 7.2, 4.4)
    row = found.liveliest()
    _bands(axes, star, multiple, span, proved=proved)
    _policy(axes, found, row, span, inset=False)
    temperature_axis(axes, *span)
    axes.set_ylim(-0.02, 1.02)
    axes.set_ylabel(_where(found.named[row]))
    title(axes, _title(document, proved=proved))
    below(axes, 3, markerscale=2.5)
    if multiple is not None and star / multiple < _THIN:
        _inset(axes, found, row, (multiple, star), span)
    return Drawn(figure, _caption(found, row, multiple))


def _where(row: Row) -> str:
    agent, _, steps = row.key.partition(":")
    return f"{plain(agent)}'s probabilities, first step" if not steps else f"probabilities at {plain(row.key, 40)}"


def _title(document: dict[str, Any], *, proved: bool) -> str:
    claim, name = document["claim"], plain(document["game"]["name"])
    star = Fraction(claim["alpha_star"])
    horizon = whole(document["game"]["horizon"])
    name = name if horizon == 1 else f"{name}, horizon {horizon}"
    if document["claim"].get("horizons") == "all":
        name = f"{document['game']['name']}, every horizon"
    if not claim.get("alpha_multiple"):
        return f"{name}: one policy for α ≥ {significant_text(star, 5, up=True)} ({standing(proved)})"
    multiple = Fraction(claim["alpha_multiple"])
    at, near = apart(float(multiple), float(star))
    above = significant_text(star, max(len(text.replace(".", "").lstrip("0")) for text in (at, near)), up=True)
    return f"{name}: one policy for α ≥ {above}, several at α ≈ {at} (both {standing(proved)})"


def _caption(found: Curves, row: int, multiple: float | None) -> str:
    more = f" {len(found.named)} rows in all; this is the one that moves most." if len(found.named) > 1 else ""
    tube = (
        "Shaded curves: certified enclosures of the one stationary policy, with their centre line."
        if found.tube
        else f"No certified tube is drawn: {found.why_no_tube}."
        if found.why_no_tube
        else ""
    )
    dots = " Dots: branches of stationary policies found in floating point, not proved." if len(found.alpha) else ""
    lower = " The vertical lines are proved ends of the bracket." if multiple is not None else ""
    return f"{tube}{dots}{lower}{more}".strip()


def _bands(axes: Any, star: float, multiple: float | None, span: Sequence[float], *, proved: bool) -> None:
    how = "proved" if proved else "claimed"
    axes.axvspan(star, span[1], color=UNIQUE, linewidth=0, label=f"exactly one policy ({how})")
    axes.axvline(star, color=BLUE, linewidth=1.4)
    if multiple is not None:
        axes.axvspan(multiple, star, facecolor=OPEN, edgecolor=SOFT, hatch="////", linewidth=0, label="not decided")
        axes.axvline(multiple, color=RED, linewidth=1.4, linestyle="--", label=f"several policies here ({how})")


def _policy(axes: Any, found: Curves, row: int, span: Sequence[float], *, inset: bool) -> None:
    named = found.named[row]
    for a, action in enumerate(named.actions):
        shown = a < _MOST_ACTIONS
        colour, dashes = (SERIES[a], DASHES[a]) if shown else (SOFT, ":")
        label = f"action {plain(action)}" if shown else "the other actions" if a == _MOST_ACTIONS else None
        if found.tube:
            _tube(axes, found, named.key, action, (colour, dashes, None if inset else label))
            label = None
        if len(found.alpha):
            alpha, values = thinned(found.alpha, found.policy[:, found.column(row, a)], span)
            near = (alpha >= span[0]) & (alpha <= span[1])
            axes.plot(alpha[near], values[near], ".", markersize=2.6 if not inset else 2.2, color=colour, alpha=0.75,
                      label=None if inset else label)  # fmt: skip
    if len(found.alpha) and not inset:
        axes.plot([], [], ".", color=SOFT, label="floats, not proved")


def _tube(axes: Any, found: Curves, key: str, action: str, look: tuple[str, Any, str | None]) -> None:
    colour, dashes, label = look
    pieces = sorted(found.tube, key=lambda p: p.alpha.lower)
    ends = [(p.alpha, p.policy[key][action]) for p in pieces]
    edges = np.array([[float(a.lower), float(a.upper)] for a, _ in ends])
    low, high = (np.array([float(getattr(e, side)) for _, e in ends]) for side in ("lower", "upper"))
    axes.fill_between(edges.ravel(), low.repeat(2), high.repeat(2), color=colour, alpha=0.28, linewidth=0)
    middle = np.sqrt(edges[:, 0] * edges[:, 1])
    centre = (low + high) / 2
    if len(middle) == 1:
        middle, centre = edges[0], centre.repeat(2)
    else:
        middle = np.concatenate([edges[:1, 0], middle, edges[-1:, 1]])
        centre = np.concatenate([centre[:1], centre, centre[-1:]])
    axes.plot(middle, centre, color=colour, linestyle=dashes, linewidth=1.3, label=label)


def _inset(axes: Any, found: Curves, row: int, bracket: tuple[float, float], span: Sequence[float]) -> None:
    """The bracket enlarged, on that side of the picture where there is room."""
    from matplotlib import ticker

    low, high = bracket
    margin = 1.5 * (high - low)
    window = (low - margin, high + margin)
    columns = [found.column(row, a) for a in range(len(found.named[row].actions))]
    small = axes.inset_axes(_free_place(found, row, span))
    small.axvspan(high, window[1], color=UNIQUE, linewidth=0)
    small.axvspan(low, high, facecolor=OPEN, edgecolor=SOFT, hatch="////", linewidth=0)
    small.axvline(high, color=BLUE, linewidth=1.4)
    small.axvline(low, color=RED, linewidth=1.4, linestyle="--")
    _policy(small, found, row, window, inset=True)
    small.set_xlim(*window)
    near = found.policy[(found.alpha >= window[0]) & (found.alpha <= window[1])] if len(found.alpha) else found.policy
    values = near[:, columns].ravel().tolist() if len(near) else []
    if values:
        room = 0.08 + 0.1 * (max(values) - min(values))
        small.set_ylim(max(0, min(values) - room), min(1, max(values) + room))
    first, second = apart(low, high)
    small.xaxis.set_major_locator(ticker.FixedLocator([low, high]))
    small.set_xticklabels([first, second], fontsize=7)
    labels = small.get_xticklabels()
    labels[0].set_horizontalalignment("right")
    labels[1].set_horizontalalignment("left")
    small.tick_params(axis="y", labelsize=7)
    small.set_title("the bracket, enlarged", fontsize=7.5, pad=3)
    for side in ("top", "right"):
        small.spines[side].set_visible(True)
    small.patch.set_alpha(0.97)


def _free_place(found: Curves, row: int, span: Sequence[float]) -> tuple[float, float, float, float]:
    """Of the places for an inset, as parts of the axes, the one with the fewest points behind it."""
    columns = [found.column(row, a) for a in range(len(found.named[row].actions))]
    x = np.repeat(np.log(found.alpha / span[0]) / np.log(span[1] / span[0]), len(columns))
    y = (found.policy[:, columns].ravel() if len(found.alpha) else np.zeros(0)) / 1.04 + 0.02

    def behind(place: tuple[float, float, float, float]) -> int:
        left, bottom, width, height = place
        inside = (x > left - 0.07) & (x < left + width) & (y > bottom - 0.09) & (y < bottom + height + 0.05)
        return int(inside.sum())

    return min(_PLACES, key=behind)


@styled
def plot_ladder(document: dict[str, Any], ax: Any = None, *, proved: bool = True, forms: Any = None) -> Drawn:
    """From which temperature on each form proves one policy: a ladder, the certificate's own rung marked.

    `forms` : {form: alpha_star} of a result; computed from the game or the parameters in the certificate if None
    (of one that the checker has accepted: what a damaged file would cost is not known).
    """
    claim, proof = document["claim"], document["proof"]
    own = Fraction(claim["alpha_star"])
    known = dict(forms) if forms is not None else _forms(document) if proved else {}
    names = {
        "cover": "cover (this certificate)",
        "windows": "windows (this certificate)",
        "structural": f"{plain(proof.get('form', ''))} (this certificate)",
    }
    rungs = [(names.get(proof["type"], "this certificate"), float(own), BLUE)]
    rungs += [
        (plain(form), float(alpha), SOFT)
        for form, alpha in known.items()
        if not (proof["type"] == "structural" and form == proof.get("form"))
    ]
    if claim.get("alpha_multiple"):
        how = "proved" if proved else "claimed"
        rungs.append((f"several policies, {how}", float(Fraction(claim["alpha_multiple"])), RED))
    rungs.sort(key=lambda rung: rung[1])
    figure, axes = canvas(ax, 7.2, 1.25 + 0.36 * len(rungs))
    values = [value for _, value, _ in rungs]
    low, high = min(values) / 1.8, max(values) * 2.6
    for k, (_, value, colour) in enumerate(rungs):
        if colour == RED:
            axes.plot([value], [k], marker="X", markersize=8, color=RED)
        else:
            own_rung = colour == BLUE
            axes.barh(k, high - value, left=value, height=0.56, color=UNIQUE if own_rung else "#f1f2f4",
                      edgecolor=colour, linewidth=1.2 if own_rung else 0.7, hatch="" if own_rung else "..")  # fmt: skip
        axes.annotate(short(value, 5), (value, k), xytext=(-4 if colour != RED else -8, 0), textcoords="offset points",
                      ha="right", va="center", fontsize=8,
                      fontweight="bold" if colour == BLUE else "normal")  # fmt: skip
    axes.set_yticks(range(len(rungs)), [name for name, *_ in rungs])
    temperature_axis(axes, low, high)
    axes.set_ylim(-0.6, len(rungs) - 0.4)
    axes.tick_params(axis="y", length=0)
    what = plain(document["game"]["name"]) if "game" in document else "every game of this size"
    title(axes, f"{what}: one policy for α ≥ {significant_text(own, 5, up=True)} ({standing(proved)})")
    axes.spines["left"].set_color(INK)
    return Drawn(
        figure,
        "Bars begin at the temperature from which on a form proves exactly one stationary policy. The solid one is "
        "this certificate's; the dotted ones are other structural forms, computed for comparison and not checked.",
    )


def _forms(document: dict[str, Any]) -> dict[str, Fraction]:
    """alpha_star of every structural form that applies."""
    from certify.answers.threshold import structural_threshold, threshold
    from certify.games.canonical import game_from_json

    if "parameters" in document:
        p = document["parameters"]
        low, high = p["return"]
        text = f"n={p['agents']},h={p['horizon']},actions={p['actions']},return={low}:{high}"
        return structural_threshold(text).forms
    game = game_from_json(document["game"], "game")
    word = document.get("objective", "visitation")
    objective = {"visitation": "entropy"}.get(word, word)
    return threshold(game, method="structural", objective=objective, time_limit=_FORMS_SECONDS).forms
