"""Above the threshold the stationary policy is fixed by the whole automorphism group, and cross-play equals
self-play (docs/theory/hessian.md#theorem-b, docs/theory/symmetry.md#equivariance).

The certificates carry the group: the checker verifies each generator, the order and completeness.
"""

from __future__ import annotations

from pathlib import Path

import certify
from certify.claims import PROVED, Claim, Outcome
from certify.claims.suite import file_name, suite
from certify.claims.text import between, number, table
from certify.crossplay.study import study
from certify.errors import Undecided

CLAIM = Claim(
    id="3",
    source="arXiv 2511.22581, abstract",
    statement="With sufficiently high entropy the learned policy is equivariant under all symmetries of the game, "
    "and independent runs are compatible: cross-play equals self-play.",
)

_GAP_GAMES = ("lever:2", "matching-pennies", "climbing")


def run(out: Path, quick: bool) -> Outcome:
    """Proves or refutes the claim above; writes the evidence to `out` (fewer games if `quick`)."""
    rows, evidence = [], []
    for game in suite(quick):
        found = certify.threshold(game, method="structural")
        group = certify.symmetries(game)
        if found.status != "proved" or not group.complete:
            raise Undecided(f"{game.name}: {found.reason or 'the search for symmetries did not end'}")
        evidence.append(found.save(out / f"{file_name(game)}.cert.json"))
        rows.append((game.name, str(group.order), str(len(group.generators)), number(found.alpha_star, up=True)))
    plays = [(name, *_plays(name)) for name in _GAP_GAMES]
    figures = {
        "groups": table(("game", "order of the group", "generators", "equivariant for every α ≥"), rows),
        "plays": table(("game", "α", "return of both", "SP − XP", "α", "SP − XP of the return"), plays),
    }
    return Outcome(PROVED, figures, tuple(evidence))


def _plays(name: str) -> tuple[str, ...]:
    """Cross-play at twice the threshold, and at a quarter of it."""
    game = certify.load(name)
    alpha_star = certify.threshold(game, method="structural").alpha_star
    above = study(game, 2 * alpha_star, threshold=lambda g: alpha_star)
    below = study(game, alpha_star / 4)
    if above.relation != "equal" or below.relation != "gap" or below.gap.lower <= 0:
        raise Undecided(f"{name}: cross-play was not decided ({above.reason or below.reason})")
    reward = above.table.sp_reward[0]
    return (
        number(2 * alpha_star, up=True),
        between(reward.lower, reward.upper),
        "0 exactly",
        number(alpha_star / 4, up=True),
        between(below.gap.lower, below.gap.upper),
    )
