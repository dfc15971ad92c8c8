"""Measures thresholds by windows: alpha* and seconds of processor time, of the search and of the check, against
the horizon and the length of windows.

`python benchmarks/windows.py [--quick] [--games FOLDER] [--picture FILE.svg]` prints one JSON object; exit 1 if a
certificate is refused or an alpha* lies above what is asked for. Games that are not built in are read from FOLDER
(`NAME.dpomdp`) and left out without it. `--figures FILE.json --picture FILE.svg` draws figures measured before.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any

from certify.certificates.threshold import windows_certificate
from certify.checker import check_certificate
from certify.games import Game, load
from certify.games.builtin import is_builtin
from certify.thresholds.structural import structural_thresholds
from certify.thresholds.windows.search import Search

Cell = tuple[str, int, int, float | None]

# game, horizon, length of windows, alpha* that is asked for (None: measured only)
QUICK: tuple[Cell, ...] = (
    ("recycling", 2, 0, None),
    ("recycling", 2, 1, 1.13),
    ("recycling", 4, 1, None),
    ("dectiger", 2, 0, None),
    ("dectiger", 2, 1, 15.5),
)
FULL: tuple[Cell, ...] = (
    *QUICK,
    ("recycling", 3, 2, 1.2),
    ("recycling", 4, 2, 1.17),
    ("recycling", 6, 1, 1.5),
    ("recycling", 10, 1, 1.52),
    ("recycling", 20, 1, 1.65),
    ("recycling", 50, 1, 2.0),
    ("dectiger", 3, 2, 42.0),
    ("dectiger", 4, 1, None),
    ("dectiger", 4, 2, None),
    ("dectiger", 4, 3, 48.0),
    ("dectiger", 6, 3, 62.0),
    ("dectiger", 10, 0, None),
    ("dectiger", 10, 1, None),
    ("dectiger", 10, 2, 88.0),
    ("dectiger", 20, 2, 122.0),
    ("dectiger", 50, 2, 200.0),
    ("broadcastChannel", 10, 2, 1.16),
    ("broadcastChannel", 20, 2, 1.6),
    ("2generals", 10, 2, 12.9),
    ("2generals", 20, 2, 17.7),
    ("GridSmall", 2, 0, 0.46),
    ("GridSmall", 4, 0, 1.06),
    ("GridSmall", 10, 0, 2.4),
    ("GridSmall", 20, 0, 3.7),
    ("boxPushingUAI07", 10, 0, 120.0),
    ("boxPushingUAI07", 20, 0, 218.0),
    ("fireFighting_2_3_3", 10, 0, 18.2),
)


def game_of(name: str, horizon: int, folder: str | None) -> Game | None:
    """A built-in game, or one of the folder; None without it."""
    if is_builtin(name):
        return load(name, horizon=horizon)
    path = Path(folder or "", f"{name}.dpomdp")
    return load(str(path), horizon=horizon) if folder and path.exists() else None


def measured(game: Game, k: int) -> dict[str, Any]:
    """One threshold: found, written down and checked."""
    began = time.process_time()
    start = float(structural_thresholds(game)[0].alpha_star)
    search = Search(game, k)
    search.climb(start, 0.01, start / 1e5)
    found = search.result()
    searched = time.process_time() - began
    row = {"k": k, "structural": start, "search_seconds": round(searched, 2)}
    if found is None:
        return {**row, "alpha_star": None, "valid": False}
    document = json.loads(json.dumps(windows_certificate(game, found)))
    began = time.process_time()
    verdict = check_certificate(document, engine="fast")
    return {
        **row,
        "alpha_star": float(found.alpha_star),
        "valid": verdict.valid,
        "intervals": len(found.intervals),
        "steps": verdict.steps,
        "check_seconds": round(time.process_time() - began, 2),
        "largest_megabytes_so_far": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "load": round(os.getloadavg()[0], 1),
    }


def picture(rows: list[dict[str, Any]], path: str) -> None:
    """alpha* and seconds against the horizon, one line per game and length of windows (needs matplotlib)."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    mpl.rcParams.update({"svg.hashsalt": "windows", "svg.fonttype": "none"})  # the same bytes from the same figures
    figure, axes = plt.subplots(1, 2, figsize=(9, 4))
    names = sorted({row["game"] for row in rows})
    for name in names:
        color = f"C{names.index(name)}"
        for k in sorted({row["k"] for row in rows if row["game"] == name}):
            mine = sorted(
                (r for r in rows if (r["game"], r["k"]) == (name, k) and r["valid"]), key=lambda r: r["horizon"]
            )
            for axis, field in zip(axes, ("alpha_star", "search_seconds"), strict=True):
                axis.plot(
                    [r["horizon"] for r in mine],
                    [r[field] for r in mine],
                    ("o", "s", "^", "D")[k] + "-",
                    color=color,
                    ms=4,
                    lw=1,
                    label=f"{name}, k = {k}",
                )
        bare = sorted({(r["horizon"], r["structural"]) for r in rows if r["game"] == name and r.get("structural")})
        axes[0].plot(*zip(*bare, strict=True), ":", color=color, lw=1)
    for axis, title in zip(axes, ("certified α* (dotted: structural)", "CPU seconds of the search"), strict=True):
        axis.set(xscale="log", yscale="log", xlabel="horizon", title=title)
        axis.set_xticks([2, 3, 4, 6, 10, 20, 50], labels=["2", "3", "4", "6", "10", "20", "50"])
        axis.minorticks_off()
        axis.grid(alpha=0.3)
    axes[1].legend(fontsize=6, loc="center left", bbox_to_anchor=(1, 0.5))
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None} if path.endswith(".svg") else None)


def main() -> int:
    """Runs everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--picture", help="write a picture here")
    parser.add_argument("--quick", action="store_true", help="small horizons only")
    parser.add_argument("--games", help="a folder of games that are not built in")
    parser.add_argument("--only", help="one game")
    parser.add_argument("--figures", help="figures measured before, to be drawn")
    given = parser.parse_args()
    if given.figures:
        picture(json.loads(Path(given.figures).read_text(encoding="utf-8"))["thresholds"], given.picture)
        return 0
    rows, missed = [], False
    for name, horizon, k, asked in QUICK if given.quick else FULL:
        game = game_of(name, horizon, given.games) if given.only in (None, name) else None
        if game is None:
            continue
        row = {"game": name, "horizon": horizon, **measured(game, k), "asked": asked}
        missed = missed or not row["valid"] or (asked is not None and row["alpha_star"] > asked)
        print(json.dumps(row), file=sys.stderr, flush=True)
        rows.append(row)
    print(json.dumps({"thresholds": rows}, indent=1))
    if given.picture:
        picture(rows, given.picture)
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
