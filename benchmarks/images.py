"""What one fundamental domain of the symmetries saves: nodes, steps and CPU seconds of search and check.

    python benchmarks/images.py [--long]

The same cover is searched without and with symmetries, down to a temperature a little above the critical one; both
certificates are checked by the fast engine.  `--long` adds Dec-Tiger with three steps.
"""

from __future__ import annotations

import json
import sys
import time
from fractions import Fraction
from typing import Any

import certify
from certify.answers.carried import symmetries_of
from certify.certificates.threshold import cover_certificate
from certify.checker import check_certificate
from certify.games.model import Game
from certify.games.tree import unroll
from certify.thresholds.cover import Effort, find_cover
from certify.thresholds.cover_tree import Node, images_last
from certify.thresholds.images import NO_SYMMETRIES, Symmetries
from certify.thresholds.index_tables import Plan

GAMES = (("lever:3", None, "367/1000"), ("lever:4", None, "316/1000"), ("lever:6", None, "262/1000"),
         ("dectiger", 2, "12.042"))  # fmt: skip
ARRAYS = (  # 3x3 games that a permutation of the actions of both agents maps to themselves, and temperatures
    ([[-2, -5, 8], [8, -2, -5], [-5, 8, -2]], "4.274"),
    ([[4, -1, -7], [-1, 4, -7], [-8, -8, 3]], "3.188"),
)
LONG = (("dectiger", 3, "16"),)


def cases(long: bool) -> list[tuple[Game, str]]:
    """Games and the temperatures down to which they are searched."""
    named = [(certify.load(name, horizon), alpha) for name, horizon, alpha in GAMES + LONG * long]
    return named + [(certify.from_array(payoffs), alpha) for payoffs, alpha in ARRAYS]


def measured(game: Game, plan: Plan, alpha: str, symmetries: Symmetries) -> dict[str, Any]:
    """One search and its check."""
    began = time.process_time()
    nodes: list[Node] = find_cover(plan, 1 / Fraction(alpha), effort=Effort(branch=True, symmetries=symmetries))
    searched = time.process_time() - began
    document = cover_certificate(game, images_last(nodes), [], automorphisms=symmetries.maps)
    text = json.dumps(document)
    began = time.process_time()
    verdict = check_certificate(json.loads(text), "fast")
    checked = time.process_time() - began
    assert verdict.valid, verdict.failed_step
    return {
        "nodes": len(nodes),
        "images": sum(isinstance(node.close, dict) for node in nodes),
        "steps": sum(len(node.steps) for node in nodes),
        "search": searched,
        "check": checked,
    }


def main() -> None:
    """Prints a table."""
    find_cover(Plan(unroll(certify.load("lever:2"))), Fraction(1))  # compiled loops are made or loaded first
    print("| game | alpha | symmetries | nodes | images | steps | search, s | check, s |")
    print("|---|---|---|---|---|---|---|---|")
    for game, alpha in cases("--long" in sys.argv[1:]):
        tree = unroll(game)
        plan, found = Plan(tree), symmetries_of(tree)
        rows = [measured(game, plan, alpha, some) for some in (NO_SYMMETRIES, found)]
        both = {key: f"{rows[0][key]:.4g}, {rows[1][key]:.4g}" for key in rows[0]}
        name = f"{game.name}, h = {game.horizon}"
        cells = " | ".join(both[key] for key in ("nodes", "images", "steps", "search", "check"))
        print(f"| {name} | {alpha} | {len(found.maps)} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
