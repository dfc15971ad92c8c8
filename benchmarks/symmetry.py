"""Measures what the project says about symmetries: orders and times on built-ins and benchmark
files, the checker, z3, the near-symmetry of boxPushingUAI07, cross-play of Dec-Tiger.

`python benchmarks/symmetry.py` prints one JSON object; exit 1 if an order is wrong or a time limit
is missed.  Benchmark files are looked for beside the project, in `../shared/games`.
"""

from __future__ import annotations

import json
import math
import sys
import time
from fractions import Fraction
from pathlib import Path

from certify.checker import check_certificate
from certify.crossplay.approx_runs import proved_runs
from certify.crossplay.matrix import cross_play, orbit_of_policy
from certify.games.load import load
from certify.games.tree import unroll
from certify.symmetry import certificate, symmetries
from certify.symmetry.compare import sentence
from certify.symmetry.near import near_symmetries
from certify.symmetry.smt import decide

FILES = Path(__file__).resolve().parents[1].parent / "shared" / "games"
# game -> (order, seconds allowed for finding the group, None: no figure was asked for)
ORDERS = {
    "lever:10:9/10": (2 * math.factorial(9), 2.0),
    "lever:98": (2 * math.factorial(98), 10.0),
    "dectiger": (4, None),
    "Grid3x3corners": (4, None),
    "fireFighting_2_3_3": (4, 60.0),
    "2generals": (2, None),
    "recycling": (2, None),
    "relay4": (2, None),
    "GridSmall": (2, None),
    "Mars": (2, None),
    "broadcastChannel": (1, None),
    "boxPushingUAI07": (1, None),
}


def timed(run):
    """(result, seconds)"""
    began = time.perf_counter()
    result = run()
    return result, round(time.perf_counter() - began, 3)


def group_row(name: str, order: int, limit: float | None) -> dict | None:
    """Order, nodes and seconds of one game's group; None where its file is absent."""
    path = FILES / f"{name}.dpomdp"
    if ":" not in name and not path.is_file():
        return None
    game, reading = timed(lambda: load(name) if ":" in name else load(path, 2, rows="renormalise"))
    group, finding = timed(lambda: symmetries(game))
    document, _ = timed(lambda: certificate(group))
    verdict, checking = timed(lambda: check_certificate(document))
    verdicts, solving = timed(lambda: [decide(group.game, g).status for g in group.generators[:3]])
    return {
        "game": name,
        "order": str(group.order),
        "complete": group.complete,
        "read_s": reading,
        "find_s": finding,
        "check_s": checking,
        "z3_s": solving,
        "z3_generators": len(verdicts),
        "met": group.order == order
        and group.complete
        and verdict.valid
        and set(verdicts) <= {"proved"}
        and (limit is None or reading + finding <= limit),
    }


def near_row() -> dict | None:
    """Near-symmetries of box pushing, as found and in how long; None where its file is absent."""
    path = FILES / "boxPushingUAI07.dpomdp"
    if not path.is_file():
        return None
    group = symmetries(load(path, 2, rows="renormalise"))
    report, seconds = timed(lambda: near_symmetries(group))
    lines = [sentence(group.game, d) for near in report.found for d in near.differences]
    return {"found": len(report.found), "entries": lines, "seconds": seconds, "met": len(lines) == 4}


def crossplay_row() -> dict:
    """Proved runs of Dec-Tiger, their cross-play gap and the seconds of each part."""
    tree = unroll(load("dectiger", 2), cluster=False)
    group = symmetries(tree.game)
    proofs, seconds = timed(lambda: proved_runs(tree, Fraction(6)))
    rows = []
    for proof in proofs:
        orbit = orbit_of_policy(proof, group)
        if len(orbit.policies) > 1:
            table = cross_play(tree, Fraction(6), orbit.policies)
            rows.append(
                {
                    "approx_sp": float(table.sp_reward[0].lower),
                    "approx_xp": float(table.xp_reward[0][0][1].lower),
                    "approx_gap_J": float(table.gap("J").lower),
                    "approx_gap_return": float(table.gap("return").lower),
                }
            )
    return {
        "proofs_s": seconds,
        "policies": len(proofs),
        "twins": rows,
        "met": any(abs(r["approx_sp"] + 17.49) < 0.01 and abs(r["approx_xp"] + 101.5) < 0.1 for r in rows),
    }


def main() -> int:
    """Print all rows as JSON; 1 when a row misses what is asked of it."""
    rows = [row for name, (order, limit) in ORDERS.items() if (row := group_row(name, order, limit))]
    result = {"groups": rows, "near": near_row(), "crossplay": crossplay_row()}
    print(json.dumps(result, indent=1))
    return int(not all(part["met"] for part in (*rows, result["near"], result["crossplay"]) if part))


if __name__ == "__main__":
    sys.exit(main())
