"""Thresholds by branch and bound over (beta, policy) (theory, section 7, Theorem D): starting from a
certified temperature, ever smaller ones down to a floor where several policies are known to exist.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from concurrent.futures import Executor
from fractions import Fraction

from certify.uniqueness.cover import Stalled, find_cover, restrict
from certify.uniqueness.localisation import Localisation, round_up
from certify.uniqueness.plan import Plan

MAX_NODES = 60_000
_LADDER = (0.5, 0.25, 0.1, 0.0)   # parts of the way (in log alpha) that are left at each attempt
_DESCENT = 4.0                    # without a known floor, each attempt divides alpha by this


def sharpen(plan: Plan, start: float, floor: float, *, rtol: float, known: bool, deadline: float | None = None,
            executor: Executor | None = None, max_nodes: int = MAX_NODES,
            progress: Callable[[str], None] = lambda text: None) -> list[Localisation]:
    """Covers for temperatures below `start`, the best last.

    floor : no smaller temperature is tried; `known` says that several policies exist just below it,
    so that attempts close in on it (to 9/10 of `rtol`), otherwise they descend towards it.
    The last entry may be the closed part of an unfinished tree: its steps were found for other
    intervals of beta, and a checker may refuse it; the entries before it are whole.
    """
    found: list[Localisation] = []
    target = floor * (1 + 0.9 * rtol) if known else floor
    for alpha in _attempts(start, target, known):
        if alpha >= start:
            continue
        alpha_star = round_up(alpha, 6)
        if deadline is not None and time.monotonic() > deadline:
            break
        try:
            nodes = find_cover(plan, 1 / alpha_star, branch=True, max_nodes=max_nodes, deadline=deadline,
                               executor=executor, progress=progress)
            found.append(Localisation(alpha_star, nodes))
            progress(f"branch and bound: alpha* = {float(alpha_star):.6g}")
        except Stalled as stalled:
            best = float(found[-1].alpha_star) if found else start
            if stalled.reached > 0 and 1 / float(stalled.reached) < 0.999 * best:
                found.append(Localisation(1 / stalled.reached, restrict(stalled.nodes, stalled.reached)))
            break
    return found


def _attempts(start: float, target: float, known: bool) -> list[float]:
    if target >= start:
        return []
    if known:
        return [target * (start / target) ** part for part in _LADDER]
    count = max(1, math.ceil(math.log(start / target) / math.log(_DESCENT)))
    return [start * (target / start) ** (k / count) for k in range(1, count + 1)]


def alpha_floor(multiple: Fraction | None, alpha_min: Fraction) -> tuple[float, bool]:
    """Where `sharpen` may stop, and whether several policies are known to exist just below."""
    return (float(alpha_min), False) if multiple is None else (float(max(multiple, alpha_min)), multiple >= alpha_min)
