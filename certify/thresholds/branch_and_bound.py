"""Thresholds by branch and bound over (beta, policy) (docs/theory/continuation.md#covers): a cover of small
beta = 1/alpha is prolonged piece by piece, down to a temperature where several policies are known to exist.
"""

from __future__ import annotations

import contextlib
import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from certify.run import OutOfTime, Run
from certify.thresholds.approx_weighed import Weighed
from certify.thresholds.cover import Effort, Stalled, find_cover
from certify.thresholds.cover_tree import Node, images_last, joined, restrict, steps_of
from certify.thresholds.images import NO_SYMMETRIES, Symmetries
from certify.thresholds.index_tables import Plan
from certify.thresholds.kept_covers import PIECES, keep_piece, keep_unfinished, kept_covers, unfinished
from certify.thresholds.localisation import Localisation, round_up

MAX_NODES = 60_000
_LADDER = (0.5, 0.25, 0.1, 0.0)  # parts of the way (in log alpha) that are left after each piece ...
_BETWEEN = (0.7, 0.35, 0.18, 0.13, 0.06, 0.03)  # ... and after further ones where the last piece has been so much
_WORK = 120_000  # work, nodes times rewards: what a temperature takes grows so fast that shorter pieces are cheaper
_LADDER_WEIGHED = (0.25, 0.0)  # where all equations are weighed together: long pieces cost hardly more there
_DESCENT = 4.0  # without a known floor, each piece divides alpha by this
_SHARE = 0.9  # of rtol is how near to a known floor the last piece goes
_CLOSED = 0.999  # of an unfinished piece, what is closed counts if it lowers alpha by 0.1 %


Pace = Callable[[Localisation], Callable[[int], bool]]


def unhurried(_: Localisation | None) -> Callable[[int], bool]:
    """The pace of a search whose covers need not be checked in time."""
    return lambda steps: True


@dataclass(frozen=True)
class Floor:
    """No temperature below `alpha` is tried; `known` says that several policies exist just below it, so that
    pieces close in on it, the last one to `_SHARE` of `rtol`; otherwise they descend towards it."""

    alpha: Fraction
    known: bool
    rtol: float = 0.01

    @classmethod
    def of(cls, multiple: Fraction | None, alpha_min: Fraction, rtol: float) -> Floor:
        """The floor of a search down to `alpha_min`, where several policies exist at `multiple` (None: unknown)."""
        return (
            cls(alpha_min, False, rtol)
            if multiple is None
            else cls(max(multiple, alpha_min), multiple >= alpha_min, rtol)
        )


def sharpen(
    plan: Plan,
    base: Localisation | None,
    start: Fraction,
    floor: Floor,
    *,
    symmetries: Symmetries = NO_SYMMETRIES,
    pace: Pace = unhurried,
    run: Run | None = None,
) -> list[Localisation]:
    """Covers for temperatures below `start`, the best last.

    base : the cover to prolong, if there is one; `start` is the temperature that is certified so far.
    symmetries : of the game, of which one fundamental domain is searched.
    pace : given the first cover that is there, says whether there would be time to check one of so many steps.
    The last entry may end with the closed part of an unfinished piece: its steps were found for other
    intervals of beta, and a checker may refuse it; the entries before it are whole.
    """
    run = run or Run()
    book = run.checkpoint
    pieces = [base.nodes] if base is not None else []
    found: list[Localisation] = []
    paced, weighed = None, Weighed(plan).applies

    def add(piece: list[Node]) -> None:
        pieces.append(piece)
        found.append(Localisation(1 / piece[0].high, images_last(joined(pieces)), symmetries.maps))

    done = kept_covers(book, PIECES) or []
    parts = (_LADDER_WEIGHED, ()) if weighed else (_LADDER, _BETWEEN)
    rewards = sum(level.reward.size for level in plan.levels)
    try:
        for alpha_star, always in _ladder(start, floor, parts):
            if not always and (not pieces or len(pieces[-1]) * rewards < _WORK):
                continue
            low = pieces[-1][0].high if pieces else Fraction(0)
            if 1 / alpha_star <= low:
                continue
            if done:
                add(done.pop(0))
                continue
            known = base or next(iter(found), None)
            if paced is None and known is not None and not weighed:
                paced = pace(known)
            affordable = _beside(pieces, paced)
            if run.left() <= 0 or not affordable(0):
                break
            try:
                add(
                    find_cover(
                        plan,
                        1 / alpha_star,
                        low=low,
                        effort=Effort(True, max_nodes=MAX_NODES, affordable=affordable, symmetries=symmetries),
                        run=run,
                        nodes=unfinished(book, low, 1 / alpha_star),
                        save=functools.partial(keep_unfinished, book),
                    )
                )
                keep_piece(book, pieces[-1])
                run.found(above=float(alpha_star))
                run.progress(f"branch and bound: alpha* = {float(alpha_star):.6g}")
            except Stalled as stalled:
                if stalled.reached > low and 1 / float(stalled.reached) < _CLOSED * float(1 / low if low else start):
                    add(restrict(stalled.nodes, stalled.reached))
                # last, for an alarm rings on, and this takes a while
                with contextlib.suppress(OutOfTime):
                    keep_unfinished(book, stalled.nodes, now=True)
                break
    except KeyboardInterrupt:  # anywhere, while checks are timed too: what has been found stays
        run.interrupt()
    except OutOfTime:
        pass
    return found


def _beside(pieces: list[list[Node]], paced: Callable[[int], bool] | None) -> Callable[[int], bool]:
    """Whether there would be time to check so many steps beside those of the pieces that are there."""
    before = sum(map(steps_of, pieces))
    return lambda steps: paced is None or paced(before + steps)


def _ladder(
    start: Fraction, floor: Floor, parts: tuple[tuple[float, ...], tuple[float, ...]]
) -> list[tuple[Fraction, bool]]:
    """The temperatures at which pieces end, and whether they do in any case; towards a known floor the first `parts` of
    the way are left after them, else the second ones."""
    high, low = float(start), float(floor.alpha) * (1 + _SHARE * floor.rtol) if floor.known else float(floor.alpha)
    if low >= high:
        return []
    if floor.known:
        ends = [(part, True) for part in parts[0]] + [(part, False) for part in parts[1]]
        return [(round_up(low * (high / low) ** part, 6), always) for part, always in sorted(ends, reverse=True)]
    count = max(1, math.ceil(math.log(high / low) / math.log(_DESCENT)))
    found = [round_up(high * (low / high) ** (k / count), 6) for k in range(1, count)] + [floor.alpha]
    return [(alpha, True) for alpha in found]
