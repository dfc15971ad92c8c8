"""Temperatures at which several stationary policies are proved to exist (docs/theory/continuation.md#from-below, "From
below").

Two disjoint Krawczyk boxes, or one stationary policy that is a saddle: the flow started uphill of
it ends, by Theorem A (section 3), in another.  Existence in the clustered process is enough
(section 4), and so is definiteness: directions in which merged histories play differently only
meet the entropy's negative definite part.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from certify.bounds.hessian import hessian
from certify.bounds.tangent import lambda_max_lower, lambda_max_upper
from certify.errors import InputError, Undecided
from certify.games.tree import Tree
from certify.stationary.approx_branches import (
    Branch,
    Found,
    Limit,
    approx_margin,
    approx_policies,
    approx_uphill,
    crossings,
    follow,
    limits,
)
from certify.stationary.approx_equations import ApproxEquations
from certify.stationary.approx_search import ApproxSearch
from certify.stationary.existence import LARGEST, StationaryProof, prove_stationary
from certify.symmetry.group import symmetries
from certify.symmetry.histories import entry_permutation
from certify.symmetry.maps import GameMap, identity_map
from certify.thresholds.structural import structural_thresholds

MAXIMUM, SADDLE, UNDECIDED = "maximum", "saddle", "undecided"
DEFAULT_RTOL = Fraction(1, 2000)
_LARGEST_ORBIT = 300
_LEVELS = (1.0, 0.985, 0.96, 0.92, 0.86, 0.78, 0.68, 0.56, 0.42, 0.3, 0.2)
_SEED = 0

Progress = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Solution:
    """A proved stationary policy and what it certainly is: "maximum" (a strict local maximum of
    J_alpha, so an open set of initialisations trains to it), "saddle" (J_alpha has positive
    curvature there in some direction) or "undecided"."""

    proof: StationaryProof
    kind: str


@dataclass(frozen=True, eq=False)
class Witness:
    """Proof that several stationary policies exist at `alpha`.

    solutions : two with disjoint boxes, or one saddle (then another exists by Theorem A).
    symmetry : an automorphism of the game that certainly maps the first to the second, or None.
    """

    alpha: Fraction
    solutions: tuple[Solution, ...]
    symmetry: GameMap | None = None

    @property
    def argument(self) -> str:
        """ "two boxes" or "saddle"."""
        return "two boxes" if len(self.solutions) == 2 else "saddle"


@dataclass(frozen=True, eq=False)
class Multiplicity:
    """What was proved from below.

    alpha_multiple : the largest temperature found at which several stationary policies are proved
        to exist (`witness`).  two_maxima : the same for two proved strict local maxima, or None.
    approx_limit : where the branch ends, in floats; nothing rests on it.
    """

    tree: Tree
    witness: Witness
    two_maxima: Witness | None
    approx_limit: float

    @property
    def alpha_multiple(self) -> Fraction:
        """The largest temperature at which two stationary policies are proved."""
        return self.witness.alpha

    @property
    def alpha_two_maxima(self) -> Fraction | None:
        """The largest temperature at which two strict local maxima are proved, None if none is."""
        return None if self.two_maxima is None else self.two_maxima.alpha


def find_multiplicity(
    tree: Tree,
    *,
    rtol: Fraction | float = DEFAULT_RTOL,
    time_limit: float | None = 60.0,
    alpha_min: Fraction | None = None,
    progress: Progress = lambda text: None,
) -> Multiplicity | None:
    """The largest temperature at which two stationary policies could be found and proved.

    Parameters
    ----------
    tree : a game unrolled, clustered or not.
    rtol : how far below the limit of a branch, relatively, the proof may be made.
    time_limit : seconds for the float search; proofs come on top.  None: until it is complete.
    alpha_min : nothing is looked for below (default: payoff range / 1000).

    None means that nothing was found and proved, not that the policy is unique.  Runs that end
    before their limit are deterministic.  Raises `InputError` unless 0 < rtol < 1.

    >>> from certify.games import builtin
    >>> from certify.games.tree import unroll
    >>> found = find_multiplicity(unroll(builtin("lever:2")))
    >>> Fraction(4998, 10000) < found.alpha_multiple < Fraction(1, 2), found.witness.argument
    (True, 'two boxes')
    """
    rtol = Fraction(rtol)
    if not 0 < rtol < 1:
        raise InputError("rtol", f"{float(rtol)}", "use a number between 0 and 1")
    began = time.monotonic()
    deadline = math.inf if time_limit is None else began + time_limit
    eq = ApproxEquations(tree)
    top = structural_thresholds(tree.game)[0].alpha_star
    floor = reward_range(tree) / 1000 if alpha_min is None else alpha_min
    if eq.size > LARGEST:
        progress(f"from below: {eq.size} log-ratios, proofs are made for at most {LARGEST}")
    if not 0 < eq.size <= LARGEST or top <= 0:
        return None
    search = ApproxSearch(eq, float(top), max(float(floor), 1e-300), deadline=deadline, seed=_SEED, progress=progress)
    search.run()
    proofs = _Proofs(tree, eq, rtol)
    for limit in _distinct(search.limits):
        progress(f"from below: proving two stationary policies below {limit.alpha:.8g}")
        witness = proofs.below(limit)
        if witness is not None:
            progress(f"from below: alpha_multiple = {float(witness.alpha):.8g}")
            return Multiplicity(tree, witness, _two_maxima(proofs, search, witness, progress), limit.alpha)
    return None


def reward_range(tree: Tree) -> Fraction:
    """Largest less smallest expected return of a joint history, at most: the sum over the steps."""
    return sum(
        (tree.game.discount**t * (level.reward.max() - level.reward.min()) for t, level in enumerate(tree.levels)),
        Fraction(0),
    )


def simplest_between(low: Fraction, high: Fraction) -> Fraction:
    """The fraction with the smallest denominator in [low, high], 0 < low < high (Stern and Brocot).

    >>> simplest_between(Fraction(3, 10), Fraction(4, 10))
    Fraction(1, 3)
    """
    whole = -(-low.numerator // low.denominator)
    if whole <= high:
        return Fraction(whole)
    below = Fraction(whole - 1)
    return below + 1 / simplest_between(1 / (high - below), 1 / (low - below))


def _distinct(found: list[Limit]) -> Iterator[Limit]:
    """Limits from the highest, one of those that agree to 1e-7 and are of one kind."""
    seen: list[tuple[float, str]] = []
    for limit in found:
        if all(kind != limit.kind or abs(alpha / limit.alpha - 1) > 1e-7 for alpha, kind in seen):
            seen.append((limit.alpha, limit.kind))
            yield limit


def steps_below(alpha: float, rtol: Fraction) -> Iterator[Fraction]:
    """Rationals ever further below alpha, the last at most `rtol` away."""
    for step in (rtol / 100, rtol / 10, rtol):
        yield simplest_between(Fraction(alpha) * (1 - step), Fraction(alpha) * (1 - step / 2))


class _Proofs:
    """From float policies to witnesses, for one tree."""

    def __init__(self, tree: Tree, eq: ApproxEquations, rtol: Fraction) -> None:
        self.tree, self.eq, self.rtol = tree, eq, rtol
        group = symmetries(tree.game)
        self.generators = [g for g in group.generators if g.key != identity_map(tree.game).key]
        self.images = [entry_permutation(tree, g) for g in self.generators]

    def solution(self, z: np.ndarray, alpha: Fraction) -> Solution | None:
        """The policy near z (N,), proved and labelled; None where no proof is found."""
        try:
            proof = prove_stationary(self.tree, alpha, self.eq.nested(z))
        except (Undecided, InputError):
            return None
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

    def _add(self, solutions: list[Solution], z: np.ndarray, alpha: Fraction) -> None:
        new = self.solution(z, alpha)
        if new is not None and all(_disjoint(new.proof, other.proof) for other in solutions):
            solutions.append(new)

    def witness(self, alpha: Fraction, solutions: list[Solution]) -> Witness:
        """The solutions with the symmetry that links them."""
        symmetry = self.symmetry(*(s.proof for s in solutions)) if len(solutions) == 2 else None
        return Witness(alpha, tuple(solutions), symmetry)

    def symmetry(self, first: StationaryProof, second: StationaryProof) -> GameMap | None:
        """An automorphism that certainly maps the first policy to the second, or None: none found."""
        target = second.lower.astype(np.float64)
        orbit = [(identity_map(self.tree.game), np.arange(len(target)))]
        seen = [first.lower.astype(np.float64)]
        for mapping, image in orbit:  # grows while it is walked
            for g, permutation in zip(self.generators, self.images, strict=True):
                following = permutation[image]
                moved = np.empty_like(target)
                moved[following] = first.lower.astype(np.float64)
                if any(np.abs(moved - other).max() < 1e-9 for other in seen):
                    continue
                if np.abs(moved - target).max() < 1e-9:
                    lower, upper = np.empty_like(first.lower), np.empty_like(first.upper)
                    lower[following], upper[following] = first.lower, first.upper
                    return g.after(mapping) if second.has_only(lower, upper) else None
                if len(seen) >= _LARGEST_ORBIT:
                    return None
                seen.append(moved)
                orbit.append((g.after(mapping), following))
        return None

    def other_image(self, z: np.ndarray) -> np.ndarray | None:
        """A symmetric image of the policy that differs from it, as log-ratios; None if there is none."""
        policy = self.eq.policy(z[:, None])
        for permutation in self.images:
            moved = np.empty_like(policy)
            moved[permutation] = policy
            if np.abs(moved - policy).max() > 1e-6:
                return self.eq.ratios(moved)[:, 0]
        return None


def _disjoint(first: StationaryProof, second: StationaryProof) -> bool:
    return bool(((first.upper < second.lower) | (second.upper < first.lower)).any())


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


def _two_maxima(proofs: _Proofs, search: ApproxSearch, witness: Witness, progress: Progress) -> Witness | None:
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
        progress(f"from below: {len(stable)} kinds of local maxima at {alpha:.6g}")
        result = _best_pair(proofs, [_upwards(eq, z, alpha, 1.05 * float(witness.alpha)) for z in stable])
        if result is not None:
            return result
    return None


def _best_pair(proofs: _Proofs, stable: list[_Stable]) -> Witness | None:
    """Proves two maxima just below the highest alpha up to which two of the branches, or one and its
    symmetric image, go on."""
    eq, pairs = proofs.eq, []
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
                and _disjoint(*(s.proof for s in solutions))
            ):
                return proofs.witness(alpha, solutions)
    return None
