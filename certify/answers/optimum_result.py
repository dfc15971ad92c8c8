"""What `certify.optimum` returns, by the names of infosets and actions (interface: `certify optimum`)."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from certify.answers.threshold_result import PotentialOf
from certify.bounds.enclosure import Enclosure, with_multiplied
from certify.bounds.policy import layout_of
from certify.certificates.writing import save_document
from certify.games.histories import History, histories
from certify.games.tree import Tree
from certify.notebook import Facts, Shown, between, decimal
from certify.stationary.enclosed import Enclosed
from certify.stationary.greedy import GreedyRow
from certify.thresholds.step_size import StepSize

Ends = Enclosure[Fraction]
_ROWS_SHOWN = 8  # of the policy in a notebook
Policy = dict[str, dict[str, Ends]]


@dataclass(frozen=True, repr=False)
class PathPiece(Shown):
    """Enclosures that hold for every temperature in `alpha`."""

    alpha: Ends
    value: Ends
    return_: Ends
    entropy: Ends
    policy: Policy = field(repr=False)

    def facts(self) -> Facts:
        """What a prompt and a notebook show of it."""
        named = (("alpha", self.alpha), ("J", self.value), ("return", self.return_), ("entropy", self.entropy))
        return Facts("piece", "", tuple((name, between(ends)) for name, ends in named))


@dataclass(frozen=True)
class Tie:
    """Actions of equal probability at `infoset`: `proved` by the `orbit` of (infoset, action) that
    symmetries exchange, or undecided (then `orbit` is empty)."""

    infoset: str
    actions: tuple[str, ...]
    proved: bool
    orbit: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, repr=False)
class OptimumResult(Shown):
    """What `optimum` found; enclosures have `Fraction` ends.

    status : "proved" (the checker accepted the certificate), "partial" (it did, and `alpha` is less than `asked`:
    `reason` says why) or "undecided" (`reason` says why).
    kind : "unique", or "principal branch" (the branch of stationary policies that continues the
    unique one from large temperatures without degenerating: others may exist); None: not looked for.
    alpha : the temperatures that are proved; lower = upper for one.  asked : those that were asked
    for.  objective : what is paid beside the reward.  value : J_alpha.  return_ : the expected return.
    entropy : the weighted entropy; for the objective kl minus the divergence from the reference.
    policy : per infoset and action; over an interval of
    temperatures all of these hold for the whole interval, and `pieces` are sharper.
    rate : a lower bound on the exponential rate of the softmax flow near the policy.
    step_size, step_factor : near the policy a step of gradient ascent with this step size shrinks the distance by a
    factor of at most step_factor = 1 - step_size rate, up to any larger one (docs/theory/steps.md#the-rate-of-a-step).
    greedy : per infoset the actions tied for the maximum; greedy_gap : by how much every other action
    is less probable; ties; greedy_return : exact, tied actions played equally often.
    reached : the smallest temperature to which the branch was followed.
    """

    status: str
    kind: str | None
    alpha: Ends
    value: Ends | None = None
    return_: Ends | None = None
    entropy: Ends | None = None
    policy: Policy = field(default_factory=dict, repr=False)
    rate: Fraction | None = None
    step_size: Fraction | None = None
    step_factor: Fraction | None = None
    greedy: dict[str, tuple[str, ...]] = field(default_factory=dict, repr=False)
    greedy_gap: dict[str, Fraction | None] = field(default_factory=dict, repr=False)
    greedy_return: Fraction | None = None
    ties: tuple[Tie, ...] = ()
    pieces: tuple[PathPiece, ...] = field(default=(), repr=False)
    asked: Ends | None = None
    alpha_star: Fraction | None = None
    reached: Fraction | None = None
    game_sha256: str = ""
    objective: str = "entropy"
    horizon: int = 0
    seconds: float = 0.0
    engine: str = ""
    reason: str = ""
    document: dict[str, Any] | None = field(default=None, repr=False)

    @property
    def potential_of(self) -> PotentialOf | None:
        """What the threshold inside says of the game that this one is the potential of, if it is one's; the policy is
        then that game's one logit QRE at lambda = 1/alpha wherever `kind` is "unique"."""
        if self.document is None:
            return None
        return PotentialOf.said_in(self.document, self.document["proof"]["threshold"])

    @property
    def radius(self) -> Fraction | None:
        """The largest half-width of a probability's enclosure."""
        widths = [p.upper - p.lower for row in self.policy.values() for p in row.values()]
        return max(widths) / 2 if widths else None

    def facts(self) -> Facts:
        """What a prompt and a notebook show of it."""
        name = (self.document or {}).get("game", {}).get("name", "")
        named = (("J in", self.value), ("return in", self.return_), ("entropy in", self.entropy))
        rows = [("alpha", between(self.alpha)), *((label, between(ends)) for label, ends in named if ends is not None)]
        if self.radius is not None:
            rows.append(("probabilities known to", f"± {decimal(self.radius, up=True, digits=2)}"))
        if self.rate is not None:
            rows.append(("rate at least", decimal(self.rate, up=False)))
        if self.greedy_return is not None:
            rows.append(("greedy return", decimal(self.greedy_return, up=False)))
        for key, row in list(self.policy.items())[:_ROWS_SHOWN]:
            rows.append((f"policy {key}", ", ".join(f"{action} {between(p, 4)}" for action, p in row.items())))
        more = len(self.policy) - _ROWS_SHOWN
        note = self.reason or (f"and {more} more rows, in .policy" if more > 0 else "")
        return Facts(f"{self.kind or 'optimum'} {name}".strip(), self.status, tuple(rows), note)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the certificate as JSON; raises `InputError` where there is none or it cannot be written."""
        return save_document(self.document, path)


class Naming:
    """Rows of a clustered tree by the keys of all its AOHs."""

    def __init__(self, tree: Tree) -> None:
        self.tree, self.layout = tree, layout_of(tree)
        self.histories = [histories(tree, i) for i in range(tree.number_of_agents)]

    def infosets(self) -> list[tuple[History, str, int]]:
        """(history, key, row of the clustered tree) of every AOH, agent by agent."""
        return [
            (x, x.key, self.layout.rows[i, x.depth].start + x.class_index)
            for i, listed in enumerate(self.histories)
            for x in listed
        ]

    def _names(self, history: History) -> list[str]:
        """The legal actions of a history, in the order of its row; what is left of that row is 0."""
        i = history.aoh.agent
        legal = self.tree.levels[history.depth].legal_actions(i, history.class_index)
        return [self.tree.game.actions[i][a] for a in legal]

    def by_name(self, table: list[list[Any]]) -> dict[str, dict[str, Any]]:
        """Rows of the clustered tree as {infoset: {legal action: entry}} over all AOHs."""
        return {
            key: dict(zip(self._names(history), table[x], strict=False))  # spare numbers come last
            for history, key, x in self.infosets()
        }

    def ties(self, rows: list[GreedyRow], orbit: list[list[int]] | None) -> tuple[Tie, ...]:
        """Rows with several greedy actions, once per class, under the key of its first AOH."""
        found, seen = [], set()
        named = {x: (key, self._names(history)) for history, key, x in reversed(self.infosets())}
        for _, key, x in self.infosets():
            row = rows[x]
            if len(row.actions) > 1 and x not in seen:
                seen.add(x)
                names = named[x][1]
                members = ()
                if row.tied:
                    number = orbit[x][row.actions[0]]
                    members = tuple(
                        (named[y][0], named[y][1][a])
                        for y in sorted(named)
                        for a, k in enumerate(orbit[y])
                        if k == number and a < len(named[y][1])
                    )
                found.append(Tie(key, tuple(names[a] for a in row.actions), row.tied, members))
        return tuple(found)

    def enclosed(self, result: OptimumResult, enclosed: list[Enclosed]) -> OptimumResult:
        """`result` with the enclosures, and their hulls."""
        pieces = tuple(
            PathPiece(Enclosure(e.low, e.high), e.value, e.reward, e.entropy, self.by_name(e.policy)) for e in enclosed
        )
        return replace(
            result,
            pieces=pieces,
            value=_hull([p.value for p in pieces]),
            return_=_hull([p.return_ for p in pieces]),
            entropy=_hull([p.entropy for p in pieces]),
            policy={
                key: {a: _hull([p.policy[key][a] for p in pieces]) for a in row}
                for key, row in pieces[0].policy.items()
            },
        )

    def greedy(
        self, result: OptimumResult, rows: list[GreedyRow], orbit: list[list[int]] | None, exact: Fraction | None
    ) -> OptimumResult:
        """`result` with the greedy policy; `orbit` numbers the entries that symmetries exchange."""
        found = {key: tuple(self._names(history)[a] for a in rows[x].actions) for history, key, x in self.infosets()}
        return replace(
            result,
            greedy=found,
            greedy_gap={key: rows[x].gap for _, key, x in self.infosets()},
            greedy_return=exact,
            ties=self.ties(rows, orbit),
        )


def with_step(result: OptimumResult) -> OptimumResult:
    """`result` with the step of gradient ascent that the threshold inside its certificate allows, and its factor."""
    threshold = {} if result.document is None else result.document["proof"]["threshold"]["claim"]
    ascent = threshold.get("ascent")
    if result.rate is None or ascent is None:
        return result
    found = StepSize(Fraction(ascent["step_size"]), Fraction(ascent["growth"]), ())
    step = found.at(result.alpha.lower, Fraction(threshold["alpha_star"]))
    return replace(result, step_size=step, step_factor=1 - step * result.rate)


def in_original_units(result: OptimumResult, unit: Fraction) -> OptimumResult:
    """A result about payoffs that were divided by `unit`, for the payoffs themselves; its document stays."""
    if unit == 1:
        return result

    pieces = tuple(with_multiplied(piece, unit, "alpha", "value", "return_") for piece in result.pieces)
    names = ("alpha", "value", "return_", "rate", "greedy_return", "alpha_star", "reached")
    return with_multiplied(replace(result, pieces=pieces), unit, *names)


def _hull(parts: list[Enclosure]) -> Enclosure:
    return Enclosure(min(p.lower for p in parts), max(p.upper for p in parts))
