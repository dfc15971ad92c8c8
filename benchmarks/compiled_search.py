"""The same branch and bound in numpy and in compiled loops, one after the other in one process: CPU seconds of either,
and whether they end with the same nodes (docs/theory/continuation.md#compiled-search; needs the extra `compiled`).

    python benchmarks/compiled_search.py [GAME HORIZON ALPHA [FROM]]

A cover of all temperatures from ALPHA on, or of a slice of those from ALPHA to FROM.  What compiling or loading the
compiled code takes is listed by itself.  Linear algebra has one thread, as commands give it: a second one spins.
"""

from __future__ import annotations

import os
import sys
import time
from fractions import Fraction

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # read when numpy is imported

from certify.games.load import load
from certify.games.tree import unroll
from certify.thresholds.compiled.compiler import SWITCH, installed
from certify.thresholds.cover import Effort, find_cover
from certify.thresholds.cover_tree import Node
from certify.thresholds.index_tables import Plan

CASES = (
    ("dectiger", 2, "12.386", ""),
    ("dectiger", 3, "40", ""),
    ("dectiger", 3, "15.95", "16"),
    ("recycling", 3, "1.3", ""),
)


def cover(game: str, horizon: int, alpha: str, start: str, compiled: bool) -> tuple[list[Node], float]:
    """The cover of [1/start, 1/alpha], from 0 where `start` is empty, and the CPU seconds of the search."""
    os.environ[SWITCH] = "" if compiled else "no"
    plan = Plan(unroll(load(game, horizon=horizon)))
    began = time.process_time()
    low = 1 / Fraction(start) if start else Fraction(0)
    nodes = find_cover(plan, 1 / Fraction(alpha), low=low, effort=Effort(branch=True))
    return nodes, time.process_time() - began


def main(cases: tuple[tuple[str, int, str, str], ...]) -> None:
    """One line per case."""
    if not installed():
        sys.exit("numba is not installed: pip install 'certify[compiled]'")
    began = time.process_time()
    cover("dectiger", 2, "60", "", True)
    print(f"compiling or loading: {time.process_time() - began:.1f} s", flush=True)
    for game, horizon, alpha, start in cases:
        (nodes, fast), (others, slow) = (cover(game, horizon, alpha, start, compiled) for compiled in (True, False))
        same = "the same" if nodes == others else f"{len(others)} other"
        print(
            f"{game} h = {horizon}, alpha from {alpha} to {start or 'infinity'}: "
            f"compiled {fast:.2f} s, numpy {slow:.2f} s, "
            f"{slow / fast:.1f} times; {len(nodes)} nodes, {same} nodes by numpy",
            flush=True,
        )


if __name__ == "__main__":
    given = sys.argv[1:]
    main(((given[0], int(given[1]), given[2], *given[3:4], "")[:4],) if given else CASES)
