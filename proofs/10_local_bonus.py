"""The PPO-style local entropy bonus: its stationary point is unique above an explicit temperature, by
contraction, and equivariant; what else is known and not known (docs/theory/local-bonus.md#contraction-without-boxes).
"""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import certify
from certify.claims import PROVED, Claim, Outcome
from certify.claims.suite import file_name
from certify.claims.text import between, number, table
from certify.errors import Undecided
from certify.exact import decimal_text, rational_text
from certify.games import Game, load
from certify.games.histories import histories
from certify.thresholds.local_bonus import (
    LocalContraction,
    LocalPoint,
    influence,
    local_contraction,
    local_stationary_point,
)
from certify.thresholds.shapes import shape_of

CLAIM = Claim(
    id="10",
    source="ours (docs/theory/local-bonus.md#contraction-without-boxes)",
    statement="With the PPO-style local entropy bonus the stationary point is unique and equivariant above an "
    "explicit temperature "
    "(the map π ↦ softmax(Q^R/α) contracts); whether its flow converges is not known.",
)

ONE_SHOT = [("lever:2", None), ("climbing", None)]
SEQUENTIAL = [("two-stage-lever", None), ("tiny-hanabi:E", None), ("dectiger", 2), ("recycling", 2)]
ABOVE = Fraction(5, 4)  # the temperature of the comparison, in units of the bound


def contracts(game: Game, found: LocalContraction) -> bool:
    """The inequality that everything rests on, again from the game: L y <= alpha w y, y > 0."""
    table_ = influence(shape_of(game))
    return min(found.vector) > 0 and all(
        sum((e * y for e, y in zip(row, found.vector, strict=True)), Fraction(0))
        <= found.alpha * game.weights[i] * found.vector[k]
        for k, ((i, _), row) in enumerate(zip(found.keys, table_, strict=True))
    )


def apart(point: LocalPoint, other: certify.OptimumResult) -> tuple[Fraction, Fraction]:
    """Bounds on the largest difference of a probability between the two unique policies."""
    low, high = Fraction(0), Fraction(0)
    for i in range(point.tree.number_of_agents):
        for x in histories(point.tree, i):
            row = point.policy[i][x.depth][x.class_index]
            total = sum(Fraction(float(p)) for p in row)
            for p, q in zip(row, other.policy[x.key].values(), strict=True):
                mine = Fraction(float(p)) / total
                low = max(low, mine - point.radius / 4 - q.upper, q.lower - mine - point.radius / 4)
                high = max(high, mine + point.radius / 4 - q.lower, q.upper - mine + point.radius / 4)
    return low, high


def run(out: Path, quick: bool) -> Outcome:
    """Proves or refutes the claim above; writes the evidence to `out` (fewer games if `quick`)."""
    rows, evidence, stated = [], [], []
    for name, horizon in ONE_SHOT if quick else ONE_SHOT + SEQUENTIAL:
        game = load(name, horizon=horizon)
        found = local_contraction(game)
        if not contracts(game, found):
            raise Undecided(f"{game.name}: the inequality does not hold")
        alpha = ABOVE * found.alpha
        point = local_stationary_point(game, alpha, found)
        threshold = certify.threshold(game, method="structural")
        other = certify.optimum(game, alpha, threshold=threshold)
        if other.status != "proved" or other.kind != "unique":
            raise Undecided(f"{game.name}: no unique policy of J_alpha to compare with at {alpha}")
        evidence.append(other.save(out / f"{file_name(game)}-visitation.cert.json"))
        low, high = apart(point, other)
        if game.horizon == 1 and low > 0:
            raise Undecided(f"{game.name}: the two objectives have different policies, though they agree in one step")
        stated.append(
            {
                "game": game.name,
                "horizon": game.horizon,
                "widths": [rational_text(d) for d in found.widths],
                "keys": [list(key) for key in found.keys],
                "vector": [rational_text(y) for y in found.vector],
                "alpha": rational_text(found.alpha),
            }
        )
        rows.append(
            (
                game.name,
                str(game.horizon),
                number(found.alpha, up=True),
                number(threshold.alpha_star, up=True),
                number(alpha, up=True),
                decimal_text(point.radius, 15, up=True),
                between(low, high),
            )
        )
    path = out / "contractions.json"
    path.write_text(json.dumps(stated, indent=1), encoding="utf-8")
    header = (
        "game",
        "steps",
        "local bonus: unique above",
        "J_α: unique from, same kind of bound",
        "α compared at",
        "radius of the local point",
        "largest difference of the two policies",
    )
    return Outcome(PROVED, {"games": table(header, rows)}, (path, *evidence))
