"""The two-stage lever game: where the stationary policy is unique it is uniform, its return is 0, and the optimal
equivariant policy earns 1/2 (docs/theory/objective.md#stationary-policies, docs/theory/symmetry.md#equivariance).
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np

import certify
from certify.bounds.policy import layout_of
from certify.checker.kinds.optimum import exact_return
from certify.checker.reading.game import read_game
from certify.checker.reading.process import build_process
from certify.claims import PROVED, Claim, Outcome
from certify.claims.text import between, number
from certify.errors import Undecided
from certify.games import Game
from certify.games.canonical import game_to_json
from certify.games.histories import histories
from certify.games.tree import unroll
from certify.symmetry.histories import entry_permutation

CLAIM = Claim(
    id="4b",
    source="arXiv 2511.22581, abstract",
    statement="Learning with sufficiently high entropy need not give the optimal equivariant policy: in the "
    "two-stage lever "
    "game it gives the uniform policy and the return 0, where an equivariant policy earns 1/2.",
)


def run(out: Path, quick: bool) -> Outcome:
    """Proves or refutes the claim above; writes the evidence to `out` (fewer games if `quick`)."""
    game = certify.load("two-stage-lever")
    found = certify.threshold(game, method="structural" if quick else "localisation", rtol=Fraction(1, 10))
    if found.status != "proved":
        raise Undecided(found.reason)
    at = certify.optimum(game, found.alpha_star, threshold=found)
    if at.status != "proved":
        raise Undecided(at.reason)
    group = certify.symmetries(game)
    reward = equivariant_return(game, group.generators)
    evidence = [found.save(out / "threshold.cert.json"), at.save(out / "optimum.cert.json"), out / "symmetry.cert.json"]
    group.save(evidence[-1])
    entries = [p for row in at.policy.values() for p in row.values()]
    figures = {
        "alpha": number(found.alpha_star, up=True),
        "order": str(group.order),
        "repeat": str(reward),
        "return": between(at.return_.lower, at.return_.upper),
        "probability": between(min(p.lower for p in entries), max(p.upper for p in entries)),
    }
    return Outcome(PROVED, figures, tuple(evidence))


def equivariant_return(game: Game, generators: tuple) -> Fraction:
    """The exact return of "repeat a matched lever, else play either"; raises `Undecided` unless every
    automorphism fixes that policy."""
    tree = unroll(game, cluster=False)
    layout = layout_of(tree)
    table = [[Fraction(1, 2)] * 2 for _ in range(layout.number_of_rows)]
    for i in range(tree.number_of_agents):
        for x in histories(tree, i):
            if x.aoh.steps:
                first, second = game.observations[i][x.aoh.steps[-1][1]]
                if first == second:
                    table[layout.rows[i, x.depth].start + x.class_index] = [
                        Fraction(int(lever == first)) for lever in game.actions[i]
                    ]
    flat = np.array([p for row in table for p in row], dtype=object)
    for g in generators:
        if any(flat[entry_permutation(tree, g)] != flat):
            raise Undecided("the policy that repeats a matched lever is not equivariant")
    return exact_return(build_process(read_game(game_to_json(game)), clustering=False), table)
