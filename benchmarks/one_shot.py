"""One-shot games of two agents, random whole payoffs in [-30, 30]: the bracket within a limit of seconds, and what the
check takes of it (docs/theory/localisation.md#weighed-equations, docs/theory/localisation.md#excluded-boxes).

    python benchmarks/one_shot.py [ACTIONS[,ACTIONS..] [SEED [SECONDS]]]
"""

from __future__ import annotations

import sys
import time

import numpy as np

import certify


def line(actions: int, seed: int, seconds: float) -> str:
    """The bracket of one game."""
    payoffs = np.random.default_rng(seed).integers(-30, 31, (actions, actions)).tolist()
    began = time.process_time()
    found = certify.threshold(payoffs, time_limit=seconds)
    used = time.process_time() - began
    began = time.process_time()
    valid = found.document is not None and certify.checker.check_certificate(found.document, budget=1e9).valid
    checked = time.process_time() - began
    bracket = f"{float(found.alpha_multiple or 0):.4f} .. {float(found.alpha_star or 0):.4f}, ratio {found.ratio}"
    nodes = [] if found.document is None else found.document["proof"].get("nodes", [])
    excluded = sum("weights" in step for node in nodes for step in node["steps"])
    tree = f"{len(nodes)} nodes, {excluded} excluded"
    return f"{actions} actions, seed {seed}: {bracket}; {tree}; {used:.1f} s CPU, check {checked:.1f} s, valid: {valid}"


if __name__ == "__main__":
    given = [*sys.argv[1:], *["6,8,10,12", "1", "60"][len(sys.argv) - 1 :]]
    for number in map(int, given[0].split(",")):
        print(line(number, int(given[1]), float(given[2])), flush=True)
