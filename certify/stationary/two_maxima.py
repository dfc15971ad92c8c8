"""Two proved strict local maxima at as large a temperature as is found: open sets of initialisations that
train to different policies (docs/theory/convergence.md#one-limit-or-several, docs/theory/continuation.md#from-below).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from certify.stationary.approx_branches import Branch, crossings, follow
from certify.stationary.approx_equations import ApproxEquations
from certify.stationary.approx_limits import Limit, limits
from certify.stationary.approx_policies import Found, approx_margin, approx_policies
from certify.stationary.approx_search import ApproxSearch
from certify.stationary.witness_proofs import WitnessProofs, disjoint, steps_below
from certify.stationary.witnesses import MAXIMUM, Witness

_LEVELS = (1.0, 0.985, 0.96, 0.92, 0.86, 0.78, 0.68, 0.56, 0.42, 0.3, 0.2)
_SEED = 0


def find_two_maxima(proofs: WitnessProofs, search: ApproxSearch, witness: Witness) -> Witness | None:
    """Two proved strict local maxima at as large an alpha as is found."""
    if sum(s.kind == MAXIMUM for s in witness.solutions) == 2:
        return witness
    eq = proofs.eq
    rng = np.random.default_rng(_SEED)
    for level in _LEVELS:
        alpha = level * float(witness.alpha)
        found = approx_policies(eq, alpha, rng, starts=64, newton_starts=0, warm=search.known(alpha), limit=40)
        stable = [z for z in found.up_to_symmetry() if approx_margin(eq, z, 1 / alpha) > 1e-6]
        if not stable or (len(stable) == 1 and proofs.other_image(stable[0]) is None):
            continue
        proofs.run.progress(f"from below: {len(stable)} kinds of local maxima at {alpha:.6g}")
        result = _best_pair(proofs, [_upwards(eq, z, alpha, 1.05 * float(witness.alpha)) for z in stable])
        if result is not None:
            return result
    return None


def _best_pair(proofs: WitnessProofs, stable: list[_Stable]) -> Witness | None:
    """Proves two maxima just below the highest alpha up to which two of the branches, or one and its
    symmetric image, go on."""
    eq = proofs.eq
    pairs: list[tuple[float, _Stable, _Stable | None]] = []
    for k, first in enumerate(stable):
        pairs.append((first.height, first, None))
        pairs += [(min(first.height, second.height), first, second) for second in stable[:k]]
    for height, first, second in sorted(pairs, key=lambda pair: -pair[0]):
        for alpha in steps_below(height, proofs.rtol):
            z = first.at(eq, float(alpha))
            if z is None:
                continue
            other = proofs.other_image(z) if second is None else second.at(eq, float(alpha))
            if other is None:
                break
            solutions = [s for s in (proofs.solution(z, alpha), proofs.solution(other, alpha)) if s is not None]
            if (
                len(solutions) == 2
                and all(s.kind == MAXIMUM for s in solutions)
                and disjoint(*(s.proof for s in solutions))
            ):
                return proofs.witness(alpha, solutions)
    return None


@dataclass(frozen=True, eq=False)
class _Stable:
    """A local maximum followed upwards: `height`, the alpha where it ends, and its `limit` there."""

    branch: Branch
    height: float
    limit: Limit | None

    def at(self, eq: ApproxEquations, alpha: float) -> np.ndarray | None:
        """The local maximum of this branch at alpha."""
        found = Found(eq, alpha)
        for z in crossings(self.branch, alpha):
            found.add(z)
        for z in self.limit.near(alpha) if self.limit is not None else []:
            found.add(z)
        return next((z for z in found.z if approx_margin(eq, z, 1 / alpha) > 0), None)


def _upwards(eq: ApproxEquations, z: np.ndarray, alpha: float, top: float) -> _Stable:
    """Follow a local maximum to the end of its stretch."""
    branch = follow(eq, z, alpha, top=top, floor=0.999 * alpha)
    heights = branch.alpha
    ends = np.flatnonzero((branch.margin <= 0) | (np.append(0.0, np.diff(heights)) < 0))
    if not len(ends):
        return _Stable(branch, float(heights.max()), None)
    k = int(ends[0])
    near = [limit for limit in limits(branch) if abs(limit.at - k) <= 1]
    limit = near[0] if near else None
    cut = Branch(eq, branch.y[: k + 1], branch.tangent[: k + 1], branch.margin[: k + 1])
    return _Stable(cut, limit.alpha if limit is not None else float(heights[k - 1]), limit)
