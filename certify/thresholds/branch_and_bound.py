"""Thresholds by branch and bound over (beta, policy) (docs/theory/continuation.md#covers): a cover of small
beta = 1/alpha is prolonged piece by piece, down to a temperature where several policies are known to exist.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from concurrent.futures import Executor
from fractions import Fraction

from certify.thresholds.checkpoint import Checkpoint
from certify.thresholds.cover import Stalled, find_cover
from certify.thresholds.cover_tree import Node, joined, restrict
from certify.thresholds.index_tables import Plan
from certify.thresholds.localisation import Localisation, round_up

MAX_NODES = 60_000
_LADDER = (0.5, 0.25, 0.1, 0.0)  # parts of the way (in log alpha) that are left after each piece
_DESCENT = 4.0  # without a known floor, each piece divides alpha by this
_SHARE = 0.9  # of rtol is how near to a known floor the last piece goes
_CLOSED = 0.999  # of an unfinished piece, what is closed counts if it lowers alpha by 0.1 %


def sharpen(
    plan: Plan,
    base: Localisation | None,
    start: Fraction,
    floor: Fraction,
    *,
    rtol: float,
    known: bool,
    deadline: float | None = None,
    executor: Executor | None = None,
    max_nodes: int = MAX_NODES,
    checkpoint: Checkpoint | None = None,
    progress: Callable[[str], None] = lambda text: None,
) -> list[Localisation]:
    """Covers for temperatures below `start`, the best last.

    base : the cover to prolong, if there is one; `start` is the temperature that is certified so far.
    floor : no smaller temperature is tried; `known` says that several policies exist just below it,
    so that pieces close in on it (to `_SHARE` of `rtol`), otherwise they descend towards it.
    The last entry may end with the closed part of an unfinished piece: its steps were found for other
    intervals of beta, and a checker may refuse it; the entries before it are whole.
    """
    book = checkpoint or Checkpoint(None, {})
    pieces = [base.nodes] if base is not None else []
    found: list[Localisation] = []

    def add(piece: list[Node]) -> None:
        pieces.append(piece)
        found.append(Localisation(1 / piece[0].high, joined(pieces)))

    done = book.covers("pieces") or []
    for alpha_star in _ladder(start, floor, rtol, known):
        low = (
            1 / base.alpha_star if base is not None and not found else Fraction(0) if not found else pieces[-1][0].high
        )
        if 1 / alpha_star <= low:
            continue
        if done:
            add(done.pop(0))
            continue
        if deadline is not None and time.monotonic() > deadline:
            break
        try:
            add(
                find_cover(
                    plan,
                    1 / alpha_star,
                    low=low,
                    branch=True,
                    max_nodes=max_nodes,
                    deadline=deadline,
                    executor=executor,
                    progress=progress,
                    nodes=book.unfinished(low, 1 / alpha_star),
                    save=book.save_unfinished,
                )
            )
            book.save_piece(pieces[-1])
            progress(f"branch and bound: alpha* = {float(alpha_star):.6g}")
        except Stalled as stalled:
            book.save_unfinished(stalled.nodes, now=True)
            if stalled.reached > low and 1 / float(stalled.reached) < _CLOSED * float(1 / low if low else start):
                add(restrict(stalled.nodes, stalled.reached))
            break
    return found


def _ladder(start: Fraction, floor: Fraction, rtol: float, known: bool) -> list[Fraction]:
    """The temperatures at which pieces end."""
    high, low = float(start), float(floor) * (1 + _SHARE * rtol) if known else float(floor)
    if low >= high:
        return []
    if known:
        return [round_up(low * (high / low) ** part, 6) for part in _LADDER]
    count = max(1, math.ceil(math.log(high / low) / math.log(_DESCENT)))
    return [round_up(high * (low / high) ** (k / count), 6) for k in range(1, count)] + [floor]


def alpha_floor(multiple: Fraction | None, alpha_min: Fraction) -> tuple[Fraction, bool]:
    """Where `sharpen` may stop, and whether several policies are known to exist just below."""
    return (alpha_min, False) if multiple is None else (max(multiple, alpha_min), multiple >= alpha_min)
