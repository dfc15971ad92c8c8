"""Pictures of cross-play: what teams earn whose agents come from different runs."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from certify.exact import significant_text
from certify.reports.style import BLUE, FAINT, INK, RED, SOFT, Drawn, canvas, plain, short, standing, styled, title

_MOST_TEAMS = 40
_MOST_WRITTEN = 9  # policies up to which a cell of the matrix carries its number


@styled
def plot_crossplay(document: dict[str, Any], ax: Any = None, *, proved: bool = True) -> Drawn:
    """The returns of teams: a matrix for two agents, a list of intervals for more."""
    claim = document["claim"]
    teams = [
        (tuple(int(k) for k in team["policies"]), tuple(float(Fraction(e)) for e in team["return"]))
        for team in claim["teams"]
    ]
    alpha = significant_text(Fraction(claim["alpha"]), 5, up=True)
    heading = (
        f"{plain(document['game']['name'])} at α = {alpha}: what teams of different runs earn ({standing(proved)})"
    )
    agents = document["game"]["agents"]
    if len(agents) == 2:
        count = len(document["proof"]["policies"])
        low, high = np.full((2, count, count), np.nan)
        for (j, k), ends in teams:
            low[j, k], high[j, k] = ends
        return Drawn(*matrix(ax, (low, high), heading, (plain(agents[0]), plain(agents[1]))))
    return _list(ax, teams, heading)


@styled
def plot_study(study: Any, ax: Any = None) -> Drawn:
    """The matrix of a `CrossPlayStudy`: the policies found, or the images of one under the symmetries."""
    if study.table is None:
        relation = "equal: self-play is cross-play" if study.relation == "equal" else study.reason or "undecided"
        figure, axes = canvas(ax, 6.0, 1.6)
        axes.set_axis_off()
        axes.text(0, 0.5, f"No policies were enclosed. {relation}".strip(), va="center", wrap=True)
        title(axes, "cross-play")
        return Drawn(figure, "Nothing was enclosed that could be drawn.")
    cells = study.table.xp_reward[0]
    low, high = (np.array([[float(getattr(c, side)) for c in row] for row in cells]) for side in ("lower", "upper"))
    for k, own in enumerate(study.table.sp_reward):
        low[k, k], high[k, k] = float(own.lower), float(own.upper)
    gap = study.gap
    told = (
        ""
        if gap is None
        else f"; mean gap in {study.gap_of} between {short(float(gap.lower))} and {short(float(gap.upper))}"
    )
    over = " over the images of one policy under the symmetries" if study.orbit is not None else ""
    return Drawn(*matrix(ax, (low, high), f"self-play and cross-play{over}{told}", ("the first agent", "the others")))


def matrix(ax: Any, ends: tuple[np.ndarray, np.ndarray], heading: str, agents: tuple[str, str]) -> tuple[Any, str]:
    """(figure, caption) of intervals (m, m): the run of one agent down, of the other across; nan is not given."""
    low, high = ends
    middle = (low + high) / 2
    count = len(middle)
    side = min(6.4, 2.2 + 0.72 * count)
    figure, axes = canvas(ax, side + 1.2, side)
    from matplotlib.colors import Normalize

    finite = middle[np.isfinite(middle)]
    spread = float(np.ptp(finite)) if len(finite) else 0.0
    room = spread / 2 or max(abs(float(finite[0])) if len(finite) else 1.0, 1.0)
    centre = (
        float(finite.mean())
        if len(finite) and not spread
        else (float(finite.min() + finite.max()) / 2 if len(finite) else 0)
    )
    norm = Normalize(centre - room, centre + room)
    axes.set_facecolor("#f4f4f4")
    picture = axes.imshow(np.ma.masked_invalid(middle), cmap="cividis", norm=norm)
    for j in range(count):
        for k in range(count):
            if not np.isfinite(middle[j, k]):
                axes.text(k, j, "not\ngiven", ha="center", va="center", fontsize=6.5, color=SOFT)
            elif count <= _MOST_WRITTEN:
                colour = "white" if norm(middle[j, k]) < 0.55 else INK
                half = (high[j, k] - low[j, k]) / 2
                error = f"\n±{short(half, 2)}" if half > 1e-5 * max(1, abs(middle[j, k])) else ""
                axes.text(k, j, f"{short(middle[j, k])}{error}", ha="center", va="center", fontsize=8, color=colour)
        axes.add_patch(_frame(j))
    axes.set_xticks(range(count), [str(k + 1) for k in range(count)])
    axes.set_yticks(range(count), [str(k + 1) for k in range(count)])
    axes.set_xlabel(f"run of {agents[1]}")
    axes.set_ylabel(f"run of {agents[0]}")
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    figure.colorbar(picture, ax=axes, shrink=0.8, label="expected return")
    title(axes, heading, 12 + int(9 * side))
    return figure, (
        "Expected return of the team of one agent's run (down) with the other's (across); framed: self-play. Numbers "
        "are the middles of enclosures, with their half-widths where these can be seen."
    )


def _frame(k: int) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle((k - 0.48, k - 0.48), 0.96, 0.96, fill=False, edgecolor=RED, linewidth=1.8)


def _list(ax: Any, teams: list[tuple[tuple[int, ...], tuple[float, ...]]], heading: str) -> Drawn:
    shown = teams[:_MOST_TEAMS]
    figure, axes = canvas(ax, 7.2, 1.3 + 0.24 * len(shown))
    for y, (team, (low, high)) in enumerate(shown):
        own = len(set(team)) == 1
        axes.plot([low, high], [-y, -y], color=RED if own else BLUE, linewidth=3, solid_capstyle="butt")
        axes.plot([(low + high) / 2], [-y], marker="s" if own else "o", color=RED if own else BLUE, markersize=5)
        axes.annotate(
            short((low + high) / 2),
            ((low + high) / 2, -y),
            xytext=(7, 0),
            textcoords="offset points",
            va="center",
            fontsize=7.5,
        )
    names = ["runs " + ", ".join(str(k + 1) for k in team) for team, _ in shown]
    axes.set_yticks([-y for y in range(len(shown))], names)
    axes.margins(x=0.12)
    axes.grid(axis="x", color=FAINT)
    axes.set_xlabel("expected return")
    title(axes, heading)
    more = f" The first {len(shown)} of {len(teams)} teams." if len(shown) < len(teams) else ""
    return Drawn(figure, f"One line a team: the run that each agent comes from. Squares: self-play.{more}")
