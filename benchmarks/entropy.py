"""Measures what issue-level claims about entropy rest on: certified signs per second and their ratio
to plain numpy, the sharpness of finite-step enclosures, the rounding tables, the checker.

`python benchmarks/entropy.py` prints one JSON object; exit 1 if certified signs come slower than
2,000 per second (50 actions each).
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from fractions import Fraction

import numpy as np

from certify.answers.entropy import step_report
from certify.certificates.entropy import table_certificate
from certify.checker import check_certificate
from certify.entropy import (
    BFLOAT16,
    FLOAT16,
    EntropyPath,
    RationalEnclosure,
    StatePolicy,
    batch_signs,
    binade_row,
    cell_table,
    change_range,
    clip_decisions,
    count_binade,
    direction,
    rounded_exponentials,
    working_precision,
)
from certify.entropy.controller_proofs import prove_adapo, prove_zeta

EPS = (Fraction(1, 10), Fraction(1, 5), Fraction(7, 25))
NEEDED = 2000.0
RNG = np.random.default_rng(0)


def best_of(run: Callable[[], object], times: int = 5) -> float:
    """The shortest of some runs, in seconds."""
    found = []
    for _ in range(times):
        start = time.perf_counter()
        run()
        found.append(time.perf_counter() - start)
    return min(found)


def plain_signs(weights: np.ndarray, advantages: np.ndarray, algorithm: str) -> np.ndarray:
    """Signs of the first-order change in plain numpy: nothing proved."""
    pi = weights / weights.sum(axis=1, keepdims=True)
    log_pi = np.log(pi)
    u = advantages - (pi * advantages).sum(axis=1, keepdims=True)
    if algorithm == "reinforce":
        u = pi * u
    centred = log_pi - (pi * log_pi).sum(axis=1, keepdims=True)
    return np.sign(-(pi * centred * u).sum(axis=1))


def signs(count: int = 4000, actions: int = 50) -> dict:
    """States signed per second, per algorithm, and how many times plain numpy that takes."""
    weights, advantages = RNG.dirichlet(np.ones(actions), count) + 1e-12, RNG.normal(size=(count, actions))
    rows = {}
    for algorithm in ("reinforce", "natural"):
        plain = best_of(lambda a=algorithm: plain_signs(weights, advantages, a))
        for step in (None, 0.01):
            found = batch_signs(weights, advantages, algorithm, step)
            seconds = best_of(lambda a=algorithm, s=step: batch_signs(weights, advantages, a, s), 2)
            rows[f"{algorithm}, {'first order' if step is None else 'every step in (0, 0.01]'}"] = {
                "signs per second": round(count / seconds),
                "times plain numpy": round(seconds / plain, 1),
                "undecided": int((found == 0).sum()),
                "of": count,
            }
    return rows


def sharpness(instances: int = 300) -> dict:
    """Widths against the range of values proved at 65 points of intervals of length 0.01."""
    worst, slowest, total = 0.0, 0.0, 0.0
    with working_precision():
        for _ in range(instances):
            n = int(RNG.integers(2, 51))
            counts = RNG.integers(1, 1000, n)
            state = StatePolicy(tuple(RationalEnclosure.of(Fraction(int(c), int(counts.sum()))) for c in counts))
            row = tuple(RationalEnclosure.of(Fraction(int(a), 10)) for a in RNG.integers(-40, 41, n))
            path = EntropyPath((state,), direction("natural", (state,), (row,), {}))
            low = Fraction(int(RNG.integers(0, 300)), 100)
            start = time.perf_counter()
            found = change_range(path, low, low + Fraction(1, 100))
            seconds = time.perf_counter() - start
            slowest, total = max(slowest, seconds), total + seconds
            values = [float(path.change_at(low + Fraction(k, 6400)).mid()) for k in range(65)]
            spread = max(values) - min(values)
            worst = max(worst, (float(found.width) - 1e-12) / spread if spread else float(found.width) / 1e-12)
    return {"worst width / true width": worst, "mean seconds": total / instances, "slowest seconds": slowest}


def tables() -> dict:
    """Rows of the bfloat16 table and how long it takes to derive them."""
    rows = [binade_row(BFLOAT16, k, EPS) for k in range(-126, 6)]
    top = {str(r.spacing): {str(e): [float(p.upper) for p in r.crossing[e]] for e in EPS} for r in rows[-3:]}
    counted = {k: count_binade(BFLOAT16, k) for k in (5, 4, 3)}
    gap = {k: float(c.mean_factor().lower - binade_row(BFLOAT16, k, ()).one_side.lower) for k, c in counted.items()}
    return {
        "cells of all 32,641 values, seconds": best_of(lambda: cell_table(BFLOAT16), 2),
        "132 binades x 3 eps, seconds": best_of(lambda: [binade_row(BFLOAT16, k, EPS) for k in range(-126, 6)], 2),
        "one binade of 2^23 float32 counted, seconds": best_of(lambda: count_binade(BFLOAT16, 5), 2),
        "RN(exp d), 65,536 codes x 3 eps, seconds": best_of(
            lambda: [clip_decisions(t, e, e) for t in (rounded_exponentials(BFLOAT16),) for e in EPS], 2
        ),
        "the same for float16, seconds": best_of(
            lambda: [clip_decisions(t, e, e) for t in (rounded_exponentials(FLOAT16),) for e in EPS], 2
        ),
        "bias factor per binade": {r.exponent: float(r.one_side.upper) for r in rows[-4:]},
        "count minus uniform model": gap,
        "crossing above, below": top,
        "decisions changed": {str(e): len(clip_decisions(rounded_exponentials(BFLOAT16), e, e).changed) for e in EPS},
    }


def checking() -> dict:
    """Seconds that the checker needs for a table and for one state's sign."""
    table = json.loads(json.dumps(table_certificate(BFLOAT16, EPS, range(-8, 6), (5,))))
    counts = RNG.integers(1, 1000, 50)
    state = StatePolicy(tuple(RationalEnclosure.of(Fraction(int(c), int(counts.sum()))) for c in counts))
    row = tuple(RationalEnclosure.of(Fraction(int(a), 10)) for a in RNG.integers(-40, 41, 50))
    sign = step_report((state,), (row,), "reinforce", {}, Fraction(0), Fraction(1, 100)).certificate()
    return {
        "bfloat16 table, seconds": best_of(lambda: check_certificate(table), 1),
        "bfloat16 table, bytes": len(json.dumps(table)),
        "sign, 50 actions, seconds": best_of(lambda: check_certificate(sign), 2),
        "sign, 50 actions, bytes": len(json.dumps(sign)),
    }


def main() -> int:
    """Print one JSON object with every figure; 1 when signs come slower than asked."""
    start = time.perf_counter()
    proofs = [*prove_zeta(), *prove_adapo()]
    report = {
        "signs": signs(),
        "sharpness": sharpness(),
        "tables": tables(),
        "checker": checking(),
        "controllers": {"proved": sum(p.status == "proved" for p in proofs), "of": len(proofs)},
        "seconds": round(time.perf_counter() - start, 1),
    }
    print(json.dumps(report, indent=1))
    return int(min(r["signs per second"] for r in report["signs"].values()) < NEEDED)


if __name__ == "__main__":
    sys.exit(main())
