"""What shows that several stationary policies exist at one temperature (docs/theory/continuation.md#from-below, "From
below").

Two disjoint Krawczyk boxes, or one stationary policy that is a saddle: the flow started uphill of
it ends, by Theorem A (docs/theory/convergence.md#one-limit-or-several), in another.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from certify.games.tree import Tree
from certify.stationary.existence import StationaryProof
from certify.symmetry.maps import GameMap

MAXIMUM, SADDLE, UNDECIDED = "maximum", "saddle", "undecided"


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
        """Where several stationary policies are proved to exist."""
        return self.witness.alpha

    @property
    def alpha_two_maxima(self) -> Fraction | None:
        """Where two strict local maxima are proved to exist, or None."""
        return None if self.two_maxima is None else self.two_maxima.alpha
