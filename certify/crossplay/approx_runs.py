"""Stationary policies found by float runs from random starts, each then proved
(docs/theory/objective.md#stationary-policies).

What is found is proved; that nothing else exists is not.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from certify.errors import Undecided
from certify.games.tree import Tree
from certify.run import OutOfTime, Run
from certify.stationary.existence import StationaryProof, check_size, prove_stationary
from certify.thresholds.approx_policy import Policy, approx_stationary
from certify.thresholds.index_tables import Plan

_TOLERANCE, _SETTLED = 1e-9, 1e-6  # of a run's residual; Newton's method goes on from here


def approx_runs(tree: Tree, alpha: Fraction, *, starts: int, seed: int, run: Run | None = None) -> list[Policy]:
    """The different limits of `starts` damped float iterations, the first from the uniform policy; no
    iteration begins when the run is over."""
    plan, rng = Plan(tree), np.random.default_rng(seed)
    run = run or Run()
    found: list[tuple[np.ndarray, Policy]] = []
    for number in range(starts):
        if run.left() <= 0:
            break
        start = (
            tree.uniform()
            if number == 0
            else [
                [0.999 * rng.dirichlet(np.full(p.shape[1], 0.3), size=len(p)) + 0.001 / p.shape[1] for p in row]
                for row in tree.uniform()
            ]
        )
        policy, residual = approx_stationary(plan, float(1 / alpha), start, tolerance=_TOLERANCE)
        flat = np.concatenate([p.ravel() for row in policy for p in row])
        if residual < _SETTLED and flat.min() > 0 and all(np.abs(flat - other).max() > 1e-4 for other, _ in found):
            found.append((flat, policy))
    return [policy for _, policy in found]


def proved_runs(
    tree: Tree, alpha: Fraction, *, starts: int = 24, seed: int = 0, run: Run | None = None
) -> list[StationaryProof]:
    """A proof for each limit that admits one, pairwise different policies, as far as the run goes: half
    of it is for the limits, the rest for the proofs.

    Raises `InputError` for trees that are too large to prove anything on.

    >>> from certify.games import builtin
    >>> from certify.games.tree import unroll
    >>> len(proved_runs(unroll(builtin("lever:2"), cluster=False), Fraction(1, 4)))
    3
    """
    check_size(tree)
    run = run or Run()
    proofs: list[StationaryProof] = []
    try:
        with run.stage("proving that stationary policies exist"):
            for policy in approx_runs(tree, alpha, starts=starts, seed=seed, run=run.part(0.5)):
                try:
                    proof = prove_stationary(tree, alpha, policy)
                except Undecided:
                    continue
                if all(((proof.upper < other.lower) | (other.upper < proof.lower)).any() for other in proofs):
                    proofs.append(proof)
    except OutOfTime as over:
        run.progress(str(over))
    return proofs
