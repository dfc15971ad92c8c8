"""The certificate of an optimum from the pieces of a branch, and the result that the checker accepts."""

from __future__ import annotations

import itertools
import json
import math
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np

from certify import checker
from certify.answers.optimum_result import Naming, OptimumResult
from certify.answers.optimum_search import BranchSearch
from certify.bounds.policy import layout_of
from certify.certificates.optimum import OptimumClaim, optimum_certificate
from certify.certificates.symmetry import map_to_json
from certify.certificates.units import restated
from certify.errors import Undecided
from certify.games import Game
from certify.games.histories import histories
from certify.games.tree import unroll
from certify.run import Run
from certify.stationary.approx_rate import approx_rate
from certify.stationary.branch_pieces import Piece
from certify.stationary.enclosed import Enclosed, enclose
from certify.stationary.greedy import GreedyRow, greedy_return, greedy_rows
from certify.symmetry.group import symmetries
from certify.symmetry.histories import fixed_subspace

_RATE_LOGITS = 700  # of the whole table: for larger ones no rate is computed
_RATE_PARTS = (1 - 2.0**-18, 0.5)  # of the float rate: what is claimed, until the checker confirms it
_NODES = 20_000  # of the search for symmetries that explain ties


@dataclass(frozen=True)
class _Greedy:
    """The greedy rows of one enclosed policy, and the symmetries that explain their ties."""

    rows: list[GreedyRow] | None = None
    exact: Fraction | None = None
    generators: tuple[Any, ...] = ()
    orbit: list[list[int]] | None = None


class OptimumDraft:
    """A certificate for the pieces that a search has proved."""

    def __init__(
        self, search: BranchSearch, threshold: dict[str, Any], original: tuple[Game, Fraction], run: Run
    ) -> None:
        """`threshold` is a threshold certificate of the tree's game; `original` that game in its own units, and the
        unit of the tree's payoffs; `run` bounds the check too."""
        self.search, self.threshold, self.run, self.original = search, threshold, run, original
        self.tree, self.layout, self.naming = search.tree, layout_of(search.tree), Naming(search.tree)

    def result(
        self, blank: OptimumResult, pieces: list[Piece], low: Fraction, last: np.ndarray | None
    ) -> OptimumResult:
        """`blank` filled with what the checker accepts about the temperatures from `low` on.

        `last` is the policy at `low` in floats.  Raises `Undecided` where nothing can be enclosed.
        """
        span = self.search.span
        enclosed = self._enclosed(pieces, low)
        greedy = self._greedy(enclosed[0]) if span.point else _Greedy()
        claim = OptimumClaim(
            (low, span.high),
            span.unique,
            None,
            greedy.rows,
            greedy.exact,
            tuple(map_to_json(g) for g in greedy.generators),
        )
        rate = self._approx_rate(last) if span.point and last is not None else None
        for claimed in self._rates(rate):
            document = restated(
                optimum_certificate(self.tree.game, self.threshold, pieces, enclosed, replace(claim, rate=claimed)),
                *self.original,
            )
            self.run.progress("checking the certificate")
            with self.run.stage("checking the certificate"):
                verdict = self._verdict(document)
            if verdict.valid or (verdict.failed_step or {}).get("step") != "rate":
                break
        if not verdict.valid:
            why = f"the checker does not confirm the search: {verdict.failed_step}"
            return replace(blank, engine=verdict.engine, reason=why)
        reason = self._no_rate() if span.point and claimed is None else blank.reason
        proved = self.naming.enclosed(
            replace(
                blank,
                status="proved",
                rate=claimed,
                engine=verdict.engine,
                document=document,
                reached=low,
                reason=reason,
            ),
            enclosed,
        )
        if greedy.rows is None:
            return proved
        return self.naming.greedy(proved, greedy.rows, greedy.orbit, greedy.exact)

    def _verdict(self, document: dict[str, Any]) -> checker.Verdict:
        """Raises `Undecided` for what the format has no place for, such as probabilities below e^-1000."""
        try:
            return checker.check_certificate(
                json.loads(json.dumps(document)), progress=self.run.progress, budget=math.inf
            )
        except checker.Malformed as error:
            raise Undecided(f"what was found is beyond what a certificate can say: {error}") from None

    def _enclosed(self, pieces: list[Piece], low: Fraction) -> list[Enclosed]:
        """What is claimed, the smallest temperature first."""
        high = self.search.span.high
        if self.search.span.point:
            return [enclose(self.tree, len(pieces) - 1, pieces[-1], low, high)]
        along = [(k, p) for k, p in enumerate(pieces) if p.low < p.high and p.high > 1 / high]
        return [enclose(self.tree, k, p, low, high) for k, p in reversed(along)]

    @staticmethod
    def _rates(rate: float | None) -> list[Fraction | None]:
        """The rates to claim, one after the other."""
        if rate is None or rate <= 0:
            return [None]
        return [*(Fraction(f"{rate * part:.9g}") for part in _RATE_PARTS), None]

    def _no_rate(self) -> str:
        if self.tree.policy_parameters > _RATE_LOGITS:
            return f"no rate: {self.tree.policy_parameters} logits, the limit is {_RATE_LOGITS}"
        return "no positive rate is proved"

    def _greedy(self, enclosed: Enclosed) -> _Greedy:
        """Greedy rows, with the symmetries where they could explain a tie."""
        ends = [[(p.lower, p.upper) for p in row] for row in enclosed.policy]
        rows, orbit = greedy_rows(ends), None
        generators: tuple[Any, ...] = ()
        if any(len(row.actions) > 1 for row in rows):
            self.run.progress("looking for symmetries that explain ties")
            with self.run.stage("looking for symmetries that explain ties"):
                generators = tuple(symmetries(self.tree.game, max_nodes=_NODES).generators)
                entry = fixed_subspace(self.tree, generators).entry_orbit
            starts = [*self.layout.row_start.tolist(), self.layout.size]
            orbit = [entry[a:b].tolist() for a, b in itertools.pairwise(starts)]
            rows = greedy_rows(ends, orbit)
        return _Greedy(rows, greedy_return(self.tree, rows), generators, orbit)

    def _approx_rate(self, z: np.ndarray) -> float | None:
        if self.tree.policy_parameters > _RATE_LOGITS:
            return None
        policy = self.search.path.eq.nested(z)
        if not all((table > 0).all() for own in policy for table in own):
            return None  # a probability below what floats can tell from 0
        raw = unroll(self.tree.game, cluster=False)
        table = raw.uniform()
        for i, rows in enumerate(self.naming.histories):
            for mine, other in zip(histories(raw, i), rows, strict=True):
                table[i][mine.depth][mine.class_index] = policy[i][other.depth][other.class_index]
        return approx_rate(raw, table, self.search.span.low)
