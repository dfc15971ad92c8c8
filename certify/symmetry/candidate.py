"""The verdict on one candidate map, two ways: z3, and exact comparison
(docs/theory/symmetry.md#deciding-a-candidate)."""

from __future__ import annotations

import time
from dataclasses import dataclass

from certify.games.model import GameTables, reachable_states, restrict_to_reachable
from certify.games.parametric import ParametricGame
from certify.symmetry.compare import Difference, agent_differences, differences
from certify.symmetry.maps import GameMap
from certify.symmetry.parametric import decide_parametric
from certify.symmetry.smt import decide


@dataclass(frozen=True)
class CandidateVerdict:
    """`status`: "proved", "refuted" (with a `witness` and, for parametric games, `parameters`) or
    "undecided" (with a `reason`).

    `game` is the game in whose indices the witness is written.  `solver` is z3's own answer and
    `exact` that of the exact comparison (None for parametric games, which z3 alone decides).
    """

    status: str
    game: GameTables
    witness: Difference | None
    parameters: dict[str, str] | None
    reason: str | None
    solver: str
    exact: str | None
    seconds: float


def check_candidate(
    game: GameTables, mapping: GameMap, *, states: str = "reachable", timeout: float = 60.0
) -> CandidateVerdict:
    """Whether `mapping` (in the indices of `game`) is a symmetry, on reachable or on all states.

    The two answers are compared; where z3 runs out of `timeout` seconds the exact one stands.

    >>> from certify.games import builtin
    >>> from certify.symmetry.maps import read_map
    >>> game = builtin("climbing")
    >>> verdict = check_candidate(game, read_map(game, {"agents": {"agent1": "agent2", "agent2": "agent1"}}))
    >>> verdict.status, sorted([str(verdict.witness.value), str(verdict.witness.image_value)])
    ('refuted', ['0', '6'])
    """
    began = time.monotonic()
    if states == "reachable":
        kept = reachable_states(game)
        if (escaped := _escape(game, mapping, kept)) is not None:
            return CandidateVerdict(
                "refuted", game, escaped, None, None, "not asked", "refuted", time.monotonic() - began
            )
        index = {s: k for k, s in enumerate(kept)}
        mapping = GameMap(
            mapping.agents, tuple(index[mapping.states[s]] for s in kept), mapping.actions, mapping.observations
        )
        game = restrict_to_reachable(game)
    if isinstance(game, ParametricGame):
        verdict = decide_parametric(game, mapping, timeout=timeout)
        return CandidateVerdict(
            verdict.status,
            game,
            verdict.witness,
            verdict.parameters,
            verdict.reason,
            verdict.status,
            None,
            time.monotonic() - began,
        )
    first = next(differences(game, mapping), None)
    exact = "proved" if first is None else "refuted"
    verdict = decide(game, mapping, timeout=timeout)
    if verdict.status not in (exact, "undecided"):
        raise AssertionError("z3 and the exact comparison disagree")
    return CandidateVerdict(
        exact, game, verdict.witness or first, None, verdict.reason, verdict.status, exact, time.monotonic() - began
    )


def _escape(game: GameTables, mapping: GameMap, kept: tuple[int, ...]) -> Difference | None:
    """Where a map sends a reachable state to an unreachable one, the entry at which it fails.

    There is one: a map that preserves b0 and the transitions of reachable states keeps them reachable.
    """
    inside = set(kept)
    if {mapping.states[s] for s in kept} == inside:
        return None
    first = next(agent_differences(game, mapping), None)
    return first or next(
        d for d in differences(game, mapping) if d.table in ("start", "transition") and d.key[0][0] in inside
    )
