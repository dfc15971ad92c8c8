"""`certify.policy_distance`: how far a trained policy certainly is from the unique stationary policy
(docs/theory/objective.md#stationary-policies, docs/theory/continuation.md#krawczyk-boxes), and how much return it
gains or loses.
"""

from __future__ import annotations

import math
import os
import time
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np

from certify.answers.optimum import optimum, read_temperatures
from certify.answers.optimum_result import OptimumResult
from certify.bounds.arb_numbers import ball, finite_ends, to_arb, working_precision
from certify.bounds.enclosure import Enclosure
from certify.bounds.objects import ObjectRecursion
from certify.bounds.other_names import other_names
from certify.bounds.policy import PolicyBox, layout_of
from certify.bounds.policy_table import as_policy
from certify.errors import InputError
from certify.exact import significant_text
from certify.games import as_game
from certify.games.histories import histories
from certify.games.objective import for_objective
from certify.games.tree import Tree, unroll
from certify.games.units import divided, unit_of
from certify.notebook import Facts, Shown, between, decimal

NORM = "max |π − π*|"
_PRECISION = 256


@dataclass(frozen=True, repr=False)
class PolicyDistance(Shown):
    """status : "proved" or "undecided" (`reason` says why).

    distance : an upper bound on the largest difference of a probability, met at the (infoset,
    action) `at`; distance_lower : a lower bound.
    by_infoset : both bounds for every AOH.  return_gap : return of the stationary policy minus
    that of the given one.  optimum : the certified stationary policy that this is relative to.
    """

    status: str
    distance: Fraction | None = None
    distance_lower: Fraction | None = None
    at: tuple[str, str] | None = None
    return_gap: Enclosure[Fraction] | None = None
    norm: str = NORM
    seconds: float = 0.0
    reason: str = ""
    optimum: OptimumResult | None = field(default=None, repr=False)
    by_infoset: dict[str, Enclosure[Fraction]] = field(default_factory=dict, repr=False)

    def facts(self) -> Facts:
        """What a prompt and a notebook show of it."""
        rows = []
        if self.distance is not None:
            rows = [
                (f"{self.norm} at most", decimal(self.distance, up=True)),
                ("and at least", decimal(self.distance_lower, up=False)),
                ("return lost", between(self.return_gap)),
                ("farthest at", " ".join(self.at or ())),
            ]
        return Facts("distance from the stationary policy", self.status, tuple(rows), self.reason)

    def save(self, path: str | os.PathLike[str]) -> Any:
        """Write the certificate of the stationary policy; raises `InputError` where there is none."""
        if self.optimum is None:
            raise InputError(str(path), "there is no certificate to write", "nothing was proved; raise the limits")
        return self.optimum.save(path)


def policy_distance(
    game: Any,
    alpha: Fraction | float | str,
    policy: Any,
    *,
    horizon: int | None = None,
    objective: str = "entropy",
    **options: Any,
) -> PolicyDistance:
    """A rigorous bound on the distance of `policy` from the unique stationary policy at `alpha`.

    Parameters
    ----------
    game : a `Game`, a path, the name of a built-in, or payoffs as nested lists or an array.
    policy : a path (.json or .npz), what `certify.tabulate` gives, a document {AOH key: {action: number}}, or one array
        per agent with rows in the order of `certify games --aohs`.  A row that misses a sum of 1 by at most 1e-6
        stands for every policy between the row as given and the row divided by its sum.
    objective : "entropy", "kl" or "local", as for `certify.threshold`.
    options : `threshold`, `time_limit`, `progress` and others, as for `certify.optimum`.

    Raises `InputError` for bad input.

    >>> half = {"0": "1/2", "1": "1/2"}
    >>> result = policy_distance("lever:2", Fraction(1), {"agent1:": half, "agent2:": {"0": "3/4", "1": "1/4"}})
    >>> result.status, result.at, abs(result.distance - Fraction(1, 4)) < Fraction(1, 10**12)
    ('proved', ('agent2:', '0'), True)
    """
    began = time.monotonic()
    game = for_objective(as_game(game, horizon), objective)
    unit = unit_of(game)
    low, high = read_temperatures(alpha, unit)
    if low != high:
        raise InputError("alpha", f"{alpha}", "give one temperature")
    tree = unroll(divided(game, unit), cluster=False)
    box = as_policy(tree, policy)
    found = optimum(game, low, objective=objective, **options)
    if found.status != "proved" or found.kind != "unique" or found.return_ is None:
        why = found.reason or f"uniqueness is proved from alpha = {_from(found.alpha_star)} on only"
        return PolicyDistance("undecided", seconds=time.monotonic() - began, reason=why)
    entries = [(key, action, p) for key, row in found.policy.items() for action, p in row.items()]
    lower, upper = _flat(tree, box.lower), _flat(tree, box.upper)
    largest = [max(hi - p.lower, p.upper - lo) for (_, _, p), lo, hi in zip(entries, lower, upper, strict=True)]
    least = [
        max(lo - p.upper, p.lower - hi, Fraction(0)) for (_, _, p), lo, hi in zip(entries, lower, upper, strict=True)
    ]
    worst = max(range(len(entries)), key=largest.__getitem__)
    reward = expected_return(tree, box)
    best = (found.return_.lower / unit, found.return_.upper / unit)
    gap = (_short(best[0] - reward.upper, up=False) * unit, _short(best[1] - reward.lower, up=True) * unit)
    return PolicyDistance(
        "proved",
        _short(largest[worst], up=True),
        _short(max(least), up=False),
        entries[worst][:2],
        Enclosure(*gap),
        seconds=time.monotonic() - began,
        optimum=found,
        by_infoset=_by_infoset(entries, largest, least),
    )


def _by_infoset(
    entries: list[tuple[str, str, Enclosure[Fraction]]], largest: list[Fraction], least: list[Fraction]
) -> dict[str, Enclosure[Fraction]]:
    """Bounds on the largest difference of a probability in every row."""
    found: dict[str, tuple[Fraction, Fraction]] = {}
    for (key, _, _), high, low in zip(entries, largest, least, strict=True):
        before = found.get(key, (Fraction(0), Fraction(0)))
        found[key] = max(before[0], low), max(before[1], high)
    return {key: Enclosure(_short(low, up=False), _short(high, up=True)) for key, (low, high) in found.items()}


def _flat(tree: Tree, nested: Any) -> list[Fraction]:
    """Entries of legal actions in the order of AOH keys, agent by agent."""
    layout = layout_of(tree)
    table = layout.nested(other_names(tree).gathered(layout.flat(nested)))
    return [
        Fraction(p)
        for i in range(tree.number_of_agents)
        for x in histories(tree, i)
        for p, legal in zip(table[i][x.depth][x.class_index], tree.levels[x.depth].legal[i][x.class_index], strict=True)
        if legal
    ]


def expected_return(tree: Tree, box: PolicyBox) -> Enclosure[Fraction]:
    """The exact expected return of every policy in the box, zeros allowed, between `Fraction`s.

    >>> from certify.games import builtin
    >>> tree = unroll(builtin("lever:2"), cluster=False)
    >>> first = [[np.array([[Fraction(1), Fraction(0)]], dtype=object)]] * 2
    >>> expected_return(tree, PolicyBox(first, first)).lower == 1
    True
    """
    layout = layout_of(tree)
    ends = zip(layout.flat(box.lower), layout.flat(box.upper), strict=True)
    with working_precision(_PRECISION):
        p, zero = (np.empty(layout.size, dtype=object) for _ in range(2))
        p[:] = [ball(Fraction(lo), Fraction(hi)) for lo, hi in ends]
        zero[:] = [to_arb(Fraction(0))] * layout.size
        nothing = to_arb(Fraction(0))  # beside the return
        run = ObjectRecursion(tree, p, zero, layout.row_sums(zero), to_arb, lambda _: nothing)
        return Enclosure(*finite_ends(run.reward))


def _from(alpha: Fraction | None) -> str:
    return "no temperature" if alpha is None else significant_text(alpha, up=True)


def _short(value: Fraction, *, up: bool, bits: int = 80) -> Fraction:
    """The next multiple of 2^-bits above or below."""
    scaled = value * 2**bits
    return Fraction(math.ceil(scaled) if up else math.floor(scaled), 2**bits)
