"""The greedy policy of the unique stationary policy: where it recovers the best return, where it does not,
and where ties defeat it (docs/theory/symmetry.md#equivariance).
"""

from __future__ import annotations

import json
from pathlib import Path

import certify
from certify.claims import CERTIFIED, Claim, Outcome
from certify.claims.best_return import best_return
from certify.claims.suite import file_name
from certify.claims.text import between, number, table
from certify.errors import Undecided
from certify.exact import rational_text
from certify.games import load

CLAIM = Claim(
    id="6",
    source="arXiv 2511.22581, abstract",
    expected=CERTIFIED,
    statement="Greedifying the unique equivariant policy recovers the best return in some games; ties defeat it "
    "in others, "
    "and so does the difference between the best action and the best action against evenly mixing partners.",
)

RECOVERED, TIED, LOST = "recovered", "lost to ties", "lost without ties"
GAMES = [
    ("lever:2:1/2", None, RECOVERED),
    ("dectiger", 2, RECOVERED),
    ("lever:3", None, TIED),
    ("lever:10:9/10", None, TIED),
    ("lewis:3", None, TIED),
    ("climbing", None, LOST),
    ("penalty:-10", None, LOST),
    ("tiny-hanabi:E", None, LOST),
    ("recycling", 2, LOST),
    ("broadcast-channel", 2, LOST),
]


def outcome_of(result: certify.OptimumResult, best) -> str:
    """Which of the three a certified greedy policy is."""
    if result.status != "proved" or result.greedy_return is None:
        raise Undecided(f"the greedy policy is not settled: {result.reason or 'a tie is undecided'}")
    if result.greedy_return == best:
        return RECOVERED
    return TIED if result.ties else LOST


def run(out: Path, quick: bool) -> Outcome:
    """Proves or refutes the claim above; writes the evidence to `out` (fewer games if `quick`)."""
    rows, evidence, best_returns = [], [], {}
    for name, horizon, expected in GAMES[:7] if quick else GAMES:
        game = load(name, horizon=horizon)
        threshold = certify.threshold(game, method="structural")
        found = certify.optimum(game, threshold.alpha_star, threshold=threshold)
        best = best_returns[game.name] = best_return(game)
        if (verdict := outcome_of(found, best)) != expected:
            raise Undecided(f"{game.name}: {verdict}, where {expected} was expected")
        evidence.append(found.save(out / f"{file_name(game)}.cert.json"))
        rows.append(
            (
                game.name,
                number(threshold.alpha_star, up=True),
                between(found.return_.lower, found.return_.upper),
                number(found.greedy_return, up=False),
                number(best, up=True),
                str(len(found.ties)),
                verdict,
            )
        )
    path = out / "best-returns.json"
    path.write_text(
        json.dumps({name: rational_text(value) for name, value in best_returns.items()}, indent=1), encoding="utf-8"
    )
    header = ("game", "α", "return of the unique policy", "greedy return", "best return", "tied AOH classes", "")
    return Outcome(CERTIFIED, {"games": table(header, rows)}, (*evidence, path))
