"""Checks what is claimed of an entropy controller with given limits (docs/theory/entropy.md#controllers); standard
library only.

The rules are piecewise linear and increasing on each piece, so that the image of an interval under a piece is the
interval between the images of its ends, and sets of intervals can be followed exactly:

    zeta (min, max), above target:  [2 min, max] -> z/2;  [min, 2 min) and 0 -> −min;
                                    (−max/2, −min] -> 2z;  [−max, −max/2] -> −max
    adapo (least, most, change), above: e -> max(least, e − change)
    target (most, change), above: c -> max(0, c − change)

and the mirror image below.  Checked: the range is kept from every state in it, and the claimed number of steps on one
side brings every state to the limit (which, on both sides, is `saturation`); and that one step fewer does not
(`sharp`).
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from certify.checker.reading.envelope import Failed, Malformed, envelope, integer, rational, record
from certify.checker.verdict import Proof, Run

Ends = tuple[Fraction, Fraction]
_MOST_STEPS = 10_000
_NEEDED = {"zeta": ("zeta_min", "zeta_max"), "adapo": ("least", "most", "change"), "target": ("most", "change")}


def check_controller(certificate: Any, run: Run) -> Proof:
    """The `Proof` of a certificate of kind "entropy-controller"; raises `Failed` or `Malformed`."""
    envelope(certificate, ("claim", "controller", "limits"))
    claim = record(certificate["claim"], "claim", ("saturation", "sharp"))
    steps = integer(claim["saturation"], "claim.saturation", 1, _MOST_STEPS)
    name = certificate["controller"]
    if not isinstance(name, str) or name not in _NEEDED:
        raise Malformed("controller", "none of: zeta, adapo, target")
    given = record(certificate["limits"], "limits", _NEEDED[name])
    limits = {key: rational(given[key], f"limits.{key}") for key in _NEEDED[name]}
    start, end = _range(name, limits)
    reached = start
    for k in range(steps):
        if claim["sharp"] is True and reached == [(end, end)]:
            raise Failed(f"{k} steps are enough already", step="sharp")
        reached = _image(name, limits, reached)
        if not all(any(low <= a and b <= high for low, high in start) for a, b in reached):
            raise Failed("a state leaves the range", step=f"step {k}")
    if reached != [(end, end)]:
        raise Failed(f"not every state is at {end}", step=f"after {steps} steps")
    if claim["sharp"] not in (True, False):
        raise Malformed("claim.sharp", "neither true nor false")
    at = ", ".join(f"{key} {value}" for key, value in limits.items())
    most = "exactly the most that are needed" if claim["sharp"] else "at most"
    return Proof(
        (f"{name} controller ({at}): stays in its range and saturates within {steps} steps on one side ({most})",),
        steps,
    )


def _range(name: str, limits: dict[str, Fraction]) -> tuple[list[Ends], Fraction]:
    """The states, as intervals, and the limit that is reached above the target."""
    if name == "zeta":
        low, high = limits["zeta_min"], limits["zeta_max"]
        if not 0 < low <= high:
            raise Malformed("limits", "not 0 < zeta_min <= zeta_max")
        return [(-high, -low), (Fraction(0), Fraction(0)), (low, high)], -high
    least = limits.get("least", Fraction(0))
    if not (limits["change"] > 0 and 0 <= least <= limits["most"]):
        raise Malformed("limits", "not change > 0 and 0 <= least <= most")
    return [(least, limits["most"])], least


def _image(name: str, limits: dict[str, Fraction], states: list[Ends]) -> list[Ends]:
    """Where one step above the target leads from a set of states (closed intervals; limits of open ones included)."""
    found: set[Ends] = set()
    for low, high in states:
        if name == "zeta":
            found |= _zeta(low, high, limits["zeta_min"], limits["zeta_max"])
        else:
            least = limits.get("least", Fraction(0))
            found.add((max(least, low - limits["change"]), max(least, high - limits["change"])))
    return _joined(found)


def _zeta(low: Fraction, high: Fraction, least: Fraction, most: Fraction) -> set[Ends]:
    found: set[Ends] = set()
    if high >= 2 * least:  # halved
        found.add((max(low, 2 * least) / 2, high / 2))
    if (low < 2 * least and high >= least) or low <= 0 <= high:  # below zeta_min when halved, or 0
        found.add((-least, -least))
    if low < 0:
        if high > -most / 2:  # doubled
            found.add((2 * max(low, -most / 2), 2 * min(high, -least)))
        if low <= -most / 2:
            found.add((-most, -most))
    return found


def _joined(states: set[Ends]) -> list[Ends]:
    """Overlapping intervals as one, ascending."""
    found: list[Ends] = []
    for low, high in sorted(states):
        if found and low <= found[-1][1]:
            found[-1] = found[-1][0], max(found[-1][1], high)
        else:
            found.append((low, high))
    return found
