"""Not enough entropy: several stationary policies, whose cross-play loses J_alpha always and the return on these
instances (theory, sections 7 and 8).
"""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

from certify.api import save_document
from certify.certificates.multiplicity import multiplicity_certificate
from certify.claims import CERTIFIED, Claim, Outcome
from certify.claims.suite import file_name, suite
from certify.claims.text import between, number, table
from certify.errors import Undecided
from certify.games import Game
from certify.games.tree import unroll
from certify.symmetry.crossplay import CrossPlay, cross_play
from certify.symmetry.crossplay_study import study
from certify.uniqueness.existence import prove_stationary
from certify.uniqueness.multiplicity import Multiplicity, find_multiplicity

CLAIM = Claim(
    id="5a", source="arXiv 2511.22581, abstract", expected=CERTIFIED,
    statement="Without enough entropy independent runs learn incompatible policies: several stationary policies exist, and "
              "cross-play between them loses.")

_SECONDS = 20.0
_BELOW = Fraction(1, 2)  # of the largest temperature with several: where cross-play is enclosed


def run(out: Path, quick: bool) -> Outcome:
    rows, evidence, missing = [], [], []
    for game in suite(quick):
        found = find_multiplicity(unroll(game), time_limit=_SECONDS)
        if found is None:
            missing.append(game.name)
            continue
        evidence.append(save_document(multiplicity_certificate(game, found), out / f"{file_name(game)}.cert.json"))
        rows.append((game.name, number(found.alpha_multiple, up=False),
                     "—" if found.alpha_two_maxima is None else number(found.alpha_two_maxima, up=False),
                     *_gaps(game, found)))
    if not rows:
        raise Undecided("no game of the suite was proved to have several stationary policies")
    figures = {"gaps": table(("game", "several at α", "two strict maxima at α", "cross-play at α", "SP − XP of J", "SP − XP of the return",
                              "lost in every role"), rows),
               "missing": ", ".join(missing) or "none"}
    return Outcome(CERTIFIED, figures, tuple(evidence))


def _gaps(game: Game, found: Multiplicity) -> tuple[str, ...]:
    """Certified gaps at a lower temperature, where they are large enough to read."""
    alpha = found.alpha_multiple * _BELOW
    result = study(game, alpha, starts=12, time_limit=_SECONDS)
    if result.relation != "gap":
        return number(alpha, up=False), f"undecided: {result.reason}", "", ""
    lost = result.gaps["return"].lower > 0
    return (number(alpha, up=False), between(result.gaps["J"].lower, result.gaps["J"].upper),
            between(result.gaps["return"].lower, result.gaps["return"].upper) + ("" if lost else " (sign undecided)"),
            "yes" if loses_in_every_role(result.table) else "not proved")


def loses_in_every_role(table: CrossPlay) -> bool:
    """Whether the return certainly falls in every ordered pair of policies and every role."""
    runs = range(len(table.sp_reward))
    return all(role[j][k].upper < table.sp_reward[k].lower for role in table.xp_reward for j in runs for k in runs if j != k)
