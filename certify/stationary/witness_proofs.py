"""From float policies to witnesses: each proved, labelled, and linked to the other by a symmetry if there is one.

Existence in the clustered process is enough (docs/theory/localisation.md#lossless-clustering), and so is definiteness:
directions in which merged histories play differently only meet the entropy's negative definite part.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from certify.bounds.hessian import hessian
from certify.bounds.tangent import lambda_max_lower, lambda_max_upper
from certify.errors import InputError, Undecided
from certify.exact import simplest_between
from certify.games.tree import Tree
from certify.run import Run
from certify.stationary.approx_equations import ApproxEquations
from certify.stationary.approx_limits import Limit
from certify.stationary.approx_policies import approx_uphill
from certify.stationary.existence import StationaryProof, prove_stationary
from certify.stationary.witnesses import MAXIMUM, SADDLE, UNDECIDED, Solution, Witness
from certify.symmetry.group import symmetries
from certify.symmetry.histories import Carrier
from certify.symmetry.maps import GameMap, identity_map

_LARGEST_ORBIT = 300


def steps_below(alpha: float, rtol: Fraction) -> Iterator[Fraction]:
    """Rationals ever further below alpha, the last at most `rtol` away."""
    for step in (rtol / 100, rtol / 10, rtol):
        yield simplest_between(Fraction(alpha) * (1 - step), Fraction(alpha) * (1 - step / 2))


class WitnessProofs:
    """From float policies to witnesses, for one tree."""

    def __init__(self, tree: Tree, eq: ApproxEquations, rtol: Fraction, run: Run | None = None) -> None:
        self.tree, self.eq, self.rtol, self.run = tree, eq, rtol, run or Run()
        self.generators = [g for g in symmetries(tree.game).generators if g.key != identity_map(tree.game).key]
        self.carriers = [Carrier(tree, g) for g in self.generators]

    def solution(self, z: np.ndarray, alpha: Fraction) -> Solution | None:
        """The policy near z (N,), proved and labelled; None where no proof is found."""
        self.run.check()
        try:
            proof = prove_stationary(self.tree, alpha, self.eq.nested(z))
        except (Undecided, InputError):
            return None
        if not self.tree.game.flows_back:
            return Solution(proof, UNDECIDED)  # nothing is maximised under the local bonus
        form = hessian(self.tree, proof.policy, alpha, stationary=True)
        if (upper := lambda_max_upper(form)) < math.inf and Fraction(upper) < alpha:
            return Solution(proof, MAXIMUM)
        if (lower := lambda_max_lower(form)) > -math.inf and Fraction(lower) > alpha:
            return Solution(proof, SADDLE)
        return Solution(proof, UNDECIDED)

    def below(self, limit: Limit) -> Witness | None:
        """A witness as close below a limit as proofs succeed."""
        for alpha in steps_below(limit.alpha, self.rtol):
            near = limit.near(float(alpha))
            solutions: list[Solution] = []
            for z in near:
                self._add(solutions, z, alpha)
            if len(solutions) == 1 and solutions[0].kind == SADDLE:
                for z in approx_uphill(self.eq, near[0], float(alpha)):
                    if len(solutions) < 2:
                        self._add(solutions, z, alpha)
            if len(solutions) == 2 or (solutions and solutions[0].kind == SADDLE):
                return self.witness(alpha, solutions)
        return None

    def at(self, alpha: Fraction, policies: list[np.ndarray]) -> Witness | None:
        """A witness at `alpha` itself from float policies there: the first two proved to differ, or a saddle."""
        solutions: list[Solution] = []
        for z in policies:
            self._add(solutions, z, alpha)
            if len(solutions) == 2:
                return self.witness(alpha, solutions)
        return self.witness(alpha, solutions) if solutions and solutions[0].kind == SADDLE else None

    def _add(self, solutions: list[Solution], z: np.ndarray, alpha: Fraction) -> None:
        new = self.solution(z, alpha)
        if new is not None and all(disjoint(new.proof, other.proof) for other in solutions):
            solutions.append(new)

    def witness(self, alpha: Fraction, solutions: list[Solution]) -> Witness:
        """The solutions with the symmetry that links them."""
        symmetry = self.symmetry(*(s.proof for s in solutions)) if len(solutions) == 2 else None
        return Witness(alpha, tuple(solutions), symmetry)

    def symmetry(self, first: StationaryProof, second: StationaryProof) -> GameMap | None:
        """An automorphism that certainly maps the first policy to the second, or None: none found."""
        target, start = second.lower.astype(np.float64), first.lower.astype(np.float64)
        orbit, seen = [(identity_map(self.tree.game), start)], [start]
        for mapping, policy in orbit:  # grows while it is walked
            for g, carry in zip(self.generators, self.carriers, strict=True):
                moved = carry(policy)
                if any(np.abs(moved - other).max() < 1e-9 for other in seen):
                    continue
                if np.abs(moved - target).max() < 1e-9:
                    found = g.after(mapping)
                    exact = Carrier(self.tree, found)
                    return found if second.has_only(exact(first.lower), exact(first.upper)) else None
                if len(seen) >= _LARGEST_ORBIT:
                    return None
                seen.append(moved)
                orbit.append((g.after(mapping), moved))
        return None

    def other_image(self, z: np.ndarray) -> np.ndarray | None:
        """A symmetric image of the policy that differs from it, as log-ratios; None if there is none."""
        policy = self.eq.policy(z[:, None])
        for carry in self.carriers:
            moved = carry(policy[:, 0])[:, None]
            if np.abs(moved - policy).max() > 1e-6:
                return self.eq.ratios(moved)[:, 0]
        return None


def disjoint(first: StationaryProof, second: StationaryProof) -> bool:
    """Whether the two policies certainly differ."""
    return bool(((first.upper < second.lower) | (second.upper < first.lower)).any())
