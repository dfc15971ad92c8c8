"""Measures thresholds by windows: alpha* and seconds of processor time, of the search and of the check, against
the horizon and the length of windows.

`python benchmarks/windows.py [--picture FILE.svg] [--quick]` prints one JSON object; exit 1 if a certificate is refused
or an alpha* lies above what is asked for.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from typing import Any

from certify.certificates.threshold import windows_certificate
from certify.checker import check_certificate
from certify.games import load
from certify.thresholds.structural import structural_thresholds
from certify.thresholds.windows.search import Search

# game, horizon, length of windows, alpha* that is asked for (None: measured only)
QUICK = (
    ("recycling", 2, 0, None),
    ("recycling", 2, 1, 1.13),
    ("recycling", 4, 1, None),
    ("dectiger", 2, 0, None),
    ("dectiger", 2, 1, 15.5),
)
FULL = (
    *QUICK,
    ("recycling", 3, 2, 1.2),
    ("recycling", 4, 2, 1.17),
    ("recycling", 6, 1, 1.5),
    ("recycling", 10, 1, 1.52),
    ("recycling", 20, 1, 1.65),
    ("dectiger", 3, 2, 42.0),
    ("dectiger", 4, 1, None),
    ("dectiger", 4, 2, None),
    ("dectiger", 10, 0, None),
    ("dectiger", 10, 1, None),
    ("dectiger", 10, 2, 88.0),
    ("dectiger", 20, 2, 122.0),
)


def measured(name: str, horizon: int, k: int) -> dict[str, Any]:
    """One threshold: found, written down and checked."""
    game = load(name, horizon=horizon)
    start = structural_thresholds(game)[0].alpha_star
    began = time.process_time()
    search = Search(game, k)
    search.climb(float(start), 0.01, float(start) / 1e5)
    found = search.result()
    searched = time.process_time() - began
    row = {"game": name, "horizon": horizon, "k": k, "structural": float(start), "search_seconds": round(searched, 2)}
    if found is None:
        return {**row, "alpha_star": None, "valid": False}
    document = json.loads(json.dumps(windows_certificate(game, found)))
    began = time.process_time()
    verdict = check_certificate(document, engine="fast")
    return {
        **row,
        "alpha_star": float(found.alpha_star),
        "valid": verdict.valid,
        "steps": verdict.steps,
        "check_seconds": round(time.process_time() - began, 2),
    }


def picture(rows: list[dict[str, Any]], path: str) -> None:
    """alpha* and seconds against the horizon, one line per game and length of windows (needs matplotlib)."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(9, 3.6))
    for key in sorted({(row["game"], row["k"]) for row in rows}):
        mine = sorted((r for r in rows if (r["game"], r["k"]) == key and r["valid"]), key=lambda r: r["horizon"])
        for axis, field in zip(axes, ("alpha_star", "search_seconds"), strict=True):
            axis.plot(
                [r["horizon"] for r in mine], [r[field] for r in mine], "o-", ms=3, label=f"{key[0]}, k = {key[1]}"
            )
    for name in sorted({row["game"] for row in rows}):
        mine = sorted({(r["horizon"], r["structural"]) for r in rows if r["game"] == name})
        axes[0].plot(*zip(*mine, strict=True), ":", color="gray", lw=1)
    for axis, title in zip(axes, ("certified alpha* (dotted: structural)", "seconds of the search"), strict=True):
        axis.set(xscale="log", yscale="log", xlabel="horizon", title=title)
    axes[0].legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(path)


def main() -> int:
    """Runs everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--picture", help="write a picture here")
    parser.add_argument("--quick", action="store_true", help="small horizons only")
    given = parser.parse_args()
    rows, missed = [], False
    for name, horizon, k, asked in QUICK if given.quick else FULL:
        row = {**measured(name, horizon, k), "asked": asked}
        missed = missed or not row["valid"] or (asked is not None and row["alpha_star"] > asked)
        print(json.dumps(row), file=sys.stderr, flush=True)
        rows.append(row)
    print(json.dumps({"thresholds": rows}, indent=1))
    if given.picture:
        picture(rows, given.picture)
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
