"""Pictures of entropy certificates, in the style of the others (docs/entropy.md)."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np

from certify.bounds.arb_numbers import float_ends
from certify.certificates.reading_game import named_rows
from certify.entropy.algorithms import direction
from certify.entropy.controllers import AdapoController, TargetEntropyController, ZetaController
from certify.entropy.dynamics import EntropyPath
from certify.entropy.enclosure import working_precision
from certify.entropy.plots import change_band
from certify.entropy.policy import Numbers, advantages_from_json, numbers, policy_from_json
from certify.exact import significant_text
from certify.reports.style import (
    BLUE,
    FAINT,
    GREEN,
    INK,
    ORANGE,
    RED,
    SKY,
    SOFT,
    UNIQUE,
    Drawn,
    below,
    canvas,
    grid,
    plain,
    short,
    standing,
    styled,
    title,
)

_PIECES = 60
_WIDE = 150  # times the shortest piece: a range of steps that is drawn on a logarithmic axis
_MOST_ROWS = 30
_MOST_ACTIONS = 24


@styled
def plot_sign(document: dict[str, Any], ax: Any = None, *, proved: bool = True) -> Drawn:
    """H(η) − H(0) inside a certified band over the steps of the claim; of a first-order claim, the slope at 0."""
    claim, algorithm = document["claim"], plain(document["algorithm"])
    with working_precision():
        path = _entropy_path(document)
        steps = claim.get("steps")
        low, high = (Fraction(end) for end in steps) if steps is not None else (Fraction(0), Fraction(1, 10))
        finest = _finest(document, high - low)
        cuts = _cuts(low, high, finest)
        band = [row for left, right in pairwise(cuts) for row in change_band(path, left, right, 1)]
        values = [float(sum(float_ends(path.change_at(cut)))) / 2 for cut in cuts]
        slope = float(sum(float_ends(path.first_order()))) / 2
    figure, axes = canvas(ax, 7.2, 3.8)
    edges = [x for left, right, *_ in band for x in (left, right)]
    bottom, top = ([row[k] for row in band for _ in range(2)] for k in (2, 3))
    axes.fill_between(edges, bottom, top, color=SKY, alpha=0.4, linewidth=0, label="certified band")
    axes.plot([float(cut) for cut in cuts], values, color=BLUE, label="at single steps")
    axes.plot([float(cut) for cut in cuts], [slope * float(cut) for cut in cuts], color=SOFT, linestyle=":",
              label=f"to first order: {short(slope, 3)} per unit step")  # fmt: skip
    axes.axhline(0, color=INK, linewidth=0.8)
    room = 0.3 * (max(*values, 0) - min(*values, 0)) or 1e-9  # a band that is wide and says little is cut off
    reach = [max(min(bottom), min(values) - room), min(max(top), max(values) + room)]
    room *= 0.2
    axes.set_ylim(min(*reach, 0) - room, max(*reach, 0) + room)
    if finest * _WIDE < high - low:
        axes.set_xscale("symlog", linthresh=float(finest))
    axes.set_xlim(float(low), float(high))
    axes.set_xlabel("step size η")
    axes.set_ylabel("entropy change (nats)")
    axes.grid(color=FAINT)
    verb = plain(claim["sign"])
    if claim.get("steps") is None:
        title(axes, f"the entropy {verb} to first order along a step of {algorithm} ({standing(proved)})")
    else:
        over = (
            f"({short(float(low))}, {short(float(high))}]"
            if low == 0
            else f"[{short(float(low))}, {short(float(high))}]"
        )
        title(axes, f"the entropy {verb} for every step of {algorithm} with η in {over} ({standing(proved)})")
    below(axes, 3)
    shown = "" if claim.get("steps") is not None else " Only the sign of the slope at 0 is claimed."
    return Drawn(figure, f"The change of the entropy against the step size, enclosed.{shown}")


def _finest(document: dict[str, Any], span: Fraction) -> Fraction:
    """The length of the certificate's shortest piece of steps, which says on what scale things happen."""
    lengths = [Fraction(p[1]) - Fraction(p[0]) for p in document.get("pieces", ())]
    return min((length for length in lengths if length > 0), default=span)


def _cuts(low: Fraction, high: Fraction, finest: Fraction) -> list[Fraction]:
    """Equal steps, or where the scale asks for it equal ones up to it and then equal ratios."""
    if finest * _WIDE >= high - low:
        return [low + (high - low) * k / _PIECES for k in range(_PIECES + 1)]
    start = [low + finest * k / 10 for k in range(11)]
    grown = np.geomspace(float(start[-1]), float(high), _PIECES + 1)[1:-1]
    return [*start, *(Fraction(cut).limit_denominator(10**6) for cut in grown), high]


def _entropy_path(document: dict[str, Any]) -> EntropyPath:
    from certify.entropy.algorithms import find_algorithm

    policy = policy_from_json(document["policy"], "policy")
    rows = document["advantages"]
    if find_algorithm(document["algorithm"]).per_sequence:
        advantages: tuple[Numbers, ...] = (numbers(rows["states"][0], "advantages"),)
    else:
        advantages = advantages_from_json(rows, policy)
    given = {key: value for key, value in document["parameters"].items() if value is not None}
    return EntropyPath(policy, direction(document["algorithm"], policy, advantages, given))


@styled
def plot_clipping(document: dict[str, Any], ax: Any = None, *, proved: bool = True) -> Drawn:
    """Ratios of new to old probabilities against the clip range."""
    old, new = (_probabilities(document[key]["states"][0]) for key in ("old", "new"))
    low, high = 1 - float(Fraction(document["eps_low"])), 1 + float(Fraction(document["eps_high"]))
    order = np.argsort(-old)[:_MOST_ACTIONS]
    ratio = new[order] / old[order]
    figure, axes = canvas(ax, 7.2, 3.4)
    outside = (ratio < low) | (ratio > high)
    axes.axhspan(low, high, color=UNIQUE, linewidth=0, label=f"clip range [{short(low)}, {short(high)}]")
    axes.axhline(1, color=SOFT, linewidth=0.8)
    for k, (value, out) in enumerate(zip(ratio, outside, strict=True)):
        axes.plot([k, k], [1, value], color=RED if out else BLUE, linewidth=2)
        axes.plot([k], [value], marker="X" if out else "o", color=RED if out else BLUE, markersize=7)
        axes.annotate(short(value, 3), (k, value), xytext=(7, 0), textcoords="offset points", va="center", fontsize=7.5)
    axes.set_xticks(range(len(order)), [str(a) for a in order])
    axes.set_xlim(-0.6, len(order) - 0.2)
    reach = [low, high, *ratio]
    room = 0.12 * (max(reach) - min(reach))
    axes.set_ylim(max(-0.4 * room, min(reach) - room), max(reach) + room)
    axes.set_xlabel("action")
    axes.set_ylabel("new / old probability")
    says = {
        "in range": "all ratios in range: the entropy changes by a factor in that range",
        "out of range": "a ratio leaves the clip range",
        "bound broken": "the entropy leaves the bounds that ratios in range would give",
    }[document["claim"]["says"]]
    title(axes, f"{says} ({standing(proved)})")
    below(axes, 2)
    more = f" The {len(order)} most probable of {len(old)} actions." if len(old) > len(order) else ""
    return Drawn(figure, f"Ratios by action; crosses are outside the range.{more}")


def _probabilities(state: dict[str, Any]) -> np.ndarray:
    """Floats for the eye: the middle of every entry, softmax of logits."""
    entries = state.get("probabilities", state.get("logits"))
    assert entries is not None
    values = np.array(
        [sum(float(Fraction(x)) for x in e) / 2 if isinstance(e, list) else float(Fraction(e)) for e in entries]
    )
    if "probabilities" in state:
        return values
    weights = np.exp(values - values.max())
    return np.asarray(weights / weights.sum())


@styled
def plot_controller(document: dict[str, Any], ax: Any = None, *, proved: bool = True) -> Drawn:
    """The coefficient from several starts while the entropy stays on one side of its target."""
    limits = {key: Fraction(value) for key, value in document["limits"].items()}
    made: Any = {"zeta": ZetaController, "adapo": AdapoController, "target": TargetEntropyController}[
        document["controller"]
    ](**limits)
    steps = int(document["claim"]["saturation"])
    starts = _starts(made, limits)
    figure, axes = canvas(ax, 7.2, 3.6)
    for side, colour, dashes in ((1, BLUE, "-"), (-1, RED, "--")):
        for k, start in enumerate(starts):
            values = [start]
            for _ in range(steps + 2):
                values.append(made.step(values[-1], side))
            label = f"entropy {'above' if side > 0 else 'below'} its target" if k == 0 else None
            axes.step(range(len(values)), [float(v) for v in values], where="post", color=colour, linestyle=dashes,
                      linewidth=1.2, alpha=0.85, label=label)  # fmt: skip
    axes.axvline(
        steps, color=GREEN, linewidth=1.2, linestyle="-.", label=f"{steps} steps: saturated ({standing(proved)})"
    )
    if document["controller"] == "zeta":
        axes.set_yscale("symlog", linthresh=float(limits["zeta_min"]))
    axes.set_xlabel("step")
    axes.set_ylabel("coefficient")
    axes.set_xlim(0, steps + 2)
    axes.grid(color=FAINT)
    name = plain(document["controller"])
    title(axes, f"the controller {name} saturates within {steps} steps ({standing(proved)})")
    below(axes, 2)
    return Drawn(figure, "The coefficient from several starts while the entropy stays on one side of its target.")


def _starts(made: Any, limits: dict[str, Fraction]) -> list[Fraction]:
    if isinstance(made, ZetaController):
        top, least = limits["zeta_max"], limits["zeta_min"]
        return [-top, -least, Fraction(0), least, top]
    most = limits["most"]
    least = limits.get("least", Fraction(0))
    return [least, (least + most) / 2, most]


@styled
def plot_run(document: dict[str, Any], ax: Any = None, *, proved: bool = True) -> Drawn:
    """The entropy along the run, recomputed in floats, and the bound that is claimed at its end."""
    claim = document["claim"]
    after, bound = int(claim["after"]), float(Fraction(claim["bound"]))
    entropy = _run(document, max(after, 1))
    figure, axes = canvas(ax, 7.2, 3.4)
    axes.plot(range(len(entropy)), entropy, color=BLUE, label="entropy (floats, not proved)", linestyle="-")
    up = claim["side"] == "above"
    axes.axhline(bound, color=RED, linestyle="--", linewidth=1.1, label=f"bound {short(bound)}")
    side = "above" if up else "below"
    label = f"{standing(proved)}: {side} it after {after} steps"
    axes.plot([after], [bound], marker="^" if up else "v", color=RED, markersize=9, linestyle="none", label=label)
    if isinstance(document["coefficient"], dict):
        target = float(Fraction(document["coefficient"]["target"]))
        axes.axhline(target, color=GREEN, linestyle=":", linewidth=1.1, label=f"target {short(target)}")
    axes.set_ylim(0, max(*entropy, bound) * 1.08)
    axes.set_xlim(0, max(after, 1) * 1.03)
    axes.set_xlabel("step")
    axes.set_ylabel("entropy (nats)")
    axes.grid(color=FAINT)
    title(axes, f"after {after} steps the entropy is {side} {short(bound)} ({standing(proved)})")
    below(axes, 2)
    return Drawn(
        figure, "Only the bound at the last step is part of the certificate; the curve is drawn in floating point."
    )


def _run(document: dict[str, Any], steps: int) -> list[float]:
    """The entropies of exact-gradient steps on rewards (1, 0, …, 0), in floats (docs/theory/updates.md)."""
    others, eta = int(document["actions"]) - 1, float(Fraction(document["step"]))
    p = float(Fraction(document["probability"]))
    x = math.log(p * others / (1 - p))
    rule, value = document["coefficient"], 0.0
    found = []
    for _ in range(steps + 1):
        t = others * math.exp(-x) if x > -700 else math.inf
        first, rest = 1 / (1 + t), t / (1 + t) if math.isfinite(t) else 1.0
        log_first = -math.log1p(t)
        entropy = rest * x - log_first
        found.append(entropy)
        if isinstance(rule, dict):
            change, most, target = (float(Fraction(rule[k])) for k in ("change", "most", "target"))
            beta = 0.0 if entropy > target else value
            value = max(0.0, value - change) if entropy > target else min(most, value + change)
        else:
            beta = float(Fraction(rule))
        scale = 1 / math.sqrt(max(first * rest, 1e-300)) if document["normalised"] is True else 1.0
        above = log_first + entropy
        x += eta * (first * (rest * scale - beta * above) - rest / others * (-(first * scale) - beta * (above - x)))
    return found


@styled
def plot_table(document: dict[str, Any], ax: Any = None, *, proved: bool = True) -> Drawn:
    """The mean factor that rounding puts on a ratio, by binade."""
    figure, axes = canvas(ax, 7.2, 3.6)
    rows = document["binades"]
    binades = [int(row["exponent"]) for row in rows]
    looks = (("one_side", "one side rounded", BLUE, "o"), ("both_sides", "both sides rounded", RED, "s"))
    for key, label, colour, marker in looks:
        values = [sum(float(Fraction(e) - 1) for e in row[key]) / 2 for row in rows]
        axes.plot(
            binades, values, color=colour, marker=marker, markersize=5, label=f"{label}, uniform errors", linewidth=1.1
        )
    counted = [
        (int(row["exponent"]), sum(float(Fraction(e) - 1) for e in row["mean_factor"]) / 2)
        for row in document["counted"]
    ]
    if counted:
        axes.plot(
            *zip(*counted, strict=True),
            linestyle="none",
            marker="X",
            markersize=7,
            color=GREEN,
            label="one side, all float32 numbers",
        )
    axes.set_yscale("log")
    axes.set_xticks(binades)
    axes.grid(color=FAINT)
    axes.set_xlabel("binade k: log-probabilities in [−2^(k+1), −2^k)")
    axes.set_ylabel("mean factor on the ratio − 1")
    title(axes, f"rounding to {plain(document['claim']['format'])} pushes importance ratios up ({standing(proved)})")
    below(axes, 2)
    return Drawn(figure, "Mean factors on importance ratios, minus 1, from enclosures too narrow to see.")


@styled
def plot_flow(document: dict[str, Any], ax: Any = None, *, proved: bool = True) -> Drawn:
    """The entropy of every history and how fast it changes along the gradient flow."""
    named = named_rows(document, document["policy"], clustering=False)[:_MOST_ROWS]
    claimed = document["claim"]["rows"][: len(named)]
    figure, panels = grid(ax, 2, 7.2, 1.3 + 0.22 * len(named), columns=2)
    for panel, key, colour in zip(panels, ("entropy", "rate"), (BLUE, ORANGE), strict=True):
        ends = np.array([[float(Fraction(e)) for e in row[key]] for row in claimed])
        middle = ends.mean(axis=1)
        middle[np.abs(middle) < 1e-12] = 0.0
        colours = [RED if m < 0 else colour for m in middle]
        panel.barh(range(len(middle)), middle, color=colours, height=0.7)
        panel.set_ylim(len(middle) - 0.4, -0.6)
        panel.axvline(0, color=INK, linewidth=0.8)
        panel.grid(axis="x", color=FAINT)
        if not middle.any():
            panel.set_xlim(-1, 1)
    labels = [plain(row.key if row.key.partition(":")[2] else f"{row.key} first step", 36) for row in named]
    panels[0].set_yticks(range(len(named)), labels, fontsize=7)
    panels[1].set_yticks([])
    panels[0].set_xlabel("entropy (nats)")
    panels[1].set_xlabel("rate along the flow")
    alpha = significant_text(Fraction(document["alpha"]), 5, up=True)
    title(panels[0], f"{plain(document['game']['name'], 18)}: entropies at α = {alpha}", 46)
    title(panels[1], f"and how they change ({standing(proved)})", 46)
    count = len(document["claim"]["rows"])
    more = f" The first {len(named)} of {count} histories." if count > len(named) else ""
    return Drawn(figure, f"By history, from enclosures too narrow to see; falling entropies in another colour.{more}")


@styled
def plot_batch(document: dict[str, Any], ax: Any = None, *, proved: bool = True) -> Drawn:
    """How many tokens raise or lower the entropy, and the clip decisions."""
    sums = {key: int(value) for key, value in document["claim"]["sums"].items()}
    figure, axes = canvas(ax, 7.2, 2.5)
    groups = (
        (
            "first-order\nentropy change",
            (("up", GREEN, ""), ("down", RED, "//"), ("undecided", SOFT, ".."), ("still", "#d7dbe0", "")),
        ),
        ("clip decision", (("kept", BLUE, ""), ("cut", ORANGE, "//"), ("ambiguous", SOFT, ".."))),
    )
    active = max(sums.get("active", 0), 1)
    for y, (_, parts) in enumerate(groups):
        left = 0.0
        for name, colour, hatch in parts:
            share = sums.get(name, 0) / active
            if share <= 0:
                continue
            axes.barh(-y, share, left=left, color=colour, hatch=hatch, edgecolor="white", height=0.6)
            if share > 0.09:
                axes.text(left + share / 2, -y, f"{name}\n{sums[name]}", ha="center", va="center", fontsize=8,
                          bbox={"facecolor": "white", "alpha": 0.85, "edgecolor": "none", "pad": 1.5})  # fmt: skip
            left += share
    axes.set_yticks([0, -1], [label for label, _ in groups])
    axes.tick_params(axis="y", length=0)
    axes.set_xlim(0, 1)
    axes.set_ylim(-1.5, 0.5)
    axes.set_xlabel(f"share of the {sums.get('active', 0)} tokens that are trained on")
    recipe = document["batch"]["recipe"]
    title(axes, f"a batch under the recipe {plain(recipe.get('name'))} ({standing(proved)})")
    return Drawn(figure, "Counts over the whole batch as the digest commits to them; small shares carry no label.")
