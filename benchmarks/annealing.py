"""`certify anneal` on games of both kinds: bracket, kind, boxes, and CPU seconds with the checker's part.

python benchmarks/annealing.py [GAME ...]
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

import certify

GAMES = {
    "lever:2": {},
    "matching-pennies": {},
    "lever:10:9/10": {},
    "penalty:-10": {},
    "climbing": {},
    "tiny-hanabi:E": {},
    "recycling": {"horizon": 2},
    "dectiger": {"horizon": 2},
}


def row(name: str) -> dict[str, object]:
    """One game."""
    began = time.process_time()
    options = {key: value for key, value in GAMES[name].items() if key == "horizon"}
    game = certify.load(name, discount="9/10", **options) if name == "recycling" else certify.load(name, **options)
    found = certify.anneal(game, time_limit=900)
    spent = time.process_time() - began
    checked = None
    if found.document is not None:
        with tempfile.TemporaryDirectory() as folder:
            path = found.save(Path(folder) / "cert.json")
            began = time.process_time()
            assert certify.check(path).valid
            checked = time.process_time() - began
    return {
        "game": name,
        "status": found.status,
        "alpha_star": None if found.alpha_star is None else float(found.alpha_star),
        "critical": None if found.critical is None else [float(found.critical.lower), float(found.critical.upper)],
        "kind": found.kind,
        "broken": list(found.broken),
        "boxes": found.pieces,
        "cpu_seconds": spent,
        "check_cpu_seconds": checked,
        "reason": found.reason,
    }


def main() -> None:
    """Prints one JSON object a game."""
    for name in sys.argv[1:] or GAMES:
        print(json.dumps(row(name)), flush=True)


if __name__ == "__main__":
    main()
