"""Cross-play as a JSON object: stationary policies at one temperature and the teams made of their agents
(docs/certificate-format.md, section 9; docs/theory/symmetry.md#cross-play).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from certify.bounds.enclosure import Enclosure
from certify.certificates.multiplicity import policy_box
from certify.certificates.version import FORMAT, VERSION
from certify.crossplay.matrix import cross_play
from certify.exact import rational_text
from certify.games.canonical import game_to_json, sha256_of
from certify.games.model import Game
from certify.games.objective import named_in_certificates
from certify.games.units import unit_of
from certify.stationary.approx_equations import ApproxEquations
from certify.stationary.existence import StationaryProof
from certify.stationary.piece_proof import UNIT_BITS

_GRID = 10**9  # ends of enclosures are multiples of unit/_GRID, with room for the checker's coarser boxes


def crossplay_certificate(game: Game, proofs: Sequence[StationaryProof]) -> dict[str, Any]:
    """A certificate of kind "crossplay" about proved stationary policies of one tree and temperature: self-play of
    each, and every team in which one agent is replaced by another policy's.

    >>> from certify.checker import check_certificate
    >>> from certify.games import builtin
    >>> from certify.games.tree import unroll
    >>> from certify.crossplay.approx_runs import proved_runs
    >>> game = builtin("lever:2")
    >>> proofs = proved_runs(unroll(game, cluster=False), Fraction(1, 4))
    >>> check_certificate(crossplay_certificate(game, proofs)).valid
    True
    """
    tree, alpha = proofs[0].tree, proofs[0].alpha
    eq, restated = ApproxEquations(tree), game_to_json(game)
    table = cross_play(tree, alpha, [proof.policy for proof in proofs])
    n, teams, unit = tree.number_of_agents, [], unit_of(game)
    for k, own in enumerate(zip(table.sp_reward, table.sp_value, strict=True)):
        teams.append(_team((k,) * n, *own, unit))
    for role, (j, k) in itertools.product(range(n), itertools.permutations(range(len(proofs)), 2)):
        if n == 2 and role == 1:
            continue  # agent 2 of run j with agent 1 of run k: the team of role 0 with j and k exchanged
        team = tuple(j if i == role else k for i in range(n))
        teams.append(_team(team, table.xp_reward[role][j][k], table.xp_value[role][j][k], unit))
    return {
        "format": FORMAT,
        "version": VERSION,
        "kind": "crossplay",
        "game": restated,
        "game_sha256": sha256_of(restated),
        "objective": named_in_certificates(game),
        "claim": {"alpha": rational_text(alpha), "teams": teams},
        "proof": {
            "clustering": tree.clustered,
            "unit_bits": UNIT_BITS,
            "policies": [policy_box(eq, proof) for proof in proofs],
        },
    }


def _team(policies: tuple[int, ...], reward: Enclosure, value: Enclosure, unit: Fraction) -> dict[str, Any]:
    return {"policies": list(policies), "return": _ends(reward, unit), "J": _ends(value, unit)}


def _ends(enclosure: Enclosure, unit: Fraction) -> list[str]:
    step = unit / _GRID
    low, high = math.floor(enclosure.lower / step) - 1, math.ceil(enclosure.upper / step) + 1
    return [rational_text(low * step), rational_text(high * step)]
