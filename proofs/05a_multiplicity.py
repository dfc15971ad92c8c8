"""Not enough entropy: several stationary policies, whose cross-play loses J_alpha always and the return on these
instances (docs/theory/continuation.md#from-below, docs/theory/symmetry.md#cross-play).
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from certify.certificates.crossplay import crossplay_certificate
from certify.certificates.multiplicity import multiplicity_certificate
from certify.certificates.writing import save_document
from certify.claims import CERTIFIED, Claim, Outcome
from certify.claims.suite import file_name, suite
from certify.claims.text import between, number, table
from certify.crossplay.approx_runs import proved_runs
from certify.crossplay.matrix import CrossPlay, cross_play
from certify.errors import Undecided
from certify.games.tree import unroll
from certify.run import Run
from certify.stationary.existence import StationaryProof
from certify.stationary.multiplicity import find_multiplicity

CLAIM = Claim(
    id="5a",
    source="arXiv 2511.22581, abstract",
    expected=CERTIFIED,
    statement="Without enough entropy independent runs learn incompatible policies: several stationary policies "
    "exist, and "
    "cross-play between them loses.",
)

_SECONDS = 20.0
_BELOW = Fraction(1, 2)  # of the largest temperature with several: where cross-play is enclosed


def run(out: Path, quick: bool) -> Outcome:
    """Proves or refutes the claim above; writes the evidence to `out` (fewer games if `quick`)."""
    rows, evidence, missing = [], [], []
    for game in suite(quick):
        found = find_multiplicity(unroll(game), time_limit=_SECONDS)
        if found is None:
            missing.append(game.name)
            continue
        evidence.append(save_document(multiplicity_certificate(game, found), out / f"{file_name(game)}.cert.json"))
        alpha = found.alpha_multiple * _BELOW
        pair = best_pair(proved_runs(unroll(game, cluster=False), alpha, starts=12, run=Run.lasting(_SECONDS)))
        if pair is None:
            missing.append(f"{game.name} (cross-play)")
            continue
        evidence.append(
            save_document(crossplay_certificate(game, pair), out / f"{file_name(game)}-crossplay.cert.json")
        )
        plays = cross_play(pair[0].tree, alpha, [proof.policy for proof in pair])
        rows.append(
            (
                game.name,
                number(found.alpha_multiple, up=False),
                "—" if found.alpha_two_maxima is None else number(found.alpha_two_maxima, up=False),
                number(alpha, up=False),
                *(_told(plays, of) for of in ("J", "return")),
            )
        )
    if not rows:
        raise Undecided("no game of the suite was proved to have several stationary policies")
    header = (
        "game",
        "several at α",
        "two strict maxima at α",
        "cross-play at α",
        "SP − XP of J",
        "SP − XP of the return",
    )
    return Outcome(CERTIFIED, {"gaps": table(header, rows), "missing": ", ".join(missing) or "none"}, tuple(evidence))


def best_pair(proofs: list[StationaryProof]) -> tuple[StationaryProof, StationaryProof] | None:
    """The two policies with the largest J among those proved, None where there are fewer."""
    if len(proofs) < 2:
        return None
    values = cross_play(proofs[0].tree, proofs[0].alpha, [proof.policy for proof in proofs]).sp_value
    order = sorted(range(len(proofs)), key=lambda k: values[k].lower, reverse=True)
    return proofs[order[0]], proofs[order[1]]


def _told(plays: CrossPlay, of: str) -> str:
    """The mean gap over pairs and roles, and whether every single role loses."""
    gap = plays.gap(of)
    own, mixed = (plays.sp_value, plays.xp_value) if of == "J" else (plays.sp_reward, plays.xp_reward)
    lost = all(role[j][1 - j].upper < own[1 - j].lower for role in mixed for j in range(2))
    how = (
        "in every role" if lost else "on average" if gap.lower > 0 else "gained" if gap.upper < 0 else "sign undecided"
    )
    return f"{between(gap.lower, gap.upper)} {how}"
