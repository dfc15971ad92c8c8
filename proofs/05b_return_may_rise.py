"""Cross-play always loses J_alpha, but the return may rise in one role.

A one-shot game of two agents with two stationary policies that exchanging the agents
carries to each other (docs/theory/symmetry.md#cross-play).
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from certify.certificates.crossplay import crossplay_certificate
from certify.certificates.writing import save_document
from certify.claims import REFUTED, Claim, Outcome, undecided
from certify.claims.text import between, table
from certify.crossplay.approx_runs import proved_runs
from certify.crossplay.matrix import CrossPlay, cross_play
from certify.games.oneshot import one_shot
from certify.games.tree import unroll

CLAIM = Claim(
    id="5b",
    source="ours (docs/theory/symmetry.md#cross-play)",
    expected=REFUTED,
    statement="Replacing one agent of a learned team by the same agent of another run never raises the return.",
)

PAYOFF = ((-10, -2, 9), (-2, -4, 5), (9, 5, 8))
ALPHA = Fraction(3)


def run(out: Path, quick: bool) -> Outcome:
    """Proves or refutes the claim above; writes the evidence to `out` (fewer games if `quick`)."""
    actions = ("0", "1", "2")
    game = one_shot(
        "return-rises",
        [actions, actions],
        {(a, b): Fraction(u) for a, row in enumerate(PAYOFF) for b, u in enumerate(row)},
    )
    tree = unroll(game, cluster=False)
    proofs = proved_runs(tree, ALPHA)
    plays = cross_play(tree, ALPHA, [proof.policy for proof in proofs])
    rising = [
        (j, k)
        for j in range(len(proofs))
        for k in range(len(proofs))
        if j != k and plays.xp_reward[0][j][k].lower > plays.sp_reward[k].upper
    ]
    if not rising:
        return Outcome(undecided("no pair of stationary policies with a rising return was proved"))
    j, k = max(rising, key=lambda pair: plays.xp_reward[0][pair[0]][pair[1]].lower - plays.sp_reward[pair[1]].upper)
    pair = (proofs[j], proofs[k])
    plays = cross_play(tree, ALPHA, [proof.policy for proof in pair])
    evidence = save_document(crossplay_certificate(game, pair), out / "return-rises.cert.json")
    return Outcome(REFUTED, {"found": str(len(proofs)), "teams": _teams(plays)}, (evidence,))


def _teams(plays: CrossPlay) -> str:
    """Return and J of the four teams of two policies."""
    rows = []
    for one in range(2):
        for two in range(2):
            reward, value = plays.xp_reward[0][one][two], plays.xp_value[0][one][two]
            rows.append(("AB"[one], "AB"[two], between(reward.lower, reward.upper), between(value.lower, value.upper)))
    return table(("agent 1 from run", "agent 2 from run", "return", "J"), rows)
