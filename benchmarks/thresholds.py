"""Certified brackets against what a user would do instead, side by side in one run:

- the independent check of each certificate alone, as a part of the search that found it;
- multistart training in floats, bisected to the same resolution in alpha.  It proves nothing;
- a generic interval solver on the same equations at two temperatures (`interval_solver.py`, which
  says what that is worth), for the one-shot games, where one is installed: pip install codac.

    python benchmarks/thresholds.py [GAME ...]
"""

from __future__ import annotations

import math
import sys
import tempfile
import time
from pathlib import Path

import interval_solver
import numpy as np

import certify
from certify.games.tree import unroll
from certify.thresholds.approx_policy import approx_stationary, softmax
from certify.thresholds.index_tables import Plan

GAMES = ("lever:3", "climbing", "penalty:-10", "lever:10:9/10", "tiny-hanabi:E", "recycling", "dectiger")
STARTS = 20


def several(plan: Plan, alpha: float, rng: np.random.Generator) -> bool:
    """Whether multistart finds two stationary policies at `alpha`."""
    first = None
    for k in range(STARTS):
        start = [[softmax((1, 5, 20)[k % 3] * rng.normal(size=p.shape)) for p in row] for row in plan.tree.uniform()]
        policy, residual = approx_stationary(plan, 1 / alpha, start, tolerance=1e-9, rounds=2000)
        flat = np.concatenate([p.ravel() for row in policy for p in row])
        if residual > 1e-7:
            continue
        if first is None:
            first = flat
        elif np.abs(flat - first).max() > 1e-4:
            return True
    return False


def by_training(plan: Plan, top: float, rtol: float) -> float:
    """Bisection in alpha on what multistart reports."""
    rng, low, high = np.random.default_rng(0), top / 1000, top
    while high / low > 1 + rtol:
        middle = math.sqrt(low * high)
        low, high = (middle, high) if several(plan, middle, rng) else (low, middle)
    return high


def check_seconds(result: certify.ThresholdResult) -> float:
    """The time of `certify check` on the certificate, which `threshold` has spent once already."""
    with tempfile.TemporaryDirectory() as folder:
        path = result.save(Path(folder) / "cert.json")
        began = time.perf_counter()
        if not certify.check(path).valid:
            raise AssertionError("a certificate that does not check")
        return time.perf_counter() - began


def main(names: list[str]) -> None:
    """Print one row per game, and all rows as JSON in the end."""
    results = {}
    print(
        f"{'game':<16}{'alpha*':>10}{'alpha_multiple':>16}"
        f"{'ratio':>9}{'search s':>10}{'check/search':>14}{'training s':>12}"
        f"{'training says':>15}"
    )
    for name in names or GAMES:
        game = certify.load(name)
        began = time.perf_counter()
        result = certify.threshold(game, method="search", rtol="1/100", time_limit=120)
        certified, results[name] = time.perf_counter() - began, result
        checked = check_seconds(result)
        began = time.perf_counter()
        found = by_training(Plan(unroll(game)), float(max(result.forms.values())), 0.01)
        trained = time.perf_counter() - began
        lower = result.alpha_multiple
        print(
            f"{name:<16}{float(result.alpha_star):>10.5g}{float(lower) if lower else math.nan:>16.5g}"
            f"{result.ratio or math.nan:>9.4f}"
            f"{certified - checked:>10.1f}{checked / (certified - checked):>14.2f}{trained:>12.1f}{found:>15.5g}",
            flush=True,
        )
    print()
    for line in interval_solver.compare([*results], results):
        print(line, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
