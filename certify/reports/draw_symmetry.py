"""Pictures of symmetry groups: what can be exchanged with what."""

from __future__ import annotations

from typing import Any

from certify.reports.style import SERIES, SOFT, Drawn, canvas, plain, standing, styled, title

_MOST_NAMES = 40  # of a row
_WIDTH = 92.0  # characters that a row of chips holds
_HATCH = ("", "///", "...", "\\\\\\", "xxx", "---", "+++")


@styled
def plot_symmetry(document: dict[str, Any], ax: Any = None, *, proved: bool = True) -> Drawn:
    """Agents, actions and observations as chips; those of one colour are exchanged by symmetries."""
    game, group = document["game"], document["symmetry"]
    order = int(str(group["order"])) if str(group["order"]).isdigit() else 0
    least = "" if group["complete"] is True else "at least "
    heading = f"{plain(game['name'])}: {least}{order} symmetr{'y' if order == 1 else 'ies'} ({standing(proved)})"
    return draw_orbits(ax, game["agents"], game["actions"], game["observations"], group["orbits"], heading)


@styled
def plot_group(group: Any, ax: Any = None) -> Drawn:
    """The same of a `SymmetryGroup`."""
    orbits = {kind: [list(orbit) for orbit in listed] for kind, listed in group.orbits.items()}
    least = "" if group.complete else "at least "
    heading = f"{plain(group.game.name)}: {least}{group.order} symmetr{'y' if group.order == 1 else 'ies'}"
    return draw_orbits(ax, group.game.agents, group.game.actions, group.game.observations, orbits, heading)


def draw_orbits(ax: Any, agents: Any, actions: Any, observations: Any, orbits: Any, heading: str) -> Drawn:
    """Chips by agent and kind, coloured by orbit where an orbit has more than one member."""
    looks: dict[tuple[Any, ...], int] = {}
    number = 0
    for kind in ("agents", "actions", "observations"):
        for orbit in orbits[kind]:
            if len(orbit) > 1:
                for member in orbit:
                    looks[kind, *(member if isinstance(member, (list, tuple)) else (member,))] = number
                number += 1
    rows: list[tuple[str, list[tuple[Any, ...]]]] = [("agents", [("agents", i, name) for i, name in enumerate(agents)])]
    for i, agent in enumerate(agents):
        rows.append((f"{plain(agent, 16)}: actions", [("actions", i, a, name) for a, name in enumerate(actions[i])]))
        rows.append(
            (
                f"{plain(agent, 16)}: observations",
                [("observations", i, o, name) for o, name in enumerate(observations[i])],
            )
        )
    lines: list[tuple[str, list[tuple[Any, ...]]]] = []
    for label, chips in rows:
        part: list[tuple[Any, ...]] = []
        room, first = _WIDTH, True
        for chip in chips[:_MOST_NAMES]:
            need = len(plain(chip[-1], 20)) + 3.5
            if need > room and part:
                lines.append((label if first else "", part))
                part, room, first = [], _WIDTH, False
            part.append(chip)
            room -= need
        if len(chips) > _MOST_NAMES:
            part.append(("more", f"and {len(chips) - _MOST_NAMES} more"))
        lines.append((label if first else "", part))
    figure, axes = canvas(ax, 7.2, 0.75 + 0.34 * len(lines))
    for y, (label, chips) in enumerate(lines):
        axes.text(-1.5, -y, label, ha="right", va="center", fontsize=8)
        x = 0.0
        for chip in chips:
            name = plain(chip[-1], 20)
            _chip(axes, (x, -y), name, looks.get(tuple(chip[:-1])))
            x += len(name) + 3.5
    axes.set_xlim(-2, _WIDTH)
    axes.set_ylim(-len(lines) + 0.4, 0.7)
    axes.set_axis_off()
    title(axes, heading)
    grey = "what no symmetry moves is grey" if number else "no symmetry moves anything here"
    again = "; colours and patterns repeat after seven orbits" if number > len(SERIES) else ""
    return Drawn(figure, f"One colour and pattern: exchanged with each other by symmetries; {grey}{again}.")


def _chip(axes: Any, at: tuple[float, float], name: str, look: int | None) -> None:
    from matplotlib.patches import FancyBboxPatch

    x, y = at
    colour = SOFT if look is None else SERIES[look % len(SERIES)]
    width = len(name) + 2
    box = FancyBboxPatch((x, y - 0.28), width, 0.56, boxstyle="round,pad=0,rounding_size=0.25", linewidth=1.1,
                         edgecolor=colour, facecolor=(*_rgb(colour), 0.16 if look is not None else 0.05),
                         hatch="" if look is None else _HATCH[look % len(_HATCH)], mutation_aspect=0.05)  # fmt: skip
    box.set_hatch_linewidth(0.25) if hasattr(box, "set_hatch_linewidth") else None
    axes.add_patch(box)
    axes.text(x + width / 2, y, name, ha="center", va="center", fontsize=7.5,
              bbox={"facecolor": "white", "alpha": 0.8, "edgecolor": "none", "pad": 0.8})  # fmt: skip


def _rgb(colour: str) -> tuple[float, float, float]:
    from matplotlib.colors import to_rgb

    found: tuple[float, float, float] = to_rgb(colour)
    return found
