"""Thresholds of the local bonus beside those of the entropy: both ends, seconds of CPU, both engines of the checker.

    python benchmarks/local.py [GAME ...]

prints one line per game of horizon 2 and objective.  Benchmark files are looked for beside the project, in
`../shared/games`; where there are none, built-ins stand for those that exist as such.
"""

from __future__ import annotations

import json
import math
import sys
import time
from fractions import Fraction
from pathlib import Path

import certify
from certify.checker import check_certificate
from certify.games import Game

FILES = Path(__file__).resolve().parents[2] / "shared" / "games"
GAMES = {
    "dectiger": ("dectiger", Fraction(1)),
    "recycling": ("recycling", Fraction(9, 10)),
    "broadcastChannel": ("broadcast-channel", Fraction(1)),
    "2generals": (None, Fraction(1)),
}
RTOL = Fraction(1, 20)


def load(name: str) -> Game | None:
    """The benchmark file of that name, or the built-in."""
    builtin, discount = GAMES[name]
    path = FILES / f"{name}.dpomdp"
    source = str(path) if path.exists() else builtin
    return None if source is None else certify.load(source, horizon=2, discount=discount)


def line(name: str, game: Game, objective: str) -> str:
    """One row: the bracket, how it was found, and what it took."""
    began = time.process_time()
    found = certify.threshold(game, objective=objective, rtol=RTOL)
    searched = time.process_time() - began
    if found.document is None or found.alpha_star is None or found.alpha_multiple is None:
        return f"{name:18} {objective:8} {found.status}: {found.reason}"
    checks = []
    for engine in ("stdlib", "fast"):
        began = time.process_time()
        verdict = check_certificate(json.loads(json.dumps(found.document)), engine, budget=math.inf)
        checks.append(f"{engine} {'valid' if verdict.valid else 'INVALID'} {time.process_time() - began:.1f} s")
    flows = {flow: float(Fraction(data["alpha"])) for flow, data in found.document.get("flows", {}).items()}
    ends = ", ".join(f"{flow} flow above {alpha:.6g}" for flow, alpha in flows.items())
    return (
        f"{name:18} {objective:8} [{float(found.alpha_multiple):.6g}, {float(found.alpha_star):.6g}] "
        f"ratio {found.ratio:.4f} {found.method}, {searched:.1f} s of CPU; {', '.join(checks)}; {ends}"
    )


def main() -> None:
    """Measures the games named, or all."""
    for name in sys.argv[1:] or GAMES:
        game = load(name)
        if game is None:
            print(f"{name:18} no file in {FILES}")
            continue
        for objective in ("local", "entropy"):
            print(line(name, game, objective), flush=True)


if __name__ == "__main__":
    main()
