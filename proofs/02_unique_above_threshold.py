"""Sufficiently high entropy makes the stationary policy unique: Theorem B, the structural constant and
Theorem D, with certified thresholds (docs/theory/hessian.md#theorem-b, docs/theory/structural.md#theorem-b-form,
docs/theory/continuation.md#theorem-d).

The constant is attacked twice: certified curvatures at sampled policies must stay below it, and certified
multiplicity just below a threshold shows that no smaller constant would do.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np

import certify
from certify.bounds import hessian, lambda_max_lower
from certify.claims import PROVED, Claim, Outcome
from certify.claims.suite import file_name, suite
from certify.claims.text import number, table
from certify.errors import Undecided
from certify.games import Game
from certify.games.tree import Tree, unroll
from certify.thresholds.general_forms import general
from certify.thresholds.shapes import return_widths, shape_of

CLAIM = Claim(
    id="2",
    source="arXiv 2511.22581, abstract",
    statement="In every game with fixed action sets, sufficiently high entropy makes the stationary policy unique, "
    "with an explicit temperature.",
)

_RTOL = Fraction(1, 2)
_SECONDS = 60.0
_SAMPLES = 40


def run(out: Path, quick: bool) -> Outcome:
    """Proves or refutes the claim above; writes the evidence to `out` (fewer games if `quick`)."""
    rows, evidence, worst, sampled = [], [], Fraction(0), 0
    tightest: tuple[Fraction, str] | None = None
    for game in suite(quick):
        found = certify.threshold(game, rtol=_RTOL, time_limit=_SECONDS)
        if found.status != "proved":
            raise Undecided(f"{game.name}: {found.reason}")
        evidence.append(found.save(out / f"{file_name(game)}.cert.json"))
        general_form = found.forms["theorem-B"]
        multiple = found.alpha_multiple
        rows.append(
            (
                game.name,
                str(game.horizon),
                number(general_form, up=True),
                number(found.alpha_star, up=True),
                found.method,
                "none found" if multiple is None else number(multiple, up=False),
                "" if multiple is None else number(found.alpha_star / multiple, 4, up=True),
            )
        )
        if multiple is not None and (tightest is None or general_form / multiple < tightest[0]):
            tightest = general_form / multiple, game.name
        share, count = curvature_share(game, _SAMPLES // (4 if quick else 1))
        worst, sampled = max(worst, share), sampled + count
    if worst > 1:
        raise Undecided("a certified curvature exceeds the structural constant: the written proof is wrong")
    figures = {
        "thresholds": table(
            ("game", "steps", "Theorem B alone", "best α*", "by", "several at", "α* / several at"), rows
        ),
        "sampled": str(sampled),
        "share": number(worst, 4, up=False),
        "tight_game": tightest[1],
        "tight": number(tightest[0], 6, up=True),
    }
    return Outcome(PROVED, figures, tuple(evidence))


def curvature_share(game: Game, samples: int) -> tuple[Fraction, int]:
    """The largest certified lambda_max(M) / alpha at `samples` policies of the set of Theorem B at its threshold,
    and their number.  The theorem says that it is at most 1."""
    shape = shape_of(game)
    alpha = general(shape, "theorem-B").alpha_star
    tree, rng = unroll(game), np.random.default_rng(0)
    spread = [[float(c / w) for c in return_widths(shape, alpha)] for w in shape.weights]
    worst = Fraction(0)
    for k in range(samples):
        policy = tree.uniform() if k == 0 else sampled_policy(tree, spread, rng)
        lower = lambda_max_lower(hessian(tree, policy, alpha))
        worst = max(worst, Fraction(lower) / alpha) if lower > 0 else worst
    return worst, samples


def sampled_policy(tree: Tree, spread: list[list[float]], rng: np.random.Generator) -> list[list[np.ndarray]]:
    """A policy with osc log pi(.|x) < spread[i][t] in every row: logits at random ends and between."""
    policy: list[list[np.ndarray]] = []
    for i, agent in enumerate(tree.uniform()):
        policy.append([])
        for t, p in enumerate(agent):
            logits = rng.choice([0.0, 0.5, 0.999], size=p.shape) * min(spread[i][t], 30.0)
            weight = np.exp(logits - logits.max(axis=1, keepdims=True))
            policy[-1].append(weight / weight.sum(axis=1, keepdims=True))
    return policy
