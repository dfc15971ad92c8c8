"""The cover of a threshold certificate: how boxes over 1/alpha and policies leave nothing out."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from certify.certificates.reading_objective import words_of
from certify.errors import InputError
from certify.exact import significant_text
from certify.reports.style import FAINT, GREEN, INK, ORANGE, SKY, SOFT, Drawn, canvas, plain, standing, styled, title

_MOST = 3_000  # rectangles in a picture


@styled
def plot_cover(document: dict[str, Any], ax: Any = None, *, proved: bool = True) -> Drawn:
    """Every leaf of the cover as a rectangle: its interval of beta = 1/alpha across, its share of the policies upwards.

    Raises `InputError` for a certificate without a cover.
    """
    proof = document["proof"]
    if proof.get("type") == "windows":
        return _windows(document, ax, proved=proved)
    if proof.get("type") != "cover":
        raise InputError("certify plot", "no cover in this certificate", "plot one made by localisation or search")
    leaves = _leaves(proof["nodes"])
    figure, axes = canvas(ax, 7.2, 3.6)
    colours = {"nondegenerate": GREEN, "empty": SKY, "image": ORANGE}
    most = max((steps for *_, steps in leaves), default=1)
    from matplotlib.collections import PatchCollection
    from matplotlib.patches import Rectangle

    shown: dict[str, list[Any]] = {how: [] for how in colours}
    depth: dict[str, list[float]] = {how: [] for how in colours}
    for (left, right), (low, high), how, steps in leaves:
        shown[how].append(Rectangle((left, low), right - left, high - low))
        depth[how].append(0.25 + 0.6 * (steps / most) ** 0.5)
    for how, patches in shown.items():
        thin = 0.5 if len(leaves) < 400 else 0.15
        collection = PatchCollection(patches, facecolor=colours[how], edgecolor="white", linewidth=thin)
        if depth[how]:
            collection.set_alpha(depth[how])
        axes.add_collection(collection)
    total = float(Fraction(proof["nodes"][0]["beta"][1]))
    axes.set_xlim(0, total)
    axes.set_ylim(0, 1)
    axes.set_yticks([])
    axes.set_ylabel("parts of the policy space")
    _beta_axis(axes, total)
    legend = [(GREEN, f"every stationary policy is {words_of(document).closed}"), (SKY, "no stationary policy")]
    _legend(axes, legend + [(ORANGE, "image of another box under a symmetry")] * bool(shown["image"]))
    name = plain(document["game"]["name"])
    star = significant_text(Fraction(document["claim"]["alpha_star"]), 5, up=True)
    parts = f"{len(leaves)} box" + "es" * (len(leaves) != 1)
    leave = "leave" if len(leaves) != 1 else "leaves"
    title(axes, f"{name}: {parts} that {leave} nothing out for α ≥ {star} ({standing(proved)})")
    return Drawn(
        figure,
        f"Each rectangle is one of {len(leaves)} closed boxes: an interval of β = 1/α across, a part of the policy "
        "space upwards (in proportion to the boxes in it). The deeper the colour, the more steps lead to it.",
    )


def _leaves(nodes: list[dict[str, Any]]) -> list[tuple[tuple[float, float], tuple[float, float], str, int]]:
    """(beta interval, vertical extent, how it closes, steps from the root) of every closed node."""
    children: dict[int, list[int]] = {}
    for k, node in enumerate(nodes):
        if node["parent"] is not None:
            children.setdefault(node["parent"], []).append(k)
    count = [0] * len(nodes)
    for k in reversed(range(len(nodes))):  # leaves stacked above each other within a node
        below = children.get(k, [])
        by_policy = "split" in nodes[k] and "beta" not in nodes[k]["split"]
        sizes = [count[child] for child in below]
        count[k] = max(1, (sum(sizes) if by_policy else max(sizes, default=1)))
    found = []
    waiting = [(0, 0.0, 1.0, 0)]
    while waiting:
        k, low, high, steps = waiting.pop()
        node = nodes[k]
        steps += len(node["steps"])
        below = children.get(k, [])
        if not below:
            left, right = (float(Fraction(b)) for b in node["beta"])
            how = "image" if isinstance(node.get("close"), dict) else node.get("close")
            found.append(((left, right), (low, high), how if how in ("image", "empty") else "nondegenerate", steps))
            continue
        if "beta" in node["split"]:
            waiting += [(child, low, high, steps) for child in below]
            continue
        total = sum(count[child] for child in below)
        at = low
        for child in below:
            part = (high - low) * count[child] / total
            waiting.append((child, at, at + part, steps))
            at += part
    return found[:_MOST]


def _beta_axis(axes: Any, top: float) -> None:
    """beta below, the temperatures above."""
    axes.set_xlabel("β = 1/α   (0 is infinite temperature)")
    other = axes.secondary_xaxis("top")
    ticks = [top * part for part in (0.25, 0.5, 0.75, 1.0)]
    other.set_xticks(ticks, [f"α = {significant_text(Fraction(1 / t), 4, up=True)}" for t in ticks])
    other.tick_params(labelsize=7, length=3, color=SOFT)
    labels = other.get_xticklabels()
    labels[-1].set_horizontalalignment("right")


def _legend(axes: Any, entries: list[tuple[str, str]]) -> None:
    from matplotlib.patches import Patch

    handles = [Patch(facecolor=colour, alpha=0.7, label=text) for colour, text in entries]
    axes.legend(handles=handles, loc="upper left", bbox_to_anchor=(0, -0.2), ncols=2, borderaxespad=0)


def _windows(document: dict[str, Any], ax: Any, *, proved: bool) -> Drawn:
    """The intervals of a proof by windows, as high as they took steps."""
    intervals = document["proof"]["intervals"]
    figure, axes = canvas(ax, 7.2, 3.2)
    edges = [tuple(float(Fraction(b)) for b in part["beta"]) for part in intervals]
    steps = [len(part["steps"]) for part in intervals]
    for k, ((left, right), height) in enumerate(zip(edges, steps, strict=True)):
        axes.bar(left, height, right - left, align="edge", color=GREEN, alpha=0.75 if k % 2 else 0.5, edgecolor="white")
    axes.set_xlim(0, edges[-1][1])
    axes.set_ylim(0, max(*steps, 1) * 1.08)
    axes.set_ylabel("steps that shrink the boxes")
    axes.grid(axis="y", color=FAINT)
    axes.yaxis.get_major_locator().set_params(integer=True)
    _beta_axis(axes, edges[-1][1])
    star = significant_text(Fraction(document["claim"]["alpha_star"]), 5, up=True)
    leaves = f"{len(intervals)} intervals of 1/α leave none out for α ≥ {star}"
    title(axes, f"{plain(document['game']['name'])}: {leaves} ({standing(proved)})")
    axes.spines["bottom"].set_color(INK)
    return Drawn(
        figure,
        f"Each bar is an interval of β = 1/α, verified by itself; windows of {document['proof']['k']} past steps.",
    )
