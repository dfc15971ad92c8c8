"""With fixed action sets and the uniform reference kl is the entropy less a constant: the same forms, steps and covers,
byte for byte, on every built-in and benchmark file of at most two steps."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import certify
from certify.certificates.threshold import cover_certificate
from certify.errors import InputError
from certify.games import Game, list_builtins
from certify.games.objective import for_objective
from certify.games.tree import unroll
from certify.thresholds.cover import find_cover
from certify.thresholds.index_tables import Plan

FILES = Path(__file__).resolve().parents[3] / "shared" / "games"
NAMES = [b.example for b in list_builtins()]
QUICK = ("lever:10:9/10", "matching-pennies", "climbing", "recycling")
MOST_ENTRIES = 200_000  # of a depth of the trees whose covers are compared


def documents(game: Game) -> list[dict]:
    """Per objective what its certificates say, but for its name: the structural one, a cover down to twice its α*."""
    found = []
    for objective in ("entropy", "kl"):
        told = certify.threshold(game, method="structural", objective=objective)
        assert told.document is not None and told.alpha_star is not None
        parts = [told.document]
        try:
            tree = unroll(for_objective(game, objective), max_entries=MOST_ENTRIES)
            parts.append(cover_certificate(tree.game, find_cover(Plan(tree), 1 / (2 * told.alpha_star)), []))
        except InputError:
            pass  # too large: the structural forms alone
        found.append({"parts": parts})
        assert {part.pop("objective") for part in parts} == {"kl" if objective == "kl" else "visitation"}
    return found


def same(game: Game) -> None:
    entropy, kl = (json.dumps(d, sort_keys=True) for d in documents(game))
    assert entropy == kl


def two_steps(name: str) -> Game:
    try:
        return certify.load(name, horizon=2)
    except InputError:
        return certify.load(name)


@pytest.mark.parametrize("name", [pytest.param(n, marks=[] if n in QUICK else pytest.mark.slow) for n in NAMES])
def test_built_ins(name: str) -> None:
    same(two_steps(name))


@pytest.mark.slow
@pytest.mark.parametrize("horizon", [1, 2])
@pytest.mark.parametrize("path", sorted(FILES.glob("*.dpomdp")) or [None], ids=lambda p: getattr(p, "stem", "absent"))
def test_benchmark_files(path: Path | None, horizon: int) -> None:
    if path is None:
        pytest.skip("no folder of benchmark files")
    try:
        game = certify.load(path, horizon=horizon)
    except InputError:
        game = certify.load(path, horizon=horizon, rows="renormalise")
    same(game)


def test_a_difference_would_be_seen() -> None:
    """A reference that is not uniform changes the cover."""
    game = certify.load("lever:3")
    row = {"0": "1/2", "1": "1/4", "2": "1/4"}
    tilted = certify.games.objective.with_reference(game, {"agent1": {"": row}}, "here")
    plan = [Plan(unroll(for_objective(g, "kl"))) for g in (game, tilted)]
    covers = [[node.steps for node in find_cover(p, certify.exact.exact_number(1, "beta"))] for p in plan]
    assert covers[0] != covers[1]
